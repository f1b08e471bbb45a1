"""ReceiveMessage: up to ten messages under lease, waiting for a first one if asked to."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from rmq.errors import RmqError
from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sqs.messages import Selection, stored_out
from rmq.gateway.sqs.place import owner_of, queue_of
from rmq.queues.aio import AsyncMessage


async def receive_message(caller: Caller, given: Given) -> Answer:
    queue = queue_of(caller, given)
    wanted = Selection(given)
    wait = given.get("WaitTimeSeconds")
    receive = queue.receive(
        given.get("MaxNumberOfMessages", 1),
        visibility_timeout=given.get("VisibilityTimeout"),
        wait=wait,
        receive_request_attempt_id=given.get("ReceiveRequestAttemptId"),
    )
    found: list[AsyncMessage] | None
    if wait == 0:
        found = await receive
    else:
        found = await caller.while_there(receive, _give_back)
    if not found:
        return {}
    owner = owner_of(caller, given)
    return {"Messages": [stored_out(owner, one, wanted, one.receipt_handle) for one in found]}


async def _give_back(messages: list[AsyncMessage]) -> None:
    """Nobody reads the answer any more: let somebody else have them, now."""
    with suppress(RmqError):
        await asyncio.gather(*(one.release() for one in messages))
