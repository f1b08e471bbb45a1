"""Gathering: calls of the same kind that are made while one of them is under way go out as one.

A thousand consumers of one queue, each asking for a message, are a few calls that ask for many.
Each gets its share of the answer. Whoever asks alone waits for nobody.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from rmq.core.script import Call, Joint

Line = deque[tuple[Joint[Any], asyncio.Future[Any]]]


class Gathering:
    """The calls of one executor that may be joined."""

    def __init__(self, carry_out: Callable[[Call[Any]], Awaitable[Any]]) -> None:
        self._carry_out = carry_out
        self._lines: dict[Any, Line] = {}
        """By kind: who waits while a call of that kind is under way. No entry: none is."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, one: Joint[Any]) -> Any:
        """Carry out a call, by itself or together with others of its kind."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # A new loop in the same program: whoever waited in the old one is gone with it.
            self._loop = loop
            self._lines.clear()
        line = self._lines.get(one.kind)
        if line is not None:
            future: asyncio.Future[Any] = loop.create_future()
            line.append((one, future))
            return await future
        line = self._lines[one.kind] = deque()
        try:
            return await self._carry_out(one.alone)
        finally:
            if line and not loop.is_closed():
                task = loop.create_task(self._work(one.kind, line), name="rmq-gather")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                self._end(one.kind, line)

    async def _work(self, kind: Any, line: Line) -> None:
        try:
            while line:
                batch = _cut(line)
                ones = [one for one, _ in batch]
                try:
                    shares = ones[0].deal(ones, await self._carry_out(ones[0].join(ones)))
                except Exception as error:
                    for _, future in batch:
                        if not future.done():
                            future.set_exception(error)
                else:
                    for (_, future), share in zip(batch, shares, strict=True):
                        if not future.done():
                            future.set_result(share)
        finally:
            self._end(kind, line)

    def _end(self, kind: Any, line: Line) -> None:
        if self._lines.get(kind) is line:
            del self._lines[kind]
        for _, future in line:  # we were cancelled, with the loop: nobody will come for these
            future.cancel()


def _cut(line: Line) -> list[tuple[Joint[Any], asyncio.Future[Any]]]:
    """Take from the front as many as one call may carry."""
    batch = [line.popleft()]
    size = batch[0][0].amount
    while line and size + line[0][0].amount <= line[0][0].most:
        batch.append(line.popleft())
        size += batch[-1][0].amount
    return batch
