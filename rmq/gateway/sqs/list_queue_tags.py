"""ListQueueTags: all tags of a queue."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sqs.place import queue_of


async def list_queue_tags(caller: Caller, given: Given) -> Answer:
    tags = await queue_of(caller, given).tags()
    return {"Tags": tags} if tags else {}
