"""ReceiveMessage: up to ten messages under lease, waiting for a first one if asked to."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from functools import partial

from rmq.core.limits import duration
from rmq.errors import OverLimit, RmqError
from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sqs.messages import Selection, all_out
from rmq.gateway.sqs.place import owner_of, queue_of
from rmq.queues.aio import AsyncMessage, AsyncQueue


async def receive_message(caller: Caller, given: Given) -> Answer:
    queue = queue_of(caller, given)
    wanted = Selection(given)
    receive = partial(
        queue.receive,
        given.get("MaxNumberOfMessages", 1),
        visibility_timeout=given.get("VisibilityTimeout"),
        receive_request_attempt_id=given.get("ReceiveRequestAttemptId"),
    )
    wait = given.get("WaitTimeSeconds")
    if wait is not None:
        duration(wait, "wait", None, caller.client.limits.max_wait)
    found: list[AsyncMessage] | None = None
    # A queue under load has something there: only who has to wait must be watched for hanging up.
    if not queue.is_fifo and _may_wait(queue, wait):
        with suppress(OverLimit):
            found = await receive(wait=0)
    if not found and _may_wait(queue, wait):
        found = await caller.while_there(receive(wait=wait), _give_back)
    elif not found:
        found = await receive(wait=wait)
    if not found:
        return {}
    owner = owner_of(caller, given)
    return {"Messages": all_out(owner, found, wanted, lambda one: one.receipt_handle)}


def _may_wait(queue: AsyncQueue, wait: int | None) -> bool:
    """Whether the receive waits where nothing is there; for all that is known, it may."""
    if wait is not None:
        return wait != 0
    known = queue.known
    return known is None or known.attributes.receive_message_wait_time > timedelta(0)


async def _give_back(messages: list[AsyncMessage]) -> None:
    """Nobody reads the answer any more: let somebody else have them, now."""
    with suppress(RmqError):
        await asyncio.gather(*(one.release() for one in messages))
