"""rmq demo: the main job, on memory and on a server, and an honest end when a promise breaks."""

import json
import signal

import pytest

from rmq.cli.fleet import play

SMALL = ("--trucks=20", "--consumers=3", "--seed=7")


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
    assert found["deaths"] == 3
    assert found["positions"]["sent"] == 600
    assert found["positions"]["delivered"] == 600
    assert (found["orders"]["dead"], found["poison_found"]) == (1, True)
    for outcome in (found["positions"], found["orders"]):
        assert (outcome["processed_twice"], outcome["lost"]) == (0, 0)


def test_the_demo_leaves_nothing_behind(on_server, server):
    on_server("demo", "--trucks=2", "--positions=2", "--deaths=0", "--consumers=1")

    with server.client() as raw:
        assert raw.keys("*") == []


def test_a_broken_promise_ends_with_status_1(rmq, monkeypatch):
    """A judge who is told that more was sent than was: those messages are missing."""
    honest = play.judge
    monkeypatch.setattr(
        play, "judge", lambda sent, *rest, **more: honest([*sent, b"truck-1 at 999"], *rest, **more)
    )

    ran = rmq("demo", "--trucks=2", "--positions=2", "--deaths=0")

    assert ran.status == 1
    assert "A PROMISE WAS BROKEN" in ran.out


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
    monkeypatch.setattr("rmq.cli.fleet.crew.consume", lambda *args: None)

    found = rmq("demo", "--trucks=2", "--positions=2", "--deaths=0", "--json")

    assert found.status == 1
    assert found.json["positions"]["lost"] == 4
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


@pytest.mark.parametrize("option", ["--trucks=0", "--consumers=0", "--deaths=-1", "--positions=0"])
def test_a_demo_of_nothing_is_refused(rmq, option):
    assert rmq("demo", option).status == 2
