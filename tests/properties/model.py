"""A queue as a plain Python list: what the state machines hold the real one against.

It says what may be received, not how it is stored. Times are milliseconds of the held clock.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(eq=False)
class Kept:
    """One message of the model."""

    id: str
    body: bytes
    group: str
    sent_ms: int
    expires_ms: int
    visible_ms: int
    """From when it can be received: after its delay, or after its lease."""
    count: int = 0
    """Receives in this queue."""
    before: int = 0
    """Receives in the queues it was in before."""


@dataclass
class Model:
    """One queue: its messages in order, and what was forgotten of them."""

    is_fifo: bool
    retention_ms: int
    window_ms: int = 300_000
    kept: list[Kept] = field(default_factory=list)
    known: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Deduplication id -> first message id, when."""

    def expire(self, now: int) -> None:
        self.kept = [one for one in self.kept if one.expires_ms > now]

    def find(self, id: str) -> Kept | None:
        return next((one for one in self.kept if one.id == id), None)

    def duplicate_of(self, deduplication_id: str, now: int) -> str | None:
        first = self.known.get(deduplication_id)
        return first[0] if first and now - first[1] < self.window_ms else None

    def in_flight(self, now: int) -> list[Kept]:
        return [one for one in self.kept if one.count and one.visible_ms > now]

    def delayed(self, now: int) -> list[Kept]:
        return [one for one in self.kept if not one.count and one.visible_ms > now]

    def available(self, now: int) -> list[Kept]:
        """What a receive may hand out. FIFO: a prefix of each group that is not locked."""
        if not self.is_fifo:
            return [one for one in self.kept if one.visible_ms <= now]
        locked = {one.group for one in self.in_flight(now)}
        found, closed = [], set(locked)
        for one in self.kept:
            if one.group in closed:
                continue
            if one.visible_ms > now:
                closed.add(one.group)
            else:
                found.append(one)
        return found

    @property
    def is_fair(self) -> bool:
        """A standard queue that holds message groups."""
        return not self.is_fifo and any(one.group for one in self.kept)

    def turns(self, want: int, now: int) -> list[Kept]:
        """What a fair queue hands out: always the oldest message of those groups that have the
        fewest in flight, and of what has no group, which never counts."""
        loads = Counter(one.group for one in self.in_flight(now) if one.group)
        waiting, found = self.available(now), []
        while waiting and len(found) < want:
            fewest = min(loads[one.group] for one in waiting)
            one = next(one for one in waiting if loads[one.group] == fewest)
            waiting.remove(one)
            found.append(one)
            loads[one.group] += bool(one.group)
        return found
