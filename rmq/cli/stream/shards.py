"""Shards: split, merge, scale. Puts and reads go on, and each partition key keeps its order."""

from __future__ import annotations

from typing import Annotated

import typer

from rmq.cli.session import Session, session_of, shard_ids
from rmq.cli.stream import shapes
from rmq.cli.stream.manage import Name, shard_table
from rmq.cli.values import WrongUsage
from rmq.streams.sequence import shard_id
from rmq.streams.shard import Shard


def named_shard(text: str) -> str:
    """The id of a shard that is given as such, or as its number. Raises WrongUsage."""
    if text.isascii() and text.isdigit() and len(text) <= 12:
        return shard_id(int(text))
    if not text.startswith("shardId-"):
        raise WrongUsage(f"{text!r} is not a shard; write shardId-000000000007, or 7")
    return text


The = Annotated[
    str,
    typer.Argument(
        metavar="SHARD",
        help="shardId-000000000007, or 7.",
        autocompletion=shard_ids,
        show_default=False,
    ),
]


def split(
    ctx: typer.Context,
    name: Name,
    shard: The,
    at: Annotated[
        str | None,
        typer.Option(metavar="HASH_KEY", help="Where the upper one begins. Default: the middle."),
    ] = None,
) -> None:
    """Split a shard in two: more room where much comes."""
    if at is not None and not (at.isascii() and at.isdigit()):
        raise WrongUsage(f"{at!r} is not a hash key; write a whole number", ctx=ctx)
    session = session_of(ctx)
    stream = session.client.stream(name)
    made = stream.split(named_shard(shard), None if at is None else int(at))
    _say(session, list(made))


def merge(
    ctx: typer.Context,
    name: Name,
    shard: The,
    adjacent: Annotated[
        str,
        typer.Argument(
            metavar="ADJACENT", help="One beside it.", autocompletion=shard_ids, show_default=False
        ),
    ],
) -> None:
    """Make one of two shards that lie side by side."""
    session = session_of(ctx)
    stream = session.client.stream(name)
    _say(session, [stream.merge(named_shard(shard), named_shard(adjacent))])


def scale(
    ctx: typer.Context,
    name: Name,
    count: Annotated[
        int, typer.Argument(metavar="N", min=1, help="How many shards.", show_default=False)
    ],
) -> None:
    """Split and merge until there are N shards of the same width.

    At most twice and at least half as many as there are.
    """
    session = session_of(ctx)
    info = session.client.stream(name).update_shard_count(count)
    if session.as_json:
        open_shards = [shapes.shard_shape(one) for one in info.shards.open]
        session.output.document(shapes.info_shape(info) | {"shards": open_shards})
    else:
        session.output.say(f"stream {name} has {info.open_shard_count:,} shards")


def _say(session: Session, made: list[Shard]) -> None:
    if session.as_json:
        session.output.document({"shards": [shapes.shard_shape(one) for one in made]})
    else:
        session.output.show(shard_table(made))
