"""Reading: what is in a stream, as the tests compare it."""

from __future__ import annotations

from typing import Any

from rmq.streams.sequence import shard_id

SHARD = shard_id(0)
"""The one shard of a small stream."""


async def everything(stream: Any, shard: str = SHARD, **start: Any) -> list[Any]:
    """All records of a shard from where *start* says, by default the oldest."""
    found: list[Any] = []
    iterator = await stream.iterator(shard, **start)
    while iterator is not None:
        got = await stream.get(iterator)
        if not got.records and got.next_iterator is not None:
            break
        found += got.records
        iterator = got.next_iterator
    return found


async def texts(stream: Any, shard: str = SHARD, **start: Any) -> list[str]:
    """The data of all records of a shard."""
    return [one.data.decode() for one in await everything(stream, shard, **start)]


async def by_shard(stream: Any) -> dict[str, list[str]]:
    """The data of all records of each shard of a stream."""
    return {one.id: await texts(stream, one.id) for one in await stream.shards()}
