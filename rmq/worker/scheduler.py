"""Scheduler: fires what is due, exactly once for each moment, whoever dies.

Every worker runs one; the one that holds the lease fires.

 1. look   take or renew the lease, and read what is due. A new holder gets a higher fence.
 2. fire   with the fence: each moment leaves the schedule and enters the outbox, in one script. One
           whose lease was taken meanwhile is refused; a moment that was fired is not the next one
           any more, so a repeat fires nothing.
 3. relay  the outbox to the queues, in order and from its head. A queue remembers the last seq that
           it took from the app, so a relay that is repeated, or late, sends nothing twice.
 4. settle what is in its queue leaves the outbox.

A crash between any two of them leaves what the next one finishes. Nothing here depends on the lease
but that others need not look.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from rmq.client.aio import AsyncClient
from rmq.core import script
from rmq.core.keys import FleetKeys
from rmq.core.limits import SCRIPT_MESSAGES
from rmq.core.script import Block, Call, Plan, Sleep, text_of
from rmq.core.waiting import settled, told
from rmq.errors import CallerError, SchedulerLeaseLost, ServerError
from rmq.queues import arriving
from rmq.queues.arriving import Line
from rmq.queues.attributes import QueueInfo
from rmq.queues.outgoing import Outgoing, prepare
from rmq.queues.registry import Registry, on_known
from rmq.worker import moments
from rmq.worker.schedules import Record, check_app, when_of

log = logging.getLogger("rmq.worker")

LEASE_MS = 15_000
"""For how long nobody fires when the holder dies without a word."""
RENEW_MS = 5_000
"""How often the holder looks at least."""
UNREADABLE_MS = 1_000
"""How soon it is looked again where something is due that can not be read."""
MOST = 100
"""Schedules in one look; what is more follows at once."""
TROUBLE_S = 1.0
"""How soon it is tried again when Redis could not be reached."""
_IDS = uuid.UUID("8f0c2ad2-6a0b-4d2d-9f0e-6d1c5b1f2a10")
"""Ids of scheduled tasks are made from this, the app, the schedule and the moment."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a look found."""

    fence: int
    """0 where another one holds the lease."""
    now_ms: int
    sleep_ms: int
    """Until the next moment, or the end of the other's lease; -1 where no moment is known."""
    outbox: int
    due: list[tuple[str, int, bytes]]
    """Name, moment, and the schedule as it is stored."""


def look(keys: FleetKeys, app: str, holder: str, lease_ms: int = LEASE_MS) -> Call[Look]:
    """Take or renew the lease, and read what is due; *lease_ms* 0 gives the lease back."""

    def parse(reply: Sequence[Any]) -> Look:
        found = [
            (text_of(reply[at]), int(reply[at + 1]), reply[at + 2])
            for at in range(4, len(reply), 3)
        ]
        return Look(int(reply[0]), int(reply[1]), int(reply[2]), int(reply[3]), found)

    return script.load("worker/schedule_look").call(
        app,
        parse,
        state=keys.schedule_state,
        due=keys.schedule_due,
        schedules=keys.schedules,
        outbox=keys.schedule_outbox,
        wake=keys.schedule_wake,
        holder=holder,
        lease_ms=lease_ms,
        most=MOST,
    )


def tick(registry: Registry, keys: FleetKeys, app: str, holder: str) -> Plan[Look]:
    """Fire what is due and bring it to the queues, if the lease is ours. What the last look
    found."""
    while True:
        seen: Look = yield look(keys, app, holder)
        if not seen.fence:
            return seen
        fired, moments_of = 0, _moments(seen)
        if moments_of:
            try:
                fired = yield _fire(keys, app, holder, seen, moments_of)
            except SchedulerLeaseLost:
                continue
        if fired or seen.outbox:
            yield from relay(registry, keys, app)
        elif not moments_of:
            # What nobody here can read stays due; it is no reason to look all the time.
            return replace(seen, sleep_ms=UNREADABLE_MS) if seen.due else seen


def _moments(seen: Look) -> list[Any]:
    """Of what is due: name, the moment that was due, the next one, how many fire, these."""
    found: list[Any] = []
    for name, next_ms, stored in seen.due:
        try:
            record = msgspec.json.decode(stored, type=Record)
            catch_up = moments.check_catch_up(record.catch_up)
            fire, after = moments.due(
                when_of(record), next_ms, seen.now_ms, catch_up, record.until_ms
            )
        except (CallerError, msgspec.MsgspecError) as error:
            # A newer release wrote it, or cronsim is missing: another worker may read it.
            log.error("schedule %s can not be read here: %s", name, error)
            continue
        found += [name, next_ms, after or 0, len(fire), *fire]
    return found


def _fire(
    keys: FleetKeys, app: str, holder: str, seen: Look, moments_of: Sequence[Any]
) -> Call[int]:
    return script.load("worker/schedule_fire").call(
        app,
        int,
        state=keys.schedule_state,
        due=keys.schedule_due,
        schedules=keys.schedules,
        outbox=keys.schedule_outbox,
        runs=keys.schedule_runs,
        holder=holder,
        fence=seen.fence,
        incarnation=os.urandom(8).hex(),
        rest=moments_of,
    )


# --- the outbox ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fired:
    """A moment that is not in its queue yet."""

    seq: int
    name: str
    at_ms: int
    record: Record
    token: str
    """Of the trigger; '' where it was due by itself."""


def relay(registry: Registry, keys: FleetKeys, app: str) -> Plan[int]:
    """Bring all that was fired to its queues. How many messages that were."""
    total = 0
    while True:
        incarnation, waiting = yield _outbox(keys, app)
        if not waiting:
            return total
        by_queue: dict[str, list[Fired]] = {}
        for one in waiting:
            by_queue.setdefault(one.record.queue, []).append(one)
        line = Line(f"w:{app}", incarnation)
        lost: dict[int, str] = {}
        for queue, ones in by_queue.items():
            step = SCRIPT_MESSAGES[queue.endswith(".fifo")]
            for at in range(0, len(ones), step):
                some = ones[at : at + step]
                try:
                    yield from _bring(registry, queue, app, line, some, lost)
                except CallerError as error:
                    lost.update({one.seq: str(error) for one in some})
        for one in waiting:
            if one.seq in lost:
                log.error("schedule %s: nothing was sent: %s", one.name, lost[one.seq])
        total += len(waiting) - len(lost)
        rest = [part for one in waiting for part in (one.seq, one.name, lost.get(one.seq, ""))]
        yield script.load("worker/schedule_settle").call(
            app, int, outbox=keys.schedule_outbox, runs=keys.schedule_runs, rest=rest
        )


def _bring(
    registry: Registry,
    queue: str,
    app: str,
    line: Line,
    ones: Sequence[Fired],
    lost: dict[int, str],
) -> Plan[int]:
    return on_known(registry, queue, lambda info: _deliver(registry, info, app, line, ones, lost))


def _outbox(keys: FleetKeys, app: str) -> Call[tuple[str, list[Fired]]]:
    def parse(reply: Sequence[Any]) -> tuple[str, list[Fired]]:
        found = []
        for at in range(1, len(reply), 5):
            seq, name, at_ms, record, token = reply[at : at + 5]
            read = msgspec.json.decode(record, type=Record)
            found.append(Fired(int(seq), text_of(name), int(at_ms), read, text_of(token)))
        return text_of(reply[0]), found

    return script.load("worker/schedule_outbox").call(
        app, parse, state=keys.schedule_state, outbox=keys.schedule_outbox, most=MOST
    )


def _deliver(
    registry: Registry,
    info: QueueInfo,
    app: str,
    line: Line,
    ones: Sequence[Fired],
    lost: dict[int, str],
) -> Call[int]:
    keys = registry.keys(info.name)
    ready: list[tuple[int, Any]] = []
    for one in ones:
        try:
            ready.append((one.seq, prepare(info, registry.limits, _message(info, app, one))))
        except CallerError as error:
            lost[one.seq] = str(error)
    if info.is_fifo:
        parts = [(seq, key, group, packed) for seq, (key, group, packed) in ready]
        return arriving.deliver_fifo(keys, info, line, parts)
    rest: list[Any] = []
    for seq, (packed, delay) in ready:
        _, _, group = str(delay).partition(" ")
        rest += [packed, f"{seq} {group}" if group else seq]
    return arriving.deliver(keys, info, line, ready[0][0] if ready else 0, rest)


def _message(info: QueueInfo, app: str, one: Fired) -> Outgoing:
    record, at = one.record, datetime.fromtimestamp(one.at_ms / 1000, UTC)
    scheduled_at = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    which = f"{app}/{one.name}/{one.at_ms}/{one.token}"
    group = record.group_id or (one.name[:128] if info.is_fifo else None)
    message = Outgoing(record.body, message_group_id=group)
    if info.is_fifo:
        message.deduplication_id = uuid.uuid5(_IDS, which).hex
    if record.is_task:
        fields = msgspec.json.decode(record.body)
        fields |= {
            "id": str(uuid.uuid5(_IDS, which)),
            "schedule": one.name,
            "scheduled_at": scheduled_at,
        }
        message.body = msgspec.json.encode(fields)
    else:
        message.attributes = {"rmq.schedule": one.name, "rmq.scheduled_at": scheduled_at}
    return message


# --- the loop -----------------------------------------------------------------------------------


class Scheduler:
    """One worker's part in firing an app's schedules."""

    def __init__(self, client: AsyncClient, app: str = "app") -> None:
        self.app = check_app(app)
        self.keys = FleetKeys(client.namespace, app)
        self.holder = uuid.uuid4().hex
        self._is_resting = self._is_ending = False
        self._registry = client._registry
        self._executor = client._executor

    async def tick(self) -> Look:
        """Fire all that is due now, if the lease is ours or free."""
        return await self._executor.run(tick(self._registry, self.keys, self.app, self.holder))

    async def run(self, stopping: asyncio.Event) -> None:
        """Fire what becomes due until *stopping* is set, then give the lease back. Trouble with
        Redis is waited out."""
        self._is_ending = False
        stop = asyncio.create_task(stopping.wait(), name="rmq-scheduler-stop")
        work: asyncio.Task[Any] | None = None
        try:
            while not stop.done():
                work = asyncio.create_task(self._round(), name="rmq-scheduler")
                await asyncio.wait((stop, work), return_when=asyncio.FIRST_COMPLETED)
                if work.done():
                    work.result()
        finally:
            self._is_ending = True
            stop.cancel()
            if work is not None and not work.done():
                # A look that is under way would take the lease again after it was given back.
                if not self._is_resting:
                    await settled((work,), TROUBLE_S)
                work.cancel()
                await asyncio.wait((work,))
            with suppress(ServerError):
                giving_up = self._executor.call(look(self.keys, self.app, self.holder, 0))
                await told(giving_up, TROUBLE_S)

    async def _round(self) -> None:
        try:
            self._is_resting = False
            seen = await self.tick()
            if self._is_ending:
                return
            self._is_resting = True
            await self._executor.run(_rest(self.keys, seen))
        except ServerError as error:
            log.warning("the scheduler waits for Redis: %s", error)
            await asyncio.sleep(TROUBLE_S)


def _rest(keys: FleetKeys, seen: Look) -> Plan[None]:
    """Wait for the next moment or a change of the schedules; without the lease, for its end."""
    if not seen.fence:
        # Not all at the same moment.
        yield Sleep(max(seen.sleep_ms, 100) / 1000 + random.random())
        return
    wait_ms = RENEW_MS if seen.sleep_ms < 0 else min(seen.sleep_ms, RENEW_MS)
    if wait_ms > 0:
        yield Block(keys.schedule_wake, wait_ms)
