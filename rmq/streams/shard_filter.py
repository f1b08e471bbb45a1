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
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol, get_args

from rmq.errors import InvalidParameter, MissingParameter, Words

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
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Shard(Protocol):
    @property
    def number(self) -> int: ...
    @property
    def opened_ms(self) -> int: ...
    @property
    def closed_ms(self) -> int | None: ...


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

    def selects(
        self, horizon_ms: int, number_of: Callable[[str], int]
    ) -> Callable[[_Shard], bool]:
        """The test of a shard, at a moment with that trim horizon: a stream's creation, or later
        the retention period before now."""
        if self.shard_id is not None:
            behind = number_of(self.shard_id)
            return lambda shard: _is_there(shard, horizon_ms) and shard.number > behind
        if self.type == "FROM_TRIM_HORIZON":
            return lambda shard: _is_there(shard, horizon_ms)
        if self.type == "AT_LATEST":
            return lambda shard: shard.closed_ms is None
        at = horizon_ms
        if self.timestamp is not None:
            at = max(at, (self.timestamp.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1))
        if self.type == "FROM_TIMESTAMP":
            return lambda shard: _is_there(shard, at)
        return lambda shard: shard.opened_ms <= at and _is_there(shard, at)


def _is_there(shard: _Shard, since_ms: int) -> bool:
    return shard.closed_ms is None or shard.closed_ms >= since_ms


def _goes_with(field: str, value: Any, kind: type, type_: str, types: tuple[str, ...]) -> None:
    if type_ not in types:
        if value is not None:
            raise InvalidParameter(field, value, f"left out but for {' and '.join(types)}")
        return
    if value is None:
        raise MissingParameter(field, f"{type_} needs it")
    if not isinstance(value, kind):
        raise InvalidParameter(field, Words(type(value).__name__), f"a {kind.__name__}")
