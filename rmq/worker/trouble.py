"""Trouble: how one queue's work goes on while Redis does not answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from rmq.errors import RmqError, ServerError

if TYPE_CHECKING:
    from rmq.worker.worker import Worker

T = TypeVar("T")
log = logging.getLogger("rmq.worker")

TROUBLE_S = 1.0
"""How soon it goes on after trouble with Redis, which was retried for longer than that before."""


async def pause(worker: Worker) -> None:
    """Wait before the next try; a stop ends it."""
    await worker.stopping_within(TROUBLE_S)


async def answered(queue: str, ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until Redis answers. Meanwhile leases are renewed as well as they can be. Raises what
    Redis refuses."""
    while True:
        try:
            return await ask()
        except ServerError as error:
            log.warning("queue %s: %s", queue, error)
            await asyncio.sleep(TROUBLE_S)


async def insist(queue: str, ask: Callable[[], Awaitable[T]]) -> T | None:
    """Ask until Redis answers, of a message that is ours. None where it is not: the lease was lost,
    or the queue, and there is nothing that we could still say."""
    try:
        return await answered(queue, ask)
    except RmqError as error:
        log.warning("queue %s: %s", queue, error)
        return None
