"""A file that is followed: what of it was read, and what of that is in the stream.

    0 ............ acknowledged ............ offset ........ size
       in the stream            on its way           not read yet

Before more is read, the bytes before the offset are looked at again: where they have changed, the
file was truncated and written anew, and is read from its beginning.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from rmq.streams.tailing.framing import Framed, Framer
from rmq.streams.tailing.state import MARKED, Identity, mark_of

CHUNK = 1 << 20
"""Bytes that are read of a file before it is the next one's turn."""


class Piece:
    """The part of a file that one record took."""

    __slots__ = ("_progress", "end", "is_done")

    def __init__(self, progress: Progress, end: int) -> None:
        self._progress = progress
        self.end = end
        self.is_done = False

    def done(self) -> None:
        """The stream has it."""
        self.is_done = True
        self._progress.advance()


class Progress:
    """How far a content is in the stream without a gap, whatever order the answers come in."""

    __slots__ = ("_end", "_pending", "acknowledged")

    def __init__(self, offset: int) -> None:
        self.acknowledged = self._end = offset
        self._pending: deque[Piece] = deque()

    def begin(self, length: int) -> Piece:
        """The next piece of the file."""
        self._end += length
        piece = Piece(self, self._end)
        self._pending.append(piece)
        return piece

    def advance(self) -> None:
        pending = self._pending
        while pending and pending[0].is_done:
            self.acknowledged = pending.popleft().end

    @property
    def is_done(self) -> bool:
        """Whether nothing is on its way."""
        return not self._pending


class Reading:
    """How far one content has been read. A file that is truncated gets another one."""

    __slots__ = ("framer", "marked", "offset", "progress", "tail")

    def __init__(self, framer: Framer, offset: int = 0, tail: bytes = b"") -> None:
        self.framer = framer
        self.offset = offset
        self.tail = tail
        """The up to MARKED bytes before the offset."""
        self.progress = Progress(offset)
        self.marked = offset, mark_of(tail)
        """A place that was in the stream, and its mark."""

    def taken(self, data: bytes) -> Iterator[Taken]:
        """Take what was read next."""
        self.offset += len(data)
        self.tail = (self.tail + data[-MARKED:])[-MARKED:]
        return self._taken(self.framer.feed(data))

    def finished(self, *, with_line: bool) -> Iterator[Taken]:
        """Take what waits for its end as it is."""
        return self._taken(self.framer.finish(with_line=with_line))

    def _taken(self, records: list[Framed]) -> Iterator[Taken]:
        for record in records:
            yield Taken(record, self.progress.begin(record.length))


class Taken(NamedTuple):
    """A record, and the piece of the file that is done when the stream has it."""

    record: Framed
    piece: Piece


class FollowedFile:
    """One file, wherever it is renamed to."""

    def __init__(self, path: str, identity: Identity, framer: Callable[[], Framer]) -> None:
        self.path = path
        self.identity = identity
        self.changed_at = 0.0
        """When it was last seen to have more, or another name."""
        self.is_rotated = False
        """Whether it was renamed or removed, so that nobody is expected to write to it."""
        self.reading = Reading(framer())
        self.before: Reading | None = None
        """Of what it was before it was truncated: a copy may have the rest."""
        self._new_framer = framer
        self._fd: int | None = None
        self._seen: tuple[int, int] | None = None

    def bytes_before(self, offset: int) -> bytes:
        """The up to MARKED bytes before an offset. Raises OSError."""
        start = max(offset - MARKED, 0)
        return os.pread(self._opened(), offset - start, start)

    def resume(self, offset: int) -> None:
        """Go on at an offset. Raises OSError."""
        self.reading = Reading(self._new_framer(), offset, self.bytes_before(offset))

    def resume_at_end(self) -> None:
        """Go on behind the last complete line: one that is being written is read whole.

        Raises OSError.
        """
        end = self.size
        before = end
        while before > 0:
            start = max(before - CHUNK, 0)
            found = os.pread(self._opened(), before - start, start).rfind(b"\n")
            if found >= 0:
                return self.resume(start + found + 1)
            before = start
        self.resume(0)

    def read(self, now: float) -> Iterator[Taken]:
        """What has come, up to CHUNK bytes. Raises OSError."""
        # Most files of a long list have nothing new, and are not opened to see that.
        found = os.stat(self.path) if self._fd is None else os.fstat(self._fd)
        state = found.st_size, found.st_mtime_ns
        reading = self.reading
        if state == self._seen and found.st_size == reading.offset:
            return iter(())
        known = len(reading.tail)
        data = os.pread(self._opened(), known + CHUNK, reading.offset - known)
        if not data.startswith(reading.tail):
            self.before, self.reading = reading, Reading(self._new_framer())
            reading, known = self.reading, 0
            data = os.pread(self._opened(), CHUNK, 0)
        self._seen = state
        if len(data) > known:
            self.changed_at = now
        return reading.taken(data[known:])

    @property
    def size(self) -> int:
        """Bytes that it has now. Raises OSError."""
        return os.fstat(self._opened()).st_size

    def mark(self) -> tuple[int, str]:
        """How far it is in the stream, and the mark of that. Raises OSError.

        Where the bytes are gone, because it was truncated a moment ago, that of the last call.
        """
        reading = self.reading
        offset = reading.progress.acknowledged
        if offset == reading.offset:
            reading.marked = offset, mark_of(reading.tail)
        elif offset != reading.marked[0]:
            before = self.bytes_before(offset)
            if len(before) == min(offset, MARKED):
                reading.marked = offset, mark_of(before)
        return reading.marked

    def close(self) -> None:
        """Give back the descriptor; reading opens the file anew, by its name."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _opened(self) -> int:
        if self._fd is None:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            found = os.fstat(fd)
            if (found.st_dev, found.st_ino) != self.identity:
                os.close(fd)
                raise FileNotFoundError(f"{self.path} is another file by now")
            self._fd = fd
        return self._fd
