"""Subscribing: what a registered consumer gets of a shard, event by event (enhanced fan-out).

    subscribe ──> events: records, where to go on, how far behind ──> 5 minutes, or the shard's end
                    └─ nothing new: an event without records, every 5 seconds

Of a consumer and a shard there is one reader: a later one takes over, and the earlier one finds out
before its next event, or within a second of it.
Source: SubscribeToShard (Amazon Kinesis Data Streams API Reference).
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rmq.core.clock import Stopwatch
from rmq.core.script import Plan
from rmq.errors import ConsumerDoesNotExist, StreamInUse
from rmq.streams import commands, consumers
from rmq.streams.reading import number_of, position
from rmq.streams.record import Batch, ChildShard, StreamRecord
from rmq.streams.registry import StreamRegistry, described, on_shard
from rmq.streams.sequence import place_number, sequence_number

LIFE_MS = 5 * 60_000
"""How long one subscription lasts."""
REST_MS = 5_000
"""For how long after it began nobody can take it over."""
BEAT_S = 5.0
"""How often there is an event when nothing comes."""
LOOK_S = 1.0
"""How often a reader that gets records looks whether it still is the one."""


@dataclass(frozen=True, slots=True)
class SubscriptionEvent:
    """What came of a shard. Without records it only says where to go on."""

    records: list[StreamRecord]
    continuation_sequence_number: str | None
    """Go on AFTER_SEQUENCE_NUMBER of this one, in another subscription; None at the shard's end."""
    millis_behind_latest: int
    """How long ago the last of these records arrived; 0 when no more are there."""
    child_shards: tuple[ChildShard, ...] = ()
    """At the end of a closed shard: who took over."""


class Subscription:
    """One reader of a shard as a registered consumer."""

    def __init__(
        self,
        registry: StreamRegistry,
        name: str,
        consumer: str,
        shard: str,
        start: str,
        sequence: str | None,
        timestamp: datetime | None,
    ) -> None:
        self._registry = registry
        self._name = name
        self._consumer = consumer
        self._shard = shard
        self._start = start, sequence, timestamp
        self._id = os.urandom(8).hex()
        self._watch = Stopwatch(registry.clock)
        self._looked = 0.0
        self.positions: dict[str, int] = {}
        """The shard, and the first position that was not read; nothing at its end."""

    @property
    def seconds_left(self) -> float:
        """How long it still lasts; nothing when it is over."""
        left_ms = LIFE_MS - self._watch.passed_ms()
        return max(left_ms / 1000, 0.0) if self.positions else 0.0

    def begin(self) -> Plan[None]:
        """Take the shard. Raises what is wrong with consumer, shard or start, and StreamInUse where
        another took it a moment ago."""
        registry, name = self._registry, self._name
        one = yield from consumers.describe(registry, name, self._consumer)
        at = yield from position(registry, name, self._shard, *self._start)
        yield commands.subscribe(
            registry.keys(name),
            name,
            one.name,
            one.created_ms,
            number_of(self._shard),
            self._id,
            REST_MS,
        )
        self._consumer = one.name
        self._looked = time.monotonic()
        self._watch = Stopwatch(registry.clock)
        self.positions = {self._shard: at}

    def event(self, batches: Sequence[Batch]) -> Plan[SubscriptionEvent]:
        """The event that a read came to. Raises StreamInUse when another took over, and
        ConsumerDoesNotExist when the consumer is gone."""
        if not batches or time.monotonic() >= self._looked + LOOK_S:
            yield from self._look()
        number = number_of(self._shard)
        if not batches:
            _, last = yield from on_shard(
                self._registry,
                self._name,
                number,
                lambda info: commands.beat(self._registry.shard_keys(self._name, number), info),
            )
            return SubscriptionEvent([], place_number(last, number), 0)
        (batch,) = batches
        following = batch.next_position
        if following is None:
            self.positions = {}
            return SubscriptionEvent(batch.records, None, 0, batch.child_shards)
        self.positions = {self._shard: following}
        is_record = batch.records and batch.records[-1].position == following - 1
        behind = (sequence_number if is_record else place_number)(following - 1, number)
        return SubscriptionEvent(batch.records, behind, batch.millis_behind_latest)

    def _look(self) -> Plan[None]:
        keys, number = self._registry.keys(self._name), number_of(self._shard)
        id = yield commands.subscriber(keys, self._name, self._consumer, number)
        self._looked = time.monotonic()
        if id == self._id:
            return
        if id:
            reason = f"another reader took over {self._shard} as consumer {self._consumer}"
            raise StreamInUse(
                f"stream {self._name!r} is in use: {reason}", stream=self._name, reason=reason
            )
        yield from described(self._registry, self._name)  # or has the stream gone too?
        raise ConsumerDoesNotExist(
            f"stream {self._name!r} has no registered consumer {self._consumer!r} any more",
            stream=self._name,
            consumer=self._consumer,
        )
