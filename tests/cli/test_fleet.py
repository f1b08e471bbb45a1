"""rmq worker list|stop|drain|pause|resume|cancel and rmq schedule, in a terminal."""

from __future__ import annotations

import asyncio

import pytest

import rmq as library
from rmq.worker.fleet import QueueWork
from rmq.worker.presence import Presence


@pytest.fixture
def worker(rmq):
    """Makes a worker live for a moment; what it was told then."""
    made = []

    def beat():
        async def work():
            told = []
            async with library.connect_async(rmq.url) as client:
                one = Presence(
                    client,
                    "app",
                    look=lambda: {"orders": QueueWork(running=2, buffered=1, handled=40)},
                    obey=lambda word, rest: told.append(f"{word} {rest}".strip()),
                )
                if made:
                    one.id = made[0]
                else:
                    made.append(one.id)
                await one.beat()
                return one.id, told

        return asyncio.run(work())

    return beat


def test_live_workers_are_listed(rmq, worker):
    assert "no live worker" in rmq("worker", "list").out
    id, _ = worker()
    (found,) = rmq.json("worker", "list")["workers"]
    assert found["id"] == id
    assert found["in_hand"] == 3
    assert found["queues"]["orders"]["handled"] == 40
    assert id in rmq("worker", "list").out


def test_workers_are_told_to_stop_and_to_drain(rmq, worker):
    id, _ = worker()
    assert rmq.json("worker", "stop", id) == {"told": [id], "to": "stop"}
    assert rmq.json("worker", "drain", "--all")["told"] == [id]
    assert worker()[1] == ["stop", "drain"]


def test_a_worker_that_does_not_live_is_an_error_in_one_line(rmq):
    ran = rmq("worker", "stop", "nobody")
    assert ran.status == 3
    assert ran.err.count("\n") == 1
    assert "nobody" in ran.err
    assert rmq("worker", "stop").status == 2


def test_a_queue_is_paused_and_resumed(rmq):
    assert rmq.json("worker", "pause", "orders")["changed"]
    assert not rmq.json("worker", "pause", "orders")["changed"]
    assert "orders" in rmq.json("worker", "list")["paused"]
    assert rmq.json("worker", "resume", "orders")["changed"]


def test_a_task_is_cancelled(rmq):
    assert rmq.json("worker", "cancel", "7")["cancelled"]
    assert not rmq.json("worker", "cancel", "7")["cancelled"]


def test_a_schedule_from_its_making_to_its_end(rmq):
    rmq("queue", "create", "orders")
    made = rmq.json(
        "schedule", "put", "nightly", "0 3 * * *", "orders", "go", "--timezone", "Asia/Tokyo"
    )
    assert made["timezone"] == "Asia/Tokyo"
    assert made["next_at"].endswith("T18:00:00.000Z")
    rmq.json("schedule", "trigger", "nightly")
    assert rmq.lines("queue", "receive", "orders")[0]["body"] == "go"
    assert rmq.json("schedule", "pause", "nightly")["next_at"] is None
    assert rmq.json("schedule", "resume", "nightly")["next_at"]
    assert [one["name"] for one in rmq.lines("schedule", "list")] == ["nightly"]
    assert "nightly" in rmq("schedule", "list").out
    assert rmq.json("schedule", "rm", "nightly")["removed"]
    rmq("schedule", "put", "lost", "0 3 * * *", "nowhere", "go")
    assert rmq("schedule", "trigger", "lost").status == 1
    assert rmq("schedule", "rm", "nightly").status == 3


def test_a_schedule_of_a_task_has_its_arguments(rmq):
    rmq("queue", "create", "tasks")
    put = ("schedule", "put", "report", "every 1h", "tasks", "--task", "shop.report")
    assert rmq(*put, "--arguments", '{"which": "daily"}').status == 0
    rmq("schedule", "trigger", "report")
    (message,) = rmq.lines("queue", "receive", "tasks")
    assert '"kwargs":{"which":"daily"}' in message["body"]


@pytest.mark.parametrize(
    "words",
    [
        ("put", "a", "soon", "orders", "x"),
        ("put", "a", "0 3 * * *", "orders"),
        ("put", "a", "0 3 * * *", "orders", "--task", "t", "--arguments", "5"),
        ("put", "a", "0 3 * * *", "orders", "x", "--timezone", "Mars"),
        ("put", "a", "0 3 * * *", "orders", "x", "--catch-up", "some"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(rmq, words):
    ran = rmq("schedule", *words)
    assert ran.status == 2
    assert ran.err.strip().count("\n") == 0


def test_dead_letters_that_no_worker_gave_up_have_no_story(rmq):
    rmq("queue", "create", "graves")
    rmq("queue", "send", "graves", "x")
    (found,) = rmq.lines("worker", "errors", "graves")
    assert (found["reason"], found["error"], found["first_at"]) == ("unknown", None, None)
    assert " : " not in rmq("worker", "errors", "graves").out
