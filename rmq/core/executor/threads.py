"""The executor for threads. Every thread that waits for a message holds one connection."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakSet

from hiredis import pack_command
from redis import exceptions as trouble
from tenacity import Retrying

from rmq.core.clock import Stopwatch
from rmq.core.connection import GRACE_S, Link
from rmq.core.executor.base import HELD_SLICE_S, SCAN_STEP, Executor
from rmq.core.executor.tail import SyncTail
from rmq.core.executor.trouble import TROUBLE, passing, silent, translated
from rmq.core.script import Aside, Block, Call, Joint, Offload, Plan, Several, Sleep, Step
from rmq.errors import RmqError

T = TypeVar("T")

ASIDE_S = 1.0
"""How long close() waits for a plan that nobody waits for to end its step."""
WAITS_END_S = 1.0
"""How long end_waits goes on waking threads."""


@dataclass(slots=True, eq=False)
class _Wait:
    """One thread in its Block."""

    key: str
    ended: bool = False


class SyncExecutor(Executor):
    """Carries out Calls and Plans in the calling thread. Safe to share between threads."""

    def __init__(self, link: Link, **options: Any) -> None:
        super().__init__(link, **options)
        self._waits: set[_Wait] = set()
        self._asides: set[threading.Thread] = set()
        self.tails: WeakSet[SyncTail] = WeakSet()
        self._is_closing = False

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

    def lease(self, plan: Plan[T], give_back: Callable[[T], Plan[Any]]) -> T:
        """Carry out a plan that takes something. A thread is not cancelled; nothing comes back."""
        return self.run(plan)

    def start(self, plan: Plan[Any]) -> None:
        """Carry out a plan in the background. Its errors end it silently; it reports by itself."""

        def work() -> None:
            with contextlib.suppress(RmqError):
                self.run(plan)

        threading.Thread(target=work, daemon=True, name="rmq-plan").start()

    def unlink(self, subject: str, match: str, ours: re.Pattern[bytes]) -> int:
        """Remove every key that is *ours*, on every primary, in bounded steps. How many.

        *match* is for SCAN, and may find more. A repeat after trouble begins anew.
        """
        count, scan = 0, Call("SCAN", [], [], int, subject)
        try:
            for attempt in Retrying(**self._policy(scan)):
                with attempt:
                    found: list[bytes] = []
                    for key in self._link.client.scan_iter(match=match, count=SCAN_STEP):
                        if ours.match(key):
                            found.append(key)
                        if len(found) == SCAN_STEP:
                            count += self._unlink(found)
                            found = []
                    count += self._unlink(found)
        except Exception as last:
            raise translated(last, scan, self._retry_timeout) from last
        return count

    def _unlink(self, found: list[bytes]) -> int:
        count = 0
        for keys in self._together(found):
            count += self._link.client.execute_command("UNLINK", *keys)
        return count

    def end_waits(self, ours: re.Pattern[bytes]) -> None:
        """End every wait for a key that is *ours*, and every tail's, so that the plans look again.

        A thread in its blocking pop hears nothing but a token, so it gets one. Somebody else may
        take that, so it gets another, until it is awake; what is then left is removed.
        """
        for tail in self.tails.copy():
            tail.wake()
        ending = {wait for wait in self._waits.copy() if ours.match(wait.key.encode())}
        for wait in ending:
            wait.ended = True
        end = time.monotonic() + WAITS_END_S
        keys = {wait.key for wait in ending}
        with contextlib.suppress(*TROUBLE):
            while (asleep := ending & self._waits.copy()) and time.monotonic() < end:
                for wait in asleep:
                    self._once(["LPUSH", wait.key, "1"])
                time.sleep(HELD_SLICE_S)
            for key in keys:
                self._once(["UNLINK", key])

    def tail(self) -> SyncTail:
        """Something to wait with for entries of Redis streams. Whoever asks for it closes it."""
        return SyncTail(self)

    def listen(self, channel: str, stay: Call[None], every_s: float) -> Iterator[bytes]:
        """What is published on a sharded channel, from now on; *stay* is said anew all the time.

        A lost connection is made again; what was published meanwhile is lost.
        """
        while True:
            listener = self._link.client.pubsub()
            try:
                listener.ssubscribe(channel)
                due = time.monotonic() + every_s
                while True:
                    found = _heard(listener, max(due - time.monotonic(), 0.001))
                    if found is not None and found["type"] == "smessage":
                        yield found["data"]
                    # Only once we are there, whoever publishes is to know of it.
                    elif found is not None and found["type"] == "ssubscribe":
                        due = 0.0
                    if time.monotonic() >= due:
                        self.call(stay)
                        due = time.monotonic() + every_s
            except TROUBLE:
                time.sleep(0.05)
            finally:
                with contextlib.suppress(*TROUBLE):
                    listener.close()

    def close(self) -> None:
        """Give back what we opened; a client that was handed in stays open."""
        self._is_closing = True
        for tail in self.tails.copy():
            tail.abort()
        for thread in self._asides.copy():
            thread.join(ASIDE_S)
        with contextlib.suppress(*TROUBLE):
            while self._begun:
                self._give(self._take())
        while self._idle:
            self._link.pool.release(self._idle.pop())
        if self._link.owned:
            self._link.client.close()
            if self._link.waiter is not self._link.client:
                self._link.waiter.close()

    def _step(self, step: Step) -> Any:
        if isinstance(step, Call):
            return self.call(step)
        if isinstance(step, Joint):
            return self.call(step.alone)
        if isinstance(step, Sleep):
            if self.clock.held:
                return self._until_moved(step.seconds)
            return time.sleep(step.seconds)
        if isinstance(step, Several):
            return self._several(step.calls)
        if isinstance(step, Aside):
            return self._aside(step.work)
        if isinstance(step, Offload):
            return step.work()
        self._block(step)
        return None

    def _once(self, args: list[Any]) -> Any:
        if self._link.pool is None:
            return self._link.client.execute_command(*args)
        connection = self._take()
        try:
            connection.send_packed_command([pack_command(tuple(args))])
            reply = connection.read_response()
        except trouble.ResponseError:
            self._give(connection)
            raise
        except BaseException:
            self._discard(connection)
            raise
        self._give(connection)
        return reply

    def _several(self, calls: Sequence[Call[Any]]) -> list[Any]:
        """The result or the RmqError of each call."""
        if not self._checked:
            self._check()
        replies = self._all(calls)
        return [
            self._second(call, reply) if isinstance(reply, Exception) else call.parse(reply)
            for call, reply in zip(calls, replies, strict=True)
        ]

    def _all(self, calls: Sequence[Call[Any]]) -> list[Any]:
        """The reply or the exception of each call, from one write for each node."""
        pools: dict[Any, list[int]] = {}
        replies: list[Any] = [None] * len(calls)
        for place, call in enumerate(calls):
            try:
                pools.setdefault(self._pool_of(call.keys[0]), []).append(place)
            except TROUBLE as error:
                replies[place] = error
        asked: list[tuple[Any, Any, list[int]]] = []
        for pool, places in pools.items():
            connection = None
            try:
                connection = self._take() if pool is self._link.pool else pool.get_connection()
                connection.send_packed_command(
                    [pack_command(tuple(self._command(calls[place]))) for place in places]
                )
                asked.append((pool, connection, places))
            except TROUBLE as error:
                for place in places:
                    replies[place] = error
                if connection is not None:
                    self._end(pool, connection, broken=True)
        for pool, connection, places in asked:
            broken: Exception | None = None
            for place in places:
                try:
                    replies[place] = broken or connection.read_response()
                except trouble.ResponseError as error:
                    replies[place] = error
                except TROUBLE as error:
                    replies[place] = broken = error
            self._end(pool, connection, broken=broken is not None)
        return replies

    def _pool_of(self, key: str) -> Any:
        """The pool of the node that has a key."""
        if self._link.pool is not None:
            return self._link.pool
        client = self._link.client
        connected = getattr(client, "_connected", lambda: client)()
        if not self._link.cluster:
            return connected.connection_pool
        node = connected.get_node_from_key(key)
        return connected.get_redis_connection(node).connection_pool

    def _end(self, pool: Any, connection: Any, *, broken: bool) -> None:
        if pool is not self._link.pool:
            if broken:
                connection.disconnect()
            pool.release(connection)
        elif broken:
            self._discard(connection)
        else:
            self._give(connection)

    def _aside(self, work: Call[Any] | Plan[Any]) -> None:
        if isinstance(work, Call):
            return self._begin(work)
        thread = threading.Thread(target=self._beside, args=(work,), daemon=True, name="rmq-aside")
        self._asides.add(thread)
        thread.start()

    def _begin(self, call: Call[Any]) -> None:
        """Send what nobody waits for. Whoever uses the connection next reads the answer first."""
        if self._link.pool is None or not self._link.owned:
            with contextlib.suppress(RmqError):
                self.call(call)
            return
        with contextlib.suppress(*TROUBLE):
            connection = self._take()
            try:
                connection.send_packed_command([pack_command(tuple(self._command(call)))])
            except BaseException:
                self._discard(connection)
                raise
            self._begun.append((connection, call))

    def _answered(self, connection: Any, call: Call[Any]) -> bool:
        """Read the answer to what was begun. Whether the connection can be used."""
        try:
            connection.read_response()
        except trouble.NoScriptError as error:
            self._give(connection)
            self._second(call, error)
            return False
        except trouble.ResponseError:
            pass
        except BaseException as error:
            self._discard(connection)
            if not isinstance(error, TROUBLE):
                raise
            return False
        return True

    def _beside(self, plan: Plan[Any]) -> None:
        """Carry out a plan that ends when we are closed, between two of its steps."""
        try:
            step = next(plan)
            while not self._is_closing:
                try:
                    result = self._step(step)
                except RmqError as error:
                    step = plan.throw(error)
                else:
                    step = plan.send(result)
        except (StopIteration, RmqError):
            pass
        finally:
            self._asides.discard(threading.current_thread())

    def _second(self, call: Call[Any], error: Exception) -> Any:
        """One more try of a call that failed, where that may help. Its result or its RmqError."""
        try:
            if isinstance(error, trouble.NoScriptError):
                return call.parse(self._once(self._whole(call)))
            moved = isinstance(error, trouble.MovedError)
            if silent(error) or not (passing(error) or moved):
                raise error
            return call.parse(self._once(self._command(call)))
        except Exception as last:
            return self._as_ours(last, call)

    def _take(self) -> Any:
        """A connection for one command. Ours are kept at hand; the pool of a client that was
        handed in is asked each time."""
        while self._begun:
            # First, so that what one thread does after something that it began sees it done.
            with contextlib.suppress(IndexError):
                connection, call = self._begun.pop()
                if self._answered(connection, call):
                    return connection
        try:
            return self._idle.pop()
        except IndexError:
            return self._link.pool.get_connection()

    def _give(self, connection: Any) -> None:
        if self._link.owned:
            self._idle.append(connection)
        else:
            self._link.pool.release(connection)

    def _discard(self, connection: Any) -> None:
        """After trouble on one connection, those at hand are not trusted either."""
        troubled = [connection]
        with contextlib.suppress(IndexError):
            while True:
                troubled.append(self._begun.pop()[0])
        with contextlib.suppress(IndexError):
            while True:
                troubled.append(self._idle.pop())
        for one in troubled:
            one.disconnect()
            self._link.pool.release(one)

    def _again(self, call: Call[Any], error: Exception) -> Any:
        args = self._command(call)
        try:
            if isinstance(error, trouble.NoScriptError):
                args = self._whole(call)
                with contextlib.suppress(*TROUBLE):
                    return self._once(args)
            elif not passing(error):
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
            if call.repeated and passing(error) and str(last).startswith(call.repeated):
                return None
            raise translated(last, call, self._retry_timeout) from last
        raise AssertionError("unreachable")

    def _refresh(self, error: Exception) -> None:
        """A replica that was a primary keeps our connections open: leave it."""
        if isinstance(error, trouble.ReadOnlyError) and self._link.pool is not None:
            self._discard(self._take())
            self._link.pool.disconnect(inuse_connections=False)

    def _check(self) -> None:
        """Look at the server before the first call. One that can not be asked is trusted."""
        try:
            self._judge(self._link.client.execute_command("INFO", "everything"))
        except TROUBLE:
            return
        except trouble.NoPermissionError:
            pass
        self._checked = True

    def _until_moved(self, seconds: float) -> None:
        watch = Stopwatch(self.clock)
        while watch.passed_ms() < seconds * 1000:
            time.sleep(HELD_SLICE_S)

    def _block(self, block: Block) -> None:
        """Wait for a token. Trouble ends the wait early: the plan looks again."""
        watch = Stopwatch(self.clock)
        most = HELD_SLICE_S if self.clock.held else self._link.slice_s
        wait = _Wait(block.key)
        self._waits.add(wait)
        try:
            while (left := block.timeout_ms - watch.passed_ms()) > 0 and not wait.ended:
                if self._pop(block.key, min(left / 1000, most)) is not None:
                    return
        except (trouble.RedisError, trouble.RedisClusterException, OSError):
            time.sleep(0.05)
        finally:
            self._waits.discard(wait)

    def _pop(self, key: str, seconds: float) -> Any:
        args: tuple[Any, ...] = ("BLPOP", key, f"{max(seconds, 0.001):.3f}")
        if self._link.pool is None:
            return self._link.waiter.execute_command(*args)
        connection = self._take()
        try:
            connection.send_packed_command([pack_command(args)])
            popped = connection.read_response(timeout=seconds + GRACE_S)
        except BaseException:
            self._discard(connection)
            raise
        self._give(connection)
        return popped


def _heard(listener: Any, seconds: float) -> Any:
    """The next message of a listener, or None when none came."""
    if hasattr(listener, "get_sharded_message"):
        return listener.get_sharded_message(timeout=seconds)
    return listener.get_message(timeout=seconds)
