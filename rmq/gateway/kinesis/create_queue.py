"""CreateQueue: make a queue on an on-demand stream. It can be used at once."""

from __future__ import annotations

from typing import Any

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.errors import not_valid
from rmq.gateway.kinesis.place import check_on_demand, one_stream, resource
from rmq.gateway.kinesis.queues import attributes_in, described, queues_of
from rmq.gateway.kinesis.resources import check_tags
from rmq.gateway.service import Answer, Given


async def create_queue(caller: Caller, given: Given) -> Answer:
    check_tags(given.get("Tags", {}))
    place = resource(one_stream(given), "StreamARN", "stream").place
    stream = await check_on_demand(caller, one_stream(given))
    start = given["StreamConfigurationList"][0].get("StartingPosition", {"Type": "LATEST"})
    made: dict[str, Any] = attributes_in(given.get("QueueAttributes", {}))
    if (start["Type"] == "AT_TIMESTAMP") != ("Timestamp" in start):
        raise not_valid("Timestamp goes with the starting position AT_TIMESTAMP, and only with it.")
    queue = await queues_of(caller, place).create(
        given["QueueName"],
        stream,
        start=start["Type"],
        timestamp=start.get("Timestamp"),
        tags=given.get("Tags"),
        **made,
    )
    return {"QueueDescription": described(queue, place, "CREATING")}
