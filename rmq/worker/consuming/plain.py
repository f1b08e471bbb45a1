"""Plain: runs of plain functions that a thread can make by itself, without a task in the loop.

Most are of this kind: there is nothing to ask before them, and nothing to say after them but that
they are done. What is received together is handed over together, and the loop hears once of all
that ended meanwhile; see threads.py. What is not of this kind, and what fails, gets a task.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rmq.worker.consuming.held import Held
from rmq.worker.consuming.parts import Parts
from rmq.worker.ran import Ran
from rmq.worker.threads import Job

if TYPE_CHECKING:
    pass

log = logging.getLogger("rmq.worker")


class Plain:
    """Those of one queue."""

    def __init__(self, parts: Parts) -> None:
        self._worker = parts.worker
        self._intake = intake = parts.intake
        self._hand = parts.hand
        self._tally = parts.tally
        self._slots = parts.slots
        self._crew = parts.crew
        self._invoker = parts.invoker
        self._acknowledger = parts.acknowledger
        self._failing = parts.failing
        self._returns = parts.returns
        self._jobs: set[Job] = set()
        self._none = asyncio.Event()
        self._none.set()
        has_any = any(one.mode == "thread" for one in intake.callees)
        self._is_off = not has_any or any(one.by is not None for one in intake.options.limits)
        """Whether no message of the queue can be of this kind."""

    @property
    def running(self) -> int:
        """Those that have begun; the others are buffered."""
        return sum(1 for one in self._jobs if one.held.thread)

    def begin(self, taken: Sequence[Held]) -> Sequence[Held]:
        """Hand over what can be. The others."""
        if self._is_off or self._worker.is_stopping or self._worker.hooks:
            return taken
        jobs, others = [], []
        for held in taken:
            if (job := self._job(held)) is None:
                others.append(held)
            else:
                jobs.append(job)
        if jobs:
            self._jobs.update(jobs)
            self._none.clear()
            self._worker.threads.put(jobs)
        return others

    async def ended(self) -> None:
        """Wait until none is under way."""
        await self._none.wait()

    def _job(self, held: Held) -> Job | None:
        try:
            routed = self._intake.route(held.message)
        except Exception:
            return None  # its task meets the same, and sees to it
        held.routed = routed
        callee, said = routed.callee, routed.task
        if callee.mode != "thread" or routed.limits or held.trials.crashes:
            return None
        if said is not None and (said.is_followed or said.deadline is not None):
            return None
        held.callee = callee
        invoker = self._invoker
        context = invoker.context(held, routed) if invoker.context_names[callee] else None
        return Job(held, callee, routed.args, invoker.named(routed, context), self._heard)

    def _heard(self, job: Job) -> None:
        """One has ended, or will not begin."""
        self._jobs.discard(job)
        held = job.held
        if held.is_settled:  # it was given back, for the worker could not wait for its end
            self._slots.free(1)
        elif job.error is not None or not job.is_begun or inspect.iscoroutine(job.result):
            self._crew.spawn(self._see_to(job))
        else:
            self._done(job, job.result)
            self._slots.free(1)
        if not self._jobs:
            self._none.set()

    def _done(self, job: Job, result: Any) -> None:
        held, tally = job.held, self._tally
        tally.handled += 1
        self._acknowledger.settle(held)
        if tally.watch is not None:
            tally.watch(Ran(job.callee.name, held.message, held.trials, "done", result))

    async def _see_to(self, job: Job) -> None:
        """It failed, or will not begin, or what it returned is still to run."""
        held, error = job.held, job.error
        try:
            if error is None and job.is_begun:
                self._tally.running += 1
                try:
                    self._done(job, await self._invoker.wrapped(held, job.callee, job.result))
                    return
                except BaseException as raised:
                    if isinstance(raised, GeneratorExit) or self._worker.is_abandoning:
                        raise
                    error = raised
                finally:
                    self._tally.running -= 1
            if error is None:
                await self._returns.now([held])
            else:
                await self._failing.fail(held, job.callee.policy, error, held.routed)
        except Exception:
            log.exception("message %s: it is back when its lease ends", held.message._name)
            self._hand.lapse([held])
        finally:
            self._slots.free(1)
