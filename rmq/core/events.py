"""Events: what happened, told to whoever listens. Metrics, dashboards and tests do.

Nothing is built when nobody listens, so the hot path pays one truth test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to one queue."""

    queue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent(Event):
    """Messages were accepted; *duplicates* of them were known already."""

    count: int
    duplicates: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Received(Event):
    """Messages were handed out."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted(Event):
    """Messages are done."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved(Event):
    """Messages arrived in another queue: dead letters, or a redrive."""

    count: int
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired(Event):
    """Messages outlived the retention period."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried(Event):
    """A call met connection trouble and is tried again."""

    attempt: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed(Event):
    """A message was brought to an endpoint, or was not. *queue* is the subscription's id."""

    topic: str
    protocol: str
    outcome: str
    """delivered, retried or failed."""
    latency_ms: int
    """Since it was published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased(Event):
    """A worker of a consumer group began to read a shard, or ended it. *queue* is the stream."""

    group: str
    shard_id: str
    worker: str
    token: int
    """The fencing token of its lease."""
    state: str
    """begun; or how it ended: finished (the shard has no more), handed over, stopped, lost or
    failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardAlone(Event):
    """A shard has had no owner for too long: nobody reads it. *queue* is the stream."""

    group: str
    shard_id: str
    alone_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside(Event):
    """A consumer's handler failed on a record for good. *queue* is the stream."""

    group: str
    shard_id: str
    sequence_number: str
    outcome: str
    """dead letter or skipped."""


Listener = Callable[[Event], None]


class Events:
    """A list of listeners, called in the order of their coming, in the caller's thread."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call *listener* for every event from now on. Returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def tell(self, event: Event) -> None:
        for listener in tuple(self._listeners):
            listener(event)
