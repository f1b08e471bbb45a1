"""rmq queue watch and receive --follow: what goes on until Ctrl-C."""

import json
import signal

import pytest


@pytest.fixture
def orders(rmq):
    rmq("queue", "create", "orders")
    rmq("queue", "create", "other")
    rmq("queue", "send", "orders", "one coffee")
    return rmq


def test_watch_shows_a_table_again_and_again(orders):
    ran = orders("queue", "watch", "--count=2", "--interval=10ms")

    assert ran.status == 0
    assert ran.out.count("received/s") == 2
    assert ran.out.count("orders") == 2


def test_watch_in_json_is_a_line_for_every_look(orders):
    first, second = orders.lines("queue", "watch", "--count=2", "--interval=10ms")

    assert [one["name"] for one in first["queues"]] == ["orders", "other"]
    assert first["queues"][0]["visible"] == 1
    assert first["queues"][0]["per_second"]["sent"] is None
    assert second["queues"][0]["per_second"] == {"sent": 0, "received": 0, "deleted": 0}
    assert first["at"] < second["at"]


def test_watch_takes_names_and_prefixes(orders):
    [look] = orders.lines("queue", "watch", "ot*", "--count=1")
    assert [one["name"] for one in look["queues"]] == ["other"]

    [look] = orders.lines("queue", "watch", "orders", "--count=1")
    assert [one["name"] for one in look["queues"]] == ["orders"]


def test_watch_of_a_name_that_is_missing_ends_with_3(orders):
    assert orders("queue", "watch", "missing", "--count=1").status == 3


def test_watch_of_no_queues_says_so(rmq):
    assert "no queues yet" in rmq("queue", "watch", "--count=1").out


def test_an_interval_of_nothing_is_refused(orders):
    assert orders("queue", "watch", "--interval=0").status == 2


@pytest.mark.parametrize(
    "command",
    [
        ("watch", "--interval=60", "--json"),
        ("receive", "orders", "--follow", "--json"),
    ],
)
def test_ctrl_c_ends_with_130_and_without_a_word(on_server, command):
    on_server("queue", "create", "orders")
    on_server("queue", "send", "orders", "one coffee")
    process = on_server.start("queue", *command)
    first = json.loads(process.stdout.readline())

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)

    assert first
    assert (process.returncode, out, err) == (130, "", "")


def test_follow_prints_what_comes_and_deletes_it(on_server):
    on_server("queue", "create", "orders")
    process = on_server.start("queue", "receive", "orders", "--follow", "--delete")

    printed = []
    for body in ("a", "b"):
        on_server("queue", "send", "orders", body)
        printed.append(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)

    assert printed == ["a\n", "b\n"]
    assert process.returncode == 130
