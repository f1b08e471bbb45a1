"""A lease: a plan that takes something, whose caller may be gone before it is answered.

Redis can not be told to forget a call that is under way, and what it hands out would be nobody's
until its visibility timeout. So its calls are errands, which go on without who asked:

    caller cancelled while the plan     then the plan
    sleeps in a Block                   ends there; its token is handed on
    stands (see standing)               ends when its pop was ended; what it took goes back
    is in a call                        ends after that call; what it took goes back
    has just ended                      what it took goes back

Nothing is assumed of who drives the caller: an HTTP server may do it without an asyncio.Task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from rmq.core.executor.gathering import Errand
from rmq.core.script import Block, Call, Joint, Plan, Step
from rmq.errors import RmqError, ServerError

if TYPE_CHECKING:
    from rmq.core.executor.tasks import AsyncExecutor

T = TypeVar("T")


class Lease(Generic[T]):
    """One plan under way, and somebody who waits for what it takes, or no longer does."""

    __slots__ = ("_errand", "_executor", "_give_back", "_loop", "_plan")

    def __init__(
        self, executor: AsyncExecutor, plan: Plan[T], give_back: Callable[[T], Plan[Any]]
    ) -> None:
        self._executor = executor
        self._plan = plan
        self._give_back = give_back
        self._loop = asyncio.get_running_loop()
        self._errand: Errand | None = None
        """The call that is under way; None while the plan sleeps."""

    async def result(self) -> T:
        """What the plan returns. Raises what it raises."""
        try:
            return await self._executor.run(self._plan, self._step)
        except (asyncio.CancelledError, GeneratorExit):
            # No await here: a coroutine that is thrown away may not.
            if self._errand is not None and not self._loop.is_closed():
                self._errand.hurry()
                self._executor.give_back(self._end(self._errand), "rmq-lease", self._loop)
            raise

    async def _step(self, step: Step) -> Any:
        if isinstance(step, (Call, Joint)):
            self._errand = self._executor.gathering.start(step)
        else:
            self._errand = self._executor.standing.start(step) if type(step) is Block else None
        if self._errand is None:
            return await self._executor._step(step)
        return await self._errand.outcome

    async def _end(self, errand: Errand) -> None:
        """The caller is gone. Whatever the plan has taken, and still takes, goes back."""
        try:
            try:
                result = await errand.outcome
            except RmqError as error:
                self._plan.throw(error)
            else:
                self._plan.send(result)
            while True:
                # A plan ends on this, and returns what it has; what it leaves undone (a relay, a
                # sweep) the next one does.
                self._plan.throw(ServerError("nobody waits for this any more"))
        except StopIteration as end:
            value: T = end.value
        except RmqError:
            return
        try:
            await self._executor.run(self._give_back(value))
        except RmqError:
            return
