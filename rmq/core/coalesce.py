"""Coalescing: operations that tasks of one process await at the same time go out together.

Whatever is submitted while the loop takes one turn, or while the batch before it is under way,
becomes the next batch. Each caller gets its own result or its own error. One batch at a time keeps
the order in which the callers asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

I = TypeVar("I")  # noqa: E741
R = TypeVar("R")


class SyncCoalescer(Generic[I, R]):
    """For threads: nothing to merge, the same interface."""

    def __init__(self, run: Callable[[Sequence[I]], Sequence[R | Exception]]) -> None:
        self._run = run

    def submit(self, item: I) -> R:
        result = self._run((item,))[0]
        if isinstance(result, Exception):
            raise result
        return result


class AsyncCoalescer(Generic[I, R]):
    """For asyncio: merges what is submitted until the batch before is back."""

    def __init__(
        self, run: Callable[[Sequence[I]], Awaitable[Sequence[R | Exception]]], limit: int = 1000
    ) -> None:
        self._run = run
        self._limit = limit
        self._waiting: list[tuple[I, asyncio.Future[R]]] = []
        self._task: asyncio.Task[Any] | None = None

    def submit(self, item: I) -> asyncio.Future[R]:
        """Add *item* to the next batch. The future gets its result or its error."""
        loop = asyncio.get_running_loop()
        if self._task is not None and self._task.get_loop() is not loop:
            # A new loop in the same program: whoever waited in the old one is gone with it.
            self._task, self._waiting = None, []
        future: asyncio.Future[R] = loop.create_future()
        self._waiting.append((item, future))
        if self._task is None:
            self._task = loop.create_task(self._drain(), name="rmq-coalesce")
        return future

    async def _drain(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[: self._limit]
                del self._waiting[: self._limit]
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
            self._task = None
            for _, future in self._waiting:
                future.cancel()
            self._waiting = []
