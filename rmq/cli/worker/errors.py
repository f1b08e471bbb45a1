"""rmq worker errors: what failed, grouped by how it failed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.text import Text

import rmq
from rmq.cli.output import Output, shown_body, shown_time, table
from rmq.cli.session import queue_names, session_of
from rmq.queues.message import PeekedMessage
from rmq.worker.trials import Group, grouped

LOOKED_AT = 10_000
"""Dead letters that are looked at, the newest."""
STEP = 1000


def errors(
    ctx: typer.Context,
    queue: Annotated[
        str,
        typer.Argument(
            metavar="QUEUE",
            help="A dead-letter queue, or a queue that has one.",
            autocompletion=queue_names,
        ),
    ],
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Show the last traceback of each.")
    ] = False,
) -> None:
    """Show why messages became dead letters: how many of each error, since when, and an example."""
    session = session_of(ctx)
    found = session.client.queue(queue)
    policy = found.info().attributes.redrive_policy
    dead = found if policy is None else session.client.queue(policy.dead_letter_queue)
    groups = grouped(_all(dead))
    out = session.output
    if out.as_json:
        for group in groups:
            out.line(_plain(group))
        return
    _show(out, dead.name, groups, traceback)


def _all(dead: rmq.Queue) -> Iterator[PeekedMessage]:
    after, count = None, 0
    while count < LOOKED_AT:
        page = dead.peek(STEP, after=after)
        yield from page
        if len(page) < STEP:
            return
        count += len(page)
        after = page[-1].position


def _show(out: Output, name: str, groups: list[Group], traceback: bool) -> None:
    if not groups:
        out.say(f"{name} has no dead letters")
        return
    made = table(">messages", "reason", "task", "error", "first", "last", "one of them")
    for group in groups:
        made.add_row(
            str(group.count),
            group.reason,
            group.task or "-",
            Text(shown_body(f"{group.error}: {group.text}".encode(), 120) if group.error else "-"),
            _time(group.first_ms),
            _time(group.last_ms),
            group.example.id,
        )
    out.show(made)
    for group in groups:
        failure = group.example.failure
        if failure is None:
            continue
        for crash in failure.crashes:
            when = _time(crash.at_ms)
            out.say(f"{group.example.id}: worker {crash.worker} {crash.what}, {when}")
            if traceback and crash.log:
                out.say(crash.log.rstrip())
        if traceback and failure.traceback:
            out.say(failure.traceback.rstrip())


def _plain(group: Group) -> dict[str, Any]:
    failure = group.example.failure
    return {
        "messages": group.count,
        "reason": group.reason,
        "task": group.task or None,
        "error": group.error or None,
        "text": group.text,
        "first_at": _moment(group.first_ms) if group.first_ms else None,
        "last_at": _moment(group.last_ms) if group.last_ms else None,
        "example": group.example.id,
        "traceback": failure.traceback if failure is not None else "",
        "crashes": [
            {"worker": one.worker, "at": _moment(one.at_ms), "what": one.what, "log": one.log}
            for one in (failure.crashes if failure is not None else ())
        ],
    }


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _time(ms: int) -> str:
    return shown_time(_moment(ms)) if ms else "-"
