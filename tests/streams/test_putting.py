"""Putting records."""

from __future__ import annotations

import pytest

from rmq import Record
from rmq.errors import StreamDoesNotExist

SHARD = "shardId-000000000000"


async def everything(stream, shard=SHARD):
    batch = await stream.read(shard)
    return [(one.data, one.partition_key) for one in batch]


async def test_a_record_that_was_put_is_read(stream):
    put = await stream.put(b"hello", "truck-1")

    (record,) = await stream.read(SHARD)

    assert (record.data, record.partition_key) == (b"hello", "truck-1")
    assert record.sequence_number == put.sequence_number
    assert record.shard_id == put.shard_id == SHARD


async def test_many_records_go_where_their_keys_belong_in_order(wide):
    records = [Record(b"%d" % n, f"truck-{n % 50}") for n in range(1200)]

    result = await wide.put_many(records)

    assert not result.failed
    found = []
    for number in range(4):
        shard = f"shardId-{number:012d}"
        batch = await wide.read(shard)
        assert [one.sequence_number for one in batch] == sorted(
            one.sequence_number for one in batch
        )
        found += [(int(one.data), one.partition_key, shard) for one in batch]
    assert sorted(found) == [(n, f"truck-{n % 50}", result[n].shard_id) for n in range(1200)]


async def test_a_stream_that_is_not_there_takes_nothing(client):
    with pytest.raises(StreamDoesNotExist):
        await client.stream("nowhere").put(b"x", "key")


async def test_iterators_read_on(stream):
    await stream.put_many([Record(b"%d" % n, "a") for n in range(25)])
    iterator = await stream.iterator(SHARD)
    found = []
    while len(found) < 25:
        got = await stream.get(iterator, limit=10)
        found += [int(one.data) for one in got]
        iterator = got.next_iterator
    assert found == list(range(25))
    assert got.millis_behind_latest == 0


async def test_life_of_a_stream(client):
    stream = await client.create_stream("orders", 3, retention_hours=48, tags={"a": "b"})
    info = await stream.info()
    assert (info.status, info.open_shard_count, info.attributes.retention_hours) == (
        "ACTIVE",
        3,
        48,
    )
    assert [one.id[-1] for one in await stream.shards()] == ["0", "1", "2"]
    assert list(await client.list_streams()) == ["orders"]
    assert await client.delete_stream("orders")
    assert not await client.delete_stream("orders")
    assert list(await client.list_streams()) == []
