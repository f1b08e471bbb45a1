"""DeleteStream: remove a stream with all it holds; not while it has queues or channels."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.errors import no_stream
from rmq.gateway.kinesis.place import place_of, stream_of
from rmq.gateway.service import Answer, Given


async def delete_stream(caller: Caller, given: Given) -> Answer:
    stream, place = stream_of(caller, given), place_of(caller, given)
    enforce = given.get("EnforceConsumerDeletion", False)
    client = caller.accounts.client(*place)
    if not await client.delete_stream(stream.name, enforce_consumer_deletion=enforce):
        raise no_stream(stream.name, place.account)
    return None
