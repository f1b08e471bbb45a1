"""State: a file that says how far each followed file has been brought into the stream.

It is written anew beside itself and put in its place, so it is always whole. One agent at a time
holds it. Which file an entry is of, device and inode say; and a mark, the digest of the bytes
before the offset, says whether it is still the same content: an inode may be given to another file,
and a file may be truncated and written anew, while nobody looks.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import IO

import msgspec

from rmq.errors import ConfigurationError

MARKED = 1024
"""Bytes before an offset that its mark is of."""
VERSION = 1

Identity = tuple[int, int]
"""Device and inode."""


class Entry(msgspec.Struct, frozen=True):
    """How far one file has been brought into the stream."""

    path: str
    device: int
    inode: int
    offset: int
    mark: str
    """Of the up to MARKED bytes before the offset."""
    seen: float
    """When the file was last there; seconds since 1970."""

    @property
    def identity(self) -> Identity:
        return self.device, self.inode


class Content(msgspec.Struct):
    """What stands in a state file."""

    version: int
    stream: str
    files: list[Entry]


def mark_of(before: bytes) -> str:
    """The mark of an offset, from the bytes before it."""
    return blake2b(before[-MARKED:], digest_size=16).hexdigest()


class State:
    """A state file. Use it as a context: it is held meanwhile."""

    def __init__(self, path: Path, stream: str) -> None:
        """*stream* is where the files go; the state of another one is refused."""
        self.path = path
        self._stream = stream
        self._lock: IO[bytes] | None = None

    def __enter__(self) -> State:
        """Raises ConfigurationError where another agent holds it, or it can not be made."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = open(f"{self.path}.lock", "wb")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.__exit__()
            raise ConfigurationError(
                f"another agent works with {self.path}; give each its own (--state)"
            ) from None
        except OSError as error:
            self.__exit__()
            raise ConfigurationError(f"no state can be kept in {self.path}: {error}") from None
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def load(self) -> list[Entry] | None:
        """What it says; None where there is none yet.

        Raises ConfigurationError for a file that is not a state, or another stream's.
        """
        try:
            content = msgspec.json.decode(self.path.read_bytes(), type=Content)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            raise ConfigurationError(
                f"{self.path} can not be read as a state ({error}); remove it to begin anew"
            ) from None
        if content.version != VERSION or content.stream != self._stream:
            raise ConfigurationError(
                f"{self.path} is the state of stream {content.stream!r} (version "
                f"{content.version}), not of {self._stream!r}; give another --state"
            )
        return content.files

    def save(self, entries: Iterable[Entry]) -> None:
        """Replace what it says. Raises ConfigurationError where that is not possible."""
        beside = f"{self.path}.new"
        data = msgspec.json.encode(Content(VERSION, self._stream, list(entries)))
        try:
            with open(beside, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self.path)
        except OSError as error:
            raise ConfigurationError(f"no state can be kept in {self.path}: {error}") from None
