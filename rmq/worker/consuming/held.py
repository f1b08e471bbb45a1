"""Held: a message in a worker's hands, from its receive until Redis knows what became of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rmq.queues.aio import AsyncMessage
from rmq.worker.callee import Callee
from rmq.worker.following import Following
from rmq.worker.trials import FRESH, Trials

if TYPE_CHECKING:
    from rmq.worker.handler import Routed


class Held:
    """Times are of the monotonic clock."""

    __slots__ = (
        "callee",
        "deadline",
        "extended",
        "following",
        "is_lost",
        "is_settled",
        "limit",
        "message",
        "received",
        "routed",
        "slot",
        "started",
        "thread",
        "trials",
    )

    def __init__(self, message: AsyncMessage, now: float) -> None:
        self.message = message
        self.trials: Trials = FRESH
        self.callee: Callee | None = None
        self.routed: Routed | None = None
        """The call that it stands for, where that was looked at already."""
        self.following: Following | None = None
        """What comes of it beyond its message."""
        self.received = now
        """When the server handed it out, about."""
        self.extended = now
        """When its lease began, or was last renewed."""
        self.started = 0.0
        """When its handler began; 0 while it is buffered."""
        self.deadline = 0.0
        """When its handler has to have ended; 0 for no limit."""
        self.slot = -1
        """Its place in the process's black box, if there is one."""
        self.limit: asyncio.Timeout | None = None
        self.thread = 0
        """The thread in which its handler runs; 0 for none of its own."""
        self.is_lost = False
        """Whether its lease ended, or it is not ours for another reason: nothing is renewed."""
        self.is_settled = False
        """Whether its handler has ended, and it is only Redis that has yet to hear of it."""
