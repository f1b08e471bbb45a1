"""What has expired can not be read, and its memory comes back, also when nobody writes any more."""

from __future__ import annotations

from contextlib import aclosing
from datetime import timedelta

import pytest

from rmq.core.keys import ShardKeys, StreamKeys
from rmq.errors import ExpiredIterator, InvalidChange, InvalidParameter, ShardDoesNotExist
from rmq.gateway.sweeping import Sweeping
from rmq.streams import changing, commands, sweeping
from rmq.streams.record import Record
from rmq.streams.sequence import shard_id
from tests.colours import ByHand, bare, in_thread, until

HOUR, DAY = 3600, timedelta(days=1)
SHARD = shard_id(0)


async def texts(stream, shard: int = 0) -> list[str]:
    return [one.data.decode() for one in (await stream.read(shard_id(shard))).records]


@pytest.fixture
def length(raw, namespace):
    """How many blocks a shard of the stream has in Redis."""

    async def look(number: int = 0) -> int:
        return await in_thread(raw.xlen, ShardKeys(namespace, "positions", number).log)

    return look


async def test_a_record_can_be_read_for_24_hours(stream, clock):
    await stream.put("old", "key")
    clock.move(HOUR)
    await stream.put("young", "key")
    clock.move(23 * HOUR)
    assert await texts(stream) == ["old", "young"]
    clock.move(1)
    assert await texts(stream) == ["young"]


async def test_more_retention_keeps_records_longer_but_brings_none_back(stream, clock):
    await stream.put("lost", "key")
    clock.move(HOUR)
    await stream.put("kept", "key")
    clock.move(23 * HOUR + 1)
    info = await stream.increase_retention(48)
    assert info.attributes.retention_hours == 48
    assert await texts(stream) == ["kept"]
    clock.move(24 * HOUR)
    assert await texts(stream) == ["kept"]
    clock.move(HOUR)
    assert await texts(stream) == []


async def test_less_retention_hides_what_is_older_at_once_and_for_ever(stream, clock):
    await stream.increase_retention(72)
    await stream.put("old", "key")
    clock.move(30 * HOUR)
    await stream.put("young", "key")
    await stream.decrease_retention(24)
    assert await texts(stream) == ["young"]
    await stream.increase_retention(72)
    assert await texts(stream) == ["young"]


async def test_every_shard_learns_of_another_retention(wide, clock):
    await wide.put_many([Record(f"{n}", f"key {n}") for n in range(20)])
    await wide.increase_retention(100)
    await wide.split(shard_id(0))
    clock.move(90 * HOUR)
    found = [text for number in range(4) for text in await texts(wide, number)]
    assert sorted(found) == sorted(str(n) for n in range(20))


async def test_a_shard_that_was_not_told_of_a_change_learns_of_it_from_a_sweep(
    stream, connect, clock
):
    """Who changed it died in between."""
    await stream.put("old", "key")
    client = connect()
    plan = changing.set_attributes(bare(client)._streams, "positions", {"retention_hours": 48})
    assert await ByHand(client, plan).through("streams.set_attributes")
    await stream.sweep()
    clock.move(47 * HOUR)
    assert await texts(stream) == ["old"]


@pytest.mark.parametrize(
    ("hours", "message"),
    [
        (
            23,
            "Minimum allowed retention period is 24 hours. Requested retention period (23 hours) "
            "is too short.",
        ),
        (
            8761,
            "Maximum allowed retention period is 8760 hours. Requested retention period "
            "(8761 hours) is too long.",
        ),
    ],
)
async def test_a_retention_has_its_limits(stream, hours, message):
    for change in (stream.increase_retention, stream.decrease_retention):
        with pytest.raises(InvalidChange) as caught:
            await change(hours)
        assert caught.value.aws_message == message
    with pytest.raises(InvalidParameter, match="retention_hours"):
        await stream.set_attributes(retention_hours=hours)


async def test_a_retention_that_is_no_number_is_said_to_be_none(stream):
    for change in (stream.increase_retention, stream.decrease_retention):
        for hours in (True, 24.5, "48"):
            with pytest.raises(InvalidParameter, match=r"retention_hours .* a whole number"):
                await change(hours)


async def test_a_retention_changes_in_the_direction_that_was_said(stream):
    await stream.increase_retention(48)
    with pytest.raises(InvalidChange) as caught:
        await stream.increase_retention(47)
    assert caught.value.aws_message == (
        "Requested retention period (47 hours) for stream positions can not be shorter than "
        "existing retention period (48 hours). Use DecreaseRetentionPeriod API."
    )
    with pytest.raises(InvalidChange) as caught:
        await stream.decrease_retention(49)
    assert caught.value.aws_message == (
        "Requested retention period (49 hours) for stream positions can not be longer than "
        "existing retention period (48 hours). Use IncreaseRetentionPeriod API."
    )
    assert (await stream.increase_retention(48)).attributes.retention_hours == 48


async def test_a_number_of_a_record_that_has_expired_is_the_oldest_one(stream, clock):
    """Swept or not: it came from this stream."""
    gone = await stream.put("0", "a")
    clock.move(25 * HOUR)
    await stream.put("1", "a")
    for _ in range(2):
        for kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
            iterator = await stream.iterator(SHARD, kind, sequence_number=gone.sequence_number)
            assert [one.data for one in await stream.get(iterator)] == [b"1"]
        await stream.sweep()


async def test_a_closed_shard_that_has_expired_can_not_be_read_before_it_is_swept(stream, clock):
    """As no list shows it any more."""
    await stream.put("0", "a")
    await stream.split(SHARD)
    clock.move(24 * HOUR - 1)
    assert (await stream.get(await stream.iterator(SHARD))).child_shards
    clock.move(2)
    assert SHARD not in [one.id for one in await stream.shards()]
    for kind in ("TRIM_HORIZON", "LATEST"):
        with pytest.raises(ShardDoesNotExist, match=SHARD):
            await stream.iterator(SHARD, kind)


# --- memory ---


async def test_a_sweep_gives_the_memory_of_expired_records_back(stream, clock, length):
    for _ in range(3):
        await stream.put_many([Record(b"x" * 1000, "key") for _ in range(1000)])
    old = await length()
    clock.move(12 * HOUR)
    await stream.put_many([Record(b"y" * 1000, "key") for _ in range(100)])
    both = await length()
    clock.move(12 * HOUR + 1)
    await stream.sweep()
    assert await length() == both - old
    assert len(await texts(stream)) == 100
    clock.move(12 * HOUR)
    await stream.sweep()
    assert await length() == 0


async def test_large_records_are_given_back_one_by_one(client, clock, length):
    stream = await client.create_stream("positions", max_record_size=2_000_000)
    for _ in range(5):
        await stream.put(b"x" * 1_500_000, "key")
    await stream.put("small", "key")
    clock.move(24 * HOUR + 1)
    assert (await stream.sweep()).blocks == 6
    assert await length() == 0
    await stream.put_many([Record(b"z" * 60_000, "key") for _ in range(5)])
    clock.move(24 * HOUR + 1)
    await stream.sweep()
    assert await length() == 0


async def test_whoever_puts_sweeps_once_in_a_while(stream, clock, length):
    await stream.put_many([Record(b"x" * 1000, "key") for _ in range(1000)])
    clock.move(25 * HOUR)
    await stream.put("new", "key")

    async def is_swept():
        return await length() == 1

    await until(is_swept)


async def test_whoever_reads_sweeps_once_in_a_while(stream, connect, clock, length):
    await stream.put_many([Record(b"x" * 1000, "key") for _ in range(1000)])
    reader = connect().stream("positions")
    await reader.read(shard_id(0))
    clock.move(25 * HOUR)
    await reader.read(shard_id(0))

    async def is_swept():
        return await length() == 0

    await until(is_swept)


async def test_somebody_sweeps_streams_that_nobody_touches(client, connect, clock, raw, namespace):
    for name in ("one", "two"):
        stream = await client.create_stream(name)
        await stream.put_many([Record(b"x" * 1000, "key") for _ in range(1000)])
    clock.move(25 * HOUR)
    await connect().sweep_streams()
    for name in ("one", "two"):
        assert await in_thread(raw.xlen, ShardKeys(namespace, name, 0).log) == 0


async def test_the_endpoint_sweeps_the_streams_of_every_account(backend, connect, clock):
    if backend.colour != "async":
        pytest.skip("the endpoint is asyncio's")
    client = connect()
    for one in (client, client.in_account("111122223333", "eu-west-1")):
        stream = await one.create_stream("positions")
        await stream.put_many([Record(b"x" * 1000, "key") for _ in range(1000)])
    keys = [
        ShardKeys(namespace, "positions", 0).log for namespace in (client.namespace, one.namespace)
    ]
    clock.move(25 * HOUR)
    sweeping = Sweeping(client, every=0.001)
    sweeping.start()

    async def are_swept():
        return [await client._executor._once(["XLEN", key]) for key in keys] == [0, 0]

    await until(are_swept)
    await sweeping.stop()


async def test_a_stream_is_swept_by_one_at_a_time(client, stream, connect, clock):
    async def claim(anyway: bool = False) -> int:
        keys = bare(client)._streams.keys("positions")
        call = commands.sweep_claim(keys, "positions", 60_000, anyway)
        executor = bare(client)._executor
        found = executor.call(call)
        return await found if hasattr(found, "__await__") else found

    assert await claim() == 0  # it was made a moment ago
    clock.move(60)
    assert await claim() == 1
    assert await claim() == 0
    assert await claim(anyway=True) == 2
    clock.move(60)
    assert await claim() == 3


async def test_lanes_of_those_who_put_no_more_are_forgotten(
    stream, connect, clock, raw, namespace, backend
):
    backend.beyond_aws("lanes")
    for n in range(3):
        await connect().stream("positions").put(f"{n}", "key")
    keys = ShardKeys(namespace, "positions", 0)
    assert await in_thread(raw.zcard, keys.lanes) == 3
    clock.move(HOUR + 1)
    await stream.put("young", "key")
    await stream.sweep()
    assert await in_thread(raw.zcard, keys.lanes) == 1
    fields = await in_thread(raw.hkeys, keys.state)
    assert sum(one.startswith(b"lane:") for one in fields) == 1


# --- shards ---


async def test_a_closed_shard_expires_with_its_last_record(stream, clock, raw, namespace):
    await stream.put("old", "key")
    await stream.split(shard_id(0))
    clock.move(24 * HOUR)
    assert [one.number for one in await stream.shards()] == [0, 1, 2]
    iterator = await stream.iterator(shard_id(0))
    clock.move(1)
    # For readers it is gone at once, in Redis with the next sweep.
    assert [one.number for one in await stream.shards()] == [1, 2]
    swept = await stream.sweep()
    assert swept.shards == 1
    keys = ShardKeys(namespace, "positions", 0)
    assert await in_thread(raw.exists, keys.state, keys.lanes) == 0
    assert await in_thread(raw.ttl, keys.log) > 0  # nothing but an end, for who waits
    rows = await in_thread(raw.hkeys, StreamKeys(namespace, "positions").shards)
    assert sorted(rows) == [b"1", b"2"]
    for read in (stream.get(iterator), stream.iterator(shard_id(0)), stream.read(shard_id(0))):
        with pytest.raises((ShardDoesNotExist, ExpiredIterator)):
            await read
    children = (await stream.info()).shards
    assert children[1].parent_id == shard_id(0)


async def test_who_dies_while_a_shard_is_removed_leaves_nothing_behind(
    stream, connect, clock, raw, namespace
):
    """Its memory is gone, and it is still in the map."""
    await stream.put("old", "key")
    await stream.split(shard_id(0))
    clock.move(24 * HOUR + 1)
    client = connect()
    hand = ByHand(client, sweeping.sweep(bare(client)._streams, "positions"))
    state = ShardKeys(namespace, "positions", 0).state
    while await in_thread(raw.exists, state):
        assert await hand.step() is not None
    assert 0 in (await stream.info()).shards
    with pytest.raises(ShardDoesNotExist):
        await stream.read(shard_id(0))
    # Who follows the stream from a moment on does without it.
    await stream.put("new", "key")
    async with aclosing(stream.records(start=clock.now() - DAY, follow=False)) as records:
        assert [one.data async for one in records] == [b"new"]
    assert (await stream.sweep()).shards == 1
    assert (await stream.info()).shards.keys() == {1, 2}
    await stream.put("new", "key")


async def test_a_closed_shard_stays_as_long_as_one_of_its_records_can_be_read(stream, clock):
    clock.move(10 * HOUR)
    await stream.put("old", "key")
    await stream.split(shard_id(0))
    clock.move(24 * HOUR)
    assert (await stream.sweep()).shards == 0
    assert await texts(stream) == ["old"]
