"""Breaker: an endpoint that fails again and again is not tried with every message.

    closed ── failures in a row ──> open ── its time is over ──> half open ── success ──> closed
       ^ success                     ^                             │ one try at a time
       └─────                        └──── failure: for longer ────┘

Whoever finds it open spends an attempt of the delivery policy without trying, at the policy's own
pace. The last attempt of a message is always made: nothing is given up that was not tried.
"""

from __future__ import annotations

from dataclasses import dataclass

THRESHOLD = 10
"""Failures in a row that open it."""
FIRST_MS = 5_000
"""For how long it is open at first; each failed try while half open doubles that."""
LONGEST_MS = 60_000


@dataclass(slots=True)
class Breaker:
    """The breaker of one endpoint. It has no clock: whoever asks says what time it is."""

    threshold: int = THRESHOLD
    first_ms: int = FIRST_MS
    longest_ms: int = LONGEST_MS
    failures: int = 0
    """In a row."""
    open_until_ms: int = 0
    open_ms: int = 0
    """For how long it was opened last; 0 while it is closed."""
    is_probing: bool = False
    """Half open, and the one try is under way."""

    @property
    def state(self) -> str:
        """closed, open or half open (open, and a try is under way)."""
        if not self.open_ms:
            return "closed"
        return "half open" if self.is_probing else "open"

    @property
    def is_idle(self) -> bool:
        """Whether it knows nothing that a new one does not."""
        return not self.failures and not self.open_ms and not self.is_probing

    def admits(self, now_ms: int) -> bool:
        """Whether to try. One that says yes while half open waits for what comes of it."""
        if not self.open_ms:
            return True
        if self.is_probing or now_ms < self.open_until_ms:
            return False
        self.is_probing = True
        return True

    def wait_ms(self, now_ms: int) -> int:
        """How long until it is half open; 0 where it is, or is closed."""
        return max(self.open_until_ms - now_ms, 0) if self.open_ms else 0

    def succeeded(self) -> None:
        """A try was a success, or was refused by an endpoint that is well: it answers."""
        self.failures = self.open_ms = self.open_until_ms = 0
        self.is_probing = False

    def failed(self, now_ms: int) -> None:
        """A try met an endpoint that is not well."""
        self.failures += 1
        # One that began before it opened says nothing new.
        if self.is_probing or (not self.open_ms and self.failures >= self.threshold):
            self.open_ms = min(self.open_ms * 2 or self.first_ms, self.longest_ms)
            self.open_until_ms = now_ms + self.open_ms
        self.is_probing = False

    def left(self) -> None:
        """A try was broken off: nothing is known of the endpoint."""
        self.is_probing = False
