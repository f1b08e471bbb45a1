"""ListDeadLetterSourceQueues: the queues whose dead letters come here."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sqs.pages import after_of, paged
from rmq.gateway.sqs.place import owner_of, queue_of, url_of


async def list_dead_letter_source_queues(caller: Caller, given: Given) -> Answer:
    queue = queue_of(caller, given)
    limit, after = after_of(given, queue.name)
    page = await queue.dead_letter_sources(limit=limit, token=after)
    account = owner_of(caller, given).account
    return {
        "queueUrls": [url_of(caller, name, account) for name in page],
        **paged(page, given, queue.name),
    }
