"""Framing: where in the bytes of a file a record ends.

A record is a line, or with a start pattern a line that it finds and those after it that it does not
(a stack trace below its message). A line without its end waits for it.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Framed(NamedTuple):
    """One record of a file."""

    data: bytes
    """Without the line break at its end; empty for blank lines, which are no records."""
    length: int
    """Bytes of the file that it took, line breaks too."""
    is_cut: bool = False
    """Whether it was longer than a record may be."""


class Framer:
    """Cuts what is read of one file into records."""

    def __init__(self, most: int, start: re.Pattern[bytes] | None = None) -> None:
        """*most* bytes of a record are kept; *start* is what the first line of each has."""
        self._most = most
        self._start = start
        self._line = bytearray()
        """The line that has no end yet, at most *most* bytes of it."""
        self._line_length = 0
        self._begun: list[bytes] = []
        """The lines of the record that has no end yet."""
        self._begun_length = self._kept = 0
        self._is_cut = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits for its end."""
        return not self._line_length and not self._begun_length

    def feed(self, data: bytes) -> list[Framed]:
        """Take what was read next. The records that end in it."""
        first, *rest = data.split(b"\n")
        self._add(first)
        if not rest:
            return []
        last = rest.pop()
        found = self._end(self._ended_line())
        for line in rest:
            found += self._end(self._whole(line, len(line) + 1))
        self._add(last)
        return found

    def finish(self, *, with_line: bool = True) -> list[Framed]:
        """What waits for its end, as it is: nothing will follow. Without *with_line* a line that
        has no end still waits."""
        found: list[Framed] = []
        if with_line and self._line_length:
            found += self._end(self._ended_line(line_break=0))
        if self._begun_length:
            found.append(self._ended_record())
        return found

    def _add(self, part: bytes) -> None:
        self._line_length += len(part)
        self._line += part[: self._most - len(self._line)]

    def _ended_line(self, line_break: int = 1) -> Framed:
        line = bytes(self._line)
        length = self._line_length
        self._line.clear()
        self._line_length = 0
        if length > len(line):
            return Framed(line, length + line_break, True)
        return self._whole(line, length + line_break)

    def _whole(self, line: bytes, length: int) -> Framed:
        line = line.removesuffix(b"\r")
        return Framed(line[: self._most], length, len(line) > self._most)

    def _end(self, line: Framed) -> list[Framed]:
        """A line is complete: the records that it ends."""
        if self._start is None:
            return [line]
        found = []
        if self._begun_length and self._start.search(line.data):
            found.append(self._ended_record())
        # Only so much is kept as the record may have: a file without a start must fit in memory.
        if self._kept <= self._most:
            self._begun.append(line.data)
            self._kept += len(line.data) + 1
        self._begun_length += line.length
        self._is_cut |= line.is_cut
        return found

    def _ended_record(self) -> Framed:
        data = b"\n".join(self._begun)
        is_cut = self._is_cut or len(data) > self._most
        found = Framed(data[: self._most], self._begun_length, is_cut)
        self._begun.clear()
        self._begun_length = self._kept = 0
        self._is_cut = False
        return found
