"""TagQueue: set tags; a key that stands gets the new value."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sqs.place import queue_of


async def tag_queue(caller: Caller, given: Given) -> Answer:
    await queue_of(caller, given).tag(given["Tags"])
    return None
