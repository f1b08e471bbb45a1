"""Feed: reads all shards of a worker that have room for more, and hands each what came.

One task and one wait for all of them (on a cluster one for each slot): a worker with fifty quiet
shards holds one connection and not fifty.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from rmq.errors import ServerError
from rmq.streams.record import Batch

if TYPE_CHECKING:
    from rmq.streams.aio import AsyncReader
    from rmq.streams.groups.reading import Reading

log = logging.getLogger("rmq.streams")

WAIT_S = 20.0
"""How long one wait for records may last."""
TROUBLE_S = 0.5
"""How soon to go on after trouble with Redis."""


class Feed:
    """What a worker's shards have is read here."""

    def __init__(
        self,
        readings: Mapping[int, Reading],
        reader: Callable[[], AsyncReader],
        limit: int,
        name: str,
    ) -> None:
        self._readings = readings
        self._reader = reader
        self._limit = limit
        self._name = name
        self._changed = asyncio.Event()

    def nudge(self) -> None:
        """Another shard wants to be read, or one no more."""
        self._changed.set()

    async def run(self) -> None:
        """Until it is cancelled. Raises what is wrong with the stream."""
        async with self._reader() as reader:
            while not reader.is_closed:
                self._changed.clear()
                wanting = {
                    one.lease.shard_id: one for one in self._readings.values() if one.wants_more
                }
                if not wanting:
                    await self._changed.wait()
                    continue
                positions = {id: one.position for id, one in wanting.items()}
                for batch in await self._read(reader, positions):
                    reading = wanting[batch.shard_id]
                    # It may have ended while we read.
                    if reading.wants_more:
                        reading.take(batch)

    async def _read(self, reader: AsyncReader, positions: Mapping[str, int]) -> list[Batch]:
        """What came; nothing when there is a reason to ask for others."""
        reading = asyncio.create_task(
            reader.read(positions, limit=self._limit, timeout=WAIT_S), name="rmq-read"
        )
        changed = asyncio.create_task(self._changed.wait())
        try:
            await asyncio.wait({reading, changed}, return_when=asyncio.FIRST_COMPLETED)
            return reading.result() if reading.done() else []
        except ServerError as error:
            log.warning("%s: %s", self._name, error)
            await asyncio.sleep(TROUBLE_S)
            return []
        finally:
            changed.cancel()
            if not reading.done():
                # Reading takes nothing away: what was under way is asked for again.
                reading.cancel()
                while not reading.done():
                    await asyncio.wait({reading})
