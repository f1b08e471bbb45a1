"""DeleteQueue: remove a queue with all it holds."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sqs.place import queue_of


async def delete_queue(caller: Caller, given: Given) -> Answer:
    await queue_of(caller, given).delete_queue()
    return None
