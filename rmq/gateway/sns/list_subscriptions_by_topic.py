"""ListSubscriptionsByTopic: the subscriptions of one topic, page by page."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.pages import MOST, after_of, paged
from rmq.gateway.sns.place import topic_of
from rmq.gateway.sns.subscriptions import listed_out


async def list_subscriptions_by_topic(caller: Caller, given: Given) -> Answer:
    topic = topic_of(caller, given)
    page = await topic.subscriptions(limit=MOST, token=after_of(given, topic.arn))
    return paged("Subscriptions", [listed_out(one) for one in page], page.next_token, topic.arn)
