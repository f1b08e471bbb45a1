"""Coalescing: operations that tasks of one process await at the same time go out together.

Whatever is submitted while the loop takes one turn, or while the batch before it is under way,
becomes the next batch. Each caller gets its own result or its own error. One batch at a time keeps
the order in which the callers asked; where that does not matter, two keep the server busy.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from rmq.core.waiting import settled

I = TypeVar("I")  # noqa: E741
R = TypeVar("R")

SPLIT = 64
"""From so many on, a batch is worth being cut in two."""


class SyncCoalescer(Generic[I, R]):
    """For threads: nothing to merge, the same interface."""

    def __init__(
        self, run: Callable[[Sequence[I]], Sequence[R | Exception]], *, parallel: int = 1
    ) -> None:
        self._run = run
        self.is_idle = True

    def submit(self, item: I) -> R:
        result = self._run((item,))[0]
        if isinstance(result, Exception):
            raise result
        return result


class AsyncCoalescer(Generic[I, R]):
    """For asyncio: merges what is submitted until a batch before is back."""

    def __init__(
        self,
        run: Callable[[Sequence[I]], Awaitable[Sequence[R | Exception]]],
        *,
        parallel: int = 1,
        limit: int = 1000,
    ) -> None:
        """*run* carries out a batch of up to *limit*. Up to *parallel* of them are under way at a
        time; more than 1 gives up the order of what is awaited at the same time."""
        self._run = run
        self._parallel = parallel
        self._limit = limit
        self._waiting: deque[tuple[I, asyncio.Future[R]]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_idle(self) -> bool:
        """Nothing is under way or waits."""
        return not self._tasks and not self._waiting

    def submit(self, item: I) -> asyncio.Future[R]:
        """Add *item* to the next batch. The future gets its result or its error."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # A new loop in the same program: whoever waited in the old one is gone with it.
            self._loop, self._tasks = loop, set()
            self._waiting.clear()
        future: asyncio.Future[R] = loop.create_future()
        self._waiting.append((item, future))
        if not self._tasks:
            self._start(loop)
        return future

    async def settle(self, timeout: float) -> None:
        """Wait until no batch is under way, for so many seconds. For who ends: a caller that was
        cancelled takes no batch with it."""
        await settled(self._tasks, timeout)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        task = loop.create_task(self._drain(loop), name="rmq-coalesce")
        self._tasks.add(task)

    async def _drain(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            while self._waiting:
                size = min(len(self._waiting), self._limit)
                if size >= SPLIT and len(self._tasks) < self._parallel:
                    # Two halves: while the server works on one, we work on the other.
                    size //= 2
                    self._start(loop)
                batch = [self._waiting.popleft() for _ in range(size)]
                try:
                    results = await self._run([item for item, _ in batch])
                except Exception as error:
                    results = [error] * len(batch)
                for (_, future), result in zip(batch, results, strict=True):
                    if future.done():
                        continue
                    if isinstance(result, Exception):
                        future.set_exception(result)
                    else:
                        future.set_result(result)
                # Let those that were answered ask again before the next batch is cut.
                await asyncio.sleep(0)
        finally:
            self._tasks.discard(asyncio.current_task())
            if self._waiting and not self._tasks:
                # We were cancelled, with the loop: nobody will come for these.
                for _, future in self._waiting:
                    future.cancel()
                self._waiting.clear()
