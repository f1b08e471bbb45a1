"""A scheduler as a process of its own: python -m tests.soak.scheduler URL NAMESPACE"""

from __future__ import annotations

import asyncio
import sys

import rmq
from rmq.worker.scheduler import Scheduler


async def main(url: str, namespace: str) -> None:
    async with rmq.connect_async(url, namespace=namespace) as client:
        print("ready", flush=True)
        await Scheduler(client).run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
