"""Pace: how fast a subscription is sent what has been waiting for it.

What is handed to the HTTP server waits there until the client has read it, however much that is,
and nobody tells us. So a reader that is slow, or has stopped, must not be handed a shard at once.
Source: SubscribeToShard (Amazon Kinesis Data Streams API Reference): 2 MiB a second.
"""

from __future__ import annotations


class Pace:
    """A token bucket that may be overdrawn: a record can be larger than a second's worth."""

    def __init__(self, bytes_s: int | None, now: float) -> None:
        """*bytes_s*: a second, and at once after a rest; None for any number. *now*: seconds."""
        self._rate = bytes_s
        self._free = float(bytes_s or 0)
        self._at = now

    def rest(self, size: int, now: float) -> float:
        """How many seconds to rest, after *size* bytes were sent."""
        if self._rate is None:
            return 0.0
        earned = (now - self._at) * self._rate
        self._free = min(self._free + earned, float(self._rate)) - size
        self._at = now
        return max(-self._free / self._rate, 0.0)
