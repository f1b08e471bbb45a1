"""Batches: a run for many messages of a queue at once: fill, run, and what becomes of each."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rmq.worker.blackbox import RUNNING
from rmq.worker.consuming.failing import USUAL
from rmq.worker.consuming.held import Held
from rmq.worker.consuming.parts import Parts
from rmq.worker.consuming.receiver import WAIT_S
from rmq.worker.handler import Batch, Routed
from rmq.worker.middleware import call
from rmq.worker.ran import Ran
from rmq.worker.trouble import pause
from rmq.worker.verdicts import UnknownTask, Unreadable

if TYPE_CHECKING:
    pass

log = logging.getLogger("rmq.worker")


class Batches:
    """How a queue's messages are worked on, where its handler takes batches."""

    running = 0
    """Handlers that run without a task."""

    def __init__(self, parts: Parts, batch: Batch) -> None:
        self.most = batch.size
        """What `work` is given at a time."""
        self._worker = parts.worker
        self._intake = parts.intake
        self._options = parts.intake.options
        self._batch = batch
        self._hand = parts.hand
        self._tally = parts.tally
        self._slots = parts.slots
        self._crew = parts.crew
        self._receiver = parts.receiver
        self._admission = parts.admission
        self._invoker = parts.invoker
        self._acknowledger = parts.acknowledger
        self._failing = parts.failing
        self._returns = parts.returns
        self._box = parts.worker.box
        self._turns = asyncio.Semaphore(self._options.concurrency)
        """Of batches that are filled or run."""

    async def receive(self) -> None:
        """Fill one batch after the other, until the worker stops."""
        while not self._worker.is_stopping:
            await self._turns.acquire()
            filled: list[Held] = []
            try:
                await self._fill(filled)
            except Exception:
                log.exception("queue %s: a receive failed", self._options.queue)
                await pause(self._worker)
            self._begin(filled)

    def stop(self) -> None:
        """Begin nothing more: whoever waits for a turn finds that the worker stops."""
        self._turns.release()

    async def ended(self) -> None:
        """Wait until no handler runs without a task: here none does."""

    async def work(self, filled: Sequence[Held]) -> None:
        """Run a batch, to its end."""
        try:
            ready: list[tuple[Held, Routed]] = []
            for held in filled:
                try:
                    routed = self._intake.route(held.message)
                except (Unreadable, UnknownTask) as error:
                    await self._failing.fail(held, USUAL, error, None)
                    continue
                held.callee = routed.callee
                if held.trials.crashes >= routed.callee.policy.crashes:
                    await self._failing.quarantine(held, routed)
                else:
                    ready.append((held, routed))
            allowed = await self._admission.enter(ready)
            if not allowed:
                return
            if allowed[0][0].trials.crashes:
                async with self._worker.suspects:
                    await self._run(allowed)
            else:
                await self._run(allowed)
        finally:
            self._slots.free(len(filled))

    async def _fill(self, filled: list[Held]) -> None:
        """Until it is full, or the time since its first message is over."""
        until = 0.0
        while len(filled) < self._batch.size and not self._worker.is_stopping:
            left = until - time.monotonic() if filled else WAIT_S
            if left <= 0:
                return
            most = self._batch.size - len(filled)
            messages = await self._receiver.some(most, min(left, WAIT_S))
            if messages and not filled:
                until = time.monotonic() + self._batch.seconds
            filled += await self._receiver.hold(messages)

    def _begin(self, filled: Sequence[Held]) -> None:
        """Begin with a batch. What was with a lost worker before makes one by itself."""
        rest = [one for one in filled if not one.trials.crashes]
        for one in filled:
            if one.trials.crashes:
                self._crew.spawn(self._work_alone(one))
        self._crew.spawn(self._work_turn(rest))

    async def _work_alone(self, held: Held) -> None:
        try:
            await self.work([held])
        except Exception:
            log.exception("message %s: it is back when its lease ends", held.message._name)
            self._hand.lapse([held])

    async def _work_turn(self, filled: Sequence[Held]) -> None:
        try:
            await self.work(filled)
        except Exception:
            log.exception("a batch of %s is back when its leases end", self._options.queue)
            self._hand.lapse(filled)
        finally:
            self._turns.release()

    async def _run(self, ready: Sequence[tuple[Held, Routed]]) -> None:
        held = [one for one, _ in ready]
        if self._worker.is_stopping:
            await self._returns.now(held)
            return
        lead, routed = ready[0]
        callee, hooks, invoker = routed.callee, self._worker.hooks, self._invoker
        context = None
        if hooks or invoker.context_names[callee]:
            context = invoker.context(lead, routed, held)
        kwargs = invoker.named(routed, context)
        payloads = [one.args[0] for _, one in ready]
        self._tally.running += 1
        now = time.monotonic()
        for one in held:
            one.started = now
            if self._box is not None:
                self._box.mark(one.slot, RUNNING)
            if callee.timeout is not None and callee.mode != "process":
                one.deadline = now + callee.timeout
        try:
            if context is not None and hooks.before:
                await call(hooks.before, context)
            results = await invoker.call(lead, callee, (payloads,), kwargs)
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
            if invoker.is_from_outside(error, callee):
                raise
            if isinstance(error, asyncio.CancelledError) and self._worker.is_abandoning:
                raise
            if context is not None and hooks.error:
                await invoker.tell(hooks.error, context, error)
            results = [error] * len(held)
        finally:
            self._tally.running -= 1
        await self._settle(ready, results)

    async def _settle(self, ready: Sequence[tuple[Held, Routed]], results: Sequence[Any]) -> None:
        """Done, or failed, each by itself. On a FIFO queue what stands behind a failure of its
        group was not done in order, so it is not done."""
        tally, failing, broken, behind = self._tally, [], set(), []
        for (held, routed), result in zip(ready, results, strict=True):
            group = held.message.message_group_id if self._options.is_fifo else None
            if group is not None and group in broken:
                behind.append(held)
            elif isinstance(result, BaseException):
                failing.append(self._failing.fail(held, routed.callee.policy, result, routed))
                broken.add(group)
            else:
                tally.handled += 1
                self._acknowledger.settle(held)
                if tally.watch is not None:
                    name = routed.callee.name
                    tally.watch(Ran(name, held.message, held.trials, "done", result=result))
        await asyncio.gather(*failing)
        await self._returns.now(behind)
