"""UpdateQueue: change a queue's attributes; what is in flight keeps the timeout it has."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.queues import attributes_in, described, queue_in
from rmq.gateway.service import Answer, Given


async def update_queue(caller: Caller, given: Given) -> Answer:
    queues, id, place = queue_in(caller, given)
    queue = await queues.change(id, **attributes_in(given["QueueAttributes"]))
    return {"QueueDescription": described(queue, place, "UPDATING")}
