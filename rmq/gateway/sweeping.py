"""Sweeping: streams that nobody touches give the memory of expired records back all the same.

Whoever uses a stream sweeps it; the endpoint goes round all of them, as others may do beside it:
each stream is swept once a minute, by one of them.
"""

from __future__ import annotations

import asyncio
import logging
import random

from rmq.client.aio import AsyncClient
from rmq.errors import RmqError

log = logging.getLogger("rmq.gateway")

EVERY_S = 30.0
"""How often it goes round, give or take a half: many would else do it at the same moment."""
CANCEL_S = 0.2
"""How long stop() waits before it tells what is under way again to end."""


class Sweeping:
    """Goes round all streams of all accounts, from its start until it is stopped."""

    def __init__(self, client: AsyncClient, *, every: float = EVERY_S) -> None:
        self._client = client
        self._every = every
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False

    def start(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Begin, in the running loop or as soon as *loop* runs."""
        if self._task is None:
            loop = loop or asyncio.get_running_loop()
            self._task = loop.create_task(self._run(), name="rmq-sweep")

    async def stop(self) -> None:
        """End. What it is about somebody else does in a minute."""
        self._is_stopping = True
        while self._task is not None and not self._task.done():
            # Once may not do: what connects just now can swallow it (CPython issue 86296).
            self._task.cancel()
            await asyncio.wait((self._task,), timeout=CANCEL_S)

    async def _run(self) -> None:
        while not self._is_stopping:
            await asyncio.sleep(self._every * random.uniform(0.5, 1.5))
            try:
                await self._client.sweep_streams(nested=True)
            except RmqError as error:
                log.info("streams are not swept just now: %s", error)
            except Exception:
                log.exception("streams are not swept just now")
