"""Tails: whoever waits for entries of Redis streams, several at once, by XREAD BLOCK.

A tail has connections of its own while it waits: one, or on a cluster one for each slot, since
no command may name keys of two. What is under way when the caller's time is up goes on, and is the
next call's if that asks for the same; reading takes nothing away, so what nobody waits for any more
is broken off.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import socket
import time
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hiredis import pack_command
from redis import exceptions as trouble
from redis.crc import key_slot

from rmq.core.clock import Stopwatch
from rmq.core.connection import GRACE_S
from rmq.core.executor.base import HELD_SLICE_S
from rmq.core.waiting import end

if TYPE_CHECKING:
    from rmq.core.executor.tasks import AsyncExecutor
    from rmq.core.executor.threads import SyncExecutor

Cursors = Mapping[str, int]
"""By key: the first part of the id from which on entries are wanted."""
Entries = dict[str, list[tuple[bytes, bytes, bytes]]]
"""By key: id, field and value of each entry. Ours have one field."""

CANCEL_S = 0.05
"""How long close() waits before it tells what is under way again to end."""
PAUSE_S = 0.05
"""After trouble; the caller then asks by other means, which are patient."""
MEMORY_SLICE_S = 0.05
"""How often a thread in a blocking read of memory:// looks whether it has to end."""
_TROUBLE = (trouble.RedisError, trouble.RedisClusterException, OSError)


class AsyncTail:
    """For asyncio. One task reads at a time."""

    def __init__(self, executor: AsyncExecutor) -> None:
        self._executor = executor
        self._link = executor._link
        self._clock = executor.clock
        self._under_way: dict[Hashable, tuple[Cursors, asyncio.Task[Any]]] = {}
        self.is_closed = False
        """Nothing is read any more: it was closed, or its client was."""
        self._is_woken = False
        executor.tails.add(self)

    async def read(self, cursors: Cursors, most: int, timeout_ms: int) -> Entries:
        """Up to *most* entries for each key, as soon as there is one. Empty when the time is up,
        and early after trouble."""
        watch = Stopwatch(self._clock)
        while not self.is_closed and (left := timeout_ms - watch.passed_ms()) > 0:
            if self._is_woken:
                self._is_woken = False
                return {}
            self._begin(cursors, most)
            seconds = min(left / 1000, HELD_SLICE_S) if self._clock.held else left / 1000
            tasks = [task for _, task in self._under_way.values()]
            await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            found: Entries = {}
            is_troubled = False
            for group, (_, task) in tuple(self._under_way.items()):
                if task.done():
                    del self._under_way[group]
                    try:
                        found |= entries_of(task.result())
                    except asyncio.CancelledError:  # with the client
                        self.is_closed = is_troubled = True
                    except _TROUBLE:
                        is_troubled = True
            if is_troubled:
                await asyncio.sleep(PAUSE_S)
            if found or is_troubled:
                return found
        return {}

    def wake(self) -> None:
        """End the wait of another task, which then looks by other means; or its next wait, where it
        is between two."""
        self._is_woken = True
        for _, task in self._under_way.values():
            task.cancel()
        self._under_way.clear()

    async def close(self) -> None:
        """Break off what is under way."""
        self.is_closed = True
        tasks = {task for _, task in self._under_way.values()}
        self._under_way.clear()
        await end(tasks, CANCEL_S)

    def _begin(self, cursors: Cursors, most: int) -> None:
        wanted = grouped(cursors, self._link.cluster)
        for group, (asked, task) in tuple(self._under_way.items()):
            if wanted.get(group) != asked:
                task.cancel()
                del self._under_way[group]
        for group, asked in wanted.items():
            if group not in self._under_way:
                task = asyncio.create_task(self._wait(asked, most), name="rmq-tail")
                self._executor._keep(task)
                self._under_way[group] = asked, task

    async def _wait(self, cursors: Cursors, most: int) -> Any:
        seconds = self._link.slice_s
        args = _command(cursors, most, seconds)
        if self._link.pool is None:
            return await self._wait_through_client(args, next(iter(cursors)))
        connection = await self._executor._take()
        try:
            await connection.send_packed_command([pack_command(args)])
            reply = await connection.read_response(timeout=seconds + GRACE_S)
        except BaseException:
            await self._executor._end(connection)
            raise
        await self._executor._give(connection)
        return reply

    async def _wait_through_client(self, args: tuple[Any, ...], key: str) -> Any:
        if not self._link.cluster:
            return await self._link.client.execute_command(*args)
        client = await self._executor.waiter()
        # Named, or redis-py would ask the server where the keys of such a command are.
        node = client.get_node_from_key(key)
        return await client.execute_command(*args, target_nodes=node)


class SyncTail:
    """For threads. One thread reads at a time; another may close it."""

    def __init__(self, executor: SyncExecutor) -> None:
        self._executor = executor
        self._link = executor._link
        self._clock = executor.clock
        self._under_way: dict[Hashable, tuple[Cursors, Any, Any]] = {}
        """By group: what was asked, and on which connection of which pool."""
        self._is_woken = False
        self._since = 0.0
        """By this process's monotonic clock: when something was last asked or answered."""
        self.is_closed = False
        """Nothing is read any more: it was closed, or its client was."""
        executor.tails.add(self)

    def read(self, cursors: Cursors, most: int, timeout_ms: int) -> Entries:
        """Up to *most* entries for each key, as soon as there is one. Empty when the time is up,
        and early after trouble."""
        watch = Stopwatch(self._clock)
        look = self._look_in_memory if self._link.memory else self._look
        try:
            while not self.is_closed and (left := timeout_ms - watch.passed_ms()) > 0:
                if self._is_woken:
                    self._is_woken = False
                    self._break_off()
                    return {}
                seconds = min(left / 1000, HELD_SLICE_S) if self._clock.held else left / 1000
                if found := look(cursors, most, seconds):
                    return found
        except _TROUBLE:
            self._break_off()
            is_woken, self._is_woken = self._is_woken, False
            if not self.is_closed and not is_woken:
                time.sleep(PAUSE_S)
        except Exception:
            # Another thread closed the client, and took the connection from under us.
            if not self.is_closed:
                raise
            self._break_off()
        return {}

    def close(self) -> None:
        """Break off what is under way."""
        self.is_closed = True
        self._break_off()

    def abort(self) -> None:
        """End the wait of another thread for good."""
        self.is_closed = True
        self.wake()

    def wake(self) -> None:
        """End the wait of another thread, which then looks by other means; or its next wait, where
        it is between two."""
        self._is_woken = True
        for _, connection, _ in tuple(self._under_way.values()):
            # Not disconnected, which would take it from under who reads: that one sees the end.
            with contextlib.suppress(OSError, AttributeError):
                connection._sock.shutdown(socket.SHUT_RDWR)

    def _break_off(self) -> None:
        while self._under_way:
            _, (_, connection, pool) = self._under_way.popitem()
            connection.disconnect()
            pool.release(connection)

    def _look(self, cursors: Cursors, most: int, seconds: float) -> Entries:
        self._begin(cursors, most)
        found: Entries = {}
        for group, reply in self._replies(min(seconds, self._link.slice_s)):
            _, connection, pool = self._under_way.pop(group)
            self._executor._end(pool, connection, broken=False)
            found |= entries_of(reply)
            self._since = time.monotonic()
        if time.monotonic() > self._since + self._link.slice_s + GRACE_S:
            raise trouble.TimeoutError("the server does not even say that there is nothing")
        return found

    def _replies(self, seconds: float) -> Iterator[tuple[Hashable, Any]]:
        """What was answered, by group, as soon as something is."""
        if len(self._under_way) == 1:
            # With one look less at the socket, which is where another thread gets its turn.
            ((group, (_, connection, _)),) = self._under_way.items()
            with contextlib.suppress(trouble.TimeoutError):
                yield group, connection.read_response(timeout=seconds, disconnect_on_error=False)
            return
        with selectors.DefaultSelector() as selector:
            for group, (_, connection, _) in self._under_way.items():
                selector.register(connection._sock, selectors.EVENT_READ, group)
            ready = [key.data for key, _ in selector.select(seconds)]
        for group in ready:
            yield group, self._under_way[group][1].read_response()

    def _begin(self, cursors: Cursors, most: int) -> None:
        wanted = grouped(cursors, self._link.cluster)
        for group, (asked, connection, pool) in tuple(self._under_way.items()):
            if wanted.get(group) != asked:
                del self._under_way[group]
                connection.disconnect()
                pool.release(connection)
        for group, asked in wanted.items():
            if group in self._under_way:
                continue
            pool = self._executor._pool_of(next(iter(asked)))
            connection = (
                self._executor._take() if pool is self._link.pool else pool.get_connection()
            )
            self._under_way[group] = asked, connection, pool
            connection.send_packed_command(
                [pack_command(_command(asked, most, self._link.slice_s))]
            )
            self._since = time.monotonic()

    def _look_in_memory(self, cursors: Cursors, most: int, seconds: float) -> Entries:
        args = _command(cursors, most, min(seconds, MEMORY_SLICE_S))
        return entries_of(self._executor._once(list(args)))


def grouped(cursors: Cursors, is_cluster: bool) -> dict[Hashable, Cursors]:
    """Keys in groups that one command may name."""
    if not is_cluster:
        return {None: dict(cursors)}
    groups: dict[Hashable, dict[str, int]] = {}
    for key, start in cursors.items():
        groups.setdefault(key_slot(key.encode()), {})[key] = start
    return dict(groups)


def _command(cursors: Cursors, most: int, seconds: float) -> tuple[Any, ...]:
    # XREAD wants the id before the first one.
    ids = (
        f"{start - 1}-18446744073709551615" if start > 0 else "0-0" for start in cursors.values()
    )
    block = max(int(seconds * 1000), 1)
    return ("XREAD", "COUNT", most, "BLOCK", block, "STREAMS", *cursors, *ids)


def entries_of(reply: Any) -> Entries:
    """What XREAD answered, in any of the forms that redis-py, its protocols and fakeredis have."""
    pairs: Sequence[Any] = tuple(reply.items()) if isinstance(reply, dict) else reply or ()
    return {_text(key): [_entry(one) for one in _flat(entries)] for key, entries in pairs}


def _flat(entries: Any) -> Any:
    """RESP3 through redis-py has the entries in a list more."""
    if entries and not isinstance(entries[0][0], (bytes, str)):
        return entries[0]
    return entries


def _entry(entry: Any) -> tuple[bytes, bytes, bytes]:
    id, fields = entry
    ((field, value),) = fields.items() if isinstance(fields, dict) else (fields,)
    return (id if isinstance(id, bytes) else id.encode()), field, value


def _text(key: bytes | str) -> str:
    return key.decode() if isinstance(key, bytes) else key
