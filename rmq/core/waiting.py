"""Waiting for tasks that end soon, by whoever would not wait for them for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

TURNS = 10


async def settled(tasks: Iterable[asyncio.Task[Any]], seconds: float) -> set[asyncio.Task[Any]]:
    """Wait for *tasks* to end, for so many seconds. Those that did not.

    In turns: a loop that was held up for all that time, by a handler or a busy machine, has not
    heard of what was answered meanwhile. That is no silence.
    """
    left = set(tasks)
    for _ in range(TURNS):
        if not left:
            break
        _, left = await asyncio.wait(left, timeout=seconds / TURNS)
    return left


async def told(work: Coroutine[Any, Any, Any], seconds: float) -> None:
    """Carry out the last thing that somebody does, for so many seconds. Raises what it raises."""
    task = asyncio.create_task(work)
    try:
        await end(await settled([task], seconds), seconds)
    finally:
        task.cancel()
    if not task.cancelled():
        task.result()


async def end(tasks: Iterable[asyncio.Task[Any]], seconds: float) -> None:
    """Cancel *tasks* until they have ended, again after so many seconds: once may not do, for
    asyncio.wait_for can swallow a cancel (CPython issue 86296)."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=seconds)
