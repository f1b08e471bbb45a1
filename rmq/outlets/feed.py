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
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from typing import Any

import msgspec

from rmq.core import script
from rmq.core.executor import AsyncExecutor
from rmq.core.script import Call, text_of
from rmq.errors import RmqError, ServerError, StreamDoesNotExist
from rmq.queues.aio import AsyncQueue
from rmq.streams.aio import AsyncReader, AsyncStream
from rmq.streams.reading import number_of
from rmq.streams.record import Batch, StreamRecord

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

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Feed for as long as this is entered. Of a process's many one does it."""
        task = asyncio.create_task(self._run(), name="rmq-feed")
        self._executor._keep(task)  # a client that is closed sees to it that it has ended
        try:
            yield
        finally:
            # It ends the step that it is in by itself; nobody need wait for it but a client that is
            # closed, which would take its connections from under it.
            task.cancel()
            self._executor.returning.add(task)
            task.add_done_callback(self._gone)

    def _gone(self, task: asyncio.Task[Any]) -> None:
        """What it failed with is whoever receives next to find."""
        self._executor.returning.discard(task)
        if not task.cancelled():
            task.exception()

    async def once(self) -> None:
        """Feed what is there, unless another process is at it."""
        async with self._turn, self._stream.reader() as reader:
            try:
                await self._step(reader, 0)
            finally:
                await self._give_up()

    async def _run(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        async with self._turn, self._stream.reader() as reader:
            try:
                # Asked too: asyncio.wait_for can swallow a cancel (CPython issue 86296).
                while not task.cancelling():
                    try:
                        busy_s = await self._step(reader, PAUSE_S)
                    except ServerError:
                        busy_s = BUSY_S  # who waits goes on waiting, so we go on trying
                    if busy_s is not None:
                        await asyncio.sleep(busy_s)
            finally:
                await self._give_up()

    async def _give_up(self) -> None:
        """Let another process feed at once. Where that fails, the claim ends by itself."""
        with contextlib.suppress(RmqError):
            await _whole(self._commit({}, lease_ms=0))

    async def _step(self, reader: AsyncReader, wait_s: float) -> float | None:
        """Feed what is there, or what comes first. For how long to leave it to another process,
        where one is at it."""
        left_ms, positions = await self._executor.call(self._claim())
        if positions is None:
            return min(left_ms / 1000, BUSY_S)
        open_at = await self._open_at(positions)
        if batches := await reader.read(open_at, limit=STEP, timeout=wait_s):
            await _whole(self._carry(batches))
        return None

    async def _carry(self, batches: Sequence[Batch]) -> None:
        """Send records on, and note how far."""
        records = [_packed(one) for batch in batches for one in batch.records]
        if records:
            (await self._queue.send_many(records)).raise_for_failures()
        ends = {number_of(batch.shard_id): batch.next_position for batch in batches}
        await self._commit({number: END if at is None else str(at) for number, at in ends.items()})

    async def _open_at(self, positions: Mapping[int, str]) -> dict[str, int]:
        """The shards that are not at their end, and where each goes on."""
        info = self._stream.known or await self._stream.info()
        if info.incarnation_text != self._incarnation:
            raise StreamDoesNotExist(f"stream {info.name!r} was made anew", stream=info.name)
        found = {
            one.id: positions.get(one.number, str(self._start)) for one in info.shards.values()
        }
        return {shard: int(at) for shard, at in found.items() if at != END}

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

    async def _commit(self, moved: Mapping[int, str], *, lease_ms: int = LEASE_MS) -> bool:
        call: Call[bool] = script.load("outlets/commit").call(
            self._queue.name,
            bool,
            feed=self._key,
            owner=self._owner,
            lease_ms=lease_ms,
            rest=[part for one in moved.items() for part in one],
        )
        return await self._executor.call(call)


async def _whole(work: Coroutine[Any, Any, Any]) -> None:
    """Carry out a step to its end, also where who wants it is cancelled."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


def _packed(one: StreamRecord) -> bytes:
    return _encode(
        Carried(one.shard, one.position, one.partition_key, one.data, one.encryption_type)
    )
