"""Flows: tasks that come one after the other (a chain), or at the same time with a callback (a
group).

    chain   a ── its result ──> b ── its result ──> c        the rest travels in the message
    group   a, b, c ── each says how it ended ──> members    the last one sends `then` or `failed`

What follows a task is sent before its message is deleted, on a line of its own to the queue
(rmq/queues/arriving.py). So a worker that dies in between repeats it, and the queue takes it once.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from rmq.core import script
from rmq.core.clock import Clock, Stopwatch
from rmq.core.keys import ResultKeys
from rmq.core.limits import duration, listed, ms
from rmq.core.script import Block, Plan, text_of
from rmq.errors import InvalidParameter, ResultTimeout, RmqError, TaskFailed, Words
from rmq.queues import arriving, plans
from rmq.queues.arriving import Line
from rmq.queues.attributes import QueueInfo
from rmq.queues.outgoing import Outgoing, prepare
from rmq.queues.registry import Registry, on_known
from rmq.worker.payload import to_plain
from rmq.worker.results import KEEP_MS, checked_id, end

if TYPE_CHECKING:
    from rmq.worker.app import App
    from rmq.worker.task import Call, TaskHandle, TaskMessage

MOST_MEMBERS = 1000
"""Of a group: the last one reads what all have returned, in one script."""
MOST_LINKS = 100
ENDED_MS = 86_400_000
"""How long the outcomes of a group's members are kept after each of them."""


def link(call: Call[Any], message: TaskMessage) -> dict[str, Any]:
    """A call that is sent later: a task's message in JSON, and where it goes."""
    if call.options.delay is not None or call.options.deduplication_id is not None:
        raise InvalidParameter(
            "options",
            Words("delay or deduplication_id"),
            "left out of what follows another task; only the first of a chain may have them",
        )
    made: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(message, enc_hook=to_plain))
    made["queue"] = call.queue
    made.pop("unique", None)
    if not call.options.with_result:
        made["with_result"] = False
    if call.options.group_id is not None:
        made["group_id"] = call.options.group_id
    return made


def send_once(registry: Registry, line: str, link: Mapping[str, Any], result: Any) -> Plan[None]:
    """Send what follows, with the result before it, once on this line."""
    fields = {name: one for name, one in link.items() if name not in ("queue", "group_id")}
    if fields.pop("with_result", True):
        fields["args"] = [result, *fields.get("args", [])]
    body = msgspec.json.encode(fields, enc_hook=to_plain)
    queue, group = link["queue"], link.get("group_id")
    if queue.endswith(".fifo"):
        message = Outgoing(
            body, message_group_id=group or link["id"], deduplication_id=link["id"][:128]
        )
        (sent,) = yield from plans.send(registry, queue, [message])
        if isinstance(sent, RmqError):
            raise sent
        return

    def deliver(info: QueueInfo) -> Any:
        packed, delay = prepare(info, registry.limits, Outgoing(body, message_group_id=group))
        _, _, of = str(delay).partition(" ")
        parts = [packed, f"1 {of}" if of else 1]
        return arriving.deliver(registry.keys(queue), info, Line(line), 1, parts)

    yield from on_known(registry, queue, deliver)


# --- chains -------------------------------------------------------------------------------------


async def send_chain(app: App, calls: Sequence[Call[Any]]) -> TaskHandle:
    """Send the first call; each other one is sent when the one before it is done, with its result
    as the first argument. The handle of the last one. Raises what a send raises."""
    from rmq.worker.task import TaskHandle

    calls = listed(calls, "calls", "calls")
    if not 1 <= len(calls) <= MOST_LINKS:
        raise InvalidParameter("calls", Words(f"{len(calls)} calls"), f"1 to {MOST_LINKS} of them")
    links = [link(one, one.message(before=1)) for one in calls[1:]]
    first = calls[0].message()
    first.chain = links or None
    first.unique = None  # what comes after it would be lost with it
    handle = await app.send(calls[0], first)
    if not links:
        return handle
    return TaskHandle(links[-1]["id"], "", calls[-1].queue, app)


def chain_on(registry: Registry, id: str, chain: Sequence[Any], result: Any) -> Plan[None]:
    """The task *id* is done: send what comes after it."""
    following = dict(chain[0])
    if len(chain) > 1:
        following["chain"] = list(chain[1:])
    yield from send_once(registry, f"c:{id}", following, result)


def chain_ends(
    namespace: str, chain: Sequence[Any], what: str, why: str, keep_ms: int
) -> Plan[None]:
    """A task of a chain is not done: those behind it never begin, and whoever waits for them hears
    so."""
    for one in chain:
        if one.get("result_ttl") is not None:
            keys = ResultKeys(namespace, checked_id(one["id"]))
            yield end(keys, one["id"], what, why.encode(), keep_ms)


# --- groups -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ended:
    """How far a group is."""

    count: int
    total: int
    """0 where there is no such group."""
    callback: str
    """What is yet to be sent; '' for nothing."""
    outcomes: list[dict[str, Any]]
    """Of all members in their order, once all have ended: state, and result or error."""


@dataclass(frozen=True, slots=True)
class GroupHandle:
    """A group that was sent."""

    id: str
    handles: tuple[TaskHandle, ...]
    app: App

    def __iter__(self) -> Iterator[TaskHandle]:
        return iter(self.handles)

    async def ended(self) -> int:
        """How many have ended."""
        client = self.app.client
        keys = ResultKeys(client.namespace, self.id)
        found: Ended = await client._executor.call(_end(keys, self.id, "", b"", client.clock))
        return found.count

    async def wait(self, timeout: timedelta | float | None = None) -> list[Any]:
        """Wait until all have ended; what each returned, in the order of the calls. *timeout*: a
        timedelta or seconds; default for ever. Kept for a day.

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


async def send_group(
    app: App,
    calls: Sequence[Call[Any]],
    *,
    then: Call[Any] | None = None,
    failed: Call[Any] | None = None,
) -> GroupHandle:
    """Send calls that run at the same time, 1 to 1,000 of them. When the last one has ended, *then*
    is sent with the list of what they returned as its first argument; where any failed for good,
    *failed* instead, with a list of its error or None for each. Exactly one of them is sent, once.

    Raises what a send raises; then some may be sent, and no callback will be.
    """
    calls = listed(calls, "calls", "calls")
    if not 1 <= len(calls) <= MOST_MEMBERS:
        raise InvalidParameter("calls", Words(f"{len(calls)} calls"), f"1 to {MOST_MEMBERS}")
    client, id = app.client, uuid.uuid4().hex
    messages = [call.message() for call in calls]
    for place, message in enumerate(messages):
        message.group = f"{id}:{place}"
        message.unique = None  # one that was not sent would never end
    callback = {
        name: link(call, call.message(before=1))
        for name, call in (("then", then), ("failed", failed))
        if call is not None
    }
    keys = ResultKeys(client.namespace, id)
    await client._executor.call(
        script.load("worker/group_begin").call(
            id,
            bool,
            state=keys.state,
            total=len(calls),
            callback=msgspec.json.encode(callback) if callback else b"",
            keep_ms=KEEP_MS,
            expires=_expires(client.clock),
        )
    )
    # Awaited together they go out together.
    handles = await asyncio.gather(*map(app.send, calls, messages))
    return GroupHandle(id, tuple(handles), app)


def group_on(registry: Registry, group: str, outcome: Mapping[str, Any]) -> Plan[None]:
    """A member of a group has ended: note how, and send the callback if it was the last one."""
    id, _, place = group.partition(":")
    if not place.isdigit() or int(place) >= MOST_MEMBERS:
        raise InvalidParameter("group", group, "id:place, as in 6f9c..:0")
    keys = ResultKeys(registry.namespace, checked_id(id))
    encoded = msgspec.json.encode(outcome, enc_hook=to_plain)
    found: Ended = yield _end(keys, id, place, encoded, registry.clock)
    if not found.callback:
        return
    callback = msgspec.json.decode(found.callback)
    errors = [
        None if one["state"] == "done" else one.get("error", one["state"]) for one in found.outcomes
    ]
    if not any(one is not None for one in errors):
        chosen, given = callback.get("then"), [one.get("result") for one in found.outcomes]
    else:
        chosen, given = callback.get("failed"), errors
    if chosen is not None:
        yield from send_once(registry, f"g:{id}", chosen, given)
    yield script.load("worker/group_close").call(id, bool, state=keys.state)


def _end(keys: ResultKeys, id: str, place: str, outcome: bytes, clock: Clock) -> Any:
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


def _wait(keys: ResultKeys, id: str, wait_ms: int | None, clock: Clock) -> Plan[Ended]:
    watch = Stopwatch(clock)
    while True:
        found: Ended = yield _end(keys, id, "", b"", clock)
        left = 3_600_000 if wait_ms is None else wait_ms - watch.passed_ms()
        # A group that nobody knows, or that is forgotten, never ends.
        if found.count >= found.total or left <= 0:
            return found
        yield Block(keys.ended, left)


def _expires(clock: Clock) -> int:
    return 0 if clock.held else 1
