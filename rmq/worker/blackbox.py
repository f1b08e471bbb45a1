"""The black box: what a worker process has in hand, where its supervisor can read it when it is
dead.

A file in memory that both have mapped. So a supervisor knows of a process that was killed in an
instant which messages it was running (they are suspects), which it had not begun (they go back as
they were), and which were done and not yet deleted (they are deleted now, and not done again).

    | head: counts, times | a state a slot | 24 bytes a slot: which message | the last log lines |
"""

from __future__ import annotations

import logging
import mmap
import os
import struct
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rmq.queues.message import Receipt

FREE, BUFFERED, RUNNING, FAILING, DONE, STUCK = range(6)
"""States of a slot."""
_HEAD = struct.Struct("=dQQQQQQB")
_SLOT = struct.Struct("=HHIQQ")
_LENGTH = struct.Struct("=I")
LOG_BYTES = 4_096
"""Of the last log lines, what is kept."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a worker process says of itself, a few times a second."""

    polled: float = 0.0
    """By the monotonic clock, when it last asked for messages or had no room for any."""
    in_hand: int = 0
    buffered: int = 0
    handled: int = 0
    failed: int = 0
    dead: int = 0
    returned: int = 0
    is_ready: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """A message that was in hand."""

    queue: str
    receipt: Receipt
    state: int


class BlackBox:
    """One process's box. The supervisor makes it, and the process opens it by its descriptor."""

    def __init__(self, fd: int, queues: Sequence[str], slots: int) -> None:
        self.fd = fd
        self._queues = list(queues)
        self._slots = slots
        self._states_at = _HEAD.size
        self._entries_at = self._states_at + slots
        self._log_at = self._entries_at + slots * _SLOT.size
        self._map = mmap.mmap(fd, self._log_at + _LENGTH.size + LOG_BYTES)
        self._free = list(range(slots))
        self._numbers = {name: number for number, name in enumerate(self._queues)}

    @classmethod
    def made(cls, queues: Sequence[str], slots: int) -> BlackBox:
        """A new one."""
        size = _HEAD.size + slots * (1 + _SLOT.size) + _LENGTH.size + LOG_BYTES
        if hasattr(os, "memfd_create"):
            fd = os.memfd_create("rmq-worker", 0)
        else:
            fd, path = tempfile.mkstemp(prefix="rmq-worker-")
            os.unlink(path)
        os.truncate(fd, size)
        return cls(fd, queues, slots)

    # --- in the process ---

    def take(self, queue: str, receipt: Receipt) -> int:
        """Note a message that was received. Its slot; -1 when there is none left."""
        if not self._free:
            return -1
        slot = self._free.pop()
        _SLOT.pack_into(
            self._map, self._entries_at + slot * _SLOT.size, self._numbers[queue],
            receipt.receive_count, 0, receipt.seq, receipt.received_ms,
        )  # fmt: skip
        self._map[self._states_at + slot] = BUFFERED
        return slot

    def mark(self, slot: int, state: int) -> None:
        """Note what has become of it."""
        if slot >= 0:
            self._map[self._states_at + slot] = state

    def drop(self, slot: int) -> None:
        """It is not in hand any more."""
        if slot >= 0:
            self._map[self._states_at + slot] = FREE
            self._free.append(slot)

    def say(self, figures: Figures) -> None:
        """Note figures."""
        _HEAD.pack_into(
            self._map, 0, figures.polled, figures.in_hand, figures.buffered, figures.handled,
            figures.failed, figures.dead, figures.returned, figures.is_ready,
        )  # fmt: skip

    def log(self, line: str) -> None:
        """Keep the end of what was logged."""
        start = self._log_at + _LENGTH.size
        (length,) = _LENGTH.unpack_from(self._map, self._log_at)
        kept = self._map[start : start + length] + line.encode(errors="replace") + b"\n"
        kept = kept[-LOG_BYTES:]
        self._map[start : start + len(kept)] = kept
        _LENGTH.pack_into(self._map, self._log_at, len(kept))

    # --- in the supervisor ---

    @property
    def figures(self) -> Figures:
        return Figures(*_HEAD.unpack_from(self._map, 0))

    @property
    def last_lines(self) -> str:
        """The end of what the process logged."""
        start = self._log_at + _LENGTH.size
        (length,) = _LENGTH.unpack_from(self._map, self._log_at)
        return self._map[start : start + min(length, LOG_BYTES)].decode(errors="replace")

    def entries(self) -> Iterator[Entry]:
        """What was in hand when the process died."""
        for slot in range(self._slots):
            state = self._map[self._states_at + slot]
            if state == FREE:
                continue
            number, count, _, seq, received_ms = _SLOT.unpack_from(
                self._map, self._entries_at + slot * _SLOT.size
            )
            if number < len(self._queues) and seq:
                yield Entry(self._queues[number], Receipt(seq, count, received_ms), state)

    def close(self) -> None:
        self._map.close()
        os.close(self.fd)


class BoxHandler(logging.Handler):
    """Logs into a black box as well."""

    def __init__(self, box: BlackBox) -> None:
        super().__init__()
        self._box = box
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._box.log(self.format(record))
        except Exception:
            self.handleError(record)


def now() -> float:
    """The clock of Figures.polled, which all processes of a machine share."""
    return time.monotonic()
