"""Queues on streams: each record is done by one consumer, at least once, and the stream goes on."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from rmq.core.keys import StreamKeys
from rmq.core.limits import Limits
from rmq.errors import (
    ConnectionLost,
    InvalidReceipt,
    LimitExceeded,
    MessageNotInFlight,
    RmqError,
    StaleReceipt,
    StreamDoesNotExist,
    StreamInUse,
    StreamQueueDoesNotExist,
    StreamQueueExists,
)
from rmq.outlets import feed
from rmq.outlets.queues import StreamQueues, stream_queues
from rmq.streams import commands
from rmq.streams.record import Record
from tests.colours import until


async def put(stream: Any, count: int, first: int = 0) -> list[bytes]:
    sent = [b"%d" % number for number in range(first, first + count)]
    result = await stream.put_many([Record(one, one.decode()) for one in sent])
    result.raise_for_failures()
    return sent


async def drained(queues: StreamQueues, queue: str, **options: Any) -> list[bytes]:
    """Receive and acknowledge until nothing comes."""
    found = []
    while records := await queues.receive(queue, wait_s=0, **options):
        found += [one.data for one in records]
        results = await queues.acknowledge(queue, [one.receipt_handle for one in records])
        assert results == [True] * len(records)
    return found


async def receive(queues: StreamQueues, queue: str, **options: Any) -> list[Any]:
    return await queues.receive(queue, **{"wait_s": 0} | options)


async def test_every_record_of_every_shard_comes_once(queues, queue, stream):
    sent = await put(stream, 1_000)

    assert sorted(await drained(queues, queue)) == sorted(sent)


@pytest.mark.parametrize("start", ["TRIM_HORIZON", "LATEST"])
async def test_records_come_from_shards_that_were_split_and_merged(queues, client, start):
    stream = await client.create_stream("resharded", 2)
    queue = (await queues.create(start, stream, start=start)).id
    sent = await put(stream, 50)
    assert len(await receive(queues, queue, limit=5)) == 5
    await stream.split("shardId-000000000000")
    sent += await put(stream, 50, first=100)
    await stream.merge("shardId-000000000001", "shardId-000000000003")
    sent += await put(stream, 50, first=200)

    assert len(await drained(queues, queue)) == len(sent) - 5


async def test_a_feed_goes_on_after_trouble(queues, queue, stream, monkeypatch):
    """Who waits does not wait in vain."""
    claim, failed = feed.Feed._claim, []

    def fails_once(self: feed.Feed) -> Any:
        if not failed:
            failed.append(1)
            raise ConnectionLost("for a moment")
        return claim(self)

    monkeypatch.setattr(feed.Feed, "_claim", fails_once)
    monkeypatch.setattr(feed, "BUSY_S", 0.01)
    waiting = asyncio.create_task(queues.receive(queue, wait_s=20))
    await until(lambda: failed)
    await put(stream, 1)
    async with asyncio.timeout(15):
        assert len(await waiting) == 1


async def test_a_record_says_where_it_comes_from(queues, queue, stream, clock):
    put = await stream.put(b"\x00\xff", "käy")
    arrived = clock.now()
    clock.move(5)

    (one,) = await receive(queues, queue)

    assert (one.data, one.partition_key, one.receive_count) == (b"\x00\xff", "käy", 1)
    assert (one.arrived_at, one.first_received_at) == (arrived, clock.now())
    assert one.record_id == put.sequence_number


async def test_a_record_that_is_not_acknowledged_comes_again(queues, queue, stream, clock):
    await put(stream, 1)
    (first,) = await receive(queues, queue)
    assert await receive(queues, queue) == []

    clock.move(30)
    (again,) = await receive(queues, queue, visibility_timeout_s=5)
    assert (again.record_id, again.receive_count) == (first.record_id, 2)
    assert again.first_received_at == first.first_received_at
    assert again.receipt_handle != first.receipt_handle

    clock.move(5)
    assert len(await receive(queues, queue)) == 1


async def test_queues_on_one_stream_know_nothing_of_each_other(queues, queue, stream):
    other = (await queues.create("other", stream, start="TRIM_HORIZON")).id
    sent = await put(stream, 30)

    assert sorted(await drained(queues, queue)) == sorted(sent)
    assert sorted(await drained(queues, other)) == sorted(sent)
    (one,) = (await stream.read("shardId-000000000000", 0, 1)).records
    assert one.data in sent  # acknowledging does not touch the stream


@pytest.mark.parametrize("kind", ["LATEST", "AT_TIMESTAMP"])
async def test_a_queue_may_begin_later(queues, stream, clock, kind):
    await put(stream, 20)
    clock.move(10)
    at = clock.now() if kind == "AT_TIMESTAMP" else None
    queue = (await queues.create("late", stream, start=kind, timestamp=at)).id

    sent = await put(stream, 20, first=100)

    assert sorted(await drained(queues, queue)) == sorted(sent)


async def test_who_waits_gets_a_record_as_it_is_put(queues, queue, stream):
    waiting = asyncio.create_task(queues.receive(queue, wait_s=20))
    await asyncio.sleep(0)
    await put(stream, 1)

    async with asyncio.timeout(15):
        (one,) = await waiting
    assert one.data == b"0"


async def test_records_that_the_stream_has_lost_do_not_come(queues, queue, stream, clock):
    await put(stream, 3)
    (kept, *_) = await receive(queues, queue, limit=1)
    clock.move(timedelta(hours=24, seconds=-20))
    sent = await put(stream, 1, first=9)
    clock.move(30)

    assert await drained(queues, queue) == sent
    assert await queues.acknowledge(queue, [kept.receipt_handle]) == [False]


async def test_a_stream_that_keeps_records_longer_keeps_those_of_its_queues(
    queues, queue, stream, clock
):
    await put(stream, 1)
    (one,) = await receive(queues, queue)
    await stream.increase_retention(72)
    clock.move(30)
    await receive(queues, queue)
    clock.move(timedelta(hours=71))

    (again,) = await receive(queues, queue)

    assert (again.record_id, again.receive_count) == (one.record_id, 3)


async def test_a_new_timeout_counts_from_now(queues, queue, stream, clock):
    await put(stream, 1)
    (one,) = await receive(queues, queue)
    await queues.change_visibility(queue, [(one.receipt_handle, 100)])
    clock.move(99)
    assert await receive(queues, queue) == []
    clock.move(1)
    (one,) = await receive(queues, queue)
    await queues.change_visibility(queue, [(one.receipt_handle, 0)])
    assert len(await receive(queues, queue)) == 1


# --- dead letters --------------------------------------------------------------------------------


@pytest.fixture
async def strict(queues: StreamQueues, stream: Any) -> str:
    """The id of a queue whose records are dead letters after two receives."""
    return (await queues.create("strict", stream, start="TRIM_HORIZON", max_receives=2)).id


async def dead(queues: StreamQueues, queue: str, **options: Any) -> list[Any]:
    return await queues.receive_dead_letters(queue, **{"wait_s": 0} | options)


async def fail_twice(queues: StreamQueues, queue: str, clock: Any) -> Any:
    for _ in range(2):
        (one,) = await receive(queues, queue)
        clock.move(30)
    return one


async def test_a_record_received_too_often_is_a_dead_letter(queues, strict, stream, clock):
    """Also when nobody has received since."""
    await put(stream, 1)
    (first,) = await receive(queues, strict)
    assert await dead(queues, strict) == []
    clock.move(30)
    assert await dead(queues, strict) == []
    await receive(queues, strict)
    assert await dead(queues, strict) == []  # its last try is still on
    clock.move(30)

    (one,) = await dead(queues, strict)

    assert (one.record_id, one.data, one.partition_key) == (first.record_id, b"0", "0")
    assert one.arrived_at == first.arrived_at
    assert await receive(queues, strict) == []
    assert await dead(queues, strict) == []  # it is in flight there
    clock.move(30)
    assert len(await dead(queues, strict)) == 1


async def test_a_receive_finds_it_as_well(queues, strict, stream, clock):
    await put(stream, 1)
    await fail_twice(queues, strict, clock)
    assert await receive(queues, strict) == []

    assert len(await dead(queues, strict)) == 1


async def test_an_acknowledged_dead_letter_is_gone(queues, strict, stream, clock):
    await put(stream, 1)
    await fail_twice(queues, strict, clock)
    (one,) = await dead(queues, strict)

    assert await queues.acknowledge(strict, [one.receipt_handle], dead=True) == [True]

    clock.move(60)
    assert await dead(queues, strict) == []
    assert await receive(queues, strict) == []


async def test_a_restored_dead_letter_begins_anew(queues, strict, stream, clock):
    await put(stream, 1)
    last = await fail_twice(queues, strict, clock)
    (one,) = await dead(queues, strict)

    assert await queues.restore(strict, [one.receipt_handle]) == [True]

    (again,) = await receive(queues, strict)
    assert (again.record_id, again.receive_count) == (last.record_id, 1)
    assert again.first_received_at == clock.now()
    clock.move(60)
    assert await dead(queues, strict) == []
    results = await queues.restore(strict, [one.receipt_handle])
    assert isinstance(results[0], RmqError)


async def test_only_what_is_held_is_restored(queues, strict, stream, clock):
    await put(stream, 1)
    await fail_twice(queues, strict, clock)
    (one,) = await dead(queues, strict)
    clock.move(30)
    (late,) = await queues.restore(strict, [one.receipt_handle])
    assert isinstance(late, MessageNotInFlight)
    (again,) = await dead(queues, strict)
    stale, wrong = await queues.restore(strict, [one.receipt_handle, "nonsense"])
    assert isinstance(stale, StaleReceipt)
    assert isinstance(wrong, InvalidReceipt)
    assert await queues.restore(strict, [again.receipt_handle]) == [True]


async def test_dead_letters_may_be_switched_off_and_on(queues, strict, stream, clock):
    await put(stream, 1)
    await queues.change(strict, max_receives=None)
    for _ in range(5):
        assert len(await receive(queues, strict)) == 1
        clock.move(30)
    assert await dead(queues, strict) == []
    await queues.change(strict, max_receives=3)
    assert len(await dead(queues, strict)) == 1


# --- feeding -------------------------------------------------------------------------------------


async def test_many_consumers_of_many_processes_share_the_records(
    queues, queue, stream, connect, backend
):
    """Two clients stand for two processes: neither knows what the other does."""
    if backend.place == "memory":
        pytest.skip("one process")
    other = stream_queues(connect())
    sent = await put(stream, 500)
    taken = await asyncio.gather(
        *(drained(one, queue) for one in (queues, other) for _ in range(4))
    )

    assert Counter(one for some in taken for one in some) == Counter(sent)


async def test_a_feeder_that_dies_is_followed_and_repeats_at_most_what_it_had_not_noted(
    queues, queue, stream, connect, clock, monkeypatch
):
    sent = await put(stream, 10)

    async def die(*_: Any, **__: Any) -> None:
        raise ConnectionLost("the process died")

    with monkeypatch.context() as patch:
        patch.setattr(feed.Feed, "_commit", die)
        with pytest.raises(ConnectionLost):
            await receive(queues, queue)
    other = stream_queues(connect())
    assert len(await receive(other, queue)) == 10
    assert await receive(other, queue) == []  # the dead one's lease is not over
    clock.move(feed.LEASE_MS / 1000)

    again = await drained(other, queue)

    assert sorted(again) == sorted(sent)  # a second time: nobody had noted the first


async def test_who_lost_the_claim_can_not_say_how_far_it_is(queues, queue, stream, connect, clock):
    other = stream_queues(connect())
    slow, quick = queues._feed(await queues.find(queue)), other._feed(await other.find(queue))
    call = queues._executor.call
    assert (await call(slow._claim()))[1] is not None
    assert (await call(quick._claim()))[1] is None  # it is taken
    clock.move(feed.LEASE_MS / 1000)
    assert (await call(quick._claim()))[1] is not None

    assert not await slow._commit({0: "77"})

    assert await quick._commit({0: "5"}, lease_ms=0)
    assert await call(slow._claim()) == (0, {0: "5"})


async def test_what_is_fed_ahead_is_bounded(queues, queue, stream, client):
    """The backlog stays in the stream."""
    await put(stream, 4_000)
    await receive(queues, queue, limit=1)

    stats = await queues._queue(queue).stats()

    assert 0 < stats.visible <= 4 * feed.STEP


async def test_a_stream_that_was_made_anew_is_another_one(queues, queue, stream, client):
    """Here of a queue whose maker died before it was attached."""
    await put(stream, 3)
    attached = StreamKeys(client.namespace, stream.name).queues
    await client._executor.call(commands.detach(attached, stream.name, queue))
    await client.delete_stream(stream.name)
    again = await client.create_stream(stream.name, mode="ON_DEMAND")
    await put(again, 3)

    with pytest.raises(StreamDoesNotExist):
        await receive(queues, queue)


# --- the queues ----------------------------------------------------------------------------------


async def test_a_name_is_taken_once(queues, queue, stream):
    with pytest.raises(StreamQueueExists):
        await queues.create("done-once", stream)


async def test_a_deleted_queue_leaves_nothing(queues, queue, stream, client):
    await put(stream, 3)
    await receive(queues, queue)
    await queues.delete(queue)
    for ask in (
        queues.find(queue),
        queues.receive(queue, wait_s=0),
        queues.receive_dead_letters(queue, wait_s=0),
        queues.acknowledge(queue, ["x"]),
        queues.restore(queue, ["x"]),
        queues.change(queue, visibility_timeout_s=1),
        queues.delete(queue),
    ):
        with pytest.raises(StreamQueueDoesNotExist):
            await ask
    assert (await stream.info()).queue_count == 0
    await client.delete_stream(stream.name)
    await queues.create("done-once", await client.create_stream("clicks", mode="ON_DEMAND"))


async def test_a_wait_for_nothing_ends_in_time(queues, queue, stream, clock):
    waiting = asyncio.create_task(queues.receive(queue, wait_s=20))
    await until(lambda: queues._queue(queue)._executor._lines)
    clock.move(20)

    async with asyncio.timeout(15):
        assert await waiting == []


async def test_a_new_timeout_holds_for_later_receives(queues, queue, stream, clock):
    await put(stream, 1)
    await queues.change(queue, visibility_timeout_s=5)
    assert len(await receive(queues, queue)) == 1
    clock.move(5)
    assert len(await receive(queues, queue)) == 1


async def test_a_client_that_nobody_holds_goes_with_its_queues(connect, backend):
    """The endpoint drops clients of accounts that nobody asks for any more."""
    if backend.place != "memory":
        pytest.skip("the same everywhere")
    client = connect().in_namespace("another")
    assert stream_queues(client) is stream_queues(client)
    gone = weakref.ref(client)
    del client
    gc.collect()
    assert gone() is None


# --- the stream under them ---


async def test_a_stream_is_not_deleted_from_under_its_queues(queues, queue, client, stream):
    """By no door: what a queue has been fed, and who works on it, would lose the stream."""
    await stream.put("0", "a")
    assert len(await receive(queues, queue)) == 1
    assert (await stream.info()).queue_count == 1
    for enforce in (False, True):
        with pytest.raises(StreamInUse, match="it has 1 queues; delete them first"):
            await client.delete_stream(stream.name, enforce_consumer_deletion=enforce)
    await stream.put("1", "a")
    assert len(await drained(queues, queue)) == 1
    await queues.delete(queue)
    assert (await stream.info()).queue_count == 0
    assert await client.delete_stream(stream.name)


async def test_a_stream_stays_on_demand_while_it_has_queues(queues, queue, stream):
    with pytest.raises(StreamInUse, match="it has queues; delete them first"):
        await stream.set_attributes(mode="PROVISIONED")
    await stream.increase_retention(48)
    await queues.delete(queue)
    assert (await stream.set_attributes(mode="PROVISIONED")).attributes.mode == "PROVISIONED"


async def test_a_queue_is_not_made_on_a_stream_that_is_deleted_meanwhile(
    queues, client, stream, monkeypatch
):
    """Nothing is left of it: the name is free again."""
    room = queues.check_room

    async def checked(stream):
        info = await room(stream)
        await client.delete_stream(stream.name)
        return info

    monkeypatch.setattr(queues, "check_room", checked)
    with pytest.raises(StreamDoesNotExist):
        await queues.create("late", stream)
    monkeypatch.undo()
    assert (await queues.page(None, 10)).found == ()
    again = await client.create_stream(stream.name, mode="ON_DEMAND")
    await queues.create("late", again)


async def test_queues_count_as_registered_consumers(connect, clock):
    client = connect(limits=Limits(max_registered_consumers=2))
    stream = await client.create_stream("clicks", mode="ON_DEMAND")
    await stream_queues(client).create("q", stream)
    await stream.register_consumer("a")
    with pytest.raises(LimitExceeded, match="2 registered consumers and queues"):
        await stream.register_consumer("b")
    with pytest.raises(LimitExceeded, match="2 registered consumers and queues"):
        await stream_queues(client).create("r", stream)
