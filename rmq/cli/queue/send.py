"""Sending: one message from the command line, or all of stdin, one a line, at full speed."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Annotated, Any

import typer

from rmq import Outgoing, Queue
from rmq.cli import values
from rmq.cli.feed import Feed, Format, from_stdin, reader
from rmq.cli.options import Attribute
from rmq.cli.queue import shapes
from rmq.cli.queue.lines import from_json
from rmq.cli.queue.manage import Name
from rmq.cli.session import Session, session_of


def send(
    ctx: typer.Context,
    name: Name,
    body: Annotated[
        str | None,
        typer.Argument(
            metavar="BODY", help="The message; left out or - reads stdin.", show_default=False
        ),
    ] = None,
    attribute: Attribute = None,
    delay: Annotated[
        timedelta | None,
        typer.Option(parser=values.duration, metavar="DURATION", help="Invisible at first."),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Message group id: a FIFO queue keeps the order within it, on a standard queue no "
            "group waits for the backlog of another.",
        ),
    ] = None,
    dedup_id: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="Deduplication id; from stdin each line's number is added to it."
        ),
    ] = None,
    trace_header: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The system attribute AWSTraceHeader.")
    ] = None,
    format: Annotated[
        Format,
        typer.Option(
            metavar="plain|jsonl",
            help="plain: a line is a body. jsonl: a line is "
            '{"body", "attributes", "delay", "group", "dedup_id", "trace_header"}.',
        ),
    ] = Format.PLAIN,
) -> None:
    """Send a message, or every line of stdin as one.

    Lines that are refused are named on stderr; the others are sent; the status is 1.
    With --dedup-id, a stream that broke off can be sent again: nothing arrives twice.
    """
    session = session_of(ctx)
    shared: dict[str, Any] = {
        "attributes": values.message_attributes(attribute or ()) or None,
        "delay": delay,
        "message_group_id": group,
        "deduplication_id": dedup_id,
        "trace_header": trace_header,
    }
    queue = session.client.queue(name)
    if from_stdin(session.output, body):
        make = reader(Outgoing, from_json if format is Format.JSONL else None, shared)
        Feed(session.output, make, queue.send_many, "sent").run()
    else:
        _send_one(session, queue, str(body), shared)


def _send_one(session: Session, queue: Queue, body: str, shared: dict[str, Any]) -> None:
    sent = queue.send(os.fsencode(body), **shared)
    if session.as_json:
        session.output.document(shapes.sent_shape(sent))
        return
    note = ", which was sent before" if sent.is_duplicate else ""
    number = f", sequence number {sent.sequence_number}" if sent.sequence_number else ""
    session.output.say(f"sent {sent.id}{number}{note}")
