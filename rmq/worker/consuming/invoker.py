"""Invoker: calls a function where it wants to run, with what it asks for, within its time limit."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from rmq.queues.aio import AsyncMessage
from rmq.worker.callee import Callee, is_context
from rmq.worker.consuming.hand import Hand
from rmq.worker.consuming.held import Held
from rmq.worker.context import Context
from rmq.worker.handler import QueueOptions, Routed
from rmq.worker.middleware import call
from rmq.worker.verdicts import TimeLimitExceeded

if TYPE_CHECKING:
    from rmq.worker.worker import Worker

R = TypeVar("R")
log = logging.getLogger("rmq.worker")


class Invoker:
    """Of the functions of one queue."""

    def __init__(self, worker: Worker, options: QueueOptions, hand: Hand) -> None:
        self.bound: dict[Callee, dict[str, Any]] = {}
        """What each function gets beside its payload and its context."""
        self.context_names: dict[Callee, tuple[str, ...]] = {}
        """The parameters that are the context."""
        self._needs: dict[Callee, dict[str, Any]] = {}
        """The resources that those which run elsewhere get there."""
        self._worker = worker
        self._options = options
        self._hand = hand
        self._queue = worker.client.queue(options.queue)
        self._executor = worker.client._executor

    async def prepare(self, callees: Sequence[Callee]) -> None:
        """Learn what each asks for, and open its resources."""
        for one in callees:
            if one.mode == "process":
                self._needs[one] = self._worker.resources.needs(one)
            else:
                self.bound[one] = await self._worker.resources.for_callee(one)
            self.context_names[one] = tuple(
                name for name, parameter in one.parameters.items() if is_context(parameter)
            )

    def is_from_outside(self, error: BaseException, callee: Callee) -> bool:
        """Whether an error is not the handler's. A Ctrl-C reaches nothing but a coroutine of a
        worker without a supervisor; anywhere else a KeyboardInterrupt was raised by the handler,
        and harms nobody but its message."""
        if isinstance(error, KeyboardInterrupt):
            return callee.mode == "async" and self._worker.box is None
        return isinstance(error, GeneratorExit)

    async def call(
        self, held: Held, callee: Callee, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Call it for a message. Raises what it raises, TimeLimitExceeded, WorkerLost."""
        timeout = callee.timeout
        if timeout is not None and callee.mode != "process":  # those are killed in time
            held.deadline = held.started + timeout
        if callee.mode == "async":
            if timeout is None:
                return await callee.function(*args, **kwargs)
            return await _within(held, callee, timeout, callee.function(*args, **kwargs))
        if callee.mode == "thread":
            result = await self._worker.threads.call(held, callee, args, kwargs)
            if not inspect.iscoroutine(result):
                return result
            return await self.wrapped(held, callee, result)
        return await self._worker.processes.call(callee, args, kwargs, self._needs[callee])

    async def wrapped(self, held: Held, callee: Callee, run: Awaitable[Any]) -> Any:
        """Await what a plain function around a coroutine function returned, as decorators make
        them: it has not begun."""
        return await _within(held, callee, callee.timeout, run)

    def named(self, routed: Routed, context: Context | None) -> Mapping[str, Any]:
        """What it gets by name: of its message, its resources, the context."""
        kwargs = routed.kwargs
        if bound := self.bound.get(routed.callee):
            kwargs = {**kwargs, **bound}
        if names := self.context_names[routed.callee]:
            kwargs = {**kwargs, **dict.fromkeys(names, context)}
        return kwargs

    def context(self, held: Held, routed: Routed, batch: Sequence[Held] | None = None) -> Context:
        """What one run may know of its message, or of its *batch*."""
        said = routed.task
        return Context(
            routed.callee,
            (held.message,) if batch is None else tuple(one.message for one in batch),
            held.trials,
            task_id=None if said is None else said.id or held.message.id,
            extend=self._extend,
            progress=None if held.following is None else self._progress,
            stopping=lambda: self._worker.is_stopping,
        )

    async def tell(
        self, hooks: Sequence[Callable[..., Any]], context: Context, error: BaseException
    ) -> None:
        """Tell middleware of an error."""
        try:
            await call(hooks, context, error)
        except Exception:
            log.exception("a middleware's error hook failed")

    async def _extend(self, message: AsyncMessage, by: timedelta) -> None:
        held = self._hand[message]
        seconds = by.total_seconds()
        if held.deadline:
            held.deadline = time.monotonic() + seconds
        if held.limit is not None:
            held.limit.reschedule(asyncio.get_running_loop().time() + seconds)
        await self._queue.change_visibility(
            message, max(by, timedelta(seconds=self._options.visibility_timeout))
        )
        held.extended = time.monotonic()

    async def _progress(self, context: Context, part: float, text: str) -> None:
        following = self._worker.following.get(context.task_id or "")
        if following is not None:
            await self._executor.run(following.progress(part, text))


async def _within(held: Held, callee: Callee, timeout: float | None, run: Awaitable[R]) -> R:
    """Await a coroutine, no longer than its time limit."""
    if timeout is None:
        return await run
    try:
        async with asyncio.timeout(timeout) as held.limit:
            return await run
    except TimeoutError:
        assert held.limit is not None
        if not held.limit.expired():
            raise
        raise TimeLimitExceeded(f"{callee.name} took longer than {timeout:g} s") from None
