"""Publish: one message to a topic, to a platform endpoint or to a phone number."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns import direct
from rmq.gateway.sns.errors import invalid
from rmq.gateway.sns.messages import notification, published_out
from rmq.gateway.sns.place import arn_in, topic_of

TARGETS = ("TopicArn", "TargetArn", "PhoneNumber")


async def publish(caller: Caller, given: Given) -> Answer:
    targets = [name for name in TARGETS if given.get(name)]
    if not targets:
        raise invalid("TopicArn or TargetArn", "no value for required parameter")
    if len(targets) > 1:
        raise invalid(" or ".join(targets), "Only one of them may be given")
    (target,) = targets
    if target == "PhoneNumber":
        return await direct.to_number(caller, given)
    if target == "TargetArn" and arn_in(caller, given, target).resource.startswith("endpoint/"):
        return await direct.to_endpoint(caller, given)
    topic, one = topic_of(caller, given, target), notification(given)
    published = await topic.publish(
        one.message,
        subject=one.subject,
        attributes=one.attributes,
        by_protocol=one.by_protocol,
        message_group_id=one.message_group_id,
        deduplication_id=one.deduplication_id,
    )
    return published_out(published)
