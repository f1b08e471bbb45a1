"""A producer whose server is killed again and again and comes back with its append-only file, and
whose stream is split meanwhile: what was said to be there is there, once, each key in order."""

from __future__ import annotations

import asyncio
import random

import pytest

import rmq
from rmq.streams.producing.aggregation import deaggregated
from tests.servers import single_server

DURABLE = {"appendonly": "yes", "appendfsync": "always"}
TRUCKS = 50


async def produce(server, total: int, deaths: int) -> None:
    chance = random.Random(7)
    accepted: set[int] = set()
    async with rmq.connect_async(server.url, retry_timeout=60) as client:
        stream = await client.create_stream("positions", 4)

        def told(record, result):
            assert not isinstance(result, rmq.RmqError), result
            accepted.add(int(record.data))

        async with stream.producer(record_ttl=None, on_result=told) as producer:
            due = sorted(chance.sample(range(total), 2 * deaths))
            for number in range(total):
                await producer.put(b"%d" % number, f"truck-{number % TRUCKS}")
                if due and number == due[0]:
                    due.pop(0)
                    if len(due) % 2:
                        await asyncio.to_thread(server.kill)
                        await asyncio.to_thread(server.start)
                    else:
                        shards = (await stream.info()).shards.open
                        await stream.split(chance.choice(shards).id)

        assert accepted == set(range(total))
        assert producer.metrics.user_records_put == total
        found: dict[str, list[int]] = {}
        async for batch in stream.batches(start="TRIM_HORIZON", follow=False):
            for record in deaggregated(batch, stream.known):
                found.setdefault(record.partition_key, []).append(int(record.data))
        for truck in range(TRUCKS):
            assert found[f"truck-{truck}"] == list(range(truck, total, TRUCKS))


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_killed_server_has_everything_once_and_in_order():
    with single_server(options=DURABLE) as server:
        asyncio.run(produce(server, 300_000, 12))
