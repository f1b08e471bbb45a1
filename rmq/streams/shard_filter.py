"""Shard filter: which shards of a stream a list shows.

    time ──── horizon ────────────────────── now
      shard 0 ──────┤                              expired: no filter shows it
      shard 1 ───────────────┤                     closed, still readable
      shard 2                └──────────────────   its child, open

Source: ShardFilter, ListShards (Amazon Kinesis API Reference).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from rmq.errors import InvalidParameter, MissingParameter, Words
from rmq.streams.sequence import read_shard_id
from rmq.streams.shard import Shard

ShardFilterType = Literal[
    "AFTER_SHARD_ID",
    "AT_TRIM_HORIZON",
    "FROM_TRIM_HORIZON",
    "AT_LATEST",
    "AT_TIMESTAMP",
    "FROM_TIMESTAMP",
]
TYPES: tuple[str, ...] = get_args(ShardFilterType)
_TIMED = ("AT_TIMESTAMP", "FROM_TIMESTAMP")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardFilter:
    """Which shards to list. Checked when made; raises InvalidParameter."""

    type: ShardFilterType = "FROM_TRIM_HORIZON"
    """AFTER_SHARD_ID: those behind *shard_id*. AT_TRIM_HORIZON: those that were open at the trim
    horizon. FROM_TRIM_HORIZON: all that have not expired. AT_LATEST: those that are open.
    AT_TIMESTAMP: those that were open at *timestamp*. FROM_TIMESTAMP: those that were open at
    *timestamp* or later. A timestamp before the trim horizon counts as the trim horizon."""
    shard_id: str | None = None
    timestamp: datetime | None = None

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            raise InvalidParameter("filter type", self.type, f"one of {', '.join(TYPES)}")
        _goes_with("shard_id", self.shard_id, str, self.type, ("AFTER_SHARD_ID",))
        _goes_with("timestamp", self.timestamp, datetime, self.type, _TIMED)
        if self.shard_id is not None and read_shard_id(self.shard_id) is None:
            raise InvalidParameter("shard_id", self.shard_id, "a name such as shardId-000000000000")

    def selects(self, horizon: datetime) -> Callable[[Shard], bool]:
        """The test of a shard, at a moment with that trim horizon: a stream's creation, or later
        the retention period before now."""
        if self.type == "FROM_TRIM_HORIZON":
            return lambda shard: _is_there(shard, horizon)
        if self.type == "AT_LATEST":
            return lambda shard: shard.is_open
        if self.shard_id is not None:
            behind = read_shard_id(self.shard_id) or 0
            return lambda shard: _is_there(shard, horizon) and shard.number > behind
        at = horizon
        if self.timestamp is not None:
            # Shards know whole milliseconds.
            given = self.timestamp.astimezone(UTC)
            at = max(at, given.replace(microsecond=given.microsecond // 1000 * 1000))
        if self.type == "FROM_TIMESTAMP":
            return lambda shard: _is_there(shard, at)
        return lambda shard: shard.opened_at <= at and _is_there(shard, at)


def _is_there(shard: Shard, since: datetime) -> bool:
    return shard.closed_at is None or shard.closed_at >= since


def _goes_with(field: str, value: Any, kind: type, type_: str, types: tuple[str, ...]) -> None:
    if type_ not in types:
        if value is not None:
            raise InvalidParameter(field, value, f"left out but for {' and '.join(types)}")
        return
    if value is None:
        raise MissingParameter(field, f"{type_} needs it")
    if not isinstance(value, kind):
        raise InvalidParameter(field, Words(type(value).__name__), f"a {kind.__name__}")
