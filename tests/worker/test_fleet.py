"""The registry of live workers, and the commands that reach them through Redis."""

from __future__ import annotations

import asyncio

import pytest

from rmq.errors import WorkerDoesNotExist
from rmq.worker.fleet import ALIVE_MS, Fleet, QueueWork
from rmq.worker.presence import Presence
from tests.colours import until


class Workers:
    """Makes presences that note what they are told."""

    def __init__(self, client):
        self.client = client
        self.told = []
        self.work = {"orders": QueueWork(capacity=10, running=2, buffered=1, polled_ms=1_000)}

    def make(self):
        return Presence(
            self.client,
            "app",
            look=lambda: self.work,
            obey=lambda word, rest: self.told.append((word, rest)),
        )


@pytest.fixture
def workers(client):
    return Workers(client)


@pytest.fixture
def fleet(client):
    return Fleet(client)


async def test_a_worker_is_listed_with_what_it_has_in_hand(client, clock, workers, fleet):
    assert await fleet.workers() == []
    one = workers.make()
    await one.beat()
    (found,) = await fleet.workers()
    assert found.id == one.id
    assert found.id.startswith(f"{found.host}:{found.pid}:")
    assert found.queues == workers.work
    assert found.in_hand == 3
    assert found.state == "running"
    assert found.beat_at == clock.now()
    assert found.polled_at.timestamp() == 1


async def test_a_worker_that_is_silent_is_dead_and_forgotten(client, clock, workers, fleet, raw):
    dead, alive = workers.make(), workers.make()
    await dead.beat()
    clock.move(ALIVE_MS / 1000 - 1)
    await alive.beat()
    assert len(await fleet.workers()) == 2
    clock.move(1)
    assert [one.id for one in await fleet.workers()] == [alive.id]
    await alive.beat()
    assert raw.hkeys(fleet.keys.worker_info) == [alive.id.encode()]


async def test_a_worker_that_ends_signs_off(client, workers, fleet, raw):
    one = workers.make()
    await one.beat()
    await fleet.stop(one.id)
    await one.sign_off()
    assert await fleet.workers() == []
    left = {key for key in raw.scan_iter(match=f"{client.namespace}:*")}
    assert left == {fleet.keys.commands.encode()}


async def test_commands_are_obeyed_in_order_and_once(client, workers, fleet):
    one = workers.make()
    await one.beat()
    await fleet.tell(one.id, "cancel 7")
    await fleet.drain(one.id)
    await one.beat()
    await one.beat()
    assert workers.told == [("cancel", "7"), ("drain", "")]


async def test_a_command_whose_answer_got_lost_is_heard_with_the_next_beat(client, workers, fleet):
    one = workers.make()
    await one.beat()
    await fleet.stop(one.id)
    call = client._executor.call

    async def lost(asked):
        await call(asked)
        raise ConnectionError

    client._executor.call = lost
    with pytest.raises(ConnectionError):
        await one.beat()
    client._executor.call = call
    assert workers.told == []
    await one.beat()
    assert workers.told == [("stop", "")]


async def test_a_command_for_the_dead_is_refused(client, clock, workers, fleet):
    one = workers.make()
    await one.beat()
    clock.move(ALIVE_MS / 1000)
    with pytest.raises(WorkerDoesNotExist, match=one.id):
        await fleet.stop(one.id)


async def test_a_running_worker_wakes_for_a_command_and_for_a_pause(client, clock, workers, fleet):
    one = workers.make()
    stopping = asyncio.Event()
    running = asyncio.create_task(one.run(stopping))
    await until(fleet.workers)
    await fleet.stop(one.id)
    await until(lambda: workers.told == [("stop", "")])
    assert await fleet.pause("orders")
    assert not await fleet.pause("orders")
    await until(lambda: one.paused == {"orders"})
    assert await fleet.paused() == {"orders": clock.now()}
    assert await fleet.resume("orders")
    await until(lambda: not one.paused)
    stopping.set()
    await running
    assert await fleet.workers() == []


async def test_apps_do_not_see_each_other(client, workers, fleet):
    await workers.make().beat()
    assert await Fleet(client, "other").workers() == []
