"""Managing queues: create, list, show, set, purge, rm."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rmq import Queue, QueueInfo
from rmq.cli import values
from rmq.cli.asking import Yes, ask
from rmq.cli.options import Given
from rmq.cli.output import pairs, shown_age, shown_duration, shown_time, table
from rmq.cli.queue import shapes
from rmq.cli.queue.attributes import attributes_of
from rmq.cli.session import queue_names, session_of
from rmq.errors import QueueDoesNotExist

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="The queue.", autocompletion=queue_names, show_default=False
    ),
]


def create(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="1 to 80 of A-Z a-z 0-9 _ -; .fifo at the end.")
    ],
    given: Given,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Repeat it for more.")
    ] = None,
) -> None:
    """Create a queue; one that stands already with these attributes is left as it is.

    A duration is a number of seconds, or 250ms, 90s, 15m, 12h, 4d.
    """
    session = session_of(ctx)
    attributes = attributes_of(given)
    tags = values.tags(tag or ())
    queue = session.client.create_queue(name, tags=tags, **attributes)
    if session.as_json:
        session.output.document(shapes.info_shape(queue.info()) | {"tags": queue.tags()})
    else:
        session.output.say(f"queue {name} is there")


def list_queues(
    ctx: typer.Context,
    prefix: Annotated[
        str, typer.Argument(metavar="PREFIX", help="Only names that begin with this.")
    ] = "",
) -> None:
    """List queues with what is in them now."""
    session = session_of(ctx)
    found: list[dict[str, Any]] = []
    for queue in session.client.all_queues(prefix):
        try:
            found.append({"name": queue.name, **shapes.counts_shape(queue.stats())})
        except QueueDoesNotExist:
            continue  # removed while we looked
    if session.as_json:
        session.output.document({"queues": found})
        return
    if not found:
        session.output.note("no queues; create one: rmq queue create NAME")
        return
    rows = table("queue", ">visible", ">in flight", ">delayed", ">oldest")
    for one in found:
        counts = (f"{one[name]:,}" for name in shapes.COUNTS)
        rows.add_row(one["name"], *counts, shown_age(one["oldest_sent_at"]))
    session.output.show(rows)


def show(ctx: typer.Context, name: Name) -> None:
    """Show all that is known of a queue: attributes, counts, totals, tags, dead letters."""
    session = session_of(ctx)
    queue = session.client.queue(name)
    info, stats, tags = queue.info(), queue.stats(), queue.tags()
    sources = _sources(queue)
    tasks = queue.redrive_tasks()
    if session.as_json:
        session.output.document(
            shapes.info_shape(info)
            | {
                "counts": shapes.counts_shape(stats),
                "totals": shapes.totals_shape(stats),
                "tags": tags,
                "dead_letter_sources": sources,
                "redrive_tasks": [shapes.task_shape(task) for task in tasks],
            }
        )
        return
    kind = "FIFO queue" if info.is_fifo else "standard queue"
    out = session.output
    out.show(
        pairs(
            f"{name}, a {kind}",
            [("created", shown_time(info.created_at)), ("changed", shown_time(info.modified_at))],
        )
    )
    out.show(pairs("Attributes", _attribute_rows(info)))
    counts = [(one.replace("_", " "), f"{getattr(stats, one):,}") for one in shapes.COUNTS]
    out.show(pairs("Now", [*counts, ("oldest message", shown_age(stats.oldest_sent_at))]))
    out.show(pairs("Ever", [(one, f"{getattr(stats, one):,}") for one in shapes.TOTALS]))
    if tags:
        out.show(pairs("Tags", sorted(tags.items())))
    if sources:
        out.show(pairs("Dead letters come from", [(source, "") for source in sources]))
    if tasks:
        out.show(pairs("Redrives", [(task.id, task.status) for task in tasks]))


def set_attributes(
    ctx: typer.Context,
    name: Name,
    given: Given,
    no_dead_letter_queue: Annotated[
        bool,
        typer.Option(
            "--no-dead-letter-queue",
            metavar="",
            help="Hand messages out for ever.",
            show_default=False,
            rich_help_panel="Dead letters",
        ),
    ] = False,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Set a tag. Repeatable.")
    ] = None,
    untag: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Remove a tag. Repeatable.")
    ] = None,
) -> None:
    """Change attributes and tags of a queue. They hold at once.

    A duration is a number of seconds, or 250ms, 90s, 15m, 12h, 4d.
    """
    session = session_of(ctx)
    if not (given or no_dead_letter_queue or tag or untag):
        raise values.WrongUsage("there is nothing to set", ctx=ctx)
    if no_dead_letter_queue and given.keys() & {"dead_letter_queue", "max_receive_count"}:
        raise values.WrongUsage("--no-dead-letter-queue excludes the other two", ctx=ctx)
    tags = values.tags(tag or ())
    queue = session.client.queue(name)
    info = queue.info()
    attributes = attributes_of(given, info.attributes.redrive_policy)
    if no_dead_letter_queue:
        attributes["redrive_policy"] = None
    if attributes:
        info = queue.set_attributes(**attributes)
    if untag:
        queue.untag(untag)
    all_tags = queue.tag(tags) if tags else queue.tags()
    if session.as_json:
        session.output.document(shapes.info_shape(info) | {"tags": all_tags})
    else:
        session.output.say(f"queue {name} is changed")


def purge(ctx: typer.Context, name: Name, yes: Yes = False) -> None:
    """Drop every message of a queue, also those in flight and delayed."""
    session = session_of(ctx)
    queue = session.client.queue(name)
    count = queue.stats().messages
    ask(ctx, f"Drop all {count:,} messages of {name}?", yes)
    purged = queue.purge()
    if session.as_json:
        session.output.document({"name": name, "purged": purged})
    else:
        session.output.say(f"{purged:,} messages dropped, queue {name} is empty")


def remove(ctx: typer.Context, name: Name, yes: Yes = False) -> None:
    """Remove a queue with all it holds."""
    session = session_of(ctx)
    count = session.client.queue(name).stats().messages
    ask(ctx, f"Remove {name} with its {count:,} messages?", yes)
    session.client.delete_queue(name)
    if session.as_json:
        session.output.document({"name": name, "removed": True, "messages": count})
    else:
        session.output.say(f"queue {name} is gone, with {count:,} messages")


def _sources(queue: Queue) -> list[str]:
    found: list[str] = []
    token = None
    while True:
        page = queue.dead_letter_sources(token=token)
        found += page
        token = page.next_token
        if token is None:
            return found


def _attribute_rows(info: QueueInfo) -> list[tuple[str, str]]:
    attributes = info.attributes
    policy, allow = attributes.redrive_policy, attributes.redrive_allow_policy
    redrive = "none"
    if policy is not None:
        redrive = f"{policy.dead_letter_queue}, after {policy.max_receive_count} receives"
    allowed = "all"
    if allow is not None:
        allowed = ", ".join(allow.source_queues) or allow.permission.partition("_")[0]
    rows = [
        ("visibility timeout", shown_duration(attributes.visibility_timeout)),
        ("delay", shown_duration(attributes.delay)),
        ("retention", shown_duration(attributes.message_retention_period)),
        ("maximum message size", f"{attributes.maximum_message_size:,} bytes"),
        ("wait", shown_duration(attributes.receive_message_wait_time)),
        ("dead-letter queue", redrive),
        ("takes dead letters of", allowed.replace("deny", "none")),
    ]
    if info.compresses or info.dictionary:
        size = f"{len(info.dictionary):,} bytes" if info.dictionary else "not made yet"
        rows += [("compression", attributes.compression), ("its dictionary", size)]
    if info.is_fifo:
        content = "on" if attributes.content_based_deduplication else "off"
        rows += [
            ("content-based deduplication", content),
            ("deduplication scope", attributes.deduplication_scope),
            ("FIFO throughput limit", attributes.fifo_throughput_limit),
            ("deduplication window", shown_duration(attributes.deduplication_window)),
        ]
    if attributes.policy is not None:
        rows.append(("policy", attributes.policy))
    if attributes.kms_master_key_id is not None:
        reuse = shown_duration(attributes.kms_data_key_reuse_period)
        rows.append(("KMS key", f"{attributes.kms_master_key_id}, data keys for {reuse}"))
    else:
        rows.append(("managed SSE", "on" if attributes.sqs_managed_sse_enabled else "off"))
    return rows
