"""The follower: which files there are, where each is begun, and when one is over.

rename       app.log -> app.log.1, and a new app.log
             The old one is read to its end, under its new name or by its open descriptor.
copytruncate app.log is copied to app.log.1, then truncated
             What app.log had more than was read, its copy has: that is read on from there, and
             no line of the copy twice. Where no pattern finds the copy, what was written
             between our last look and the truncation is lost, as the format of rotation has it.
"""

from __future__ import annotations

import glob
import logging
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from rmq.streams.tailing.file import FollowedFile, Reading, Taken
from rmq.streams.tailing.framing import Framer
from rmq.streams.tailing.state import MARKED, Entry, Identity, mark_of

LINGER_S = 5.0
"""How long a file that was renamed or removed may still get lines: its writer has to notice."""
IDLE_S = 300.0
"""After so long without a line a file's descriptor is given back."""
OPEN_FILES = 200
"""With more files than that, each is closed as soon as it has nothing new. One that is then moved
to where no pattern finds it is not read to its end."""
KEPT_S = 7 * 86400.0
"""How long it is remembered how far a file was read that is not there any more."""
ALIKE = 256
"""So many equal bytes before the same offset, and a related name, make a file a copy."""
COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip")
"""Endings of what rotation has packed; never lines."""

log = logging.getLogger("rmq.tailing")


class Follower:
    """All files that some patterns find."""

    def __init__(
        self,
        patterns: Sequence[str],
        framer: Callable[[], Framer],
        entries: Iterable[Entry] | None = None,
        *,
        at_end: bool = False,
    ) -> None:
        """*entries* are those of a state file, None at the very first start: then *at_end* passes
        over what the files have already. Those that come later are read from their beginning."""
        self.files: dict[Identity, FollowedFile] = {}
        self._patterns = list(patterns)
        self._framer = framer
        self._entries = {entry.identity: entry for entry in entries or ()}
        """Of files that have not been found again."""
        self._copies: dict[Identity, tuple[FollowedFile, Reading]] = {}
        """Copies that wait for the truncation of what they are copies of."""
        self._present: set[Identity] = set()
        self._is_first_look = True
        self._at_end = at_end and entries is None
        self._troubled: set[str] = set()

    def look(self, now: float | None = None) -> None:
        """See which files have come, were renamed and are gone. *now* is of time.monotonic()."""
        now = time.monotonic() if now is None else now
        found: dict[Identity, tuple[int, str]] = {}
        for path in self._paths():
            try:
                status = os.stat(path)
            except OSError:
                continue  # gone meanwhile, or a link to nothing
            if stat.S_ISREG(status.st_mode):
                found.setdefault((status.st_dev, status.st_ino), (status.st_mtime_ns, path))
        # The oldest first: what rotation put aside has the lines before those of its successor. But
        # before that those that were known: others may be copies of them.
        for identity, (_, path) in sorted(
            found.items(), key=lambda one: (one[0] not in self._entries, one[1])
        ):
            if identity not in self.files:
                self._meet(path, identity, now)
            elif path != self.files[identity].path:
                self._rotate(self.files[identity], now, path)
        for identity in self.files.keys() & self._present - found.keys():
            self._rotate(self.files[identity], now)
        for identity in self.files.keys() & self._entries.keys():
            del self._entries[identity]
        self._present = set(found)
        self._is_first_look = self._at_end = False

    def read(self, now: float | None = None) -> Iterator[tuple[FollowedFile, Iterator[Taken]]]:
        """What has come in each file, a piece of each; none at all when everything was read."""
        now = time.monotonic() if now is None else now
        for file in tuple(self.files.values()):
            try:
                if file.identity in self._copies and not self._is_settled(file, now):
                    continue
                offset = file.reading.offset
                taken = file.read(now)
            except OSError as error:
                self._complain(file.path, error)
                if file.identity not in self._present:
                    self._drop(file)
                continue
            self._troubled.discard(file.path)
            yield file, taken
            if file.reading.offset == offset:
                yield from self._at_rest(file, now)

    def entries(self) -> list[Entry]:
        """How far each file is in the stream, for a state file."""
        now = time.time()
        found = {
            identity: entry
            for identity, entry in self._entries.items()
            if entry.seen > now - KEPT_S
        }
        for file in self.files.values():
            entry = self._entry(file, now)
            if entry is not None:
                found[file.identity] = entry
        return list(found.values())

    def _entry(self, file: FollowedFile, now: float) -> Entry | None:
        try:
            return Entry(file.path, *file.identity, *file.mark(), now)
        except OSError:
            return None

    def close(self) -> None:
        """Give back all descriptors."""
        for file in self.files.values():
            file.close()

    def _paths(self) -> Iterator[str]:
        for pattern in self._patterns:
            for path in glob.iglob(pattern, recursive=True):
                if not path.endswith(COMPRESSED):
                    yield os.path.abspath(path)

    def _meet(self, path: str, identity: Identity, now: float) -> None:
        file = FollowedFile(path, identity, self._framer)
        file.changed_at = now
        try:
            if not self._resumed(file) and self._at_end:
                file.resume_at_end()
        except OSError as error:
            # Not kept: it is met again at the next look, when it can be read perhaps.
            self._complain(path, error)
            file.close()
            return
        self.files[identity] = file

    def _resumed(self, file: FollowedFile) -> bool:
        """Whether it was known before, or is a copy of one that is. Raises OSError."""
        own = self._entries.get(file.identity)
        if own is not None:
            if not _has(file, own.offset, own.mark):
                return False  # the inode of a file that is gone, or this file written anew
            del self._entries[file.identity]
            file.resume(own.offset)
            return True
        if self._is_first_look:
            # While nobody looked a file may have been copied or moved to another disk. Later that
            # is seen when it happens, and a file that only begins like another one is new.
            for entry in self._entries.values():
                if _related(file.path, entry.path, entry.offset) and _has(
                    file, entry.offset, entry.mark
                ):
                    file.resume(entry.offset)
                    return True
        return self._is_copy(file)

    def _is_copy(self, file: FollowedFile) -> bool:
        for other in self.files.values():
            for reading in (other.reading, other.before):
                if (
                    reading is not None
                    and _related(file.path, other.path, reading.offset)
                    and _has(file, reading.offset, mark_of(reading.tail))
                ):
                    self._copies[file.identity] = other, reading
                    file.resume(reading.progress.acknowledged)
                    return True
        return False

    def _is_settled(self, copy: FollowedFile, now: float) -> bool:
        """Whether it is clear from where a copy is to be read. Raises OSError."""
        original, reading = self._copies[copy.identity]
        if original.reading is not reading or self.files.get(original.identity) is not original:
            copy.reading, original.before = reading, None  # truncated: the copy has the rest
        elif original.size < reading.offset:
            return False  # this very moment
        elif original.bytes_before(copy.size) != copy.bytes_before(copy.size):
            copy.resume(0)  # it only looked like a copy
        elif now - copy.changed_at < LINGER_S or reading.offset < copy.size:
            return False  # it may still be truncated
        else:
            copy.resume(copy.size)  # copied, and never truncated
        del self._copies[copy.identity]
        return True

    def _rotate(self, file: FollowedFile, now: float, path: str | None = None) -> None:
        file.path = path or file.path
        file.is_rotated = True
        file.changed_at = now

    def _at_rest(
        self, file: FollowedFile, now: float
    ) -> Iterator[tuple[FollowedFile, Iterator[Taken]]]:
        """A file in which nothing came: what is begun may be over, and so may be the file."""
        quiet_s = now - file.changed_at
        if quiet_s >= LINGER_S and not file.reading.framer.is_empty:
            yield file, file.reading.finished(with_line=file.is_rotated)
        if not file.reading.progress.is_done or file.identity in self._copies:
            return
        if file.identity not in self._present and quiet_s >= LINGER_S:
            self._drop(file)
        elif quiet_s >= IDLE_S or len(self.files) > OPEN_FILES:
            file.close()

    def _drop(self, file: FollowedFile) -> None:
        """Follow a file no longer. How far it was read is remembered: a disk may come back."""
        entry = self._entry(file, time.time())
        if entry is not None:
            self._entries[file.identity] = entry
        file.close()
        self.files.pop(file.identity, None)
        self._copies.pop(file.identity, None)

    def _complain(self, path: str, error: OSError) -> None:
        if path not in self._troubled:
            self._troubled.add(path)
            log.warning("%s can not be read (%s); it is tried again", path, error.strerror or error)


def _has(file: FollowedFile, offset: int, mark: str) -> bool:
    """Whether a file has before *offset* what the mark is of. Raises OSError."""
    before = file.bytes_before(offset)
    return len(before) == min(offset, MARKED) and mark_of(before) == mark


def _related(path: str, original: str, offset: int) -> bool:
    """Whether the names are of a file and its copy (app.log, app.log.1, app-20260131.log), and
    enough was read of it to tell."""
    stem, _ = os.path.splitext(os.path.basename(original))
    return offset >= ALIKE and os.path.basename(path).startswith(stem)
