"""Reading: records of one shard from a position on, and where a reader may begin. Plans.

A position is all that a reader has to keep: the first one that it has not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from rmq.core.limits import ms, whole
from rmq.core.script import Call, Plan
from rmq.errors import (
    ExpiredIterator,
    InvalidIterator,
    InvalidParameter,
    MissingParameter,
    RateExceeded,
)
from rmq.streams import commands, sweeping
from rmq.streams.attributes import StreamInfo
from rmq.streams.block import END, read_id, unpack_block
from rmq.streams.commands import Entry, Found
from rmq.streams.iterator import make_iterator, read_iterator, stream_of
from rmq.streams.record import Batch, ChildShard, Records, StreamRecord
from rmq.streams.registry import StreamRegistry, described, known, no_shard, on_shard
from rmq.streams.sequence import (
    LAST_POSITION,
    is_place,
    read_sequence_number,
    read_shard_id,
    shard_id,
)

IteratorType = Literal[
    "TRIM_HORIZON", "LATEST", "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER", "AT_TIMESTAMP"
]
ITERATOR_TYPES = (
    "TRIM_HORIZON",
    "LATEST",
    "AT_SEQUENCE_NUMBER",
    "AFTER_SEQUENCE_NUMBER",
    "AT_TIMESTAMP",
)
CALL_BYTES = 1 << 19
"""Of blocks in one script call; the last of them may go beyond. About 1 ms of server time."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


# --- where to begin ---


def position(
    registry: StreamRegistry,
    name: str,
    shard: str,
    type: str,
    sequence_number: str | None = None,
    timestamp: datetime | None = None,
) -> Plan[int]:
    """The first position that a reader gets who begins there."""
    _, _, start = yield from _position(registry, name, shard, type, sequence_number, timestamp)
    return start


def iterator(
    registry: StreamRegistry,
    name: str,
    shard: str,
    type: str,
    sequence_number: str | None = None,
    timestamp: datetime | None = None,
) -> Plan[str]:
    """A signed iterator that begins there. Raises ShardDoesNotExist also for a shard that has
    expired and was not swept yet: lists do not show it any more."""
    info, here, start = yield from _position(
        registry, name, shard, type, sequence_number, timestamp
    )
    if here.is_closed and here.start > here.last:
        raise no_shard(name, number_of(shard))
    return make_iterator(info, number_of(shard), start, here.now // 1000)


def _position(
    registry: StreamRegistry,
    name: str,
    shard: str,
    type: str,
    sequence_number: str | None,
    timestamp: datetime | None,
) -> Plan[tuple[StreamInfo, Found, int]]:
    number = number_of(shard)
    if type not in ITERATOR_TYPES:
        raise InvalidParameter("iterator type", type, f"one of {', '.join(ITERATOR_TYPES)}")
    if type in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
        if sequence_number is None:
            raise MissingParameter("sequence_number", f"{type} begins there")
        info, here, at = yield from _numbered(registry, name, shard, sequence_number)
        return info, here, at + (type == "AFTER_SEQUENCE_NUMBER")
    asked = 0
    if type == "AT_TIMESTAMP":
        if timestamp is None:
            raise MissingParameter("timestamp", "AT_TIMESTAMP begins there")
        asked = _microseconds(timestamp)
    info, here = yield from on_shard(
        registry,
        name,
        number,
        lambda info: commands.read(registry.shard_keys(name, number), info, 0, 0, 0),
    )
    if type == "LATEST":
        return info, here, here.last + 1
    if type == "AT_TIMESTAMP" and asked > here.now:
        now = _EPOCH + timedelta(microseconds=here.now)
        raise InvalidParameter("timestamp", timestamp, f"not later than now, {now.isoformat()}")
    return info, here, asked


def _numbered(
    registry: StreamRegistry, name: str, shard: str, sequence_number: str
) -> Plan[tuple[StreamInfo, Found, int]]:
    """The position of a sequence number: of a record of the shard, one that has expired, or a place
    that was given out. Raises InvalidParameter for any other, such as another stream's."""
    number, found = number_of(shard), read_sequence_number(sequence_number)
    if found is None or found[1] != number:
        raise _alien(name, shard, sequence_number)
    at = found[0]
    info, (here, is_there) = yield from on_shard(
        registry,
        name,
        number,
        lambda info: commands.find(registry.shard_keys(name, number), info, at),
    )
    first = info.shards[number].first
    is_ours = is_there or is_place(sequence_number) or at < here.start or at in (first, here.last)
    if not (is_ours and first <= at <= max(here.now, here.last)):
        raise _alien(name, shard, sequence_number)
    return info, here, at


def number_of(shard: str) -> int:
    """The number of a shard by its id. Raises InvalidParameter."""
    number = read_shard_id(shard)
    if number is None:
        raise InvalidParameter("shard_id", shard, "a name such as shardId-000000000000")
    return number


def _alien(name: str, shard: str, sequence_number: object) -> InvalidParameter:
    return InvalidParameter(
        "sequence_number", sequence_number, f"one of shard {shard} of stream {name!r}"
    )


def _microseconds(moment: datetime) -> int:
    if not isinstance(moment, datetime):
        raise InvalidParameter("timestamp", moment, "a datetime")
    found = (moment.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)
    return min(max(found, 0), LAST_POSITION)


# --- reading on ---


def get(registry: StreamRegistry, name: str, iterator: str, limit: int) -> Plan[Records]:
    """Records from an iterator on, and the next iterator."""
    limits = registry.limits
    whole(limit, "limit", 1, limits.max_get_records)
    if stream_of(iterator) != name:
        raise InvalidIterator(f"the shard iterator is not one of stream {name!r}")
    info = yield from known(registry, name)
    try:
        place = read_iterator(info, iterator)
    except InvalidIterator:
        # Perhaps of a stream that was made anew since we looked.
        info = yield from described(registry, name)
        place = read_iterator(info, iterator)
    yield from _admit(registry, name, place.shard)
    lifetime = limits.iterator_lifetime
    until = None if lifetime is None else place.issued_ms + ms(lifetime)
    try:
        batch, now_ms = yield from _read(
            registry, name, place.shard, place.position, limit, until, info.incarnation
        )
    except ExpiredIterator as error:
        raise _expired(place.issued_ms, error) from None
    yield from _brought(registry, name, place.shard, batch)
    following = None
    if batch.next_position is not None:
        following = make_iterator(info, place.shard, batch.next_position, now_ms)
    return Records(batch.records, following, batch.millis_behind_latest, batch.child_shards)


def _admit(registry: StreamRegistry, name: str, number: int) -> Plan[None]:
    """Raise RateExceeded where the limits ask for it and a shard is read too much."""
    reads, rate = registry.limits.shard_reads, registry.limits.shard_read_bytes
    if reads is None and rate is None:
        return
    _, may = yield from on_shard(
        registry,
        name,
        number,
        lambda info: commands.meter(registry.shard_keys(name, number), info, reads, rate),
    )
    if not may:
        raise RateExceeded(
            f"rate exceeded for shard {shard_id(number)} in stream {name!r}; read it less often",
            stream=name,
            shard=shard_id(number),
        )


def _brought(registry: StreamRegistry, name: str, number: int, batch: Batch) -> Plan[None]:
    """Note what a read brought, where the limits ask for it."""
    reads, rate = registry.limits.shard_reads, registry.limits.shard_read_bytes
    if rate is None or not batch.records:
        return
    size = sum(one.size for one in batch.records)
    yield from on_shard(
        registry,
        name,
        number,
        lambda info: commands.meter(registry.shard_keys(name, number), info, reads, rate, size),
    )


def _expired(issued_ms: int, error: ExpiredIterator) -> ExpiredIterator:
    issued, now = (
        (_EPOCH + timedelta(milliseconds=at)).isoformat(timespec="seconds")
        for at in (issued_ms, error.now_ms)
    )
    return ExpiredIterator(
        f"the shard iterator has expired: it was made at {issued}, and it is {now} now; get a new "
        "one",
        issued_ms=issued_ms,
        now_ms=error.now_ms,
    )


def read(registry: StreamRegistry, name: str, shard: str, position: int, limit: int) -> Plan[Batch]:
    """Records from a position on, and the next position."""
    whole(limit, "limit", 1, registry.limits.max_get_records)
    whole(position, "position", 0, LAST_POSITION)
    batch, _ = yield from _read(registry, name, number_of(shard), position, limit)
    return batch


def _read(
    registry: StreamRegistry,
    name: str,
    number: int,
    start: int,
    limit: int,
    valid_until_ms: int | None = None,
    incarnation: bytes | None = None,
) -> Plan[tuple[Batch, int]]:
    """Records from a position on, and what time it is (ms)."""
    taking = Taking(number, start, limit, registry.limits.max_get_bytes)

    def look(info: StreamInfo) -> Call[Found]:
        if incarnation is not None and info.incarnation != incarnation:
            raise InvalidIterator(f"the shard iterator is not one of stream {name!r} as it is now")
        most = min(CALL_BYTES, taking.room_bytes)
        keys = registry.shard_keys(name, number)
        return commands.read(keys, info, taking.next, taking.room, most, valid_until_ms)

    while True:
        _, found = yield from on_shard(registry, name, number, look)
        taking.take(found)
        if taking.is_done:
            break
    yield from sweeping.if_due(registry, name)
    return (yield from batch_of(registry, name, taking, found)), found.now // 1000


def batch_of(registry: StreamRegistry, name: str, taking: Taking, found: Found) -> Plan[Batch]:
    """What was taken, and how it goes on from where the last look found the shard."""
    number, following = taking.shard, taking.next
    # The end of a closed shard has a position of its own, its last one.
    if found.is_closed and following >= found.last:
        info = yield from known(registry, name)
        if number not in info.shards or info.shards[number].is_open:
            info = yield from described(registry, name)
        return Batch(shard_id(number), taking.records, None, 0, children(info, number))
    behind = 0
    if following <= found.last:
        # Never 0, which says that no more is there.
        behind = max(found.now // 1000 - (following - 1) // 1000, 1)
    return Batch(shard_id(number), taking.records, following, behind)


class Taking:
    """Records as they are taken from what looks into a shard find, within the limits of a call."""

    def __init__(self, shard: int, start: int, limit: int, most_bytes: int | None) -> None:
        self.shard = shard
        self.records: list[StreamRecord] = []
        self.next = start
        """The first position that was not taken."""
        self.room = limit
        """So many records may still be taken."""
        self.room_bytes = self._most_bytes = most_bytes or 1 << 62
        """At least so many bytes may still be taken."""
        self._is_exact = False
        self.is_done = False
        """Whether that is all that there is, or all that there is room for."""

    def take(self, found: Found) -> None:
        """Take what was found, as far as there is room."""
        self.next = max(self.next, found.start)
        self.take_blocks(found.entries)
        if self.is_done:
            return
        if not found.entries:
            self.next = max(self.next, found.last + 1)
        if self.next >= found.last + (not found.is_closed):
            self.is_done = True

    def take_blocks(self, entries: Sequence[Entry]) -> None:
        """Take entries, as far as there is room."""
        for id, kind, block in entries:
            self._take_block(id, kind, block)
            if self.is_done:
                return

    def _take_block(self, id: bytes, kind: bytes, block: bytes) -> None:
        last, _ = read_id(id)
        if kind == END:
            self.next = last
            return
        got = unpack_block(id, kind, block, self.shard, self.next)
        if len(block) > self.room_bytes and not self._is_exact:
            # Blocks are a little more than their records, so there may be more room than it seemed.
            self._is_exact = True
            self.room_bytes = self._most_bytes - sum(one.size for one in self.records)
        if len(block) > self.room_bytes:
            got = self._fitting(got)
        if len(got) >= self.room:
            got = got[: self.room]
            self.is_done = True
        self.records += got
        self.room -= len(got)
        self.room_bytes -= sum(one.size for one in got) if self._is_exact else len(block)
        if got:
            self.next = got[-1].position + 1
        if self.room_bytes <= 0:
            self.is_done = True

    def _fitting(self, got: list[StreamRecord]) -> list[StreamRecord]:
        """Those that have room by the bytes; one always has."""
        room, fits = self.room_bytes, 0
        for one in got:
            room -= one.size
            if room < 0 and (fits or self.records):
                self.is_done = True
                break
            fits += 1
        return got[:fits]


def children(info: StreamInfo, number: int) -> tuple[ChildShard, ...]:
    """The shards that took over from one."""
    return tuple(
        ChildShard(
            one.id,
            tuple(shard_id(parent) for parent in one.parents),
            one.starting_hash_key,
            one.ending_hash_key,
        )
        for one in info.shards.children(number)
    )
