"""Consumer: one queue at work in one process.

    receive as many as there are free slots ── look at those that came before ── route ── run
        done      deleted, together with whatever else is done at that time
        failed    invisible until the next try, or to the dead-letter queue
        stopped   given back, and not counted

A message is held from its receive until Redis has heard what became of it; so long its lease is
renewed, see leases.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from rmq.core.coalesce import AsyncCoalescer
from rmq.core.codec import Crash, Failure
from rmq.core.script import Plan
from rmq.errors import BrokenEnvelope, QueueDoesNotExist, RmqError, ServerError
from rmq.queues import plans
from rmq.queues.aio import AsyncMessage
from rmq.worker import trials as trial
from rmq.worker.blackbox import DONE, FAILING, RUNNING
from rmq.worker.callee import Callee, is_context
from rmq.worker.context import Context
from rmq.worker.following import Following
from rmq.worker.gate import Limit
from rmq.worker.handler import Intake, Routed
from rmq.worker.held import Held
from rmq.worker.middleware import call
from rmq.worker.policy import Policy
from rmq.worker.queues import dead_letter_queue, make_queue
from rmq.worker.ran import Outcome, Ran
from rmq.worker.verdicts import (
    Reject,
    Retry,
    TimeLimitExceeded,
    UnknownTask,
    Unreadable,
    WorkerLost,
)

if TYPE_CHECKING:
    from rmq.worker.task import TaskMessage
    from rmq.worker.worker import Worker

T = TypeVar("T")
log = logging.getLogger("rmq.worker")

WAIT_S = 20.0
"""How long one receive waits for a first message."""
MOST = 1000
"""The most that one receive takes."""
PIPELINED = 32
"""From so many slots on there are two receives, each for half of them: while Redis answers the one,
we work on what the other brought."""
TROUBLE_S = 1.0
"""How soon it goes on after trouble with Redis, which was retried for longer than that before."""
AWAY_S = 2.0
"""When a worker ends, it does not wait longer than this for a Redis that is away."""
CRASH_WAIT_S = 60
"""The longest that a message waits that was with a lost worker: 1, 2, 4 .. seconds."""
TEXT_BYTES = 2_000
TRACEBACK_BYTES = 16_000
"""Of an error, what travels with a dead letter."""
TOLD = (Reject, Retry, Unreadable, UnknownTask, WorkerLost, TimeLimitExceeded)
"""Errors that say all in their words; where they were raised says nothing more."""
USUAL = Policy()
"""For what can not be routed to anybody's policy."""


class Consumer:
    """One queue at work."""

    def __init__(self, worker: Worker, intake: Intake) -> None:
        self.worker = worker
        self.intake = intake
        self.options = intake.options
        self.hand: dict[AsyncMessage, Held] = {}
        """All that was received and is not settled. The leases' thread reads it."""
        self.polled = time.monotonic()
        """When it last asked for messages, or had no room for any."""
        self.running = 0
        """Handlers that are under way."""
        self.handled = self.failed = self.dead = self.returned = 0
        self.watch: Callable[[Ran], None] | None = None
        """Is told of each run; for tests."""
        self._queue = worker.client.queue(self.options.queue)
        self._box = worker.box
        self._registry = worker.client._registry
        self._executor = worker.client._executor
        self._used = 0
        """Slots that are taken, by messages and by receives that ask for some."""
        self._asked = 0
        self._freed = asyncio.Event()
        most = min(MOST, worker.client.limits.max_receive or MOST)
        is_piped = self.options.batch is None and self.capacity >= PIPELINED
        self._receives = 2 if is_piped else 1
        self._share = min(-(-self.capacity // self._receives), most)
        """The most that one receive asks for."""
        self._slots = asyncio.Semaphore(self.options.concurrency)
        """Of batches."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._done: list[Held] = []
        self._done_some = asyncio.Event()
        self._releases: AsyncCoalescer[tuple[AsyncMessage, timedelta], int] = AsyncCoalescer(
            self._release_failed
        )
        self._burials: AsyncCoalescer[tuple[AsyncMessage, Failure], int] = AsyncCoalescer(
            self._bury_many
        )
        self._bound: dict[Callee, dict[str, Any]] = {}
        """What each function gets beside its payload and its context."""
        self._needs: dict[Callee, dict[str, Any]] = {}
        """The resources that those which run elsewhere get there."""
        self._context_names: dict[Callee, tuple[str, ...]] = {}
        self._receivers: list[asyncio.Task[None]] = []
        self._idle: set[asyncio.Task[Any]] = set()
        """Receivers that wait for room or for messages."""
        self._acknowledger: asyncio.Task[None] | None = None
        self._is_ending = False
        self._held_up = 0
        """Receivers that a pause or a limit of the fleet holds up."""
        self._interrupted: set[asyncio.Task[Any]] = set()
        """Receivers that are to look again whether they may."""
        limits = self.options.limits
        self._queue_limits = tuple(one for one in limits if one.by is None)
        """Asked before messages are received."""
        self._message_limits = tuple(one for one in limits if one.by is not None)

    @property
    def buffered(self) -> int:
        """Messages that were received, and whose handler has not begun."""
        return sum(1 for one in self.hand.values() if not one.started)

    @property
    def has_room(self) -> bool:
        """Whether it could take more than it has, and the fleet lets it."""
        return not self._held_up and self._used - self._asked < self.capacity

    @property
    def capacity(self) -> int:
        """Messages that may be in hand."""
        return self.options.capacity

    # --- its life ---

    async def start(self) -> None:
        """Begin to receive; it was prepared."""
        self._acknowledger = asyncio.create_task(self._acknowledge(), name="rmq-acknowledge")
        work: Callable[[], Any] = self._receive_all
        if self.options.batch is not None:
            work = self._receive_batches
        for _ in range(self._receives):
            self._receivers.append(asyncio.create_task(work(), name="rmq-receive"))

    async def prepare(self) -> None:
        """What has to be known before the first message."""
        for one in self.intake.callees:
            if one.mode == "process":
                self._needs[one] = self.worker.resources.needs(one)
            else:
                self._bound[one] = await self.worker.resources.for_callee(one)
            self._context_names[one] = tuple(
                name for name, parameter in one.parameters.items() if is_context(parameter)
            )

    def stop_receiving(self) -> None:
        """Take nothing more. What is buffered goes back, what runs goes on."""
        for one in tuple(self._idle):
            one.cancel()

    async def drained(self) -> None:
        """Wait until nothing runs any more."""
        if self.options.batch is not None:
            self._slots.release()  # whoever waits for one finds that nothing more is begun
        if self._receivers:
            await asyncio.wait(self._receivers)
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))

    async def abandon(self) -> None:
        """End what runs, as far as it can be ended, and give back all that is in hand."""
        for _ in range(2):
            tasks = tuple(one for one in self._tasks if not one.done())
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=self.worker.CANCEL_S)
        await self._give_back([one for one in self.hand.values() if not one.is_settled])

    async def drain(self) -> int:
        """Work on what is due now, one message (or batch) after the other. How many there were."""
        count, batch = 0, self.options.batch
        while True:
            messages = await self._receive(min(1 if batch is None else batch.size, self._share), 0)
            if not messages:
                return count
            held = await self._hold(messages)
            if batch is not None:
                await self._work_batch(held)
            else:
                for one in held:
                    await self._work_one(one)
            await self._flush(insist=True)
            count += len(held)

    async def finish(self) -> None:
        """Tell Redis of all that is done, once more at least."""
        self._is_ending = True
        self._done_some.set()
        tasks = set() if self._acknowledger is None else {self._acknowledger}
        if tasks:
            # It ends by itself, unless Redis is away. A cancel alone could be lost in the midst of
            # a call (CPython issue 86296).
            _, tasks = await asyncio.wait(tasks, timeout=AWAY_S)
        while tasks:
            for task in tasks:
                task.cancel()
            _, tasks = await asyncio.wait(tasks, timeout=0.1)
        self._acknowledger = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(AWAY_S):
                await self._flush(insist=False)

    # --- receiving ---

    async def _receive_all(self) -> None:
        while not self.worker.is_stopping:
            try:
                messages = await self._receive_some(None, WAIT_S)
                if messages:
                    await self._take(messages)
            except Exception:
                # A receiver that ended here would be a worker that is silent for ever.
                log.exception("queue %s: a receive failed", self.options.queue)
                await self._pause()

    async def _receive_batches(self) -> None:
        """Fill one batch after the other: until it is full, or the time since its first message is
        over."""
        while not self.worker.is_stopping:
            await self._slots.acquire()
            filled: list[Held] = []
            try:
                await self._fill(filled)
            except Exception:
                log.exception("queue %s: a receive failed", self.options.queue)
                await self._pause()
            self._begin_batches(filled)

    async def _fill(self, filled: list[Held]) -> None:
        batch = self.options.batch
        assert batch is not None
        until = 0.0
        while len(filled) < batch.size and not self.worker.is_stopping:
            left = until - time.monotonic() if filled else WAIT_S
            if left <= 0:
                return
            most = batch.size - len(filled)
            messages = await self._receive_some(most, min(left, WAIT_S))
            if messages and not filled:
                until = time.monotonic() + batch.seconds
            filled += await self._hold(messages)

    async def _receive_some(self, most: int | None, wait: float) -> list[AsyncMessage]:
        """One receive, of *most* or as many as its share is, once there is room. Nothing when there
        was nothing, or trouble, or a stop."""
        receiver: Any = asyncio.current_task()
        asked = 0
        try:
            self._idle.add(receiver)
            if self.options.queue in self.worker.presence.paused:
                await self._held(self.worker.unpaused(self.options.queue))
            asked = await self._room(most)
            if self._queue_limits:
                return await self._receive_allowed(asked, wait)
            return await self._receive(asked, wait)
        except asyncio.CancelledError:
            if not self.worker.is_stopping:
                if receiver not in self._interrupted:
                    raise
                receiver.uncancel()
        except QueueDoesNotExist as error:
            log.warning("%s", error)
            await self._remake()
        except RmqError as error:
            log.warning("queue %s: %s", self.options.queue, error)
            await self._pause()
        finally:
            self._idle.discard(receiver)
            self._interrupted.discard(receiver)
            self._asked -= asked
            self._free(asked)
        return []

    def interrupt(self) -> None:
        """End receives that wait, because the queue was paused."""
        for one in self._idle - self._interrupted:
            self._interrupted.add(one)
            one.cancel()

    async def _held(self, allowed: Awaitable[T]) -> T:
        """Wait until the fleet allows what we would do. It is no silence: it is not ours to end."""
        self._held_up += 1
        try:
            return await allowed
        finally:
            self._held_up -= 1
            self.polled = time.monotonic()

    async def _receive_allowed(self, room: int, wait: float) -> list[AsyncMessage]:
        """Receive as many as the fleet's limits allow."""
        messages: list[AsyncMessage] = []
        asked = await self._held(self.worker.gate.ask(self._queue_limits, room))
        try:
            # Only one message's share is kept for long.
            messages = await self._receive(asked.count, wait if asked.count == 1 else 0)
        finally:
            await asked.received(messages)
        if messages or self.worker.is_stopping or wait <= 0:
            return messages
        asked = await self._held(self.worker.gate.ask(self._queue_limits, 1))
        try:
            messages = await self._receive(1, wait)
        finally:
            await asked.received(messages)
        return messages

    async def _room(self, most: int | None) -> int:
        """Take slots for a receive, as many as it may ask for: wait until there is one."""
        while True:
            room = min(self.capacity - self._used, most or self._share, self._share)
            room = self.worker.take_room(room)
            if room > 0:
                self._used += room
                self._asked += room
                return room
            self._freed.clear()
            self.polled = time.monotonic()
            await self._freed.wait()

    async def _receive(self, most: int, wait: float) -> list[AsyncMessage]:
        """Lease messages. Who is cancelled meanwhile gives back what comes, and says so."""
        self.polled = time.monotonic()
        found = await self._executor.lease(
            plans.receive(
                self._registry,
                self.options.queue,
                self._queue._message,
                max_messages=most,
                visibility_timeout=self.options.visibility_timeout,
                wait=wait,
            ),
            self._returning,
        )
        self.polled = time.monotonic()
        return found

    def _returning(self, messages: Sequence[AsyncMessage]) -> Plan[Any]:
        return trial.release(
            self._registry, self.options.queue, trial.RETURNED, [(one, 0) for one in messages]
        )

    async def _remake(self) -> None:
        """The queue is gone: make it anew, if that is ours to do, or wait for it."""
        try:
            if self.worker.app.create_queues:
                await make_queue(self.worker.client, self.options)
                return
        except RmqError as error:
            log.warning("queue %s: %s", self.options.queue, error)
        await self._pause()

    async def _pause(self) -> None:
        await self.worker.stopping_within(TROUBLE_S)

    async def _hold(self, messages: Sequence[AsyncMessage]) -> list[Held]:
        """Take what was received into hand, and look at what was received before."""
        now, hand = time.monotonic(), self.hand
        taken = [Held(message, now) for message in messages]
        box = self._box
        for one in taken:
            hand[one.message] = one
            if box is not None:
                one.slot = box.take(self.options.queue, one.message.receipt)
        self._used += len(taken)
        self.worker.keep_room(len(taken))
        again = [one for one in taken if one.message._receives > 1]
        if again:
            try:
                await self._look(again)
            except Exception:
                self._lapse(taken)
                self._free(len(taken))
                raise
        return taken

    def _lapse(self, held: Sequence[Held]) -> None:
        """Let leases end by themselves, of what we do not know how to end."""
        for one in held:
            if one.message in self.hand and not one.is_settled:
                self._drop(one)

    async def _take(self, messages: Sequence[AsyncMessage]) -> None:
        """Begin with what was received."""
        taken = await self._hold(messages)
        if self.options.is_fifo:
            groups: dict[str | None, list[Held]] = {}
            for one in taken:
                groups.setdefault(one.message.message_group_id, []).append(one)
            for chain in groups.values():
                self._spawn(self._work_in_order(chain))
            return
        for one in taken:
            self._spawn(self._work_one(one))

    def _spawn(self, work: Any) -> None:
        # Each in a context of its own, as tasks are: what one handler sets, no other sees.
        task = asyncio.create_task(work, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look(self, held: Sequence[Held]) -> None:
        """What became of the receives before this one."""
        receipts = [one.message.receipt for one in held]
        keys, name = self._registry.keys(self.options.queue), self.options.queue
        found = await self._insist(
            lambda: self._executor.call(trial.look(keys, name, self.worker.name, receipts))
        )
        for one, before in zip(held, found, strict=True):
            one.trials = before

    # --- working ---

    async def _work_one(self, held: Held) -> None:
        try:
            await self._work(held)
        except Exception:
            log.exception("message %s: it is back when its lease ends", held.message._name)
            self._lapse([held])
        finally:
            self._free(1)

    async def _work_in_order(self, chain: Sequence[Held]) -> None:
        """Messages of one group of a FIFO queue. Behind one that is not done none is begun."""
        left = len(chain)
        try:
            for place, one in enumerate(chain):
                is_done = False if self.worker.is_stopping else await self._work(one)
                if not is_done:
                    await self._give_back(
                        [rest for rest in chain[place:] if rest.message in self.hand]
                    )
                    return
                left -= 1
                self._free(1)
        except Exception:
            log.exception("a message group of %s is back when its leases end", self.options.queue)
            self._lapse(chain)
        finally:
            self._free(left)

    def _free(self, count: int) -> None:
        self._used -= count
        self.worker.give_room(count)
        self._freed.set()

    def wake(self) -> None:
        """Look again whether there is room."""
        self._freed.set()

    async def _work(self, held: Held) -> bool:
        """Run a message's handler, and see to what becomes of it. Whether it is done."""
        if self.worker.is_stopping:
            await self._give_back([held])
            return False
        try:
            routed = self.intake.route(held.message)
        except (Unreadable, UnknownTask) as error:
            self._see(held, error.said)
            return await self._fail(held, USUAL, error, None)
        callee = held.callee = routed.callee
        self._see(held, routed.task)
        if (late := self._late(routed)) is not None:
            return await self._fail(held, callee.policy, late, routed)
        if held.trials.crashes:
            if held.trials.crashes >= callee.policy.crashes:
                return await self._quarantine(held, routed)
            if callee.mode != "process":
                # What killed a worker before may do it again. Two such never run beside each other,
                # so that the innocent among them end, and only the guilty one is counted again.
                async with self.worker.suspects:
                    return await self._run(held, routed)
        return await self._run(held, routed)

    def _see(self, held: Held, said: TaskMessage | None) -> None:
        """Whether anything comes of a task beyond its message."""
        if said is not None and said.is_followed:
            held.following = Following.of(self._registry, said, said.id or held.message.id)

    def _late(self, routed: Routed) -> Reject | None:
        """Why nobody wants a call any more."""
        said = routed.task
        if said is None or said.deadline is None:
            return None
        late = self.worker.client.clock.now_ms() / 1000 - said.deadline
        return Reject(f"its deadline was {late:.3g} s ago") if late > 0 else None

    async def _run(self, held: Held, routed: Routed) -> bool:
        if self.worker.is_stopping:
            await self._give_back([held])
            return False
        callee, hooks, following = routed.callee, self.worker.hooks, held.following
        if self._message_limits or routed.limits:
            limits = (*self._message_limits, *routed.limits)
            try:
                if not await self._enter(held, routed, limits):
                    return False
            except Exception as error:  # a function that says whose limit it is
                return await self._fail(held, callee.policy, error, routed)
        if following is not None and not await self._begin(held, following):
            return True
        names = self._context_names[callee]
        context = None
        if names or hooks:
            context = self._context(held, routed)
        kwargs = routed.kwargs
        if bound := self._bound.get(callee):
            kwargs = {**kwargs, **bound}
        if names:
            kwargs = {**kwargs, **dict.fromkeys(names, context)}
        self.running += 1
        held.started = time.monotonic()
        if self._box is not None:
            self._box.mark(held.slot, RUNNING)
        try:
            if context is not None and hooks.before:
                await call(hooks.before, context)
            result = await self._call(held, callee, routed.args, kwargs)
            if context is not None and hooks.after:
                await call(hooks.after, context, result)
            if following is not None:
                following.run = None
                await self._follow(lambda: following.done(result))
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, GeneratorExit)):
                raise
            if isinstance(error, asyncio.CancelledError) and self.worker.is_abandoning:
                raise  # it is given back
            if isinstance(error, asyncio.CancelledError) and following and following.is_cancelled:
                asyncio.current_task().uncancel()  # type: ignore[union-attr]
                await self._follow(following.cancelled)
                self._settle(held)
                return True
            if context is not None and hooks.error:
                await self._tell(hooks.error, context, error)
            return await self._fail(held, callee.policy, error, routed)
        finally:
            self.running -= 1
            if following is not None:
                self.worker.following.pop(following.id, None)
        self.handled += 1
        self._settle(held)
        if self.watch is not None:
            self.watch(Ran(callee.name, held.message, held.trials, "done", result=result))
        return True

    async def _enter(self, held: Held, routed: Routed, limits: Sequence[Limit]) -> bool:
        """Whether the fleet's limits let it run now. Where not, it is back when they may."""
        wait = await self._insist(
            lambda: self.worker.gate.enter(
                limits, held.message, routed.callee, routed.args, routed.kwargs
            )
        )
        if wait is None:
            return True
        held.is_settled = True
        self.returned += 1
        again = [(held.message, wait)]
        await self._insist(
            lambda: self._executor.run(
                trial.release(self._registry, self.options.queue, trial.RETURNED, again)
            )
        )
        self._drop(held)
        return False

    async def _begin(self, held: Held, following: Following) -> bool:
        """Whether a task with a result is to be run; one that was cancelled is not."""
        is_wanted = await self._insist(
            lambda: self.worker.together.run(following.begin(self.worker.presence.id))
        )
        if is_wanted is False:
            self._settle(held)
            return False
        following.run = asyncio.current_task()
        self.worker.following[following.id] = following
        return True

    async def _follow(self, plan: Callable[[], Plan[None]]) -> None:
        """Carry out what follows a task, however long Redis is away."""
        while True:
            try:
                return await self.worker.together.run(plan())
            except ServerError as error:
                log.warning("queue %s: %s", self.options.queue, error)
                await asyncio.sleep(TROUBLE_S)

    async def _call(self, held: Held, callee: Callee, args: tuple[Any, ...], kwargs: Any) -> Any:
        timeout = callee.timeout
        if timeout is not None:
            held.deadline = held.started + timeout
        if callee.mode == "async":
            if timeout is None:
                return await callee.function(*args, **kwargs)
            return await self._within(held, callee, timeout, callee.function(*args, **kwargs))
        if callee.mode == "thread":
            result = await self.worker.threads.call(
                held, callee.name, callee.function, args, kwargs, timeout
            )
            if not inspect.iscoroutine(result):
                return result
            # A plain function around a coroutine function, as decorators make them: what it
            # returned has not begun.
            return await self._within(held, callee, timeout, result)
        return await self.worker.processes.call(callee, args, kwargs, self._needs[callee])

    async def _within(
        self, held: Held, callee: Callee, timeout: float | None, run: Awaitable[T]
    ) -> T:
        """Await a coroutine, no longer than its time limit."""
        if timeout is None:
            return await run
        try:
            async with asyncio.timeout(timeout) as held.limit:
                return await run
        except TimeoutError:
            assert held.limit is not None
            if not held.limit.expired():
                raise
            raise TimeLimitExceeded(f"{callee.name} took longer than {timeout:g} s") from None

    # --- batches ---

    def _begin_batches(self, filled: Sequence[Held]) -> None:
        """Begin with a batch. What was with a lost worker before makes one by itself."""
        rest = [one for one in filled if not one.trials.crashes]
        for one in filled:
            if one.trials.crashes:
                self._spawn(self._work_alone(one))
        self._spawn(self._work_slot(rest))

    async def _work_alone(self, held: Held) -> None:
        try:
            await self._work_batch([held])
        except Exception:
            log.exception("message %s: it is back when its lease ends", held.message._name)
            self._lapse([held])

    async def _work_slot(self, filled: Sequence[Held]) -> None:
        try:
            await self._work_batch(filled)
        except Exception:
            log.exception("a batch of %s is back when its leases end", self.options.queue)
            self._lapse(filled)
        finally:
            self._slots.release()

    async def _work_batch(self, filled: Sequence[Held]) -> None:
        try:
            ready: list[tuple[Held, Routed]] = []
            for held in filled:
                try:
                    routed = self.intake.route(held.message)
                except (Unreadable, UnknownTask) as error:
                    await self._fail(held, USUAL, error, None)
                    continue
                held.callee = routed.callee
                if held.trials.crashes >= routed.callee.policy.crashes:
                    await self._quarantine(held, routed)
                else:
                    ready.append((held, routed))
            if not ready:
                return
            if ready[0][0].trials.crashes and ready[0][1].callee.mode != "process":
                async with self.worker.suspects:
                    await self._run_batch(ready)
            else:
                await self._run_batch(ready)
        finally:
            self._free(len(filled))

    async def _run_batch(self, ready: Sequence[tuple[Held, Routed]]) -> None:
        held = [one for one, _ in ready]
        if self.worker.is_stopping:
            await self._give_back(held)
            return
        lead, routed = ready[0]
        callee, hooks = routed.callee, self.worker.hooks
        names = self._context_names[callee]
        context = self._context(lead, routed, held) if names or hooks else None
        kwargs = {**self._bound.get(callee, {}), **dict.fromkeys(names, context)}
        payloads = [one.args[0] for _, one in ready]
        self.running += 1
        now = time.monotonic()
        for one in held:
            one.started = now
            if self._box is not None:
                self._box.mark(one.slot, RUNNING)
            if callee.timeout is not None:
                one.deadline = now + callee.timeout
        try:
            if context is not None and hooks.before:
                await call(hooks.before, context)
            results = await self._call(lead, callee, (payloads,), kwargs)
            if results is None:
                results = [None] * len(held)
            elif not isinstance(results, (list, tuple)) or len(results) != len(held):
                raise TypeError(
                    f"{callee.name} returned {type(results).__name__}; a batch handler returns "
                    f"None, or a list with an entry for each of its {len(held)} messages"
                )
            if context is not None and hooks.after:
                await call(hooks.after, context, results)
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, GeneratorExit)):
                raise
            if isinstance(error, asyncio.CancelledError) and self.worker.is_abandoning:
                raise
            if context is not None and hooks.error:
                await self._tell(hooks.error, context, error)
            results = [error] * len(held)
        finally:
            self.running -= 1
        await self._settle_batch(ready, results)

    async def _settle_batch(
        self, ready: Sequence[tuple[Held, Routed]], results: Sequence[Any]
    ) -> None:
        """Done, or failed, each by itself. On a FIFO queue what stands behind a failure of its
        group was not done in order, so it is not done."""
        failing, broken, behind = [], set(), []
        for (held, routed), result in zip(ready, results, strict=True):
            group = held.message.message_group_id if self.options.is_fifo else None
            if group is not None and group in broken:
                behind.append(held)
            elif isinstance(result, BaseException):
                failing.append(self._fail(held, routed.callee.policy, result, routed))
                broken.add(group)
            else:
                self.handled += 1
                self._settle(held)
                if self.watch is not None:
                    name = routed.callee.name
                    self.watch(Ran(name, held.message, held.trials, "done", result=result))
        await asyncio.gather(*failing)
        await self._give_back(behind)

    def _context(self, held: Held, routed: Routed, batch: Sequence[Held] | None = None) -> Context:
        said = routed.task
        return Context(
            routed.callee,
            (held.message,) if batch is None else tuple(one.message for one in batch),
            held.trials,
            task_id=None if said is None else said.id or held.message.id,
            extend=self._extend,
            progress=None if held.following is None else self._progress,
            stopping=lambda: self.worker.is_stopping,
        )

    async def _extend(self, message: AsyncMessage, by: timedelta) -> None:
        held = self.hand[message]
        seconds = by.total_seconds()
        if held.limit is not None:
            held.limit.reschedule(asyncio.get_running_loop().time() + seconds)
            held.deadline = time.monotonic() + seconds
        await self._queue.change_visibility(
            message, max(by, timedelta(seconds=self.options.visibility_timeout))
        )
        held.extended = time.monotonic()

    async def _progress(self, context: Context, part: float, text: str) -> None:
        following = self.worker.following.get(context.task_id or "")
        if following is not None:
            await self._executor.run(following.progress(part, text))

    async def _tell(self, hooks: Any, context: Context, error: BaseException) -> None:
        try:
            await call(hooks, context, error)
        except Exception:
            log.exception("a middleware's error hook failed")

    # --- what becomes of it ---

    def _drop(self, held: Held) -> None:
        """Redis knows what became of it."""
        self.hand.pop(held.message, None)
        self.worker.gate.leave(held.message)
        if self._box is not None:
            self._box.drop(held.slot)

    def _settle(self, held: Held) -> None:
        """It is done: delete it, with others."""
        held.is_settled = True
        if self._box is not None:
            self._box.mark(held.slot, DONE)
        self.worker.gate.leave(held.message)
        self._done.append(held)
        self._done_some.set()

    async def _fail(
        self, held: Held, policy: Policy, error: BaseException, routed: Routed | None
    ) -> bool:
        """Try it again later, or never. False: it is not done."""
        if self._box is not None:
            self._box.mark(held.slot, FAILING)
        if isinstance(error, WorkerLost) and routed is not None:
            return await self._lose(held, policy, error, routed)
        self.failed += 1
        message = held.message
        failures = held.trials.failures + 1
        again = self._again(message, policy, error, failures)
        if again is not None and await self._has_room(held):
            self._log_failure(held, error, failures, again)
            held.is_settled = True
            self._tell_failure(held, "retried", error, again)
            await self._insist(lambda: self._releases.submit((message, again)))
            self._drop(held)
            return False
        reason: Outcome = "rejected" if isinstance(error, Reject) else "failed"
        if isinstance(error, Unreadable):
            reason = "unreadable"
        self._log_failure(held, error, failures, None)
        self._tell_failure(held, reason, error, None)
        await self._bury(held, self._failure(held, reason, error, failures, routed))
        return False

    def _again(
        self, message: AsyncMessage, policy: Policy, error: BaseException, failures: int
    ) -> timedelta | None:
        try:
            first = message.first_received_at or message.received_at
        except BrokenEnvelope:
            first = message.received_at
        since = message.received_at - first
        try:
            return policy.again(error, failures, since)
        except Exception:  # an object that somebody handed in
            log.exception("a policy of queue %s failed; the usual one decides", self.options.queue)
            return USUAL.again(error, failures, since)

    def _tell_failure(
        self, held: Held, outcome: Outcome, error: BaseException, again: timedelta | None
    ) -> None:
        if self.watch is not None:
            name = held.callee.name if held.callee is not None else ""
            self.watch(Ran(name, held.message, held.trials, outcome, error=error, again=again))

    async def _lose(self, held: Held, policy: Policy, error: WorkerLost, routed: Routed) -> bool:
        """The process that ran it is gone: no failure, a crash, and we know whose."""
        before = held.trials
        seen = Crash(
            worker=self.worker.name, at_ms=self.worker.client.clock.now_ms(), what=str(error)
        )
        held.trials = replace(before, crashes=before.crashes + 1, evidence=(*before.evidence, seen))
        if held.trials.crashes >= policy.crashes:
            return await self._quarantine(held, routed)
        again = timedelta(seconds=min(2**before.crashes, CRASH_WAIT_S))
        self._log_failure(held, error, before.failures, again)
        self._tell_failure(held, "retried", error, again)
        held.is_settled = True
        await self._insist(
            lambda: self._executor.run(
                trial.release(
                    self._registry,
                    self.options.queue,
                    trial.CRASHED,
                    [(held.message, again)],
                    seen,
                )
            )
        )
        self._drop(held)
        return False

    async def _has_room(self, held: Held) -> bool:
        """Whether the queue's own limit lets it be received once more: with a story it is better
        moved by us than without one by a receive."""
        info = self._registry.known(self.options.queue)
        policy = None if info is None else info.attributes.redrive_policy
        tried = held.message._receives - held.trials.returned
        return policy is None or tried < policy.max_receive_count

    async def _quarantine(self, held: Held, routed: Routed) -> bool:
        crashes = held.trials.crashes
        error = WorkerLost(f"{crashes} workers were lost while they had this message")
        self._log_failure(held, error, held.trials.failures, None)
        self._tell_failure(held, "crashed", error, None)
        failure = self._failure(held, "crashed", error, held.trials.failures, routed)
        await self._bury(held, failure)
        return False

    def _failure(
        self,
        held: Held,
        reason: str,
        error: BaseException,
        failures: int,
        routed: Routed | None,
    ) -> Failure:
        kind = type(error)
        has_trace = error.__traceback__ is not None and not isinstance(error, TOLD)
        trace = "".join(traceback.format_exception(error)) if has_trace else ""
        return Failure(
            reason=reason,
            error=kind.__qualname__
            if kind.__module__ == "builtins"
            else f"{kind.__module__}.{kind.__qualname__}",
            text=str(error)[:TEXT_BYTES],
            traceback=trace[-TRACEBACK_BYTES:],
            worker=self.worker.name,
            at_ms=self.worker.client.clock.now_ms(),
            failures=failures,
            task=routed.callee.name if routed is not None else "",
            crashes=held.trials.evidence,
        )

    async def _bury(self, held: Held, failure: Failure) -> None:
        held.is_settled = True
        following = held.following
        if following is not None:
            why = f"{failure.error}: {failure.text}"
            await self._insist(
                lambda: self.worker.together.run(following.failed(why, failure.traceback))
            )
        await self._insist(lambda: self._burials.submit((held.message, failure)))
        self.dead += 1
        self._drop(held)

    def _log_failure(
        self, held: Held, error: BaseException, failures: int, again: timedelta | None
    ) -> None:
        name = held.callee.name if held.callee is not None else self.options.queue
        then = (
            "to the dead-letter queue"
            if again is None
            else f"again in {again.total_seconds():.3g} s"
        )
        log.log(
            logging.ERROR if again is None else logging.WARNING,
            "%s failed (%d.), %s: %s: %s",
            name,
            failures,
            then,
            type(error).__name__,
            error,
            exc_info=None if isinstance(error, TOLD) else error,
            extra={
                "handler": name,
                "queue": self.options.queue,
                "message_id": held.message._name,
                "attempt": failures,
            },
        )

    async def _give_back(self, held: Sequence[Held]) -> None:
        """What was not tried, or not to the end, is for others, now."""
        ours = [one for one in held if one.message in self.hand and not one.is_settled]
        if not ours:
            return
        for one in ours:
            one.is_settled = True
        self.returned += len(ours)
        try:
            await self._executor.run(self._returning([one.message for one in ours]))
        except RmqError as error:
            log.warning(
                "%d messages of queue %s could not be given back, they are back within %g s: %s",
                len(ours),
                self.options.queue,
                self.options.visibility_timeout,
                error,
            )
        for one in ours:
            self._drop(one)

    async def _release_failed(
        self, changes: Sequence[tuple[AsyncMessage, timedelta]]
    ) -> list[int | RmqError]:
        return await self._executor.run(
            trial.release(self._registry, self.options.queue, trial.FAILED, changes)
        )

    async def _bury_many(
        self, dead: Sequence[tuple[AsyncMessage, Failure]]
    ) -> list[int | RmqError]:
        target = await dead_letter_queue(self.worker.client, self.options)
        if target is None:
            # Nobody wants dead letters of this queue, and nobody made it through a worker.
            target = self.options.usual_dead_letter_queue
            await make_queue(self.worker.client, self.options)
        await self._executor.run(trial.bury(self._registry, self.options.queue, target, dead))
        return [1] * len(dead)

    # --- acknowledging ---

    async def _acknowledge(self) -> None:
        while not self._is_ending:
            await self._done_some.wait()
            try:
                await self._flush(insist=True)
            except Exception:
                log.exception("queue %s: a delete failed", self.options.queue)
                await self._pause()

    async def _flush(self, *, insist: bool) -> None:
        """Delete what is done. What is done meanwhile goes with the next ones."""
        while self._done:
            self._done_some.clear()
            done, self._done = self._done, []
            try:
                answers = await self._executor.run(
                    plans.delete(self._registry, self.options.queue, [one.message for one in done])
                )
            except RmqError as error:
                answers = [error] * len(done)
            except BaseException:
                self._done = done + self._done  # whoever ended us sees to them
                raise
            left = [
                one
                for one, answer in zip(done, answers, strict=True)
                if isinstance(answer, ServerError)
            ]
            tried = [one for one in done if one.message._receives > 1]
            if tried and not left:
                await self._forget(tried)
            if left:
                log.warning(
                    "%d messages of queue %s are done and could not be deleted yet: %s",
                    len(left),
                    self.options.queue,
                    next(one for one in answers if isinstance(one, ServerError)),
                )
                # Their leases are still renewed, so nobody does them again.
                self._done = left + self._done
                kept = set(map(id, left))
                done = [one for one in done if id(one) not in kept]
            for one in done:
                self._drop(one)
            if left:
                if not insist or self._is_ending:
                    return
                await self._pause()

    async def _forget(self, held: Sequence[Held]) -> None:
        keys, name = self._registry.keys(self.options.queue), self.options.queue
        try:
            await self._executor.call(
                trial.forget(keys, name, [one.message.receipt for one in held])
            )
        except RmqError as error:
            log.debug("trials of queue %s are forgotten later: %s", name, error)

    async def tidy(self) -> None:
        """Forget trials of messages that somebody else removed."""
        keys, name, cursor = self._registry.keys(self.options.queue), self.options.queue, "0"
        while True:
            cursor, _ = await self._executor.call(trial.tidy(keys, name, cursor))
            if cursor == "0":
                return

    async def _insist(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until Redis answers. Meanwhile leases are renewed as well as they can be."""
        while True:
            try:
                return await ask()
            except ServerError as error:
                log.warning("queue %s: %s", self.options.queue, error)
                await asyncio.sleep(TROUBLE_S)
            except RmqError as error:
                # The lease was lost, or the queue: there is nothing that we could still say.
                log.warning("queue %s: %s", self.options.queue, error)
                return None  # type: ignore[return-value]
