"""The outbox: messages on their way to another queue, and the tasks that send them. One round trip
each; redrive.py puts them together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from rmq.core import script
from rmq.core.keys import QueueKeys
from rmq.core.limits import ms
from rmq.core.script import Call, text_of
from rmq.queues.attributes import QueueInfo

RELAY_STEP = 25
"""Messages that one script call takes out of an outbox."""
DRIVER_LOST = timedelta(minutes=1)
"""A running task whose driver was not heard of for so long has none."""
TASKS_KEPT = 10
"""Tasks that a queue remembers (Amazon SQS: ListMessageMoveTasks)."""


@dataclass(frozen=True, slots=True)
class Departing:
    """A message in the outbox."""

    outbox_id: str
    seq: int
    target: str
    kind: str
    receive_count: int
    first_received_ms: int
    packed: bytes
    group: bytes
    failure: bytes
    """Why it is a dead letter, as worker.bury was told; empty where a receive moved it."""


def outbox_read(keys: QueueKeys, name: str) -> Call[list[Departing]]:
    def parse(reply: Sequence[Any]) -> list[Departing]:
        return [
            Departing(
                text_of(reply[i]),
                int(reply[i + 1]),
                text_of(reply[i + 2]),
                text_of(reply[i + 3]),
                int(reply[i + 4]),
                int(reply[i + 5]),
                reply[i + 6],
                reply[i + 7],
                reply[i + 8],
            )
            for i in range(0, len(reply), 9)
        ]

    return script.load("queues/outbox_read").call(
        name,
        parse,
        outbox=keys.outbox,
        log=keys.log,
        inflight=keys.inflight,
        first=keys.first,
        max=RELAY_STEP,
    )


def outbox_settle(
    keys: QueueKeys, info: QueueInfo, ends: Iterable[tuple[Departing, bool]], keep: timedelta
) -> Call[int]:
    """End the way of messages: arrived (True), or they stay. *keep* is for how long dead letters
    are now left here."""
    rest: list[Any] = []
    for departing, arrived in ends:
        rest += (departing.outbox_id, departing.seq, int(arrived))
    return script.load("queues/outbox_settle").call(
        info.name,
        int,
        outbox=keys.outbox,
        state=keys.state,
        log=keys.log,
        inflight=keys.inflight,
        first=keys.first,
        order=keys.order,
        groups=keys.groups,
        wake=keys.wake,
        moved=keys.moved,
        loads=keys.loads,
        delay_ms=info.fifo_delay,
        keep_ms=ms(keep),
        rest=rest,
    )


def accept(
    keys: QueueKeys,
    target: QueueInfo,
    source: QueueInfo,
    arriving: Iterable[tuple[str, bytes, int, str]],
) -> Call[int]:
    """Take in messages of another queue's outbox: outbox id, packed, original sent time in ms (0
    for now) and group. The result is how many were new."""
    rest: list[Any] = [part for one in arriving for part in one]
    if target.compresses:
        target.deflate.compress_every(rest, 1, 4)
    return script.load("queues/accept").call(
        target.name,
        int,
        state=keys.state,
        log=keys.log,
        relayed=keys.relayed,
        wake=keys.wake,
        moved=keys.moved,
        order=keys.order,
        groups=keys.groups,
        delayed=keys.delayed,
        loads=keys.loads,
        version=target.version,
        source=source.name,
        incarnation=source.incarnation.hex(),
        delay_ms=target.fifo_delay,
        rest=rest,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveTask:
    """Messages on their way out of a dead-letter queue (Amazon SQS: message move task)."""

    id: str
    source: str
    destination: str | None
    """None for back to the queue that each message came from."""
    max_per_second: int | None
    status: str
    """RUNNING, COMPLETED, CANCELLING, CANCELLED or FAILED."""
    moved: int
    to_move: int
    """How many messages there were at the start."""
    started_at: datetime
    failure: str | None = None


class _Stored(msgspec.Struct):
    destination: str
    max_per_second: float
    status: str
    moved: float
    to_move: float
    started_ms: float
    beat_ms: float
    failure: str = ""


def _task(source: str, id: str, text: bytes) -> RedriveTask:
    found = msgspec.json.decode(text, type=_Stored)
    return RedriveTask(
        id=id,
        source=source,
        destination=found.destination or None,
        max_per_second=int(found.max_per_second) or None,
        status=found.status,
        moved=int(found.moved),
        to_move=int(found.to_move),
        started_at=datetime.fromtimestamp(found.started_ms / 1000, UTC),
        failure=found.failure or None,
    )


def redrive_start(
    keys: QueueKeys, info: QueueInfo, id: str, destination: str, rate: int, to_move: int
) -> Call[None]:
    task = _Stored(destination, rate, "RUNNING", 0, to_move, 0, 0)
    return script.load("queues/redrive_start").call(
        info.name,
        lambda reply: None,
        state=keys.state,
        tasks=keys.tasks,
        version=info.version,
        id=id,
        task=msgspec.json.encode(task),
        stale_ms=ms(DRIVER_LOST),
        keep=TASKS_KEPT,
    )


def redrive_beat(
    keys: QueueKeys, name: str, id: str, moved: int, status: str, failure: str = ""
) -> Call[RedriveTask]:
    return script.load("queues/redrive_beat").call(
        name,
        lambda reply: _task(name, id, reply),
        tasks=keys.tasks,
        id=id,
        moved=moved,
        status=status,
        failure=failure,
    )


def redrive_cancel(keys: QueueKeys, name: str, id: str) -> Call[RedriveTask | None]:
    """Ask a task to stop. None when a repeat found that it has."""
    call: Call[RedriveTask | None] = script.load("queues/redrive_cancel").call(
        name,
        lambda reply: None if reply is None else _task(name, id, reply),
        tasks=keys.tasks,
        id=id,
        stale_ms=ms(DRIVER_LOST),
    )
    call.repeated = "RMQ_TASK_ENDED CANCELLED"
    return call


def redrive_tasks(keys: QueueKeys, name: str) -> Call[list[RedriveTask]]:
    """All remembered tasks, the newest first."""

    def parse(reply: Any) -> list[RedriveTask]:
        if not isinstance(reply, dict):
            reply = dict(zip(reply[::2], reply[1::2], strict=True))
        tasks = [_task(name, text_of(id), text) for id, text in reply.items()]
        return sorted(tasks, key=lambda task: task.id, reverse=True)

    return script.command("HGETALL", name, parse, keys.tasks)
