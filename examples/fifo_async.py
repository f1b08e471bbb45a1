"""Order within groups: each truck is a group, its positions come in the order they were sent."""

import asyncio
import sys

import rmq


async def main() -> None:
    async with rmq.connect_async(*sys.argv[1:]) as client:
        positions = await client.create_queue("positions.fifo", content_based_deduplication=True)
        await asyncio.gather(
            *(
                positions.send(
                    f"truck {truck} at kilometre {km}", message_group_id=f"truck-{truck}"
                )
                for km in range(3)
                for truck in range(2)
            )
        )
        # A truck's next positions come once those received are done.
        while batch := await positions.receive(max_messages=10):
            for message in batch:
                print(message.message_group_id, message.text)
            await positions.delete_many(batch)
        await client.delete_queue("positions.fifo")


asyncio.run(main())
