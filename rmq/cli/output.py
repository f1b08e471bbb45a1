"""Output: how answers look. Tables and bars for people, JSON for programs, lines for pipes.

    stdout   the answer, and nothing else
    stderr   progress, notes and failures

With --json an answer is one document, or one object a line where messages stream. Times are
ISO 8601, durations are seconds, and bytes that are not UTF-8 are base64 in a field of their own.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from rich import box
from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 10_000
"""Columns of a table that no terminal shows: nothing is cut for a program that reads it."""


class Output:
    """Where a command's answer goes, and in which of the two forms."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.console = _console(stderr=False)
        self.notes = _console(stderr=True)

    @property
    def is_terminal(self) -> bool:
        """Whether a person looks at the answer as it comes."""
        return self.console.is_terminal and not self.as_json

    def document(self, value: Mapping[str, Any]) -> None:
        """Print one JSON document."""
        print(msgspec.json.format(encoded(value), indent=2).decode(), flush=True)

    def line(self, value: Mapping[str, Any]) -> None:
        """Print one JSON object on a line of its own."""
        print(encoded(value).decode(), flush=True)

    def raw(self, body: bytes) -> None:
        """Print a body as it is, on a line of its own."""
        sys.stdout.flush()
        sys.stdout.buffer.write(body + b"\n")
        sys.stdout.buffer.flush()

    def show(self, *parts: RenderableType) -> None:
        """Print for people."""
        self.console.print(*parts)

    def say(self, text: str) -> None:
        """Print a sentence for people; its brackets are not markup."""
        self.console.print(Text(text), soft_wrap=True)

    def note(self, text: str) -> None:
        """Print a sentence on stderr."""
        self.notes.print(Text(text), soft_wrap=True)

    def progress(self, *columns: ProgressColumn) -> Progress:
        """A bar on stderr, where a terminal shows it; nothing otherwise."""
        columns = columns or (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[state]}"),
        )
        hidden = self.as_json or not self.notes.is_terminal
        return Progress(*columns, console=self.notes, disable=hidden)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


def table(*headings: str, title: str | None = None) -> Table:
    """An empty table. A heading that begins with > is of numbers."""
    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for heading in headings:
        right = heading.startswith(">")
        made.add_column(
            heading.lstrip(">"),
            justify="right" if right else "left",
            no_wrap=right,
            overflow="fold",
            header_style="bold",
        )
    return made


def pairs(title: str, rows: Iterable[tuple[str, str]]) -> Group:
    """A title, and a table of names and values."""
    made = Table(box=None, show_header=False)
    made.add_column(style="cyan", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        made.add_row(name, Text(value))
    return Group(Text(title, style="bold"), made)


# --- values, for programs -----------------------------------------------------------------------


def encoded(value: Any) -> bytes:
    """A value as JSON."""
    return msgspec.json.encode(plain(value))


def plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        return int(seconds) if seconds.is_integer() else seconds
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [plain(one) for one in value]
    return value


def bytes_field(name: str, value: bytes) -> dict[str, str]:
    """Bytes as a field: *name* where they are UTF-8, else *name*_base64."""
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(value).decode()}


# --- values, for people -------------------------------------------------------------------------


def shown_duration(value: timedelta) -> str:
    """A duration in at most two units: 0 s, 1.5 s, 3 min, 1 h 20 min, 4 d."""
    seconds = value.total_seconds()
    if seconds < 60:
        return f"{seconds:.3g} s"
    parts = []
    left = int(seconds)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def shown_age(since: datetime | None) -> str:
    """How long ago that was, by this machine's clock; '-' for never."""
    if since is None:
        return "-"
    age = (datetime.now(UTC) - since) // timedelta(seconds=1)
    return shown_duration(timedelta(seconds=max(age, 0)))


def shown_time(moment: datetime) -> str:
    """A moment to the second, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def shown_body(body: bytes, longest: int | None = None) -> str:
    """A body as a terminal may show it: no control character of a sender's reaches it."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = f"({len(body)} bytes, not UTF-8) {body.hex()}"
    safe = "".join(one if one.isprintable() or one == "\n" else repr(one)[1:-1] for one in text)
    if longest is not None:
        safe = safe.replace("\n", "\\n")
        if len(safe) > longest:
            safe = safe[: longest - 1] + "…"
    return safe
