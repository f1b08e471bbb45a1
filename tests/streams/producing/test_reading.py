"""Who reads a stream live gets what was put, however it was packed."""

from __future__ import annotations

from rmq import Record, UserRecord
from rmq.streams.producing.aggregation import MAGIC, aggregated
from rmq.streams.shard import LAST_HASH_KEY


async def all_of(records):
    return [one async for one in records]


async def test_records_that_were_packed_come_as_they_were_put(wide):
    async with wide.producer(max_buffered_time=60) as producer:
        for n in range(50):
            await producer.put(b"%d" % n, f"truck-{n % 5}")

    found = await all_of(wide.records(start="TRIM_HORIZON", follow=False))
    packed = await all_of(wide.records(start="TRIM_HORIZON", follow=False, deaggregate=False))

    assert sorted(int(one.data) for one in found) == list(range(50))
    assert len(packed) <= 4
    assert all(one.data.startswith(MAGIC) for one in packed)


async def test_what_a_foreign_producer_put_into_a_shard_that_is_not_its_own_is_left_out(wide):
    records = [UserRecord("a", b"low", 0), UserRecord("a", b"high", LAST_HASH_KEY)]
    await wide.put_many([Record(aggregated(records), "a", hash_key) for hash_key in (0, 1)])

    found = await all_of(wide.records(start="TRIM_HORIZON", follow=False))

    assert [one.data for one in found] == [b"low", b"low"]


async def test_reading_without_following_ends_where_the_stream_does(stream):
    assert await all_of(stream.records(start="TRIM_HORIZON", follow=False)) == []
    await stream.put_many([Record(b"%d" % n, "a") for n in range(3000)])
    await stream.split("shardId-000000000000")
    await stream.put(b"3000", "a")

    found = await all_of(stream.batches(start="TRIM_HORIZON", follow=False))

    assert [int(one.data) for batch in found for one in batch] == list(range(3001))
    assert await all_of(stream.records(follow=False)) == []
