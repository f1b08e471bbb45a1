"""Ran: one run of a handler, as whoever watches a worker is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from rmq.queues.aio import AsyncMessage
from rmq.worker.trials import Trials

Outcome = Literal["done", "retried", "failed", "rejected", "unreadable", "crashed"]
"""All but the first two end in the dead-letter queue."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One run, and what became of its message."""

    name: str
    """The handler's or task's; empty where the message could not be read or routed."""
    message: AsyncMessage
    before: Trials
    """What had become of it before."""
    outcome: Outcome
    result: Any = None
    error: BaseException | None = None
    again: timedelta | None = None
    """How long after it is tried again."""

    @property
    def queue(self) -> str:
        return self.message.queue_name
