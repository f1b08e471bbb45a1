"""PublishBatch: up to ten messages, in their order; what is wrong with one fails that one."""

from __future__ import annotations

from typing import Any

from rmq.gateway.caller import Caller
from rmq.gateway.errors import AwsError
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.batch import answered, check
from rmq.gateway.sns.errors import error
from rmq.gateway.sns.messages import notification, published_out, size_of
from rmq.gateway.sns.place import topic_of


async def publish_batch(caller: Caller, given: Given) -> Answer:
    topic, entries = topic_of(caller, given), given["PublishBatchRequestEntries"]
    check(entries)
    results: list[Any] = []
    for entry in entries:
        try:
            results.append(notification(entry))
        except AwsError as refused:
            results.append(refused)
    messages = [one for one in results if not isinstance(one, AwsError)]
    known = topic.known or await topic.info()
    if sum(map(size_of, messages)) > known.attributes.largest_message:
        raise error(
            "BatchRequestTooLongException",
            "The length of all the batch messages put together is more than the limit.",
        )
    published = iter(await topic.publish_many(messages) if messages else ())
    outcome = [one if isinstance(one, AwsError) else next(published) for one in results]
    return answered(caller, entries, outcome, published_out)
