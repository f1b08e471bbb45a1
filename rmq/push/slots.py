"""Slots: how many messages one dispatcher has under way at a time. Whoever waits is served in turn,
so that one endpoint's backlog does not keep another's first message waiting.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Slots:
    """A number of slots, taken several at a time."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.free = count
        self._waiting: deque[tuple[int, asyncio.Future[int]]] = deque()
        self._is_closed = False

    async def take(self, want: int) -> int:
        """Wait until one is free, and take up to *want*. 0 once closed."""
        if self._is_closed:
            return 0
        if self.free and not self._waiting:
            return self._grant(want)
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((want, future))
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.give(future.result())
            raise

    def give(self, count: int) -> None:
        """Give slots back."""
        self.free += count
        while self.free and self._waiting:
            want, future = self._waiting.popleft()
            if not future.done():
                future.set_result(self._grant(want))

    def close(self) -> None:
        """Grant nothing more. Whoever waits gets 0."""
        self._is_closed = True
        while self._waiting:
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_result(0)

    def open(self) -> None:
        """Grant again."""
        self._is_closed = False

    def _grant(self, want: int) -> int:
        granted = min(want, self.free)
        self.free -= granted
        return granted
