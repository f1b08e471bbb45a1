"""Putting: where records go, what they get, and what is refused."""

from __future__ import annotations

import asyncio
import hashlib
import random
from datetime import timedelta
from itertools import chain

import pytest

from rmq import Limits, Record
from rmq.errors import (
    InvalidParameter,
    MissingParameter,
    RateExceeded,
    StreamDoesNotExist,
)
from rmq.streams.sequence import shard_id
from tests.streams.reading import SHARD, by_shard, everything, texts

MIB = 1 << 20
LAST = (1 << 128) - 1


async def test_a_record_that_was_put_is_read(stream, clock):
    put = await stream.put(b"52.52 13.40", "truck-1")
    (record,) = await everything(stream)
    assert (record.data, record.partition_key) == (b"52.52 13.40", "truck-1")
    assert record.sequence_number == put.sequence_number
    assert record.shard_id == put.shard_id == SHARD
    assert record.approximate_arrival_timestamp == clock.now().replace(
        microsecond=clock.now().microsecond // 1000 * 1000
    )
    assert record.encryption_type is None
    assert put.encryption_type is None


async def test_text_is_stored_as_utf_8_and_data_may_be_empty(stream):
    await stream.put("Grüße", "ключ")
    await stream.put(b"", "a")
    assert [(one.data, one.partition_key) for one in await everything(stream)] == [
        ("Grüße".encode(), "ключ"),
        (b"", "a"),
    ]


async def test_sequence_numbers_rise_in_a_shard(stream, clock):
    """Also while the clock stands still, and when it is set back."""
    found = [await stream.put(b"x", "a") for _ in range(3)]
    result = await stream.put_many([Record(b"x", "a")] * 600)
    found += result.successful.values()
    clock.freeze(clock.now() - timedelta(hours=1))
    found.append(await stream.put(b"x", "a"))
    numbers = [one.sequence_number for one in found]
    assert all(len(one) == 56 for one in numbers)
    assert numbers == sorted(set(numbers))
    assert [one.sequence_number for one in await everything(stream)] == numbers


async def test_the_md5_of_a_key_decides_the_shard(wide):
    keys = [f"truck-{n}" for n in range(100)]
    result = await wide.put_many([Record(key, key) for key in keys])
    for key, put in zip(keys, result, strict=True):
        number = int.from_bytes(hashlib.md5(key.encode()).digest(), "big")
        assert put.shard_id == shard_id(number * 4 >> 128)
    found = await by_shard(wide)
    assert sorted(chain(*found.values())) == sorted(keys)
    assert all(found.values())


async def test_an_explicit_hash_key_decides_instead(wide):
    middle = (LAST + 1) // 2
    for hash_key, number in (
        (0, 0),
        ("0", 0),
        (middle - 1, 1),
        (middle, 2),
        (str(LAST), 3),
        (LAST, 3),
    ):
        put = await wide.put(b"x", "a", explicit_hash_key=hash_key)
        assert put.shard_id == shard_id(number), hash_key


async def test_a_wrong_hash_key_is_refused(stream):
    for hash_key in (-1, LAST + 1, "01", "", "x", "-1", str(LAST + 1), "٣"):
        with pytest.raises(InvalidParameter, match="explicit_hash_key"):
            await stream.put(b"x", "a", explicit_hash_key=hash_key)
    assert await everything(stream) == []


async def test_many_records_keep_the_order_of_their_keys(wide):
    """Any number, over shards, blocks and calls."""
    records = [Record(str(n), f"truck-{n % 7}") for n in range(2500)]
    result = await wide.put_many(records)
    assert not result.failed
    for found in (await by_shard(wide)).values():
        assert found == sorted(found, key=int)


async def test_large_records_go_in_several_calls(client):
    stream = await client.create_stream("large", max_record_size=10 * MIB)
    sizes = [3 * MIB, 10, 600_000, 600_000, 65_000, 65_000, 70_000, 10 * MIB - 1, 0]
    records = [Record(random.Random(n).randbytes(size), "a") for n, size in enumerate(sizes)]
    result = await stream.put_many(records)
    assert not result.failed
    found = await everything(stream)
    assert [one.data for one in found] == [one.data for one in records]


async def test_a_record_is_as_large_as_the_stream_allows(stream):
    await stream.put(b"x" * (MIB - 5), "truck")
    with pytest.raises(InvalidParameter, match="1048577 bytes"):
        await stream.put(b"x" * (MIB - 5), "trucks")
    assert len(await everything(stream)) == 1


async def test_a_partition_key_has_1_to_256_characters(stream):
    await stream.put(b"x", "ü" * 256)
    for key in ("", "x" * 257):
        with pytest.raises(InvalidParameter, match="partition_key"):
            await stream.put(b"x", key)


async def test_a_partition_key_is_needed(stream, backend):
    backend.beyond_aws("a key that is left out")
    with pytest.raises(MissingParameter, match="partition_key"):
        await stream.put(b"x")


async def test_data_is_bytes_or_text(stream, backend):
    backend.beyond_aws("other types")
    for data in (None, 5, ["x"]):
        with pytest.raises(InvalidParameter, match="data"):
            await stream.put(data, "a")


async def test_without_limits_only_redis_limits_a_key(connect, namespace, backend):
    backend.beyond_aws("limits")
    client = connect(limits=Limits.none())
    stream = await client.create_stream("free", max_record_size=20 * MIB)
    await stream.put(b"x" * (12 * MIB), "k" * 60_000)
    with pytest.raises(InvalidParameter, match="partition_key"):
        await stream.put(b"x", "k" * 65_536)
    (record,) = await everything(stream)
    assert (len(record.data), len(record.partition_key)) == (12 * MIB, 60_000)


async def test_what_is_refused_keeps_nothing_back(stream, backend):
    backend.beyond_aws("one wrong record among good ones: AWS refuses all")
    result = await stream.put_many(
        [Record("0", "a"), Record("1", ""), Record("2", "a"), Record("3", "a", -1)]
    )
    assert sorted(result.failed) == [1, 3]
    assert all(isinstance(one, InvalidParameter) for one in result.failed.values())
    assert await texts(stream) == ["0", "2"]


async def test_what_is_no_record_is_refused_and_keeps_nothing_back(stream, backend):
    backend.beyond_aws("something that is no record at all")
    result = await stream.put_many(["0", Record("1", "a"), None, (b"3", "a")])
    assert [result.failed[place].field for place in (0, 2, 3)] == ["record"] * 3
    assert str(result.failed[0]) == "record is str; it must be an rmq.Record"
    assert await texts(stream) == ["1"]


async def test_nothing_at_all_may_be_put(stream, backend):
    backend.beyond_aws("no records")
    assert len(await stream.put_many([])) == 0


async def test_a_stream_that_is_not_there_takes_nothing(client):
    with pytest.raises(StreamDoesNotExist):
        await client.stream("nowhere").put(b"x", "key")
    with pytest.raises(StreamDoesNotExist):
        await client.stream("nowhere").put_many([Record(b"x", "key")])


async def test_a_stream_that_was_made_anew_takes_records(connect, client, stream):
    """What this client knew of it is out of date."""
    await stream.put("before", "a")
    other = connect()
    await other.delete_stream(stream.name)
    await other.create_stream(stream.name, 2)
    result = await stream.put_many([Record(str(n), f"key-{n}") for n in range(20)])
    assert {one.shard_id for one in result} == {shard_id(0), shard_id(1)}
    assert sorted(chain(*(await by_shard(stream)).values()), key=int) == [str(n) for n in range(20)]


# --- at the same time ---


async def test_records_that_are_put_at_the_same_time_keep_their_order(stream):
    await asyncio.gather(*(stream.put(str(n), "a") for n in range(40)))
    found = await texts(stream)
    if type(stream).__name__ == "AsyncStream":
        assert found == [str(n) for n in range(40)]
    else:
        assert sorted(found, key=int) == [str(n) for n in range(40)]


async def test_records_that_are_put_at_the_same_time_go_out_together(client, wide, backend):
    if backend.colour != "async":
        pytest.skip("threads have nothing to merge")
    calls = []
    once, all_of = client._executor._once, client._executor._all

    async def counted(args):
        calls.append(1)
        return await once(args)

    async def counted_all(commands):
        calls.append(len(commands))
        return await all_of(commands)

    await wide.put("0", "a")
    client._executor._once, client._executor._all = counted, counted_all
    puts = await asyncio.gather(*(wide.put(str(n), f"key-{n}") for n in range(200)))
    assert {one.shard_id for one in puts} == {shard_id(n) for n in range(4)}
    assert sum(calls) <= 3 * 4 * 2  # the first goes alone, and the cluster counts each twice


async def test_each_of_them_has_its_own_error(stream):
    results = await asyncio.gather(
        stream.put("0", "a"), stream.put("1", ""), stream.put("2", "a"), return_exceptions=True
    )
    assert isinstance(results[1], InvalidParameter)
    assert sorted(await texts(stream)) == ["0", "2"]


# --- in an order that was asked for ---


async def test_a_record_gets_a_greater_number_than_the_one_for_ordering(stream, clock):
    first = await stream.put("0", "a")
    clock.freeze(clock.now() - timedelta(hours=1))
    second = await stream.put("1", "a", sequence_number_for_ordering=first.sequence_number)
    assert second.sequence_number > first.sequence_number


async def test_a_number_for_ordering_may_be_another_shard_s(wide, clock):
    """Which may be ahead of the clock."""
    clock.move(3600)
    first = await wide.put("0", "a", explicit_hash_key=0)
    clock.freeze(clock.now() - timedelta(hours=1))
    second = await wide.put(
        "1", "a", explicit_hash_key=LAST, sequence_number_for_ordering=first.sequence_number
    )
    assert second.sequence_number > first.sequence_number


async def test_a_number_for_ordering_of_another_client_is_as_good(connect, wide):
    put = await wide.put("0", "a")
    other = connect().stream(wide.name)
    again = await other.put("1", "a", sequence_number_for_ordering=put.sequence_number)
    assert again.sequence_number > put.sequence_number


async def test_the_first_of_a_client_may_be_ordered_after_0(stream):
    """So a loop that passes on the number before needs no special first turn."""
    number, numbers = "0", []
    for n in range(3):
        put = await stream.put(str(n), "a", sequence_number_for_ordering=number)
        number = put.sequence_number
        numbers.append(number)
    assert numbers == sorted(numbers)
    assert await texts(stream) == ["0", "1", "2"]


async def test_a_number_for_ordering_that_can_not_be_is_refused(stream):
    put = await stream.put("0", "a")
    future = str(int(put.sequence_number) + (1 << 60))
    for wrong in ("1", "", "x", "0" * 56, "9" * 56, put.sequence_number + "0", future):
        with pytest.raises(InvalidParameter, match="sequence_number_for_ordering"):
            await stream.put("1", "a", sequence_number_for_ordering=wrong)
    assert await texts(stream) == ["0"]


# --- as much as a shard takes ---


@pytest.fixture
async def aws(connect, backend):
    """A client with AWS's limits, and a stream of one shard."""
    backend.beyond_aws("limits")
    client = connect(limits=Limits.aws())
    return await client.create_stream("limited", max_record_size=2 * MIB)


async def test_a_shard_takes_1000_records_a_second(aws, clock):
    result = await aws.put_many([Record(str(n), "a") for n in range(1010)])
    assert sorted(result.failed) == list(range(1000, 1010))
    assert all(isinstance(one, RateExceeded) for one in result.failed.values())
    with pytest.raises(RateExceeded, match=SHARD):
        await aws.put("x", "a")
    clock.move(0.005)
    result = await aws.put_many([Record(str(n), "a") for n in range(1000, 1010)])
    assert sorted(result.failed) == [5, 6, 7, 8, 9]
    assert await texts(aws) == [str(n) for n in range(1005)]


async def test_a_shard_takes_1_mib_a_second_and_a_large_record_when_it_rested(aws, clock):
    await aws.put(b"x" * (2 * MIB - 1), "a")
    with pytest.raises(RateExceeded):
        await aws.put(b"x", "a")
    clock.move(1)
    result = await aws.put_many([Record(b"x" * 262_143, "a")] * 5)
    assert sorted(result.failed) == [4]
    assert [len(one.data) for one in await everything(aws)] == [2 * MIB - 1] + [262_143] * 4


async def test_what_a_rate_limit_lets_through_are_whole_records(aws):
    """It may cut a block anywhere, of short heads and long ones."""
    records = [Record(random.Random(n).randbytes(n * 37 % 9000), f"key-{n}") for n in range(900)]
    result = await aws.put_many(records)
    taken = len(result.successful)
    assert 100 < taken < 900
    assert sorted(result.successful) == list(range(taken))
    found = await everything(aws)
    assert [(one.data, one.partition_key) for one in found] == [
        (one.data, one.partition_key) for one in records[:taken]
    ]
    assert [one.sequence_number for one in found] == [
        result[n].sequence_number for n in range(taken)
    ]


async def test_each_shard_has_its_own_rate(connect, backend):
    backend.beyond_aws("limits")
    client = connect(limits=Limits.aws(shard_write_records=10, shard_write_bytes=None))
    stream = await client.create_stream("limited", 2)
    low, high = 0, LAST
    result = await stream.put_many([Record("x", "a", low)] * 12 + [Record("x", "a", high)] * 5)
    assert sorted(result.failed) == [10, 11]


async def test_a_stream_on_demand_has_no_rate(connect, backend):
    backend.beyond_aws("limits")
    client = connect(limits=Limits.aws(shard_write_records=1))
    stream = await client.create_stream("free", mode="ON_DEMAND")
    result = await stream.put_many([Record("x", "a")] * 100)
    assert not result.failed


async def test_without_aws_limits_there_is_no_rate(stream, backend):
    backend.beyond_aws("limits")
    result = await stream.put_many([Record("x", "a")] * 1500)
    assert not result.failed
