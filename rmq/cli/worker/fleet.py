"""rmq worker list, stop, drain, pause, resume, cancel: the live workers of an app, and what they
are told through Redis."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rmq import AsyncClient
from rmq.cli.fleets import AppName, ask
from rmq.cli.output import shown_age, table
from rmq.cli.session import queue_names, session_of
from rmq.cli.values import WrongUsage

if TYPE_CHECKING:
    from rmq.worker.fleet import WorkerInfo

Which = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID", help="From rmq worker list. Several may be named."),
]
All = Annotated[bool, typer.Option("--all", metavar="", help="All workers of the app.")]
Queue = Annotated[str, typer.Argument(metavar="QUEUE", autocompletion=queue_names)]


def list_workers(ctx: typer.Context, app: AppName = "app") -> None:
    """Show the live workers: where they are, what they have in hand, when they polled last."""
    from rmq.worker.fleet import Fleet

    async def work(client: AsyncClient) -> tuple[list[WorkerInfo], dict[str, datetime]]:
        fleet = Fleet(client, app)
        return await fleet.workers(), await fleet.paused()

    workers, paused = ask(ctx, work)
    out = session_of(ctx).output
    if out.as_json:
        out.document({"workers": [_plain(one) for one in workers], "paused": paused})
        return
    if workers:
        shown = table(
            "worker",
            "state",
            ">age",
            ">in hand",
            ">buffered",
            ">done",
            ">failed",
            "polled",
            "queues",
        )
        for one in workers:
            queues = one.queues.values()
            shown.add_row(
                one.id,
                one.state,
                shown_age(one.started_at),
                str(one.in_hand),
                str(sum(each.buffered for each in queues)),
                str(sum(each.handled for each in queues)),
                str(sum(each.failed for each in queues)),
                f"{shown_age(one.polled_at)} ago",
                ", ".join(one.queues),
            )
        out.show(shown)
    else:
        out.say(f"app {app} has no live worker; start one with rmq worker MODULE:APP")
    for queue, since in paused.items():
        out.say(
            f"queue {queue} is paused since {shown_age(since)}; next: rmq worker resume {queue}"
        )


def stop(ctx: typer.Context, which: Which = None, every: All = False, app: AppName = "app") -> None:
    """Stop workers: what runs may finish within their deadline, the rest goes back."""
    _tell(ctx, which, every, app, "stop")


def drain(
    ctx: typer.Context, which: Which = None, every: All = False, app: AppName = "app"
) -> None:
    """Let workers take nothing new, and end when all that they have is done."""
    _tell(ctx, which, every, app, "drain")


def pause(ctx: typer.Context, queue: Queue, app: AppName = "app") -> None:
    """Let no worker of the app take anything from a queue."""
    _pause(ctx, queue, app, "pause")


def resume(ctx: typer.Context, queue: Queue, app: AppName = "app") -> None:
    """End the pause of a queue."""
    _pause(ctx, queue, app, "resume")


def cancel(
    ctx: typer.Context,
    id: Annotated[str, typer.Argument(metavar="ID", help="The task's id.")],
    app: AppName = "app",
) -> None:
    """Cancel a task whose result is kept: one that waits is not begun, one that runs is ended."""
    from rmq.worker.results import Results

    cancelled = ask(ctx, lambda client: Results(client, app).cancel(id))
    out = session_of(ctx).output
    if out.as_json:
        out.document({"task": id, "cancelled": cancelled})
    else:
        out.say(f"task {id} is cancelled" if cancelled else f"task {id} had ended already")


def _tell(ctx: typer.Context, which: list[str] | None, every: bool, app: str, command: str) -> None:
    from rmq.worker.fleet import Fleet

    if every == bool(which):
        raise WrongUsage("say which workers: their ids, or --all", ctx=ctx)

    async def work(client: AsyncClient) -> list[str]:
        fleet = Fleet(client, app)
        ids = [one.id for one in await fleet.workers()] if every else list(which or ())
        for one in ids:
            await fleet.tell(one, command)
        return ids

    told = ask(ctx, work)
    out = session_of(ctx).output
    if out.as_json:
        out.document({"told": told, "to": command})
    elif told:
        out.say(f"{len(told)} told to {command}: {', '.join(told)}")
    else:
        out.say(f"app {app} has no live worker")


def _pause(ctx: typer.Context, queue: str, app: str, what: str) -> None:
    from rmq.worker.fleet import Fleet

    changed = ask(ctx, lambda client: getattr(Fleet(client, app), what)(queue))
    out = session_of(ctx).output
    state = "paused" if what == "pause" else "not paused"
    if out.as_json:
        out.document({"queue": queue, "paused": what == "pause", "changed": changed})
    elif changed:
        out.say(f"queue {queue} is {state} for app {app}")
    else:
        out.say(f"queue {queue} was {state} already")


def _plain(one: WorkerInfo) -> dict[str, Any]:
    return {
        "id": one.id,
        "host": one.host,
        "pid": one.pid,
        "state": one.state,
        "started_at": one.started_at,
        "beat_at": one.beat_at,
        "polled_at": one.polled_at,
        "in_hand": one.in_hand,
        "queues": {
            name: {
                "capacity": each.capacity,
                "running": each.running,
                "buffered": each.buffered,
                "handled": each.handled,
                "failed": each.failed,
                "dead_letters": each.dead,
            }
            for name, each in one.queues.items()
        },
    }
