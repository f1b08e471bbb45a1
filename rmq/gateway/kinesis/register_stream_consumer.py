"""RegisterStreamConsumer: register a consumer for enhanced fan-out. It can be used at once."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis import shown
from rmq.gateway.kinesis.place import stream_of
from rmq.gateway.kinesis.resources import check_tags
from rmq.gateway.service import Answer, Given


async def register_stream_consumer(caller: Caller, given: Given) -> Answer:
    check_tags(given.get("Tags", {}))
    stream = stream_of(caller, given)
    made = await stream.register_consumer(given["ConsumerName"], tags=given.get("Tags"))
    return {"Consumer": shown.consumer(made) | {"ConsumerStatus": "CREATING"}}
