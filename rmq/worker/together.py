"""Together: calls about many tasks, which go to Redis in one write.

Each task has a slot of its own, so no script can be about two of them. What the tasks of one worker
ask at the same time is therefore pipelined: a hundred tasks that end together wait for one answer
each, and for one trip in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from rmq.core.coalesce import AsyncCoalescer
from rmq.core.executor import AsyncExecutor
from rmq.core.script import Call, Plan, Several, Step

T = TypeVar("T")

CLOSE_S = 1.0
LIMIT = 200
"""Calls in one write: some 2 ms of the server's time."""


class Together:
    """Carries out plans of many tasks."""

    def __init__(self, executor: AsyncExecutor) -> None:
        self._executor = executor
        self._calls: AsyncCoalescer[Call[Any], Any] = AsyncCoalescer(
            self._carry_out, parallel=2, limit=LIMIT
        )

    async def run(self, plan: Plan[T]) -> T:
        """Carry out a plan. Its calls are tried twice and not to a deadline: raises ConnectionLost
        for who asks to go on asking."""
        return await self._executor.run(plan, self._step)

    async def close(self) -> None:
        """Wait for what is under way."""
        await self._calls.settle(CLOSE_S)

    async def _step(self, step: Step) -> Any:
        if isinstance(step, Call):
            return await self._calls.submit(step)
        return await self._executor._step(step)

    async def _carry_out(self, calls: Sequence[Call[Any]]) -> list[Any]:
        if len(calls) == 1:
            return [await self._executor.call(calls[0])]
        return await self._executor.run(_several(calls))


def _several(calls: Sequence[Call[Any]]) -> Plan[list[Any]]:
    found: list[Any] = yield Several(calls)
    return found
