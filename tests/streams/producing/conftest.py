"""What tests of producers get beside what all tests of streams get."""

from __future__ import annotations

from typing import Any

import pytest

from rmq.streams.producing.aggregation import deaggregate


@pytest.fixture
def read() -> Any:
    """Reads all that a stream has, taken apart: (data, key, shard id), shard by shard."""

    async def read(stream: Any) -> list[tuple[bytes, str, str]]:
        found = []
        for shard in await stream.shards():
            position: int | None = 0
            while position is not None:
                batch = await stream.read(shard.id, position)
                for record in batch:
                    hash_range = shard.starting_hash_key, shard.ending_hash_key
                    found += [
                        (one.data, one.partition_key, one.shard_id)
                        for one in deaggregate(record, hash_range)
                    ]
                position = batch.next_position if batch.records else None
        return found

    return read
