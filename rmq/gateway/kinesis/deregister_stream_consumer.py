"""DeregisterStreamConsumer: remove a registered consumer."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.place import consumer_of
from rmq.gateway.service import Answer, Given


async def deregister_stream_consumer(caller: Caller, given: Given) -> Answer:
    stream, consumer = consumer_of(caller, given)
    await stream.deregister_consumer(consumer)
    return None
