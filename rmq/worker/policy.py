"""Policy: whether a message that failed is tried again, and when. Pure.

The parts are tenacity's: any of its stop, wait and retry objects will do. The waiting itself is
Redis's: a message that waits for its next try is invisible there, and no worker holds it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tenacity import Future, RetryCallState
from tenacity.wait import wait_exponential, wait_random

from rmq.core.limits import whole
from rmq.errors import InvalidParameter, Words
from rmq.worker.verdicts import Reject, Retry, Unreadable

RETRIES = 10
"""With the default wait, the last try is some 17 minutes after the first."""
CRASHES = 3
"""Workers that a message may take with it before it is a dead letter."""

Judge = Callable[[RetryCallState], Any]


def default_wait() -> Judge:
    """1, 2, 4 .. 600 seconds, each up to half longer, so that what failed together does not come
    back together."""
    base = wait_exponential(multiplier=1, max=600)
    spread = wait_random(0, 1)

    def wait(state: RetryCallState) -> float:
        return base(state) * (1 + spread(state) / 2)

    return wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How often, and how long after."""

    retries: int | None = RETRIES
    """Tries after the first; None for no limit but *stop*. 0 or more."""
    wait: Judge = field(default_factory=default_wait)
    """A tenacity wait object: seconds until the next try."""
    stop: Judge | None = None
    """A tenacity stop object: the end, whatever *retries* says. Its time counts from the first
    receive."""
    retry: Judge | None = None
    """A tenacity retry object: which errors are worth another try. Default all."""
    crashes: int = CRASHES
    """How many workers it may take with it. 1 or more."""

    def __post_init__(self) -> None:
        if self.retries is not None:
            whole(self.retries, "retries", 0, None)
        whole(self.crashes, "crashes", 1, None)
        for name in ("wait", "stop", "retry"):
            value = getattr(self, name)
            # A class can be called as well, and would say yes to everything: retry=ValueError.
            if value is not None and (isinstance(value, type) or not callable(value)):
                what = repr(value) if isinstance(value, type) else type(value).__name__
                raise InvalidParameter(name, Words(what), f"a {name} object of tenacity")

    def again(self, error: BaseException, failures: int, since: timedelta) -> timedelta | None:
        """How long until the next try; None for never. *failures* counts this one as well; *since*
        is how long ago the message was first received."""
        if isinstance(error, (Reject, Unreadable)):
            return None
        if self.retries is not None and failures > self.retries:
            return None
        state = _state(error, failures, since)
        if self.retry is not None and not isinstance(error, Retry) and not self.retry(state):
            return None
        if self.stop is not None and self.stop(state):
            return None
        if isinstance(error, Retry) and error.after is not None:
            return error.after
        state.upcoming_sleep = float(self.wait(state))
        return timedelta(seconds=max(state.upcoming_sleep, 0))


def _state(error: BaseException, failures: int, since: timedelta) -> RetryCallState:
    """What tenacity's objects look at."""
    state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
    state.attempt_number = failures
    now = time.monotonic()
    state.start_time = now - since.total_seconds()
    state.outcome_timestamp = now
    outcome: Any = Future(failures)
    outcome.set_exception(error)
    state.outcome = outcome
    return state
