"""TagResource: set tags of a stream, a registered consumer, a queue or a channel."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.resources import check_tags, resource_in
from rmq.gateway.service import Answer, Given


async def tag_resource(caller: Caller, given: Given) -> Answer:
    check_tags(given["Tags"])
    await resource_in(caller, given).tag(given["Tags"], ())
    return None
