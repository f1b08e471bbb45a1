"""Pages: 100 of a list at a time, and a token for the next; as SNS does it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rmq.gateway.sns.pages import MOST
from tests.gateway.sdk import Sdk, refusal


async def _all(ask: Any, member: str, **given: Any) -> tuple[list[Any], list[int]]:
    """All that pages have, and how many each had."""
    found: list[Any] = []
    sizes: list[int] = []
    while True:
        page = await ask(**given)
        found += page[member]
        sizes.append(len(page[member]))
        if "NextToken" not in page:
            return found, sizes
        given["NextToken"] = page["NextToken"]


async def _make(sns: Sdk, count: int) -> list[str]:
    made = await asyncio.gather(*(sns.create_topic(Name=f"t{n:04}") for n in range(count)))
    return [one["TopicArn"] for one in made]


async def _subscribe(sns: Sdk, topic: str, count: int) -> set[str]:
    calls = (
        sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint=f"+1555010{n:04}")
        for n in range(count)
    )
    return {one["SubscriptionArn"] for one in await asyncio.gather(*calls)}


async def test_nothing_is_one_empty_page(sns, topic):
    assert await sns.list_subscriptions() == {"Subscriptions": []}
    assert await sns.list_subscriptions_by_topic(TopicArn=topic) == {"Subscriptions": []}
    await sns.delete_topic(TopicArn=topic)
    assert await sns.list_topics() == {"Topics": []}


async def test_topics_come_a_hundred_at_a_time(sns):
    arns = await _make(sns, 2 * MOST + 1)

    found, sizes = await _all(sns.list_topics, "Topics")

    assert [one["TopicArn"] for one in found] == arns
    assert sizes == [MOST, MOST, 1]


async def test_a_hundred_have_one_page(sns):
    await _make(sns, MOST)

    _, sizes = await _all(sns.list_topics, "Topics")

    assert sizes == [MOST]


async def test_subscriptions_of_a_topic_come_a_hundred_at_a_time(sns, topic):
    arns = await _subscribe(sns, topic, MOST + 20)

    found, sizes = await _all(sns.list_subscriptions_by_topic, "Subscriptions", TopicArn=topic)

    assert sizes == [MOST, 20]
    assert len(found) == len(arns)
    assert {one["SubscriptionArn"] for one in found} == arns


@pytest.mark.parametrize("counts", [(60, 60, 60), (100, 100), (250, 1), (1, 250), (0, 99, 0, 2)])
async def test_subscriptions_of_all_topics_come_a_hundred_at_a_time(sns, counts):
    wanted: set[str] = set()
    for topic, count in zip(await _make(sns, len(counts)), counts, strict=True):
        wanted |= await _subscribe(sns, topic, count)

    found, sizes = await _all(sns.list_subscriptions, "Subscriptions")

    assert len(found) == len(wanted)
    assert {one["SubscriptionArn"] for one in found} == wanted
    assert all(size == MOST for size in sizes[:-1])


async def test_many_topics_without_subscriptions_are_passed_over(sns):
    topics = await _make(sns, 3 * MOST)
    wanted = await _subscribe(sns, topics[-1], 3)

    found, _ = await _all(sns.list_subscriptions, "Subscriptions")

    assert {one["SubscriptionArn"] for one in found} == wanted


async def test_a_token_holds_while_topics_come_and_go(sns):
    topics = await _make(sns, 3)
    wanted = set()
    for topic in topics:
        wanted |= await _subscribe(sns, topic, 60)
    first = await sns.list_subscriptions()

    await sns.delete_topic(TopicArn=topics[0])
    await sns.create_topic(Name="t0000-later")
    rest, _ = await _all(sns.list_subscriptions, "Subscriptions", NextToken=first["NextToken"])

    found = [one["SubscriptionArn"] for one in [*first["Subscriptions"], *rest]]
    assert len(found) == len(wanted)
    assert set(found) == wanted


async def test_a_token_is_for_its_own_question(sns, topic):
    await _make(sns, MOST + 1)
    other = (await sns.create_topic(Name="other"))["TopicArn"]
    await _subscribe(sns, topic, MOST + 1)
    topics = (await sns.list_topics())["NextToken"]
    some = (await sns.list_subscriptions_by_topic(TopicArn=topic))["NextToken"]

    for call in (
        sns.list_topics(NextToken=some),
        sns.list_topics(NextToken="nonsense"),
        sns.list_subscriptions(NextToken=topics),
        sns.list_subscriptions(NextToken="é"),
        sns.list_subscriptions_by_topic(TopicArn=topic, NextToken=topics),
        sns.list_subscriptions_by_topic(TopicArn=other, NextToken=some),
    ):
        found = await refusal(call)
        assert (found.code, found.message) == ("InvalidParameter", "Invalid parameter: NextToken")


async def test_an_empty_token_is_the_first_page(sns, topic):
    assert (await sns.list_topics(NextToken=""))["Topics"] == [{"TopicArn": topic}]
