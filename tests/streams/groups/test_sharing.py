"""Sharing: several workers have the shards of a stream among them, whatever comes and goes."""

from __future__ import annotations

import asyncio

import pytest

from rmq.core.events import Leased, ShardAlone
from rmq.streams.groups import reading as reading_module
from rmq.streams.groups import worker as worker_module
from rmq.streams.record import Batch
from tests.colours import PATIENCE, in_thread, until
from tests.streams.groups.consuming import Handler, put


@pytest.fixture
async def wide(client):
    return await client.create_stream("wide", 4)


def evenly(*workers, total=4):
    """Whether each has its share of the shards and all together have all."""

    def check():
        shares = [set(one.shards) for one in workers]
        return (
            len(set().union(*shares)) == total == sum(map(len, shares))
            and max(map(len, shares)) - min(map(len, shares)) <= 1
        )

    return check


async def test_who_comes_is_given_its_share_and_who_goes_leaves_it_to_others(client, wide, consume):
    a = await consume(of=wide)
    await until(evenly(a))
    b = await consume(of=wide)
    await until(evenly(a, b))
    await a.__aexit__(None, None, None)
    await until(evenly(b))


async def test_a_hand_over_waits_for_what_is_in_hand_and_loses_and_repeats_nothing(
    client, wide, consume
):
    gate, started, done = asyncio.Event(), [], []

    async def slow(record):
        started.append(record)
        await gate.wait()
        done.append(record.data)

    await put(wide, *(f"k{n}-{n}" for n in range(40)))
    a = await consume(slow, of=wide)
    await until(lambda: len(started) == 4)
    other = Handler()
    b = await consume(other, of=wide)
    await until(lambda: len(a.shards) == 2)
    assert b.shards == []
    gate.set()
    await until(evenly(a, b))
    await until(lambda: len(done) + len(other.records) >= 40)
    assert sorted(done + [one.data for one in other.records]) == sorted(
        f"k{n}-{n}".encode() for n in range(40)
    )


async def test_a_dead_workers_shards_are_read_by_others_from_its_checkpoint(
    client, connect, stream, handler, clock
):
    """It dies with one record noted and another in hand."""
    gone = connect()
    seen = []

    async def handle(record):
        seen.append(record)
        if len(seen) == 2:
            await asyncio.Event().wait()

    await put(stream, "a-1", "a-2")
    worker = gone.stream(stream.name).consumer(
        "billing", handle, start="TRIM_HORIZON", checkpoint="record"
    )
    task = asyncio.create_task(worker.run())
    await until(lambda: len(seen) == 2)
    await until(lambda: worker._readings[0]._noted.position == seen[0].position + 1)
    die(worker)
    async with stream.consumer("billing", handler, lease=0.3):
        clock.move(11)
        await handler.reach(1)
        assert handler.texts == ["a-2"]
    task.cancel()
    await asyncio.wait({task})


def die(worker):
    """Neither a heartbeat nor a checkpoint comes any more."""

    async def never(*_, **__):
        await asyncio.Event().wait()

    worker._beat = worker.note = never
    worker._checkpoint = never


async def test_a_worker_that_can_not_renew_its_leases_drops_its_shards_by_itself(
    stream, consume, clock
):
    broken, leases = [], []

    async def handle(record, lease):
        leases.append(lease)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            broken.append(lease.is_lost)
            raise

    await put(stream, "a-1")
    worker = await consume(handle, lease=10, grace=0)
    await until(lambda: leases)
    away, beat = asyncio.Event(), worker._beat

    async def late(most):
        await away.wait()
        return await beat(most)

    worker._beat = late
    clock.move(11)
    await until(lambda: broken == [True])
    assert worker.shards == []
    away.set()
    await until(lambda: len(leases) == 2)
    assert not leases[1].is_lost


async def test_no_worker_takes_more_than_it_was_told_and_what_is_left_over_is_told(
    client, wide, consume, clock
):
    told = []
    client.events.listen(lambda event: told.append(event) if isinstance(event, ShardAlone) else 0)
    a = await consume(of=wide, max_shards=3, alarm_after=5)
    await until(lambda: len(a.shards) == 3)
    assert told == []
    clock.move(6)
    await until(lambda: told)
    assert (told[0].queue, told[0].group, told[0].alone_ms) == ("wide", "billing", 6000)
    info = await wide.group_info("billing")
    alone = [one for one in info.leases if one.alone_for is not None]
    assert [one.shard_id for one in alone] == [told[0].shard_id]
    assert alone[0].alone_for.total_seconds() >= 6


async def test_events_tell_who_reads_what(client, stream, consume):
    told = []
    client.events.listen(lambda event: told.append(event) if isinstance(event, Leased) else 0)
    worker = await consume(worker="w-1")
    await until(lambda: worker.shards)
    await worker.__aexit__(None, None, None)
    assert [(one.worker, one.shard_id, one.state) for one in told] == [
        (worker.id, "shardId-000000000000", "begun"),
        (worker.id, "shardId-000000000000", "stopped"),
    ]
    assert worker.id.startswith("w-1:")


async def test_who_stops_does_not_wait_for_a_redis_that_is_away(
    stream, consume, handler, monkeypatch, clock
):
    """Nor for the last words of a lease that has run out."""
    monkeypatch.setattr(worker_module, "LEAVE_S", 0.02)
    worker = await consume()
    await put(stream, "a-1")
    await handler.reach(1)

    async def never(*_):
        await asyncio.Event().wait()

    monkeypatch.setattr(worker._executor, "call", never)
    stopping = asyncio.create_task(worker.stop())
    await until(lambda: not worker.shards)
    clock.move(1)
    await asyncio.wait_for(stopping, PATIENCE)


async def test_the_last_checkpoint_may_take_as_long_as_heartbeats_renew_the_lease(
    client, stream, consume, handler
):
    states = []
    client.events.listen(
        lambda event: states.append(event.state) if isinstance(event, Leased) else 0
    )
    await put(stream, "a-1")
    worker = await consume(lease=0.1)
    await handler.reach(1)
    note, beat, beats, gate = worker.note, worker._beat, [], asyncio.Event()

    async def late(what):
        if what.release:
            await gate.wait()
        return await note(what)

    async def counted(most):
        beats.append(most)
        return await beat(most)

    worker.note, worker._beat = late, counted
    stopping = asyncio.create_task(worker.stop())
    await until(lambda: beats.count(0) == 6)  # three in a lease
    gate.set()
    await stopping
    (lease,) = (await stream.group_info("billing")).leases
    assert (lease.owner, lease.sequence_number) == (None, handler.records[0].sequence_number)
    assert states == ["begun", "stopped"]


async def test_who_leaves_at_once_leaves(stream, handler):
    async with stream.consumer("billing", handler) as worker:
        pass
    assert worker.shards == []


async def test_two_workers_of_one_name_are_two(client, wide, consume):
    a, b = await consume(of=wide, worker="w"), await consume(of=wide, worker="w")
    await until(evenly(a, b))


async def test_a_lost_connection_is_made_again(client, stream, consume, handler, raw, backend):
    if backend.place != "valkey":
        pytest.skip("nothing can be cut in memory; on a cluster the same")
    worker = await consume()
    await until(lambda: worker.shards)
    await in_thread(raw.client_kill_filter, _type="normal", skipme=True)
    await put(stream, "a-1")
    await handler.reach(1)
    assert handler.texts == ["a-1"]


# --- resharding ---


async def test_children_are_read_after_their_parents_and_no_shard_is_forgotten(
    stream, consume, handler
):
    await consume()
    await put(stream, *(f"k{n % 10}-{n:03}" for n in range(50)))
    low, high = await stream.split("shardId-000000000000")
    await put(stream, *(f"k{n % 10}-{n:03}" for n in range(50, 100)))
    await stream.merge(low.id, high.id)
    await put(stream, *(f"k{n % 10}-{n:03}" for n in range(100, 150)))
    await handler.reach(150)
    for texts in handler.by_key().values():
        assert texts == sorted(texts)
    assert len(handler.records) == 150
    info = await stream.group_info("billing")
    assert [one.is_finished for one in info.leases] == [True, True, True, False]


async def test_a_child_waits_while_a_record_of_its_parent_is_in_hand(stream, consume):
    gate, seen = asyncio.Event(), []

    async def handle(record):
        seen.append(record.data.decode())
        if record.data == b"a-1":
            await gate.wait()

    await put(stream, "a-1")
    await consume(handle, concurrency=4)
    await until(lambda: seen)
    await stream.split("shardId-000000000000")
    await put(stream, *(f"k{n}-2" for n in range(10)))
    info = await until(lambda: _with_leases(stream, 3))
    assert seen == ["a-1"]
    assert info.leases[1].waits_for == ("shardId-000000000000",)
    assert info.leases[1].alone_for is None
    gate.set()
    await until(lambda: len(seen) == 11)


async def test_a_group_that_is_new_reads_a_stream_that_was_resharded_in_order(
    stream, consume, handler
):
    await put(stream, *(f"k{n % 10}-{n:03}" for n in range(30)))
    await stream.split("shardId-000000000000")
    await put(stream, *(f"k{n % 10}-{n:03}" for n in range(30, 60)))
    await consume()
    await handler.reach(60)
    for texts in handler.by_key().values():
        assert texts == sorted(texts)


async def test_at_the_latest_only_the_open_shards_are_begun_with(stream, consume, handler):
    await put(stream, "a-1")
    low, _ = await stream.split("shardId-000000000000")
    worker = await consume(start="LATEST")
    await until(lambda: len(worker.shards) == 2)
    await stream.split(low.id)
    await put(stream, *(f"k{n}-2" for n in range(10)))
    await handler.reach(10)
    assert len(handler.records) == 10
    info = await stream.group_info("billing")
    assert [one.shard_id[-1] for one in info.leases] == ["1", "2", "3", "4"]


async def test_shards_that_were_closed_before_the_moment_are_left_out(
    stream, consume, handler, clock
):
    await put(stream, "a-1")
    await stream.split("shardId-000000000000")
    clock.move(60)
    await consume(start=clock.now())
    await put(stream, *(f"k{n}-2" for n in range(10)))
    await handler.reach(10)
    assert len(handler.records) == 10
    info = await stream.group_info("billing")
    assert [one.shard_id[-1] for one in info.leases] == ["1", "2"]


async def test_leases_of_shards_that_expired_are_forgotten(stream, consume, handler, clock):
    worker = await consume()
    await put(stream, "a-1")
    await handler.reach(1)
    await stream.split("shardId-000000000000")
    await until(lambda: len(worker.shards) == 2)
    assert len((await stream.group_info("billing")).leases) == 3
    clock.move(25 * 3600)
    await stream.sweep()
    await until(lambda: _with_leases(stream, 2))


async def test_a_shard_that_expired_unread_holds_up_nothing(stream, consume, handler, clock):
    await put(stream, "a-1")
    gone = stream.consumer("billing", handler, start="TRIM_HORIZON", max_shards=1)
    async with gone:
        await handler.reach(1)
    await stream.split("shardId-000000000000")
    clock.move(25 * 3600)
    await stream.sweep()
    assert len((await stream.shards()).found) == 2
    await put(stream, *(f"k{n}-2" for n in range(10)))
    await consume()
    await handler.reach(11)


async def test_a_shard_that_seems_to_be_at_its_end_and_is_open_is_not_given_up(
    stream, consume, handler, monkeypatch
):
    """It would never be read again."""
    monkeypatch.setattr(reading_module, "TROUBLE_S", 0.01)
    worker = await consume()
    await put(stream, "a-1")
    await handler.reach(1)
    reading = worker._readings[0]
    reading.take(Batch(reading.lease.shard_id, [], None, 0))
    await put(stream, "a-2")
    await handler.reach(2)
    assert not (await stream.group_info("billing")).leases[0].is_finished


async def test_two_workers_share_what_a_reshard_brings(stream, consume, handler):
    a, b = await consume(), await consume()
    await until(lambda: len(a.shards) + len(b.shards) == 1)
    await stream.update_shard_count(2)
    await until(evenly(a, b, total=2))


async def _with_leases(stream, count):
    info = await stream.group_info("billing")
    return info if len(info.leases) == count else None
