"""The clock of a worker's host steps, by an hour and in the middle: Redis' clock decides."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from rmq.worker import Retry
from rmq.worker.load import Gauge
from tests.worker.conftest import at_work, until

REAL_NS, REAL = time.time_ns, time.time
HOUR = 3600
STEPS = [pytest.param(HOUR, id="forwards"), pytest.param(-HOUR, id="backwards")]


@pytest.fixture(params=["async-valkey"])
def backend(request, servers):
    from tests.conftest import Backend

    return Backend("async", "valkey", servers.url("valkey"))


@pytest.fixture
def step(monkeypatch):
    """Sets the clock of this process."""

    def to(seconds: float) -> None:
        monkeypatch.setattr(time, "time_ns", lambda: REAL_NS() + int(seconds * 1e9))
        monkeypatch.setattr(time, "time", lambda: REAL() + seconds)

    return to


@pytest.mark.parametrize("by", STEPS)
async def test_a_deadline_is_over_when_redis_says_so(app, step, by):
    ran = []

    @app.task()
    async def note(which: str) -> None:
        ran.append(which)

    await app.make_queues()
    now = datetime.fromtimestamp(REAL(), UTC)
    step(by)
    await note.options(deadline=now - timedelta(minutes=1)).send("late")
    await note.options(deadline=now + timedelta(minutes=1)).send("in time")
    async with at_work(app) as worker:
        await until(lambda: worker.consumers[0].tally.handled + worker.consumers[0].tally.dead == 2)
    assert ran == ["in time"]


@pytest.mark.parametrize("by", STEPS)
async def test_a_moment_to_send_at_comes_when_redis_says_so(app, step, by):
    @app.task()
    async def note() -> None: ...

    await app.make_queues()
    at = datetime.fromtimestamp(REAL(), UTC) + timedelta(minutes=10)
    step(by)
    await note.send_at(at)
    (message,) = await app.client.queue("tasks").peek()
    assert abs((message.visible_at - at).total_seconds()) < 30


@pytest.mark.parametrize("by", STEPS)
async def test_schedules_are_due_when_redis_says_so(app, step, by):
    ran = []

    @app.task()
    async def note() -> None:
        ran.append(1)

    await app.make_queues()
    app.schedule("every 2h", name="often")(note.with_())
    async with at_work(app):
        step(by)
        await app.schedules.put("again", "every 2h", "others", "-")
        for one in ("again", "often"):
            next_at = (await app.schedules.get(one)).next_at
            assert 0 < next_at.timestamp() - REAL() <= 2 * HOUR
        await app.schedules.trigger("often")  # the holder looks, and finds nothing due but this
        await until(lambda: ran)
        assert (await app.schedules.get("again")).last_at is None
    assert ran == [1]


@pytest.mark.parametrize("by", STEPS)
async def test_what_is_in_hand_is_kept_retried_and_unique_as_before(app, step, by):
    """A step in the middle of a run: its lease, its place in the fleet, its retry and its
    uniqueness are Redis'."""
    begun, go_on, runs = asyncio.Event(), asyncio.Event(), []

    @app.task(unique="done", result_ttl=60)
    async def once() -> int:
        runs.append(1)
        begun.set()
        await go_on.wait()
        if len(runs) == 1:
            raise Retry(after=0.01)
        return len(runs)

    await app.make_queues()
    handle = await once.send()
    async with at_work(app) as worker:
        await begun.wait()
        step(by)
        # Two beats with nothing between: only a clock could have let anything end.
        assert worker._leases.beat(all=True) == 1
        await worker.presence.beat()
        assert [one.id for one in await app.fleet.workers()] == [worker.presence.id]
        assert await app.client.queue("tasks").receive() == []
        assert (await once.send()).id == handle.id
        assert worker.is_alive
        go_on.set()
        assert await handle.result(timeout=20) == 2
        step(0)
        assert worker.is_alive
    assert len(runs) == 2
    assert (await app.client.queue("tasks-dead").stats()).messages == 0


@pytest.mark.parametrize("by", STEPS)
async def test_the_load_is_measured_by_the_clock_of_redis(app, step, by):
    @app.handler("orders")
    async def on_order(body: str) -> None: ...

    await app.make_queues()
    queue = app.client.queue("orders")
    await queue.send("x")
    gauge = Gauge(app.client, app.name, ["orders"])
    await gauge.look()
    step(by)
    load = await gauge.look()
    assert 0 <= load.oldest_age < 60
    (message,) = await queue.receive()
    await message.delete()
    assert (await gauge.look()).done_per_second > 1 / 60
