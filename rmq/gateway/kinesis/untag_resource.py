"""UntagResource: remove tags of a stream, a registered consumer, a queue or a channel."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.resources import resource_in
from rmq.gateway.service import Answer, Given


async def untag_resource(caller: Caller, given: Given) -> Answer:
    await resource_in(caller, given).tag({}, given["TagKeys"])
    return None
