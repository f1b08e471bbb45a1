"""Admission: of messages that are there, which the fleet's limits let run now. The others wait in
Redis until they may."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rmq.worker.consuming.failing import Failing
from rmq.worker.consuming.held import Held
from rmq.worker.consuming.returns import Returns
from rmq.worker.gate import Entrant
from rmq.worker.handler import QueueOptions, Routed
from rmq.worker.trouble import insist

if TYPE_CHECKING:
    from rmq.worker.worker import Worker


class Admission:
    """For the messages of one queue."""

    def __init__(
        self, worker: Worker, options: QueueOptions, failing: Failing, returns: Returns
    ) -> None:
        self._worker = worker
        self._options = options
        self._failing = failing
        self._returns = returns
        self._limits = tuple(one for one in options.limits if one.by is not None)
        """Of the queue, asked for each message."""

    async def enter(self, ready: Sequence[tuple[Held, Routed]]) -> Sequence[tuple[Held, Routed]]:
        """Those that may run now, of messages for one function."""
        limits = (*self._limits, *ready[0][1].limits) if ready else ()
        if not limits:
            return ready
        is_fifo = self._options.is_fifo
        entrants = [
            Entrant(
                held.message,
                routed.callee,
                routed.args,
                routed.kwargs,
                held.message.message_group_id if is_fifo else None,
            )
            for held, routed in ready
        ]
        waits = await insist(self._options.queue, lambda: self._worker.gate.enter(limits, entrants))
        if waits is None:
            return ready
        allowed, later = [], []
        for (held, routed), wait in zip(ready, waits, strict=True):
            if wait is None:
                allowed.append((held, routed))
            elif isinstance(wait, Exception):
                await self._failing.fail(held, routed.callee.policy, wait, routed)
            else:
                later.append((held, wait))
        if later:
            await self._returns.later(later)
        return allowed
