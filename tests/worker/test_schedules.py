"""Schedules: fired once for each moment, whoever dies; listed, paused, triggered, removed."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from rmq.errors import InvalidParameter, ScheduleDoesNotExist, SchedulerLeaseLost
from rmq.testing import HeldClock
from rmq.worker.scheduler import LEASE_MS, Scheduler, _fire, _moments, look, relay, tick
from rmq.worker.schedules import Schedules
from tests.colours import ByHand, until

START = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def clock():
    return HeldClock(START)


@pytest.fixture
def schedules(client):
    return Schedules(client)


@pytest.fixture
def scheduler(client):
    return Scheduler(client)


async def texts(queue):
    found = []
    while got := await queue.receive(10):
        found += [one.text for one in got]
        await queue.delete_many(got)
    return found


async def scheduled(queue):
    """The moments of all that is in the queue, taken out of it."""
    found = []
    while got := await queue.receive(10):
        found += [one.attributes["rmq.scheduled_at"].value for one in got]
        await queue.delete_many(got)
    return found


async def test_three_schedulers_killed_at_random_fire_each_moment_once(client, clock, backend):
    """1,000 moments. A scheduler is killed between any two of its steps: it does not come back, and
    what it asked for last has been carried out."""
    queue = await client.create_queue("orders")
    fifo = await client.create_queue("orders.fifo")
    schedules = Schedules(client)
    await schedules.put("a", "every 10s", "orders", "a", catch_up="all")
    await schedules.put("b", "*/2 * * * *", "orders", "b", catch_up="all")
    await schedules.put("c", "every 20s", "orders.fifo", "c", catch_up="all")
    chance = random.Random(6)
    names = iter(range(1_000_000))
    executor = client._executor

    def begun():
        keys = schedules.keys
        return ByHand(client, tick(client._registry, keys, "app", f"s{next(names)}"))

    live = [begun() for _ in range(3)]
    killed, moved = 0, 0
    expected = {"a": 630, "b": 52, "c": 315}
    while moved < 6300:
        step = chance.choice([10, 10, 20, 30])
        clock.move(min(step, 6300 - moved))
        moved += min(step, 6300 - moved)
        for _ in range(chance.randrange(3, 12)):
            at = chance.randrange(3)
            if chance.random() < 0.12:
                live[at] = begun()
                killed += 1
            elif await live[at].step() is None:
                live[at] = begun()
    clock.move(LEASE_MS / 1000 + 1)
    await executor.run(tick(client._registry, schedules.keys, "app", "the last one"))
    expected["a"] += 1
    found = Counter(await fired(queue)) + Counter(await fired(fifo))
    assert killed > 50
    assert max(found.values()) == 1
    assert Counter(name for name, _ in found) == expected
    assert len(found) > 990


async def fired(queue):
    found = []
    while got := await queue.receive(10):
        found += [
            (one.attributes["rmq.schedule"].value, one.attributes["rmq.scheduled_at"].value)
            for one in got
        ]
        await queue.delete_many(got)
    return found


async def test_one_holds_the_lease_and_another_takes_it_when_it_ends(client, clock, schedules):
    one, other = Scheduler(client), Scheduler(client)
    first = await one.tick()
    assert first.fence == 1
    assert (await other.tick()).fence == 0
    clock.move(LEASE_MS / 1000)
    assert (await other.tick()).fence == 2
    assert (await one.tick()).fence == 0


async def test_one_whose_lease_was_taken_can_not_fire(client, clock, queue, schedules):
    await schedules.put("a", "every 10s", "orders", "a")
    clock.move(10)
    slow = ByHand(client, tick(client._registry, schedules.keys, "app", "slow"))
    assert await slow.step() == "worker.schedule_look"
    clock.move(LEASE_MS / 1000)
    await Scheduler(client).tick()
    assert len(await scheduled(queue)) == 2
    assert await slow.step() == "worker.schedule_fire"  # refused
    await slow.finish()
    assert slow.result.fence == 0
    assert await scheduled(queue) == []


async def test_whoever_has_an_older_fence_is_refused_before_the_new_holder_did_anything(
    client, clock, queue, schedules
):
    await schedules.put("a", "every 10s", "orders", "a")
    clock.move(10)
    call = client._executor.call
    seen = await call(look(schedules.keys, "app", "slow"))
    clock.move(LEASE_MS / 1000)
    assert (await call(look(schedules.keys, "app", "quick"))).fence == seen.fence + 1
    with pytest.raises(SchedulerLeaseLost):
        await call(_fire(schedules.keys, "app", "slow", seen, _moments(seen)))


async def test_a_fire_that_is_repeated_after_a_lost_answer_fires_nothing(
    client, clock, queue, schedules
):
    await schedules.put("a", "every 10s", "orders", "a")
    clock.move(10)
    seen = await client._executor.call(look(schedules.keys, "app", "me"))
    assert (
        await client._executor.call(_fire(schedules.keys, "app", "me", seen, _moments(seen))) == 1
    )
    assert (
        await client._executor.call(_fire(schedules.keys, "app", "me", seen, _moments(seen))) == 0
    )
    await Scheduler(client).tick()
    clock.move(LEASE_MS / 1000)
    await client._executor.run(relay(client._registry, schedules.keys, "app"))
    assert await scheduled(queue) == ["2026-01-05T12:00:10.000Z"]


async def test_a_stopped_scheduler_gives_its_lease_back(client, clock, schedules):
    stopping = asyncio.Event()
    one = Scheduler(client)
    running = asyncio.create_task(one.run(stopping))
    await until(lambda: _fence(client, schedules.keys))
    stopping.set()
    await running
    assert (await Scheduler(client).tick()).fence == 2


async def _fence(client, keys):
    found = await client._executor._once(["HGET", keys.schedule_state, "fence"])
    return found and int(found)


async def test_a_running_scheduler_hears_of_a_new_schedule_and_of_a_trigger(
    client, clock, queue, schedules
):
    stopping = asyncio.Event()
    running = asyncio.create_task(Scheduler(client).run(stopping))
    await until(lambda: _fence(client, schedules.keys))
    await schedules.put("a", "every 1h", "orders", "hello")
    await schedules.trigger("a")
    (message,) = await queue.receive(wait=20)
    assert message.text == "hello"
    clock.move(3600)
    (message,) = await queue.receive(wait=20)
    stopping.set()
    await running


async def test_a_task_gets_an_id_and_its_moment(client, clock, queue, schedules, scheduler):
    body = {"task": "shop.report", "args": ["daily"], "kwargs": {}}
    await schedules.put("report", "0 13 * * *", "orders", body)
    clock.move(3600)
    await scheduler.tick()
    (text,) = await texts(queue)
    sent = json.loads(text)
    assert sent.pop("id")
    assert sent == {
        **body,
        "schedule": "report",
        "scheduled_at": "2026-01-05T13:00:00.000Z",
    }


@pytest.mark.parametrize(("catch_up", "count"), [("all", 5), ("last", 1), ("none", 0)])
async def test_missed_moments_are_caught_up_with_as_said(
    client, clock, queue, schedules, scheduler, catch_up, count
):
    await schedules.put("a", "0 * * * *", "orders", "a", catch_up=catch_up)
    clock.move(5.5 * 3600)
    await scheduler.tick()
    assert len(await scheduled(queue)) == count
    clock.move(1800)
    await scheduler.tick()
    assert await scheduled(queue) == ["2026-01-05T18:00:00.000Z"]


async def test_a_changed_message_keeps_the_next_moment_and_changed_times_do_not(
    client, clock, queue, schedules, scheduler
):
    await schedules.put("a", "0 * * * *", "orders", "a")
    assert not await schedules.put("a", "0 * * * *", "orders", "a")
    clock.move(3600 * 2)
    assert await schedules.put("a", "0 * * * *", "orders", "b")
    await scheduler.tick()
    assert await texts(queue) == ["b"]
    clock.move(3600 * 2)
    assert await schedules.put("a", "0 0 * * *", "orders", "c")
    await scheduler.tick()
    assert await texts(queue) == []


async def test_a_paused_one_is_silent_and_goes_on_from_where_it_is_resumed(
    client, clock, queue, schedules, scheduler
):
    await schedules.put("a", "every 1m", "orders", "a")
    assert await schedules.pause("a")
    assert not await schedules.pause("a")
    found = await schedules.get("a")
    assert found.paused_at == START
    assert found.next_at is None
    await schedules.put("a", "every 2m", "orders", "a")  # as a worker does that starts
    clock.move(3600)
    await scheduler.tick()
    assert await scheduled(queue) == []
    assert await schedules.resume("a")
    assert not await schedules.resume("a")
    clock.move(120)
    await scheduler.tick()
    assert await scheduled(queue) == ["2026-01-05T13:02:00.000Z"]


async def test_a_trigger_sends_at_once_without_any_scheduler(client, clock, queue, schedules):
    await schedules.put("a", "0 0 * * *", "orders", "a")
    assert await schedules.trigger("a") == START
    assert await texts(queue) == ["a"]
    assert (await schedules.get("a")).next_at == datetime(2026, 1, 6, tzinfo=UTC)


async def test_a_removed_one_is_gone(client, clock, queue, schedules, scheduler):
    await schedules.put("a", "every 1m", "orders", "a")
    await schedules.remove("a")
    clock.move(600)
    await scheduler.tick()
    assert await texts(queue) == []
    assert await schedules.get("a") is None
    for call in (schedules.remove, schedules.pause, schedules.resume, schedules.trigger):
        with pytest.raises(ScheduleDoesNotExist, match="'a'"):
            await call("a")


async def test_schedules_are_listed_page_by_page(client, clock, queue, schedules, scheduler):
    for name in ("c", "a", "b"):
        await schedules.put(name, timedelta(hours=1), "orders", name)
    clock.move(3600)
    await scheduler.tick()
    page = await schedules.list(limit=2)
    assert [one.name for one in page] == ["a", "b"]
    assert page.found[0].last_at == datetime(2026, 1, 5, 13, tzinfo=UTC)
    assert page.found[0].next_at == datetime(2026, 1, 5, 14, tzinfo=UTC)
    rest = await schedules.list(token=page.next_token)
    assert [one.name for one in rest] == ["c"]
    assert rest.next_token is None


async def test_a_queue_that_is_not_there_is_said_and_holds_up_no_other(
    client, clock, queue, schedules, scheduler
):
    await schedules.put("lost", "every 1m", "nowhere", "a")
    await schedules.put("well", "every 1m", "orders", "b")
    clock.move(60)
    await scheduler.tick()
    assert await texts(queue) == ["b"]
    assert "nowhere" in (await schedules.get("lost")).error
    assert (await schedules.get("well")).error == ""
    await client.create_queue("nowhere")
    clock.move(60)
    await scheduler.tick()
    assert (await schedules.get("lost")).error == ""


async def test_a_schedule_that_can_not_be_read_here_holds_up_no_other(
    client, clock, queue, schedules, scheduler, raw
):
    """Of a newer release, say; or a cron expression where cronsim is missing."""
    await schedules.put("strange", "every 1m", "orders", "a")
    await schedules.put("well", "every 1m", "orders", "b")
    raw.hset(
        schedules.keys.schedules, "strange", '{"when": "at full moon", "queue": "q", "body": ""}'
    )
    clock.move(60)
    seen = await scheduler.tick()
    assert await texts(queue) == ["b"]
    assert seen.sleep_ms >= 1000
    await schedules.put("strange", "every 1m", "orders", "a")
    clock.move(60)
    await scheduler.tick()
    assert sorted(await texts(queue)) == ["a", "b"]


async def test_nothing_is_fired_after_its_end(client, clock, queue, schedules, scheduler):
    await schedules.put("a", "every 1m", "orders", "a", until=START + timedelta(seconds=90))
    clock.move(240)
    await scheduler.tick()
    assert await scheduled(queue) == ["2026-01-05T12:01:00.000Z"]
    assert (await schedules.get("a")).next_at is None


async def test_an_end_that_is_changed_counts_at_once(client, clock, queue, schedules, scheduler):
    """The next moment stays where the times did not change, but not behind a new end; and one that
    had ended goes on when its end is moved."""
    await schedules.put("a", "every 1m", "orders", "a")
    await schedules.put("a", "every 1m", "orders", "a", until=START)
    assert (await schedules.get("a")).next_at is None
    clock.move(60)
    await scheduler.tick()
    assert await scheduled(queue) == []
    await schedules.put("a", "every 1m", "orders", "a", until=START + timedelta(seconds=150))
    assert (await schedules.get("a")).next_at == START + timedelta(seconds=120)
    clock.move(240)
    await scheduler.tick()
    assert await scheduled(queue) == ["2026-01-05T12:02:00.000Z"]


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("when", {"when": "soon"}),
        ("timezone", {"when": "0 3 * * *", "timezone": "nowhere"}),
        ("name", {"name": "a b"}),
        ("body", {"body": {"args": []}}),
        ("body", {"body": ""}),
        ("task", {"body": {"task": ""}}),
        ("body.args", {"body": {"task": "a", "args": "x"}}),
        ("body.kwargs", {"body": {"task": "a", "kwargs": [1]}}),
        ("catch_up", {"catch_up": "some"}),
        ("queue", {"queue": "a b"}),
    ],
)
async def test_what_is_wrong_is_named(schedules, field, change):
    given = {"name": "a", "when": "every 1m", "queue": "orders", "body": "x"} | change
    with pytest.raises(InvalidParameter) as caught:
        await schedules.put(**given)
    assert field in caught.value.field
