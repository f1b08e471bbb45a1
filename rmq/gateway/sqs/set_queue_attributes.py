"""SetQueueAttributes: change attributes, all of them or none."""

from __future__ import annotations

from rmq.errors import InvalidParameter
from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sqs.attributes import attributes_in, refused
from rmq.gateway.sqs.place import owner_of, queue_of


async def set_queue_attributes(caller: Caller, given: Given) -> Answer:
    queue, attributes = queue_of(caller, given), given["Attributes"]
    made = attributes_in(
        attributes, owner_of(caller, given), caller.client.limits, is_fifo=queue.is_fifo
    )
    try:
        await queue.set_attributes(**made)
    except InvalidParameter as error:
        raise refused(error, attributes) from error
    return None
