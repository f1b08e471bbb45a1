"""A lease: a plan that takes something, whose caller may be gone before it is answered.

Redis can not be told to forget a call that is under way, and what it hands out would be nobody's
until its visibility timeout. So the plan runs in a task of its own:

    caller cancelled while the plan     then the plan
    sleeps in a Block                   ends there; its token is handed on
    is in a call                        ends after that call; what it took goes back
    has just ended                      what it took goes back

Nothing is assumed of who drives the caller: an HTTP server may do it without an asyncio.Task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from rmq.core.script import Block, Plan, Sleep, Step
from rmq.errors import RmqError, ServerError

if TYPE_CHECKING:
    from rmq.core.executor.tasks import AsyncExecutor

T = TypeVar("T")


class Lease(Generic[T]):
    """One plan under way, and somebody who waits for what it takes, or no longer does."""

    __slots__ = ("_asleep", "_executor", "_give_back", "_loop", "_outcome", "_plan", "_task")

    def __init__(
        self, executor: AsyncExecutor, plan: Plan[T], give_back: Callable[[T], Plan[Any]]
    ) -> None:
        self._executor = executor
        self._plan = plan
        self._give_back = give_back
        self._asleep = False
        self._loop = asyncio.get_running_loop()
        self._outcome: asyncio.Future[T] = self._loop.create_future()
        self._task = self._loop.create_task(self._work(), name="rmq-lease")

    async def result(self) -> T:
        """What the plan returns. Raises what it raises."""
        try:
            return await self._outcome
        except (asyncio.CancelledError, GeneratorExit):
            # No await here: a coroutine that is thrown away may not.
            self._leave()
            raise

    async def _work(self) -> None:
        try:
            value = await self._executor.run(self._plan, self._step)
        except asyncio.CancelledError:
            self._outcome.cancel()
            raise
        except Exception as error:
            if not self._outcome.done():
                self._outcome.set_exception(error)
        else:
            if self._outcome.done():
                await self._returned(value)
            else:
                self._outcome.set_result(value)

    async def _step(self, step: Step) -> Any:
        if self._outcome.done():
            # The caller left while we were in the step before. A plan ends on this, and returns
            # what it has; what it leaves undone (a relay, a sweep) the next one does.
            raise ServerError("nobody waits for this any more")
        if not isinstance(step, (Block, Sleep)):
            return await self._executor._step(step)
        self._asleep = True
        try:
            return await self._executor._step(step)
        finally:
            self._asleep = False

    def _leave(self) -> None:
        """The caller is gone. Whatever is taken from now on goes back."""
        if self._loop.is_closed():
            return
        if self._asleep:
            self._task.cancel()
        elif self._task.done():
            if self._outcome.cancelled() or self._outcome.exception() is not None:
                return
            self._task = self._loop.create_task(self._returned(self._outcome.result()))
        self._outcome.cancel()
        returning = self._executor.returning
        returning.add(self._task)
        self._task.add_done_callback(returning.discard)

    async def _returned(self, value: T) -> None:
        with suppress(RmqError):
            await self._executor.run(self._give_back(value))
