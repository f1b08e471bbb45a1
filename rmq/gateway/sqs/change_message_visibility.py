"""ChangeMessageVisibility: move the end of a lease; 0 gives the message back."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sqs.place import queue_of


async def change_message_visibility(caller: Caller, given: Given) -> Answer:
    queue = queue_of(caller, given)
    await queue.change_visibility(given["ReceiptHandle"], given["VisibilityTimeout"])
    return None
