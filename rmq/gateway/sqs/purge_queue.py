"""PurgeQueue: drop every message."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sqs.place import queue_of


async def purge_queue(caller: Caller, given: Given) -> Answer:
    await queue_of(caller, given).purge()
    return None
