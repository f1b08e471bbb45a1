"""ListQueues: the caller's queues on streams, page by page."""

from __future__ import annotations

from rmq.core.place import Place
from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.listing import listed
from rmq.gateway.kinesis.queues import queues_of, summary
from rmq.gateway.service import Answer, Given


async def list_queues(caller: Caller, given: Given) -> Answer:
    place = Place(caller.account, caller.region)
    return await listed(
        caller,
        given,
        queues_of(caller).catalog,
        "QueueSummaries",
        "queues",
        lambda queue: summary(queue, place),
    )
