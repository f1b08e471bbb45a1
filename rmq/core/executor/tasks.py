"""The executor for asyncio. All tasks that wait for one queue share one connection, and one token
wakes one of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar
from weakref import WeakSet

from hiredis import pack_command
from redis import exceptions as trouble
from tenacity import AsyncRetrying

from rmq.core.clock import Stopwatch
from rmq.core.connection import GRACE_S, Link
from rmq.core.executor.base import HELD_SLICE_S, SCAN_STEP, Executor
from rmq.core.executor.gathering import Gathering
from rmq.core.executor.lease import Lease
from rmq.core.executor.standing import Standing
from rmq.core.executor.tail import AsyncTail
from rmq.core.executor.trouble import TROUBLE, passing, silent, translated
from rmq.core.script import Aside, Block, Call, Joint, Offload, Plan, Several, Sleep, Step
from rmq.core.waiting import end, settled
from rmq.errors import RmqError

T = TypeVar("T")

CANCEL_S = 0.2
"""How long close() waits before it tells a background task again to end."""
RETURN_S = 1.0
"""How long is waited for what is being given back. A server that answers takes far less."""


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
        self.returning: set[asyncio.Task[Any]] = set()
        """Leases that nobody waits for any more, on their way back."""
        self.gathering = Gathering(self.call)
        self.standing = Standing(self)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_waiter_ready = False
        self.tails: WeakSet[AsyncTail] = WeakSet()

    async def call(self, call: Call[T]) -> T:
        """Carry out one round trip."""
        if not self._checked:
            await self._check()
        try:
            reply = await self._once(self._command(call))
        except Exception as error:
            reply = await self._again(call, error)
        return call.parse(reply)

    async def run(
        self, plan: Plan[T], carry_out: Callable[[Step], Awaitable[Any]] | None = None
    ) -> T:
        """Carry out a plan, step by step, and return what it returns. *carry_out* is for a single
        step, our own unless given."""
        carry_out = carry_out or self._step
        try:
            step = next(plan)
            while True:
                try:
                    result = await carry_out(step)
                except RmqError as error:
                    step = plan.throw(error)
                else:
                    step = plan.send(result)
        except StopIteration as end:
            value: T = end.value
            return value

    async def lease(self, plan: Plan[T], give_back: Callable[[T], Plan[Any]]) -> T:
        """Carry out a plan that takes something. If the caller is cancelled meanwhile, what the
        plan still takes is given back, by the plan that *give_back* makes."""
        return await Lease(self, plan, give_back).result()

    def start(self, plan: Plan[Any]) -> None:
        """Carry out a plan in the background. Its errors end it silently; it reports by itself."""

        async def work() -> None:
            with contextlib.suppress(RmqError):
                await self.run(plan)

        self._keep(asyncio.create_task(work(), name="rmq-plan"))

    async def unlink(self, subject: str, match: str, ours: re.Pattern[bytes]) -> int:
        """Remove every key that is *ours*, on every primary, in bounded steps. How many.

        *match* is for SCAN, and may find more. A repeat after trouble begins anew.
        """
        count, scan = 0, Call("SCAN", [], [], int, subject)
        try:
            async for attempt in AsyncRetrying(**self._policy(scan)):
                with attempt:
                    found: list[bytes] = []
                    async for key in self._link.client.scan_iter(match=match, count=SCAN_STEP):
                        if ours.match(key):
                            found.append(key)
                        if len(found) == SCAN_STEP:
                            count += await self._unlink(found)
                            found = []
                    count += await self._unlink(found)
        except Exception as last:
            raise translated(last, scan, self._retry_timeout) from last
        return count

    async def _unlink(self, found: list[bytes]) -> int:
        count = 0
        for keys in self._together(found):
            count += await self._link.client.execute_command("UNLINK", *keys)
        return count

    async def end_waits(self, ours: re.Pattern[bytes]) -> None:
        """End every wait for a key that is *ours*, and every tail's: who waited looks again."""
        for tail in self.tails:
            tail.wake()
        self.standing.end_waits(ours)
        for key, line in tuple(self._lines.items()):
            if ours.match(key.encode()):
                while _wake(line, False):
                    pass

    async def end_watches(self) -> None:
        """End the watches of lines in which nobody stands any more. Each gives back a token that it
        may have popped, so who is about to remove every key ends them first."""
        idle = [one.task for one in self._lines.values() if one.task and not one.waiting]
        for task in idle:
            task.cancel()
        if idle:
            await asyncio.wait(idle)

    def tail(self) -> AsyncTail:
        """Something to wait with for entries of Redis streams. Whoever asks for it closes it."""
        return AsyncTail(self)

    async def listen(self, channel: str, stay: Call[None], every_s: float) -> AsyncIterator[bytes]:
        """What is published on a sharded channel, from now on; *stay* is said anew all the time.

        A lost connection is made again; what was published meanwhile is lost.
        """
        while True:
            listener = self._link.client.pubsub()
            try:
                await listener.ssubscribe(channel)
                due = time.monotonic() + every_s
                while True:
                    found = await _heard(listener, max(due - time.monotonic(), 0.001))
                    if found is not None and found["type"] == "smessage":
                        yield found["data"]
                    # Only once we are there, whoever publishes is to know of it.
                    elif found is not None and found["type"] == "ssubscribe":
                        due = 0.0
                    if time.monotonic() >= due:
                        await self.call(stay)
                        due = time.monotonic() + every_s
            except TROUBLE:
                await asyncio.sleep(0.05)
            finally:
                with contextlib.suppress(*TROUBLE):
                    await listener.aclose()

    async def returned(self) -> None:
        """Wait for what is being given back."""
        await settled(self.returning, RETURN_S)

    def give_back(
        self,
        work: Coroutine[Any, Any, Any],
        name: str,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> asyncio.Task[Any]:
        """Do something to its end, whoever is gone meanwhile; a client that is closed waits for
        it. *loop*: default the one that runs."""
        task = (loop or asyncio.get_running_loop()).create_task(work, name=name)
        self.returning.add(task)
        task.add_done_callback(self.returning.discard)
        return task

    async def close(self) -> None:
        """Give back what we opened; a client that was handed in stays open."""
        for tail in self.tails:
            tail.is_closed = True
        await self.standing.close()
        await self.returned()
        while self._tasks:
            await end(self._tasks, CANCEL_S)
        # Watches give back their tokens as they end. What still is under way after that would find
        # the connections closed, and open one that nobody closes.
        await self.returned()
        await end(self.returning, CANCEL_S)
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
        if isinstance(step, Joint):
            return await self.gathering.start(step).outcome
        if isinstance(step, Sleep):
            if self.clock.held:
                return await self._until_moved(step.seconds)
            return await asyncio.sleep(step.seconds)
        if isinstance(step, Several):
            return await self._several(step.calls)
        if isinstance(step, Aside):
            return self._aside(step.work)
        if isinstance(step, Offload):
            return await asyncio.to_thread(step.work)
        await self._block(step)
        return None

    async def _once(self, args: list[Any]) -> Any:
        if self._link.pool is None:
            return await self._link.client.execute_command(*args)
        connection = await self._take()
        try:
            async with asyncio.timeout(self._link.answer_s):
                await connection.send_packed_command([pack_command(tuple(args))])
                reply = await connection.read_response()
        except trouble.ResponseError:
            await self._give(connection)
            raise
        except TimeoutError:
            await self._discard(connection)
            raise trouble.TimeoutError(f"no answer within {self._link.answer_s:g} s") from None
        except BaseException:
            await self._discard(connection)
            raise
        await self._give(connection)
        return reply

    async def _several(self, calls: Sequence[Call[Any]]) -> list[Any]:
        """The result or the RmqError of each call."""
        if not self._checked:
            await self._check()
        replies = await self._all([self._command(call) for call in calls])
        results = [
            reply if isinstance(reply, Exception) else call.parse(reply)
            for call, reply in zip(calls, replies, strict=True)
        ]
        failed = [place for place, one in enumerate(results) if isinstance(one, Exception)]
        if failed:
            again = (self._second(calls[place], results[place]) for place in failed)
            for place, result in zip(failed, await asyncio.gather(*again), strict=True):
                results[place] = result
        return results

    async def _all(self, commands: Sequence[list[Any]]) -> list[Any]:
        """The reply or the exception of each command, from one write where they go to one node."""
        if self._link.pool is None:
            ones = (self._within(one) for one in commands)
            return await asyncio.gather(*ones, return_exceptions=True)
        replies: list[Any] = []
        connection = await self._take_or_fail(replies, len(commands))
        if connection is None:
            return replies
        try:
            async with asyncio.timeout(self._link.answer_s):
                await connection.send_packed_command([pack_command(tuple(one)) for one in commands])
                while len(replies) < len(commands):
                    try:
                        replies.append(await connection.read_response())
                    except trouble.ResponseError as error:
                        replies.append(error)
        except TROUBLE as error:
            await self._discard(connection)
            replies += [error] * (len(commands) - len(replies))
        except BaseException:
            await self._discard(connection)
            raise
        else:
            await self._give(connection)
        return replies

    async def _within(self, command: list[Any]) -> Any:
        """One command on a cluster, whose client tries again by itself, for a minute where a node
        is silent."""
        return await asyncio.wait_for(self._once(command), self._link.try_s)

    async def _take_or_fail(self, replies: list[Any], count: int) -> Any:
        """A connection, or None and its trouble as each of so many replies."""
        try:
            return await self._take()
        except TROUBLE as error:
            replies += [error] * count
            return None

    async def _second(self, call: Call[Any], error: Exception) -> Any:
        """One more try of a call that failed, where that may help. Its result or its RmqError."""
        try:
            if isinstance(error, trouble.NoScriptError):
                return call.parse(await self._once(self._whole(call)))
            if silent(error) or not passing(error):
                raise error
            return call.parse(await self._once(self._command(call)))
        except Exception as last:
            return self._as_ours(last, call)

    def _aside(self, call: Call[Any] | Plan[Any]) -> None:
        if not isinstance(call, Call):
            return self.start(call)

        async def work() -> None:
            with contextlib.suppress(RmqError):
                await self.call(call)

        self.give_back(work(), "rmq-aside")
        return None

    async def waiter(self) -> Any:
        """The cluster's client for blocking commands, connected. To connect is not broken off in
        the middle: redis-py would leave the sockets open."""
        if not self._is_waiter_ready:
            connecting = self._link.waiter.initialize()
            await asyncio.shield(self.give_back(connecting, "rmq-connect"))
            self._is_waiter_ready = True
        return self._link.waiter

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
            connection = await self._link.pool.get_connection()
        if self._link.answer_s is not None:
            # redis-py would make a task of every write to bound it, before Python 3.12.
            connection.socket_timeout = None
        return connection

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
            await self._end(one)

    async def _end(self, connection: Any) -> None:
        await connection.disconnect(nowait=True)
        if self._link.answer_s is not None:
            connection.socket_timeout = self._link.answer_s  # for what it says when it connects
        await self._link.pool.release(connection)

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
        watch = Stopwatch(self.clock)
        while True:
            if watch.passed_ms() >= seconds * 1000:
                return
            await asyncio.sleep(HELD_SLICE_S)

    async def _block(self, block: Block) -> None:
        """Wait for a token. Trouble ends the wait early: the plan looks again."""
        watch = Stopwatch(self.clock)
        line = self._lines.setdefault(block.key, _Line())
        line.until = max(line.until, time.monotonic() + block.timeout_ms / 1000)
        token: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        line.waiting.append(token)
        if line.task is None:
            line.task = asyncio.create_task(self._watch(block.key, line), name="rmq-wait")
            self._keep(line.task)
        try:
            while (left := block.timeout_ms - watch.passed_ms()) > 0 and not token.done():
                seconds = min(left / 1000, HELD_SLICE_S) if self.clock.held else left / 1000
                await asyncio.wait((token,), timeout=seconds)
        except asyncio.CancelledError:
            if token.done() and not token.cancelled():
                self.give_back(self._hand_on(block.key, line), "rmq-token")
            raise
        finally:
            token.cancel()
            with contextlib.suppress(ValueError):
                line.waiting.remove(token)
            # Its watch may have ended a moment before the last of us.
            if line.task is None and not line.waiting and self._lines.get(block.key) is line:
                del self._lines[block.key]

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
            await asyncio.shield(self.give_back(self._push(key), "rmq-token"))
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
            await self._push(key)

    async def _push(self, key: str) -> None:
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


async def _heard(listener: Any, seconds: float) -> Any:
    """The next message of a listener, or None when none came."""
    if hasattr(listener, "get_sharded_message"):
        return await listener.get_sharded_message(timeout=seconds)
    return await listener.get_message(timeout=seconds)


def _wake(line: _Line, token: bool) -> bool:
    while line.waiting:
        first = line.waiting.popleft()
        if not first.done():
            first.set_result(token)
            return True
    return False
