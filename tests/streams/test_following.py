"""Following: what is put is read as it is put, by who waits for it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta

import pytest

from rmq import Record
from rmq.errors import InvalidParameter, ShardDoesNotExist, StreamDoesNotExist
from rmq.streams import aio, sync
from rmq.streams.following import Following
from rmq.streams.sequence import shard_id
from tests.colours import PATIENCE, ByHand, bare, until
from tests.streams.reading import SHARD

LAST = (1 << 128) - 1


@pytest.fixture
def followed(connect):
    """Makes what somebody who follows a stream has read: a list that grows."""

    @asynccontextmanager
    async def followed(stream, by=None, **options):
        found = []
        client = by or connect()

        async def follow():
            async for one in client.stream(stream.name).records(**options):
                found.append(one)

        task = asyncio.create_task(follow())
        try:
            yield found
        finally:
            # A thread is not cancelled; it ends with its client.
            await client.close()
            await task

    return followed


@pytest.fixture
def there(followed):
    """The same, once it reads what is put: a first record says so."""

    @asynccontextmanager
    async def there(stream, **options):
        async with followed(stream, **options) as found:
            while not found:
                last = await stream.put("are you there?", "a")
                await asyncio.sleep(0)
            await until(lambda: found[-1].sequence_number == last.sequence_number)
            yield found

    return there


def texts(found):
    return [one.data.decode() for one in found]


async def test_all_that_is_kept_comes_and_then_what_is_put(wide, followed):
    await wide.put_many([Record(str(n), f"key-{n}") for n in range(100)])
    async with followed(wide, start="TRIM_HORIZON") as found:
        await until(lambda: len(found) == 100)
        for n in range(100, 110):
            await wide.put(str(n), f"key-{n}")
        await until(lambda: len(found) == 110)
    assert sorted(texts(found), key=int) == [str(n) for n in range(110)]


async def test_latest_is_what_is_put_from_the_first_step_on(wide, there):
    await wide.put_many([Record("before", f"key-{n}") for n in range(100)])
    async with there(wide) as found:
        await wide.put("after", "a")
        await until(lambda: texts(found)[-1] == "after")
    assert "before" not in texts(found)


async def test_a_moment_is_what_came_then_or_later(wide, clock, followed):
    await wide.put_many([Record("before", f"key-{n}") for n in range(100)])
    clock.move(10)
    await wide.put_many([Record("after", f"key-{n}") for n in range(100)])
    moment = clock.now() - timedelta(seconds=5)
    async with followed(wide, start=moment) as found:
        await until(lambda: len(found) == 100)
    assert set(texts(found)) == {"after"}


async def test_more_than_one_look_brings_comes_in_order(stream, followed):
    await stream.put_many([Record(f"{n:05} " + "x" * 500, "a") for n in range(5_000)])
    async with followed(stream, start="TRIM_HORIZON") as found:
        await until(lambda: len(found) == 5_000)
    assert [int(one.data[:5]) for one in found] == list(range(5_000))


async def test_a_flood_while_somebody_waits_comes_in_order(stream, there):
    """More blocks than one answer to who waits has."""
    async with there(stream) as found:
        count = len(found)
        await stream.put_many([Record(f"{n:05} " + "x" * 2_000, "a") for n in range(2_000)])
        await until(lambda: len(found) == count + 2_000)
    assert [int(one.data[:5]) for one in found[count:]] == list(range(2_000))


async def test_a_key_keeps_its_order_over_reshardings(stream, followed):
    """Parents are read to their end before their children."""
    count = 0

    async def put(many, size=0):
        nonlocal count
        await stream.put_many(
            [Record(f"{n} " + "x" * size, f"key-{n % 7}") for n in range(count, count + many)]
        )
        count += many

    # More than one look brings: there is much left of a parent when its children could be read.
    await put(140, 10_000)
    await stream.split(SHARD)
    await put(140, 10_000)
    await stream.merge(shard_id(1), shard_id(2))
    async with followed(stream, start="TRIM_HORIZON") as found:
        await put(70)
        await until(lambda: len(found) == count)
        await stream.split(shard_id(3))
        await put(70)
        await until(lambda: len(found) == count)
        await stream.merge(shard_id(4), shard_id(5))
        await put(70)
        await until(lambda: len(found) == count)
    for key in range(7):
        ours = [int(one.data.split()[0]) for one in found if one.partition_key == f"key-{key}"]
        assert ours == list(range(key, count, 7))


async def test_one_shard_alone_is_read_to_its_end(wide, followed):
    await wide.put("0", "a", explicit_hash_key=0)
    await wide.put("1", "a", explicit_hash_key=LAST)
    async with followed(wide, start="TRIM_HORIZON", shard_id=SHARD) as found:
        await until(lambda: found)
    assert texts(found) == ["0"]
    await wide.split(SHARD)
    async with aclosing(wide.records(start="TRIM_HORIZON", shard_id=SHARD)) as records:
        assert [one.data async for one in records] == [b"0"]


async def test_another_start_is_refused(stream):
    for start in ("latest", "", None, 5):
        with pytest.raises(InvalidParameter, match="start"):
            await anext(stream.records(start=start))


async def test_a_switch_is_true_or_false_and_nothing_that_counts_as_such(stream):
    for switch in ("follow", "deaggregate"):
        with pytest.raises(InvalidParameter, match=f"{switch} is 'no'; it must be True or False"):
            await anext(stream.records(**{switch: "no"}))
    with pytest.raises(InvalidParameter, match="enforce_consumer_deletion"):
        await stream.delete_stream(enforce_consumer_deletion="no")


async def test_what_is_not_there_is_not_followed(client, stream):
    with pytest.raises(StreamDoesNotExist):
        await anext(client.stream("nowhere").records())
    with pytest.raises(ShardDoesNotExist):
        await anext(stream.records(shard_id=shard_id(1)))
    with pytest.raises(InvalidParameter, match="shard_id"):
        await anext(stream.records(shard_id="0"))


# --- who waits ---


@pytest.fixture
def heard(monkeypatch):
    """Whoever waits hears what there is to hear: it would not look by itself for an hour."""
    for colour in (aio, sync):
        monkeypatch.setattr(colour, "LOOK_S", 3600.0)


async def test_who_waits_hears_that_the_stream_is_deleted(client, wide, heard):
    async with aclosing(wide.records(start="TRIM_HORIZON")) as records:
        await wide.put("0", "a")
        await anext(records)
        waiting = asyncio.create_task(anext(records))
        await client.delete_stream(wide.name)
        with pytest.raises(StreamDoesNotExist):
            await asyncio.wait_for(waiting, PATIENCE)


async def test_who_is_about_to_wait_hears_it_as_well(client, stream, backend):
    async with stream.reader() as reader:
        assert await reader.read({SHARD: 0}, timeout=0) == []  # it has read all there is
        await client.delete_stream(stream.name)
        assert await reader.read({SHARD: 0}) == []  # woken, it looks
        with pytest.raises(StreamDoesNotExist):
            await reader.read({SHARD: 0})


async def test_who_waits_hears_that_the_namespace_is_wiped(client, wide, backend, heard):
    backend.beyond_aws("wiping")
    async with aclosing(wide.records(start="TRIM_HORIZON")) as records:
        await wide.put("0", "a")
        await anext(records)
        waiting = asyncio.create_task(anext(records))
        await until(lambda: any(one._under_way for one in bare(client)._executor.tails))
        await client.wipe()
        with pytest.raises(StreamDoesNotExist):
            await asyncio.wait_for(waiting, PATIENCE)


async def test_who_is_between_two_waits_hears_it_too(client, stream, backend):
    """What it waited for last is still under way."""
    backend.beyond_aws("wiping")
    async with stream.reader() as reader:
        for timeout in (0.02, 0):
            assert await reader.read({SHARD: 0}, timeout=timeout) == []
        await client.wipe()
        assert await asyncio.wait_for(reader.read({SHARD: 0}, timeout=3600), PATIENCE) == []
        assert not reader.is_closed
        with pytest.raises(StreamDoesNotExist):
            await reader.read({SHARD: 0})


async def test_a_client_that_closes_ends_it(connect, wide, heard):
    other = connect()
    async with aclosing(other.stream(wide.name).records(start="TRIM_HORIZON")) as records:
        await wide.put("0", "a")
        await anext(records)
        waiting = asyncio.create_task(anext(records))
        await other.close()
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(waiting, PATIENCE)


async def test_nothing_is_asked_while_nothing_comes(client, connect, wide, there, heard):
    reader = connect()
    asked = {one: [] for one in (client, reader)}

    def listen(one):
        executor = bare(one)._executor
        once, several = executor._once, executor._several
        executor._once = lambda args: asked[one].append(args[0]) or once(args)
        executor._several = lambda calls: asked[one].append("several") or several(calls)

    async with there(wide, by=reader) as found:
        for turn in range(2):
            for n in range(5):
                await wide.put(f"{turn} {n}", f"key-{n}")
                await until(lambda text=f"{turn} {n}": texts(found)[-1] == text)
            if turn == 0:  # by now every node knows the script
                listen(client)
                listen(reader)
        assert asked[client] == ["EVALSHA"] * 5
        # Threads in memory have to look whether they are to end.
        assert set(asked[reader]) <= {"XREAD"}


# --- a reader ---


async def test_a_reader_reads_many_shards_at_once(wide):
    await wide.put_many([Record(str(n), f"key-{n}") for n in range(50)])
    positions = {one.id: 0 for one in await wide.shards()}
    found = []
    async with wide.reader() as reader:
        while len(found) < 50:
            for batch in await reader.read(positions, limit=10):
                assert len(batch) <= 10
                found += batch
                positions[batch.shard_id] = batch.next_position
        assert await reader.read(positions, timeout=0) == []
        waiting = asyncio.create_task(reader.read(positions))
        await wide.put("50", "a")
        (batch,) = await waiting
        assert [one.data for one in batch] == [b"50"]
    assert sorted(int(one.data) for one in found) == list(range(50))


async def test_a_reader_waits_as_long_as_it_is_told(stream, clock):
    async with stream.reader() as reader:
        waiting = asyncio.create_task(reader.read({SHARD: 0}, timeout=5))
        await until(lambda: bare(reader)._tail._under_way)
        clock.move(4)
        await asyncio.sleep(0)
        assert not waiting.done()
        clock.move(1)
        assert await waiting == []
        await stream.put("0", "a")
        (batch,) = await reader.read({SHARD: 0}, timeout=5)
        assert [one.data for one in batch] == [b"0"]


@pytest.mark.parametrize(
    ("positions", "limit", "field"),
    [
        (5, 1, "positions"),
        ({SHARD: "0"}, 1, "position"),
        ({SHARD: -1}, 1, "position"),
        ({SHARD: 0}, "1", "limit"),
        ({SHARD: 0}, 0, "limit"),
        ({SHARD: 0}, 10_001, "limit"),
    ],
)
async def test_a_reader_says_what_can_not_be_read(stream, positions, limit, field):
    async with stream.reader() as reader:
        with pytest.raises(InvalidParameter) as refused:
            await reader.read(positions, limit=limit, timeout=0)
    assert refused.value.field == field


async def test_a_reader_may_go_back(stream):
    await stream.put_many([Record(str(n), "a") for n in range(5)])
    async with stream.reader() as reader:
        (first,) = await reader.read({SHARD: 0})
        assert await reader.read({SHARD: first.next_position}, timeout=0) == []
        (again,) = await reader.read({SHARD: first.records[3].position})
        assert [one.data for one in again] == [b"3", b"4"]


async def test_a_reader_finds_the_end_of_a_shard(stream):
    async with stream.reader() as reader:
        waiting = asyncio.create_task(reader.read({SHARD: 0}))
        await stream.split(SHARD)
        batches = await waiting or await reader.read({SHARD: 0})
        (end,) = batches
        assert (end.records, end.next_position) == ([], None)
        assert [one.shard_id for one in end.child_shards] == [shard_id(1), shard_id(2)]


async def test_a_reader_that_is_closed_reads_nothing(stream):
    reader = stream.reader()
    await reader.close()
    assert reader.is_closed
    assert await reader.read({SHARD: 0}) == []


async def test_a_read_that_is_cancelled_loses_nothing(stream):
    async with stream.reader() as reader:
        assert await reader.read({SHARD: 0}, timeout=0) == []
        waiting = asyncio.create_task(reader.read({SHARD: 0}))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait((waiting,))
        await stream.put("0", "a")
    async with stream.reader() as reader:
        (batch,) = await reader.read({SHARD: 0})
        assert [one.data for one in batch] == [b"0"]


async def test_who_slept_while_shards_came_and_went_finds_those_there_are_now(
    client, stream, clock
):
    """The children's children: their own parents have expired and are in no map any more."""
    following = Following(bare(client)._streams, "positions", "LATEST", None)
    await ByHand(client, following.begin()).finish()
    await stream.split(shard_id(0))
    await stream.split(shard_id(1))
    clock.move(timedelta(hours=25))
    await stream.sweep()
    await stream.put_many([Record(str(n), f"key-{n}") for n in range(50)])
    found = []
    async with stream.reader() as reader:
        while len(found) < 50:
            for batch in await reader.read(following.positions):
                found += batch.records
                if batch.next_position is not None:
                    following.positions[batch.shard_id] = batch.next_position
                else:
                    await ByHand(client, following.ended(batch.shard_id)).finish()
    assert sorted(texts(found), key=int) == [str(n) for n in range(50)]
