"""Crew: the asyncio tasks in which one consumer's handlers run."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any


class Crew:
    """What is under way."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin with something. Each in a context of its own, as tasks are: what one handler sets,
        no other sees."""
        task = asyncio.create_task(work, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def ended(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))

    async def cancel(self, patience: float) -> None:
        """End what is under way, as far as it can be ended: twice, and for so many seconds each."""
        for _ in range(2):
            tasks = tuple(one for one in self._tasks if not one.done())
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=patience)
