"""TagResource: set tags of a topic; a key that stands gets the new value."""

from __future__ import annotations

from rmq.errors import TopicDoesNotExist
from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.errors import no_resource
from rmq.gateway.sns.tags import tagged, tags_in


async def tag_resource(caller: Caller, given: Given) -> Answer:
    try:
        await tagged(caller, given).tag(tags_in(given["Tags"]))
    except TopicDoesNotExist:
        raise no_resource() from None
    return {}
