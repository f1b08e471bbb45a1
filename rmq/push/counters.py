"""Counters: what one dispatcher has done since it began."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(slots=True)
class Counters:
    """All that can happen to a message, and what is under way."""

    delivered: int = 0
    failed: int = 0
    """Given up: dead letters and dropped."""
    dead_letters: int = 0
    """Of those, how many are in a dead-letter queue now."""
    retried: int = 0
    """Tries that failed, and are made again."""
    refused: int = 0
    """Of those, how many were not made because the endpoint's breaker was open."""
    throttled: int = 0
    """How often a subscription's messages waited because of its limit a second."""
    finished: int = 0
    """Deliveries that publishers had left undone."""
    sending: int = 0
    """Under way now."""
    lines: int = 0
    """Inner queues at work now."""
    open_breakers: int = 0
    """Endpoints that are not tried now."""

    @property
    def tries(self) -> int:
        """How often a message was brought to its endpoint, or might have been."""
        return self.delivered + self.failed + self.retried

    def as_dict(self) -> dict[str, int]:
        return {one.name: getattr(self, one.name) for one in fields(self)}
