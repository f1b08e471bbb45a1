"""Groups: tasks that run at the same time, and what was noted of how each of them ended.

    begin ── a, b, c each `end` under their place, once ──> all ended ── callback sent ──> close
      └── break: what comes before the group was not done, so nothing of it is ever sent

A member's place is `id:place`. Whoever is told that it was the last one sends the callback and then
closes the group; until then every repeat of a member is told so again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from rmq.core import script
from rmq.core.clock import Clock, Stopwatch
from rmq.core.keys import ResultKeys
from rmq.core.limits import duration, ms
from rmq.core.script import Block, Call, Plan, text_of
from rmq.errors import ResultTimeout, TaskFailed
from rmq.worker.results import KEEP_MS

if TYPE_CHECKING:
    from rmq.worker.app import App
    from rmq.worker.task import TaskHandle

MOST_MEMBERS = 1000
"""Of a group: the last one reads what all have returned, in one script."""
ENDED_MS = 86_400_000
"""How long the outcomes of a group's members are kept after each of them."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How far a group is."""

    count: int
    total: int
    """0 where there is no such group."""
    callback: str
    """What is yet to be done; '' for nothing."""
    outcomes: list[dict[str, Any]]
    """Of all members in their order, once all have ended: state, and result or error."""


@dataclass(frozen=True, slots=True)
class GroupHandle:
    """A group that was sent, or that comes after something that was."""

    id: str
    handles: tuple[TaskHandle | GroupHandle, ...]
    """Of each member; of a chain that of its end."""
    app: App

    def __iter__(self) -> Iterator[TaskHandle | GroupHandle]:
        return iter(self.handles)

    async def ended(self) -> int:
        """How many have ended."""
        client = self.app.client
        keys = ResultKeys(client.namespace, self.id)
        found: Ended = await client._executor.call(end(keys, self.id, "", b"", client.clock))
        return found.count

    async def wait(self, timeout: timedelta | float | None = None) -> list[Any]:
        """Wait until all have ended; what each returned, in the order of the members: of a chain
        what its end did, of a group a list. *timeout*: a timedelta or seconds; default for ever.
        Kept for a day.

        Raises TaskFailed where one failed for good (naming the first), ResultTimeout.
        """
        wait_ms = None
        if timeout is not None:
            wait_ms = ms(duration(timeout, "timeout", None, None))
        client = self.app.client
        found = await client._executor.run(
            _wait(ResultKeys(client.namespace, self.id), self.id, wait_ms, client.clock)
        )
        if found.count < found.total or not found.total:
            what = f"{found.count} of {found.total} tasks have ended" if found.total else "unknown"
            raise ResultTimeout(f"group {self.id}: {what}", task=self.id)
        for handle, one in zip(self.handles, found.outcomes, strict=True):
            if one["state"] != "done":
                error = one.get("error", one["state"])
                raise TaskFailed(f"task {handle.id} failed: {error}", task=handle.id, error=error)
        return [one.get("result") for one in found.outcomes]


def begin(
    keys: ResultKeys, id: str, total: int, callback: Any, clock: Clock, *, is_sent: bool
) -> Call[bool]:
    """Its members are sent, now or later. False for a repeat."""
    return script.load("worker/group_begin").call(
        id,
        bool,
        state=keys.state,
        total=total,
        callback=msgspec.json.encode(callback) if callback else b"",
        keep_ms=KEEP_MS,
        is_sent=int(is_sent),
        expires=_expires(clock),
    )


def end(keys: ResultKeys, id: str, place: str, outcome: bytes, clock: Clock) -> Call[Ended]:
    """A member has ended. '' for *place* only looks."""

    def parse(reply: Sequence[Any]) -> Ended:
        outcomes = [msgspec.json.decode(one) for one in reply[4:]]
        is_due = int(reply[2]) == 1
        callback = text_of(reply[3]) if is_due else ""
        return Ended(int(reply[0]), int(reply[1]), callback, outcomes)

    return script.load("worker/group_end").call(
        id,
        parse,
        state=keys.state,
        members=keys.members,
        ended=keys.ended,
        place=place,
        outcome=outcome,
        keep_ms=ENDED_MS,
        expires=_expires(clock),
    )


def close(keys: ResultKeys, id: str) -> Call[bool]:
    """Its callback is sent."""
    return script.load("worker/group_close").call(id, bool, state=keys.state)


def break_off(keys: ResultKeys, id: str, outcome: bytes, clock: Clock) -> Call[bool]:
    """It will never be sent. False where it was, or nobody knows it."""
    return script.load("worker/group_break").call(
        id,
        bool,
        state=keys.state,
        ended=keys.ended,
        outcome=outcome,
        keep_ms=ENDED_MS,
        expires=_expires(clock),
    )


def _wait(keys: ResultKeys, id: str, wait_ms: int | None, clock: Clock) -> Plan[Ended]:
    watch = Stopwatch(clock)
    while True:
        found: Ended = yield end(keys, id, "", b"", clock)
        left = 3_600_000 if wait_ms is None else wait_ms - watch.passed_ms()
        # A group that nobody knows, or that is forgotten, never ends.
        if found.count >= found.total or left <= 0:
            return found
        yield Block(keys.ended, left)


def _expires(clock: Clock) -> int:
    return 0 if clock.held else 1
