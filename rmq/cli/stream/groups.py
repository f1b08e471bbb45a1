"""Groups: consumer groups, how far they are, and how one is sent back or forth."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer
from rich.text import Text

from rmq.cli.asking import Yes, ask
from rmq.cli.output import pairs, shown_duration, shown_time, table
from rmq.cli.session import Session, group_names, session_of
from rmq.cli.stream import shapes
from rmq.cli.stream.manage import Name, all_groups
from rmq.cli.stream.tail import start_of
from rmq.cli.values import WrongUsage
from rmq.errors import GroupDoesNotExist
from rmq.streams.groups.administration import GroupInfo, Lag, LeaseInfo

SLOW_MS, LATE_MS = 1_000, 60_000
"""From which lag on it is shown in yellow, and in red."""


def groups(
    ctx: typer.Context,
    name: Name,
    group: Annotated[
        str | None,
        typer.Argument(
            metavar="GROUP",
            help="Show this one with its leases.",
            autocompletion=group_names,
            show_default=False,
        ),
    ] = None,
    remove: Annotated[
        bool,
        typer.Option(
            "--rm", metavar="", help="Remove it with its checkpoints.", show_default=False
        ),
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", metavar="", help="Even while its workers are at work.", show_default=False
        ),
    ] = False,
    yes: Yes = False,
) -> None:
    """List consumer groups with their lag, show one with its leases, or remove it.

    A group is made by its first worker: stream.consumer(GROUP, handler).
    """
    session = session_of(ctx)
    stream = session.client.stream(name)
    if remove:
        if group is None:
            raise WrongUsage("--rm needs a GROUP", ctx=ctx)
        stream.group_info(group)
        ask(ctx, f"Remove group {group} of {name} with its checkpoints?", yes)
        stream.delete_group(group, force=force)
        if session.as_json:
            session.output.document({"name": group, "removed": True})
        else:
            session.output.say(f"group {group} of {name} is gone")
        return
    if group is not None:
        _show(session, stream.group_info(group))
        return
    stream.info()
    found: list[GroupInfo] = []
    for each in all_groups(stream):
        try:
            found.append(stream.group_info(each))
        except GroupDoesNotExist:
            continue  # removed while we looked
    if session.as_json:
        session.output.document({"groups": [shapes.group_shape(one) for one in found]})
        return
    if not found:
        session.output.note("no consumer groups; the first worker of a group makes it")
        return
    rows = table("group", ">workers", ">shards", ">without owner", ">lag", ">records", "started at")
    for one in found:
        reading = [lease for lease in one.leases if not lease.is_finished]
        alone = sum(lease.owner is None for lease in reading if not lease.waits_for)
        rows.add_row(
            one.name,
            f"{len(one.workers):,}",
            f"{len(reading):,}",
            Text(f"{alone:,}", style="bold red" if alone else "green"),
            _shown_lag(one.lag),
            _shown_records(one.lag),
            _shown_start(one),
        )
    session.output.show(rows)


def reset(
    ctx: typer.Context,
    name: Name,
    group: Annotated[
        str,
        typer.Argument(
            metavar="GROUP", help="The group.", autocompletion=group_names, show_default=False
        ),
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            parser=start_of,
            metavar="WHERE",
            help="LATEST, TRIM_HORIZON (the oldest), a time, or how long ago: 15m.",
            show_default=False,
        ),
    ],
    yes: Yes = False,
) -> None:
    """Send a consumer group back, to do records again, or forth, to leave some out.

    Workers that are at work notice with their next heartbeat.
    """
    session = session_of(ctx)
    stream = session.client.stream(name)
    stream.group_info(group)
    start = start_of(to)
    shown = start if isinstance(start, str) else shown_time(start)
    ask(ctx, f"Send group {group} of {name} to {shown}?", yes)
    stream.reset_group(group, start)
    if session.as_json:
        session.output.document({"name": group, "start": start})
    else:
        session.output.say(f"group {group} of {name} goes on at {shown}")


def _show(session: Session, group: GroupInfo) -> None:
    if session.as_json:
        session.output.document(shapes.group_shape(group))
        return
    out = session.output
    rows = [
        ("created", shown_time(group.created_at)),
        ("started at", _shown_start(group)),
        ("lag", f"{_shown_lag(group.lag)}, {_shown_records(group.lag)} records"),
    ]
    out.show(pairs(f"{group.name}, a consumer group of {group.stream}", rows))
    if group.workers:
        workers = table("worker", ">shards", ">at most", "heartbeat ends")
        for one in group.workers:
            most = "-" if one.max_shards is None else f"{one.max_shards:,}"
            ends = shown_time(one.heartbeat_ends)
            workers.add_row(one.id, f"{len(one.shards):,}", most, ends)
        out.show(workers)
    leases = table("shard", "state", "owner", ">lag", ">records", "done up to")
    for lease in group.leases:
        leases.add_row(
            lease.shard_id,
            _shown_state(lease),
            lease.owner or "-",
            _shown_lag(lease.lag),
            _shown_records(lease.lag),
            lease.sequence_number or "-",
        )
    out.show(leases)


def _shown_state(lease: LeaseInfo) -> Text:
    if lease.is_finished:
        return Text("read to its end", style="dim")
    if lease.waits_for:
        return Text("waits for its parents", style="dim")
    if lease.owner is None:
        since = "" if lease.alone_for is None else f" for {shown_duration(lease.alone_for)}"
        return Text(f"without owner{since}", style="bold red")
    if lease.wanted_by is not None:
        return Text(f"goes to {lease.wanted_by}", style="yellow")
    return Text("read", style="green")


def _shown_lag(lag: Lag) -> Text:
    style = "green" if lag.millis < SLOW_MS else "yellow" if lag.millis < LATE_MS else "bold red"
    return Text(shown_duration(timedelta(milliseconds=lag.millis)), style=style)


def _shown_records(lag: Lag) -> str:
    return "many" if lag.records is None else f"{lag.records:,}"


def _shown_start(group: GroupInfo) -> str:
    return group.start if group.start_timestamp is None else shown_time(group.start_timestamp)
