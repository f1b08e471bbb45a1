"""Flows: tasks that come one after the other (a chain), or at the same time (a group), or both, one
inside the other.

    Chain(a, b)                       a ── its result ──> b
    Group(a, Chain(b, c))             a and b at the same time, c behind b
    Chain(a, Group(b, c), d)          d gets the list of what b and c returned

What is sent first goes out as any call does; the rest travels in its message, see steps.py.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from rmq.core.limits import listed
from rmq.errors import InvalidParameter, Words
from rmq.worker import steps
from rmq.worker.groups import MOST_MEMBERS, GroupHandle
from rmq.worker.payload import to_plain

if TYPE_CHECKING:
    from rmq.worker.app import App
    from rmq.worker.task import Call, TaskHandle, TaskMessage

    Part: TypeAlias = "Call[Any] | Chain | Group"

MOST_LINKS = 100
MOST_TASKS = 10_000
"""In one flow, all that is nested counted."""
MOST_NESTED = 20
"""Chains and groups inside of each other."""


@dataclass(frozen=True, slots=True, init=False)
class Chain:
    """Calls, groups and chains that come one after the other, 1 to 100 of them. Each gets the
    result of the one before as its first argument; behind a group that is a list, and a group hands
    it to each of its members. A value: `app.chain` and `app.group` send it."""

    links: tuple[Part, ...]

    def __init__(self, *links: Part) -> None:
        """Raises InvalidParameter."""
        object.__setattr__(self, "links", _checked(links, "calls", MOST_LINKS))


@dataclass(frozen=True, slots=True, init=False)
class Group:
    """Calls, chains and groups that run at the same time, 1 to 1,000 of them. Its result is the
    list of theirs; where one fails for good, it has failed when all have ended. A value:
    `app.chain` and `app.group` send it."""

    members: tuple[Part, ...]

    def __init__(self, *members: Part) -> None:
        """Raises InvalidParameter."""
        object.__setattr__(self, "members", _checked(members, "calls", MOST_MEMBERS))


def _checked(parts: Sequence[Part], field: str, most: int) -> tuple[Part, ...]:
    from rmq.worker.task import Call

    parts = listed(parts, field, "calls")
    if not 1 <= len(parts) <= most:
        raise InvalidParameter(field, Words(f"{len(parts)} calls"), f"1 to {most} of them")
    for one in parts:
        if not isinstance(one, (Call, Chain, Group)):
            raise InvalidParameter(field, one, "calls (task.with_(..)), Chain and Group objects")
    return tuple(parts)


async def send_chain(app: App, parts: Sequence[Part]) -> TaskHandle | GroupHandle:
    """Send what comes first; each other part is sent when the one before it is done, with its
    result as the first argument. The handle of the last one. Raises what a send raises."""
    _, last = await _Flow(app, Chain(*listed(parts, "calls", "calls"))).send()
    return last


async def send_group(
    app: App,
    parts: Sequence[Part],
    *,
    then: Part | None = None,
    failed: Call[Any] | None = None,
) -> GroupHandle:
    """Send parts that run at the same time, 1 to 1,000 of them. When the last one has ended, *then*
    is sent with the list of what they returned as its first argument; where any failed for good,
    *failed* instead, with a list of its error or None for each. Exactly one of them is sent, once.

    Raises what a send raises; then some may be sent, and no callback will be.
    """
    group = Group(*listed(parts, "calls", "calls"))
    handle, _ = await _Flow(app, group if then is None else Chain(group, then), failed).send()
    assert isinstance(handle, GroupHandle)
    return handle


class _Flow:
    """One flow that is about to be sent."""

    def __init__(self, app: App, whole: Part, failed: Call[Any] | None = None) -> None:
        self._app = app
        self._first: list[tuple[Call[Any], TaskMessage]] = []
        """What goes out now, in the order in which steps.first finds it."""
        self._count = 0
        self._chain = self._steps(whole, 0, 0)
        if failed is not None:
            self._chain[0]["failed"] = link(failed, failed.message(before=1))

    def _steps(self, part: Part, before: int, depth: int) -> list[dict[str, Any]]:
        """A part as it travels. *before*: whether something comes before it."""
        if depth > MOST_NESTED:
            raise InvalidParameter(
                "calls", Words("chains and groups"), f"nested at most {MOST_NESTED} deep"
            )
        if isinstance(part, Chain):
            found: list[dict[str, Any]] = []
            for one in part.links:
                found += self._steps(one, 1 if found else before, depth + 1)
            return found
        if isinstance(part, Group):
            members = [self._steps(one, before, depth + 1) for one in part.members]
            return [{"id": uuid.uuid4().hex, "members": members}]
        self._count += 1
        if self._count > MOST_TASKS:
            raise InvalidParameter("calls", Words("more calls"), f"at most {MOST_TASKS} in a flow")
        message = part.message(before=before)
        if before:
            return [link(part, message)]
        message.unique = None  # what comes after one that was not sent would never begin
        self._first.append((part, message))
        return [{"id": message.id, "queue": part.queue}]

    async def send(self) -> tuple[TaskHandle | GroupHandle, TaskHandle | GroupHandle]:
        """Send what comes first. The handles of the first part and of the last one."""
        client, chain = self._app.client, self._chain
        known, tasks = steps.first(client._registry, steps.joined(chain, None))
        # All groups are known before anything runs: somebody may wait for one that comes later.
        known += steps.later(client._registry, chain)
        await client._executor.run(steps.begin_all(known))
        for (_, message), step in zip(self._first, tasks, strict=True):
            message.chain = step.get("chain")
            message.group = step.get("group")
        # Awaited together they go out together.
        sent = await asyncio.gather(*(self._app.send(*one) for one in self._first))
        handles = {step["id"]: handle for step, handle in zip(tasks, sent, strict=True)}
        return self._handle(chain[0], handles), self._handle(chain[-1], handles)

    def _handle(
        self, step: dict[str, Any], sent: dict[str, TaskHandle]
    ) -> TaskHandle | GroupHandle:
        from rmq.worker.task import TaskHandle

        if "members" in step:
            ends = tuple(self._handle(one[-1], sent) for one in step["members"])
            return GroupHandle(step["id"], ends, self._app)
        return sent.get(step["id"]) or TaskHandle(step["id"], "", step["queue"], self._app)


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
