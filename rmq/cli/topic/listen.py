"""Listening: what is published from now on, live, until Ctrl-C."""

from __future__ import annotations

import itertools
from typing import Annotated, get_args

import typer
from rich.panel import Panel
from rich.text import Text

from rmq import Heard
from rmq.cli import values
from rmq.cli.output import Output, shown_body, shown_time
from rmq.cli.session import session_of
from rmq.cli.topic import shapes
from rmq.cli.topic.manage import Name
from rmq.topics.filters.policy import FilterPolicyScope

SHOWN = 60
"""Characters of an attribute."""


def listen(
    ctx: typer.Context,
    name: Name,
    number: Annotated[
        int | None,
        typer.Option(
            "-n", "--max", metavar="N", min=1, help="End after so many. Default: until Ctrl-C."
        ),
    ] = None,
    filter_policy: Annotated[
        str | None,
        typer.Option("--filter", metavar="JSON", help="Only messages that SNS's policy lets in."),
    ] = None,
    scope: Annotated[
        str,
        typer.Option(
            "--filter-scope",
            metavar="SCOPE",
            help=f"What it is held against: {', '.join(get_args(FilterPolicyScope))}.",
            autocompletion=lambda: list(get_args(FilterPolicyScope)),
        ),
    ] = "message_attributes",
) -> None:
    """Hear what is published, live. Nothing is kept: what comes while nobody listens is missed.

    It prints messages as they are, --json all the rest too, as one object a line.
    """
    session = session_of(ctx)
    if scope not in get_args(FilterPolicyScope):
        raise values.WrongUsage(f"{scope!r} is not one of {', '.join(get_args(FilterPolicyScope))}")
    found: FilterPolicyScope = "message_body" if scope == "message_body" else "message_attributes"
    topic = session.client.topic(name)
    out = session.output
    if out.is_terminal:
        out.note(f"listening to {name}; Ctrl-C ends")
    heard = topic.listen(filter_policy=filter_policy, filter_policy_scope=found)
    for message in itertools.islice(heard, number):
        _print(out, message)


def _print(out: Output, message: Heard) -> None:
    if out.as_json:
        out.line(shapes.heard_shape(message))
    elif out.is_terminal:
        out.show(_panel(message))
    else:
        out.raw(message.body)


def _panel(message: Heard) -> Panel:
    facts = [shown_time(message.published_at)]
    if message.message_group_id:
        facts.append(f"group {message.message_group_id}")
    text = Text(shown_body(message.body))
    for name, one in message.attributes.items():
        value = one.value if isinstance(one.value, bytes) else one.value.encode()
        text.append(f"\n{name} ({one.type}): {shown_body(value, SHOWN)}", style="cyan")
    title = Text(shown_body((message.subject or message.id).encode()))
    return Panel(text, title=title, subtitle=Text(shown_body(", ".join(facts).encode())))
