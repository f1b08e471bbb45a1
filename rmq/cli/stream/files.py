"""Tailing files: what is written to files goes into a stream, until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.text import Text

import rmq
from rmq import Limits
from rmq.cli import failures, values
from rmq.cli.options import Interval, StopAfter
from rmq.cli.output import Output
from rmq.cli.session import Session, session_of, stream_names
from rmq.cli.stopping import Stop, log_to_stderr, runner
from rmq.cli.stream.keys import Key, KeyPattern, key_rule
from rmq.streams.tailing import Agent
from rmq.streams.tailing.agent import AgentCounters, default_state
from rmq.streams.tailing.keys import compiled
from rmq.streams.tailing.state import State

RATES = ("read", "accepted")


def tail_files(
    ctx: typer.Context,
    patterns: Annotated[
        list[str],
        typer.Argument(
            metavar="PATTERN...",
            help="Files: names, *, ?, and ** for all folders below. In quotes, so that those that "
            "come later are found too.",
            show_default=False,
        ),
    ],
    stream: Annotated[
        str,
        typer.Option(
            "--stream",
            "-s",
            metavar="NAME",
            help="Where the records go.",
            autocompletion=stream_names,
            show_default=False,
        ),
    ],
    key: Key = None,
    key_pattern: KeyPattern = None,
    key_file: Annotated[
        bool,
        typer.Option(
            "--key-file",
            metavar="",
            help="The partition key is the file's name: its lines keep their order.",
            show_default=False,
        ),
    ] = False,
    start: Annotated[
        str,
        typer.Option(
            metavar="start|end",
            help="Where the very first run begins in files that are there.",
        ),
    ] = "end",
    multi_line: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX",
            help="A line in which it finds something begins a record, the others go on with it. "
            "Default: a line is a record.",
        ),
    ] = None,
    aggregate: Annotated[
        bool,
        typer.Option(
            "--aggregate/--no-aggregate",
            help="Pack many lines into one record, as Amazon's KPL does.",
        ),
    ] = True,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where it is kept how far each file is. Default: one in ~/.local/state/rmq for "
            "each stream and patterns.",
            show_default=False,
        ),
    ] = None,
    stop_after: StopAfter = timedelta(seconds=20),
    interval: Interval = timedelta(seconds=1),
    once: Annotated[
        bool,
        typer.Option(
            "--once", metavar="", help="Bring in what is there now, and end.", show_default=False
        ),
    ] = False,
) -> None:
    """Follow files that grow, and put each line into a stream.

    Each arrives at least once. Files that are renamed (logrotate), or copied and truncated, are
    read to their end. After a stop, a crash or a reboot it goes on where it was. A last line
    without a line break waits for its end.
    With rmq\\[files] installed the system tells of changes, and lines arrive sooner.
    """
    session = session_of(ctx)
    if start not in ("start", "end"):
        raise values.WrongUsage(f"--start is start or end, not {start!r}", ctx=ctx)
    if interval <= timedelta(0):
        raise values.WrongUsage("--interval must be longer than 0", ctx=ctx)
    options: dict[str, Any] = {
        "key": key_rule(key, key_pattern, by_file=key_file),
        "at_end": start == "end",
        "start_pattern": multi_line,
    }
    if multi_line is not None:
        compiled("--multi-line", multi_line)
    log_to_stderr()
    work = _work(
        session, patterns, stream, state, options, aggregate, stop_after, interval, once=once
    )
    with runner() as running:
        status = running.run(work)
    raise typer.Exit(status)


async def _work(
    session: Session,
    patterns: list[str],
    name: str,
    path: Path | None,
    options: dict[str, Any],
    aggregate: bool,
    stop_after: timedelta,
    interval: timedelta,
    *,
    once: bool,
) -> int:
    limits = Limits.none() if session.no_limits else None
    client = rmq.connect_async(session.url, namespace=session.namespace, limits=limits)
    async with client:
        stream = client.stream(name)
        info = await stream.info()
        if path is None:
            scope = failures.one_line(client.settings.url), client.namespace, name
            path = default_state(*scope, *map(str, map(Path.absolute, map(Path, patterns))))
        producer = stream.producer(aggregation=aggregate, record_ttl=None)
        with State(path, info.arn) as state:
            agent = Agent(
                producer,
                patterns,
                state,
                max_record_size=info.attributes.max_record_size,
                **options,
            )
            stop = Stop()
            try:
                if once:
                    await agent.drain(stop.wanted, deadline=stop_after.total_seconds())
                else:
                    agent.follower.look()  # what comes from now on is new
                    session.output.note(f"following {', '.join(patterns)} into {name}; Ctrl-C ends")
                    running = agent.run(stop.wanted, deadline=stop_after.total_seconds())
                    await _shown(session.output, agent, asyncio.ensure_future(running), interval)
            finally:
                # What is left is not in the state, so it is read again.
                await producer.close(timeout=0)
        _show_end(session.output, agent.counters)
        if agent.counters.refused:
            return failures.REFUSED
        return stop.status


async def _shown(
    out: Output, agent: Agent, running: asyncio.Future[None], interval: timedelta
) -> None:
    """Draw until it ends."""
    with _screen(out) as draw:
        before, at = dict.fromkeys(RATES, 0), time.monotonic()
        while not running.done():
            await asyncio.wait((running,), timeout=interval.total_seconds())
            counters, now = agent.counters.as_dict(), time.monotonic()
            draw(counters, {name: (counters[name] - before[name]) / (now - at) for name in RATES})
            before, at = counters, now
    await running


Draw = Callable[[dict[str, int], dict[str, float]], None]


@contextlib.contextmanager
def _screen(out: Output) -> Iterator[Draw]:
    """A way to draw: one line in place on a terminal, a line each as JSON, nothing in a pipe."""
    if out.as_json:
        yield lambda counters, rates: out.line(
            {
                "at": datetime.now(UTC),
                **counters,
                "per_second": {name: round(one, 1) for name, one in rates.items()},
            }
        )
    elif not out.is_terminal:
        yield lambda counters, rates: None
    else:
        with Live(console=out.console, auto_refresh=False, transient=True) as live:
            yield lambda counters, rates: live.update(_line(counters, rates), refresh=True)


def _line(counters: dict[str, int], rates: dict[str, float]) -> Text:
    parts = [f"{name} {counters[name]:,} ({rates[name]:,.0f}/s)" for name in RATES]
    waiting = counters["read"] - counters["accepted"] - counters["refused"]
    parts.append(f"{counters['files']:,} files")
    if waiting:
        parts.append(f"on their way {waiting:,}")
    return Text("  ".join(parts))


def _show_end(out: Output, counters: AgentCounters) -> None:
    if out.as_json:
        out.line({"at": datetime.now(UTC), **counters.as_dict()})
        return
    cut = f", {counters.cut:,} were cut" if counters.cut else ""
    refused = f", {counters.refused:,} were refused" if counters.refused else ""
    out.say(
        f"{counters.accepted:,} records of {counters.files:,} files are in the stream{cut}{refused}"
    )
