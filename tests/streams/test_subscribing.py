"""Enhanced fan-out: a registered consumer gets a shard's records as they come, event by event."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from rmq import Record
from rmq.errors import (
    ConsumerDoesNotExist,
    InvalidParameter,
    ShardDoesNotExist,
    StreamDoesNotExist,
    StreamInUse,
)
from rmq.streams.sequence import shard_id
from rmq.testing import HeldClock

SHARD = shard_id(0)


@pytest.fixture
async def billing(stream):
    """A consumer that was registered."""
    return await stream.register_consumer("billing")


class Listener:
    """A subscription; its events one by one."""

    def __init__(self, stream, consumer, *args, **options) -> None:
        self._events = stream.subscribe(consumer, *(args or (SHARD, "TRIM_HORIZON")), **options)

    async def next(self):
        return await anext(self._events)

    async def after(self, clock):
        """The next event, where only time brings one."""
        waiting, patience = asyncio.ensure_future(self.next()), 0.01
        while not (await asyncio.wait((waiting,), timeout=patience))[0]:
            clock.move(5)
            # The five minutes of a subscription are not over before a slow machine has looked.
            patience *= 2
        return await waiting

    async def texts(self) -> list[str]:
        return [one.data.decode() for one in (await self.next()).records]

    async def close(self) -> None:
        await self._events.aclose()


async def test_a_consumer_gets_what_is_there_and_what_comes(stream, billing):
    await stream.put_many([Record("a", "key"), Record("b", "key")])
    listener = Listener(stream, "billing")
    assert await listener.texts() == ["a", "b"]
    waiting = asyncio.ensure_future(listener.texts())
    await stream.put("c", "key")
    assert await waiting == ["c"]
    await listener.close()


async def test_two_consumers_do_not_share(stream, billing):
    await stream.register_consumer("audit")
    await stream.put("a", "key")
    for name in ("billing", "audit"):
        listener = Listener(stream, name)
        assert await listener.texts() == ["a"]
        await listener.close()


async def test_without_records_there_is_a_heartbeat_that_moves_on(stream, billing, clock):
    listener = Listener(stream, billing.arn, SHARD, "LATEST")
    numbers = []
    for _ in range(2):
        event = await listener.after(clock)
        assert (event.records, event.millis_behind_latest) == ([], 0)
        numbers.append(event.continuation_sequence_number)
    assert numbers[0] < numbers[1]
    await listener.close()


async def test_a_subscription_is_renewed_where_the_last_one_ended(stream, billing, clock):
    await stream.put("a", "key")
    listener = Listener(stream, "billing")
    assert await listener.texts() == ["a"]
    event = await listener.after(clock)
    clock.move(300)
    with pytest.raises(StopAsyncIteration):
        await listener.next()
    await stream.put("b", "key")
    number = event.continuation_sequence_number
    listener = Listener(stream, "billing", SHARD, "AFTER_SEQUENCE_NUMBER", sequence_number=number)
    assert await listener.texts() == ["b"]
    await listener.close()


async def test_a_record_that_comes_after_a_heartbeat_comes_after_its_number(
    stream, billing, clock, connect
):
    """Also from a server whose clock was set back."""
    listener = Listener(stream, "billing", SHARD, "LATEST")
    event = await listener.after(clock)
    behind = HeldClock(clock.now() - timedelta(seconds=4))
    put = await connect(clock=behind).stream("positions").put("late", "key")
    assert put.sequence_number > event.continuation_sequence_number
    assert await listener.texts() == ["late"]
    await listener.close()


async def test_the_end_of_a_shard_names_its_children_and_ends_the_subscription(stream, billing):
    await stream.put("a", "key")
    listener = Listener(stream, "billing")
    assert await listener.texts() == ["a"]
    waiting = asyncio.ensure_future(listener.next())
    await stream.split(SHARD)
    event = await waiting
    while event.continuation_sequence_number is not None:
        event = await listener.next()
    assert [one.shard_id for one in event.child_shards] == [shard_id(1), shard_id(2)]
    with pytest.raises(StopAsyncIteration):
        await listener.next()


async def test_for_5_seconds_nobody_takes_a_subscription_over(stream, billing, clock):
    first = Listener(stream, "billing")
    await stream.put("a", "key")
    assert await first.texts() == ["a"]
    clock.move(4.9)
    second = Listener(stream, "billing")
    with pytest.raises(StreamInUse):
        await second.next()
    clock.move(0.1)
    third = Listener(stream, "billing")
    assert await third.texts() == ["a"]
    with pytest.raises(StreamInUse, match="another reader"):
        await first.after(clock)
    await stream.put("b", "key")
    texts: list[str] = []
    while not texts:
        texts = await third.texts()
    assert texts == ["b"]
    await third.close()


async def test_a_consumer_reads_several_shards_at_once(wide, client):
    await wide.register_consumer("billing")
    await wide.put_many([Record("x", f"key {n}") for n in range(40)])
    found = 0
    for number in range(4):
        listener = Listener(wide, "billing", shard_id(number), "TRIM_HORIZON")
        found += len(await listener.texts())
        await listener.close()
    assert found == 40


async def test_who_is_not_registered_gets_nothing(stream, billing, clock):
    with pytest.raises(ConsumerDoesNotExist):
        await Listener(stream, "other").next()
    with pytest.raises(ConsumerDoesNotExist):
        await Listener(stream, billing.arn + "1").next()
    with pytest.raises(ShardDoesNotExist):
        await Listener(stream, "billing", shard_id(9)).next()
    with pytest.raises(InvalidParameter):
        await Listener(stream, "billing", SHARD, "NOWHERE").next()


async def test_a_subscription_ends_with_its_consumer(stream, billing, clock):
    await stream.put("a", "key")
    listener = Listener(stream, "billing")
    assert await listener.texts() == ["a"]
    await stream.deregister_consumer("billing")
    with pytest.raises(ConsumerDoesNotExist):
        await listener.after(clock)


async def test_a_subscription_ends_with_its_stream(stream, billing, clock):
    await stream.put("a", "key")
    listener = Listener(stream, "billing")
    assert await listener.texts() == ["a"]
    await stream.delete_stream(enforce_consumer_deletion=True)
    with pytest.raises(StreamDoesNotExist):
        await listener.after(clock)
