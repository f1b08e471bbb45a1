"""Consumers: those that are registered for enhanced fan-out."""

from __future__ import annotations

from typing import Annotated

import typer

from rmq.cli.output import shown_time, table
from rmq.cli.session import session_of
from rmq.cli.stream import shapes
from rmq.cli.stream.manage import PAGE, Name
from rmq.cli.values import WrongUsage, tags
from rmq.streams.consumers import RegisteredConsumer


def consumers(
    ctx: typer.Context,
    name: Name,
    register: Annotated[
        str | None, typer.Option(metavar="CONSUMER", help="Register one of that name.")
    ] = None,
    deregister: Annotated[
        str | None, typer.Option(metavar="CONSUMER", help="Remove one, by its name or ARN.")
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Of the new one. Repeat it for more."),
    ] = None,
) -> None:
    """List registered consumers (enhanced fan-out), register or remove one.

    Consumer groups need no registration: rmq stream groups.
    """
    if register is not None and deregister is not None:
        raise WrongUsage("--register and --deregister exclude each other", ctx=ctx)
    if tag and register is None:
        raise WrongUsage("--tag goes with --register", ctx=ctx)
    session = session_of(ctx)
    stream = session.client.stream(name)
    if deregister is not None:
        stream.deregister_consumer(deregister)
        if session.as_json:
            session.output.document({"name": deregister, "removed": True})
        else:
            session.output.say(f"consumer {deregister} of {name} is gone")
        return
    if register is not None:
        made = stream.register_consumer(register, tags=tags(tag or ()))
        if session.as_json:
            session.output.document(shapes.consumer_shape(made))
        else:
            session.output.say(f"consumer {register} of {name} is there: {made.arn}")
        return
    found: list[RegisteredConsumer] = []
    token = None
    while True:
        page = stream.consumers(limit=PAGE, token=token)
        found += page
        token = page.next_token
        if token is None:
            break
    if session.as_json:
        session.output.document({"consumers": [shapes.consumer_shape(one) for one in found]})
        return
    if not found:
        session.output.note(
            f"no registered consumers; make one: rmq stream consumers {name} --register CONSUMER"
        )
        return
    rows = table("consumer", "status", "registered", "ARN")
    for one in found:
        rows.add_row(one.name, one.status, shown_time(one.created_at), one.arn)
    session.output.show(rows)
