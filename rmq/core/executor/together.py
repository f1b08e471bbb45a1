"""Together: an executor for somebody who makes many calls at the same time, each on another slot.

Calls that are made in one turn of the loop, or while those before them are under way, go out in one
write. Each of them waits for the others' answers; so it is for who wants much done, and not for who
waits for one thing. Trouble is met with one more try, as with Several.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from rmq.core.coalesce import AsyncCoalescer
from rmq.core.executor.tasks import AsyncExecutor
from rmq.core.script import Call

T = TypeVar("T")

MOST = 200
"""Calls in one write."""


class TogetherExecutor(AsyncExecutor):
    """Carries out Calls and Plans as the executor does whose connections it shares."""

    def __init__(self, other: AsyncExecutor) -> None:
        super().__init__(
            other._link,
            clock=other.clock,
            events=other.events,
            retry_timeout=other._retry_timeout,
            allow_eviction=other._allow_eviction,
        )
        self._calls: AsyncCoalescer[Call[Any], Any] = AsyncCoalescer(self._write, limit=MOST)

    async def call(self, call: Call[T]) -> T:
        """Carry out one round trip, with those of others."""
        if self._link.pool is None:
            # A cluster's client, and one in memory, write each by itself.
            return await super().call(call)
        found: T = await self._calls.submit(call)
        return found

    async def close(self) -> None:
        """Give back connections. The other executor stays open."""
        while self._idle:
            await self._link.pool.release(self._idle.pop())

    async def _write(self, calls: Sequence[Call[Any]]) -> list[Any]:
        if len(calls) == 1:
            return [await super().call(calls[0])]
        return await self._several(calls)
