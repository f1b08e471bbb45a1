"""ListTagsForResource: all tags of a topic."""

from __future__ import annotations

from rmq.errors import TopicDoesNotExist
from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.errors import no_resource
from rmq.gateway.sns.tags import tagged


async def list_tags_for_resource(caller: Caller, given: Given) -> Answer:
    try:
        tags = await tagged(caller, given).tags()
    except TopicDoesNotExist:
        raise no_resource() from None
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
