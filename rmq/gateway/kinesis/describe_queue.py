"""DescribeQueue: a queue with its attributes."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.queues import described, queue_in
from rmq.gateway.service import Answer, Given


async def describe_queue(caller: Caller, given: Given) -> Answer:
    queues, id, place = queue_in(caller, given)
    return {"QueueDescription": described(await queues.find(id), place)}
