"""UntagQueue: remove tags; unknown keys are ignored."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sqs.place import queue_of


async def untag_queue(caller: Caller, given: Given) -> Answer:
    await queue_of(caller, given).untag(given["TagKeys"])
    return None
