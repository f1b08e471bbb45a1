"""Collecting: which records go out together, and what becomes of those that did not arrive.

    put ──> line of its shard ──> parcels ──> flight ──> stream
                   ^                            │
                   └──── what has to be tried again, in front

Nothing here waits or sends: both colours of the producer drive it, and say what time it is.

The order of a partition key is kept. A line has one flight under way at a time, of no more than one
script call takes, and of that a shard takes the first so many or none. When shards were split or
merged they take nothing that was packed for the old ones (see flying); all lines land then, before
what waits is dealt out anew.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from rmq.errors import RateExceeded, RmqError, ServerError, StaleConfig
from rmq.streams.producing.aggregation import Aggregate
from rmq.streams.producing.metrics import ProducerMetrics
from rmq.streams.producing.settings import ProducerSettings
from rmq.streams.producing.user_record import UserRecord
from rmq.streams.record import Put, Record
from rmq.streams.sequence import sequence_number, shard_id
from rmq.streams.shard import ShardMap, hash_bytes, hash_key

LINE_BYTES = 524_288
"""Of one shard in one flight: what one script call takes (see putting), with room to spare."""
FIRST_BACKOFF_S, LAST_BACKOFF_S = 0.05, 2.0
"""Before a shard that refused is tried again; doubled each time, and jittered."""


class Produced(msgspec.Struct, frozen=True):
    """Where a record is that the producer brought into the stream."""

    shard: int
    position: int
    sub_sequence_number: int
    """Its place in an aggregated record; 0 in one of its own."""
    attempts: int
    """How often it was sent."""

    @property
    def shard_id(self) -> str:
        return shard_id(self.shard)

    @property
    def sequence_number(self) -> str:
        """56 digits; records that were aggregated share it."""
        return sequence_number(self.position, self.shard)


class Pending:
    """A record that the stream does not have yet."""

    __slots__ = ("attempts", "epoch", "hash_key", "number", "put_at", "record", "size", "ticket")

    def __init__(
        self,
        record: UserRecord,
        key: bytes,
        size: int,
        put_at: float,
        number: int,
        epoch: int,
        ticket: Any,
    ) -> None:
        self.record = record
        self.hash_key = key
        self.size = size
        self.put_at = put_at
        self.number = number
        """In the order of their coming."""
        self.epoch = epoch
        """How many flushes there were before it."""
        self.ticket = ticket
        """The future of who put it."""
        self.attempts = 0


Outcome = tuple[Pending, Produced | RmqError]


@dataclass(slots=True)
class Line:
    """What goes to one shard, in order."""

    shard: int
    waiting: deque[Pending] = field(default_factory=deque)
    size: int = 0
    """Bytes of those."""
    is_under_way: bool = False
    refused: int = 0
    """So many times in a row."""
    not_before: float = 0.0
    error: RmqError | None = None
    """Why it was refused last."""

    def refuse(self, error: RmqError, now: float) -> None:
        """Leave it alone for a while."""
        self.error = error
        if self.not_before <= now:
            self.refused += 1
            self.not_before = now + _backoff(self.refused)

    def accept(self) -> None:
        """It takes records."""
        self.error, self.refused = None, 0


@dataclass(slots=True)
class Parcel:
    """One record of the stream to be, and what it holds."""

    line: Line
    pending: list[Pending]
    record: Record


Flight = list[Parcel]
"""What is put by one call."""


class Collector:
    """All that one producer has not yet brought into the stream."""

    def __init__(
        self, settings: ProducerSettings, shards: ShardMap, metrics: ProducerMetrics
    ) -> None:
        self.metrics = metrics
        self.epoch = 0
        self._settings = settings
        self._window_s = settings.max_buffered_time.total_seconds()
        ttl = settings.record_ttl
        self._ttl_s = float("inf") if ttl is None else ttl.total_seconds()
        self.shards = shards
        """By which it packs."""
        self._next_shards: ShardMap | None = None
        self._lines: dict[int, Line] = {}
        self._numbered = 0
        self._outstanding: Counter[int] = Counter()
        """How many records of each epoch the stream does not have yet."""
        self._waiting_bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether put has to wait."""
        metrics, settings = self.metrics, self._settings
        return (
            metrics.buffered_records >= settings.max_buffered_records
            or metrics.buffered_bytes >= settings.max_buffered_bytes
        )

    @property
    def is_empty(self) -> bool:
        """Whether the stream has, or refused, all that was put."""
        return not self.metrics.buffered_records

    def add(self, record: UserRecord, ticket: Any, now: float) -> bool:
        """Take a record. Whether something may have to leave earlier now than it had to before."""
        key, data, explicit = record
        hashed = hash_key(key.encode()) if explicit is None else hash_bytes(explicit)
        size = len(data) + len(key)
        self._numbered += 1
        pending = Pending(record, hashed, size, now, self._numbered, self.epoch, ticket)
        self._outstanding[self.epoch] += 1
        metrics = self.metrics
        metrics.user_records += 1
        metrics.buffered_records += 1
        metrics.buffered_bytes += size
        line = self._append(pending)
        count, settings, total = len(line.waiting), self._settings, self._waiting_bytes
        return (
            count == 1
            or (count == settings.max_collected_records and not settings.aggregation)
            or line.size - size < LINE_BYTES <= line.size
            or total - size < settings.max_collected_bytes <= total
            or self.is_full
        )

    def flush(self) -> int:
        """Let what waits leave at once. The epoch that is over when all of it is done."""
        self.epoch += 1
        return self.epoch

    def is_over(self, epoch: int) -> bool:
        """Whether all that was put before that flush is done."""
        return all(one >= epoch or not count for one, count in self._outstanding.items())

    def due(self, now: float) -> float | None:
        """Seconds until something has to leave, or be given up; None while nothing has to."""
        if self._next_shards is not None and self._is_any_under_way:
            return None
        is_enough = self._is_enough
        times = [
            self._leaves_at(line, is_enough)
            for line in self._lines.values()
            if line.waiting and not line.is_under_way
        ]
        return max(min(times) - now, 0.0) if times else None

    def depart(self, now: float) -> Flight:
        """What leaves now; nothing when nothing has to."""
        if self._next_shards is not None:
            if self._is_any_under_way:
                return []
            self._deal_out(self._next_shards)
        flight: Flight = []
        is_enough = self._is_enough
        room_bytes, room = self._settings.max_collected_bytes, self._settings.max_collected_records
        for line in self._lines.values():
            if not line.waiting or line.is_under_way or self._leaves_at(line, is_enough) > now:
                continue
            for parcel in self._parcels(line, room, room_bytes):
                flight.append(parcel)
                room -= 1
                room_bytes -= sum(one.size for one in parcel.pending)
            if room <= 0 or room_bytes <= 0:
                break
        if flight:
            self.metrics.puts += 1
            self.metrics.records += len(flight)
        return flight

    def land(
        self,
        flight: Flight,
        results: Sequence[Put | RmqError | None],
        shards: ShardMap,
        now: float,
    ) -> list[Outcome]:
        """What became of a flight: the outcome of each record that is done with. The others are in
        line again; a result of None says that the shard was closed. *shards* are those that the
        stream has by what is known now."""
        is_moved = shards.open != self.shards.open
        outcomes: list[Outcome] = []
        again: dict[int, list[Pending]] = {}
        for parcel, result in zip(flight, results, strict=True):
            line = parcel.line
            line.is_under_way = False
            if result is None:
                again.setdefault(line.shard, []).extend(parcel.pending)
                if not is_moved:
                    line.refuse(StaleConfig("a shard is closed, and none takes its place"), now)
                continue
            for one in parcel.pending:
                one.attempts += 1
            if isinstance(result, Put):
                line.accept()
                outcomes += [
                    (one, Produced(result.shard, result.position, place, one.attempts))
                    for place, one in enumerate(parcel.pending)
                ]
                continue
            self.metrics.errors[result.code] += 1
            if isinstance(result, (ServerError, RateExceeded)):
                line.refuse(result, now)
                again.setdefault(line.shard, []).extend(parcel.pending)
            else:
                outcomes += [(one, result) for one in parcel.pending]
        for number, back in again.items():
            self._put_back(self._lines[number], back)
        if is_moved:
            self._next_shards = shards
        for outcome in outcomes:
            self._done(*outcome)
        return outcomes

    def expired(self, now: float) -> list[Outcome]:
        """The records that were tried for too long, each with why it was refused last."""
        found: list[Outcome] = []
        for line in self._lines.values():
            # Only where there was trouble: what has its turn for the first time is sent.
            while (
                line.error is not None
                and line.waiting
                and not line.is_under_way
                and line.waiting[0].put_at + self._ttl_s <= now
            ):
                found.append((self._pop(line), line.error))
        for outcome in found:
            self._done(*outcome)
        return found

    def give_up(self, error: RmqError) -> list[Outcome]:
        """All that waits, and will not be tried again: for *error*, or what its shard said."""
        found: list[Outcome] = []
        for line in self._lines.values():
            while line.waiting:
                found.append((self._pop(line), line.error or error))
        for outcome in found:
            self._done(*outcome)
        return found

    @property
    def _is_any_under_way(self) -> bool:
        return any(line.is_under_way for line in self._lines.values())

    @property
    def _is_enough(self) -> bool:
        """Whether so much waits in all lines that it does not wait any longer."""
        return self._waiting_bytes >= self._settings.max_collected_bytes or self.is_full

    def _append(self, pending: Pending) -> Line:
        number = self.shards.taker(pending.hash_key)
        line = self._lines.get(number)
        if line is None:
            line = self._lines[number] = Line(number)
        line.waiting.append(pending)
        line.size += pending.size
        self._waiting_bytes += pending.size
        return line

    def _put_back(self, line: Line, pending: list[Pending]) -> None:
        """Let them wait again, before all others."""
        self.metrics.retries += len(pending)
        line.waiting.extendleft(reversed(pending))
        size = sum(one.size for one in pending)
        line.size += size
        self._waiting_bytes += size

    def _pop(self, line: Line) -> Pending:
        pending = line.waiting.popleft()
        line.size -= pending.size
        self._waiting_bytes -= pending.size
        return pending

    def _leaves_at(self, line: Line, is_enough: bool) -> float:
        first = line.waiting[0]
        if (
            is_enough
            or line.size >= LINE_BYTES
            or (
                not self._settings.aggregation
                and len(line.waiting) >= self._settings.max_collected_records
            )
            or first.epoch < self.epoch
            or first.attempts
        ):
            return line.not_before
        return max(first.put_at + self._window_s, line.not_before)

    def _parcels(self, line: Line, room: int, room_bytes: int) -> Iterator[Parcel]:
        """What of a line leaves now, in order; the line is under way then."""
        room_bytes = min(room_bytes, LINE_BYTES)
        while line.waiting and room > 0:
            if line.is_under_way and room_bytes < line.waiting[0].size:
                return
            line.is_under_way = True
            parcel = self._parcel(line, room_bytes)
            room -= 1
            room_bytes -= sum(one.size for one in parcel.pending)
            yield parcel

    def _parcel(self, line: Line, room_bytes: int) -> Parcel:
        settings, waiting = self._settings, line.waiting
        pending = [self._pop(line)]
        first = pending[0]
        if settings.aggregation and waiting:
            aggregate, most = Aggregate(), min(settings.max_aggregate_bytes, room_bytes)
            count = settings.max_aggregate_records or len(waiting) + 1
            if first.size < most and aggregate.add(first.record, most):
                while waiting and len(aggregate) < count and aggregate.add(waiting[0].record, most):
                    pending.append(self._pop(line))
            if len(pending) > 1:
                record = Record(
                    aggregate.data,
                    first.record.partition_key,
                    int.from_bytes(first.hash_key, "big"),
                )
                return Parcel(line, pending, record)
        return Parcel(
            line,
            pending,
            Record(first.record.data, first.record.partition_key, first.record.explicit_hash_key),
        )

    def _deal_out(self, shards: ShardMap) -> None:
        """Put all that waits in the lines of the shards that are open now."""
        waiting = [one for line in self._lines.values() for one in line.waiting]
        waiting.sort(key=lambda one: one.number)
        self.shards, self._next_shards, self._lines = shards, None, {}
        self._waiting_bytes = 0
        for one in waiting:
            self._append(one)

    def _done(self, pending: Pending, result: Produced | RmqError) -> None:
        metrics = self.metrics
        metrics.buffered_records -= 1
        metrics.buffered_bytes -= pending.size
        self._outstanding[pending.epoch] -= 1
        if not self._outstanding[pending.epoch]:
            del self._outstanding[pending.epoch]
        if isinstance(result, RmqError):
            metrics.user_records_failed += 1
        else:
            metrics.user_records_put += 1
            metrics.bytes_put += pending.size


def _backoff(refused: int) -> float:
    longest = min(FIRST_BACKOFF_S * 2.0 ** min(refused - 1, 10), LAST_BACKOFF_S)
    return longest * random.uniform(0.5, 1)
