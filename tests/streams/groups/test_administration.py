"""Administration: what is told of a group, and sending it to another place."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

import rmq
from rmq.errors import GroupInUse, InvalidParameter
from tests.colours import until
from tests.conftest import Backend
from tests.streams.groups.consuming import Handler, put


async def made(stream, **options):
    """A group at the trim horizon, without a worker."""
    worker = stream.consumer("billing", Handler(), **{"start": "TRIM_HORIZON"} | options)
    async with worker:
        await until(lambda: worker.shards)


async def test_a_group_tells_its_workers_and_leases(stream, consume, handler, clock):
    created = clock.now()
    await put(stream, "a-1")
    worker = await consume(worker="w-1", max_shards=7, lease=10)
    await handler.reach(1)
    info = await until(lambda: _idle(stream))
    assert (info.stream, info.name, info.created_at) == ("positions", "billing", created)
    assert (info.start, info.start_timestamp) == ("TRIM_HORIZON", None)
    (one,) = info.workers
    assert (one.id, one.max_shards, one.shards) == (worker.id, 7, ("shardId-000000000000",))
    assert one.heartbeat_ends == clock.now() + timedelta(seconds=10)
    (lease,) = info.leases
    assert lease.owner == worker.id
    assert lease.sequence_number == handler.records[0].sequence_number
    assert lease.sub_sequence_number is None
    assert lease.token > 0
    assert (lease.is_finished, lease.waits_for, lease.alone_for) == (False, (), None)
    assert worker.millis_behind_latest == 0


async def test_the_lag_is_counted_in_records_and_milliseconds(stream, clock, consume):
    gate, seen = asyncio.Event(), []
    await put(stream, "a-1", "a-2")
    clock.move(5)
    await put(stream, "a-3", "a-4", "a-5")
    clock.move(60)

    async def handle(record):
        seen.append(record)
        if len(seen) == 2:
            await gate.wait()

    await consume(handle, checkpoint="record", lease=10)
    await until(lambda: len(seen) == 2)
    info = await until(lambda: _noted(stream, seen[0].sequence_number))
    assert (info.lag.millis, info.lag.records) == (65_000, 4)
    gate.set()
    info = await until(lambda: _idle(stream))
    assert (info.lag.millis, info.lag.records) == (0, 0)


async def test_what_takes_long_to_count_is_not_counted(stream, clock):
    await made(stream)
    for _ in range(9):
        await stream.put("x" * 150_000, "a")
    info = await stream.group_info("billing")
    assert info.lag.records is None
    assert info.lag.millis == 0
    clock.move(1)
    assert (await stream.group_info("billing")).lag.millis == 1000


async def test_records_that_expired_are_not_behind(stream, clock):
    await made(stream)
    await put(stream, "a-1")
    clock.move(timedelta(hours=23))
    await put(stream, "a-2")
    clock.move(timedelta(hours=2))
    info = await stream.group_info("billing")
    assert (info.lag.records, info.lag.millis) == (1, 7_200_000)


async def test_a_group_sent_to_the_trim_horizon_does_everything_again(stream, consume, handler):
    await consume()
    await put(stream, "a-1", "a-2")
    await handler.reach(2)
    await stream.reset_group("billing", "TRIM_HORIZON")
    await handler.reach(4)
    assert handler.texts == ["a-1", "a-2", "a-1", "a-2"]


async def test_a_group_sent_to_a_moment_goes_on_from_there(stream, consume, handler, clock):
    await put(stream, "a-1")
    clock.move(60)
    moment = clock.now()
    await put(stream, "a-2")
    await consume()
    await handler.reach(2)
    await stream.reset_group("billing", moment)
    await handler.reach(3)
    assert handler.texts == ["a-1", "a-2", "a-2"]
    info = await stream.group_info("billing")
    assert (info.start, info.start_timestamp) == (
        "AT_TIMESTAMP",
        moment.replace(microsecond=moment.microsecond // 1000 * 1000),
    )


async def test_a_group_sent_to_the_latest_leaves_out_what_it_has_not_done(stream, consume, handler):
    await made(stream)
    await put(stream, "a-1")
    await stream.reset_group("billing", "LATEST")
    await put(stream, "a-2")
    await consume()
    await handler.reach(1)
    assert handler.texts == ["a-2"]


async def test_a_reset_reads_shards_again_that_were_read_to_their_end(stream, consume, handler):
    await consume()
    await put(stream, *(f"k{n}-1" for n in range(10)))
    await stream.split("shardId-000000000000")
    await put(stream, *(f"k{n}-2" for n in range(10)))
    await handler.reach(20)
    await until(lambda: _idle(stream))
    await stream.reset_group("billing", "TRIM_HORIZON")
    await handler.reach(40)
    for texts in handler.by_key().values():
        assert texts == [*sorted(texts)[::2], *sorted(texts)[::2]]


async def test_a_group_at_work_is_not_deleted(stream, consume):
    worker = await consume()
    await until(lambda: worker.shards)
    with pytest.raises(GroupInUse, match="1 workers at work"):
        await stream.delete_group("billing")
    await worker.__aexit__(None, None, None)
    assert await stream.delete_group("billing") is True
    assert (await stream.groups()).names == ()


@pytest.mark.parametrize("force", ["x", 1, None])
async def test_force_is_true_or_false_and_nothing_that_counts_as_such(stream, force):
    await made(stream)
    with pytest.raises(InvalidParameter) as refused:
        await stream.delete_group("billing", force=force)
    assert (refused.value.field, refused.value.limit) == ("force", "True or False")
    assert (await stream.groups()).names == ("billing",)


async def test_threads_look_after_groups_too(servers, namespace, clock):
    """Workers are asyncio; who looks at them need not be."""
    given = {"namespace": namespace, "clock": clock}
    async with rmq.connect_async(servers.url("valkey"), **given) as client:
        stream = await client.create_stream("positions")
        await made(stream)
        await put(stream, "a-1")
        backend = Backend("sync", "valkey", servers.url("valkey"))
        async with backend.connect(**given) as other:
            same = other.stream("positions")
            assert (await same.groups()).names == ("billing",)
            assert (await same.group_info("billing")).lag.records == 1
            await same.reset_group("billing", "LATEST")
            assert (await same.group_info("billing")).lag.records == 0
            assert await same.delete_group("billing")
            assert not hasattr(other.inner.stream("positions"), "consumer")


async def _idle(stream):
    """The group once it has done everything."""
    info = await stream.group_info("billing")
    return info if info.lag.records == 0 else None


async def _noted(stream, sequence_number):
    info = await stream.group_info("billing")
    return info if info.leases[0].sequence_number == sequence_number else None
