"""Failing: what becomes of a message whose run failed: another try later, or the end.

an error        counted; tried again as its policy says, else buried
a lost worker   a crash and no failure; tried again after 1, 2, 4 .. seconds, alone, and with
                too many of them buried
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from rmq.core.coalesce import AsyncCoalescer
from rmq.core.codec import Crash
from rmq.errors import BrokenEnvelope, RmqError
from rmq.queues.aio import AsyncMessage
from rmq.worker import trials as trial
from rmq.worker.blackbox import FAILING
from rmq.worker.consuming.burials import Burials
from rmq.worker.consuming.hand import Hand
from rmq.worker.consuming.held import Held
from rmq.worker.consuming.tally import Tally
from rmq.worker.handler import QueueOptions, Routed
from rmq.worker.policy import Policy
from rmq.worker.ran import Outcome, Ran
from rmq.worker.trouble import insist
from rmq.worker.verdicts import TOLD, Reject, Unreadable, WorkerLost

if TYPE_CHECKING:
    from rmq.worker.worker import Worker

log = logging.getLogger("rmq.worker")

CRASH_WAIT_S = 60
"""The longest that a message waits that was with a lost worker: 1, 2, 4 .. seconds."""
USUAL = Policy()
"""For what can not be routed to anybody's policy."""


class Failing:
    """Judges over the failed runs of one queue."""

    def __init__(self, worker: Worker, options: QueueOptions, hand: Hand, tally: Tally) -> None:
        self._worker = worker
        self._name = options.queue
        self._hand = hand
        self._tally = tally
        self._box = worker.box
        self._registry = worker.client._registry
        self._executor = worker.client._executor
        self._burials = Burials(worker, options, hand, tally)
        self._releases: AsyncCoalescer[tuple[AsyncMessage, timedelta], int] = AsyncCoalescer(
            self._release_many
        )

    async def fail(
        self, held: Held, policy: Policy, error: BaseException, routed: Routed | None
    ) -> None:
        """Try it again later, or never."""
        if self._box is not None:
            self._box.mark(held.slot, FAILING)
        if isinstance(error, WorkerLost) and routed is not None:
            await self._lose(held, policy, error, routed)
            return
        self._tally.failed += 1
        message = held.message
        failures = held.trials.failures + 1
        again = self._again(message, policy, error, failures)
        if again is not None and self._has_room(held):
            self._log(held, error, failures, again)
            held.is_settled = True
            self._tell(held, "retried", error, again)
            await insist(self._name, lambda: self._releases.submit((message, again)))
            self._hand.drop(held)
            return
        reason: Outcome = "rejected" if isinstance(error, Reject) else "failed"
        if isinstance(error, Unreadable):
            reason = "unreadable"
        self._log(held, error, failures, None)
        self._tell(held, reason, error, None)
        await self._burials.bury(held, reason, error, failures, routed)

    async def quarantine(self, held: Held, routed: Routed) -> None:
        """Too many workers were lost with it."""
        crashes, failures = held.trials.crashes, held.trials.failures
        error = WorkerLost(f"{crashes} workers were lost while they had this message")
        self._log(held, error, failures, None)
        self._tell(held, "crashed", error, None)
        await self._burials.bury(held, "crashed", error, failures, routed)

    async def _lose(self, held: Held, policy: Policy, error: WorkerLost, routed: Routed) -> None:
        """The process that ran it is gone: no failure, a crash, and we know whose."""
        before = held.trials
        seen = Crash(
            worker=self._worker.name, at_ms=self._worker.client.clock.now_ms(), what=str(error)
        )
        held.trials = replace(before, crashes=before.crashes + 1, evidence=(*before.evidence, seen))
        if held.trials.crashes >= policy.crashes:
            await self.quarantine(held, routed)
            return
        again = timedelta(seconds=min(2**before.crashes, CRASH_WAIT_S))
        self._log(held, error, before.failures, again)
        self._tell(held, "retried", error, again)
        held.is_settled = True
        changes = [(held.message, again)]
        await insist(
            self._name,
            lambda: self._executor.run(
                trial.release(self._registry, self._name, trial.CRASHED, changes, seen)
            ),
        )
        self._hand.drop(held)

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
            log.exception("a policy of queue %s failed; the usual one decides", self._name)
            return USUAL.again(error, failures, since)

    def _has_room(self, held: Held) -> bool:
        """Whether the queue's own limit lets it be received once more: with a story it is better
        moved by us than without one by a receive."""
        info = self._registry.known(self._name)
        policy = None if info is None else info.attributes.redrive_policy
        tried = held.message._receives - held.trials.returned
        return policy is None or tried < policy.max_receive_count

    async def _release_many(
        self, changes: Sequence[tuple[AsyncMessage, timedelta]]
    ) -> list[int | RmqError]:
        return await self._executor.run(
            trial.release(self._registry, self._name, trial.FAILED, changes)
        )

    def _tell(
        self, held: Held, outcome: Outcome, error: BaseException, again: timedelta | None
    ) -> None:
        if self._tally.watch is not None:
            name = held.callee.name if held.callee is not None else ""
            self._tally.watch(
                Ran(name, held.message, held.trials, outcome, error=error, again=again)
            )

    def _log(
        self, held: Held, error: BaseException, failures: int, again: timedelta | None
    ) -> None:
        name = held.callee.name if held.callee is not None else self._name
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
                "queue": self._name,
                "message_id": held.message._name,
                "attempt": failures,
            },
        )
