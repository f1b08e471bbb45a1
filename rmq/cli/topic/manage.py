"""Managing topics: create, list, show, set, rm."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from rmq import Subscription, SubscriptionStats, Topic, TopicAttributes
from rmq.cli import values
from rmq.cli.asking import Yes, ask
from rmq.cli.options import Given
from rmq.cli.output import pairs, shown_age, shown_duration, shown_time, table
from rmq.cli.session import Session, session_of, topic_names
from rmq.cli.topic import shapes
from rmq.cli.topic.attributes import SUBSCRIPTION, TOPIC, attributes_of
from rmq.cli.topic.naming import The, named, shown_endpoint, subscription_of
from rmq.errors import TopicDoesNotExist

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="The topic.", autocompletion=topic_names, show_default=False
    ),
]


def create(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="1 to 256 of A-Z a-z 0-9 _ -; .fifo at the end.")
    ],
    given: Given,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Repeat it for more.")
    ] = None,
) -> None:
    """Create a topic; one that stands already with these attributes is left as it is.

    A duration is a number of seconds, or 250ms, 90s, 15m, 12h, 4d.
    """
    session = session_of(ctx)
    attributes = attributes_of(given)
    tags = values.tags(tag or ())
    topic = session.client.create_topic(name, tags=tags, **attributes)
    if session.as_json:
        session.output.document(shapes.info_shape(topic.info()) | {"tags": topic.tags()})
    else:
        session.output.say(f"topic {name} is there")


def list_topics(
    ctx: typer.Context,
    prefix: Annotated[
        str, typer.Argument(metavar="PREFIX", help="Only names that begin with this.")
    ] = "",
) -> None:
    """List topics with their subscriptions and what was published."""
    session = session_of(ctx)
    found: list[dict[str, Any]] = []
    for topic in session.client.all_topics(prefix):
        try:
            found.append({"name": topic.name, **shapes.stats_shape(topic.stats())})
        except TopicDoesNotExist:
            continue  # removed while we looked
    if session.as_json:
        session.output.document({"topics": found})
        return
    if not found:
        session.output.note("no topics; create one: rmq topic create NAME")
        return
    columns = ("subscriptions", "pending", "published", "outbox")
    rows = table("topic", *(f">{column}" for column in columns))
    for one in found:
        rows.add_row(one["name"], *(f"{one[column]:,}" for column in columns))
    session.output.show(rows)


def show(
    ctx: typer.Context,
    name: Name,
    subscription: The = None,
    number: Annotated[
        int, typer.Option("-n", "--max", metavar="N", min=0, help="Most subscriptions.")
    ] = 100,
) -> None:
    """Show all that is known of a topic, or with --subscription of a subscription.

    Attributes, totals and tags, and what became of its messages at each subscription.
    """
    session = session_of(ctx)
    topic = session.client.topic(name)
    if subscription is not None:
        _show_one(session, topic, topic.subscription(subscription_of(topic, subscription)))
        return
    info, stats, tags = topic.info(), topic.stats(), topic.tags()
    listed, _ = subscriptions_of(topic, number)
    each = [(one, topic.subscription_stats(one.id)) for one in listed]
    if session.as_json:
        session.output.document(
            shapes.info_shape(info)
            | {
                "totals": shapes.stats_shape(stats),
                "tags": tags,
                "subscriptions": [_subscription_document(one, seen) for one, seen in each],
            }
        )
        return
    kind = "FIFO topic" if info.is_fifo else "standard topic"
    out = session.output
    times = [("created", shown_time(info.created_at)), ("changed", shown_time(info.modified_at))]
    out.show(pairs(f"{name}, a {kind}", [("ARN", info.arn), *times]))
    out.show(pairs("Attributes", _attribute_rows(info.attributes, info.is_fifo)))
    counts = [(one, f"{getattr(stats, one):,}") for one in shapes.SUBSCRIBED]
    counts += [("outbox", f"{stats.outbox:,}"), ("oldest in it", shown_age(stats.oldest_at))]
    out.show(pairs("Now", counts))
    out.show(pairs("Ever", [(one, f"{getattr(stats, one):,}") for one in shapes.TOTALS]))
    if tags:
        out.show(pairs("Tags", sorted(tags.items())))
    if each:
        out.show(_stats_table(each))
    if stats.subscriptions > len(each):
        out.note(f"{stats.subscriptions - len(each):,} more subscriptions; -n shows more")


def set_attributes(
    ctx: typer.Context,
    name: Name,
    given: Given,
    subscription: The = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Set a tag. Repeatable.")
    ] = None,
    untag: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Remove a tag. Repeatable.")
    ] = None,
) -> None:
    """Change attributes and tags of a topic, or with --subscription those of a subscription.

    They hold for what is published from now on.
    A duration is a number of seconds, or 250ms, 90s, 15m, 12h, 4d.
    """
    session = session_of(ctx)
    if not (given or tag or untag):
        raise values.WrongUsage("there is nothing to set", ctx=ctx)
    topic = session.client.topic(name)
    if subscription is not None:
        if tag or untag or given.keys() - SUBSCRIPTION.keys():
            raise values.WrongUsage("that is no attribute of a subscription", ctx=ctx)
        one = topic.set_subscription(subscription_of(topic, subscription), **attributes_of(given))
        if session.as_json:
            session.output.document(shapes.subscription_shape(one))
        else:
            session.output.say(f"subscription {named(one)} is changed")
        return
    if given.keys() - TOPIC.keys():
        raise values.WrongUsage(
            "that is an attribute of a subscription; say which: --subscription", ctx=ctx
        )
    tags = values.tags(tag or ())
    info = topic.info()
    attributes = attributes_of(given, info.attributes.feedback)
    if attributes:
        info = topic.set_attributes(**attributes)
    if untag:
        topic.untag(untag)
    all_tags = topic.tag(tags) if tags else topic.tags()
    if session.as_json:
        session.output.document(shapes.info_shape(info) | {"tags": all_tags})
    else:
        session.output.say(f"topic {name} is changed")


def remove(ctx: typer.Context, name: Name, yes: Yes = False) -> None:
    """Remove a topic with its subscriptions. What their queues were given stays there."""
    session = session_of(ctx)
    count = session.client.topic(name).stats().subscriptions
    ask(ctx, f"Remove {name} with its {count:,} subscriptions?", yes)
    session.client.delete_topic(name)
    if session.as_json:
        session.output.document({"name": name, "removed": True, "subscriptions": count})
    else:
        session.output.say(f"topic {name} is gone, with {count:,} subscriptions")


PAGE = 1000
"""The most subscriptions that one call lists."""


def subscriptions_of(
    topic: Topic, number: int, after: str | None = None
) -> tuple[list[Subscription], str | None]:
    """Up to *number* subscriptions behind *after*, and where to go on."""
    found: list[Subscription] = []
    while len(found) < number:
        page = topic.subscriptions(limit=min(number - len(found), PAGE), token=after)
        found += page
        after = page.next_token
        if after is None:
            break
    return found, after


def _show_one(session: Session, topic: Topic, one: Subscription) -> None:
    seen = topic.subscription_stats(one.id)
    if session.as_json:
        session.output.document(_subscription_document(one, seen))
        return
    attributes = one.attributes
    rows = [
        ("id", one.id),
        ("protocol", one.protocol),
        ("endpoint", one.endpoint),
        ("account", one.account),
        ("created", shown_time(one.created_at)),
        ("confirmed", "yes" if one.confirmed else "not yet"),
        ("filter", attributes.filter_policy or "none: all messages"),
        ("filter scope", attributes.filter_policy_scope),
        ("raw message delivery", "on" if attributes.raw_message_delivery else "off"),
        ("dead-letter queue", attributes.dead_letter_queue or "none"),
    ]
    rows += [
        (label, value)
        for label, value in (
            ("delivery policy", attributes.delivery_policy),
            ("role", attributes.subscription_role_arn),
            ("replay", topic.replay_status(one.id) if one.replay is not None else None),
        )
        if value is not None
    ]
    session.output.show(pairs(f"A subscription of {one.topic}", rows))
    session.output.show(_stats_table([(one, seen)]))


def _subscription_document(one: Subscription, seen: SubscriptionStats) -> dict[str, Any]:
    return shapes.subscription_shape(one) | {"totals": shapes.subscription_stats_shape(seen)}


def _stats_table(each: list[tuple[Subscription, SubscriptionStats]]) -> Table:
    rows = table(
        "protocol", "endpoint", ">delivered", ">failed", ">backlog", ">latency", "filtered out"
    )
    for one, seen in each:
        kinds = [f"{count:,} by {kind}" for kind, count in seen.filtered_out.items()]
        rows.add_row(
            one.protocol if one.confirmed else f"{one.protocol}, unconfirmed",
            Text(shown_endpoint(one)),
            f"{seen.delivered:,}",
            f"{seen.failed:,}",
            f"{seen.backlog:,}",
            "-" if seen.latency_ms is None else f"{seen.latency_ms:,.1f} ms",
            ", ".join(kinds).replace("_", " ") or "0",
        )
    return rows


def _attribute_rows(attributes: TopicAttributes, is_fifo: bool) -> list[tuple[str, str]]:
    rows = [
        ("display name", attributes.display_name or "none"),
        ("maximum message size", f"{attributes.largest_message:,} bytes"),
        ("signature version", str(attributes.signature_version or "none said")),
    ]
    if is_fifo:
        archive = attributes.archive_retention
        rows += [
            (
                "content-based deduplication",
                "on" if attributes.content_based_deduplication else "off",
            ),
            ("FIFO throughput scope", attributes.fifo_throughput_scope),
            ("deduplication window", shown_duration(attributes.deduplication_window)),
            ("archive", "none" if archive is None else f"for {shown_duration(archive)}"),
        ]
    rows += [
        (label, value)
        for label, value in (
            ("delivery policy", attributes.delivery_policy),
            ("policy", attributes.policy),
            ("KMS key", attributes.kms_master_key_id),
            ("tracing", attributes.tracing_config),
            ("data protection policy", attributes.data_protection_policy),
        )
        if value is not None
    ]
    return [*rows, *sorted(attributes.feedback.items())]
