"""Gathering: calls of the same kind that are made while one of them is under way go out as one.

A thousand consumers of one queue, each asking for a message, are one call that asks for a thousand.
Each gets its share of the answer. Whoever asks alone waits for nobody.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from rmq.core.script import Call

Line = deque[tuple[Call[Any], asyncio.Future[Any]]]


class Gathering:
    """The calls of one executor that may be joined."""

    def __init__(self, carry_out: Callable[[Call[Any]], Awaitable[Any]]) -> None:
        self._carry_out = carry_out
        self._lines: dict[Any, Line] = {}
        """By kind: who waits while a call of that kind is under way. No entry: none is."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, call: Call[Any]) -> Any:
        """Carry out a call that may be joined with others of its kind."""
        assert call.joint is not None
        kind = call.joint.kind
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # A new loop in the same program: whoever waited in the old one is gone with it.
            self._loop = loop
            self._lines.clear()
        line = self._lines.get(kind)
        if line is not None:
            future: asyncio.Future[Any] = loop.create_future()
            line.append((call, future))
            return await future
        line = self._lines[kind] = deque()
        try:
            return await self._carry_out(call)
        finally:
            if line and not loop.is_closed():
                task = loop.create_task(self._work(kind, line), name="rmq-gather")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                self._end(kind, line)

    async def _work(self, kind: Any, line: Line) -> None:
        try:
            while line:
                batch, size = [line.popleft()], 0
                joint = batch[0][0].joint
                assert joint is not None
                size = joint.amount
                while line and size + line[0][0].joint.amount <= joint.most:  # type: ignore[union-attr]
                    batch.append(line.popleft())
                    size += batch[-1][0].joint.amount  # type: ignore[union-attr]
                calls = [call for call, _ in batch]
                try:
                    shares = joint.deal(calls, await self._carry_out(joint.join(calls)))
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
