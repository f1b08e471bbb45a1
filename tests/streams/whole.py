"""What must be true of a stream whatever happened to it, and how a test looks for that."""

from __future__ import annotations

from typing import Any

from rmq.streams.record import StreamRecord
from rmq.streams.shard import LAST_HASH_KEY


async def everything(stream: Any) -> list[StreamRecord]:
    """Every record that is kept, as somebody gets them who reads parents before children."""
    found = []
    for number, shard in (await stream.info()).shards.items():
        position = 0
        while position is not None:
            batch = await stream.read(shard.id, position)
            found += batch.records
            if batch.next_position is not None and not batch.records:
                break
            position = batch.next_position
        assert position is None or shard.is_open, number
    return found


def texts_by_key(records: list[StreamRecord]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in records:
        found.setdefault(one.partition_key, []).append(one.data.decode())
    return found


async def check(stream: Any) -> Any:
    """The stream's shards fit together. Returns its description."""
    info = await stream.info()
    assert info.status == "ACTIVE"
    ends = -1
    for one in sorted(info.shards.open, key=lambda one: one.starting_hash_key):
        assert one.starting_hash_key == ends + 1
        ends = one.ending_hash_key
    assert ends == LAST_HASH_KEY
    for one in info.shards.values():
        for parent in one.parents:
            if parent in info.shards:
                before = info.shards[parent]
                assert not before.is_open
                assert before.ending_sequence_number < one.starting_sequence_number
    return info
