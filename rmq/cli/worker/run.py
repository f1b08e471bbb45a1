"""rmq worker run: worker processes at work until they are stopped."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rmq.cli import failures, values
from rmq.cli.options import StopAfter
from rmq.cli.session import session_of
from rmq.errors import ConfigurationError

if TYPE_CHECKING:
    from rmq.worker.health import Health
    from rmq.worker.supervisor import Supervisor

LEVELS = ("debug", "info", "warning", "error")


def run(
    ctx: typer.Context,
    path: Annotated[
        str,
        typer.Argument(metavar="MODULE:APP", help="Where the rmq.worker.App is, as shop.jobs:app."),
    ],
    processes: Annotated[
        int, typer.Option(min=1, max=256, help="Worker processes; each uses one core.")
    ] = 1,
    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100_000,
            help="Messages at a time in one process, of all queues together. Default: each "
            "queue's own",
            show_default=False,
        ),
    ] = None,
    queues: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Only these queues. Default: all", show_default=False),
    ] = None,
    stop_after: StopAfter = timedelta(seconds=20),
    health: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65535,
            metavar="PORT",
            help="Serve /live, /ready and /stats there.",
            show_default=False,
        ),
    ] = None,
    health_host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address of --health.")
    ] = "0.0.0.0",
    log_level: Annotated[str, typer.Option(metavar="LEVEL", help=f"{', '.join(LEVELS)}.")] = "info",
) -> None:
    """Run the handlers and tasks of an app, in processes that are watched over.

    Ends on Ctrl-C and SIGTERM: what runs may finish, the rest goes back at once; a second signal
    ends it now. SIGHUP replaces the processes one after the other. One that dies is replaced, and
    what it had in hand is given back. --json logs a JSON object a line.
    """
    from rmq.worker.child import log_to_stderr
    from rmq.worker.loading import load
    from rmq.worker.supervisor import Supervisor

    session = session_of(ctx)
    if log_level.lower() not in LEVELS:
        raise values.WrongUsage(f"--log-level must be one of {', '.join(LEVELS)}", ctx=ctx)
    log_to_stderr(as_json=session.as_json, level=log_level)
    app = load(path)
    if session.url is not None or session.namespace is not None:
        app.use(session.url, session.namespace)
    if app.client.settings.url.startswith("memory:"):
        raise ConfigurationError(
            f"{path} has its queues on memory://, which no two processes share; say --url "
            "redis://.., set RMQ_URL, or give its App a URL"
        )

    async def work() -> None:
        supervisor = Supervisor(
            path,
            app,
            queues=None if queues is None else [one.strip() for one in queues.split(",")],
            processes=processes,
            concurrency=concurrency,
            stop_deadline=stop_after.total_seconds(),
            json_logs=session.as_json,
            log_level=log_level,
            url=session.url,
            namespace=session.namespace,
        )
        served = None if health is None else _serve(supervisor, health_host, health)
        try:
            async with app:
                await supervisor.run()
        finally:
            if served is not None:
                served.close()

    asyncio.run(work())
    raise typer.Exit(failures.DONE)


def _serve(supervisor: Supervisor, host: str, port: int) -> Health:
    from rmq.worker.health import Health

    def look() -> tuple[bool, bool, dict[str, Any]]:
        processes = supervisor.snapshot
        ready = bool(processes) and all(one["ready"] for one in processes)
        return (
            supervisor.is_alive,
            ready,
            {"processes": processes, "restarts": supervisor.restarts},
        )

    try:
        return Health(host, port, look)
    except OSError as error:
        raise ConfigurationError(f"--health {port}: {error.strerror or error}") from error
