"""Sending: one message from the command line, or all of stdin, one a line, at full speed."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from io import BufferedReader
from typing import Annotated, Any, cast

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

from rmq import Outgoing, Queue, RmqError
from rmq.cli import failures, values
from rmq.cli.queue import shapes
from rmq.cli.queue.lines import Failures, from_json, pieces
from rmq.cli.queue.manage import Name
from rmq.cli.session import Session, session_of


class Format(StrEnum):
    """What a line of stdin is."""

    PLAIN = "plain"
    JSONL = "jsonl"


def send(
    ctx: typer.Context,
    name: Name,
    body: Annotated[
        str | None,
        typer.Argument(
            metavar="BODY", help="The message; left out or - reads stdin.", show_default=False
        ),
    ] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            "--attribute",
            metavar="NAME[:TYPE]=VALUE",
            help="String unless a TYPE says Number, Binary (base64) or String.label. Repeatable.",
        ),
    ] = None,
    delay: Annotated[
        timedelta | None,
        typer.Option(parser=values.duration, metavar="DURATION", help="Invisible at first."),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Message group id: a FIFO queue keeps the order within it, on a standard queue no "
            "group waits for the backlog of another.",
        ),
    ] = None,
    dedup_id: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="Deduplication id; from stdin each line's number is added to it."
        ),
    ] = None,
    trace_header: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The system attribute AWSTraceHeader.")
    ] = None,
    format: Annotated[
        Format,
        typer.Option(
            metavar="plain|jsonl",
            help="plain: a line is a body. jsonl: a line is "
            '{"body", "attributes", "delay", "group", "dedup_id", "trace_header"}.',
        ),
    ] = Format.PLAIN,
) -> None:
    """Send a message, or every line of stdin as one.

    Lines that are refused are named on stderr; the others are sent; the status is 1.
    With --dedup-id, a stream that broke off can be sent again: nothing arrives twice.
    """
    session = session_of(ctx)
    shared: dict[str, Any] = {
        "attributes": values.message_attributes(attribute or ()) or None,
        "delay": delay,
        "message_group_id": group,
        "deduplication_id": dedup_id,
        "trace_header": trace_header,
    }
    queue = session.client.queue(name)
    if body is not None and body != "-":
        _send_one(session, queue, body, shared)
        return
    if sys.stdin.isatty():
        session.output.note("reading messages from this terminal, one a line; Ctrl-D ends")
    make = _reader(shared, is_json=format is Format.JSONL)
    if Stream(session, queue, make).send().count:
        raise typer.Exit(failures.REFUSED)


def _send_one(session: Session, queue: Queue, body: str, shared: dict[str, Any]) -> None:
    sent = queue.send(os.fsencode(body), **shared)
    if session.as_json:
        session.output.document(shapes.sent_shape(sent))
        return
    note = ", which was sent before" if sent.is_duplicate else ""
    number = f", sequence number {sent.sequence_number}" if sent.sequence_number else ""
    session.output.say(f"sent {sent.id}{number}{note}")


Make = Callable[[int, bytes], Outgoing]
"""From the number of a line and the line to a message."""


def _reader(shared: dict[str, Any], *, is_json: bool) -> Make:
    given = {name: value for name, value in shared.items() if value is not None}
    prefix = given.pop("deduplication_id", None)

    def make(number: int, line: bytes) -> Outgoing:
        if is_json:
            made = from_json(line)
            for name, value in given.items():
                if getattr(made, name) is None:
                    setattr(made, name, value)
        else:
            made = Outgoing(body=line, **given)
        if prefix is not None and made.deduplication_id is None:
            made.deduplication_id = f"{prefix}-{number}"
        return made

    return make


class Stream:
    """All of stdin on its way into a queue."""

    def __init__(self, session: Session, queue: Queue, make: Make) -> None:
        self._out = session.output
        self._queue = queue
        self._make = make
        self._failures = Failures()
        self._lines = self._bytes = self._duplicates = 0

    def send(self) -> Failures:
        """Send to the end of stdin; say how it went, also when it breaks off."""
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
                    self._send(lines)
                    self._draw(progress, bar, begun)
        finally:
            self._report(time.monotonic() - begun)
        return self._failures

    def _send(self, lines: list[bytes]) -> None:
        made: list[Outgoing] = []
        numbers: list[int] = []
        for number, line in enumerate(lines, self._lines + 1):
            try:
                made.append(self._make(number, line))
                numbers.append(number)
            except RmqError as error:
                self._fail(number, error)
        result = self._queue.send_many(made)
        for place, sent in enumerate(result.results):
            if isinstance(sent, RmqError):
                self._fail(numbers[place], sent)
            elif sent.is_duplicate:
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
        sent = self._lines - self._failures.count
        rate = sent / max(seconds, 1e-6)
        if self._out.as_json:
            self._out.document(
                {
                    "lines": self._lines,
                    "sent": sent,
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
        again = f", {self._duplicates:,} of them sent before" if self._duplicates else ""
        self._out.say(
            f"{self._lines:,} lines: {sent:,} sent{again}{failed} "
            f"in {seconds:.1f} s ({rate:,.0f}/s)"
        )


def _size(stream: Any) -> int | None:
    """Bytes to come, where stdin is a file."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
