"""Runner: one message on its way: route, look whether it may run, run, and what comes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rmq.core.script import Plan
from rmq.worker import servertime
from rmq.worker.blackbox import RUNNING
from rmq.worker.consuming.failing import USUAL
from rmq.worker.consuming.held import Held
from rmq.worker.consuming.parts import Parts
from rmq.worker.following import Following
from rmq.worker.handler import Routed
from rmq.worker.middleware import call
from rmq.worker.ran import Ran
from rmq.worker.trouble import answered, insist
from rmq.worker.verdicts import Reject, UnknownTask, Unreadable

if TYPE_CHECKING:
    from rmq.worker.task import TaskMessage


class Runner:
    """Runs the messages of one queue."""

    def __init__(self, parts: Parts) -> None:
        self._worker = parts.worker
        self._intake = parts.intake
        self._name = parts.intake.options.queue
        self._tally = parts.tally
        self._admission = parts.admission
        self._invoker = parts.invoker
        self._acknowledger = parts.acknowledger
        self._failing = parts.failing
        self._returns = parts.returns
        self._box = parts.worker.box
        self._registry = parts.worker.client._registry

    async def work(self, held: Held) -> bool:
        """Run a message's handler, and see to what becomes of it. Whether it is done."""
        if self._worker.is_stopping:
            await self._returns.now([held])
            return False
        try:
            routed = held.routed or self._intake.route(held.message)
        except (Unreadable, UnknownTask) as error:
            self._see(held, error.said)
            await self._failing.fail(held, USUAL, error, None)
            return False
        callee = held.callee = routed.callee
        self._see(held, routed.task)
        if (late := self._late(held, routed)) is not None:
            await self._failing.fail(held, callee.policy, late, routed)
            return False
        if held.trials.crashes:
            if held.trials.crashes >= callee.policy.crashes:
                await self._failing.quarantine(held, routed)
                return False
            # What killed a worker before may do it again. Two such never run beside each other, so
            # that the innocent among them end, and only the guilty one is counted again. One in a
            # process of its own is no exception: it can do no harm, and would be counted with who
            # does.
            async with self._worker.suspects:
                return await self._run(held, routed)
        return await self._run(held, routed)

    def _see(self, held: Held, said: TaskMessage | None) -> None:
        """Whether anything comes of a task beyond its message."""
        if said is not None and said.is_followed:
            held.following = Following.of(self._registry, said, said.id or held.message.id)

    def _late(self, held: Held, routed: Routed) -> Reject | None:
        """Why nobody wants a call any more."""
        said = routed.task
        if said is None or said.deadline is None:
            return None
        now_ms = servertime.since_ms(self._worker.client.clock, held.message, held.received)
        late = now_ms / 1000 - said.deadline
        return Reject(f"its deadline was {late:.3g} s ago") if late > 0 else None

    async def _run(self, held: Held, routed: Routed) -> bool:
        worker, tally, invoker = self._worker, self._tally, self._invoker
        if worker.is_stopping:
            await self._returns.now([held])
            return False
        callee, hooks, following = routed.callee, worker.hooks, held.following
        if not await self._admission.enter([(held, routed)]):
            return False
        if following is not None and not await self._begin(held, following):
            return True
        context = None
        if hooks or invoker.context_names[callee]:
            context = invoker.context(held, routed)
        kwargs = invoker.named(routed, context)
        tally.running += 1
        held.started = time.monotonic()
        if self._box is not None:
            self._box.mark(held.slot, RUNNING)
        try:
            if context is not None and hooks.before:
                await call(hooks.before, context)
            result = await invoker.call(held, callee, routed.args, kwargs)
            if context is not None and hooks.after:
                await call(hooks.after, context, result)
            if following is not None:
                following.run = None
                await self._follow(lambda: following.done(result))
        except BaseException as error:
            if invoker.is_from_outside(error, callee):
                raise
            if isinstance(error, asyncio.CancelledError) and worker.is_abandoning:
                raise  # it is given back
            if isinstance(error, asyncio.CancelledError) and following and following.is_cancelled:
                asyncio.current_task().uncancel()  # type: ignore[union-attr]
                await self._follow(following.cancelled)
                self._acknowledger.settle(held)
                return True
            if context is not None and hooks.error:
                await invoker.tell(hooks.error, context, error)
            await self._failing.fail(held, callee.policy, error, routed)
            return False
        finally:
            tally.running -= 1
            if following is not None:
                worker.following.pop(following.id, None)
        tally.handled += 1
        self._acknowledger.settle(held)
        if tally.watch is not None:
            tally.watch(Ran(callee.name, held.message, held.trials, "done", result=result))
        return True

    async def _begin(self, held: Held, following: Following) -> bool:
        """Whether a task with a result is to be run; one that was cancelled is not."""
        worker = self._worker
        is_wanted = await insist(
            self._name, lambda: worker.together.run(following.begin(worker.presence.id))
        )
        if is_wanted is False:
            self._acknowledger.settle(held)
            return False
        following.run = asyncio.current_task()
        worker.following[following.id] = following
        return True

    async def _follow(self, plan: Callable[[], Plan[None]]) -> None:
        """Carry out what follows a task, however long Redis is away."""
        await answered(self._name, lambda: self._worker.together.run(plan()))
