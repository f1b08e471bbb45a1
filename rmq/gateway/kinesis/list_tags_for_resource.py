"""ListTagsForResource: the tags of a stream, a registered consumer, a queue or a channel."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.resources import resource_in, shown_tags
from rmq.gateway.service import Answer, Given


async def list_tags_for_resource(caller: Caller, given: Given) -> Answer:
    return {"Tags": shown_tags(await resource_in(caller, given).tag({}, ()))}
