"""Results: how a task ended, for whoever asks; kept for as long as the task says (result_ttl).

    (unknown) ── start ──> running ── done | failed | cancelled, each kept for result_ttl
        └── cancel ──> cancelled: it is not begun      running: its worker is told to end it

A task without result_ttl leaves nothing here, and costs nothing. Whoever waits sleeps in a blocking
pop until it ends: no polling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from rmq.client.aio import AsyncClient
from rmq.core import script
from rmq.core.clock import Stopwatch
from rmq.core.keys import ResultKeys
from rmq.core.limits import duration, ms
from rmq.core.script import Block, Call, Plan, text_of
from rmq.errors import (
    InvalidParameter,
    ResultTimeout,
    TaskCancelled,
    TaskFailed,
    WorkerDoesNotExist,
)
from rmq.worker.fleet import Fleet

KEEP_MS = 14 * 86_400_000
"""How long what never ends is remembered: as long as a message may wait."""
MOST_ID = 200
NUL = "\0"
"""Between the error and the traceback of what failed."""


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """What is known of a task."""

    id: str
    state: str
    """unknown (not begun, or its result is not kept), running, done, failed or cancelled."""
    result: Any
    """Of a task that is done: what it returned, as JSON gives it."""
    error: str
    """Of one that failed for good: class and text of the error."""
    traceback: str
    part: float | None
    """How far it said it is, 0 to 1."""
    text: str
    """What it said with that."""
    worker: str
    started_at: datetime | None
    ended_at: datetime | None
    note: str
    """What its sender left with it; see `note`."""

    @property
    def is_ended(self) -> bool:
        return self.state in ("done", "failed", "cancelled")


class Results:
    """The results of tasks, by their ids."""

    def __init__(self, client: AsyncClient, app: str = "app") -> None:
        self._client = client
        self._executor = client._executor
        self._fleet = Fleet(client, app)

    async def status(self, id: str) -> TaskStatus:
        """What is known of a task now."""
        return await self._executor.call(read(self._keys(id), id))

    async def wait(self, id: str, timeout: timedelta | float | None = None) -> Any:
        """Wait until a task has ended, and return what it returned. *timeout*: a timedelta or
        seconds; default for ever.

        Raises TaskFailed, TaskCancelled, ResultTimeout.
        """
        wait_ms = None
        if timeout is not None:
            wait_ms = ms(duration(timeout, "timeout", None, None))
        found = await self._executor.run(self._wait(id, wait_ms))
        if found.state == "done":
            return found.result
        if found.state == "failed":
            raise TaskFailed(f"task {id} failed: {found.error}", task=id, error=found.error)
        if found.state == "cancelled":
            raise TaskCancelled(f"task {id} was cancelled", task=id)
        raise ResultTimeout(f"task {id} has not ended within {timeout} s", task=id)

    async def cancel(self, id: str) -> bool:
        """Let a task whose result is kept not begin; one that runs is ended, where it is a
        coroutine. False where it had ended already."""
        before, worker = await self._executor.call(_cancel(self._keys(id), id))
        if before == "running":
            try:
                await self._fleet.tell(worker, f"cancel {id}")
            except WorkerDoesNotExist:
                # It died; who gets the message next sees that it was cancelled.
                await self._executor.call(end(self._keys(id), id, "cancelled", b"", KEEP_MS))
        return before in ("", "running")

    def _wait(self, id: str, wait_ms: int | None) -> Plan[TaskStatus]:
        keys, watch = self._keys(id), Stopwatch(self._client.clock)
        while True:
            found: TaskStatus = yield read(keys, id)
            left = 3_600_000 if wait_ms is None else wait_ms - watch.passed_ms()
            if found.is_ended or left <= 0:
                return found
            yield Block(keys.ended, left)

    def _keys(self, id: str) -> ResultKeys:
        return ResultKeys(self._client.namespace, checked_id(id))


def checked_id(id: str) -> str:
    """A task's id, which stands in a key. Raises InvalidParameter."""
    if not isinstance(id, str) or not 1 <= len(id) <= MOST_ID or "{" in id or "}" in id:
        raise InvalidParameter("id", id, f"1 to {MOST_ID} characters without braces")
    return id


def read(keys: ResultKeys, id: str) -> Call[TaskStatus]:
    """What is known of a task."""

    def parse(reply: Sequence[Any]) -> TaskStatus:
        state, value, part, text, worker, started, ended, said = reply
        state = text_of(state) or "unknown"
        error, _, traceback = text_of(value).partition(NUL) if state == "failed" else ("", "", "")
        return TaskStatus(
            id=id,
            state=state,
            result=msgspec.json.decode(value) if state == "done" and value else None,
            error=error,
            traceback=traceback,
            part=float(part) if part else None,
            text=text_of(text),
            worker=text_of(worker),
            started_at=_moment(started),
            ended_at=_moment(ended),
            note=text_of(said),
        )

    return script.load("worker/result_read").call(id, parse, state=keys.state, ended=keys.ended)


def start(keys: ResultKeys, id: str, worker: str) -> Call[str]:
    """A worker begins it. What it was before."""
    return script.load("worker/result_start").call(
        id, text_of, state=keys.state, worker=worker, keep_ms=KEEP_MS
    )


def end(keys: ResultKeys, id: str, what: str, value: bytes, keep_ms: int) -> Call[bool]:
    """It has ended. False where it had before."""
    return script.load("worker/result_end").call(
        id, bool, state=keys.state, ended=keys.ended, what=what, value=value, keep_ms=keep_ms
    )


def note(keys: ResultKeys, id: str, text: str, keep_ms: int = KEEP_MS) -> Call[bool]:
    """Leave something with a task that is about to be sent, for who looks at it later."""
    return script.load("worker/result_note").call(
        id, bool, state=keys.state, note=text, keep_ms=keep_ms
    )


def progress(keys: ResultKeys, id: str, part: float, text: str) -> Call[bool]:
    """How far it is."""
    return script.load("worker/result_progress").call(
        id, bool, state=keys.state, part=part, text=text
    )


def _cancel(keys: ResultKeys, id: str) -> Call[tuple[str, str]]:
    return script.load("worker/result_cancel").call(
        id,
        lambda reply: (text_of(reply[0]), text_of(reply[1])),
        state=keys.state,
        ended=keys.ended,
        keep_ms=KEEP_MS,
    )


def _moment(at_ms: bytes | str) -> datetime | None:
    return datetime.fromtimestamp(int(at_ms) / 1000, UTC) if at_ms else None
