"""Managing streams: create, list, show, set, sweep, rm."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from rmq import Shard, Stream, StreamAttributes
from rmq.cli import values
from rmq.cli.asking import Yes, ask
from rmq.cli.options import Given
from rmq.cli.output import pairs, shown_duration, shown_time, table
from rmq.cli.session import session_of, stream_names
from rmq.cli.stream import shapes
from rmq.cli.stream.attributes import attributes_of
from rmq.errors import StreamDoesNotExist
from rmq.streams.shard import LAST_HASH_KEY

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="The stream.", autocompletion=stream_names, show_default=False
    ),
]
PAGE = 1000


def create(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="1 to 128 of A-Z a-z 0-9 _ . -", show_default=False),
    ],
    given: Given,
    shards: Annotated[
        int | None,
        typer.Option(
            "--shards",
            "-n",
            metavar="N",
            min=1,
            help="How many, unless it is on demand. Default: 1.",
            show_default=False,
        ),
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Repeat it for more.")
    ] = None,
) -> None:
    """Create a stream."""
    session = session_of(ctx)
    tags = values.tags(tag or ())
    stream = session.client.create_stream(name, shards, tags=tags, **attributes_of(given))
    info = stream.info()
    if session.as_json:
        session.output.document(shapes.info_shape(info) | {"tags": tags})
    else:
        count = info.open_shard_count
        session.output.say(f"stream {name} is there, with {count:,} shard{'s' * (count != 1)}")


def list_streams(
    ctx: typer.Context,
    prefix: Annotated[
        str, typer.Argument(metavar="PREFIX", help="Only names that begin with this.")
    ] = "",
) -> None:
    """List streams with their shards and readers."""
    session = session_of(ctx)
    found: list[dict[str, Any]] = []
    for stream in session.client.all_streams(prefix):
        try:
            info, groups = stream.info(), len(all_groups(stream))
        except StreamDoesNotExist:
            continue  # removed while we looked
        found.append(
            shapes.info_shape(info)
            | {"closed_shards": len(info.shards) - info.open_shard_count}
            | {"groups": groups}
        )
    if session.as_json:
        session.output.document({"streams": found})
        return
    if not found:
        session.output.note("no streams; create one: rmq stream create NAME")
        return
    rows = table(
        "stream", "status", "mode", ">shards", ">closed", ">retention", ">groups", ">consumers"
    )
    for one in found:
        rows.add_row(
            one["name"],
            one["status"],
            _shown_mode(one["attributes"]["mode"]),
            f"{one['open_shards']:,}",
            f"{one['closed_shards']:,}",
            _shown_retention(one["attributes"]["retention_hours"]),
            f"{one['groups']:,}",
            f"{one['consumers']:,}",
        )
    session.output.show(rows)


def show(
    ctx: typer.Context,
    name: Name,
    number: Annotated[
        int, typer.Option("-n", "--max", metavar="N", min=0, help="Most shards.")
    ] = 100,
) -> None:
    """Show all that is known of a stream."""
    session = session_of(ctx)
    stream = session.client.stream(name)
    info, tags, groups = stream.info(), stream.tags(), all_groups(stream)
    shards = list(info.shards.values())
    if session.as_json:
        session.output.document(
            shapes.info_shape(info)
            | {
                "tags": tags,
                "groups": groups,
                "shards": [shapes.shard_shape(one) for one in shards[:number]],
            }
        )
        return
    out = session.output
    rows = [("ARN", info.arn), ("status", info.status), ("created", shown_time(info.created_at))]
    if info.target_shard_count is not None:
        rows.append(("on its way to", f"{info.target_shard_count:,} shards"))
    rows += [
        ("registered consumers", f"{info.consumer_count:,}"),
        ("consumer groups", ", ".join(groups) or "none"),
    ]
    # Queues and channels are the endpoint's; most streams have none.
    rows += [
        (what, f"{count:,}")
        for what, count in (("queues", info.queue_count), ("channels", info.channel_count))
        if count
    ]
    kind = "on demand" if info.attributes.mode == "ON_DEMAND" else "provisioned"
    out.show(pairs(f"{name}, a stream {kind}", rows))
    out.show(pairs("Attributes", _attribute_rows(info.attributes)))
    if tags:
        out.show(pairs("Tags", sorted(tags.items())))
    if number:
        out.show(shard_table(shards[:number]))
    if len(shards) > number:
        out.note(f"{len(shards) - number:,} more shards; -n shows more")


def set_attributes(
    ctx: typer.Context,
    name: Name,
    given: Given,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Set a tag. Repeatable.")
    ] = None,
    untag: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Remove a tag. Repeatable.")
    ] = None,
) -> None:
    """Change attributes and tags of a stream.

    How many shards it has, rmq stream scale changes.
    With a shorter retention what is older can not be read any more, from now on.
    """
    session = session_of(ctx)
    if not (given or tag or untag):
        raise values.WrongUsage("there is nothing to set", ctx=ctx)
    tags, attributes = values.tags(tag or ()), attributes_of(given)
    stream = session.client.stream(name)
    info = stream.set_attributes(**attributes) if attributes else stream.info()
    if untag:
        stream.untag(untag)
    all_tags = stream.tag(tags) if tags else stream.tags()
    if session.as_json:
        session.output.document(shapes.info_shape(info) | {"tags": all_tags})
    else:
        session.output.say(f"stream {name} is changed")


def sweep(ctx: typer.Context, name: Name) -> None:
    """Give back the memory of expired records, and scale a stream on demand.

    Who puts and reads does so once a minute; a stream that nobody touches may want it.
    """
    session = session_of(ctx)
    done = session.client.stream(name).sweep()
    if session.as_json:
        session.output.document(
            {"blocks": done.blocks, "shards": done.shards, "changes": done.changes}
        )
        return
    session.output.say(
        f"{done.blocks:,} blocks of records and {done.shards:,} shards were expired and are gone; "
        f"{done.changes:,} splits and merges"
    )


def remove(
    ctx: typer.Context,
    name: Name,
    yes: Yes = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", metavar="", help="Even with registered consumers.", show_default=False
        ),
    ] = False,
) -> None:
    """Remove a stream with all its records."""
    session = session_of(ctx)
    count = session.client.stream(name).info().open_shard_count
    ask(ctx, f"Remove {name} with its {count:,} shards and all records?", yes)
    session.client.delete_stream(name, enforce_consumer_deletion=force)
    if session.as_json:
        session.output.document({"name": name, "removed": True})
    else:
        session.output.say(f"stream {name} is gone")


def shard_table(shards: list[Shard]) -> Table:
    """Shards, the oldest first."""
    rows = table("shard", "state", ">of all keys", ">first hash key", "from", "opened", "closed")
    for one in shards:
        share = (one.ending_hash_key - one.starting_hash_key + 1) / (LAST_HASH_KEY + 1)
        parents = [f"{parent:012d}".lstrip("0") or "0" for parent in one.parents]
        rows.add_row(
            one.id,
            Text("open", style="green") if one.is_open else Text("closed", style="dim"),
            f"{share:.1%}",
            str(one.starting_hash_key),
            " and ".join(parents) or "-",
            shown_time(one.opened_at),
            "-" if one.closed_at is None else shown_time(one.closed_at),
        )
    return rows


def all_groups(stream: Stream) -> list[str]:
    found: list[str] = []
    token = None
    while True:
        page = stream.groups(token=token)
        found += page
        token = page.next_token
        if token is None:
            return found


def _attribute_rows(attributes: StreamAttributes) -> list[tuple[str, str]]:
    rows = [
        ("retention", _shown_retention(attributes.retention_hours)),
        ("maximum record size", f"{attributes.max_record_size:,} bytes"),
        ("encryption", attributes.encryption_type),
    ]
    if attributes.mode == "ON_DEMAND":
        rows.append(("record distribution", attributes.record_distribution))
    warm = attributes.warm_throughput_mib
    rows += [
        (label, value)
        for label, value in (
            ("warm throughput", None if warm is None else f"{warm:,} MiB/s"),
            ("KMS key", attributes.kms_key_id),
            ("shard-level metrics", ", ".join(attributes.shard_level_metrics) or None),
            ("policy", attributes.policy),
        )
        if value is not None
    ]
    return rows


def _shown_mode(mode: str) -> str:
    return mode.replace("_", " ").lower()


def _shown_retention(hours: int) -> str:
    return shown_duration(hours * _HOUR)


_HOUR = StreamAttributes(retention_hours=24).retention / 24
