"""Burials: what is given up goes to the dead-letter queue, with the story of why."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rmq.core.coalesce import AsyncCoalescer
from rmq.core.codec import Failure
from rmq.errors import RmqError
from rmq.queues.aio import AsyncMessage
from rmq.worker import trials as trial
from rmq.worker.consuming.hand import Hand
from rmq.worker.consuming.held import Held
from rmq.worker.consuming.tally import Tally
from rmq.worker.handler import QueueOptions, Routed
from rmq.worker.queues import dead_letter_queue, make_dead_letter_queue, make_queue
from rmq.worker.ran import Outcome
from rmq.worker.trouble import insist
from rmq.worker.verdicts import TOLD

if TYPE_CHECKING:
    from rmq.worker.worker import Worker

log = logging.getLogger("rmq.worker")

TEXT_BYTES = 2_000
TRACEBACK_BYTES = 16_000
"""Of an error, what travels with a dead letter."""


class Burials:
    """Of one queue. Those at the same time go together."""

    def __init__(self, worker: Worker, options: QueueOptions, hand: Hand, tally: Tally) -> None:
        self._worker = worker
        self._options = options
        self._hand = hand
        self._tally = tally
        self._registry = worker.client._registry
        self._executor = worker.client._executor
        self._calls: AsyncCoalescer[tuple[AsyncMessage, Failure], int] = AsyncCoalescer(
            self._bury_many
        )

    async def bury(
        self,
        held: Held,
        reason: Outcome,
        error: BaseException,
        failures: int,
        routed: Routed | None,
    ) -> None:
        """Give a message up."""
        failure = self._story(held, reason, error, failures, routed)
        held.is_settled = True
        following, name = held.following, self._options.queue
        if following is not None:
            why = f"{failure.error}: {failure.text}"
            await insist(
                name, lambda: self._worker.together.run(following.failed(why, failure.traceback))
            )
        await insist(name, lambda: self._calls.submit((held.message, failure)))
        self._tally.dead += 1
        self._hand.drop(held)

    def _story(
        self,
        held: Held,
        reason: Outcome,
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
            worker=self._worker.name,
            at_ms=self._worker.client.clock.now_ms(),
            failures=failures,
            task=routed.callee.name if routed is not None else "",
            crashes=held.trials.evidence,
        )

    async def _bury_many(
        self, dead: Sequence[tuple[AsyncMessage, Failure]]
    ) -> list[int | RmqError]:
        client = self._worker.client
        target = await dead_letter_queue(client, self._options)
        if target is None:
            # Nobody wants dead letters of this queue, and nobody made it through a worker.
            target = self._options.usual_dead_letter_queue
            await make_queue(client, self._options)
        name = self._options.queue
        if not await self._executor.run(trial.bury(self._registry, name, target, dead)):
            # Without it they would be back at once, again and again.
            log.warning("dead-letter queue %s of queue %s was not there; it is now", target, name)
            await make_dead_letter_queue(client, target)
        return [1] * len(dead)
