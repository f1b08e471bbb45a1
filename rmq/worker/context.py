"""Context: what a handler may know of its message and its run, and may do about them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from rmq.core.limits import duration
from rmq.core.limits import text as said
from rmq.errors import ConfigurationError, InvalidParameter
from rmq.queues.aio import AsyncMessage
from rmq.worker.trials import Trials

if TYPE_CHECKING:
    from rmq.core.codec import Crash
    from rmq.worker.callee import Callee

R = TypeVar("R")
LOG = logging.getLogger("rmq.worker")

Extend = Callable[[AsyncMessage, timedelta], Awaitable[None]]
Progress = Callable[["Context", float, str], Awaitable[None]]


class Context:
    """One run of one message (of a batch: of all its messages). Ask for it by annotation:

    async def on_order(order: Order, context: Context) -> None: ...
    """

    __slots__ = (
        "_extend",
        "_loop",
        "_progress",
        "_stopping",
        "_trials",
        "callee",
        "messages",
        "state",
        "task_id",
    )

    def __init__(
        self,
        callee: Callee,
        messages: Sequence[AsyncMessage],
        trials: Trials,
        *,
        task_id: str | None = None,
        extend: Extend | None = None,
        progress: Progress | None = None,
        stopping: Callable[[], bool] = bool,
    ) -> None:
        self.callee = callee
        self.messages = messages
        """The messages of this run; more than one only in a batch."""
        self.task_id = task_id
        """The task's id; None for a handler's message."""
        self.state: dict[str, Any] = {}
        """For middleware: what one hook leaves here, the next ones find."""
        self._loop = asyncio.get_running_loop()
        self._trials = trials
        self._extend = extend
        self._progress = progress
        self._stopping = stopping

    @property
    def message(self) -> AsyncMessage:
        """The message; of a batch the first one."""
        return self.messages[0]

    @property
    def name(self) -> str:
        """The handler's or task's name."""
        return self.callee.name

    @property
    def queue(self) -> str:
        """The name of the queue it came from."""
        return self.messages[0].queue_name

    @property
    def attempt(self) -> int:
        """Which try this is: 1 plus the failures before. Crashes and what was given back untried
        do not count."""
        return self._trials.failures + 1

    @property
    def crashes(self) -> int:
        """How many workers were lost while they had this message."""
        return self._trials.crashes

    @property
    def evidence(self) -> tuple[Crash, ...]:
        """What is known of those crashes."""
        return self._trials.evidence

    @property
    def is_stopping(self) -> bool:
        """Whether the worker was asked to stop: a long job may want to end early, by Retry."""
        return self._stopping()

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger that says with every line which message it is about."""
        return logging.LoggerAdapter(LOG, self.fields)

    @property
    def fields(self) -> dict[str, Any]:
        """What stands with every line of the log."""
        found: dict[str, Any] = {
            "handler": self.name,
            "queue": self.queue,
            "message_id": self.message.id,
            "attempt": self.attempt,
        }
        if self.task_id is not None:
            found["task_id"] = self.task_id
        return found

    def wait(self, what: Coroutine[Any, Any, R]) -> R:
        """Wait for *what*, from a plain function in its thread:
        context.wait(context.extend(60))."""
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()

    async def extend(self, by: timedelta | float) -> None:
        """Give this run *by* (a timedelta or seconds) from now, whatever its time limit was, and
        keep its messages invisible for as long. Without a time limit there is nothing to extend:
        leases are renewed by themselves.

        Raises ConnectionLost, InvalidParameter.
        """
        if self._extend is None:
            raise ConfigurationError("there is nothing to extend: no worker runs this")
        wanted = duration(by, "by", None, None)
        for message in self.messages:
            await self._extend(message, wanted)

    async def progress(self, part: float, text: str = "") -> None:
        """Say how far this run is: *part* from 0 to 1, and a word about it. It stands in the log,
        and with the result where the task keeps one. Raises InvalidParameter."""
        if isinstance(part, bool) or not isinstance(part, (int, float)) or not 0 <= part <= 1:
            raise InvalidParameter("part", part, "a number from 0 to 1")
        said(text, "text", 0, 1000)
        if self._progress is not None:
            await self._progress(self, part, text)
        self.logger.info("%s: %.0f %% %s", self.name, part * 100, text)
