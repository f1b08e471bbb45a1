"""Returns: what was received and not tried, or not to the end, is given back, uncounted."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from rmq.core.script import Plan
from rmq.errors import RmqError
from rmq.queues.aio import AsyncMessage
from rmq.worker import trials as trial
from rmq.worker.consuming.hand import Hand
from rmq.worker.consuming.held import Held
from rmq.worker.consuming.tally import Tally
from rmq.worker.handler import QueueOptions
from rmq.worker.trouble import insist

if TYPE_CHECKING:
    from rmq.worker.worker import Worker

log = logging.getLogger("rmq.worker")


class Returns:
    """Gives back messages of one queue."""

    def __init__(self, worker: Worker, options: QueueOptions, hand: Hand, tally: Tally) -> None:
        self._options = options
        self._hand = hand
        self._tally = tally
        self._registry = worker.client._registry
        self._executor = worker.client._executor

    def plan(self, messages: Sequence[AsyncMessage]) -> Plan[list[int | RmqError]]:
        """For others, now."""
        return self._plan([(one, 0) for one in messages])

    async def now(self, held: Sequence[Held]) -> None:
        """Give back what is in hand and not settled. Where Redis is away, leases end by
        themselves."""
        ours = [one for one in held if one.message in self._hand and not one.is_settled]
        if not ours:
            return
        for one in ours:
            one.is_settled = True
        self._tally.returned += len(ours)
        try:
            await self._executor.run(self.plan([one.message for one in ours]))
        except RmqError as error:
            log.warning(
                "%d messages of queue %s could not be given back, they are back within %g s: %s",
                len(ours),
                self._options.queue,
                self._options.visibility_timeout,
                error,
            )
        for one in ours:
            self._hand.drop(one)

    async def later(self, held: Sequence[tuple[Held, timedelta]]) -> None:
        """Give back what may not run yet: nobody gets it for so long."""
        for one, _ in held:
            one.is_settled = True
        self._tally.returned += len(held)
        changes = [(one.message, after) for one, after in held]
        await insist(self._options.queue, lambda: self._executor.run(self._plan(changes)))
        for one, _ in held:
            self._hand.drop(one)

    def _plan(
        self, changes: Sequence[tuple[AsyncMessage, timedelta | float]]
    ) -> Plan[list[int | RmqError]]:
        return trial.release(self._registry, self._options.queue, trial.RETURNED, changes)
