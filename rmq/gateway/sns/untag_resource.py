"""UntagResource: remove tags of a topic; unknown keys are ignored."""

from __future__ import annotations

from rmq.errors import TopicDoesNotExist
from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.errors import no_resource
from rmq.gateway.sns.tags import tagged


async def untag_resource(caller: Caller, given: Given) -> Answer:
    try:
        await tagged(caller, given).untag(given["TagKeys"])
    except TopicDoesNotExist:
        raise no_resource() from None
    return {}
