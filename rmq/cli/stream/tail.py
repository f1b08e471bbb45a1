"""Tailing a stream: its records as they are put, live, until Ctrl-C."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Annotated

import typer
from rich.live import Live
from rich.text import Text

from rmq import Stream, StreamRecord
from rmq.cli import values
from rmq.cli.output import Output, shown_body, shown_duration
from rmq.cli.session import session_of, shard_ids
from rmq.cli.stream import shapes
from rmq.cli.stream.manage import Name
from rmq.cli.stream.shards import named_shard
from rmq.streams.following import Start
from rmq.streams.producing.aggregation import deaggregated

COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red")
"""Of shards, by their numbers."""
SHOWN_KEY = 24
"""Characters of a partition key."""
WINDOW_S = 2.0
"""What the rate is of."""


Draw = Callable[[StreamRecord], None]


def start_of(text: str | datetime) -> Start:
    """Read LATEST, TRIM_HORIZON, or a moment. Raises typer.BadParameter."""
    if isinstance(text, datetime):
        return text
    words: dict[str, Start] = {"LATEST": "LATEST", "TRIM_HORIZON": "TRIM_HORIZON"}
    if (word := text.strip().upper()) in words:
        return words[word]
    try:
        return values.moment(text)
    except typer.BadParameter:
        raise typer.BadParameter(
            f"{text!r} is not a start; write LATEST, TRIM_HORIZON, 2026-01-31T15:00:00Z, or how "
            "long ago: 90s, 15m, 12h"
        ) from None


StartOption = Annotated[
    str,
    typer.Option(
        "--start",
        parser=start_of,
        metavar="WHERE",
        help="LATEST, TRIM_HORIZON (the oldest), a time, or how long ago: 15m.",
    ),
]


def tail(
    ctx: typer.Context,
    name: Name,
    start: StartOption = "LATEST",
    shard: Annotated[
        str | None,
        typer.Option(metavar="SHARD", help="Only this one.", autocompletion=shard_ids),
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", "-k", metavar="TEXT", help="Only this partition key.")
    ] = None,
    number: Annotated[
        int | None,
        typer.Option(
            "-n", "--max", metavar="N", min=1, help="End after so many. Default: until Ctrl-C."
        ),
    ] = None,
    no_follow: Annotated[
        bool,
        typer.Option(
            "--no-follow",
            metavar="",
            help="End when all that is there was read.",
            show_default=False,
        ),
    ] = False,
    packed: Annotated[
        bool,
        typer.Option(
            "--packed",
            metavar="",
            help="Show aggregated records as they are, and not those in them.",
            show_default=False,
        ),
    ] = False,
) -> None:
    """Follow a stream: records as they are put.

    It prints data as it is, --json all the rest too, as one object a line; on a terminal each with
    time, shard and key, and below how far behind it is.
    """
    session = session_of(ctx)
    stream = session.client.stream(name)
    begin = start_of(start)
    only = None if shard is None else named_shard(shard)
    seen = Seen(stream, begin, only, follow=not no_follow, packed=packed)
    count = 0
    with _screen(session.output, seen) as draw:
        for record in seen.records():
            if key is not None and record.partition_key != key:
                continue
            draw(record)
            count += 1
            if count == number:
                return


class Seen:
    """What was read until now, and how far behind that is."""

    def __init__(
        self, stream: Stream, start: Start, shard: str | None, *, follow: bool, packed: bool
    ) -> None:
        self._stream = stream
        self._start: Start = start
        self._shard = shard
        self._follow = follow
        self._packed = packed
        self._behind: dict[str, int] = {}
        self._count = 0
        self._window: list[tuple[float, int]] = []

    def records(self) -> Iterator[StreamRecord]:
        """Every record, in order."""
        stream = self._stream
        batches = stream.batches(start=self._start, shard_id=self._shard, follow=self._follow)
        for batch in batches:
            self._behind[batch.shard_id] = batch.millis_behind_latest
            for record in batch.records if self._packed else deaggregated(batch, stream.known):
                self._count += 1
                yield record
            if batch.next_position is None:
                del self._behind[batch.shard_id]

    def line(self) -> Text:
        """How it stands, in one line."""
        now = time.monotonic()
        self._window = [one for one in self._window if now - one[0] <= WINDOW_S]
        self._window.append((now, self._count))
        since, before = self._window[0]
        rate = (self._count - before) / max(now - since, 0.001)
        behind = max(self._behind.values(), default=0)
        lag = shown_duration(timedelta(milliseconds=behind))
        style = "green" if behind < 1000 else "yellow" if behind < 60_000 else "bold red"
        return Text.assemble(
            (f"{self._count:,} records  {rate:,.0f}/s  ", "dim"), (f"lag {lag}", style)
        )


@contextlib.contextmanager
def _screen(out: Output, seen: Seen) -> Iterator[Draw]:
    """A way to show a record: in colours above the state, as it is in a pipe, a line as JSON."""
    if out.as_json:
        yield lambda record: out.line(shapes.record_shape(record))
    elif not out.is_terminal:
        yield lambda record: out.raw(record.data)
    else:
        out.note(f"following {seen._stream.name}; Ctrl-C ends")
        with Live(
            get_renderable=seen.line, console=out.console, refresh_per_second=4, transient=True
        ) as live:
            yield lambda record: live.console.print(shown_record(record), soft_wrap=True)


def shown_record(record: StreamRecord) -> Text:
    """A record on one line: when it came, its shard, its key, its data."""
    at = record.approximate_arrival_timestamp.strftime("%H:%M:%S.%f")[:-3]
    key = shown_body((record.partition_key or "").encode(), SHOWN_KEY)
    return Text.assemble(
        (at, "dim"),
        (f" {record.shard:>3} ", COLOURS[record.shard % len(COLOURS)]),
        (key, "bold"),
        " ",
        shown_body(record.data, 10_000),
    )
