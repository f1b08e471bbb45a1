"""The executor for asyncio. All tasks that wait for one queue share one connection, and one token
wakes one of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import Any, TypeVar

from hiredis import pack_command
from redis import exceptions as trouble
from tenacity import AsyncRetrying

from rmq.core.connection import GRACE_S, Link
from rmq.core.executor.base import HELD_SLICE_S, Executor
from rmq.core.executor.trouble import TROUBLE, passing, translated
from rmq.core.script import Block, Call, Plan, Sleep, Step
from rmq.errors import RmqError

T = TypeVar("T")


class _Line:
    """The consumers of this process that wait for one key. One blocking pop serves them all."""

    def __init__(self) -> None:
        self.waiting: deque[asyncio.Future[bool]] = deque()
        self.until = 0.0
        self.task: asyncio.Task[None] | None = None


class AsyncExecutor(Executor):
    """Carries out Calls and Plans in the running event loop."""

    def __init__(self, link: Link, **options: Any) -> None:
        super().__init__(link, **options)
        self._lines: dict[str, _Line] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def call(self, call: Call[T]) -> T:
        """Carry out one round trip."""
        if not self._checked:
            await self._check()
        try:
            reply = await self._once(self._command(call))
        except Exception as error:
            reply = await self._again(call, error)
        return call.parse(reply)

    async def run(self, plan: Plan[T]) -> T:
        """Carry out a plan, step by step, and return what it returns."""
        try:
            step = next(plan)
            while True:
                try:
                    result = await self._step(step)
                except RmqError as error:
                    step = plan.throw(error)
                else:
                    step = plan.send(result)
        except StopIteration as end:
            value: T = end.value
            return value

    def start(self, plan: Plan[Any]) -> None:
        """Carry out a plan in the background. Its errors end it silently; it reports by itself."""

        async def work() -> None:
            with contextlib.suppress(RmqError):
                await self.run(plan)

        self._keep(asyncio.create_task(work(), name="rmq-plan"))

    async def close(self) -> None:
        """Give back what we opened; a client that was handed in stays open."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        while self._idle:
            await self._link.pool.release(self._idle.pop())
        if self._link.owned:
            await self._link.client.aclose()
            if self._link.waiter is not self._link.client:
                await self._link.waiter.aclose()

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _step(self, step: Step) -> Any:
        if isinstance(step, Call):
            return await self.call(step)
        if isinstance(step, Sleep):
            if self.clock.held:
                return await self._until_moved(step.seconds)
            return await asyncio.sleep(step.seconds)
        return await self._block(step)

    async def _once(self, args: list[Any]) -> Any:
        if self._link.pool is None:
            return await self._link.client.execute_command(*args)
        connection = await self._take()
        try:
            await connection.send_packed_command([pack_command(tuple(args))])
            reply = await connection.read_response()
        except trouble.ResponseError:
            await self._give(connection)
            raise
        except BaseException:
            await self._discard(connection)
            raise
        await self._give(connection)
        return reply

    async def _take(self) -> Any:
        """A connection for one command. Ours are kept at hand; the pool of a client that was
        handed in is asked each time."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # Connections belong to the loop they were made in; that of a run before is gone.
            if self._loop is not None and self._link.owned:
                self._idle = []
                self._link.pool.reset()
            self._loop = loop
        try:
            return self._idle.pop()
        except IndexError:
            return await self._link.pool.get_connection()

    async def _give(self, connection: Any) -> None:
        if self._link.owned:
            self._idle.append(connection)
        else:
            await self._link.pool.release(connection)

    async def _discard(self, connection: Any) -> None:
        """After trouble on one connection, those at hand are not trusted either."""
        troubled = (connection, *self._idle)
        self._idle.clear()
        for one in troubled:
            await one.disconnect(nowait=True)
            await self._link.pool.release(one)

    async def _again(self, call: Call[Any], error: Exception) -> Any:
        args = self._command(call)
        try:
            if isinstance(error, trouble.NoScriptError):
                args = self._whole(call)
                with contextlib.suppress(*TROUBLE):
                    return await self._once(args)
            elif not passing(error):
                raise error
            await self._refresh(error)
            async for attempt in AsyncRetrying(**self._policy(call)):
                with attempt:
                    try:
                        return await self._once(args)
                    except trouble.NoScriptError:
                        args = self._whole(call)
                        return await self._once(args)
        except Exception as last:
            if call.repeated and passing(error) and str(last).startswith(call.repeated):
                return None
            raise translated(last, call, self._retry_timeout) from last
        raise AssertionError("unreachable")

    async def _refresh(self, error: Exception) -> None:
        """A replica that was a primary keeps our connections open: leave it."""
        if isinstance(error, trouble.ReadOnlyError) and self._link.pool is not None:
            await self._discard(await self._take())
            await self._link.pool.disconnect(inuse_connections=False)

    async def _check(self) -> None:
        """Look at the server before the first call. One that can not be asked is trusted."""
        try:
            self._judge(await self._link.client.execute_command("INFO", "everything"))
        except TROUBLE:
            return
        except trouble.NoPermissionError:
            pass
        self._checked = True

    async def _until_moved(self, seconds: float) -> None:
        begun, real = self.clock.now_ms(), time.monotonic()
        while self.clock.now_ms() - begun < seconds * 1000:
            if time.monotonic() - real >= seconds:
                return
            await asyncio.sleep(HELD_SLICE_S)

    async def _block(self, block: Block) -> bool:
        """Wait for a token. Trouble ends the wait early: the plan looks again."""
        end = time.monotonic() + block.timeout_ms / 1000
        begun = self.clock.now_ms()
        line = self._lines.setdefault(block.key, _Line())
        line.until = max(line.until, end)
        token: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        line.waiting.append(token)
        if line.task is None:
            line.task = asyncio.create_task(self._watch(block.key, line), name="rmq-wait")
            self._keep(line.task)
        try:
            while (left := end - time.monotonic()) > 0 and not token.done():
                if self.clock.held:
                    if self.clock.now_ms() - begun >= block.timeout_ms:
                        break
                    left = min(left, HELD_SLICE_S)
                await asyncio.wait((token,), timeout=left)
            if not token.done():
                return False
            return token.result()
        except asyncio.CancelledError:
            if token.done() and not token.cancelled():
                self._keep(asyncio.create_task(self._hand_on(block.key, line)))
            raise
        finally:
            token.cancel()
            with contextlib.suppress(ValueError):
                line.waiting.remove(token)

    async def _watch(self, key: str, line: _Line) -> None:
        """Pop tokens for one line while anybody stands in it."""
        try:
            while line.waiting and (left := line.until - time.monotonic()) > 0:
                try:
                    popped = await self._pop(key, min(left, self._link.slice_s))
                except (trouble.RedisError, trouble.RedisClusterException, OSError):
                    await asyncio.sleep(0.05)
                    while line.waiting:
                        _wake(line, False)
                    return
                if popped is not None:
                    await self._hand_on(key, line)
        except asyncio.CancelledError:
            # The pop may have taken a token with it. One too many does no harm.
            with contextlib.suppress(trouble.RedisError, OSError):
                await asyncio.shield(self._once(["LPUSH", key, "1"]))
            raise
        finally:
            line.task = None
            if not line.waiting:
                self._lines.pop(key, None)
            elif line.until > time.monotonic() and not asyncio.current_task().cancelling():  # type: ignore[union-attr]
                line.task = asyncio.create_task(self._watch(key, line), name="rmq-wait")
                self._keep(line.task)

    async def _hand_on(self, key: str, line: _Line) -> None:
        """Give a token to the first that waits, or back to Redis for another process."""
        if not _wake(line, True):
            with contextlib.suppress(trouble.RedisError, OSError):
                await self._once(["LPUSH", key, "1"])

    async def _pop(self, key: str, seconds: float) -> Any:
        args: tuple[Any, ...] = ("BLPOP", key, f"{max(seconds, 0.001):.3f}")
        if self._link.pool is None:
            return await self._link.waiter.execute_command(*args)
        connection = await self._take()
        try:
            await connection.send_packed_command([pack_command(args)])
            popped = await connection.read_response(timeout=seconds + GRACE_S)
        except BaseException:
            await self._discard(connection)
            raise
        await self._give(connection)
        return popped


def _wake(line: _Line, token: bool) -> bool:
    while line.waiting:
        first = line.waiting.popleft()
        if not first.done():
            first.set_result(token)
            return True
    return False
