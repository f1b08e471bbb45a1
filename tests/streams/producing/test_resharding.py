"""A producer whose stream is split and merged meanwhile: nothing is lost, nothing is read twice,
and each key keeps its order."""

from __future__ import annotations


async def test_splits_and_merges_while_records_come(wide, read):
    count = 0
    async with wide.producer(max_buffered_time=0.005, max_aggregate_bytes=300) as producer:

        async def put_some():
            nonlocal count
            for _ in range(300):
                await producer.put(b"%d" % count, f"truck-{count % 20}")
                count += 1

        await put_some()
        low, high = await wide.split("shardId-000000000000")
        await put_some()
        await producer.flush()
        await put_some()
        await wide.merge(low.id, high.id)
        await put_some()
        await wide.merge("shardId-000000000002", "shardId-000000000003")
        await put_some()

    found = await read(wide)
    assert len(found) == count
    for truck in range(20):
        own = [int(data) for data, key, _ in found if key == f"truck-{truck}"]
        assert own == list(range(truck, count, 20))
    assert producer.metrics.user_records_put == count


async def test_somebody_else_splits_the_stream(connect, wide, read):
    """The producer finds out when its record is refused."""
    async with wide.producer(max_buffered_time=60) as producer:
        for n in range(100):
            await producer.put(b"%d" % n, f"truck-{n % 20}")
        await producer.flush()
        other = connect().stream(wide.name)
        for number in range(4):
            await other.split(f"shardId-{number:012d}")
        for n in range(100, 200):
            await producer.put(b"%d" % n, f"truck-{n % 20}")

    found = await read(wide)
    assert sorted(int(data) for data, *_ in found) == list(range(200))
    assert producer.metrics.retries == 100
    assert producer.metrics.user_records_failed == 0


async def test_a_stream_that_was_made_anew_meanwhile_gets_what_is_put_then(client, wide, read):
    async with wide.producer(max_buffered_time=60) as producer:
        await producer.put(b"1", "truck")
        await producer.flush()
        await client.delete_stream(wide.name)
        await client.create_stream(wide.name, 2)
        await producer.put(b"2", "truck")

    assert [data for data, *_ in await read(wide)] == [b"2"]
