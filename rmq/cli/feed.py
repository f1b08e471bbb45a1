"""Feed: all of stdin on its way into a queue, a topic or a stream, one message a line, at full
speed."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from io import BufferedReader
from typing import Any, Generic, TypeVar, cast

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

from rmq import Notification, Outgoing, Record, RmqError
from rmq.cli import failures
from rmq.cli.lines import Failures, pieces
from rmq.cli.output import Output

M = TypeVar("M", Outgoing, Notification, Record)
N = TypeVar("N", Outgoing, Notification)


class Format(StrEnum):
    """What a line of stdin is."""

    PLAIN = "plain"
    JSONL = "jsonl"


def from_stdin(out: Output, text: str | None) -> bool:
    """Whether the messages come from stdin, because no *text* (or -) was given."""
    if text is not None and text != "-":
        return False
    if sys.stdin.isatty():
        out.note("reading messages from this terminal, one a line; Ctrl-D ends")
    return True


def reader(
    kind: Callable[..., N], from_json: Callable[[bytes], N] | None, shared: dict[str, Any]
) -> Callable[[int, bytes], N]:
    """From the number of a line and the line to a message, with what is *shared* by all.

    A line is a body, or with *from_json* an object, whose own fields go before. The shared
    deduplication id is completed by the number of the line.
    """
    given = {name: value for name, value in shared.items() if value not in (None, False)}
    prefix = given.pop("deduplication_id", None)

    def make(number: int, line: bytes) -> N:
        if from_json is not None:
            made = from_json(line)
            for name, value in given.items():
                if getattr(made, name) in (None, False):
                    setattr(made, name, value)
        else:
            made = kind(line, **given)
        if prefix is not None and made.deduplication_id is None:
            made.deduplication_id = f"{prefix}-{number}"
        return made

    return make


class Feed(Generic[M]):
    """All of stdin. *put* hands messages on; *done* is what was done with one then: sent."""

    def __init__(
        self,
        out: Output,
        make: Callable[[int, bytes], M],
        put: Callable[[list[M]], Iterable[Any]],
        done: str,
    ) -> None:
        self._out = out
        self._make: Callable[[int, bytes], M] = make
        self._put: Callable[[list[M]], Iterable[Any]] = put
        self._done = done
        self._failures = Failures()
        self._lines = self._bytes = self._duplicates = 0

    def run(self) -> None:
        """Read to the end of stdin; say how it went, also when it breaks off.

        Raises typer.Exit with REFUSED where a line was.
        """
        stdin = cast(BufferedReader, sys.stdin.buffer)
        begun = time.monotonic()
        columns = (
            SpinnerColumn(),
            TextColumn("{task.fields[lines]:,} lines"),
            BarColumn(),
            TextColumn("{task.fields[rate]:,.0f}/s"),
        )
        try:
            with self._out.progress(*columns) as progress:
                bar = progress.add_task("", total=_size(stdin), lines=0, rate=0)
                for lines in pieces(stdin):
                    self._hand_on(lines)
                    self._draw(progress, bar, begun)
        finally:
            self._report(time.monotonic() - begun)
        if self._failures.count:
            raise typer.Exit(failures.REFUSED)

    def _hand_on(self, lines: list[bytes]) -> None:
        made: list[M] = []
        numbers: list[int] = []
        for number, line in enumerate(lines, self._lines + 1):
            try:
                made.append(self._make(number, line))
                numbers.append(number)
            except RmqError as error:
                self._fail(number, error)
        for place, answer in enumerate(self._put(made)):
            if isinstance(answer, RmqError):
                self._fail(numbers[place], answer)
            elif getattr(answer, "is_duplicate", False):  # a stream has no such thing
                self._duplicates += 1
        self._lines += len(lines)
        self._bytes += sum(map(len, lines)) + len(lines)

    def _fail(self, line: int, error: RmqError) -> None:
        if self._failures.add(line, error) and not self._out.as_json:
            self._out.note(f"line {line}: {failures.sentence(error)}")

    def _draw(self, progress: Progress, bar: TaskID, begun: float) -> None:
        rate = self._lines / max(time.monotonic() - begun, 1e-6)
        progress.update(bar, completed=self._bytes, lines=self._lines, rate=rate)

    def _report(self, seconds: float) -> None:
        done = self._lines - self._failures.count
        rate = done / max(seconds, 1e-6)
        if self._out.as_json:
            self._out.document(
                {
                    "lines": self._lines,
                    self._done: done,
                    "duplicates": self._duplicates,
                    "failed": self._failures.count,
                    "seconds": round(seconds, 3),
                    "per_second": round(rate),
                    "failures": [
                        {"line": line, "error": error.code, "message": failures.sentence(error)}
                        for line, error in self._failures.first
                    ],
                }
            )
            return
        failed = f", {self._failures.count:,} failed" if self._failures.count else ""
        again = f", {self._duplicates:,} of them {self._done} before" if self._duplicates else ""
        self._out.say(
            f"{self._lines:,} lines: {done:,} {self._done}{again}{failed} "
            f"in {seconds:.1f} s ({rate:,.0f}/s)"
        )


def _size(stream: Any) -> int | None:
    """Bytes to come, where stdin is a file."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
