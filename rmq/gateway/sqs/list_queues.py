"""ListQueues: URLs of the caller's queues, page by page when asked for pages."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sqs.pages import after_of, paged
from rmq.gateway.sqs.place import url_of


async def list_queues(caller: Caller, given: Given) -> Answer:
    prefix = given.get("QueueNamePrefix", "")
    limit, after = after_of(given, prefix)
    page = await caller.client.list_queues(prefix, limit=limit, token=after)
    found = paged(page, given, prefix)
    urls = [url_of(caller, name) for name in page]
    return {**({"QueueUrls": urls} if urls else {}), **found}
