"""Line: one inner queue at work. Its messages are received as there is room for them, each is sent
in a task of its own, and what became of it is said to the queue:

    delivered                          deleted
    Passing, and a try is left         invisible until the delivery policy's next try
    Permanent, or no try is left       to the dead-letter queue, then deleted

A message is leased while it is sent. A dispatcher that dies says nothing, and the lease runs out.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from rmq.core.codec import Header
from rmq.core.events import Pushed
from rmq.errors import BrokenEnvelope, CallerError, QueueDoesNotExist, RmqError, ServerError
from rmq.push import commands
from rmq.push.job import Job, Passing, Permanent, Told
from rmq.push.jobs import Jobs, Waiting
from rmq.push.subjects import Subject
from rmq.queues import plans
from rmq.queues.aio import AsyncQueue
from rmq.topics import inner, ready
from rmq.topics.delivery_policy import jittered
from rmq.topics.inner import LEASE
from rmq.topics.ready import Claimed

if TYPE_CHECKING:
    from rmq.push.desk import Desk

log = logging.getLogger("rmq.push")

EXTEND_S = LEASE.total_seconds() / 3
"""How often the lease of a message that is still being sent is renewed."""
OFFER_MS = 1_000
"""How soon others may take from an inner queue that keeps us as busy as it may."""
TROUBLE_MS = 1_000
"""How soon a line goes on that met trouble with Redis."""
BURY_AGAIN = timedelta(seconds=20)
"""How soon a dead-letter queue that could not be reached is tried again."""


@dataclass(slots=True)
class _Sending:
    message: Waiting
    leased: float
    """When its lease was last renewed, by the monotonic clock."""


class Line:
    """One inner queue, for as long as this dispatcher finds something to do in it."""

    def __init__(self, desk: Desk, claimed: Claimed) -> None:
        self.claimed = claimed
        self.is_offered = False
        """Whether the claim is up for others."""
        self._desk = desk
        self._registry = desk.registry
        self._work = claimed.work
        self._queue = AsyncQueue(claimed.work.queue, desk.registry.inner, desk.together)
        self._jobs = Jobs(desk.dispatcher, desk.registry)
        self._sending: dict[asyncio.Task[None], _Sending] = {}
        self._more = asyncio.Event()

    @property
    def is_busy(self) -> bool:
        """Whether a message is being sent."""
        return bool(self._sending)

    def nudge(self, claimed: Claimed) -> None:
        """There is something new in it, and its claim is ours again."""
        self.claimed, self.is_offered = claimed, False
        self._more.set()

    def wake(self) -> None:
        """Look whether the dispatcher is stopping."""
        self._more.set()

    async def work(self) -> None:
        """Send what is due, and say when to look again."""
        while True:
            try:
                again_ms = await self._drain()
            except QueueDoesNotExist:
                again_ms = 0
            except ServerError as error:
                log.warning("inner queue %s: %s", self._work.queue, error)
                again_ms = self._now_ms() + TROUBLE_MS
            finally:
                await self._end_sending()
            with suppress(ServerError):
                await self._desk.together.call(
                    ready.done(self._registry.push, self.claimed, again_ms)
                )
            if not self._more.is_set() or self._desk.is_stopping:
                return

    async def extend(self) -> None:
        """Renew the leases of what is being sent for long."""
        now = time.monotonic()
        old = [one for one in self._sending.values() if now - one.leased >= EXTEND_S]
        for one in old:
            one.leased = now
        await asyncio.gather(*(self._quietly(self._later(one.message, LEASE)) for one in old))

    # --- taking messages ---

    async def _drain(self) -> int:
        """Send until nothing is due. When to look again (ms); 0 for never."""
        desk, empty, is_dry = self._desk, False, False
        slots = desk.dispatcher.slots
        while not desk.is_stopping:
            room = self._room()
            if room <= 0:
                await self._offer()
                # What was being sent may have ended meanwhile, and then nothing wakes us.
                if self._room() <= 0:
                    await self._until_news()
                continue
            subject = await self._subject()
            if self._work.topic and subject is None:
                await desk.together.run(inner.remove(self._registry, self._work.queue))
                return 0
            messages: list[Waiting] = []
            pause_ms = 0
            # Where the last look took all there was, and that is sent, nothing is left to look for.
            if not is_dry or self._sending or self._more.is_set():
                # Not before there is room to send it: a lease begins with the receive.
                taken = await slots.take(room)
                self._more.clear()
                try:
                    if taken:
                        messages, pause_ms = await self._receive(subject, taken)
                finally:
                    slots.give(taken - len(messages))
                for message in messages:
                    self._start(self._one(subject, message), message)
                is_throttled = subject is not None and subject.policy.max_per_second is not None
                is_dry = 0 < len(messages) < taken and not is_throttled
            empty = empty and not messages and not self._more.is_set()
            if self._more.is_set() or (messages and not is_dry):
                continue
            if pause_ms:
                if not self._sending:
                    return self._now_ms() + pause_ms
                # Nothing that happens meanwhile makes the limit another one.
                await asyncio.wait(set(self._sending), timeout=pause_ms / 1000)
                continue
            if self._sending:
                await self._until_news()
                continue
            if desk.is_stopping:
                break
            due_ms = await desk.together.call(
                commands.inner_due(self._registry.inner.keys(self._work.queue), self._work.queue)
            )
            if due_ms == 0 or due_ms > self._now_ms() or empty:
                # Twice empty, and yet something is said to be there: nothing that we can get now.
                return due_ms and max(due_ms, self._now_ms() + empty * TROUBLE_MS)
            empty, is_dry = True, False
        return self._now_ms()

    def _room(self) -> int:
        """How many more may be sent at a time."""
        return self._desk.dispatcher.room(self._work) - len(self._sending)

    async def _offer(self) -> None:
        """Let another dispatcher work on it too: we have our hands full. In a moment, whoever comes
        first claims it; it may be us again."""
        self._more.clear()
        if self.is_offered:
            return
        at_ms = self._now_ms() + OFFER_MS
        await self._desk.together.call(ready.done(self._registry.push, self.claimed, at_ms))
        self.claimed, self.is_offered = Claimed(self._work, at_ms), True

    async def _subject(self) -> Subject | None:
        if not self._work.topic:
            return None
        return await self._desk.subjects.find(self._work.topic, self._work.queue)

    async def _receive(self, subject: Subject | None, want: int) -> tuple[list[Waiting], int]:
        """Up to *want* messages; where the throttle allows none, for how long (ms)."""
        desk, name = self._desk, self._work.queue
        rate = subject.policy.max_per_second if subject else None
        keys = self._registry.inner.keys(name)
        if rate is not None:
            want, wait_ms = await desk.together.call(commands.throttle(keys, name, rate, want))
            if want == 0:
                desk.dispatcher.counters.throttled += 1
                return [], wait_ms
        found: list[Waiting] = []
        try:
            found = await desk.together.run(
                plans.receive(
                    self._registry.inner, name, Waiting, max_messages=want, wait=timedelta(0)
                )
            )
        finally:
            if rate is not None and len(found) < want:
                give_back = commands.throttle(keys, name, rate, len(found) - want)
                await self._quietly(desk.together.call(give_back))
        return found, 0

    def _start(self, work: Coroutine[Any, Any, None], message: Waiting) -> None:
        task = asyncio.create_task(work, name="rmq-push")
        self._sending[task] = _Sending(message, time.monotonic())
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._sending.pop(task, None)
        self._desk.dispatcher.slots.give(1)
        if not task.cancelled() and task.exception() is not None:
            log.error("a delivery ended by a bug", exc_info=task.exception())

    async def _until_news(self) -> None:
        """Until a message was sent, or something new came."""
        news = asyncio.ensure_future(self._more.wait())
        try:
            await asyncio.wait({*self._sending, news}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()

    async def _end_sending(self) -> None:
        """Let what is under way end by the dispatcher's deadline, and give the rest back."""
        tasks = set(self._sending)
        if not tasks:
            return
        await asyncio.wait(tasks, timeout=self._desk.dispatcher.patience())
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    # --- one message ---

    async def _one(self, subject: Subject | None, message: Waiting) -> None:
        counters = self._desk.dispatcher.counters
        counters.sending += 1
        try:
            try:
                job = await self._jobs.make(subject, message)
            except (BrokenEnvelope, msgspec.MsgspecError, UnicodeDecodeError) as error:
                log.warning("message %s can not be read: %s", message.receipt.seq, error)
                await self._end(subject, message, None, "failed")
                return
            except ServerError as error:
                log.warning("message %s: %s", message.id, error)
                await self._later(message, timedelta(milliseconds=TROUBLE_MS))
                return
            await self._try(subject, message, job)
        except asyncio.CancelledError:
            # We are stopped. Whether it arrived nobody knows: somebody else tries again, at once.
            await self._quietly(self._later(message, timedelta(0)))
            raise
        except RmqError as error:
            # Nothing more can be said to the queue: the lease runs out.
            log.warning("inner queue %s: %s", self._work.queue, error)
        finally:
            counters.sending -= 1

    async def _try(self, subject: Subject | None, message: Waiting, job: Job) -> None:
        dispatcher = self._desk.dispatcher
        breakers, now_ms = dispatcher.breakers, self._now_ms()
        age = timedelta(milliseconds=max(now_ms - message.published_ms, 0))
        delay = job.policy.delay(job.attempt, age)
        key = f"{job.protocol} {job.endpoint}"
        is_refused = not breakers.admits(key, now_ms) and delay is not None
        least = timedelta(0)
        try:
            if is_refused:
                least = timedelta(milliseconds=breakers.wait_ms(key, now_ms))
                raise Passing("its breaker is open")
            await self._send(job)
        except (Permanent, CallerError) as error:
            # It answered, or was never asked.
            breakers.succeeded(key)
            delay, why = None, str(error)
        except asyncio.CancelledError:
            breakers.left(key)
            raise
        except Exception as error:
            if not isinstance(error, (Passing, ServerError)):
                log.exception("a sender of %s failed", job.protocol)
            elif isinstance(error, Passing) and error.retry_after is not None:
                least = error.retry_after
            if not is_refused:
                breakers.failed(key, self._now_ms())
            why = str(error)
        else:
            breakers.succeeded(key)
            await self._end(subject, message, job, "delivered")
            return
        if delay is not None:
            dispatcher.counters.refused += is_refused
            self._tell(job, message, "retried")
            await self._later(message, max(jittered(delay, dispatcher.random()), least))
            return
        log.warning(
            "%s to %s of %s is given up after %d: %s",
            job.message.id,
            job.protocol,
            job.subscription_arn or self._work.queue,
            job.attempt,
            why,
        )
        if not await self._bury(subject, message, job):
            return
        await self._end(subject, message, job, "failed")
        sender = dispatcher.senders.get(job.protocol)
        if isinstance(sender, Told):
            await self._quietly(sender.given_up(job, why))

    async def _send(self, job: Job) -> None:
        if job.protocol == "sqs":
            try:
                await self._desk.ask_queue(job.endpoint, job.message.topic_arn, job.payload)
            except CallerError as error:
                raise Permanent(str(error)) from error
            return
        sender = self._desk.dispatcher.senders.get(job.protocol)
        if sender is None:
            # Another dispatcher may have one, or this one after its next start.
            raise Passing(f"no sender of {job.protocol} is set up here")
        await sender.send(job)

    async def _bury(self, subject: Subject | None, message: Waiting, job: Job) -> bool:
        """Bring it to the dead-letter queue, if there is one. False where that has to wait."""
        arn = subject.subscription.attributes.dead_letter_queue if subject else None
        if arn is None:
            return True
        attributes = job.header.attributes if job.raw else {}
        try:
            await self._desk.to_queue(arn, job.payload, Header(attributes=attributes))
        except CallerError as error:
            log.warning("%s is dropped: its dead-letter queue: %s", job.message.id, error)
        except ServerError as error:
            log.warning("%s waits for its dead-letter queue: %s", job.message.id, error)
            await self._later(message, BURY_AGAIN)
            return False
        else:
            self._desk.dispatcher.counters.dead_letters += 1
        return True

    async def _end(
        self, subject: Subject | None, message: Waiting, job: Job | None, outcome: str
    ) -> None:
        """It is done with, one way or the other."""
        latency_ms = self._tell(job, message, outcome)
        if subject is not None:
            self._desk.count(self._work, outcome == "delivered", latency_ms)
        await self._queue.delete(message)

    def _tell(self, job: Job | None, message: Waiting, outcome: str) -> int:
        counters = self._desk.dispatcher.counters
        setattr(counters, outcome, getattr(counters, outcome) + 1)
        if job is None:
            return 0
        latency_ms = max(self._now_ms() - message.published_ms, 0)
        if self._registry.events:
            self._registry.events.tell(
                Pushed(
                    queue=self._work.queue,
                    topic=self._work.topic,
                    protocol=job.protocol,
                    outcome=outcome,
                    latency_ms=latency_ms,
                )
            )
        return latency_ms

    async def _later(self, message: Waiting, delay: timedelta) -> None:
        """Leave it in the queue, invisible for *delay*."""
        # Without a lease it is somebody else's by now.
        with suppress(CallerError):
            await self._queue.change_visibility(message, delay)

    async def _quietly(self, work: Coroutine[Any, Any, Any]) -> None:
        """What may fail: a lease runs out by itself, and a throttle fills up."""
        with suppress(RmqError):
            await work

    def _now_ms(self) -> int:
        return self._registry.clock.now_ms()
