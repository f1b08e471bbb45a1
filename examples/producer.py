"""A producer: many small records, packed into few, and read as they were put.

python examples/producer.py [URL]      (memory:// unless given)
"""

import asyncio
import sys

import rmq


async def main(url: str) -> None:
    async with rmq.connect_async(url) as client:
        stream = await client.create_stream("example-positions", 5)

        async with stream.producer() as producer:
            for n in range(1000):
                await producer.put(f"km {n // 100}", f"truck-{n % 100}")

        metrics = producer.metrics
        print(f"{metrics.user_records_put} positions went out as {metrics.records} records")

        last = {}
        async for record in stream.records(start="TRIM_HORIZON", follow=False):
            last[record.partition_key] = record.data.decode()
        print(f"{len(last)} trucks are at {set(last.values())}")

        await client.delete_stream("example-positions")


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "memory://"))
