"""Subscriptions: subscribe, confirm, subscriptions, unsubscribe."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from rmq import Subscription
from rmq.cli.asking import Yes, ask
from rmq.cli.options import Given
from rmq.cli.output import shown_body, shown_time, table
from rmq.cli.session import Session, queue_names, session_of
from rmq.cli.topic import shapes
from rmq.cli.topic.attributes import attributes_of
from rmq.cli.topic.manage import Name, subscriptions_of
from rmq.cli.topic.naming import Which, named, shown_endpoint, subscription_of
from rmq.topics.subscription import PROTOCOLS, TOKEN_LIFE

SHOWN = 60
"""Characters of a filter policy in a table."""


def subscribe(
    ctx: typer.Context,
    name: Name,
    endpoint: Annotated[
        str,
        typer.Argument(
            metavar="ENDPOINT",
            help="A queue (name or ARN), a URL, an address, a number, or what the protocol takes.",
            autocompletion=queue_names,
            show_default=False,
        ),
    ],
    given: Given,
    protocol: Annotated[
        str | None,
        typer.Option(
            metavar="PROTOCOL",
            help=f"{', '.join(PROTOCOLS)}. May be left out for queues and URLs.",
            autocompletion=lambda: list(PROTOCOLS),
        ),
    ] = None,
    account: Annotated[
        str | None,
        typer.Option(metavar="DIGITS", help="Who subscribes. Default: the topic's owner."),
    ] = None,
) -> None:
    """Subscribe a queue, a URL, or whatever else to a topic.

    The same endpoint again is the same subscription. What is not yours has to confirm first.
    """
    session = session_of(ctx)
    topic = session.client.topic(name)
    one = topic.subscribe(endpoint, protocol, account=account, **attributes_of(given))
    if session.as_json:
        session.output.document(shapes.subscription_shape(one))
    elif one.confirmed:
        session.output.say(f"subscribed to {name}: {named(one)}")
    else:
        until = shown_time(one.created_at + TOKEN_LIFE)
        session.output.say(f"waits for its confirmation until {until}: {named(one)}")


def confirm(
    ctx: typer.Context,
    name: Name,
    token: Annotated[
        str, typer.Argument(metavar="TOKEN", help="What the endpoint was sent.", show_default=False)
    ],
    authenticate_on_unsubscribe: Annotated[
        bool,
        typer.Option(
            "--authenticate-on-unsubscribe",
            metavar="",
            help="At the endpoint for AWS SDKs, only who signs may unsubscribe.",
            show_default=False,
        ),
    ] = False,
) -> None:
    """Confirm a subscription by the token that was sent to its endpoint."""
    session = session_of(ctx)
    one = session.client.topic(name).confirm_subscription(
        token, authenticate_on_unsubscribe=authenticate_on_unsubscribe
    )
    if session.as_json:
        session.output.document(shapes.subscription_shape(one))
    else:
        session.output.say(f"confirmed: {named(one)}")


def subscriptions(
    ctx: typer.Context,
    name: Name,
    number: Annotated[
        int, typer.Option("-n", "--max", metavar="N", min=1, help="Most subscriptions.")
    ] = 100,
    after: Annotated[str | None, typer.Option(metavar="ID", help="Go on behind this one.")] = None,
) -> None:
    """List the subscriptions of a topic, in the order of their ids."""
    session = session_of(ctx)
    found, rest = subscriptions_of(session.client.topic(name), number, after)
    if session.as_json:
        shown = [shapes.subscription_shape(one) for one in found]
        session.output.document({"subscriptions": shown, "next": rest})
        return
    _table(session, name, found)
    if rest is not None:
        session.output.note(f"there are more: --after {rest}")


def unsubscribe(
    ctx: typer.Context,
    name: Name,
    subscription: Which,
    farewell: Annotated[
        bool,
        typer.Option(
            "--farewell",
            metavar="",
            help="Tell an endpoint that had to confirm; it may come back.",
            show_default=False,
        ),
    ] = False,
    yes: Yes = False,
) -> None:
    """End a subscription. It asks where messages still wait to be pushed, which are lost by it."""
    session = session_of(ctx)
    topic = session.client.topic(name)
    one = topic.subscription(subscription_of(topic, subscription))
    backlog = topic.subscription_stats(one.id).backlog
    if backlog:
        ask(ctx, f"Drop {backlog:,} messages that wait for {one.endpoint}?", yes)
    topic.unsubscribe(one.id, farewell=farewell)
    if session.as_json:
        session.output.document({"id": one.id, "unsubscribed": True, "dropped": backlog})
    else:
        session.output.say(f"ended: {named(one)}")


def _table(session: Session, name: str, found: list[Subscription]) -> None:
    if not found:
        session.output.note(f"no subscriptions; make one: rmq topic subscribe {name} QUEUE")
        return
    rows = table("subscription", "protocol", "endpoint", "state", "filter")
    for one in found:
        rows.add_row(
            one.id,
            one.protocol,
            Text(shown_endpoint(one)),
            _state(one),
            Text(shown_body((one.attributes.filter_policy or "").encode(), SHOWN)),
        )
    session.output.show(rows)


def _state(one: Subscription) -> str:
    if not one.confirmed:
        return "unconfirmed"
    replayed = one.replay is not None and not one.replay.stopped
    return "replayed" if replayed else "confirmed"
