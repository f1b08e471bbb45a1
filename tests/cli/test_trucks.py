"""rmq demo trucks: a stream beside a FIFO queue, and the order in both."""

from rmq import Record
from rmq.cli.trucks import scene

SMALL = ("--trucks=20", "--positions=3", "--work=20")


def test_the_stream_has_a_consumer_for_each_shard_and_the_queue_one_for_each_truck(rmq):
    found = rmq.json("demo", "trucks", *SMALL)

    assert found["kept"] is True
    assert len(found["trucks_by_shard"]) == 5
    assert sum(found["trucks_by_shard"].values()) == 20
    stream, queue, again = found["ways"]
    assert (stream["consumers"], queue["consumers"], again["consumers"]) == (5, 20, 5)
    assert stream["at_work"] <= 5 < queue["at_work"] <= 20
    for way in found["ways"]:
        assert way["worked_off"] == 60
        assert (way["out_of_order"], way["lost"], way["twice"]) == (0, 0, 0)


def test_it_is_drawn_as_a_table_and_a_picture(rmq):
    ran = rmq("demo", "trucks", *SMALL)

    assert ran.status == 0
    for part in ("shard  4", "■", "at work at once", "At work: FIFO queue, up to ", "█"):
        assert part in ran.out
    assert ran.out.endswith("Every truck's positions were worked off in order.\n")


def test_it_leaves_nothing_behind(on_server, server):
    on_server("demo", "trucks", "--trucks=2", "--positions=1", "--work=0")

    with server.client() as raw:
        assert raw.keys("*") == []


def test_a_position_out_of_order_ends_with_status_1(rmq, monkeypatch):
    """A truck's positions are put in the wrong order."""
    monkeypatch.setattr(scene, "Record", lambda data, truck: Record(b"%d" % (9 - int(data)), truck))

    ran = rmq("demo", "trucks", *SMALL)

    assert ran.status == 1
    assert ran.out.endswith("A PROMISE WAS BROKEN.\n")


def test_trucks_have_a_page_and_the_other_demo_its_own(rmq):
    assert "a stream beside a fifo queue" in rmq("demo", "trucks", "--help").out.lower()
    page = rmq("demo", "--help").out
    assert "--publisher-deaths" in page
    assert "trucks" in page
