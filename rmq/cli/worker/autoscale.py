"""rmq worker autoscale: as many worker processes as the backlog asks for, or a signal for who
starts them."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rmq.cli import failures, values
from rmq.cli.options import StopAfter
from rmq.cli.session import Session, session_of
from rmq.errors import ConfigurationError, ServerError

if TYPE_CHECKING:
    from rmq.worker.app import App
    from rmq.worker.autoscale import Autoscaler
    from rmq.worker.load import Gauge
    from rmq.worker.supervisor import Supervisor

STALE = 4
"""A load that was looked at so many intervals ago is not said any more."""


def autoscale(
    ctx: typer.Context,
    path: Annotated[
        str,
        typer.Argument(metavar="MODULE:APP", help="Where the rmq.worker.App is, as shop.jobs:app."),
    ],
    least: Annotated[int, typer.Option("--min", min=0, help="The fewest processes.")] = 1,
    most: Annotated[int, typer.Option("--max", min=1, help="The most processes.")] = 10,
    target: Annotated[
        float,
        typer.Option(
            "--target-backlog-per-worker",
            help="Messages that wait or are in flight, for each process: as many as one does in "
            "the time that a message may wait.",
        ),
    ] = 100,
    interval: Annotated[
        timedelta,
        typer.Option(
            parser=values.duration, metavar="DURATION", help="Between two looks.", show_default="5s"
        ),
    ] = timedelta(seconds=5),
    out_cooldown: Annotated[
        timedelta,
        typer.Option(
            parser=values.duration,
            metavar="DURATION",
            help="Between two steps up.",
            show_default="15s",
        ),
    ] = timedelta(seconds=15),
    in_cooldown: Annotated[
        timedelta,
        typer.Option(
            parser=values.duration,
            metavar="DURATION",
            help="Without a step before one down.",
            show_default="15m",
        ),
    ] = timedelta(minutes=15),
    step_out: Annotated[
        int | None,
        typer.Option(min=1, help="The most processes that one step adds.", show_default=False),
    ] = None,
    step_in: Annotated[
        int | None,
        typer.Option(min=1, help="The most that one step takes away.", show_default=False),
    ] = None,
    queues: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Only these queues. Default: all", show_default=False),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100_000,
            help="Messages at a time in one process. Default: each queue's own",
            show_default=False,
        ),
    ] = None,
    stop_after: StopAfter = timedelta(seconds=20),
    port: Annotated[
        int | None,
        typer.Option(
            "--signal",
            min=1,
            max=65535,
            metavar="PORT",
            help="Say the load and the workers wanted there, as JSON over HTTP.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--signal-host", metavar="ADDRESS", help="Address of --signal.")
    ] = "0.0.0.0",
    only_signal: Annotated[
        bool,
        typer.Option(
            "--only-signal",
            metavar="",
            help="Start no process here: somebody else (KEDA, Kubernetes) does, by the signal.",
        ),
    ] = False,
) -> None:
    """Run as many worker processes as the backlog asks for: more at once, fewer slowly.

    Ends on Ctrl-C and SIGTERM as rmq worker does. --json writes a line for each look.
    """
    from rmq.worker.autoscale import Policy
    from rmq.worker.child import log_to_stderr
    from rmq.worker.loading import load

    session = session_of(ctx)
    if only_signal and port is None:
        raise values.WrongUsage("--only-signal needs --signal PORT", ctx=ctx)
    if interval <= timedelta(0):
        raise values.WrongUsage("--interval must be longer than 0", ctx=ctx)
    policy = Policy(
        min=least,
        max=most,
        target=target,
        out_cooldown=out_cooldown.total_seconds(),
        in_cooldown=in_cooldown.total_seconds(),
        step_out=step_out,
        step_in=step_in,
    )
    log_to_stderr(as_json=session.as_json, level="info")
    app = load(path)
    if session.url is not None or session.namespace is not None:
        app.use(session.url, session.namespace)
    if app.client.settings.url.startswith("memory:"):
        raise ConfigurationError(
            f"{path} has its queues on memory://, which no two processes share; say --url "
            "redis://.., set RMQ_URL, or give its App a URL"
        )
    names = app.chosen(None if queues is None else [one.strip() for one in queues.split(",")])

    async def work() -> None:
        from rmq.worker.autoscale import Autoscaler
        from rmq.worker.load import Gauge
        from rmq.worker.supervisor import Supervisor

        supervisor = None
        if not only_signal:
            supervisor = Supervisor(
                path,
                app,
                queues=names,
                processes=policy.min,
                concurrency=concurrency,
                stop_deadline=stop_after.total_seconds(),
                json_logs=session.as_json,
                url=session.url,
                namespace=session.namespace,
            )
        async with app:
            gauge = Gauge(app.client, app.name, names)
            loop = Scaling(session, Autoscaler(policy), gauge, supervisor, interval)
            await loop.run(app, host, port)

    asyncio.run(work())
    raise typer.Exit(failures.DONE)


class Scaling:
    """Looks, decides, and has it done, until it is stopped."""

    def __init__(
        self,
        session: Session,
        scaler: Autoscaler,
        gauge: Gauge,
        supervisor: Supervisor | None,
        interval: timedelta,
    ) -> None:
        self._session = session
        self._scaler = scaler
        self._gauge = gauge
        self._supervisor = supervisor
        self._interval = interval.total_seconds()
        self._workers = scaler.policy.min
        """How many we asked for last."""
        self._said: tuple[float, dict[str, Any]] | None = None

    async def run(self, app: App, host: str, port: int | None) -> None:
        served = None if port is None else _serve(host, port, self.said)
        try:
            running = asyncio.create_task(self._running(), name="rmq-supervisor")
            while not running.done():
                try:
                    await self.look()
                except ServerError as error:
                    self._session.output.note(f"rmq: {failures.one_line(str(error))}")
                await asyncio.wait((running,), timeout=self._interval)
            await running
        finally:
            if served is not None:
                served.close()

    async def look(self) -> None:
        """One look, and what comes of it."""
        load = await self._gauge.look()
        current = load.workers if self._supervisor is None else self._workers
        decision = self._scaler.decide(
            time.monotonic(), load.backlog + load.in_flight, load.done_per_second, current
        )
        self._said = (time.monotonic(), load.as_dict(decision.workers))
        if self._supervisor is not None and decision.workers != self._workers:
            self._supervisor.scale(decision.workers)
        out = self._session.output
        if out.as_json:
            out.line({"at": datetime.now(UTC), **self._said[1], "why": decision.why})
        elif decision.workers != current:
            out.say(f"{current} -> {decision.workers} workers: {decision.why}")
        self._workers = decision.workers

    def said(self) -> dict[str, Any] | None:
        """What the signal says; None where that is too old."""
        if self._said is None or time.monotonic() - self._said[0] > STALE * self._interval + 5:
            return None
        return self._said[1]

    async def _running(self) -> None:
        if self._supervisor is not None:
            return await self._supervisor.run()
        stopping, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        await stopping.wait()


def _serve(host: str, port: int, said: Callable[[], dict[str, Any] | None]) -> Any:
    from rmq.worker.load import Signal

    try:
        return Signal(host, port, said)
    except OSError as error:
        raise ConfigurationError(f"--signal {port}: {error.strerror or error}") from error
