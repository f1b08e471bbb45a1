"""DeleteStream: remove a stream with all it holds; not while it has queues or channels."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.channels import count_of
from rmq.gateway.kinesis.errors import in_use, no_stream
from rmq.gateway.kinesis.place import place_of, stream_of
from rmq.gateway.kinesis.queues import queues_of
from rmq.gateway.service import Answer, Given


async def delete_stream(caller: Caller, given: Given) -> Answer:
    stream, place = stream_of(caller, given), place_of(caller, given)
    enforce = given.get("EnforceConsumerDeletion", False)
    for kind, count in (
        ("queues", await queues_of(caller, place).count(stream.name)),
        ("channels", await count_of(caller, place, stream.arn)),
    ):
        if count:
            raise in_use(
                f"Stream {stream.name} under account {place.account} has {count} {kind}; "
                "delete them first."
            )
    client = caller.accounts.client(*place)
    if not await client.delete_stream(stream.name, enforce_consumer_deletion=enforce):
        raise no_stream(stream.name, place.account)
    return None
