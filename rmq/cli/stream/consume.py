"""Consuming a stream for a group: a function of yours, called for each record, until a signal."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.live import Live
from rich.text import Text

import rmq
from rmq import Limits
from rmq.cli import values
from rmq.cli.options import Interval, StopAfter
from rmq.cli.output import Output, shown_duration
from rmq.cli.session import Session, group_names, session_of
from rmq.cli.stopping import Stop, log_to_stderr, runner
from rmq.cli.stream.manage import Name
from rmq.cli.stream.tail import StartOption, start_of
from rmq.errors import ConfigurationError

if TYPE_CHECKING:
    from rmq.streams.groups.worker import Worker


def consume(
    ctx: typer.Context,
    name: Name,
    group: Annotated[
        str,
        typer.Argument(
            metavar="GROUP",
            help="The group; its first worker makes it.",
            autocompletion=group_names,
            show_default=False,
        ),
    ],
    handler: Annotated[
        str,
        typer.Option(
            "--handler",
            metavar="MODULE:FUNCTION",
            help="What is called with each record, or with --batch-size with a list of them. A "
            "coroutine function, or a plain one, which runs in a thread.",
            show_default=False,
        ),
    ],
    start: StartOption = "LATEST",
    batch_size: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Give the handler lists of up to so many.", show_default=False
        ),
    ] = None,
    concurrency: Annotated[
        int,
        typer.Option(
            metavar="N", help="Calls at a time for each shard; those of a key stay in order."
        ),
    ] = 1,
    checkpoint: Annotated[
        str,
        typer.Option(
            metavar="batch|record|manual",
            help="When it is noted how far a shard was read; manual: when the handler says so.",
        ),
    ] = "batch",
    attempts: Annotated[
        int, typer.Option(metavar="N", help="Calls with one record before it counts as failed.")
    ] = 5,
    dead_letter_queue: Annotated[
        str | None,
        typer.Option(
            "--dead-letter-queue",
            metavar="QUEUE",
            help="Where records go that failed, with the reason.",
            show_default=False,
        ),
    ] = None,
    on_failure: Annotated[
        str,
        typer.Option(
            metavar="stop|skip",
            help="What to do with a failed record where there is no such queue.",
        ),
    ] = "stop",
    max_shards: Annotated[
        int | None,
        typer.Option(metavar="N", help="Take at most so many shards.", show_default=False),
    ] = None,
    lease: Annotated[
        timedelta,
        typer.Option(
            parser=values.duration,
            metavar="DURATION",
            help="How long others wait for this worker when it is not heard of.",
            show_default="10s",
        ),
    ] = timedelta(seconds=10),
    stop_after: StopAfter = timedelta(seconds=20),
    interval: Interval = timedelta(seconds=1),
) -> None:
    """Have a function called for each record. Start as many as you like: they share the shards.

    Ends on Ctrl-C and SIGTERM: what is in hand may finish, the shards are others' at once.
    """
    session = session_of(ctx)
    if interval <= timedelta(0):
        raise values.WrongUsage("--interval must be longer than 0", ctx=ctx)
    options = {
        "start": start_of(start),
        "batch_size": batch_size,
        "concurrency": concurrency,
        "checkpoint": checkpoint,
        "attempts": attempts,
        "dead_letter_queue": dead_letter_queue,
        "on_failure": on_failure,
        "max_shards": max_shards,
        "lease": lease,
        "grace": stop_after,
    }
    log_to_stderr()
    work = _work(session, name, group, _function(handler), options, interval)
    with runner() as running:
        status = running.run(work)
    raise typer.Exit(status)


def _function(source: str) -> Callable[..., Any]:
    """By `module:function`. Raises ConfigurationError."""
    from rmq.push.senders.function import imported

    module, _, name = source.partition(":")
    found = getattr(imported(module, "--handler"), name, None) if name else None
    if not callable(found):
        raise ConfigurationError(f"--handler {source!r} names no function; give module:function")
    function: Callable[..., Any] = found
    return function


async def _work(
    session: Session,
    name: str,
    group: str,
    handler: Callable[..., Any],
    options: dict[str, Any],
    interval: timedelta,
) -> int:
    limits = Limits.none() if session.no_limits else None
    client = rmq.connect_async(session.url, namespace=session.namespace, limits=limits)
    async with client:
        worker = client.stream(name).consumer(group, handler, **options)
        stop = Stop()
        if not session.as_json:
            session.output.note(f"{worker.id} consumes {name} for {group}; Ctrl-C ends")
        running = asyncio.create_task(worker.run(), name="rmq-consumer")
        stopping = asyncio.create_task(_stop(stop, worker))
        try:
            await _shown(session.output, worker, running, interval)
        finally:
            stopping.cancel()
        if session.as_json:
            session.output.line(_figures(worker))
        else:
            session.output.say(f"handled {worker.handled:,} records")
        return stop.status


async def _stop(stop: Stop, worker: Worker) -> None:
    await stop.wanted.wait()
    await worker.stop()


async def _shown(
    out: Output, worker: Worker, running: asyncio.Task[None], interval: timedelta
) -> None:
    """Draw until it ends. Raises what it ends with."""
    with _screen(out) as draw:
        before, at = 0, time.monotonic()
        while not running.done():
            await asyncio.wait((running,), timeout=interval.total_seconds())
            handled, now = worker.handled, time.monotonic()
            draw(worker, (handled - before) / (now - at))
            before, at = handled, now
    await running


Draw = Callable[["Worker", float], None]


@contextlib.contextmanager
def _screen(out: Output) -> Iterator[Draw]:
    """A way to draw: one line in place on a terminal, a line each as JSON, nothing in a pipe."""
    if out.as_json:
        yield lambda worker, rate: out.line({**_figures(worker), "per_second": round(rate, 1)})
    elif not out.is_terminal:
        yield lambda worker, rate: None
    else:
        with Live(console=out.console, auto_refresh=False, transient=True) as live:
            yield lambda worker, rate: live.update(_line(worker, rate), refresh=True)


def _figures(worker: Worker) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC),
        "handled": worker.handled,
        "shards": worker.shards,
        "millis_behind_latest": worker.millis_behind_latest,
    }


def _line(worker: Worker, rate: float) -> Text:
    behind = worker.millis_behind_latest
    parts = [f"handled {worker.handled:,} ({rate:,.0f}/s)", f"{len(worker.shards):,} shards"]
    if behind is not None:
        parts.append(f"{shown_duration(timedelta(milliseconds=behind))} behind")
    return Text("  ".join(parts))
