"""Naming: how a person says which subscription: by its id, its ARN, or what it is for."""

from __future__ import annotations

from typing import Annotated

import typer

from rmq import Subscription, Topic
from rmq.cli.session import subscription_ids
from rmq.cli.values import WrongUsage
from rmq.errors import SubscriptionDoesNotExist
from rmq.topics.subscription import ID

_HELP = "Its id, its ARN, or its endpoint where only one has it: a queue's name, a URL."

Which = Annotated[
    str,
    typer.Argument(
        metavar="SUBSCRIPTION", help=_HELP, autocompletion=subscription_ids, show_default=False
    ),
]
The = Annotated[
    str | None,
    typer.Option(
        "--subscription",
        metavar="SUBSCRIPTION",
        help=f"One subscription. {_HELP}",
        autocompletion=subscription_ids,
    ),
]


def subscription_of(topic: Topic, text: str) -> str:
    """The id of the subscription that *text* stands for.

    Raises SubscriptionDoesNotExist, and WrongUsage where several have that endpoint.
    """
    if ID.fullmatch(text):
        return text
    if text.startswith(f"{topic.arn}:"):
        return text.removeprefix(f"{topic.arn}:")
    found = [one for one in topic.all_subscriptions() if text in (one.endpoint, _queue(one))]
    if len(found) > 1:
        ids = ", ".join(one.id for one in found[:3])
        raise WrongUsage(f"{len(found)} subscriptions are for {text!r}; say which: {ids}")
    if not found:
        raise SubscriptionDoesNotExist(
            f"topic {topic.name!r} has no subscription for {text!r}; "
            f"rmq topic subscriptions {topic.name} lists them",
            topic=topic.name,
            subscription=text,
        )
    return found[0].id


def named(one: Subscription) -> str:
    """What a sentence calls a subscription."""
    return f"{one.id} ({one.protocol} {shown_endpoint(one)})"


def shown_endpoint(one: Subscription) -> str:
    """An endpoint as a table shows it: a queue of the topic's own account by its name."""
    queue = _queue(one)
    if queue is not None and one.endpoint == one.place.arn("sqs", queue):
        return queue
    return one.endpoint


def _queue(one: Subscription) -> str | None:
    return one.endpoint.rpartition(":")[2] if one.protocol == "sqs" else None
