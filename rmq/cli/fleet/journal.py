"""Journal: what the workers at one post note, one after the other, line by line, in one file.

    work queue id receive_count time body     before the message is deleted: the work is done
    done queue id receive_count time body     after the delete was answered with True
    sent topic id 0 time body                 after the publish was answered
    kept topic id 0 time body                 the same, when the topic had the position already

Each line is one write to a file that is only appended to, so a SIGKILL leaves whole lines, and
the system keeps what was written. A consumer that dies between the two lines leaves a work
without a done: the verdict counts those against what Redis says was deleted. A publisher that dies
before its line leaves a position that its successor publishes again.

Times are of the monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

Kind = Literal["work", "done", "sent", "kept"]
_KINDS = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Note:
    """One line of a journal."""

    kind: Kind
    queue: str
    id: str
    receive_count: int
    at_ns: int
    body: bytes


class Journal:
    """The file of one post, open for appending."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, kind: Kind, queue: str, id: str, receive_count: int, body: bytes) -> None:
        """Append one line."""
        line = f"{kind} {queue} {id} {receive_count} {time.monotonic_ns()} {body.hex()}\n"
        os.write(self._file, line.encode())

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        os.close(self._file)


def read(path: Path) -> list[Note]:
    """All whole lines of a journal; none where nobody has begun one."""
    notes: list[Note] = []
    if not path.exists():
        return notes
    for line in path.read_bytes().split(b"\n")[:-1]:
        kind, queue, id, count, at, body = line.decode().split(" ")
        assert kind in _KINDS
        notes.append(Note(cast(Kind, kind), queue, id, int(count), int(at), bytes.fromhex(body)))
    return notes
