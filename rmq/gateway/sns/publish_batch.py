"""PublishBatch: up to ten messages, in their order; what is wrong with one fails that one."""

from __future__ import annotations

import asyncio
from typing import Any

from rmq.errors import RmqError, ServerError
from rmq.gateway.caller import Caller
from rmq.gateway.errors import AwsError
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.batch import answered, check
from rmq.gateway.sns.errors import error
from rmq.gateway.sns.messages import notification, published_out, size_of
from rmq.gateway.sns.place import topic_of
from rmq.topics.aio import AsyncTopic
from rmq.topics.message import Notification, Published


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
    published = iter(await _published(topic, messages))
    outcome = [one if isinstance(one, AwsError) else next(published) for one in results]
    return answered(caller, entries, outcome, published_out)


async def _published(
    topic: AsyncTopic, messages: list[Notification]
) -> list[Published | BaseException]:
    """Publish each by itself, and so together with those of other requests: topic.publish_many
    would go by itself, which under load is half as fast. They are taken in this order.

    Raises what is wrong with all of them.
    """
    results = await asyncio.gather(
        *(
            topic.publish(
                one.message,
                subject=one.subject,
                attributes=one.attributes,
                by_protocol=one.by_protocol,
                message_group_id=one.message_group_id,
                deduplication_id=one.deduplication_id,
            )
            for one in messages
        ),
        return_exceptions=True,
    )
    errors = [one for one in results if isinstance(one, BaseException)]
    for one in errors:
        if not isinstance(one, RmqError):
            raise one
    if errors and len(errors) == len(results) and isinstance(errors[0], ServerError):
        raise errors[0]
    return results
