"""Presence: a worker's place in the fleet: it says that it lives, and does what it is told.

stop          take nothing new, what runs has until the deadline, then end
drain         take nothing new, end when all is done
look          hear of a pause or its end now
cancel ID     end a task that runs here
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress

from rmq.client.aio import AsyncClient
from rmq.core.keys import FleetKeys
from rmq.core.script import Block, Call, Plan
from rmq.core.waiting import settled, told
from rmq.errors import RmqError, ServerError
from rmq.worker.fleet import ALIVE_MS, QueueWork, Said, Told, beat

log = logging.getLogger("rmq.worker")

BEAT_MS = 5_000
"""Between two beats, where nothing happens that is worth one."""
TROUBLE_S = 1.0

Obey = Callable[[str, str], None]
"""Does what a command says: its word, and what follows it."""


class Presence:
    """One worker in the registry of its app."""

    def __init__(
        self,
        client: AsyncClient,
        app: str,
        *,
        look: Callable[[], Mapping[str, QueueWork]],
        obey: Obey,
    ) -> None:
        """*look* says what is in hand, by queue; *obey* is called for each command, in order."""
        self.app = app
        self.keys = FleetKeys(client.namespace, app)
        host, pid = socket.gethostname(), os.getpid()
        self.id = f"{host}:{pid}:{uuid.uuid4().hex[:8]}"
        self.state = "running"
        self.paused: frozenset[str] = frozenset()
        """Queues from which nothing is taken, as of the last beat."""
        self._change = asyncio.Event()
        self.beaten = time.monotonic()
        """When the server last heard of us, of the monotonic clock."""
        self._executor = client._executor
        self._said = Said(host=host, pid=pid, started_ms=client.clock.now_ms())
        self._look = look
        self._obey = obey
        self._seen = 0
        self._is_resting = False
        self.has_left = False
        """Whether we left the registry: nobody is to say any more that we live."""

    def saying(self) -> Call[Told]:
        """What we are at this moment. Its answer is for `beat`: who says it for us, see leases.py,
        leaves all commands where they are."""
        said = Said(
            host=self._said.host,
            pid=self._said.pid,
            started_ms=self._said.started_ms,
            state=self.state,
            queues=dict(self._look()),
        )
        return beat(self.keys, self.app, self.id, said, self._seen)

    async def beat(self) -> Told:
        """Say that we live, and do what we are told. Raises ServerError."""
        told = await self._executor.call(self.saying())
        self.beaten = time.monotonic()
        if told.paused != self.paused:
            self.paused = told.paused
            self._change.set()
            self._change = asyncio.Event()
        for number, command in told.commands:
            if number <= self._seen:
                continue
            self._seen = number
            word, _, rest = command.partition(" ")
            log.info("worker %s is told to %s", self.id, command)
            self._obey(word, rest)
        return told

    async def change(self) -> None:
        """Wait until other queues are paused than before."""
        await self._change.wait()

    async def run(self, stopping: asyncio.Event) -> None:
        """Beat until *stopping* is set, then leave the registry. Trouble with Redis is waited
        out."""
        stop = asyncio.create_task(stopping.wait(), name="rmq-presence-stop")
        beating = asyncio.create_task(self._beat_on(stopping), name="rmq-beats")
        try:
            await asyncio.wait((stop, beating), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            # A beat that is under way would bring us back after we left.
            if not self._is_resting:
                await settled((beating,), TROUBLE_S)
            beating.cancel()
            await asyncio.wait((beating,))
            await self.sign_off()
        if not beating.cancelled():
            beating.result()

    async def _beat_on(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                self._is_resting = False
                told = await self.beat()
                if not told.commands and not stopping.is_set():
                    self._is_resting = True
                    await self._executor.run(self._rest())
            except ServerError as error:
                log.warning("the fleet did not hear of this worker: %s", error)
                await asyncio.sleep(TROUBLE_S)

    async def sign_off(self) -> None:
        """Leave the registry."""
        self.has_left = True
        with suppress(RmqError):
            leaving = beat(self.keys, self.app, self.id, self._said, self._seen, 0)
            await told(self._executor.call(leaving), TROUBLE_S)

    def _rest(self) -> Plan[None]:
        yield Block(self.keys.wake(self.id), BEAT_MS)


assert BEAT_MS * 3 < ALIVE_MS
