"""Replaying: giving a subscription of a FIFO topic again what the topic's archive holds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from rmq import Topic
from rmq.cli import values
from rmq.cli.output import shown_time
from rmq.cli.session import Session, session_of
from rmq.cli.topic import shapes
from rmq.cli.topic.manage import Name
from rmq.cli.topic.naming import Which, named, subscription_of


def replay(
    ctx: typer.Context,
    name: Name,
    subscription: Which,
    start: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            parser=values.moment,
            metavar="TIME",
            help="From when: 2026-01-31T15:00:00Z, or how long ago: 90s, 15m, 12h, 4d.",
        ),
    ] = None,
    end: Annotated[
        datetime | None,
        typer.Option(
            "--to",
            parser=values.moment,
            metavar="TIME",
            help="Until when. Default: and on, into what is published from now on.",
        ),
    ] = None,
    stop: Annotated[
        bool,
        typer.Option("--stop", metavar="", help="End the replay instead.", show_default=False),
    ] = False,
) -> None:
    """Deliver what was published since --from to a subscription again, and show how far it is.

    Without --from it only shows that. The topic keeps an archive: rmq topic create --archive 7d.
    """
    session = session_of(ctx)
    if stop and (start is not None or end is not None):
        raise values.WrongUsage("--stop stands alone", ctx=ctx)
    if end is not None and start is None:
        raise values.WrongUsage("--to needs --from TIME", ctx=ctx)
    topic = session.client.topic(name)
    id = subscription_of(topic, subscription)
    if stop:
        topic.stop_replay(id)
    elif start is not None:
        topic.replay(id, start, end)
    _show(session, topic, id)


def _show(session: Session, topic: Topic, id: str) -> None:
    one, status = topic.subscription(id), topic.replay_status(id)
    if session.as_json:
        session.output.document(shapes.subscription_shape(one) | {"replay_status": status})
        return
    if one.replay is None or status is None:
        session.output.say(f"no replay: {named(one)}")
        return
    end = "on" if one.replay.end is None else f"to {shown_time(one.replay.end)}"
    session.output.say(f"{status.lower()}, from {shown_time(one.replay.start)} {end}: {named(one)}")
