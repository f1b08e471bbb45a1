"""Sequence numbers, and the positions they stand for.

    position          µs since 1970 at which a record arrived, forced strictly upwards in a shard
    sequence number   49 · 10^54 + (position · 2^32 + number of the shard), so 56 digits

So a sequence number is unique in a stream, greater than all before it in its shard and in that
shard's parents, and says by itself when the record arrived. Those of Kinesis have 56 digits too.

Where a reader goes on there need not be a record. The number of such a place is marked, by the
highest bit of the shard's number, so that it is not taken for one of another stream's.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_BASE = 49 * 10**54
_DIGITS = re.compile(r"49[0-9]{54}", re.ASCII)
_SHARD_ID = re.compile(r"shardId-([0-9]{12})", re.ASCII)
LAST_POSITION = (1 << 53) - 1
"""What a script can count exactly: the year 2255."""
_PLACE = 1 << 31
LAST_SHARD = _PLACE - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def sequence_number(position: int, shard: int) -> str:
    """The sequence number of a record."""
    return str(_BASE + (position << 32 | shard))


def place_number(position: int, shard: int) -> str:
    """The sequence number of a place where there need not be a record."""
    return sequence_number(position, shard | _PLACE)


def read_sequence_number(text: str) -> tuple[int, int] | None:
    """Position and number of the shard; None for what is none of ours."""
    if not isinstance(text, str) or not _DIGITS.fullmatch(text):
        return None
    position, shard = divmod(int(text) - _BASE, 1 << 32)
    return (position, shard & LAST_SHARD) if position <= LAST_POSITION else None


def is_place(text: str) -> bool:
    """Whether a sequence number is marked as that of a place."""
    return (int(text) - _BASE) & _PLACE != 0


def shard_id(number: int) -> str:
    """The name of a shard: shardId-000000000000."""
    return f"shardId-{number:012d}"


def read_shard_id(text: str) -> int | None:
    """The number of a shard; None for what is no name of one."""
    return _number(text) if isinstance(text, str) else None


@lru_cache(10_000)
def _number(text: str) -> int | None:
    found = _SHARD_ID.fullmatch(text)
    return int(found[1]) if found and int(found[1]) <= LAST_SHARD else None


def moment(position: int) -> datetime:
    """When what has that position arrived: UTC, in whole milliseconds."""
    return _EPOCH + timedelta(milliseconds=position // 1000)
