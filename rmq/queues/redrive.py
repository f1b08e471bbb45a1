"""Redrive: how messages leave their queue for another, as dead letters or on their way back.

The destination may live in another cluster slot, so the move is two steps: write there, then
delete here. A crash between them repeats the first, and the destination knows a repeat.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rmq.core.codec import PLAIN, Header, pack, read_failure, unpack
from rmq.core.compression import dictionary_number, expand, is_compressed
from rmq.core.events import Moved
from rmq.core.limits import text, whole
from rmq.core.paging import Page, check_page, names_from, page_of
from rmq.core.script import Call, Plan, Sleep
from rmq.errors import BrokenEnvelope, CallerError, InvalidParameter, QueueDoesNotExist
from rmq.queues import commands, outbox
from rmq.queues.attributes import QueueInfo, queue_name
from rmq.queues.commands import Wanted
from rmq.queues.learning import learn
from rmq.queues.lifecycle import KINDS
from rmq.queues.message import message_id
from rmq.queues.outbox import Departing, RedriveTask
from rmq.queues.registry import Registry, described, known, on_known

TARGET_GONE = timedelta(minutes=1)
"""For how long dead letters stay in their queue when the dead-letter queue was found missing."""


@dataclass(frozen=True, slots=True)
class Relayed:
    """What one emptying of an outbox came to."""

    moved: int = 0
    """How many this relayer brought there."""
    stayed: int = 0
    failure: str = ""
    """Why messages stayed: CouldNotDetermineMessageSource or NonExistentQueue."""


def relay(registry: Registry, name: str) -> Plan[Relayed]:
    """Carry messages from a queue's outbox to where they go.

    1. read the head of the outbox      3. remove them here
    2. let each target accept its own

    A crash after 2 leaves them in the outbox; the next one who looks repeats 2, which the target
    knows to be a repeat. Several may do this at once.
    """
    keys = registry.keys(name)
    moved, stayed, failure = 0, 0, ""
    while True:
        departing: list[Departing] = yield outbox.outbox_read(keys, name)
        if not departing:
            return Relayed(moved, stayed, failure)
        source = yield from known(registry, name)
        if max(dictionary_number(one.packed) for one in departing) > len(source.dictionaries):
            # The one script without a version: what we know may be older than the dictionary.
            source = yield from described(registry, name)
        ends: list[tuple[Departing, bool]] = []
        targets: dict[str, list[tuple[Departing, Header | None, bytes]]] = {}
        for one in departing:
            if not one.packed:
                ends.append((one, True))
                continue
            header, body = _opened(source, one.packed)
            target = one.target or (header.source if header is not None else None)
            if target is None:
                ends.append((one, False))
                failure = "CouldNotDetermineMessageSource"
            else:
                targets.setdefault(target, []).append((one, header, body))
        keep = timedelta(0)
        for target, parts in targets.items():
            arriving = [_arriving(source, *part) for part in parts]

            def make(
                info: QueueInfo,
                source: QueueInfo = source,
                arriving: list[tuple[str, bytes, int, str]] = arriving,
            ) -> Call[int]:
                return outbox.accept(registry.keys(info.name), info, source, arriving)

            try:
                yield from on_known(registry, target, make)
            except QueueDoesNotExist:
                ends += [(one, False) for one, _, _ in parts]
                failure = "NonExistentQueue"
                keep = TARGET_GONE
            else:
                ends += [(one, True) for one, _, _ in parts]
                yield from learn(registry, target, len(parts))
                if registry.events:
                    registry.events.tell(Moved(queue=name, count=len(parts), target=target))
        try:
            stayed += sum(1 for _, arrived in ends if not arrived)
            moved += yield outbox.outbox_settle(keys, source, ends, keep)
        except QueueDoesNotExist:
            registry.drop(name)
            return Relayed(moved, stayed, failure)


def _opened(source: QueueInfo, packed: bytes) -> tuple[Header | None, bytes]:
    try:
        return unpack(expand(packed, source.dictionaries))
    except BrokenEnvelope:
        return None, packed


def _arriving(
    source: QueueInfo, one: Departing, header: Header | None, body: bytes
) -> tuple[str, bytes, int, str]:
    """A departing message as its target gets it."""
    group = one.group.decode() or (header.group_id if header is not None else None) or ""
    if header is None:
        # Broken, but not ours to lose. What is broken by one dictionary might make a sense that
        # nobody sent by another: the mark before it keeps it from being read.
        mark = b"\x00" if is_compressed(one.packed) else b""
        return one.outbox_id, mark + one.packed, 0, group
    if one.kind == "r":
        # A redriven message is a new one (Amazon SQS: StartMessageMoveTask).
        fresh = replace_header(
            header,
            group_id=None,
            id=None,
            sent_ms=None,
            receives=0,
            first_received_ms=None,
            source=None,
            failure=None,
        )
        return one.outbox_id, pack(body, fresh), 0, group
    own = bytes.fromhex(message_id(source.incarnation, one.seq).replace("-", ""))
    sent_ms = header.sent_ms if header.sent_ms is not None else one.seq // 1000
    moved = replace_header(
        header,
        group_id=None,
        id=header.id or own,
        sent_ms=sent_ms,
        receives=header.receives + one.receive_count,
        first_received_ms=header.first_received_ms or one.first_received_ms or None,
        source=source.name,
        failure=read_failure(one.failure) or header.failure,
    )
    return one.outbox_id, pack(body, moved), 0 if source.is_fifo else sent_ms, group


def replace_header(header: Header, **changes: Any) -> Header:
    """A header with some fields changed; PLAIN again when nothing is left in it."""
    fields = {name: getattr(header, name) for name in Header.__struct_fields__} | changes
    made = Header(**fields)
    return PLAIN if made == PLAIN else made


def dead_letter_sources(registry: Registry, name: str, limit: int, token: str | None) -> Plan[Page]:
    """Names of the queues whose dead letters come here."""
    check_page("", limit, token)
    yield from described(registry, name)
    keys = registry.keys(name)
    names = yield names_from(keys.sources, name, "", token, limit + 1)
    page = page_of(names, limit)
    found = []
    for source in page.names:
        # A crash between two steps of a change can leave a name behind: ask the queue itself.
        try:
            info = yield from described(registry, source)
        except QueueDoesNotExist:
            continue
        policy = info.attributes.redrive_policy
        if policy is not None and policy.dead_letter_queue == name:
            found.append(source)
    return Page(tuple(found), page.next_token)


def start_redrive(
    registry: Registry, name: str, destination: str | None, max_per_second: int | None
) -> Plan[RedriveTask]:
    """Note a redrive task. Somebody must then drive it."""
    if max_per_second is not None:
        whole(max_per_second, "max_per_second", 1, registry.limits.max_redrive_rate)
    if destination is not None:
        if queue_name(destination) == name:
            raise InvalidParameter("destination", destination, "another queue")
        if destination.endswith(".fifo") != name.endswith(".fifo"):
            raise InvalidParameter("destination", destination, KINDS[name.endswith(".fifo")])
        yield from described(registry, destination)
    token: str | None = None
    while True:
        sources = yield from dead_letter_sources(registry, name, 100, token)
        if len(sources) or sources.next_token is None:
            break
        token = sources.next_token
    if not len(sources):
        raise InvalidParameter("source queue", name, "the dead-letter queue of some queue")
    counts, _ = yield from on_known(
        registry, name, lambda info: commands.stats(registry.keys(name), info)
    )
    keys = registry.keys(name)
    # Sorted by name they are sorted by start, also where a held clock stands still.
    id = f"{registry.clock.now_ms():013d}-{time.time_ns():016x}{os.urandom(4).hex()}"
    yield from on_known(
        registry,
        name,
        lambda info: outbox.redrive_start(
            keys, info, id, destination or "", max_per_second or 0, counts.visible
        ),
    )
    task: RedriveTask = yield outbox.redrive_beat(keys, name, id, 0, "RUNNING")
    return task


def drive_redrive(
    registry: Registry, task: RedriveTask, progress: Callable[[RedriveTask], None] | None = None
) -> Plan[RedriveTask]:
    """Move messages until the task is done, cancelled or failed; at its rate, in order."""
    name, keys = task.source, registry.keys(task.source)
    rate = task.max_per_second
    step = min(outbox.RELAY_STEP, rate or outbox.RELAY_STEP)
    wanted = Wanted(max_messages=step, redrive_to=task.destination or "", sweep=False)
    try:
        while True:
            got = yield from on_known(
                registry, name, lambda info: commands.receive(keys, info, wanted, _unwanted)
            )
            done = Relayed()
            if got.flags & commands.MOVED:
                done = yield from relay(registry, name)
            status = "RUNNING"
            if done.failure:
                status = "FAILED"
            elif not got.flags & (commands.MOVED | commands.MORE):
                status = "COMPLETED"
            task = yield outbox.redrive_beat(
                keys, name, task.id, got.moved - done.stayed, status, done.failure
            )
            if progress is not None:
                progress(task)
            if task.status != "RUNNING":
                return task
            if rate is not None:
                yield Sleep(step / rate)
    except CallerError as error:
        # The queue may be gone, and the task with it.
        with suppress(CallerError):
            yield outbox.redrive_beat(keys, name, task.id, 0, "FAILED", error.code)
        raise


def _unwanted(*parts: Any) -> None:
    raise AssertionError(f"a redrive received a message: {parts[1]}")


def cancel_redrive(registry: Registry, name: str, id: str) -> Plan[RedriveTask]:
    """Ask a running task to stop. What it moved stays moved."""
    text(id, "id", 1, 64)
    yield from described(registry, name)
    keys = registry.keys(name)
    task: RedriveTask | None = yield outbox.redrive_cancel(keys, name, id)
    if task is not None:
        return task
    tasks: list[RedriveTask] = yield outbox.redrive_tasks(keys, name)
    return next(one for one in tasks if one.id == id)


def redrive_tasks(registry: Registry, name: str, limit: int) -> Plan[list[RedriveTask]]:
    """The newest tasks first."""
    whole(limit, "limit", 1, outbox.TASKS_KEPT)
    yield from described(registry, name)
    tasks: list[RedriveTask] = yield outbox.redrive_tasks(registry.keys(name), name)
    return tasks[:limit]
