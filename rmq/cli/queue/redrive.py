"""Redriving: move dead letters back to where they came from, or elsewhere."""

from __future__ import annotations

from typing import Annotated

import typer

from rmq import Queue, RedriveTask
from rmq.cli import failures, values
from rmq.cli.output import shown_age, table
from rmq.cli.queue import shapes
from rmq.cli.queue.manage import Name
from rmq.cli.session import Session, queue_names, session_of
from rmq.errors import CallerError


def redrive(
    ctx: typer.Context,
    name: Name,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="QUEUE",
            help="Move all there, not back.",
            autocompletion=queue_names,
        ),
    ] = None,
    rate: Annotated[
        int | None, typer.Option("--rate", metavar="N", help="Most messages a second. 1 to 500.")
    ] = None,
    list_tasks: Annotated[
        bool,
        typer.Option("--list", metavar="", help="Show the last tasks instead.", show_default=False),
    ] = False,
    cancel: Annotated[
        str | None, typer.Option("--cancel", metavar="ID", help="Stop a running task instead.")
    ] = None,
) -> None:
    """Move the messages of a dead-letter queue back to the queues they came from.

    It ends when all that is visible has been moved. Ctrl-C stops it; what was moved stays moved.
    """
    session = session_of(ctx)
    queue = session.client.queue(name)
    if list_tasks or cancel is not None:
        if to is not None or rate is not None or (list_tasks and cancel is not None):
            raise values.WrongUsage("--list and --cancel stand alone", ctx=ctx)
        if cancel is not None:
            _show(session, queue.cancel_redrive(cancel))
        else:
            _list(session, queue.redrive_tasks())
        return
    task = _driven(session, queue, to, rate)
    _show(session, task)
    if task.status != "COMPLETED":
        raise typer.Exit(failures.REFUSED)


def _driven(session: Session, queue: Queue, to: str | None, rate: int | None) -> RedriveTask:
    """Move, with a bar. An interrupted task is cancelled, so that the next can begin at once."""
    last: list[RedriveTask] = []
    with session.output.progress() as progress:
        bar = progress.add_task(f"{queue.name} → {to or 'its sources'}", total=None, state="")

        def step(task: RedriveTask) -> None:
            last[:] = [task]
            total = max(task.to_move, task.moved)
            state = f"{task.moved:,} of {total:,}"
            progress.update(bar, completed=task.moved, total=total, state=state)

        try:
            return queue.redrive(to, max_per_second=rate, progress=step)
        except KeyboardInterrupt:
            _cancel(queue, last)
            raise


def _cancel(queue: Queue, last: list[RedriveTask]) -> None:
    try:
        for task in last or queue.redrive_tasks(1):
            queue.cancel_redrive(task.id)
    except CallerError:
        pass  # it had ended


def _show(session: Session, task: RedriveTask) -> None:
    if session.as_json:
        session.output.document(shapes.task_shape(task))
        return
    why = f" ({task.failure})" if task.failure else ""
    session.output.say(f"{task.status.lower()}{why}: {task.moved:,} moved, task {task.id}")


def _list(session: Session, tasks: list[RedriveTask]) -> None:
    if session.as_json:
        session.output.document({"redrive_tasks": [shapes.task_shape(task) for task in tasks]})
        return
    rows = table("task", "status", "to", ">moved", ">of", ">started")
    for task in tasks:
        rows.add_row(
            task.id,
            task.status.lower() + (f" ({task.failure})" if task.failure else ""),
            task.destination or "its sources",
            f"{task.moved:,}",
            f"{task.to_move:,}",
            f"{shown_age(task.started_at)} ago",
        )
    if tasks:
        session.output.show(rows)
    else:
        session.output.note("no redrive task; begin one: rmq queue redrive NAME")
