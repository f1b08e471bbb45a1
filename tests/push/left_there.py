"""A dispatcher in a process of its own, for a test that kills it."""

import asyncio
import sys

import rmq
from rmq.push.dispatcher import Dispatcher
from rmq.push.settings import PushSettings


async def main(url: str, namespace: str) -> None:
    client = rmq.connect_async(url, namespace=namespace)
    settings = PushSettings(allow_addresses=("loopback",))
    await Dispatcher.of(client, settings, per_endpoint=2).run(asyncio.Event())


asyncio.run(main(*sys.argv[1:]))
