"""Verdicts: what a handler can say of its message, other than by returning or by failing.

returns             done: the message is deleted
raises Retry        again, after as long as it says; counts as a failure
raises Reject       never again: to the dead-letter queue at once
raises another      again, by the policy, until that gives up
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rmq.core.limits import duration

_MODULE = "rmq.worker"
"""Where users know them from; a dead letter names its error by it."""

if TYPE_CHECKING:
    from rmq.worker.task import TaskMessage


class Retry(Exception):
    """Raise it in a handler: this message again, later.

    *after* (a timedelta or seconds; default: as the policy says) is how much later. It counts as a
    failure: when the policy has no try left, the message becomes a dead letter all the same.
    """

    __module__ = _MODULE

    def __init__(self, reason: str = "", *, after: timedelta | float | None = None) -> None:
        super().__init__(reason)
        self.after = None if after is None else duration(after, "after", None, None)


class Reject(Exception):
    """Raise it in a handler: this message never again. It goes to the dead-letter queue at once,
    with *reason*."""

    __module__ = _MODULE


class TimeLimitExceeded(Exception):
    """A handler took longer than its time limit. A failure like any other."""

    __module__ = _MODULE


class UnknownTask(Exception):
    """A message asks for a task that this worker does not have; another, newer one may."""

    __module__ = _MODULE
    said: TaskMessage | None = None


class WorkerLost(Exception):
    """The process that ran a handler is gone: it exited, was killed, or ran out of memory."""

    __module__ = _MODULE


class Unreadable(Exception):
    """A body is not what the handler takes."""

    __module__ = _MODULE
    said: TaskMessage | None = None
    """Of a task's message that could be read as such: what it says. Somebody may wait for it."""


TOLD = (Reject, Retry, Unreadable, UnknownTask, WorkerLost, TimeLimitExceeded)
"""Errors that say all in their words; where they were raised says nothing more."""
