"""Listening live: what is published from now on, and nothing is kept for who does not listen."""

import asyncio
import itertools
import sys

import rmq


async def watch(topic: rmq.AsyncTopic, name: str, policy: dict[str, object] | None) -> None:
    """Print the first three messages that are heard."""
    heard = 0
    async for message in topic.listen(filter_policy=policy):
        print(f"{name}: {message.text}")
        heard += 1
        if heard == 3:
            return


async def main() -> None:
    async with rmq.connect_async(*sys.argv[1:]) as client:
        topic = await client.create_topic("live-positions")
        watchers = asyncio.gather(
            watch(topic, "everything", None),
            watch(topic, "fast ones", {"kmh": [{"numeric": [">", 90]}]}),
        )
        # A truck that reports all the time. Who begins to listen hears it from then on.
        for km in itertools.count():
            kmh = 80 + km % 3 * 10
            await topic.publish(f"kilometre {km} at {kmh} km/h", attributes={"kmh": kmh})
            done, _ = await asyncio.wait({watchers}, timeout=0.05)
            if done:
                break
        await watchers
        await client.delete_topic("live-positions")


asyncio.run(main())
