"""ListSubscriptions: those of all the caller's topics, page by page, topic after topic."""

from __future__ import annotations

import asyncio

import msgspec

from rmq.client.aio import AsyncClient
from rmq.errors import TopicDoesNotExist
from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.errors import invalid
from rmq.gateway.sns.pages import MOST, after_of, paged
from rmq.gateway.sns.subscriptions import listed_out
from rmq.topics.subscription import Subscription, Subscriptions

QUESTION = "subscriptions"
TOPICS_AT_ONCE = 20
"""Topics that are asked together."""
MOST_TOPICS = 1_000
"""Topics that one call asks; where none of them has subscriptions, its page is empty."""


class Place(msgspec.Struct, array_like=True):
    """Where a page begins: behind *topic*, or inside it, behind *token*."""

    topic: str
    token: str | None = None


async def list_subscriptions(caller: Caller, given: Given) -> Answer:
    found, place = await page_of(caller.client, _place_in(after_of(given, QUESTION)))
    after = None if place is None else msgspec.json.encode(place).decode()
    return paged("Subscriptions", [listed_out(one) for one in found], after, QUESTION)


def _place_in(after: str | None) -> Place | None:
    try:
        return None if after is None else msgspec.json.decode(after, type=Place)
    except msgspec.MsgspecError:
        raise invalid("NextToken") from None


async def page_of(
    client: AsyncClient, place: Place | None
) -> tuple[list[Subscription], Place | None]:
    """Up to 100 subscriptions from *place* on, and the place of the next page."""
    found: list[Subscription] = []
    if place is not None and place.token is not None:
        page = await _of_topic(client, place.topic, place.token)
        found += page
        if page.next_token is not None:
            return found, Place(place.topic, page.next_token)
    after = None if place is None else place.topic
    for _ in range(MOST_TOPICS // TOPICS_AT_ONCE):
        names = await client.list_topics(limit=TOPICS_AT_ONCE, token=after)
        pages = await asyncio.gather(*(_of_topic(client, name, None) for name in names))
        for name, page in zip(names, pages, strict=True):
            left = MOST - len(found)
            if len(page) > left:
                # The page ends inside this topic: ask for just that part, so as to know its token.
                part = await _of_topic(client, name, None, left) if left else None
                found += part or ()
                return found, Place(name, part.next_token) if part else Place(after or "")
            found += page
            if page.next_token is not None:
                return found, Place(name, page.next_token)
            after = name
        if names.next_token is None:
            return found, None
    return found, Place(after or "")


async def _of_topic(
    client: AsyncClient, name: str, token: str | None, limit: int = MOST
) -> Subscriptions:
    try:
        return await client.topic(name).subscriptions(limit=limit, token=token)
    except TopicDoesNotExist:  # removed meanwhile
        return Subscriptions((), None)
