"""A consumer group: two workers share the shards of a stream, which is split while they work.

python examples/consumer_group.py [redis://localhost]
"""

import asyncio
import sys
from collections import defaultdict

import rmq

TRUCKS, KILOMETRES = 20, 50


async def main(url: str) -> None:
    seen = defaultdict(list)
    done = asyncio.Event()

    async def handle(record: rmq.StreamRecord) -> None:
        seen[record.partition_key].append(int(record.data))
        if sum(map(len, seen.values())) == TRUCKS * KILOMETRES:
            done.set()

    async with rmq.connect_async(url, namespace="example-group") as client:
        await client.wipe()
        positions = await client.create_stream("positions", 2)
        first = positions.consumer("map", handle, start="TRIM_HORIZON", lease=1)
        second = positions.consumer("map", handle, start="TRIM_HORIZON", lease=1)
        async with first, second:
            for kilometre in range(KILOMETRES):
                await positions.put_many(
                    rmq.Record(str(kilometre), f"truck-{truck}") for truck in range(TRUCKS)
                )
                if kilometre == KILOMETRES // 2:
                    await positions.split("shardId-000000000000")
            await done.wait()
            group = await positions.group_info("map")
        await client.wipe()

    in_order = sum(kilometres == sorted(kilometres) for kilometres in seen.values())
    print(f"{in_order} of {TRUCKS} trucks came in order, over {len(group.leases)} shards")


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "memory://"))
