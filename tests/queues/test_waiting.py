"""Waiting: a long poll sleeps until there is a message, and not a moment longer."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from rmq.core.clock import Clock
from rmq.errors import QueueDoesNotExist
from rmq.testing import HeldClock
from tests.colours import PATIENCE, Sleepers, until
from tests.conftest import on_one_server


@pytest.fixture
def sleepers(client):
    return Sleepers(client)


@pytest.fixture
async def waiting(queue, sleepers):
    """A receive that already sleeps."""
    task = asyncio.create_task(queue.receive(wait=20))
    await sleepers.reach(1)
    return task


def bodies(messages):
    return [one.body for one in messages]


async def test_a_waiting_receive_wakes_on_a_send(queue, waiting):
    await queue.send(b"hello")
    assert bodies(await waiting) == [b"hello"]


async def test_a_waiting_receive_wakes_on_a_send_of_another_client(waiting, connect):
    await connect().queue("orders").send(b"hello")
    assert bodies(await waiting) == [b"hello"]


async def test_a_waiting_receive_is_empty_at_its_deadline(waiting, clock):
    clock.move(20)
    assert await waiting == []


async def test_a_waiting_receive_ends_in_real_time_under_a_clock_that_nobody_moves(queue):
    assert await asyncio.wait_for(queue.receive(wait=0.2), 10) == []


async def test_a_waiting_receive_is_not_prolonged_by_a_clock_that_is_set_back(
    queue, clock, sleepers
):
    task = asyncio.create_task(queue.receive(wait=1))
    await sleepers.reach(1)
    clock.freeze(clock.now() - timedelta(days=1))
    assert await asyncio.wait_for(task, 10) == []


async def test_a_waiting_receive_under_a_running_clock_ends_when_that_is_moved(
    queue, clock, sleepers
):
    clock.release()
    task = asyncio.create_task(queue.receive(wait=20))
    await sleepers.reach(1)
    clock.move(20)
    assert await asyncio.wait_for(task, 10) == []


async def test_a_lease_under_a_running_clock_ends_in_real_time_or_when_that_is_moved(queue, clock):
    clock.release()
    await queue.send(b"hello")
    await queue.receive(visibility_timeout=0.2)
    assert (await queue.receive(wait=20, visibility_timeout=60))[0].receive_count == 2
    clock.move(60)
    assert (await queue.receive())[0].receive_count == 3


async def test_nothing_is_kept_of_a_wait_that_is_over(backend, client, queue):
    if backend.colour == "sync":
        pytest.skip("a thread keeps nothing")
    await asyncio.gather(*(queue.receive(wait=0.05) for _ in range(3)))
    await until(lambda: not client._executor._lines)


async def test_a_waiting_receive_returns_at_once_when_there_is_a_message(queue):
    await queue.send(b"hello")
    assert bodies(await queue.receive(10, wait=20)) == [b"hello"]


async def test_a_waiting_receive_does_not_wait_to_be_full(queue, sleepers):
    task = asyncio.create_task(queue.receive(10, wait=20))
    await sleepers.reach(1)
    await queue.send(b"one of ten")
    assert bodies(await task) == [b"one of ten"]


async def test_a_waiting_receive_wakes_when_a_lease_ends(queue, clock, sleepers):
    await queue.send(b"hello")
    await queue.receive(visibility_timeout=10)
    task = asyncio.create_task(queue.receive(wait=20))
    await sleepers.reach(1)

    clock.move(10)

    assert (await task)[0].receive_count == 2


async def test_a_waiting_receive_wakes_when_a_delay_ends(queue, clock, sleepers):
    await queue.send(b"hello", delay=10)
    task = asyncio.create_task(queue.receive(wait=20))
    await sleepers.reach(1)

    clock.move(10)

    assert bodies(await task) == [b"hello"]


async def test_a_delayed_send_to_a_waiting_receive_arrives_when_its_delay_ends(
    queue, clock, sleepers, waiting
):
    await queue.send(b"hello", delay=10)
    await sleepers.naps_reach(2)
    clock.move(9)
    assert not waiting.done()
    clock.move(1)
    assert bodies(await waiting) == [b"hello"]


async def test_a_waiting_receive_wakes_when_a_message_is_given_back(queue, sleepers):
    await queue.send(b"hello")
    held = (await queue.receive())[0]
    task = asyncio.create_task(queue.receive(wait=20))
    await sleepers.reach(1)

    await held.change_visibility(0)

    assert (await task)[0].receive_count == 2


async def test_a_waiting_receive_wakes_when_a_lease_that_was_shortened_ends(queue, clock, sleepers):
    await queue.send(b"hello")
    held = (await queue.receive())[0]
    task = asyncio.create_task(queue.receive(wait=20))
    await sleepers.reach(1)

    await held.change_visibility(5)
    await sleepers.naps_reach(2)
    clock.move(5)

    assert (await task)[0].receive_count == 2


async def test_a_waiting_receive_finds_what_another_received_meanwhile_and_lost(
    queue, clock, sleepers
):
    """The other took it with a lease of its own, shorter than the queue's, and died."""
    tasks = [
        asyncio.create_task(queue.receive(wait=20, visibility_timeout=2)),
        asyncio.create_task(queue.receive(wait=20, visibility_timeout=2)),
    ]
    await sleepers.reach(2)
    await queue.send(b"hello")
    await until(lambda: any(task.done() for task in tasks))

    # In small steps: whoever looks again may do so before or after any of them. Ten seconds in
    # all, so that nobody comes to the end of its wait.
    for _ in range(20):
        clock.move(0.5)
        await asyncio.wait(tasks, timeout=0.02)

    # Its lease is over by now, and was before anybody's wait is.
    got = await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE)
    assert sorted(one.receive_count for batch in got for one in batch) == [1, 2]


async def test_one_message_goes_to_one_of_several_that_wait(queue, clock, sleepers):
    tasks = [asyncio.create_task(queue.receive(wait=20)) for _ in range(10)]
    await sleepers.reach(10)

    await queue.send(b"hello")
    await sleepers.reach(9)
    clock.move(20)

    got = [bodies(batch) for batch in await asyncio.gather(*tasks)]
    assert sorted(got) == [[]] * 9 + [[b"hello"]]


async def test_ten_messages_wake_ten_that_wait(queue, sleepers):
    tasks = [asyncio.create_task(queue.receive(wait=20)) for _ in range(10)]
    await sleepers.reach(10)

    await queue.send_many([b"%d" % i for i in range(10)])

    got = [bodies(batch) for batch in await asyncio.gather(*tasks)]
    assert sorted(got) == [[b"%d" % i] for i in range(10)]


async def test_the_queues_own_wait_holds_where_none_is_given(client, clock, sleepers):
    queue = await client.create_queue("patient", receive_message_wait_time=5)
    task = asyncio.create_task(queue.receive())
    await sleepers.reach(1)
    clock.move(5)
    assert await task == []

    assert await queue.receive(wait=0) == []
    assert sleepers.naps == 1


async def test_a_waiting_fifo_receive_wakes_on_a_send(fifo, sleepers):
    task = asyncio.create_task(fifo.receive(wait=20))
    await sleepers.reach(1)
    await fifo.send(b"hello", message_group_id="g")
    assert bodies(await task) == [b"hello"]


async def test_a_waiting_fifo_receive_wakes_when_its_group_is_freed(fifo, sleepers):
    for body in (b"1", b"2"):
        await fifo.send(body, message_group_id="g")
    held = (await fifo.receive())[0]
    task = asyncio.create_task(fifo.receive(wait=20))
    await sleepers.reach(1)

    await held.delete()

    assert bodies(await task) == [b"2"]


async def test_a_waiting_fifo_receive_wakes_when_a_lease_ends(fifo, clock, sleepers):
    await fifo.send(b"1", message_group_id="g")
    await fifo.receive(visibility_timeout=10)
    task = asyncio.create_task(fifo.receive(wait=20))
    await sleepers.reach(1)

    clock.move(10)

    assert bodies(await task) == [b"1"]


async def test_a_waiting_fifo_receive_wakes_when_the_delay_of_the_queue_ends(client, clock):
    fifo = await client.create_queue("slow.fifo", content_based_deduplication=True, delay=10)
    sleepers = Sleepers(client)
    await fifo.send(b"1", message_group_id="g")
    task = asyncio.create_task(fifo.receive(wait=20))
    await sleepers.reach(1)

    clock.move(10)

    assert bodies(await task) == [b"1"]


async def test_a_waiting_receive_sees_that_its_queue_was_deleted(queue, waiting, clock):
    await queue.delete_queue()
    clock.move(20)
    with pytest.raises(QueueDoesNotExist):
        await waiting


async def test_a_waiting_receive_sees_a_dead_letter_arrive(client, clock):
    dead = await client.create_queue("dead")
    queue = await client.create_queue(
        "orders", redrive_policy={"dead_letter_queue": "dead", "max_receive_count": 1}
    )
    await queue.send(b"poison")
    await queue.receive(visibility_timeout=0)
    sleepers = Sleepers(client)
    task = asyncio.create_task(dead.receive(wait=20))
    await sleepers.reach(1)

    assert await queue.receive() == []

    assert bodies(await task) == [b"poison"]


async def test_a_cancelled_receive_takes_no_message_with_it(backend, queue, sleepers):
    if backend.colour != "async":
        pytest.skip("a thread can not be cancelled")
    tasks = [asyncio.create_task(queue.receive(wait=20)) for _ in range(3)]
    await sleepers.reach(3)
    for task in tasks[:2]:
        task.cancel()
    await asyncio.wait(tasks[:2])

    await queue.send(b"hello")

    assert bodies(await tasks[2]) == [b"hello"]


# --- on a server that can be asked what it did --------------------------------------------------


def _calls(raw):
    found = raw.info("commandstats")
    return {name.removeprefix("cmdstat_"): one["calls"] for name, one in found.items()}


class TestInRealTime:
    @pytest.fixture
    def clock(self):
        return Clock()

    @pytest.fixture
    async def connect(self, backend, namespace):
        made = []

        def connect(target=None, **options):
            made.append(backend.connect(target, namespace=namespace, **options))
            return made[-1]

        yield connect
        for client in made:
            await client.close()

    @on_one_server
    async def test_a_consumer_that_waits_sends_nothing_but_its_block(self, queue, sleepers, raw):
        task = asyncio.create_task(queue.receive(wait=20))
        await sleepers.reach(1)
        await until(lambda: raw.info("clients")["blocked_clients"] == 1)
        before = _calls(raw)
        # Long enough for a poll of 10 a second to show.
        await asyncio.sleep(0.3)
        after = _calls(raw)
        await queue.send(b"end")
        await task

        before["info"] = after["info"] = 0
        assert after == before

    @on_one_server
    async def test_one_message_wakes_exactly_one_of_twenty_that_wait(self, queue, sleepers, raw):
        await queue.send(b"warm up")
        await queue.delete_many(await queue.receive())
        tasks = [asyncio.create_task(queue.receive(wait=20)) for _ in range(20)]
        await sleepers.reach(20)
        before, naps = _calls(raw), sleepers.naps

        await queue.send(b"hello")
        await until(lambda: any(task.done() for task in tasks))
        await asyncio.sleep(0.1)
        after = _calls(raw)

        assert (sleepers.count, sleepers.naps) == (19, naps)
        assert after["evalsha"] - before["evalsha"] == 2  # the send and one receive
        for _ in range(19):
            await queue.send(b"end")
        assert [len(batch) for batch in await asyncio.gather(*tasks)] == [1] * 20

    @on_one_server
    async def test_a_lease_ends_by_the_clock_of_the_server(self, queue):
        await queue.send(b"hello")
        await queue.receive(visibility_timeout=0.2)
        assert (await queue.receive(wait=5))[0].receive_count == 2


def test_a_held_clock_does_not_go_backwards():
    with pytest.raises(ValueError, match="backwards"):
        HeldClock().move(-1)
