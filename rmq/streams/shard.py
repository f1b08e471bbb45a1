"""Shards: who has which partition keys. A map of hash ranges, and how each shard came to be.

A partition key's MD5 is a number of 128 bits, kept here as its 16 bytes, which order the same way.
Open shards share the whole of them; a closed one tells from where to where it once had them.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from rmq.streams.sequence import sequence_number, shard_id

LAST_HASH_KEY = (1 << 128) - 1


class Row(msgspec.Struct, array_like=True, frozen=True):
    """A shard as the stream's `shards` hash holds it."""

    start: bytes
    """16 bytes, big endian, as the next."""
    end: bytes
    parents: tuple[int, ...] = ()
    """None, the one that was split, or the two that were merged: first the one named first."""
    first: int = 0
    """Its records have positions above this. 0: since the stream was made."""
    last: int | None = None
    """Its last position; None while it is open."""
    closed_ms: int | None = None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Row)


def pack_row(row: Row) -> bytes:
    return _encoder.encode(row)


def unpack_row(packed: bytes) -> Row:
    return _decoder.decode(packed)


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard of a stream."""

    number: int
    """Counted from 0 in its stream, never used again."""
    starting_hash_key: int
    """Of its range of hash keys; both ends belong to it."""
    ending_hash_key: int
    parents: tuple[int, ...]
    """Numbers of the shards that it took over from: none, the one that was split, or two that were
    merged. They may have expired since."""
    first: int
    """The position that it was opened at; all its records come after it."""
    last: int | None
    """The position that it was closed at; None while it is open."""
    opened_at: datetime
    closed_at: datetime | None
    id: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", shard_id(self.number))

    @property
    def is_open(self) -> bool:
        return self.last is None

    @property
    def parent_id(self) -> str | None:
        """The shard that was split, or the one named first in a merge."""
        return shard_id(self.parents[0]) if self.parents else None

    @property
    def adjacent_parent_id(self) -> str | None:
        """The other one of a merge."""
        return shard_id(self.parents[1]) if len(self.parents) > 1 else None

    @property
    def starting_sequence_number(self) -> str:
        return sequence_number(self.first, self.number)

    @property
    def ending_sequence_number(self) -> str | None:
        """None while it is open."""
        return None if self.last is None else sequence_number(self.last, self.number)

    @property
    def row(self) -> Row:
        """As it is stored."""
        return Row(
            hash_bytes(self.starting_hash_key),
            hash_bytes(self.ending_hash_key),
            self.parents,
            self.first,
            self.last,
            None if self.closed_at is None else round(self.closed_at.timestamp() * 1000),
        )


def shard_from_row(number: int, row: Row, created_us: int) -> Shard:
    first = row.first or created_us
    closed = row.closed_ms
    return Shard(
        number,
        int.from_bytes(row.start, "big"),
        int.from_bytes(row.end, "big"),
        row.parents,
        first,
        row.last,
        datetime.fromtimestamp(first // 1000 / 1000, UTC),
        None if closed is None else datetime.fromtimestamp(closed / 1000, UTC),
    )


class ShardMap(Mapping[int, Shard]):
    """All shards of a stream by their numbers, the lowest first, and who takes which record."""

    def __init__(self, shards: Iterable[Shard]) -> None:
        self._all = {one.number: one for one in sorted(shards, key=lambda one: one.number)}
        self.open = tuple(one for one in self._all.values() if one.is_open)
        """Those that take records."""
        ordered = sorted(self.open, key=lambda one: one.starting_hash_key)
        self._starts = [hash_bytes(one.starting_hash_key) for one in ordered]
        self._numbers = [one.number for one in ordered]
        self.only = self._numbers[0] if len(ordered) == 1 else None
        """The number of the one shard that takes everything, where there is only one."""

    def __getitem__(self, number: int) -> Shard:
        return self._all[number]

    def __iter__(self) -> Iterator[int]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def taker(self, hash_key: bytes) -> int:
        """The number of the open shard that takes what has this hash key."""
        return self._numbers[bisect_right(self._starts, hash_key) - 1]

    def children(self, number: int) -> list[Shard]:
        """The shards that took over from one."""
        return [one for one in self._all.values() if number in one.parents]


def hash_key(partition_key: bytes) -> bytes:
    """The MD5 of a partition key in UTF-8 (Amazon Kinesis: PutRecord)."""
    return hashlib.md5(partition_key, usedforsecurity=False).digest()


def hash_bytes(value: int) -> bytes:
    return value.to_bytes(16, "big")


def even_ranges(count: int) -> list[tuple[int, int]]:
    """*count* ranges of hash keys of the same width; the last has the rest."""
    width = (1 << 128) // count
    return [
        (i * width, (i + 1) * width - 1 if i < count - 1 else LAST_HASH_KEY) for i in range(count)
    ]
