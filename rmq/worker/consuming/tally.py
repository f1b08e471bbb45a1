"""Tally: what the runs of one consumer came to, as numbers, and one by one for who watches."""

from __future__ import annotations

from collections.abc import Callable

from rmq.worker.ran import Ran


class Tally:
    """Counts since the start."""

    __slots__ = ("dead", "failed", "handled", "returned", "running", "watch")

    def __init__(self) -> None:
        self.running = 0
        """Handlers that are under way in tasks; see Consumer.running."""
        self.handled = 0
        self.failed = 0
        """Runs, not messages: one that is tried again may fail again."""
        self.dead = 0
        """Messages that went to the dead-letter queue."""
        self.returned = 0
        """Messages that were given back untried."""
        self.watch: Callable[[Ran], None] | None = None
        """Is told of each run; for tests."""
