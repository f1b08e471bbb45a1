"""Cancelling a receive: what Redis had already handed out is not lost until its lease ends."""

from __future__ import annotations

import asyncio
import gc
import random

import pytest

from rmq.core.script import load
from rmq.errors import ConnectionLost, QueueDoesNotExist
from tests.colours import Sleepers, until

pytestmark = pytest.mark.parametrize(
    "backend", ["async-memory", "async-valkey", "async-cluster", "async-redis"], indirect=True
)
"""A thread can not be cancelled."""


class Held:
    """The answers to one client's receives, held up on their way."""

    def __init__(self, client) -> None:
        self.arrived = asyncio.Event()
        """Redis has done it; the client does not know yet."""
        self.let_go = asyncio.Event()
        self.calls: list[str] = []
        """The scripts that were called."""
        self.error: type[Exception] | None = None
        executor = client._executor
        scripts = {
            one: load(one) for one in ("queues/receive", "queues/receive_fifo", "queues/send")
        }
        scripts["queues/change_visibility"] = load("queues/change_visibility")
        names = {sha: name for name, one in scripts.items() for sha in (one.sha, one.bare_sha)}
        names |= {text: name for name, one in scripts.items() for text in (one.source, one.bare)}
        once = executor._once

        async def held(args):
            name = names.get(args[1], "")
            reply = await once(args)
            self.calls.append(name)
            if name.startswith("queues/receive"):
                self.arrived.set()
                await self.let_go.wait()
                if self.error is not None:
                    raise self.error("gone")
            return reply

        executor._once = held


@pytest.fixture
def held(client, queue):
    return Held(client)


@pytest.fixture
def other(connect, queue):
    """The same queue, in another client."""
    return connect().queue("orders")


@pytest.fixture
async def noise():
    """What the event loop complains of."""
    found = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: found.append(context))
    return found


def bodies(messages):
    return [one.body for one in messages]


async def cancelled(task):
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("wait", [0, 20])
async def test_a_receive_cancelled_in_its_call_gives_back_what_it_took(queue, other, held, wait):
    await other.send_many([b"a", b"b"])
    task = asyncio.create_task(queue.receive(10, wait=wait))
    await held.arrived.wait()

    await cancelled(task)

    assert (await other.stats()).in_flight == 2
    held.let_go.set()
    found = await other.receive(10, wait=20)
    assert bodies(found) == [b"a", b"b"]
    assert [one.receive_count for one in found] == [2, 2]


async def test_what_is_given_back_wakes_another_consumer(queue, other, held, connect):
    client = connect()
    sleepers = Sleepers(client)
    await other.send(b"hello")
    task = asyncio.create_task(queue.receive(wait=20))
    await held.arrived.wait()
    waiting = asyncio.create_task(client.queue("orders").receive(wait=20))
    await sleepers.reach(1)

    await cancelled(task)
    held.let_go.set()

    assert bodies(await waiting) == [b"hello"]


async def test_a_group_is_given_back_whole_and_in_order(client, connect):
    fifo = await client.create_queue("orders.fifo", content_based_deduplication=True)
    for body in (b"1", b"2", b"3"):
        await fifo.send(body, message_group_id="g")
    held = Held(client)
    task = asyncio.create_task(fifo.receive(2, wait=20))
    await held.arrived.wait()

    await cancelled(task)
    held.let_go.set()

    assert bodies(await connect().queue("orders.fifo").receive(10, wait=20)) == [b"1", b"2", b"3"]


async def test_a_receive_that_runs_out_of_time_gives_back_what_it_took(queue, other, held):
    await other.send(b"hello")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await queue.receive(wait=20)
    held.let_go.set()
    assert bodies(await other.receive(wait=20)) == [b"hello"]


async def test_a_cancelled_receive_that_took_nothing_gives_back_nothing(client, queue):
    await queue.receive()
    held = Held(client)
    task = asyncio.create_task(queue.receive(wait=20))
    await held.arrived.wait()
    await cancelled(task)
    held.let_go.set()
    await until(lambda: not client._executor.returning)
    assert held.calls == ["queues/receive"]


async def test_a_receive_cancelled_asleep_ends_and_calls_nothing_more(client, queue):
    await queue.receive()
    held = Held(client)
    held.let_go.set()
    sleepers = Sleepers(client)
    task = asyncio.create_task(queue.receive(wait=20))
    await sleepers.reach(1)
    await cancelled(task)
    await sleepers.reach(0)
    await until(lambda: not client._executor.returning)
    assert held.calls == ["queues/receive"]


@pytest.mark.parametrize("error", [ConnectionLost, QueueDoesNotExist])
async def test_an_error_that_nobody_waits_for_makes_no_noise(client, queue, held, noise, error):
    held.error = error
    task = asyncio.create_task(queue.receive(wait=20))
    await held.arrived.wait()
    await cancelled(task)
    held.let_go.set()
    await until(lambda: not client._executor.returning)
    del task
    gc.collect()
    assert noise == []


async def test_a_client_that_is_closed_first_gives_back_what_cancelled_receives_took(
    client, queue, other, held
):
    await other.send(b"hello")
    task = asyncio.create_task(queue.receive(wait=20))
    await held.arrived.wait()
    await cancelled(task)
    asyncio.get_running_loop().call_later(0.05, held.let_go.set)

    await client.close()

    assert bodies(await other.receive()) == [b"hello"]


async def test_a_cancelled_receive_begins_no_other_call(client, connect):
    """This one found that a sweep is due, and leaves it to others."""
    queue = await client.create_queue("fresh")
    await connect().queue("fresh").set_attributes(delay=0)
    held = Held(client)
    task = asyncio.create_task(queue.receive())
    await held.arrived.wait()
    await cancelled(task)
    held.let_go.set()
    await until(lambda: not client._executor.returning)
    assert held.calls[-1] == "queues/receive"


async def test_what_a_cancelled_receive_sent_away_arrives(client, queue, connect, clock):
    """Its dead letters are in the outbox; the next sweep carries them on."""
    dead = await client.create_queue("dead")
    await queue.set_attributes(redrive_policy={"dead_letter_queue": "dead", "max_receive_count": 1})
    await queue.send_many([b"poison", b"good"])
    await queue.receive(visibility_timeout=0)
    held = Held(client)
    task = asyncio.create_task(queue.receive(10, wait=20))
    await held.arrived.wait()
    await cancelled(task)
    held.let_go.set()
    await until(lambda: not client._executor.returning)

    clock.move(60)
    other = connect().queue("orders")
    await other.sweep()

    assert bodies(await dead.receive(10)) == [b"poison"]
    assert bodies(await other.receive(10)) == []


# --- driven by hand: a server may have a scheduler of its own, and no asyncio.Task --------------


class Driver:
    """What an HTTP server does with a handler: sends into it when what it waits for is done."""

    def __init__(self, coroutine) -> None:
        self.coroutine = coroutine
        self.ended = asyncio.Event()
        self.result = None
        self.awaited = None
        self.by_hand = False
        self._step()

    def _step(self, awaited=None) -> None:
        if self.by_hand:
            return
        try:
            self.awaited = self.coroutine.send(None)
        except StopIteration as end:
            self.result = end.value
            self.ended.set()
        else:
            self.awaited._asyncio_future_blocking = False
            self.awaited.add_done_callback(self._step)


def start(coroutine):
    """Drive from a callback of the loop, so that there is no current task."""
    made = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(lambda: made.set_result(Driver(coroutine)))
    return made


@pytest.mark.parametrize("wait", [0, 20])
async def test_a_receive_needs_no_task_of_its_caller(queue, other, wait):
    await other.send(b"hello")
    driver = await start(queue.receive(wait=wait))
    await driver.ended.wait()
    assert bodies(driver.result) == [b"hello"]


@pytest.mark.parametrize("how", ["cancelled", "thrown away"])
async def test_a_receive_without_a_task_gives_back_what_it_took(queue, other, held, how):
    await other.send(b"hello")
    driver = await start(queue.receive(wait=20))
    await held.arrived.wait()

    if how == "cancelled":
        with pytest.raises(asyncio.CancelledError):
            driver.coroutine.throw(asyncio.CancelledError())
    else:
        driver.coroutine.close()
    driver.by_hand = True
    held.let_go.set()

    assert bodies(await other.receive(wait=20)) == [b"hello"]


@pytest.mark.parametrize("how", ["cancelled", "thrown away"])
async def test_an_answer_that_came_with_the_cancelling_is_given_back(queue, other, how):
    """It was there, but nobody had picked it up."""
    await other.send(b"hello")
    driver = await start(queue.receive())
    driver.by_hand = True
    await until(driver.awaited.done)

    if how == "cancelled":
        with pytest.raises(asyncio.CancelledError):
            driver.coroutine.throw(asyncio.CancelledError())
    else:
        driver.coroutine.close()

    assert bodies(await other.receive(wait=20)) == [b"hello"]


async def test_whenever_receives_are_cancelled_no_message_stays_with_them(client, queue, other):
    """Cut at any moment: what is in flight in the end is what somebody really got."""
    chance = random.Random(7)
    await other.send_many([b"%d" % i for i in range(100)])
    got = []
    for _ in range(150):
        task = asyncio.create_task(queue.receive(2, wait=chance.choice([0, 5])))
        for _ in range(chance.randrange(12)):
            await asyncio.sleep(0)
        await asyncio.sleep(chance.choice([0, 0, 0.0005, 0.001]))
        task.cancel()
        try:
            got += await task
        except asyncio.CancelledError:
            continue
    await until(lambda: not client._executor.returning)
    assert (await other.stats()).in_flight == len({one.id for one in got}) == len(got)
