"""DescribeStreamConsumer: a registered consumer, by its ARN or its stream and name."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis import shown
from rmq.gateway.kinesis.place import consumer_of
from rmq.gateway.service import Answer, Given


async def describe_stream_consumer(caller: Caller, given: Given) -> Answer:
    stream, consumer = consumer_of(caller, given)
    found = await stream.registered_consumer(consumer)
    return {"ConsumerDescription": shown.consumer(found) | {"StreamARN": stream.arn}}
