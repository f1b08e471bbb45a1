"""Server time: what time it is for Redis. It decides what is due, over or too old; the clock of
this host may be wrong, or step."""

from __future__ import annotations

import time

from rmq.core import script
from rmq.core.clock import Clock
from rmq.core.keys import FleetKeys
from rmq.core.script import Call
from rmq.queues.aio import AsyncMessage


def now_ms(namespace: str, app: str = "app") -> Call[int]:
    """The server's time in ms since 1970, as scripts have it."""
    # Any key will do: on a cluster it says which node to ask.
    state = FleetKeys(namespace, app).schedule_state
    return script.load("worker/now").call(app, int, state=state)


def since_ms(clock: Clock, message: AsyncMessage, received: float) -> float:
    """The same without asking: of a message that was received at *received* by the monotonic clock,
    the server said when that was."""
    if clock.held:
        return clock.now_ms()
    return message.received_ms + (time.monotonic() - received) * 1000
