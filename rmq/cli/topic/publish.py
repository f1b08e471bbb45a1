"""Publishing: one message from the command line, or all of stdin, one a line, at full speed."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from rmq import Notification, Topic
from rmq.cli import values
from rmq.cli.feed import Feed, Format, from_stdin, reader
from rmq.cli.options import Attribute
from rmq.cli.session import Session, session_of
from rmq.cli.topic import shapes
from rmq.cli.topic.lines import from_json
from rmq.cli.topic.manage import Name


def publish(
    ctx: typer.Context,
    name: Name,
    message: Annotated[
        str | None,
        typer.Argument(
            metavar="MESSAGE", help="The message; left out or - reads stdin.", show_default=False
        ),
    ] = None,
    subject: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Up to 100 characters.")
    ] = None,
    attribute: Attribute = None,
    by_protocol: Annotated[
        bool,
        typer.Option(
            "--by-protocol",
            metavar="",
            help='A message is {"default": "..", "http": "..", ..}: a text for each protocol.',
            show_default=False,
        ),
    ] = False,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="Message group id: a FIFO topic keeps the order within it."
        ),
    ] = None,
    dedup_id: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="Deduplication id; from stdin each line's number is added to it."
        ),
    ] = None,
    format: Annotated[
        Format,
        typer.Option(
            metavar="plain|jsonl",
            help="plain: a line is a message. jsonl: a line is "
            '{"message", "subject", "attributes", "by_protocol", "group", "dedup_id"}.',
        ),
    ] = Format.PLAIN,
) -> None:
    """Publish a message, or every line of stdin as one.

    Lines that are refused are named on stderr; the others are published; the status is 1.
    With --dedup-id, a stream that broke off can be published again: nothing arrives twice.
    """
    session = session_of(ctx)
    shared: dict[str, Any] = {
        "subject": subject,
        "attributes": values.message_attributes(attribute or ()) or None,
        "by_protocol": by_protocol,
        "message_group_id": group,
        "deduplication_id": dedup_id,
    }
    topic = session.client.topic(name)
    if from_stdin(session.output, message):
        make = reader(Notification, from_json if format is Format.JSONL else None, shared)
        Feed(session.output, make, topic.publish_many, "published").run()
    else:
        _publish_one(session, topic, str(message), shared)


def _publish_one(session: Session, topic: Topic, message: str, shared: dict[str, Any]) -> None:
    published = topic.publish(os.fsencode(message), **shared)
    if session.as_json:
        session.output.document(shapes.published_shape(published))
        return
    note = ", which was published before" if published.is_duplicate else ""
    number = f", sequence number {published.sequence_number}" if published.sequence_number else ""
    one = "subscription" if published.matched == 1 else "subscriptions"
    session.output.say(f"published {published.id} for {published.matched:,} {one}{number}{note}")
