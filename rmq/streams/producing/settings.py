"""How a producer gathers records, how long it tries, and how much it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from rmq.core.limits import duration, whole
from rmq.errors import InvalidParameter

MOST_COLLECTED = 10_485_760
"""Bytes of one PutRecords (Amazon Kinesis API Reference)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerSettings:
    """Checked when made. Defaults are those of Amazon's KPL, where that has such a setting."""

    max_buffered_time: timedelta = timedelta(milliseconds=100)
    """How long a record waits for others to go with. 0: for none. Up to 1 hour."""
    aggregation: bool = True
    """Whether records of one shard are packed into one. Readers must take them apart: groups and
    Amazon's KCL do."""
    max_aggregate_bytes: int = 51_200
    """Of such a record; 64 to 1,047,552, which leaves room for a key in the smallest stream's
    largest record. What is larger alone goes alone."""
    max_aggregate_records: int | None = None
    """In such a record. None: as many as there is room for."""
    max_collected_bytes: int = 5_242_880
    """That go out at once, and so many do not wait any longer; 1 to 10,485,760."""
    max_collected_records: int = 500
    """The same of records of the stream, aggregated or not; 1 to 500."""
    record_ttl: timedelta | None = timedelta(seconds=30)
    """How long a record is tried. None: until the stream has it, or refuses it for good."""
    max_buffered_bytes: int = 33_554_432
    """Of records that the stream does not have yet, keys too. Above it, put waits."""
    max_buffered_records: int = 100_000
    """How many of them there may be. Above it, put waits."""


def producer_settings(given: Mapping[str, Any]) -> ProducerSettings:
    """Settings with what is *given*; a duration may be a number of seconds.

    Raises InvalidParameter.
    """
    names = [field.name for field in fields(ProducerSettings)]
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name not in names:
            raise InvalidParameter("producer setting", name, f"one of {', '.join(names)}")
        if name == "aggregation":
            if not isinstance(value, bool):
                raise InvalidParameter(name, value, "True or False")
            found[name] = value
        elif name in _DURATIONS:
            found[name] = (
                None
                if name == "record_ttl" and value is None
                else duration(value, name, None, _DURATIONS[name])
            )
        elif not (name == "max_aggregate_records" and value is None):
            found[name] = whole(value, name, *_RANGES[name])
    return ProducerSettings(**found)


_DURATIONS = {"max_buffered_time": timedelta(hours=1), "record_ttl": None}
_RANGES: dict[str, tuple[int, int | None]] = {
    "max_aggregate_bytes": (64, 1_047_552),
    "max_aggregate_records": (1, None),
    "max_collected_bytes": (1, MOST_COLLECTED),
    "max_collected_records": (1, 500),
    "max_buffered_bytes": (1, None),
    "max_buffered_records": (1, None),
}
