"""Filters: who gets which message, and a publisher's list of subscriptions kept up to date.

What each kind of condition matches has tests of its own, in tests/topics/filters.
"""

from __future__ import annotations

import asyncio
import json

import pytest

from rmq import Notification
from rmq.errors import InvalidFilterPolicy, InvalidParameter
from rmq.topics.subscription import SubscriptionAttributes
from tests.colours import bare
from tests.topics.planting import plant_subscriptions
from tests.topics.reading import texts

RED = {"colour": ["red"]}
BLUE = {"colour": ["blue"]}


@pytest.fixture
async def queues(client, topic):
    """Three queues: one for red, one for blue, one for everything."""
    found = {}
    for name, policy in (("red", RED), ("blue", BLUE), ("all", None)):
        found[name] = await client.create_queue(name)
        await topic.subscribe(name, raw_message_delivery=True, filter_policy=policy)
    return found


async def test_each_gets_what_its_filter_matches(topic, queues):
    await topic.publish("r", attributes={"colour": "red"})
    await topic.publish("b", attributes={"colour": "blue"})
    await topic.publish("g", attributes={"colour": "green"})
    await topic.publish("-")
    assert await texts(queues["red"]) == ["r"]
    assert await texts(queues["blue"]) == ["b"]
    assert await texts(queues["all"]) == ["r", "b", "g", "-"]


async def test_a_batch_is_sorted_message_by_message(topic, queues):
    await topic.publish_many(
        Notification(f"{colour}{i}", attributes={"colour": colour})
        for i in range(60)
        for colour in ("red", "blue", "green")
    )
    assert await texts(queues["red"]) == [f"red{i}" for i in range(60)]
    assert await texts(queues["blue"]) == [f"blue{i}" for i in range(60)]
    assert len(await texts(queues["all"])) == 180


async def test_a_filter_may_look_at_the_body(client, topic):
    queue = await client.create_queue("some")
    await topic.subscribe(
        queue,
        raw_message_delivery=True,
        filter_policy={"order": {"total": [{"numeric": [">", 100]}]}},
        filter_policy_scope="message_body",
    )
    wanted = json.dumps({"order": {"total": 101}})
    for body in (wanted, json.dumps({"order": {"total": 100}}), "no JSON", "[]", "{}"):
        await topic.publish(body)
    assert await texts(queue) == [wanted]


async def test_of_a_text_for_each_protocol_the_body_is_the_default(client, topic):
    queue = await client.create_queue("some")
    await topic.subscribe(
        queue,
        raw_message_delivery=True,
        filter_policy={"a": ["b"]},
        filter_policy_scope="message_body",
    )
    await topic.publish(json.dumps({"default": '{"a":"b"}', "sqs": "yes"}), by_protocol=True)
    await topic.publish(json.dumps({"default": "{}", "sqs": '{"a":"b"}'}), by_protocol=True)
    assert await texts(queue) == ["yes"]


async def test_arrays_among_the_attributes_match_by_any_element(topic, queues):
    await topic.publish("x", attributes={"colour": ["green", "red"]})
    await topic.publish("y", attributes={"colour": ["green", 5, None]})
    assert await texts(queues["red"]) == ["x"]


async def test_a_change_of_the_filter_takes_effect_at_once(topic, queues, connect):
    publisher = connect().topic("news")
    await publisher.publish("1", attributes={"colour": "red"})
    one = next(s for s in await topic.subscriptions() if s.endpoint.endswith(":red"))
    await topic.set_subscription(one.id, filter_policy=BLUE)
    await publisher.publish("2", attributes={"colour": "red"})
    await publisher.publish("3", attributes={"colour": "blue"})
    await topic.set_subscription(one.id, filter_policy=None)
    await publisher.publish("4")
    await topic.set_subscription(
        one.id, filter_policy={"a": ["b"]}, filter_policy_scope="message_body"
    )
    await publisher.publish("5", attributes={"colour": "blue"})
    await publisher.publish('{"a":"b"}')
    assert await texts(queues["red"]) == ["1", "3", "4", '{"a":"b"}']


@pytest.mark.parametrize("empty", [None, "", "{}", {}])
async def test_an_empty_filter_is_none(topic, queue, empty):
    one = await topic.subscribe(queue, raw_message_delivery=True, filter_policy=empty)
    assert one.attributes.filter_policy is None
    await topic.publish("x")
    assert await texts(queue) == ["x"]


async def test_a_filter_that_can_not_be_read_is_refused_and_nothing_changes(topic, queue):
    with pytest.raises(InvalidFilterPolicy):
        await topic.subscribe(queue, filter_policy={"a": "b"})
    assert len(await topic.subscriptions()) == 0
    one = await topic.subscribe(queue, filter_policy=RED)
    with pytest.raises(InvalidFilterPolicy):
        await topic.set_subscription(one.id, filter_policy='{"a":[{"no such thing":1}]}')
    with pytest.raises(InvalidParameter, match="filter_policy_scope"):
        await topic.set_subscription(one.id, filter_policy_scope="elsewhere")
    with pytest.raises(InvalidFilterPolicy):
        await topic.set_subscription(one.id, filter_policy={"a": {"b": ["c"]}})
    assert json.loads((await topic.subscription(one.id)).attributes.filter_policy) == RED


async def test_a_scope_alone_is_held_against_the_policy_that_stands(topic, queue):
    one = await topic.subscribe(
        queue, filter_policy={"a": {"b": ["c"]}}, filter_policy_scope="message_body"
    )
    with pytest.raises(InvalidFilterPolicy):
        await topic.set_subscription(one.id, filter_policy_scope="message_attributes")


# --- what a publisher keeps of them ---


some_stores = pytest.mark.parametrize("backend", ["async-valkey", "sync-memory"], indirect=True)
"""Of what is long, and does not depend on the store."""


@some_stores
async def test_five_thousand_filters_are_loaded_and_kept_up_to_date(topic, connect, raw):
    await plant_subscriptions(
        topic,
        raw,
        (
            ("sms", f"+1555{i:07}", SubscriptionAttributes(filter_policy=f'{{"n":["{i % 500}"]}}'))
            for i in range(5_000)
        ),
    )
    fresh = connect()
    publisher = fresh.topic("news")

    assert (await publisher.publish("x", attributes={"n": "7"})).matched == 10
    assert (await publisher.stats()).subscriptions == 5_000

    known = bare(fresh)._topics.topic("news").audience
    one = await topic.subscribe("+15559999999", "sms", filter_policy={"n": ["7"]})
    assert (await publisher.publish("x", attributes={"n": "7"})).matched == 11
    await topic.set_subscription(one.id, filter_policy={"n": ["8"]})
    assert (await publisher.publish("x", attributes={"n": "7"})).matched == 10
    assert (await publisher.publish("x", attributes={"n": "8"})).matched == 11
    await topic.unsubscribe(one.id)
    assert (await publisher.publish("x", attributes={"n": "8"})).matched == 10
    assert bare(fresh)._topics.topic("news").audience is known, "it was read anew"


@some_stores
async def test_after_more_changes_than_are_kept_they_are_read_anew(topic, queue, connect):
    fresh = connect()
    publisher = fresh.topic("news")
    await publisher.publish("to nobody")
    known = bare(fresh)._topics.topic("news").audience
    one = await topic.subscribe(queue, raw_message_delivery=True)

    async def changes(count):
        for i in range(count):
            await topic.set_subscription(one.id, raw_message_delivery=i % 2 == 0)

    await changes(999)
    await publisher.publish("1")
    assert bare(fresh)._topics.topic("news").audience is known
    await changes(1001)
    await publisher.publish("2")
    assert bare(fresh)._topics.topic("news").audience is not known
    assert await texts(queue) == ["1", "2"]


async def test_a_publisher_gets_along_with_a_storm_of_subscribers(topic, queue, connect, backend):
    backend.beyond_aws("publishers and subscribers at the same moment")
    await topic.subscribe(queue, raw_message_delivery=True)
    publisher = connect().topic("news")

    async def subscribe(name):
        other = connect().topic("news")
        for i in range(15):
            one = await other.subscribe(f"+1555{name:03}{i:04}", "sms")
            if i % 2:
                await other.unsubscribe(one.id)

    async def publish():
        for i in range(15):
            await publisher.publish(str(i))

    await asyncio.gather(publish(), *(subscribe(i) for i in range(3)))
    assert await texts(queue) == [str(i) for i in range(15)]
