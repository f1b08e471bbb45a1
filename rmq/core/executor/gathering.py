"""Gathering: calls of the same kind that are made while one of them is under way go out as one.

A thousand consumers of one queue, each asking for a message, are a few calls that ask for many.
Each gets its share of the answer. Whoever asks alone waits for nobody.

A call runs in a task of its own, not in that of who asks: asking can be broken off, a call can not.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from rmq.core.script import Call, Joint


class Errand:
    """One who asks, and the future of what they get."""

    __slots__ = ("_future", "_loop", "one")

    def __init__(self, one: Joint[Any] | Call[Any], loop: asyncio.AbstractEventLoop) -> None:
        self.one = one
        self._loop = loop
        self._future: asyncio.Future[Any] = loop.create_future()

    @property
    def outcome(self) -> asyncio.Future[Any]:
        """What comes of it. A task that is cancelled while it awaits this cancels it; whoever looks
        next finds another, so that what comes later is not lost."""
        if self._future.cancelled():
            self._future = self._loop.create_future()
        return self._future

    def hurry(self) -> None:
        """Nobody waits for it any more: have it end soon, if it is one that can be told."""


Line = deque[Errand]


class Gathering:
    """The calls of one executor that may be joined."""

    def __init__(self, carry_out: Callable[[Call[Any]], Awaitable[Any]]) -> None:
        self._carry_out = carry_out
        self._lines: dict[Any, Line] = {}
        """By kind: who waits while a call of that kind is under way. No entry: none is."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, one: Joint[Any] | Call[Any]) -> Errand:
        """Begin a call; one that may be joined goes out with others of its kind."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # A new loop in the same program: whoever waited in the old one is gone with it.
            self._loop = loop
            self._lines.clear()
        errand = Errand(one, loop)
        if isinstance(one, Call):
            self._keep(loop, self._alone(errand))
            return errand
        line = self._lines.get(one.kind)
        if line is None:
            line = self._lines[one.kind] = deque()
            self._keep(loop, self._work(one.kind, line))
        line.append(errand)
        return errand

    def _keep(self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]) -> None:
        task = loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _alone(self, errand: Errand) -> None:
        try:
            result = await self._carry_out(errand.one)  # type: ignore[arg-type]
        except Exception as error:
            errand.outcome.set_exception(error)
        except asyncio.CancelledError:
            errand.outcome.cancel()
            raise
        else:
            errand.outcome.set_result(result)

    async def _work(self, kind: Any, line: Line) -> None:
        batch: list[Errand] = []
        try:
            while line:
                batch = _cut(line)
                ones: list[Any] = [errand.one for errand in batch]
                try:
                    shares = ones[0].deal(ones, await self._carry_out(ones[0].join(ones)))
                except Exception as error:
                    for errand in batch:
                        errand.outcome.set_exception(error)
                else:
                    for errand, share in zip(batch, shares, strict=True):
                        errand.outcome.set_result(share)
        except asyncio.CancelledError:  # with the loop: nobody will come for these
            for errand in (*batch, *line):
                errand.outcome.cancel()
            raise
        finally:
            if self._lines.get(kind) is line:
                del self._lines[kind]


def _cut(line: Line) -> list[Errand]:
    """Take from the front as many as one call may carry."""
    batch = [line.popleft()]
    size = batch[0].one.amount  # type: ignore[union-attr]
    while line and size + line[0].one.amount <= line[0].one.most:  # type: ignore[union-attr]
        batch.append(line.popleft())
        size += batch[-1].one.amount  # type: ignore[union-attr]
    return batch
