"""Colours: the sync client behind the async one's face, so that one test body runs over both.

What the async twin awaits, this awaits, and the call runs in a thread; everything else passes
through. So a receive that waits blocks a thread and not the loop, and `async with message` is
`with message`.

Also here, because they must work over both colours: a plan that a test carries out step by step,
and a count of the consumers that are asleep.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import rmq
from rmq.core.script import Call, Joint, Plan, Sleep
from rmq.errors import RmqError

THREADS = 64
"""How many sync calls may be under way at once; the widest test has 40 that wait."""
PATIENCE = 20.0
"""Seconds that a test waits for an event before it fails."""

_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="colour")
_END = object()

_TWINS: dict[type, type] = {
    rmq.Client: rmq.AsyncClient,
    rmq.Queue: rmq.AsyncQueue,
    rmq.Message: rmq.AsyncMessage,
    rmq.Topic: rmq.AsyncTopic,
    rmq.Mobile: rmq.AsyncMobile,
    rmq.Sms: rmq.AsyncSms,
    rmq.Stream: rmq.AsyncStream,
    rmq.Producer: rmq.AsyncProducer,
    rmq.streams.sync.Reader: rmq.streams.aio.AsyncReader,
}


async def in_thread(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run *work* in a thread of our own pool: the loop's is as small as the machine."""
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(
        _pool, lambda: context.run(work, *args, **kwargs)
    )


class Threaded:
    """A sync client, queue or message with the face of its async twin."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self._twin = _TWINS[type(inner)]

    def __repr__(self) -> str:
        return repr(self.inner)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        kind = getattr(self._twin, name, None)
        if inspect.iscoroutinefunction(kind):
            return _awaited(found)
        if inspect.isasyncgenfunction(kind):
            return lambda *args, **kwargs: _each(found(*bare(args), **bare(kwargs)))
        if name == "handling":
            return lambda *args, **kwargs: _context(found(*args, **kwargs))
        if callable(found):
            return lambda *args, **kwargs: faced(found(*bare(args), **bare(kwargs)))
        return faced(found)

    def __aiter__(self) -> AsyncIterator[Any]:
        return _each(iter(self.inner))

    async def __aenter__(self) -> Threaded:
        await in_thread(self.inner.__enter__)
        return self

    async def __aexit__(self, *error: Any) -> Any:
        return await in_thread(self.inner.__exit__, *error)


def _awaited(method: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        return faced(await in_thread(method, *bare(args), **bare(kwargs)))

    return call


async def _each(iterator: Iterator[Any]) -> AsyncIterator[Any]:
    try:
        while (item := await in_thread(next, iterator, _END)) is not _END:
            yield faced(item)
    finally:
        if inspect.isgenerator(iterator):
            await in_thread(iterator.close)


@asynccontextmanager
async def _context(manager: Any) -> AsyncIterator[Any]:
    value = await in_thread(manager.__enter__)
    try:
        yield faced(value)
    except BaseException as error:
        if not await in_thread(manager.__exit__, type(error), error, error.__traceback__):
            raise
    else:
        await in_thread(manager.__exit__, None, None, None)


def faced(value: Any) -> Any:
    """*value* as an async test body expects it."""
    if type(value) in _TWINS:
        return Threaded(value)
    if type(value) is Future:
        return asyncio.wrap_future(value)
    if type(value) is list:
        return [faced(one) for one in value]
    return value


def bare(value: Any) -> Any:
    """*value* as the library expects it: without the faces that we put on."""
    if isinstance(value, Threaded):
        return value.inner
    if type(value) is dict:
        return {name: bare(one) for name, one in value.items()}
    if type(value) in (list, tuple):
        return type(value)(bare(one) for one in value)
    return value


# --- waiting for events -------------------------------------------------------------------------


async def until(happened: Callable[[], Any]) -> Any:
    """Wait until *happened* returns something true (or a coroutine of it), and return that."""
    end = asyncio.get_running_loop().time() + PATIENCE
    while True:
        found = happened()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        if asyncio.get_running_loop().time() > end:
            raise AssertionError(f"waited {PATIENCE} s in vain")
        await asyncio.sleep(0.002)


class Sleepers:
    """The consumers of one client that are asleep: in their blocking pop, with nothing to do."""

    def __init__(self, client: Any) -> None:
        self.count = 0
        """How many sleep now."""
        self.naps = 0
        """How often one fell asleep."""
        executor = bare(client)._executor
        block = executor._block

        async def counted_async(step: Any) -> Any:
            self._in()
            try:
                return await block(step)
            finally:
                self.count -= 1

        def counted(step: Any) -> Any:
            self._in()
            try:
                return block(step)
            finally:
                self.count -= 1

        self._look = getattr(executor, "see_naps", lambda: None)
        executor._block = counted_async if inspect.iscoroutinefunction(block) else counted

    def _in(self) -> None:
        self.count += 1
        self.naps += 1

    async def reach(self, count: int) -> None:
        """Wait until so many are asleep."""
        await until(lambda: self.count == count)

    async def naps_reach(self, naps: int) -> None:
        """Wait until one has fallen asleep so often."""
        self._look()
        await until(lambda: self.naps == naps)


class ByHand:
    """A plan carried out step by step, so that a test can stop in the middle, as a crash would.

    A pause that the plan makes is noted and not kept.
    """

    def __init__(self, client: Any, plan: Plan[Any]) -> None:
        self._executor = bare(client)._executor
        self._plan = plan
        self._answer: Any = None
        self._error: RmqError | None = None
        self.result: Any = None
        """What the plan returned."""
        self.slept: list[float] = []

    async def through(self, name: str) -> bool:
        """Go on until the script, command or kind of step *name* has been carried out. False when
        the plan ended without it."""
        while (done := await self.step()) is not None:
            if done == name:
                return True
        return False

    async def finish(self) -> Any:
        """Go on to the end. Returns what the plan returns."""
        while await self.step() is not None:
            pass
        return self.result

    async def step(self) -> str | None:
        """Carry out one step; its name, or None at the end of the plan."""
        try:
            if self._error is not None:
                step = self._plan.throw(self._error)
            else:
                step = self._plan.send(self._answer)
        except StopIteration as end:
            self.result = end.value
            return None
        self._answer = self._error = None
        if isinstance(step, Sleep):
            self.slept.append(step.seconds)
            return "Sleep"
        try:
            self._answer = self._executor._step(step)
            if inspect.isawaitable(self._answer):
                self._answer = await self._answer
        except RmqError as error:
            self._error = error
        if isinstance(step, Joint):
            step = step.alone
        kind = step.script if isinstance(step, Call) else type(step).__name__
        return kind if isinstance(kind, str) else kind.name
