"""Commands: what can be asked of one queue in one round trip. Values; nothing happens here.

What takes several trips is in plans.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from rmq.core import script
from rmq.core.keys import QueueKeys, queue_index
from rmq.core.script import Call
from rmq.queues.attributes import QueueInfo, info_from_text
from rmq.queues.limits import ms
from rmq.queues.message import PeekedMessage, Receipt

M = TypeVar("M")

ATTEMPT_WINDOW = timedelta(minutes=5)
"""How long a receive request attempt id is remembered (Amazon SQS: ReceiveMessage)."""
SWEEP_STEP = 200
"""Expired messages that one script call removes; below 1 ms of server time."""
RELAY_STEP = 100
"""Messages that one script call takes out of an outbox."""

SWEEP, MOVED, MORE, OVER_LIMIT = 1, 2, 4, 8
"""Flags of a receive's reply; see lua/lib/receive.lua."""


def _same(reply: Any) -> Any:
    return reply


def _pairs(reply: Sequence[Any]) -> dict[str, str]:
    """field, value, .. as a dict. redis-py may have made one already."""
    if isinstance(reply, dict):
        return {_text(name): _text(value) for name, value in reply.items()}
    return {_text(reply[i]): _text(reply[i + 1]) for i in range(0, len(reply), 2)}


def _text(raw: bytes | str) -> str:
    return raw.decode() if isinstance(raw, bytes) else str(raw)


# --- the queue itself ---------------------------------------------------------------------------


def create(
    keys: QueueKeys, name: str, version: str, config: dict[str, str], tags: dict[str, str]
) -> Call[dict[str, str] | None]:
    """Make a queue. The result is None, or the config of the one that stands there."""
    rest = [part for pair in config.items() for part in pair]
    rest += [part for pair in tags.items() for part in pair]
    return script.load("queues/create").call(
        name,
        lambda reply: None if reply == 1 else _pairs(reply),
        state=keys.state,
        config=keys.config,
        tags=keys.tags,
        version=version,
        n=len(config),
        rest=rest,
    )


def describe(keys: QueueKeys, name: str) -> Call[QueueInfo]:
    """Everything a client must know of a queue before it can use it."""

    def parse(reply: Sequence[Any]) -> QueueInfo:
        return info_from_text(name, _text(reply[0]), _pairs(reply[1:]))

    return script.load("queues/describe").call(name, parse, state=keys.state, config=keys.config)


def set_attributes(
    keys: QueueKeys, info: QueueInfo, next_version: str, changes: dict[str, str]
) -> Call[None]:
    return script.load("queues/set_attributes").call(
        info.name,
        lambda reply: None,
        state=keys.state,
        config=keys.config,
        wake=keys.wake,
        version=info.version,
        next=next_version,
        rest=[part for pair in changes.items() for part in pair],
    )


def redelay(
    keys: QueueKeys, info: QueueInfo, delay: timedelta, offset: int, limit: int
) -> Call[tuple[int, int]]:
    return script.load("queues/redelay").call(
        info.name,
        lambda reply: (int(reply[0]), int(reply[1])),
        state=keys.state,
        order=keys.order,
        groups=keys.groups,
        inflight=keys.inflight,
        wake=keys.wake,
        version=info.version,
        delay_ms=ms(delay),
        offset=offset,
        limit=limit,
    )


def purge(keys: QueueKeys, info: QueueInfo) -> Call[int]:
    """Drop every message. The result is how many there were."""
    return script.load("queues/purge").call(
        info.name,
        int,
        state=keys.state,
        outbox=keys.outbox,
        version=info.version,
        rest_keys=[
            keys.log,
            keys.inflight,
            keys.delayed,
            keys.first,
            keys.order,
            keys.groups,
            keys.dedup,
            keys.moved,
            keys.attempts,
            keys.attempt_times,
        ],
    )


def delete_queue(keys: QueueKeys, name: str) -> Call[None]:
    return script.load("queues/delete_queue").call(
        name, lambda reply: None, state=keys.state, rest_keys=keys.all()[1:]
    )


def tag(
    keys: QueueKeys, name: str, limit: int | None, add: dict[str, str], remove: Sequence[str]
) -> Call[dict[str, str]]:
    """Set and remove tags. The result is all tags. Adding none reads them."""
    return script.load("queues/tag").call(
        name,
        _pairs,
        state=keys.state,
        tags=keys.tags,
        limit="" if limit is None else limit,
        n=len(remove),
        rest=[*remove, *(part for pair in add.items() for part in pair)],
    )


def index_add(namespace: str, name: str) -> Call[None]:
    return script.command("ZADD", name, lambda reply: None, queue_index(namespace), 0, name)


def index_remove(namespace: str, name: str) -> Call[None]:
    return script.command("ZREM", name, lambda reply: None, queue_index(namespace), name)


def names_from(
    key: str, subject: str, prefix: str, after: str | None, limit: int
) -> Call[list[str]]:
    """Up to *limit* members of a zset of names, behind *after*, that begin with *prefix*."""
    low = f"({after}" if after is not None else (f"[{prefix}" if prefix else "-")
    high = f"({prefix}\x7f" if prefix else "+"
    return script.command(
        "ZRANGEBYLEX",
        subject,
        lambda reply: [_text(name) for name in reply],
        key,
        low,
        high,
        "LIMIT",
        0,
        limit,
    )


def add_source(keys: QueueKeys, target: QueueInfo, source: str) -> Call[None]:
    return script.load("queues/add_source").call(
        target.name,
        lambda reply: None,
        state=keys.state,
        sources=keys.sources,
        version=target.version,
        source=source,
    )


def remove_source(keys: QueueKeys, target: str, source: str) -> Call[None]:
    return script.command("ZREM", target, lambda reply: None, keys.sources, source)


# --- messages -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Prepared:
    """A message that was checked and packed for its queue."""

    packed: bytes
    delay_ms: int
    group: str
    deduplication_key: bytes


def send(
    keys: QueueKeys, info: QueueInfo, lane: str, seen: int, messages: Iterable[Prepared]
) -> Call[tuple[int, bool]]:
    """Append to a standard queue. The result is the first seq, and whether a sweep is due."""
    rest: list[Any] = []
    for message in messages:
        rest += (message.packed, message.delay_ms)
    return script.load("queues/send").call(
        info.name,
        lambda reply: (int(reply[0]), reply[1] == 1),
        state=keys.state,
        log=keys.log,
        delayed=keys.delayed,
        wake=keys.wake,
        lanes=keys.lanes,
        version=info.version,
        lane=lane,
        seen=seen,
        rest=rest,
    )


def send_fifo(
    keys: QueueKeys, info: QueueInfo, messages: Iterable[Prepared]
) -> Call[tuple[list[tuple[int, bool]], bool]]:
    """Append to a FIFO queue. The result is seq and is-duplicate of each, and whether a sweep is
    due."""
    rest: list[Any] = []
    for message in messages:
        rest += (message.deduplication_key, message.group, message.packed)

    def parse(reply: Sequence[Any]) -> tuple[list[tuple[int, bool]], bool]:
        texts = [_text(seq) for seq in reply[1:]]
        return [(int(seq.lstrip("=")), seq[0] == "=") for seq in texts], reply[0] == 1

    attributes = info.attributes
    return script.load("queues/send_fifo").call(
        info.name,
        parse,
        state=keys.state,
        log=keys.log,
        order=keys.order,
        groups=keys.groups,
        dedup=keys.dedup,
        delayed=keys.delayed,
        wake=keys.wake,
        version=info.version,
        window_ms=ms(attributes.deduplication_window),
        delay_ms=ms(attributes.delay),
        rest=rest,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a receive asks for."""

    max_messages: int = 1
    visibility_ms: int = 30_000
    wait_ms: int = 0
    in_flight_limit: int | None = None
    attempt_id: str = ""
    redrive_to: str | None = None
    """Set by a redrive: move what is visible there ('' for where it came from)."""
    sweep: bool = True


@dataclass(frozen=True, slots=True)
class Got:
    """What a receive was answered with."""

    messages: list[Any]
    flags: int
    sleep_ms: int
    """How long there is nothing to look for; -1 for until something is sent."""


def receive(keys: QueueKeys, info: QueueInfo, wanted: Wanted, make: Callable[..., M]) -> Call[Got]:
    """Lease messages. *make* gets info, seq, receive count, first received (ms), received (ms),
    packed and group of each."""

    def parse(reply: Sequence[Any]) -> Got:
        found = [
            make(
                info,
                int(reply[i]),
                int(reply[i + 1]),
                int(reply[i + 2]),
                int(reply[i + 3]),
                reply[i + 4],
                reply[i + 5],
            )
            for i in range(3, len(reply), 6)
        ]
        return Got(found, int(reply[2]), int(reply[1]))

    attributes = info.attributes
    policy = attributes.redrive_policy
    if wanted.redrive_to is not None:
        limit, target, kind = 0, wanted.redrive_to, "r"
    elif policy is not None:
        limit, target, kind = policy.max_receive_count, policy.dead_letter_queue, "d"
    else:
        limit, target, kind = "", "", "d"  # type: ignore[assignment]
    shared: dict[str, Any] = {
        "state": keys.state,
        "log": keys.log,
        "inflight": keys.inflight,
        "first": keys.first,
        "wake": keys.wake,
        "outbox": keys.outbox,
        "version": info.version,
        "max": wanted.max_messages,
        "visibility_ms": wanted.visibility_ms,
        "retention_ms": ms(attributes.message_retention_period),
        "in_flight_limit": "" if wanted.in_flight_limit is None else wanted.in_flight_limit,
        "max_receive_count": limit,
        "target": target,
        "kind": kind,
        "wait_ms": wanted.wait_ms,
        "sweep": int(wanted.sweep),
    }
    if not info.is_fifo:
        return script.load("queues/receive").call(info.name, parse, delayed=keys.delayed, **shared)
    return script.load("queues/receive_fifo").call(
        info.name,
        parse,
        order=keys.order,
        groups=keys.groups,
        attempts=keys.attempts,
        attempt_times=keys.attempt_times,
        delay_ms=ms(attributes.delay),
        attempt=wanted.attempt_id,
        attempt_ms=ms(ATTEMPT_WINDOW),
        **shared,
    )


def delete(keys: QueueKeys, info: QueueInfo, receipts: Sequence[Receipt]) -> Call[list[int]]:
    """Remove received messages. Per message 1 deleted, 0 gone, -1 the receipt has expired."""
    rest: list[Any] = []
    for receipt in receipts:
        rest += (receipt.seq, receipt.receive_count)
    shared: dict[str, Any] = {
        "state": keys.state,
        "log": keys.log,
        "inflight": keys.inflight,
        "first": keys.first,
        "version": info.version,
    }
    if not info.is_fifo:
        return script.load("queues/delete").call(
            info.name, _same, moved=keys.moved, rest=rest, **shared
        )
    return script.load("queues/delete_fifo").call(
        info.name,
        _same,
        order=keys.order,
        groups=keys.groups,
        wake=keys.wake,
        delay_ms=ms(info.attributes.delay),
        rest=rest,
        **shared,
    )


def change_visibility(
    keys: QueueKeys,
    info: QueueInfo,
    changes: Sequence[tuple[Receipt, int]],
    total_ms: int | None,
) -> Call[list[int]]:
    """Move the end of leases, each to its own time in ms from now. Per message the moment (ms) it
    ends at, or -1 gone, -2 not in flight, -3 stale, -4 beyond *total_ms* since the receive."""
    rest: list[Any] = []
    for receipt, timeout_ms in changes:
        rest += (receipt.seq, receipt.receive_count, receipt.received_ms, timeout_ms)
    shared: dict[str, Any] = {
        "state": keys.state,
        "log": keys.log,
        "inflight": keys.inflight,
        "wake": keys.wake,
        "version": info.version,
        "default_ms": ms(info.attributes.visibility_timeout),
        "total_ms": "" if total_ms is None else total_ms,
        "rest": rest,
    }

    def parse(reply: Sequence[Any]) -> list[int]:
        return [int(one) for one in reply]

    if not info.is_fifo:
        return script.load("queues/change_visibility").call(info.name, parse, **shared)
    return script.load("queues/change_visibility_fifo").call(
        info.name,
        parse,
        order=keys.order,
        groups=keys.groups,
        delay_ms=ms(info.attributes.delay),
        **shared,
    )


def peek(keys: QueueKeys, info: QueueInfo, after: int, limit: int) -> Call[list[PeekedMessage]]:
    """Look at messages in the order of sending."""

    def parse(reply: Sequence[Any]) -> list[PeekedMessage]:
        return [
            PeekedMessage(
                info,
                int(reply[i]),
                int(reply[i + 1]),
                int(reply[i + 2]) if reply[i + 2] else None,
                int(reply[i + 3]),
                reply[i + 4],
                reply[i + 5],
            )
            for i in range(1, len(reply), 6)
        ]

    return script.load("queues/peek").call(
        info.name,
        parse,
        state=keys.state,
        log=keys.log,
        inflight=keys.inflight,
        delayed=keys.delayed,
        first=keys.first,
        version=info.version,
        after=after,
        max=limit,
        retention_ms=ms(info.attributes.message_retention_period),
        delay_ms=_fifo_delay(info),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStats:
    """Counts, ages and totals of one queue, all of one moment."""

    visible: int
    """Messages that a receive could have now (FIFO: also those whose group is locked)."""
    in_flight: int
    """Received, not deleted, and their visibility timeout still running."""
    delayed: int
    oldest_sent_at: datetime | None
    """Sent time of the oldest message, whatever its state."""
    sent: int
    """Messages ever accepted, those moved here among them."""
    received: int
    deleted: int
    """Deleted and purged."""
    moved: int
    """Moved away: dead letters, and redriven messages."""
    expired: int
    bytes: int
    """Bytes ever accepted, envelopes included."""
    outbox: int
    """Messages on their way to another queue; counted in flight as well."""

    @property
    def messages(self) -> int:
        """All that is in the queue."""
        return self.visible + self.in_flight + self.delayed


def stats(keys: QueueKeys, info: QueueInfo) -> Call[tuple[QueueStats, bool]]:
    """Count. The second result says that expired messages are still counted: sweep, ask again."""

    def parse(reply: Sequence[Any]) -> tuple[QueueStats, bool]:
        (
            stale,
            total,
            in_flight,
            late,
            oldest,
            sent,
            received,
            deleted,
            moved,
            expired,
            size,
            out,
        ) = (int(one) for one in reply)
        return (
            QueueStats(
                visible=max(total - in_flight - late, 0),
                in_flight=in_flight,
                delayed=late,
                oldest_sent_at=datetime.fromtimestamp(oldest / 1000, UTC) if oldest else None,
                sent=sent,
                received=received,
                deleted=deleted,
                moved=moved,
                expired=expired,
                bytes=size,
                outbox=out,
            ),
            stale == 1,
        )

    return script.load("queues/stats").call(
        info.name,
        parse,
        state=keys.state,
        log=keys.log,
        inflight=keys.inflight,
        delayed=keys.delayed,
        moved=keys.moved,
        outbox=keys.outbox,
        version=info.version,
        retention_ms=ms(info.attributes.message_retention_period),
        delay_ms=_fifo_delay(info),
    )


def sweep(keys: QueueKeys, info: QueueInfo) -> Call[tuple[int, bool]]:
    """One step of forgetting what is over. The result is how many messages expired, and whether
    there is more to do."""
    return script.load("queues/sweep").call(
        info.name,
        lambda reply: (int(reply[0]), reply[1] == 1),
        state=keys.state,
        log=keys.log,
        inflight=keys.inflight,
        delayed=keys.delayed,
        first=keys.first,
        order=keys.order,
        groups=keys.groups,
        dedup=keys.dedup,
        moved=keys.moved,
        lanes=keys.lanes,
        attempts=keys.attempts,
        attempt_times=keys.attempt_times,
        version=info.version,
        retention_ms=ms(info.attributes.message_retention_period),
        window_ms=ms(info.attributes.deduplication_window),
        delay_ms=_fifo_delay(info),
        attempt_ms=ms(ATTEMPT_WINDOW),
        limit=SWEEP_STEP,
    )


def _fifo_delay(info: QueueInfo) -> int | str:
    return ms(info.attributes.delay) if info.is_fifo else ""


# --- the outbox ---------------------------------------------------------------------------------


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


def outbox_read(keys: QueueKeys, name: str) -> Call[list[Departing]]:
    def parse(reply: Sequence[Any]) -> list[Departing]:
        return [
            Departing(
                _text(reply[i]),
                int(reply[i + 1]),
                _text(reply[i + 2]),
                _text(reply[i + 3]),
                int(reply[i + 4]),
                int(reply[i + 5]),
                reply[i + 6],
                reply[i + 7],
            )
            for i in range(0, len(reply), 8)
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
        delay_ms=_fifo_delay(info),
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
        version=target.version,
        source=source.name,
        incarnation=source.incarnation.hex(),
        delay_ms=_fifo_delay(target),
        rest=[part for one in arriving for part in one],
    )


# --- redrive tasks ------------------------------------------------------------------------------


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


DRIVER_LOST = timedelta(minutes=1)
"""A running task whose driver was not heard of for so long has none."""
TASKS_KEPT = 10
"""Tasks that a queue remembers (Amazon SQS: ListMessageMoveTasks)."""


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


def redrive_cancel(keys: QueueKeys, name: str, id: str) -> Call[RedriveTask]:
    return script.load("queues/redrive_cancel").call(
        name,
        lambda reply: _task(name, id, reply),
        tasks=keys.tasks,
        id=id,
        stale_ms=ms(DRIVER_LOST),
    )


def redrive_tasks(keys: QueueKeys, name: str) -> Call[list[RedriveTask]]:
    """All remembered tasks, the newest first."""

    def parse(reply: Any) -> list[RedriveTask]:
        if not isinstance(reply, dict):
            reply = dict(zip(reply[::2], reply[1::2], strict=True))
        tasks = [_task(name, _text(id), text) for id, text in reply.items()]
        return sorted(tasks, key=lambda task: task.id, reverse=True)

    return script.command("HGETALL", name, parse, keys.tasks)
