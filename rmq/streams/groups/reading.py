"""Reading: one shard that is a worker's own, from the begin of its lease to the end.

Feed ──> Order ──> hands: calls of the handler, at most `concurrency` ──> checkpoint

    how it ends   finished     the shard has no more records and all are done
                  handed over  another worker asked for it   ┐ nothing new is begun, what is in
                  stopped      the worker stops              │ hand may finish, and the lease goes
                  failed       RecordFailed                  ┘ with the last checkpoint
                  lost         it has, or may have, another owner: everything is broken off
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rmq.core.events import Leased
from rmq.errors import (
    CallerError,
    InvalidParameter,
    LeaseLost,
    RmqError,
    ServerError,
)
from rmq.streams.groups.checkpoint import Checkpoint
from rmq.streams.groups.commands import Held, Note, Outcome
from rmq.streams.groups.lease import Lease
from rmq.streams.groups.order import Item, Order
from rmq.streams.record import Batch, StreamRecord

if TYPE_CHECKING:
    from rmq.streams.groups.worker import Worker

log = logging.getLogger("rmq.streams")

MOST_BYTES = 16 << 20
"""While so much waits to be handled no more is read of a shard."""
MOST_AHEAD = 50_000
"""Nor while so many records are not behind the checkpoint, done or not: that many are done again
after a crash."""
TROUBLE_S = 0.5
"""How soon to go on after trouble."""
BREATH = 100
"""Records that one hand handles without letting others run."""


class Left(Exception):
    """What would have been tried again is left to the next owner."""


class Reading:
    """A shard at work."""

    def __init__(self, worker: Worker, held: Held) -> None:
        self.worker = worker
        self.number = held.number
        self.token = held.token
        self.lease = Lease(worker.full_name, held.number, held.token, self._by_hand)
        self.behind_ms = 0
        """How long ago what was read last arrived; 0 when no more was there."""
        self._is_manual = worker.options.checkpoint == "manual"
        self._order: Order[StreamRecord] = Order(held.checkpoint)
        self._mark = held.checkpoint
        """What may be noted."""
        self._noted = held.checkpoint
        self._ends: deque[Checkpoint] = deque()
        """Of what was read in one go, each."""
        self._given: dict[tuple[int, int], Checkpoint] = {}
        """Checkpoints by hand: the records that the handler has now."""
        self.position, self._skip = held.checkpoint
        """Where to read on, and how many user records of the record there are done."""
        self._is_full = False
        """So much waits to be handled that no more is read."""
        self._is_read = False
        """No more records will come."""
        self._state = ""
        """How it ends, once it is ending."""
        self._error: Exception | None = None
        self._changed = asyncio.Event()
        self._dirty = asyncio.Event()
        self._leaving = asyncio.Event()
        self._gone = asyncio.Event()
        """The lease is another's, or may be."""
        self._hands: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_ending(self) -> bool:
        return self._state != ""

    # --- from outside ---

    def start(self) -> None:
        self._tell("begun")
        self._task = asyncio.create_task(self._run(), name=f"rmq-{self.lease.shard_id}")

    def leave(self, how: str) -> None:
        """End: begin nothing new, let what is in hand finish, note how far it came."""
        if self._state:
            return
        self._state = how
        self._leaving.set()
        self._changed.set()
        asyncio.get_running_loop().call_later(self.worker.options.grace_s, self._break_off)

    def lose(self) -> None:
        """End at once: the shard has, or may have, another owner."""
        if self._state != "lost":
            self._state = "lost"
            self.lease.is_lost = True
            self._gone.set()
            self._leaving.set()
            self._changed.set()
            self._break_off()

    def nudge(self) -> None:
        """Note what is done, whatever the checkpoint mode waits for."""
        self._dirty.set()

    async def wait(self) -> None:
        """Wait for the end."""
        if self._task is not None:
            await asyncio.wait({self._task})

    # --- the work ---

    async def _run(self) -> None:
        noting = asyncio.create_task(self._note_on(), name="rmq-note")
        try:
            try:
                await self._work()
            finally:
                await ended({noting, *self._hands})
            await self._last_words()
        except Exception as error:
            self._state, self._error = "failed", error
        finally:
            self._tell(self._state or "lost")
            self.worker.has_ended(self, self._error)

    async def _work(self) -> None:
        """Until everything is done, or it is ending and the hands are empty."""
        limit = self.worker.options.batch_size or 1
        while True:
            for hand in [one for one in self._hands if one.done()]:
                self._hands.discard(hand)
                self._look_at(hand)
            if self._state:
                if not self._hands:
                    return
            elif self._is_read and self._order.is_done:
                if await self._is_over():
                    self._state = self._state or "finished"
                continue
            else:
                while self._order.has_ready and len(self._hands) < self.worker.options.concurrency:
                    hand = asyncio.create_task(self._handle(self._order.take(limit), limit))
                    hand.add_done_callback(lambda _: self._changed.set())
                    self._hands.add(hand)
            self._changed.clear()
            await self._changed.wait()

    async def _is_over(self) -> bool:
        """Whether the shard is at its end by the stream's own word as well. To take an open one for
        finished would mean never to read it again."""
        while not self._state:
            try:
                if await self.worker.is_over(self.number):
                    return True
                self._is_read = False
                why = "it answers as if it were at its end, and is open"
            except ServerError as error:
                why = str(error)
            log.warning("%s %s: %s", self.lease.group, self.lease.shard_id, why)
            await asyncio.sleep(TROUBLE_S)
            if not self._is_read:
                self.worker.feed.nudge()
                break
        return False

    def _look_at(self, hand: asyncio.Task[None]) -> None:
        if hand.cancelled():
            return
        error = hand.exception()
        if isinstance(error, Exception) and not isinstance(error, Left) and self._error is None:
            self._error = error
            self.leave("failed")

    async def _handle(self, items: list[Item[StreamRecord]], limit: int) -> None:
        """One hand: what was taken, and what it finds ready then."""
        worker = self.worker
        turns = 0
        while items:
            if self._is_manual:
                self._given = {
                    (one.record.position, one.record.sub_sequence_number): one.past for one in items
                }
            await worker.handling.handle([one.record for one in items], self.lease, self._pause)
            worker.handled += len(items)
            if self._order.done(items) and not self._is_manual:
                self._moved()
            if self._is_full and self._has_room():
                self._is_full = False
                worker.feed.nudge()
            if self._state:
                return
            turns += len(items)
            if turns >= BREATH:
                # A handler that waits for nothing would keep everybody else from running.
                turns = 0
                await asyncio.sleep(0)
            items = self._order.take(limit)

    async def _pause(self, seconds: float) -> None:
        """Before another attempt. Raises Left."""
        leaving = asyncio.create_task(self._leaving.wait())
        sleeping = asyncio.create_task(self.worker.sleep(seconds))
        try:
            await asyncio.wait({leaving, sleeping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            sleeping.cancel()
        if self._leaving.is_set():
            raise Left

    def _break_off(self) -> None:
        for hand in self._hands:
            hand.cancel()

    # --- what is read ---

    @property
    def wants_more(self) -> bool:
        """Whether to read on from `position`."""
        return not (self._state or self._is_read or self._is_full)

    def take(self, batch: Batch) -> None:
        """What was read from `position` on."""
        order = self._order
        self.behind_ms = batch.millis_behind_latest
        for record in batch.records:
            self._add(record, self._skip if record.position == self.position else 0)
        if batch.next_position is None:
            self._is_read = True
        else:
            self.position, self._skip = batch.next_position, 0
            order.pass_to(Checkpoint(self.position))
            if batch.records:
                self._ends.append(Checkpoint(self.position))
            if order.is_done and not self._is_manual:
                self._moved()
        self._is_full = (
            order.waiting >= self.worker.options.most_waiting
            or order.bytes >= MOST_BYTES
            or order.ahead >= MOST_AHEAD
        )
        self._changed.set()

    def _has_room(self) -> bool:
        """Whether so much was done that it is worth reading on."""
        order = self._order
        return (
            order.waiting <= self.worker.options.most_waiting // 2
            and order.bytes <= MOST_BYTES // 2
            and order.ahead < MOST_AHEAD
        )

    def _add(self, record: StreamRecord, skip: int) -> None:
        """Note what a record brought: itself, or user records, of which *skip* are done."""
        found = self.worker.user_records(self.number, record)
        past = Checkpoint(record.position + 1)
        for place, one in enumerate(found, 1):
            sub = one.sub_sequence_number
            if sub >= skip:
                # What has no key has no order to keep.
                key = one.partition_key or f"\0{one.position}"
                done = past if place == len(found) else Checkpoint(one.position, sub + 1)
                self._order.add(one, key, done, one.size)
        self._order.pass_to(past)

    # --- checkpoints ---

    def _moved(self) -> None:
        """More is done from the front on."""
        self._mark = self._order.checkpoint
        passed = False
        while self._ends and self._ends[0] <= self._mark:
            self._ends.popleft()
            passed = True
        if passed or self.worker.options.checkpoint == "record":
            self._dirty.set()

    async def _note_on(self) -> None:
        """Note how far it came whenever that is due, one note at a time."""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            if self._mark <= self._noted:
                continue
            try:
                await self._note(self._mark)
            except LeaseLost:
                return
            except ServerError as error:
                log.warning("%s %s: %s", self.lease.group, self.lease.shard_id, error)
            except CallerError:
                return self.lose()

    async def _note(self, checkpoint: Checkpoint) -> None:
        """Note how far it came. Raises LeaseLost."""
        outcome = await self.worker.note(Note(self.number, self.token, checkpoint))
        if outcome in (Outcome.LOST, Outcome.BACKWARDS):
            self.lose()
            raise self._lost()
        self._noted = max(self._noted, checkpoint)
        if outcome is Outcome.WANTED:
            self.leave("handed over")

    async def _by_hand(self, record: StreamRecord) -> None:
        """The handler says that a record, and all before it, are done."""
        if not self._is_manual:
            raise InvalidParameter(
                "checkpoint", self.worker.options.checkpoint, "manual to make checkpoints by hand"
            )
        if not isinstance(record, StreamRecord) or record.shard != self.number:
            raise InvalidParameter("record", record, f"a record of {self.lease.shard_id}")
        place = (record.position, record.sub_sequence_number)
        past = self._given.get(place)
        if past is None:
            raise InvalidParameter(
                "record", record.sequence_number, "one that the handler was given in this call"
            )
        if past < self._noted:
            raise InvalidParameter(
                "record", record.sequence_number, "none before the last checkpoint"
            )
        if self.lease.is_lost:
            raise self._lost()
        self._mark = past
        await self._note(past)

    async def _last_words(self) -> None:
        """Note how far it came, and let the lease go."""
        if self._state == "lost":
            return
        at = None if self._state == "finished" else self._mark
        noting = asyncio.ensure_future(
            self.worker.note(Note(self.number, self.token, at, release=True))
        )
        gone = asyncio.ensure_future(self._gone.wait())
        try:
            # For as long as the lease is ours, which heartbeats renew meanwhile.
            await asyncio.wait((noting, gone), return_when=asyncio.FIRST_COMPLETED)
            outcome = noting.result() if noting.done() else Outcome.LOST
        except RmqError as error:
            # The lease runs out, and what was not noted is done again.
            log.warning("%s %s: %s", self.lease.group, self.lease.shard_id, error)
            outcome = Outcome.LOST
        finally:
            noting.cancel()
            gone.cancel()
        if outcome is Outcome.LOST:
            self._state = "lost"
            self.lease.is_lost = True
        elif at is not None:
            self._noted = at

    def _lost(self) -> LeaseLost:
        return LeaseLost(
            f"{self.lease.group}: the lease {self.token} of {self.lease.shard_id} has ended; "
            "another worker may have the shard",
            group=self.lease.group,
            shard_id=self.lease.shard_id,
        )

    def _tell(self, state: str) -> None:
        worker = self.worker
        log.info("%s %s: %s by %s", worker.full_name, self.lease.shard_id, state, worker.id)
        if worker.events:
            worker.events.tell(
                Leased(
                    queue=worker.stream,
                    group=worker.group,
                    shard_id=self.lease.shard_id,
                    worker=worker.id,
                    token=self.token,
                    state=state,
                )
            )


async def ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and wait until they have ended."""
    tasks = tuple(tasks)
    while pending := {one for one in tasks if not one.done()}:
        # Once may not do: asyncio.wait_for can swallow a cancel (CPython issue 86296).
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=0.2)
