"""Shard filters, on the life of one small stream."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rmq.errors import InvalidParameter
from rmq.streams.sequence import shard_id
from rmq.streams.shard import Shard
from rmq.streams.shard_filter import ShardFilter


def at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def shard(number: int, opened_ms: int, closed_ms: int | None) -> Shard:
    closed = closed_ms is not None
    return Shard(
        number,
        0,
        1,
        (),
        opened_ms * 1000,
        1 if closed else None,
        at(opened_ms),
        at(closed_ms) if closed else None,
    )


# 0 is split in 1 and 2 at 1,000; those are merged to 3 at 2,000.
LIFE = [shard(0, 0, 1_000), shard(1, 1_000, 2_000), shard(2, 1_000, 2_000), shard(3, 2_000, None)]


@pytest.mark.parametrize(
    ("given", "horizon", "found"),
    [
        (ShardFilter(), 0, [0, 1, 2, 3]),
        (ShardFilter(), 1_000, [0, 1, 2, 3]),
        (ShardFilter(), 1_001, [1, 2, 3]),
        (ShardFilter(), 5_000, [3]),
        (ShardFilter(type="AFTER_SHARD_ID", shard_id=shard_id(1)), 0, [2, 3]),
        (ShardFilter(type="AFTER_SHARD_ID", shard_id=shard_id(0)), 2_001, [3]),
        (ShardFilter(type="AT_TRIM_HORIZON"), 0, [0]),
        (ShardFilter(type="AT_TRIM_HORIZON"), 1_500, [1, 2]),
        (ShardFilter(type="AT_TRIM_HORIZON"), 5_000, [3]),
        (ShardFilter(type="AT_LATEST"), 0, [3]),
        (ShardFilter(type="AT_TIMESTAMP", timestamp=at(1_500)), 0, [1, 2]),
        (ShardFilter(type="AT_TIMESTAMP", timestamp=at(1_000)), 0, [0, 1, 2]),
        (ShardFilter(type="AT_TIMESTAMP", timestamp=at(500)), 1_500, [1, 2]),
        (ShardFilter(type="AT_TIMESTAMP", timestamp=at(9_000)), 0, [3]),
        (ShardFilter(type="FROM_TIMESTAMP", timestamp=at(1_001)), 0, [1, 2, 3]),
        (ShardFilter(type="FROM_TIMESTAMP", timestamp=at(0)), 2_500, [3]),
    ],
)
def test_a_filter_shows_the_shards_of_its_time(given, horizon, found):
    selects = given.selects(at(horizon))
    assert [one.number for one in LIFE if selects(one)] == found


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"type": "AT_NOON"}, "filter type"),
        ({"type": "AFTER_SHARD_ID"}, "shard_id"),
        ({"type": "AFTER_SHARD_ID", "shard_id": "1"}, "shard_id"),
        ({"type": "AT_LATEST", "shard_id": shard_id(1)}, "shard_id"),
        ({"type": "AT_TIMESTAMP"}, "timestamp"),
        ({"type": "AT_LATEST", "timestamp": at(1)}, "timestamp"),
        ({"type": "FROM_TIMESTAMP", "timestamp": 5}, "timestamp"),
    ],
)
def test_a_filter_that_says_too_much_or_too_little_is_refused(fields, named):
    with pytest.raises(InvalidParameter) as caught:
        ShardFilter(**fields)
    assert caught.value.field == named
