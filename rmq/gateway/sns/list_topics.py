"""ListTopics: ARNs of the caller's topics, page by page."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.pages import MOST, after_of, paged

QUESTION = "topics"


async def list_topics(caller: Caller, given: Given) -> Answer:
    client = caller.client
    page = await client.list_topics(limit=MOST, token=after_of(given, QUESTION))
    found = [{"TopicArn": client.topic(name).arn} for name in page]
    return paged("Topics", found, page.next_token, QUESTION)
