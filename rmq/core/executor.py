"""Executors: they carry out Calls and Plans. One for threads, one for asyncio, alike otherwise.

The first try is bare, because nearly all succeed. Only when it fails is the failure looked at:

    NOSCRIPT             the script is sent whole, which also loads it; the caller sees nothing
    RMQ_..               a refusal of ours, raised as its class
    connection trouble   retried with jitter inside a deadline: scripts are written so that a
                         repeat of one that was carried out does no harm
    the rest             ServerError
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
import time
from collections import deque
from typing import Any, TypeVar

from redis import exceptions as trouble
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_delay,
    wait_random_exponential,
)

from rmq.core.clock import Clock
from rmq.core.connection import GRACE_S, Link
from rmq.core.events import Events, Retried
from rmq.core.script import Block, Call, Plan, Script, Sleep, Step
from rmq.errors import ConfigurationError, ConnectionLost, OutOfMemory, RmqError, ServerError

T = TypeVar("T")

FLOOR_REDIS = (7, 0)
FLOOR_VALKEY = (7, 2)
HELD_SLICE_S = 0.01
"""How often a consumer under a held clock looks whether the clock was moved."""

_TROUBLE = (
    trouble.ConnectionError,
    trouble.TimeoutError,
    trouble.ReadOnlyError,
    trouble.ClusterError,
    trouble.TryAgainError,
    trouble.AskError,
    trouble.RedisClusterException,
    OSError,
)
_TROUBLE_REPLIES = ("UNBLOCKED", "LOADING", "MASTERDOWN", "READONLY", "CLUSTERDOWN", "TRYAGAIN")
_FINAL = (trouble.AuthenticationError, trouble.AuthorizationError)


def _passing(error: BaseException) -> bool:
    """Whether trying again may help."""
    if isinstance(error, _FINAL):
        return False
    if isinstance(error, _TROUBLE):
        return True
    return isinstance(error, trouble.ResponseError) and str(error).startswith(_TROUBLE_REPLIES)


def _translated(error: BaseException, call: Call[Any], deadline_s: float) -> BaseException:
    """The error of ours that stands for one of Redis or of the way to it."""
    text = str(error)
    if isinstance(error, trouble.ResponseError) and text.startswith("RMQ_"):
        return RmqError.from_reply(text, call.subject)
    if isinstance(error, trouble.OutOfMemoryError) or text.startswith("OOM"):
        return OutOfMemory(
            f"{call.subject}: Redis has reached its maxmemory, nothing was stored; receive and "
            "delete still work"
        )
    if isinstance(error, _FINAL):
        return ConfigurationError(f"Redis refused our login: {text}")
    if _passing(error):
        return ConnectionLost(
            f"{call.subject}: no answer from Redis within {deadline_s:g} s "
            f"({type(error).__name__}: {text})"
        )
    if isinstance(error, (trouble.RedisError, trouble.RedisClusterException)):
        return ServerError(f"{call.subject}: Redis answered {text}")
    return error


class _Base:
    """What both executors know and decide without waiting."""

    def __init__(
        self,
        link: Link,
        *,
        clock: Clock,
        events: Events,
        retry_timeout: float = 30.0,
        allow_eviction: bool = False,
    ) -> None:
        self.clock = clock
        self.events = events
        self._link = link
        self._retry_timeout = retry_timeout
        self._allow_eviction = allow_eviction
        self._checked = link.memory

    def _command(self, call: Call[Any]) -> list[Any]:
        script = call.script
        if isinstance(script, str):
            return [script, *call.keys, *call.args]
        sha = _bare(script)[0] if self._link.memory else script.sha
        return ["EVALSHA", sha, *self._tail(call, script)]

    def _whole(self, call: Call[Any]) -> list[Any]:
        script = call.script
        assert isinstance(script, Script)
        source = _bare(script)[1] if self._link.memory else script.source
        return ["EVAL", source, *self._tail(call, script)]

    def _tail(self, call: Call[Any], script: Script) -> list[Any]:
        tail = [len(call.keys), *call.keys, *call.args]
        if script.timed:
            tail.append(self.clock.argument())
        return tail

    def _policy(self, call: Call[Any]) -> dict[str, Any]:
        def tell(state: RetryCallState) -> None:
            if self.events and state.outcome is not None:
                reason = type(state.outcome.exception()).__name__
                attempt = state.attempt_number
                self.events.tell(Retried(queue=call.subject, attempt=attempt, reason=reason))

        return {
            "stop": stop_after_delay(self._retry_timeout),
            "wait": wait_random_exponential(multiplier=0.05, max=2.0),
            "retry": retry_if_exception(_passing),
            "before_sleep": tell,
            "reraise": True,
        }

    def _judge(self, server: dict[str, Any], memory: dict[str, Any]) -> None:
        """Refuse a server that would lose messages or lacks what the scripts need."""
        floor, label = FLOOR_REDIS, "redis_version"
        if "valkey_version" in server:
            floor, label = FLOOR_VALKEY, "valkey_version"
        version = str(server.get(label, "99"))
        if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < floor:
            raise ConfigurationError(
                f"the server is {label.partition('_')[0]} {version}; rmq needs "
                f"{floor[0]}.{floor[1]} or newer"
            )
        policy = str(memory.get("maxmemory_policy", ""))
        if policy.startswith("allkeys-") and not self._allow_eviction:
            raise ConfigurationError(
                f"the server's maxmemory-policy is {policy}: it may drop queued messages when "
                "memory is short. Set it to noeviction, or accept the loss with "
                "RMQ_ALLOW_EVICTION=true"
            )


def _bare(script: Script) -> tuple[str, str]:
    """A script without its first line, which fakeredis does not parse."""
    found = _bare_scripts.get(script.sha)
    if found is None:
        source = script.source.partition("\n")[2]
        found = (hashlib.sha1(source.encode()).hexdigest(), source)
        _bare_scripts[script.sha] = found
    return found


_bare_scripts: dict[str, tuple[str, str]] = {}


class SyncExecutor(_Base):
    """For threads. Every thread that waits for a message holds one connection."""

    def call(self, call: Call[T]) -> T:
        """Carry out one round trip."""
        if not self._checked:
            self._check()
        try:
            reply = self._once(self._command(call))
        except Exception as error:
            reply = self._again(call, error)
        return call.parse(reply)

    def run(self, plan: Plan[T]) -> T:
        """Carry out a plan, step by step, and return what it returns."""
        try:
            step = next(plan)
            while True:
                try:
                    result = self._step(step)
                except RmqError as error:
                    step = plan.throw(error)
                else:
                    step = plan.send(result)
        except StopIteration as end:
            value: T = end.value
            return value

    def start(self, plan: Plan[Any]) -> None:
        """Carry out a plan in the background. Its errors end it silently; it reports by itself."""

        def work() -> None:
            with contextlib.suppress(RmqError):
                self.run(plan)

        threading.Thread(target=work, daemon=True, name="rmq-plan").start()

    def close(self) -> None:
        """Give back what we opened; a client that was handed in stays open."""
        if self._link.owned:
            self._link.client.close()
            if self._link.waiter is not self._link.client:
                self._link.waiter.close()

    def _step(self, step: Step) -> Any:
        if isinstance(step, Call):
            return self.call(step)
        if isinstance(step, Sleep):
            if self.clock.held:
                return self._until_moved(step.seconds)
            return time.sleep(step.seconds)
        return self._block(step)

    def _once(self, args: list[Any]) -> Any:
        pool = self._link.pool
        if pool is None:
            return self._link.client.execute_command(*args)
        connection = pool.get_connection()
        try:
            connection.send_command(*args)
            return connection.read_response()
        finally:
            pool.release(connection)

    def _again(self, call: Call[Any], error: Exception) -> Any:
        args = self._command(call)
        try:
            if isinstance(error, trouble.NoScriptError):
                args = self._whole(call)
                with contextlib.suppress(*_TROUBLE):
                    return self._once(args)
            elif not _passing(error):
                raise error
            self._refresh(error)
            for attempt in Retrying(**self._policy(call)):
                with attempt:
                    try:
                        return self._once(args)
                    except trouble.NoScriptError:
                        args = self._whole(call)
                        return self._once(args)
        except Exception as last:
            raise _translated(last, call, self._retry_timeout) from last
        raise AssertionError("unreachable")

    def _refresh(self, error: Exception) -> None:
        """A replica that was a primary keeps our connections open: leave it."""
        if isinstance(error, trouble.ReadOnlyError) and self._link.pool is not None:
            self._link.pool.disconnect(inuse_connections=False)

    def _check(self) -> None:
        self._checked = True
        try:
            info = _info(self._link.client.execute_command("INFO", "everything"))
        except trouble.NoPermissionError:
            return
        except _TROUBLE:
            self._checked = False
            return
        self._judge(info, info)

    def _until_moved(self, seconds: float) -> None:
        begun, real = self.clock.now_ms(), time.monotonic()
        while self.clock.now_ms() - begun < seconds * 1000 and time.monotonic() - real < seconds:
            time.sleep(HELD_SLICE_S)

    def _block(self, block: Block) -> bool:
        """Wait for a token. Trouble ends the wait early: the plan looks again."""
        end = time.monotonic() + block.timeout_ms / 1000
        begun = self.clock.now_ms()
        while (left := end - time.monotonic()) > 0:
            if self.clock.held:
                if self.clock.now_ms() - begun >= block.timeout_ms:
                    return False
                left = min(left, HELD_SLICE_S)
            try:
                if self._pop(block.key, min(left, self._link.slice_s)) is not None:
                    return True
            except (trouble.RedisError, trouble.RedisClusterException, OSError):
                time.sleep(0.05)
                return False
        return False

    def _pop(self, key: str, seconds: float) -> Any:
        args = ("BLPOP", key, f"{max(seconds, 0.001):.3f}")
        pool = self._link.pool
        if pool is None:
            return self._link.waiter.execute_command(*args)
        connection = pool.get_connection()
        try:
            connection.send_command(*args)
            return connection.read_response(timeout=seconds + GRACE_S)
        finally:
            pool.release(connection)


class _Line:
    """The consumers of this process that wait for one key. One blocking pop serves them all."""

    def __init__(self) -> None:
        self.waiting: deque[asyncio.Future[bool]] = deque()
        self.until = 0.0
        self.task: asyncio.Task[None] | None = None


class AsyncExecutor(_Base):
    """For asyncio. All that wait for one queue share one connection, and one token wakes one."""

    def __init__(self, link: Link, **options: Any) -> None:
        super().__init__(link, **options)
        self._lines: dict[str, _Line] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

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
        pool = self._link.pool
        if pool is None:
            return await self._link.client.execute_command(*args)
        connection = await pool.get_connection()
        try:
            await connection.send_command(*args)
            return await connection.read_response()
        finally:
            await pool.release(connection)

    async def _again(self, call: Call[Any], error: Exception) -> Any:
        args = self._command(call)
        try:
            if isinstance(error, trouble.NoScriptError):
                args = self._whole(call)
                with contextlib.suppress(*_TROUBLE):
                    return await self._once(args)
            elif not _passing(error):
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
            raise _translated(last, call, self._retry_timeout) from last
        raise AssertionError("unreachable")

    async def _refresh(self, error: Exception) -> None:
        """A replica that was a primary keeps our connections open: leave it."""
        if isinstance(error, trouble.ReadOnlyError) and self._link.pool is not None:
            await self._link.pool.disconnect(inuse_connections=False)

    async def _check(self) -> None:
        self._checked = True
        try:
            info = _info(await self._link.client.execute_command("INFO", "everything"))
        except trouble.NoPermissionError:
            return
        except _TROUBLE:
            self._checked = False
            return
        self._judge(info, info)

    async def _until_moved(self, seconds: float) -> None:
        begun, real = self.clock.now_ms(), time.monotonic()
        while self.clock.now_ms() - begun < seconds * 1000 and time.monotonic() - real < seconds:
            await asyncio.sleep(HELD_SLICE_S)  # noqa: ASYNC110 - a clock has no event

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
        args = ("BLPOP", key, f"{max(seconds, 0.001):.3f}")
        pool = self._link.pool
        if pool is None:
            return await self._link.waiter.execute_command(*args)
        connection = await pool.get_connection()
        try:
            await connection.send_command(*args)
            return await connection.read_response(timeout=seconds + GRACE_S)
        finally:
            await pool.release(connection)


def _wake(line: _Line, token: bool) -> bool:
    while line.waiting:
        first = line.waiting.popleft()
        if not first.done():
            first.set_result(token)
            return True
    return False


def _info(reply: Any) -> dict[str, Any]:
    """INFO as a dict. A cluster client answers for several nodes: any one of them will do."""
    if isinstance(reply, dict) and reply and all(isinstance(v, dict) for v in reply.values()):
        reply = next(iter(reply.values()))
    return reply if isinstance(reply, dict) else {}


__all__ = ["AsyncExecutor", "SyncExecutor"]
