"""DeleteQueue: remove a queue; the stream's records stay."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.queues import queue_in
from rmq.gateway.service import Answer, Given


async def delete_queue(caller: Caller, given: Given) -> Answer:
    queues, id, _ = queue_in(caller, given)
    await queues.delete(id)
    return None
