"""The producer on a real stream: gathered, packed, answered one by one."""

from __future__ import annotations

import pytest

from rmq import Limits
from rmq.errors import InvalidParameter, RateExceeded, StreamDoesNotExist
from rmq.streams.producing.aggregation import user_records
from rmq.streams.shard import LAST_HASH_KEY
from tests.colours import until


async def test_what_was_put_is_in_the_stream_when_the_producer_is_closed(wide, read):
    async with wide.producer(max_buffered_time=60) as producer:
        for n in range(1000):
            await producer.put(b"%d" % n, f"truck-{n % 50}")

    found = await read(wide)
    assert sorted(int(data) for data, *_ in found) == list(range(1000))
    for truck in range(50):
        own = [int(data) for data, key, _ in found if key == f"truck-{truck}"]
        assert own == list(range(truck, 1000, 50))
    metrics = producer.metrics
    assert (metrics.user_records, metrics.user_records_put) == (1000, 1000)
    assert metrics.records == 4
    assert metrics.buffered_records == metrics.buffered_bytes == metrics.retries == 0


async def test_each_put_has_a_future_of_where_its_record_is(stream):
    producer = stream.producer(max_buffered_time=60)
    futures = [await producer.put(b"%d" % n, "truck") for n in range(3)]
    await producer.flush()
    found = [await one for one in futures]

    [record] = await stream.read("shardId-000000000000")
    assert [one.sub_sequence_number for one in found] == [0, 1, 2]
    assert {one.sequence_number for one in found} == {record.sequence_number}
    assert {one.shard_id for one in found} == {record.shard_id}
    assert {one.attempts for one in found} == {1}
    await producer.close()


async def test_a_record_leaves_by_itself_after_its_time(stream):
    async with stream.producer(max_buffered_time=0.01) as producer:
        found = await (await producer.put("text", "truck"))

        assert found.sub_sequence_number == 0
        [record] = await stream.read(found.shard_id)
        assert (record.data, record.partition_key) == (b"text", "truck")


async def test_without_aggregation_every_record_stands_for_itself(wide):
    async with wide.producer(aggregation=False) as producer:
        for n in range(20):
            await producer.put(b"%d" % n, "truck")

    found = [record for shard in await wide.shards() for record in await wide.read(shard.id)]
    assert [int(one.data) for one in found] == list(range(20))
    assert {one.partition_key for one in found} == {"truck"}


async def test_an_explicit_hash_key_decides_the_shard_and_travels_with_the_record(wide):
    async with wide.producer(max_buffered_time=60) as producer:
        last = await producer.put(b"1", "truck", explicit_hash_key=LAST_HASH_KEY)
        await producer.put(b"2", "truck", explicit_hash_key=str(LAST_HASH_KEY - 1))
        first = await producer.put(b"3", "truck", explicit_hash_key=0)

    assert (await last).shard_id == "shardId-000000000003"
    assert (await first).shard_id == "shardId-000000000000"
    [record] = await wide.read("shardId-000000000003")
    keys = [one.explicit_hash_key for one in user_records(record.data)]
    assert keys == [LAST_HASH_KEY, LAST_HASH_KEY - 1]


async def test_results_are_told_to_who_asks(stream):
    told = []
    async with stream.producer(
        max_buffered_time=60, on_result=lambda *one: told.append(one)
    ) as producer:
        await producer.put(b"1", "truck")
        await producer.put(b"2", "truck")

    assert [(record.data, result.sub_sequence_number) for record, result in told] == [
        (b"1", 0),
        (b"2", 1),
    ]


async def test_who_is_told_may_fail_and_may_put_more(stream, read, caplog):
    async with stream.producer() as producer:
        told = []

        def tell(record, result):
            told.append(record.data)
            raise ValueError("no")

        getattr(producer, "inner", producer)._on_result = tell
        await producer.put(b"1", "truck")
        await producer.flush()
        await producer.put(b"2", "truck")

    assert told == [b"1", b"2"]
    assert len(await read(stream)) == 2
    assert caplog.text.count("on_result of the producer") == 2


async def test_put_waits_while_the_producer_holds_as_much_as_it_may(stream):
    async with stream.producer(max_buffered_time=60, max_buffered_records=10) as producer:
        most = 0
        for n in range(100):
            await producer.put(b"%d" % n, "truck")
            most = max(most, producer.metrics.buffered_records)

        assert most == 10
    assert producer.metrics.user_records_put == 100


async def test_flush_waits_for_what_was_put_before_and_not_after(stream):
    async with stream.producer(max_buffered_time=3600) as producer:
        before = [await producer.put(b"x", "truck") for _ in range(5)]
        await producer.flush()
        assert all(one.done() for one in before) or [await one for one in before]
        after = await producer.put(b"y", "truck")
        assert producer.metrics.buffered_records == 1
    assert (await after).attempts == 1


async def test_a_closed_producer_takes_no_more_and_can_be_closed_again(stream):
    producer = stream.producer()
    await producer.put(b"x", "truck")
    await producer.close()

    with pytest.raises(InvalidParameter, match="producer is 'closed"):
        await producer.put(b"y", "truck")
    await producer.close()
    await producer.flush()
    assert len(await stream.read("shardId-000000000000")) == 1


async def test_a_producer_that_nobody_used_can_be_closed(stream):
    await stream.producer().close()
    await stream.producer().flush()


async def test_a_stream_that_is_not_there_is_said_at_the_first_put(client):
    async with client.stream("nowhere").producer() as producer:
        with pytest.raises(StreamDoesNotExist):
            await producer.put(b"x", "truck")


async def test_a_stream_that_was_deleted_meanwhile_is_the_end_of_each_record(client, stream):
    async with stream.producer(max_buffered_time=3600) as producer:
        future = await producer.put(b"x", "truck")
        await client.delete_stream(stream.name)
        await producer.flush()
        with pytest.raises(StreamDoesNotExist):
            await future

    assert producer.metrics.user_records_failed == 1
    assert producer.metrics.errors == {"RMQ_STREAM_DOES_NOT_EXIST": 1}


BAD = {
    "no key": (b"x", "", None, "partition_key"),
    "a long key": (b"x", "k" * 257, None, "partition_key"),
    "a key of bytes": (b"x", b"k", None, "partition_key"),
    "a key that is no text": (b"x", "\ud800", None, "partition_key"),
    "data of another kind": (5, "k", None, "data"),
    "data that is no text": ("\ud800", "k", None, "data"),
    "a hash key beyond the last": (b"x", "k", LAST_HASH_KEY + 1, "explicit_hash_key"),
    "a hash key that is no number": (b"x", "k", "1_0", "explicit_hash_key"),
    "a hash key of truth": (b"x", "k", True, "explicit_hash_key"),
    "more than a record may have": (b"x" * 1_048_576, "k", None, "record size"),
    "more with the bytes of its key": (b"x" * 1_048_570, "☕☕☕", None, "record size"),
}


@pytest.mark.parametrize("backend", ["async-memory", "sync-memory"], indirect=True)
async def test_what_no_stream_takes_is_refused_at_once(stream):
    async with stream.producer() as producer:
        for data, key, hash_key, field in BAD.values():
            with pytest.raises(InvalidParameter) as refused:
                await producer.put(data, key, explicit_hash_key=hash_key)
            assert refused.value.field == field
        await producer.put(b"x" * 1_048_575, "k")
        await producer.put(b"x" * 1_048_570, "☕☕")

    assert producer.metrics.user_records_put == 2


@pytest.mark.parametrize("backend", ["async-memory"], indirect=True)
async def test_settings_are_checked_by_name(stream):
    for given, field in (
        ({"max_buffer": 5}, "producer setting"),
        ({"max_buffered_time": -1}, "max_buffered_time"),
        ({"max_collected_records": 501}, "max_collected_records"),
        ({"max_aggregate_bytes": 63}, "max_aggregate_bytes"),
        ({"aggregation": 1}, "aggregation"),
        ({"record_ttl": "5"}, "record_ttl"),
    ):
        with pytest.raises(InvalidParameter) as refused:
            stream.producer(**given)
        assert refused.value.field == field


async def test_what_exceeds_the_rate_of_a_shard_is_sent_again_when_there_is_room(
    connect, clock, read
):
    limits = Limits(shard_write_bytes=1_048_576, shard_write_records=100)
    stream = await connect(limits=limits).create_stream("limited")
    producer = stream.producer(aggregation=False, max_buffered_time=0)
    futures = [await producer.put(b"%d" % n, "truck") for n in range(150)]
    await until(lambda: producer.metrics.retries)
    clock.move(1)
    await producer.close()

    assert [int(data) for data, *_ in await read(stream)] == list(range(150))
    assert (await futures[0]).attempts == 1
    assert max([(await one).attempts for one in futures]) > 1


async def test_what_exceeds_the_rate_for_too_long_has_that_error(connect):
    limits = Limits(shard_write_bytes=1_048_576, shard_write_records=100)
    stream = await connect(limits=limits).create_stream("limited")
    told = []
    async with stream.producer(
        aggregation=False, record_ttl=0.05, on_result=lambda *one: told.append(one)
    ) as producer:
        futures = [await producer.put(b"%d" % n, "truck") for n in range(101)]

    assert sum(isinstance(result, RateExceeded) for _, result in told) == 1
    with pytest.raises(RateExceeded):
        await futures[-1]
