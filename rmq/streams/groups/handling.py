"""Handling: calls the handler, again where it fails, and finds the record that it fails on.

call ── fails ──> call again, after a pause ── up to `attempts` times
                    │ one record: it has failed
                    └ several: each half by itself, so that one record spoils no batch
a record that failed ──> dead-letter queue, else skipped, else RecordFailed
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rmq.core.events import Events, SetAside
from rmq.errors import RecordFailed, ServerError
from rmq.streams.groups.lease import Lease, ThreadLease
from rmq.streams.groups.options import ConsumerOptions, DeadLetter, DeadLetters, checked_handler
from rmq.streams.record import StreamRecord

log = logging.getLogger("rmq.streams")

Pause = Callable[[float], Awaitable[None]]
"""Waits so many seconds. It raises something of its own to end the handling there."""


class Handling:
    """A handler, and what to do when it fails."""

    def __init__(
        self,
        handler: Callable[..., Any],
        options: ConsumerOptions,
        *,
        stream: str,
        group: str,
        events: Events,
        dead_letters: DeadLetters | None,
    ) -> None:
        """Raises InvalidParameter for what is no handler."""
        self._wants_lease = checked_handler(handler, options)
        self._handler = handler
        self._options = options
        self._stream, self._group = stream, group
        self._events = events
        self._dead_letters = dead_letters
        # Of an object that can be called, what its class says.
        self._is_async = inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
            type(handler).__call__
        )
        self._threads: ThreadPoolExecutor | None = None

    async def handle(self, records: Sequence[StreamRecord], lease: Lease, pause: Pause) -> None:
        """Have records handled, whatever it takes. Raises RecordFailed."""
        attempts = self._options.attempts
        error = await self._try(records, lease, pause, attempts)
        if error is not None:
            await self._failed(records, lease, pause, attempts, error)

    def close(self) -> None:
        """Whatever is called then has ended."""
        if self._threads is not None:
            self._threads.shutdown(wait=False)
            self._threads = None

    async def _try(
        self, records: Sequence[StreamRecord], lease: Lease, pause: Pause, attempts: int
    ) -> Exception | None:
        """What the last call raised, when all failed."""
        for attempt in range(1, attempts + 1):
            try:
                await self._call(records, lease)
            except asyncio.CancelledError as error:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                # The handler's own: something that it awaited was cancelled.
                failure: Exception = RuntimeError("what the handler waited for was cancelled")
                failure.__cause__ = error
            except Exception as error:
                failure = error
            else:
                return None
            log.info(
                "%s/%s %s: attempt %d of %d on %d records failed: %r",
                self._stream,
                self._group,
                lease.shard_id,
                attempt,
                attempts,
                len(records),
                failure,
            )
            if attempt < attempts:
                await pause(self._options.pause_s(attempt))
        return failure

    async def _call(self, records: Sequence[StreamRecord], lease: Lease) -> None:
        given = records[0] if self._options.batch_size is None else list(records)
        if self._is_async:
            await (self._handler(given, lease) if self._wants_lease else self._handler(given))
            return
        loop = asyncio.get_running_loop()
        args = (given, ThreadLease(lease, loop)) if self._wants_lease else (given,)
        if self._threads is None:
            # Not the loop's own: a handler that hangs would hold up all else that runs there.
            self._threads = ThreadPoolExecutor(64, thread_name_prefix="rmq-consumer")
        context = contextvars.copy_context()
        under_way = loop.run_in_executor(self._threads, context.run, self._handler, *args)
        try:
            result = await asyncio.shield(under_way)
        except asyncio.CancelledError:
            # A thread can not be ended; until it is through, its keys are nobody else's here.
            while not under_way.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait({under_way})
            under_way.exception()
            raise
        if inspect.isawaitable(result):
            await result

    # --- failed ---

    async def _failed(
        self,
        records: Sequence[StreamRecord],
        lease: Lease,
        pause: Pause,
        attempts: int,
        error: Exception,
    ) -> None:
        if len(records) == 1:
            return await self._set_aside(records[0], lease, pause, attempts, error)
        middle = len(records) // 2
        for half in (records[:middle], records[middle:]):
            again = await self._try(half, lease, pause, 1)
            if again is not None:
                await self._failed(half, lease, pause, attempts + 1, again)

    async def _set_aside(
        self,
        record: StreamRecord,
        lease: Lease,
        pause: Pause,
        attempts: int,
        error: Exception,
    ) -> None:
        where = f"{self._stream}/{self._group} {lease.shard_id} {record.sequence_number}"
        if self._dead_letters is None and self._options.on_failure == "stop":
            raise self._stop(record, attempts, error) from error
        outcome = "skipped"
        if self._dead_letters is not None:
            outcome = "dead letter"
            letter = DeadLetter(self._stream, self._group, record, attempts, error)
            await self._send(letter, pause)
        log.error("%s: %s after %d attempts: %r", where, outcome, attempts, error)
        if self._events:
            self._events.tell(
                SetAside(
                    queue=self._stream,
                    group=self._group,
                    shard_id=lease.shard_id,
                    sequence_number=record.sequence_number,
                    outcome=outcome,
                )
            )

    async def _send(self, letter: DeadLetter, pause: Pause) -> None:
        """Until it is there: what is neither handled nor kept holds up its shard."""
        assert self._dead_letters is not None
        attempt = 1
        while True:
            try:
                return await self._dead_letters(letter)
            except ServerError as error:
                log.warning("%s/%s: no dead letter yet: %s", self._stream, self._group, error)
            except Exception as error:
                raise self._stop(letter.record, letter.attempts, error) from error
            await pause(self._options.pause_s(attempt))
            attempt += 1

    def _stop(self, record: StreamRecord, attempts: int, error: Exception) -> RecordFailed:
        group = f"{self._stream}/{self._group}"
        return RecordFailed(
            f"consumer group {group!r} stopped in front of record {record.sequence_number} of "
            f"{record.shard_id}: its handler failed {attempts} times, the last time with "
            f"{type(error).__name__}; mend it, or give the group a dead-letter queue",
            group=group,
            shard_id=record.shard_id,
            sequence_number=record.sequence_number,
            sub_sequence_number=record.sub_sequence_number,
        )
