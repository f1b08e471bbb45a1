"""rmq demo: the main job, on memory and on a server, and an honest end when a promise breaks."""

import json
import signal
from unittest import mock

import pytest

import rmq as library
from rmq.cli.fleet import journal, play, scenario
from rmq.cli.fleet.publisher import publish

SMALL = ("--trucks=20", "--consumers=3", "--seed=7")
QUEUES = ("all.fifo", "fast.fifo", "europe.fifo", "orders")


def test_the_demo_keeps_every_promise_on_memory(rmq):
    ran = rmq("demo", *SMALL, "--positions=6", "--deaths=2")

    assert ran.status == 0, ran.out
    assert "order violations" in ran.out
    assert "the poisoned order is in orders-dead" in ran.out
    assert ran.out.endswith("Every promise was kept.\n")


def test_the_demo_on_a_server_kills_processes_and_keeps_every_promise(on_server, server):
    found = on_server.json("demo", *SMALL, "--positions=30", "--deaths=3")

    assert found["kept"] is True
    assert found["killed_with"] == "SIGKILL"
    assert (found["deaths"], found["publisher_deaths"]) == (3, 2)
    assert found["published"] == 600
    assert found["repeats"] > 0
    queues = found["queues"]
    assert tuple(queues) == QUEUES
    assert (queues["orders"]["dead"], found["poison_found"]) == (1, True)
    for outcome in queues.values():
        assert outcome["delivered"] == outcome["expected"]
        assert (outcome["strays"], outcome["processed_twice"], outcome["lost"]) == (0, 0, 0)
    for name in QUEUES[:3]:
        assert queues[name]["order_violations"] == 0


def test_the_demo_leaves_nothing_behind(on_server, server):
    on_server("demo", "--trucks=2", "--positions=2", "--deaths=0", "--consumers=1")

    with server.client() as raw:
        assert raw.keys("*") == []


def test_a_broken_promise_ends_with_status_1(rmq, monkeypatch):
    """A judge who is told that more was sent than was: those messages are missing."""
    honest = play.judge
    monkeypatch.setattr(
        play,
        "judge",
        lambda expected, *rest, **more: honest([*expected, b"truck-1 at 999"], *rest, **more),
    )

    ran = rmq("demo", "--trucks=2", "--positions=2", "--deaths=0")

    assert ran.status == 1
    assert "A PROMISE WAS BROKEN" in ran.out


def test_what_a_filter_should_have_kept_out_breaks_a_promise(rmq, monkeypatch):
    """A fast truck of a judge who calls nobody fast: that what came is not for that queue."""
    policy, _ = scenario.FILTERS[scenario.FAST]
    monkeypatch.setitem(scenario.FILTERS, scenario.FAST, (policy, lambda one: False))

    ran = rmq("demo", *SMALL, "--positions=2", "--deaths=0", "--publisher-deaths=0", "--json")

    assert ran.status == 1
    fast = ran.json["queues"]["fast.fifo"]
    assert fast["expected"] == 0
    assert fast["strays"] > 0
    assert ran.json["queues"]["europe.fifo"]["strays"] == 0


def test_what_a_filter_kept_out_wrongly_is_lost(rmq, monkeypatch):
    """A judge who calls everybody fast."""
    monkeypatch.setattr(play, "STUCK_S", 1000)
    policy, _ = scenario.FILTERS[scenario.FAST]
    monkeypatch.setitem(scenario.FILTERS, scenario.FAST, (policy, lambda one: True))

    ran = rmq("demo", *SMALL, "--positions=2", "--deaths=0", "--publisher-deaths=0", "--json")

    assert ran.status == 1
    assert ran.json["queues"]["fast.fifo"]["lost"] > 0


def test_a_successor_begins_where_its_predecessor_died(rmq, tmp_path):
    """It leaves nothing out, publishes nothing twice, and keeps each truck's order."""
    small = scenario.Scenario(
        trucks=3,
        positions=6,
        orders=1,
        publishers=1,
        consumers=1,
        publisher_deaths=0,
        deaths=0,
        seed=1,
    )
    lives = [5, 3, 100]

    def survive():
        lives[0] -= 1
        if lives[0] == 0:
            raise Died

    with library.connect(rmq.url) as client:
        client.create_queue(scenario.ALL)
        topic = client.create_topic(scenario.POSITIONS)
        topic.subscribe(scenario.ALL, raw_message_delivery=True)
        while len(lives) > 1:
            with pytest.raises(Died):
                publish(client, tmp_path / "p", small, 0, lambda: False, survive)
            lives.pop(0)
        publish(client, tmp_path / "p", small, 0, lambda: False, survive)
        arrived = [scenario.read_position(one.body) for one in client.queue(scenario.ALL).peek(100)]
        published = topic.stats().published

    for truck in range(3):
        assert [n for name, n in arrived if name == f"truck-{truck}"] == list(range(6))
    assert published == 18
    kinds = [note.kind for note in journal.read(tmp_path / "p")]
    assert kinds.count("kept") > 0


def test_what_the_last_publisher_left_in_the_outbox_is_delivered_by_the_play(rmq, monkeypatch):
    """It died after the topic had its positions, and before any queue had."""
    monkeypatch.setattr("rmq.topics.commands.LEASE_MS", 100)

    def published_only(*args):
        with mock.patch("rmq.topics.relaying.relay", nothing):
            publish(*args)

    def nothing(*args):
        return 0
        yield

    monkeypatch.setattr("rmq.cli.fleet.worker.publish", published_only)

    ran = rmq("demo", *SMALL, "--positions=2", "--publishers=1", "--publisher-deaths=0", "--json")

    assert ran.status == 0, ran.out
    assert ran.json["queues"]["all.fifo"]["delivered"] == 40


class Died(Exception):
    """A publisher's death, in a test."""


def test_a_publisher_that_fails_by_itself_is_told_of(rmq, monkeypatch):
    def broken(*args):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("rmq.cli.fleet.worker.publish", broken)

    ran = rmq("demo", "--trucks=2", "--positions=2", "--deaths=0")

    assert ran.status == 1
    assert "a publisher failed: ZeroDivisionError: oh" in ran.err


def test_a_consumer_that_fails_by_itself_is_told_of(rmq, monkeypatch):
    monkeypatch.setattr(play, "STUCK_S", 1000)

    def broken(*args):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("rmq.cli.fleet.consumer._work_in_bulk", broken)

    ran = rmq("demo", "--trucks=2", "--positions=2", "--deaths=0")

    assert ran.status == 1
    assert "a consumer failed: ZeroDivisionError: oh" in ran.err


def test_a_play_that_is_stuck_ends(rmq, monkeypatch):
    """Nobody works: what was sent is lost, and the demo says so instead of waiting for ever."""
    monkeypatch.setattr(play, "STUCK_S", 0.1)
    monkeypatch.setattr("rmq.cli.fleet.worker.consume", lambda *args: None)

    found = rmq("demo", "--trucks=2", "--positions=2", "--deaths=0", "--json")

    assert found.status == 1
    assert found.json["queues"]["all.fifo"]["lost"] == 4
    assert found.json["poison_found"] is False


def test_ctrl_c_ends_the_demo_with_130_and_leaves_nothing_behind(on_server, server):
    process = on_server.start("demo", "--positions=2000")
    with server.client() as raw:
        process.stdout.readline()
        while not raw.keys("*positions*"):
            assert process.poll() is None

        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)

        assert process.returncode == 130
        assert "Traceback" not in err
        assert raw.keys("*") == []


def test_a_server_that_is_not_there_ends_the_demo_with_4(monkeypatch):
    from tests.cli.conftest import Rmq

    monkeypatch.setenv("RMQ_RETRY_TIMEOUT", "0.1")

    ran = Rmq("redis://127.0.0.1:1")("demo", "--json")

    assert ran.status == 4
    assert json.loads(ran.err)["error"] == "RMQ_CONNECTION_LOST"


@pytest.mark.parametrize(
    "option", ["--trucks=0", "--consumers=0", "--publishers=0", "--deaths=-1", "--positions=0"]
)
def test_a_demo_of_nothing_is_refused(rmq, option):
    assert rmq("demo", option).status == 2
