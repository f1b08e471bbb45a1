"""Explaining: who would get a message, and which condition keeps it from whom."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer
from rich.text import Text

from rmq import Notification
from rmq.cli import values
from rmq.cli.options import Attribute
from rmq.cli.output import table
from rmq.cli.session import session_of
from rmq.cli.topic import shapes
from rmq.cli.topic.manage import Name
from rmq.cli.topic.naming import The, shown_endpoint, subscription_of

NOBODY = "explain"
"""Group and deduplication id of a message that is not published: no filter sees them."""


def explain(
    ctx: typer.Context,
    name: Name,
    message: Annotated[
        str,
        typer.Argument(
            metavar="MESSAGE", help="The message; - reads all of stdin.", show_default=False
        ),
    ],
    attribute: Attribute = None,
    by_protocol: Annotated[
        bool,
        typer.Option(
            "--by-protocol",
            metavar="",
            help="The message is a JSON object with a text for each protocol.",
            show_default=False,
        ),
    ] = False,
    subscription: The = None,
) -> None:
    """Say for each subscription whether it would get a message, and if not, what refuses it.

    Nothing is published.
    """
    session = session_of(ctx)
    topic = session.client.topic(name)
    ids = NOBODY if topic.is_fifo else None
    given = Notification(
        sys.stdin.buffer.read() if message == "-" else os.fsencode(message),
        attributes=values.message_attributes(attribute or ()) or None,
        by_protocol=by_protocol,
        message_group_id=ids,
        deduplication_id=ids,
    )
    one = None if subscription is None else subscription_of(topic, subscription)
    verdicts = topic.explain(given, subscription=one)
    if session.as_json:
        shown = [shapes.verdict_shape(verdict) for verdict in verdicts]
        session.output.document({"name": name, "verdicts": shown})
        return
    if not verdicts:
        session.output.note(f"no subscriptions; make one: rmq topic subscribe {name} QUEUE")
        return
    rows = table("protocol", "endpoint", "gets it", "why")
    for verdict in verdicts:
        rows.add_row(
            verdict.subscription.protocol,
            Text(shown_endpoint(verdict.subscription)),
            Text("yes", style="green") if verdict else Text("no", style="red"),
            Text(str(verdict)),
        )
    session.output.show(rows)
