"""Commands: what can be asked about messages in one round trip. Values; nothing happens here.

What takes several trips is in plans.py; what concerns the queue itself in administration.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from rmq.core import script
from rmq.core.keys import QueueKeys
from rmq.core.limits import ms
from rmq.core.script import Call, text_of
from rmq.queues.attributes import QueueInfo
from rmq.queues.message import PeekedMessage, Receipt
from rmq.queues.outgoing import Prepared

M = TypeVar("M")

ATTEMPT_WINDOW = timedelta(minutes=5)
"""How long a receive request attempt id is remembered (Amazon SQS: ReceiveMessage)."""
SWEEP_STEP = {False: 100, True: 25}
"""Expired messages that one script call removes on a standard and (True) on a FIFO queue."""
SWEEP, MOVED, MORE, OVER_LIMIT, GROUPED, FRESH = 1, 2, 4, 8, 16, 32
"""Flags of a receive's reply; see lua/lib/receive.lua."""


def send(
    keys: QueueKeys, info: QueueInfo, lane: str, seen: int, messages: Iterable[Prepared]
) -> Call[tuple[int, bool]]:
    """Append to a standard queue. The result is the first seq, and whether a sweep is due."""
    rest = [part for message in messages for part in message]
    if info.compresses:
        info.deflate.compress_every(rest, 0, 2)
    return script.load("queues/send").call(
        info.name,
        lambda reply: (int(reply[0]), reply[1] == 1),
        state=keys.state,
        log=keys.log,
        delayed=keys.delayed,
        wake=keys.wake,
        lanes=keys.lanes,
        order=keys.order,
        groups=keys.groups,
        loads=keys.loads,
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
    rest = [part for message in messages for part in message]
    if info.compresses:
        info.deflate.compress_every(rest, 2, 3)

    def parse(reply: Sequence[Any]) -> tuple[list[tuple[int, bool]], bool]:
        texts = [text_of(seq) for seq in reply[1:]]
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
        delay_ms=info.delay_ms,
        rest=rest,
    )


@dataclass(slots=True, kw_only=True)
class Wanted:
    """What a receive asks for. A value; to be frozen costs three times as much to make."""

    max_messages: int = 1
    visibility_ms: int = 30_000
    wait_ms: int = 0
    in_flight_limit: int | None = None
    attempt_id: str = ""
    redrive_to: str | None = None
    """Set by a redrive: move what is visible there ('' for where it came from)."""
    sweep: bool = True


@dataclass(slots=True)
class Got:
    """What a receive was answered with."""

    messages: list[Any]
    flags: int
    sleep_ms: int
    """How long there is nothing to look for; -1 for until something is sent."""
    moved: int
    """How many went to the outbox."""


def receive(keys: QueueKeys, info: QueueInfo, wanted: Wanted, make: Callable[..., M]) -> Call[Got]:
    """Lease messages. *make* gets info, seq, receive count, first received (ms), received (ms),
    packed and group of each."""

    is_fifo = info.is_fifo

    def parse(reply: Sequence[Any]) -> Got:
        now_ms, sleep_ms, flags, moved = map(int, reply[:4])
        parts = iter(reply[4:])
        if is_fifo:
            found = [
                make(info, int(seq), count, int(first) or now_ms, int(at) or now_ms, packed, group)
                for seq, count, first, packed, group, at in zip(*[parts] * 6, strict=True)
            ]
        elif flags & FRESH:
            found = [
                make(info, int(seq), 1, now_ms, now_ms, packed, b"")
                for seq, packed in zip(*[parts] * 2, strict=True)
            ]
        elif flags & GROUPED:
            found = [
                make(info, int(seq), count, int(first) or now_ms, now_ms, packed, group)
                for seq, count, first, packed, group in zip(*[parts] * 5, strict=True)
            ]
        else:
            found = [
                make(info, int(seq), count, int(first) or now_ms, now_ms, packed, b"")
                for seq, count, first, packed in zip(*[parts] * 4, strict=True)
            ]
        return Got(found, flags, sleep_ms, moved)

    policy = info.attributes.redrive_policy
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
        "order": keys.order,
        "groups": keys.groups,
        "trials": keys.trials,
        "version": info.version,
        "max": wanted.max_messages,
        "visibility_ms": wanted.visibility_ms,
        "retention_ms": info.retention_ms,
        "in_flight_limit": "" if wanted.in_flight_limit is None else wanted.in_flight_limit,
        "max_receive_count": limit,
        "target": target,
        "kind": kind,
        "wait_ms": wanted.wait_ms,
        "default_ms": info.visibility_ms,
        "sweep": int(wanted.sweep),
    }
    if not info.is_fifo:
        return script.load("queues/receive").call(
            info.name, parse, delayed=keys.delayed, loads=keys.loads, **shared
        )
    return script.load("queues/receive_fifo").call(
        info.name,
        parse,
        attempts=keys.attempts,
        attempt_times=keys.attempt_times,
        delay_ms=info.delay_ms,
        attempt=wanted.attempt_id,
        attempt_ms=ms(ATTEMPT_WINDOW),
        **shared,
    )


def delete(keys: QueueKeys, info: QueueInfo, receipts: Sequence[Receipt]) -> Call[list[int]]:
    """Remove received messages. Per message 1 deleted, 0 gone, -1 the receipt has expired."""
    rest: list[Any] = [part for receipt in receipts for part in receipt[:2]]
    shared: dict[str, Any] = {
        "state": keys.state,
        "log": keys.log,
        "inflight": keys.inflight,
        "first": keys.first,
        "order": keys.order,
        "groups": keys.groups,
        "version": info.version,
    }
    if not info.is_fifo:
        return script.load("queues/delete").call(
            info.name, list, moved=keys.moved, loads=keys.loads, rest=rest, **shared
        )
    return script.load("queues/delete_fifo").call(
        info.name,
        list,
        wake=keys.wake,
        delay_ms=info.delay_ms,
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
    return script.load("queues/change_visibility").call(
        info.name,
        lambda reply: [int(one) for one in reply],
        state=keys.state,
        log=keys.log,
        inflight=keys.inflight,
        first=keys.first,
        order=keys.order,
        groups=keys.groups,
        wake=keys.wake,
        version=info.version,
        default_ms=info.visibility_ms,
        total_ms="" if total_ms is None else total_ms,
        delay_ms=info.fifo_delay,
        rest=rest,
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
        moved=keys.moved,
        version=info.version,
        after=after,
        max=limit,
        retention_ms=info.retention_ms,
        delay_ms=info.fifo_delay,
        default_ms=info.visibility_ms,
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
    """Bytes ever accepted, envelopes included; compressed ones as they lie there."""
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
        retention_ms=info.retention_ms,
        delay_ms=info.fifo_delay,
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
        loads=keys.loads,
        version=info.version,
        retention_ms=info.retention_ms,
        window_ms=ms(info.attributes.deduplication_window),
        delay_ms=info.fifo_delay,
        attempt_ms=ms(ATTEMPT_WINDOW),
        limit=SWEEP_STEP[info.is_fifo],
    )
