"""Report: /_rmq/topics, what topics did: what was published, and what became of it at each
subscription.

    GET /_rmq/topics                        ten topics a page, each with its first 100 subscriptions
    GET /_rmq/topics?topicArn=arn:..        one topic, 100 subscriptions a page
    token=<next_token>                      the next page, of either
    accountId=.., region=..                 whose topics; else the endpoint's own
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from rmq.client.aio import AsyncClient
from rmq.errors import InvalidParameter, SubscriptionDoesNotExist, TopicDoesNotExist
from rmq.gateway.caller import Accounts
from rmq.gateway.http import Request, Response
from rmq.gateway.protocol.query import read_form
from rmq.gateway.sns.attributes import moment
from rmq.gateway.sns.errors import invalid, not_found
from rmq.gateway.sns.peek import client_of
from rmq.gateway.sns.place import read_topic
from rmq.topics.aio import AsyncTopic
from rmq.topics.subscription import Subscription

PATH = "/_rmq/topics"
TOPICS = 10
SUBSCRIPTIONS = 100

Report = dict[str, Any]


async def report(accounts: Accounts, request: Request) -> Response:
    """What topics did. Raises AwsError."""
    asked = read_form(request.query)
    token = asked.get("token") or None
    try:
        if "topicArn" in asked:
            found = await _topic(read_topic(accounts, asked["topicArn"]), token)
        else:
            found = await _topics(client_of(accounts, asked), token)
    except InvalidParameter:
        raise invalid("token") from None
    if found is None:
        raise not_found("Topic")
    return Response(200, msgspec.json.encode(found), "application/json")


async def _topics(client: AsyncClient, token: str | None) -> Report:
    page = await client.list_topics(limit=TOPICS, token=token)
    found = await asyncio.gather(*(_topic(client.topic(name), None) for name in page))
    return {"topics": [one for one in found if one], "next_token": page.next_token}


async def _topic(topic: AsyncTopic, token: str | None) -> Report | None:
    """One topic; None where it is not there."""
    try:
        stats = await topic.stats()
        page = await topic.subscriptions(limit=SUBSCRIPTIONS, token=token)
        found = await asyncio.gather(*(_subscription(topic, one) for one in page))
    except TopicDoesNotExist:
        return None
    return {
        "arn": topic.arn,
        "published": stats.published,
        "bytes": stats.bytes,
        "outbox": stats.outbox,
        "oldest_at": None if stats.oldest_at is None else moment(stats.oldest_at),
        "waiting": stats.waiting,
        "pending_confirmation": stats.pending,
        "subscriptions": [one for one in found if one],
        "next_token": page.next_token,
    }


async def _subscription(topic: AsyncTopic, one: Subscription) -> Report | None:
    try:
        stats = await topic.subscription_stats(one.id)
    except SubscriptionDoesNotExist:  # ended meanwhile
        return None
    return {
        "arn": one.arn,
        "protocol": one.protocol,
        "endpoint": one.endpoint,
        "confirmed": one.confirmed,
        "delivered": stats.delivered,
        "failed": stats.failed,
        "filtered_out": stats.filtered_out,
        "latency_ms": stats.latency_ms,
        "backlog": stats.backlog,
    }
