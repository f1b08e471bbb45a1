"""Watching: counts and rates of queues, again and again, until Ctrl-C.

Rates are differences of totals that Redis keeps, so they hold for all clients together.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.table import Table

from rmq import Client, QueueStats
from rmq.cli import values
from rmq.cli.output import Output, shown_age, table
from rmq.cli.queue import shapes
from rmq.cli.session import queue_names, session_of
from rmq.errors import QueueDoesNotExist

RATES = ("sent", "received", "deleted")


def watch(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="Queues, or prefixes that end in *. All if left out.",
            autocompletion=queue_names,
        ),
    ] = None,
    interval: Annotated[
        timedelta,
        typer.Option(
            parser=values.duration, metavar="DURATION", help="Between looks.", show_default="1s"
        ),
    ] = timedelta(seconds=1),
    count: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Look so often, then end. Default: until Ctrl-C."),
    ] = None,
) -> None:
    """Watch queues: what is in them, and how fast it comes and goes."""
    session = session_of(ctx)
    if interval <= timedelta(0):
        raise values.WrongUsage("--interval must be longer than 0", ctx=ctx)
    client = session.client
    before: dict[str, Look] = {}
    with _screen(session.output) as draw:
        looks = 0
        while True:
            now = look(client, names or ["*"])
            draw(now, before)
            before = now
            looks += 1
            if looks == count:
                return
            time.sleep(interval.total_seconds())


@dataclass(frozen=True, slots=True)
class Look:
    """One look at one queue."""

    at: float
    """Seconds of the monotonic clock."""
    stats: QueueStats

    def rates(self, before: Look | None) -> dict[str, float | None]:
        """Messages a second since *before*; None at the first look."""
        if before is None or self.at <= before.at:
            return dict.fromkeys(RATES)
        # A queue that was removed and created again counts from zero.
        return {
            name: max(getattr(self.stats, name) - getattr(before.stats, name), 0)
            / (self.at - before.at)
            for name in RATES
        }


def look(client: Client, patterns: list[str]) -> dict[str, Look]:
    """Look at every queue that *patterns* name. Raises QueueDoesNotExist for a full name."""
    found: dict[str, Look] = {}
    for pattern in patterns:
        if not pattern.endswith("*"):
            found[pattern] = Look(time.monotonic(), client.queue(pattern).stats())
            continue
        for queue in client.all_queues(pattern[:-1]):
            with contextlib.suppress(QueueDoesNotExist):  # removed while we looked
                found[queue.name] = Look(time.monotonic(), queue.stats())
    return found


Draw = Callable[[dict[str, Look], dict[str, Look]], None]


@contextlib.contextmanager
def _screen(out: Output) -> Iterator[Draw]:
    """A way to draw: in place on a terminal, one below the other in a pipe, a line as JSON."""
    if out.as_json:
        yield lambda now, before: out.line(_shape(now, before))
    elif not out.is_terminal:
        yield lambda now, before: out.show(_table(now, before))
    else:
        with Live(console=out.console, auto_refresh=False) as live:
            yield lambda now, before: live.update(_table(now, before), refresh=True)


def _shape(now: dict[str, Look], before: dict[str, Look]) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC),
        "queues": [
            {
                "name": name,
                **shapes.counts_shape(one.stats),
                "per_second": {
                    rate: None if value is None else round(value, 1)
                    for rate, value in one.rates(before.get(name)).items()
                },
            }
            for name, one in now.items()
        ],
    }


def _table(now: dict[str, Look], before: dict[str, Look]) -> Table:
    headings = ("queue", ">visible", ">in flight", ">delayed", ">oldest")
    rows = table(*headings, *(f">{name}/s" for name in RATES))
    for name, one in now.items():
        rates = one.rates(before.get(name)).values()
        rows.add_row(
            name,
            *(f"{getattr(one.stats, count):,}" for count in shapes.COUNTS),
            shown_age(one.stats.oldest_sent_at),
            *("-" if rate is None else f"{rate:,.0f}" for rate in rates),
        )
    if not now:
        rows.add_row("no queues yet", *[""] * 7)
    return rows
