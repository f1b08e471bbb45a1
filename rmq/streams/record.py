"""Records: before they are put, as they are read, and what comes back with them.

Those that come by the thousand are msgspec Structs: to make one takes a tenth of the time that a
frozen dataclass takes, and what can be worked out from a position is worked out when it is asked
for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import msgspec

from rmq.streams.sequence import moment, sequence_number, shard_id


class Record(msgspec.Struct, frozen=True):
    """A record to put."""

    data: bytes | str
    """Text is stored as UTF-8. May be empty."""
    partition_key: str | None = None
    """1 to 256 characters. Records with the same one go to the same shard, in order. May be left
    out only where the stream distributes records by itself (AUTO)."""
    explicit_hash_key: int | str | None = None
    """0 to 2^128 - 1: decides the shard instead of the partition key's MD5."""
    sequence_number_for_ordering: str | None = None
    """The record gets a greater sequence number than this one."""


class Put(msgspec.Struct, frozen=True):
    """What a record got when it was put."""

    shard: int
    position: int
    encryption_type: str | None = None
    """KMS where the stream is encrypted."""

    @property
    def shard_id(self) -> str:
        return shard_id(self.shard)

    @property
    def sequence_number(self) -> str:
        """56 digits, greater than that of any record before it in its shard."""
        return sequence_number(self.position, self.shard)


class StreamRecord(msgspec.Struct, frozen=True):
    """A record as it is read."""

    data: bytes
    partition_key: str | None
    shard: int
    position: int
    sub_sequence_number: int = 0
    """Its place among those that a producer packed into one record."""
    encryption_type: str | None = None
    """KMS where the stream was encrypted when it was put."""

    @property
    def shard_id(self) -> str:
        return shard_id(self.shard)

    @property
    def sequence_number(self) -> str:
        """56 digits, unique in the stream, increasing in its shard."""
        return sequence_number(self.position, self.shard)

    @property
    def approximate_arrival_timestamp(self) -> datetime:
        """When Redis took it; in whole milliseconds."""
        return moment(self.position)

    @property
    def size(self) -> int:
        """Bytes of data and partition key."""
        return len(self.data) + len((self.partition_key or "").encode())


@dataclass(frozen=True, slots=True)
class ChildShard:
    """A shard that took over from one that was read to its end."""

    shard_id: str
    parent_shards: tuple[str, ...]
    starting_hash_key: int
    ending_hash_key: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Some records of one shard. Iterate it for them."""

    shard_id: str
    records: list[StreamRecord]
    next_position: int | None
    """Where to go on; None at the end of a closed shard."""
    millis_behind_latest: int
    """How long ago the last of these records arrived; 0 when no more are there."""
    child_shards: tuple[ChildShard, ...] = ()
    """At the end of a closed shard: who took over."""

    def __iter__(self) -> Iterator[StreamRecord]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)


@dataclass(frozen=True, slots=True)
class Records:
    """Some records of one shard, and the iterator to go on with. Iterate it for the records."""

    records: list[StreamRecord]
    next_iterator: str | None
    """For the next call, within 5 minutes; None at the end of a closed shard."""
    millis_behind_latest: int
    """How long ago the last of these records arrived; 0 when no more are there."""
    child_shards: tuple[ChildShard, ...] = ()
    """At the end of a closed shard: who took over."""

    def __iter__(self) -> Iterator[StreamRecord]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)
