"""By the server's own clock, what nobody misses expires by itself; nothing else does."""

from __future__ import annotations

import asyncio
import time

import pytest

from rmq.core.clock import Clock
from rmq.worker import App
from rmq.worker.app import LIMITS
from rmq.worker.fleet import Fleet
from rmq.worker.limits import ConcurrencyLimit, RateLimit
from rmq.worker.scheduler import Scheduler
from rmq.worker.worker import Worker


@pytest.fixture
def client(connect):
    return connect(clock=Clock(), limits=LIMITS)


def ttls(raw, client):
    """ms until each key expires, by its last part; -1 for never."""
    found = {}
    for key in raw.scan_iter(match=f"{client.namespace}:*"):
        found[key.decode().rpartition("}:")[2]] = raw.pttl(key)
    return found


async def test_a_bucket_expires_when_it_is_full_and_places_when_their_leases_have_ended(
    client, raw
):
    began = time.monotonic()
    await RateLimit(client, "api", "10/h").take(5)
    limit = ConcurrencyLimit(client, "db", 2, lease=600)
    await limit.hold("a")
    left = ttls(raw, client)
    passed = (time.monotonic() - began) * 1000 + 2
    assert 1_800_000 - passed < left["bucket"] <= 1_801_000
    assert 601_000 - passed < left["held"] <= 601_000
    assert 601_000 - passed < left["wake"] <= 601_000
    await limit.hold("a", "b")
    await limit.release("a", "b")
    assert "held" not in ttls(raw, client)
    assert (await RateLimit(client, "api", "10/h").take(6)).count == 0


async def test_results_expire_and_schedules_do_not(client, raw):
    app = App(client=client)

    @app.task(result_ttl=60, unique="done")
    async def double(value: int) -> int:
        return 2 * value

    @app.task()
    async def total(values: list[int]) -> None: ...

    app.schedule("every 1h", name="hourly")(double.with_(1))
    await app.make_queues()
    worker = Worker(app)
    await worker.start()
    handle = await double.send(21)
    waiting = asyncio.create_task(handle.result(timeout=20))
    group = await app.group(double.with_(1), double.with_(2), then=total.with_())
    assert await waiting == 42
    assert await group.wait(timeout=20) == [2, 4]
    await app.schedules.trigger("hourly")
    (seen,) = await Fleet(client, "app").workers()
    assert seen.id == worker.presence.id
    left = ttls(raw, client)
    worker.stop()
    await worker.close()
    assert 0 < left["ended"] <= 86_400_000
    assert 0 < left["members"] <= 86_400_000
    never = {"schedules", "schedule_due", "schedule_index", "schedule_state", "workers", "paused"}
    assert {name: ms for name, ms in left.items() if name in never and ms != -1} == {}
    for key in raw.scan_iter(match=f"{client.namespace}:{{r:{handle.id}}}:*"):
        assert 0 < raw.pttl(key) <= 60_000
    assert (await Scheduler(client).tick()).fence  # the worker gave its lease back
