"""The agent: brings what is written to files into a stream, and remembers how far it is."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from rmq.errors import InvalidParameter
from rmq.streams.tailing.file import FollowedFile, Piece
from rmq.streams.tailing.follower import Follower
from rmq.streams.tailing.framing import Framed, Framer
from rmq.streams.tailing.keys import KeyRule, compiled, random_key
from rmq.streams.tailing.state import State
from rmq.streams.tailing.watching import Watch

SAVE_S = 1.0
"""Between two writes of the state: at most so much is put again after a crash."""
KEY_BYTES = 1024
"""What is kept free of a record for its key: 256 characters of up to 4 bytes."""

log = logging.getLogger("rmq.tailing")


class Producing(Protocol):
    """What the agent needs of a producer."""

    async def put(self, data: bytes, partition_key: str) -> asyncio.Future[Any]:
        """Take a record; the future is of what became of it."""

    async def flush(self) -> None:
        """Return when everything that was put before is done."""


@dataclass(slots=True)
class AgentCounters:
    """What an agent has done since its start."""

    files: int = 0
    """That it follows now."""
    bytes: int = 0
    read: int = 0
    """Records found in files."""
    accepted: int = 0
    """Records that the stream has."""
    refused: int = 0
    """Records that the stream can not have; they are passed over and logged."""
    cut: int = 0
    """Records that were longer than a record of the stream may be: their end is missing there."""

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


class Agent:
    """Follows files until it is stopped."""

    def __init__(
        self,
        producer: Producing,
        patterns: Sequence[str],
        state: State,
        *,
        max_record_size: int,
        key: KeyRule = random_key,
        at_end: bool = False,
        start_pattern: str | None = None,
        poll_s: float | None = None,
    ) -> None:
        """*patterns* are globs (** for all folders below). *state* is held by the caller.

        *key* gives each record its partition key. *at_end* passes over what stands in the files at
        the very first start. *start_pattern* is a regular expression that finds the first line of
        each record of several. *max_record_size* is the stream's, in bytes. *poll_s*: seconds
        between two looks; unless given, 1 where the system tells of changes, else 0.25.

        Raises InvalidParameter, ConfigurationError (of the state).
        """
        if not patterns or not all(patterns):
            raise InvalidParameter("patterns", list(patterns), "one or more, none of them empty")
        self.counters = AgentCounters()
        self._producer = producer
        self._patterns = patterns
        self._state = state
        self._key = key
        self._poll_s = poll_s
        start = None if start_pattern is None else compiled("start_pattern", start_pattern)
        most = max_record_size - KEY_BYTES
        self.follower = Follower(patterns, lambda: Framer(most, start), state.load(), at_end=at_end)
        self._saved_at = time.monotonic()
        self._failure: asyncio.Future[None] | None = None

    async def run(self, stop: asyncio.Event, *, deadline: float | None = None) -> None:
        """Follow the files until *stop* is set; then wait for what is on its way, at most
        *deadline* seconds, and save.

        Raises what the stream answers where going on is of no use: StreamDoesNotExist.
        """
        async with Watch(self._patterns, self._poll_s) as watch:
            await self._until(stop, self._follow(watch), deadline)

    async def drain(
        self, stop: asyncio.Event | None = None, *, deadline: float | None = None
    ) -> None:
        """Bring in what the files have now, save, and end. Raises as run does."""
        await self._until(stop or asyncio.Event(), self.step(), deadline)

    async def step(self) -> None:
        """Look once, and bring in all that is there."""
        while await self._round():
            pass

    async def _follow(self, watch: Watch) -> None:
        while True:
            await self.step()
            await watch.wait()

    async def _until(self, stop: asyncio.Event, work: Any, deadline: float | None) -> None:
        self._failure = asyncio.get_running_loop().create_future()
        working = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait(
                (working, stopping, self._failure), return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            # A put that waits for room is broken off: its line was not read, as the state has it.
            for task in (working, stopping):
                task.cancel()
            await asyncio.wait((working, stopping))
            if not self._failure.done():
                await self._flushed(deadline if stop.is_set() else None)
            self.save()
            self.follower.close()
        for one in (self._failure, working):
            if one.done() and not one.cancelled():
                one.result()
        self._failure.cancel()

    async def _flushed(self, deadline: float | None) -> None:
        """All that was put is done, or it took too long, or there was an error."""
        assert self._failure is not None
        flushing = asyncio.ensure_future(self._producer.flush())
        try:
            await asyncio.wait(
                (flushing, self._failure), timeout=deadline, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            flushing.cancel()

    async def _round(self) -> bool:
        """Whether anything was there."""
        self.follower.look()
        self.counters.files = len(self.follower.files)
        found = False
        for file, taken in self.follower.read():
            for record, piece in taken:
                found = True
                await self._put(file, record, piece)
            self._save_in_time()
        self._save_in_time()
        return found

    async def _put(self, file: FollowedFile, record: Framed, piece: Piece) -> None:
        self.counters.bytes += record.length
        if not record.data:
            piece.done()
            return
        self.counters.read += 1
        if record.is_cut:
            self.counters.cut += 1
            log.warning("%s: a record of %d bytes was cut", file.path, record.length)
        future = await self._producer.put(record.data, self._key(record.data, file.path))
        future.add_done_callback(functools.partial(self._settled, file, piece))

    def _settled(self, file: FollowedFile, piece: Piece, future: asyncio.Future[Any]) -> None:
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        if error is None:
            self.counters.accepted += 1
            piece.done()
        elif isinstance(error, InvalidParameter):
            self.counters.refused += 1
            log.warning("%s: a record that ends at %d is refused: %s", file.path, piece.end, error)
            piece.done()
        elif self._failure is not None and not self._failure.done():
            self._failure.set_exception(error)

    def save(self) -> None:
        """Write the state. Raises ConfigurationError."""
        self._saved_at = time.monotonic()
        self._state.save(self.follower.entries())

    def _save_in_time(self) -> None:
        if time.monotonic() - self._saved_at >= SAVE_S:
            self.save()


def default_state(*scope: str) -> Path:
    """Where the state of an agent is kept unless somebody says: a file for each *scope* (the URL,
    the namespace, the stream and the patterns)."""
    home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    name = hashlib.blake2b("\0".join(scope).encode(), digest_size=8).hexdigest()
    return Path(home) / "rmq" / "tail-files" / f"{name}.json"
