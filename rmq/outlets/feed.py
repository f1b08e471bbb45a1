"""Feed: a queue's way through its stream, which one process at a time goes.

    claim ── read each shard from its position ── send to the inner queue ── commit the positions

Only what is asked for is sent on: the backlog stays in the stream, and what lies in the inner queue
is what somebody is at work on, or was, and a few hundred records more. A crash between the last two
steps repeats the records: at least once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from rmq.core import script
from rmq.core.executor import AsyncExecutor
from rmq.core.script import Call, text_of
from rmq.errors import RmqError, ShardDoesNotExist, StreamDoesNotExist
from rmq.queues.aio import AsyncQueue
from rmq.streams.aio import AsyncStream
from rmq.streams.record import StreamRecord
from rmq.streams.sequence import shard_id

STEP = 200
"""Records that one step takes of each shard."""
LEASE_MS = 10_000
"""For how long who feeds is not disturbed. A step takes some ms, a wait PAUSE_S."""
PAUSE_S = 3.0
"""How long a wait for new records lasts before the lease is renewed."""
BUSY_S = 1.0
"""How soon somebody who found another feeding looks again, at the latest."""
END = "e"


class Carried(msgspec.Struct, array_like=True, frozen=True):
    """A record in an inner queue: MessagePack."""

    shard: int
    position: int
    partition_key: str | None
    data: bytes
    encryption_type: str | None = None


_encode = msgspec.msgpack.Encoder().encode
carried = msgspec.msgpack.Decoder(Carried).decode


class Feed:
    """What leads from a stream to one queue on it, as seen from one process."""

    def __init__(
        self,
        key: str,
        incarnation: str,
        start: int,
        stream: AsyncStream,
        queue: AsyncQueue,
        executor: AsyncExecutor,
    ) -> None:
        self._key = key
        self._incarnation = incarnation
        self._start = start
        """The position at which a shard is begun that the feed has none of."""
        self._stream = stream
        self._queue = queue
        self._executor = executor
        self._owner = os.urandom(8).hex()
        self._turn = asyncio.Lock()
        self._left: set[asyncio.Task[Any]] = set()

    @contextlib.asynccontextmanager
    async def running(self) -> Any:
        """Feed for as long as this is entered. Of a process's many one does it."""
        task = asyncio.create_task(self._run(), name="rmq-feed")
        try:
            yield
        finally:
            # It ends the step that it is in by itself; nobody need wait for it.
            task.cancel()
            self._left.add(task)
            task.add_done_callback(self._gone)

    def _gone(self, task: asyncio.Task[Any]) -> None:
        self._left.discard(task)
        if not task.cancelled():
            task.exception()

    async def _run(self) -> None:
        async with self._turn:
            while True:
                work = asyncio.ensure_future(self.step())
                try:
                    wait = await asyncio.shield(work)
                except asyncio.CancelledError:
                    with contextlib.suppress(RmqError):
                        await work
                        await self._commit({}, give_up=True)
                    raise
                if wait is None:
                    continue
                await self._pause(wait)

    async def _pause(self, wait: float | dict[int, int]) -> None:
        """Wait for a moment, or for new records behind these positions."""
        try:
            if isinstance(wait, dict):
                await asyncio.sleep(0.05)
            else:
                await asyncio.sleep(wait)
        except asyncio.CancelledError:
            if isinstance(wait, dict):
                with contextlib.suppress(RmqError):
                    await self._commit({}, give_up=True)
            raise

    async def step(self) -> float | dict[int, int] | None:
        """Send on what is new, if nobody else is at it. None if there was something, positions to
        wait behind if there was not, and seconds to wait where another one feeds."""
        left_ms, positions = await self._executor.call(self._claim())
        if positions is None:
            return min(left_ms / 1000, BUSY_S)
        open_at = await self._open_at(positions)
        batches = await asyncio.gather(*(self._read(number, at) for number, at in open_at.items()))
        records: list[bytes] = []
        moved: dict[int, str] = {}
        behind: dict[int, int] = {}
        for number, (found, following) in zip(open_at, batches, strict=True):
            records += [_packed(one) for one in found]
            if following is None:
                moved[number] = END
            elif found:
                moved[number] = str(following)
            else:
                behind[number] = following
        if records:
            (await self._queue.send_many(records)).raise_for_failures()
        if not moved:
            return behind
        if END in moved.values():
            await self._stream.info()  # who took over
        if not await self._commit(moved):
            return BUSY_S
        return None

    async def _open_at(self, positions: Mapping[int, str]) -> dict[int, int]:
        """The shards that are not at their end, and where each goes on."""
        info = self._stream.known or await self._stream.info()
        if info.incarnation_text != self._incarnation:
            raise StreamDoesNotExist(f"stream {info.name!r} was made anew", stream=info.name)
        found = {number: positions.get(number, str(self._start)) for number in info.shards}
        return {number: int(at) for number, at in found.items() if at != END}

    async def _read(self, number: int, at: int) -> tuple[Sequence[StreamRecord], int | None]:
        try:
            found = await self._stream.read(shard_id(number), at, STEP)
        except ShardDoesNotExist:
            return (), None  # what was in it has expired
        return found.records, found.next_position

    def _claim(self) -> Call[tuple[int, dict[int, str] | None]]:
        def parse(reply: Sequence[Any]) -> tuple[int, dict[int, str] | None]:
            first = int(reply[0]) if reply else round(1000 * BUSY_S)
            if first >= 0:
                return first, None
            pairs = zip(reply[1::2], reply[2::2], strict=True)
            fields = {text_of(name): text_of(value) for name, value in pairs}
            return 0, {int(name): at for name, at in fields.items() if name.isdigit()}

        return script.load("outlets/claim").call(
            self._queue.name, parse, feed=self._key, owner=self._owner, lease_ms=LEASE_MS
        )

    async def _commit(self, moved: Mapping[int, str], *, give_up: bool = False) -> bool:
        call: Call[bool] = script.load("outlets/commit").call(
            self._queue.name,
            bool,
            feed=self._key,
            owner=self._owner,
            lease_ms=0 if give_up else LEASE_MS,
            rest=[part for one in moved.items() for part in one],
        )
        return await self._executor.call(call)


def _packed(one: StreamRecord) -> bytes:
    return _encode(
        Carried(one.shard, one.position, one.partition_key, one.data, one.encryption_type)
    )
