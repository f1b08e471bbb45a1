"""Subscribing: who may, once or again, changed and ended."""

from __future__ import annotations

import asyncio

import pytest

from rmq import Limits
from rmq.errors import (
    InvalidParameter,
    MissingParameter,
    QueueDoesNotExist,
    SubscriptionDoesNotExist,
    SubscriptionExists,
    TooManyFilterPolicies,
    TooManySubscriptions,
    TopicDoesNotExist,
)
from tests.colours import ByHand, bare
from tests.topics.reading import received, texts, told

ACCOUNT = "000000000000"
ENDPOINTS = {
    "http": "http://example.com/hook?a=b",
    "https": "https://user:pass@example.com:8443/hook",
    "email": "someone@example.com",
    "email-json": "someone@example.com",
    "sms": "+15550100123",
    "lambda": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:work",
    "application": f"arn:aws:sns:us-east-1:{ACCOUNT}:endpoint/GCM/app/1234",
    "firehose": f"arn:aws:firehose:us-east-1:{ACCOUNT}:deliverystream/stream",
}
CONFIRMS = ("http", "https", "email", "email-json")
MORE = {"firehose": {"subscription_role_arn": f"arn:aws:iam::{ACCOUNT}:role/r"}}


# --- making ---


async def test_a_queue_is_subscribed_by_name_arn_or_as_it_is(client, topic, queue):
    first = await topic.subscribe(queue)
    second = await topic.subscribe("orders")
    account = topic.arn.split(":")[4]
    third = await topic.subscribe(f"arn:aws:sqs:us-east-1:{account}:orders")
    fourth = await topic.subscribe("orders", "sqs")
    assert first.id == second.id == third.id == fourth.id
    assert first.arn == f"{topic.arn}:{first.id}"
    assert (first.protocol, first.account, first.confirmed) == ("sqs", account, True)
    assert first.endpoint == f"arn:aws:sqs:us-east-1:{account}:orders"


@pytest.mark.parametrize("protocol", ENDPOINTS)
async def test_every_protocol_can_be_subscribed(topic, protocol):
    endpoint = ENDPOINTS[protocol].replace(ACCOUNT, topic.arn.split(":")[4])
    one = await topic.subscribe(endpoint, protocol, **MORE.get(protocol, {}))
    assert (one.protocol, one.endpoint) == (protocol, endpoint)
    assert one.confirmed is (protocol not in CONFIRMS)
    assert [(found.id, found.confirmed) for found in await topic.subscriptions()] == [
        (one.id, one.confirmed)
    ]


@pytest.mark.parametrize("protocol", ENDPOINTS)
async def test_the_same_endpoint_again_is_the_same_subscription(topic, protocol):
    more = MORE.get(protocol, {})
    first = await topic.subscribe(ENDPOINTS[protocol], protocol, **more)
    second = await topic.subscribe(ENDPOINTS[protocol], protocol, **more)
    assert first.id == second.id
    assert len(await topic.subscriptions()) == 1


async def test_a_url_says_its_protocol(backend, topic):
    backend.beyond_aws("a protocol that is left out")
    assert (await topic.subscribe(ENDPOINTS["http"])).protocol == "http"
    assert (await topic.subscribe(ENDPOINTS["https"])).protocol == "https"


async def test_a_number_is_kept_without_its_spaces(topic):
    one = await topic.subscribe("+1 (555) 010-0123", "sms")
    assert one.endpoint == "+15550100123"


async def test_a_callable_has_the_arn_of_a_function(backend, topic):
    backend.beyond_aws("the names of callables")
    one = await topic.subscribe("work", "lambda")
    assert one.endpoint == ENDPOINTS["lambda"]


async def test_the_same_endpoint_under_two_protocols_is_two_subscriptions(topic):
    await topic.subscribe("a@example.com", "email")
    await topic.subscribe("a@example.com", "email-json")
    assert len(await topic.subscriptions()) == 2


async def test_the_same_policy_may_be_written_in_another_way(topic, queue):
    """One client writes it by hand, the other has a dict."""
    one = await topic.subscribe(queue, filter_policy='{"a": [1], "b": ["x"]}')
    assert (await topic.subscribe(queue, filter_policy={"b": ["x"], "a": [1]})).id == one.id
    with pytest.raises(SubscriptionExists, match="filter_policy"):
        await topic.subscribe(queue, filter_policy={"b": ["x"], "a": [True]})


async def test_the_same_endpoint_with_other_attributes_is_refused(topic, queue):
    await topic.subscribe(queue)
    with pytest.raises(SubscriptionExists, match="raw_message_delivery") as caught:
        await topic.subscribe(queue, raw_message_delivery=True)
    assert caught.value.attribute == "raw_message_delivery"
    with pytest.raises(SubscriptionExists, match="filter_policy"):
        await topic.subscribe(queue, filter_policy={"a": ["b"]})


async def test_what_is_not_said_asks_for_nothing(topic, queue):
    first = await topic.subscribe(queue, raw_message_delivery=True, filter_policy={"a": ["b"]})
    assert (await topic.subscribe(queue)).id == first.id
    assert (await topic.subscribe(queue, raw_message_delivery=True)).id == first.id


async def test_many_at_once_make_one_subscription(topic, queue, connect):
    others = [connect().topic("news") for _ in range(5)]
    found = await asyncio.gather(*(one.subscribe("orders") for one in others))
    assert len({one.id for one in found}) == 1
    await topic.publish("x")
    assert await told(queue) == ["x"]


async def test_a_queue_that_is_not_there_is_named(topic):
    with pytest.raises(QueueDoesNotExist, match="nowhere"):
        await topic.subscribe("nowhere")


async def test_a_topic_that_is_not_there_is_named(client, queue):
    with pytest.raises(TopicDoesNotExist, match="nowhere"):
        await client.topic("nowhere").subscribe(queue)


async def test_a_fifo_queue_does_not_fit_a_standard_topic(topic, fifo):
    with pytest.raises(InvalidParameter, match="endpoint"):
        await topic.subscribe(fifo)


async def test_a_fifo_topic_takes_queues_of_both_kinds_and_nothing_else(fifo_topic, queue, fifo):
    await fifo_topic.subscribe(queue)
    await fifo_topic.subscribe(fifo)
    with pytest.raises(InvalidParameter, match="protocol"):
        await fifo_topic.subscribe("https://example.com", "https")


async def test_a_stream_needs_a_role(topic):
    with pytest.raises(MissingParameter, match="subscription_role_arn"):
        await topic.subscribe(ENDPOINTS["firehose"], "firehose")


@pytest.mark.parametrize("protocol", [one for one in ENDPOINTS if one not in ("http", "https")])
async def test_a_delivery_policy_is_for_urls(topic, protocol):
    policy = '{"healthyRetryPolicy":{"numRetries":2}}'
    more = MORE.get(protocol, {}) | {"delivery_policy": policy}
    with pytest.raises(InvalidParameter, match="delivery_policy"):
        await topic.subscribe(ENDPOINTS[protocol], protocol, **more)


@pytest.mark.parametrize("protocol", ["email", "email-json", "sms", "lambda", "application"])
async def test_raw_delivery_is_not_for_all_protocols(topic, protocol):
    with pytest.raises(InvalidParameter, match="raw_message_delivery"):
        await topic.subscribe(ENDPOINTS[protocol], protocol, raw_message_delivery=True)


async def test_a_subscription_gets_nothing_of_what_was_published_before(topic, queue, connect):
    await topic.publish("before")
    await topic.subscribe(queue)
    await topic.publish("after")
    await connect().topic("news").publish("after that")
    assert await told(queue) == ["after", "after that"]


async def test_a_subscription_holds_for_publishers_that_know_nothing_of_it(topic, queue, connect):
    publisher = connect().topic("news")
    await publisher.publish("to nobody")
    await topic.subscribe(queue)
    await publisher.publish("to one")
    assert await told(queue) == ["to one"]


# --- limits ---


async def test_a_fifo_topic_has_at_most_a_hundred(backend, connect):
    backend.beyond_aws("a hundred queues")
    client = connect()
    topic = await client.create_topic("news.fifo")
    await asyncio.gather(*(client.create_queue(f"q{i}.fifo") for i in range(101)))
    for i in range(100):
        await topic.subscribe(f"q{i}.fifo")
    with pytest.raises(TooManySubscriptions, match="100"):
        await topic.subscribe("q100.fifo")
    await topic.subscribe("q0.fifo")


async def test_there_is_a_limit_of_subscriptions(backend, connect):
    backend.beyond_aws("lifted limits")
    client = connect(limits=Limits.aws(max_subscriptions=2))
    topic = await client.create_topic("news")
    for i in range(2):
        await topic.subscribe(f"+1555010000{i}", "sms")
    with pytest.raises(TooManySubscriptions, match="2 subscriptions"):
        await topic.subscribe("+15550100009", "sms")


async def test_there_is_a_limit_of_those_that_wait_for_confirmation(backend, connect, clock):
    backend.beyond_aws("lifted limits")
    client = connect(limits=Limits.aws(max_pending_subscriptions=2))
    topic = await client.create_topic("news")
    for i in range(2):
        await topic.subscribe(f"{i}@example.com", "email")
    with pytest.raises(TooManySubscriptions, match="2 unconfirmed"):
        await topic.subscribe("9@example.com", "email")
    await topic.subscribe("+15550100000", "sms")
    clock.move(2 * 86_400)
    await topic.subscribe("9@example.com", "email")
    assert sorted(one.protocol for one in await topic.subscriptions()) == ["email", "sms"]
    assert (await topic.stats()).subscriptions == 2


async def test_there_is_a_limit_of_filter_policies(backend, connect, clock):
    backend.beyond_aws("lifted limits")
    client = connect(limits=Limits.aws(max_filter_policies=2))
    topic = await client.create_topic("news")
    policy = {"a": ["b"]}
    one = await topic.subscribe("+15550100000", "sms", filter_policy=policy)
    await topic.subscribe("1@example.com", "email", filter_policy=policy)
    with pytest.raises(TooManyFilterPolicies, match="2"):
        await topic.subscribe("+15550100001", "sms", filter_policy=policy)
    plain = await topic.subscribe("+15550100002", "sms")
    with pytest.raises(TooManyFilterPolicies):
        await topic.set_subscription(plain.id, filter_policy=policy)
    await topic.set_subscription(one.id, filter_policy=None)
    await topic.set_subscription(plain.id, filter_policy=policy)
    await topic.unsubscribe(plain.id)
    await topic.set_subscription(one.id, filter_policy={"c": ["d"]})
    # The one that was never confirmed counts no longer when its token has expired.
    clock.move(2 * 86_400)
    await topic.subscribe("+15550100003", "sms", filter_policy=policy)


async def test_a_sweep_counts_the_filter_policies_of_those_that_never_confirmed(
    backend, connect, clock
):
    backend.beyond_aws("lifted limits")
    client = connect(limits=Limits.aws(max_filter_policies=1))
    topic = await client.create_topic("news")
    await topic.subscribe("1@example.com", "email", filter_policy={"a": ["b"]})
    clock.move(2 * 86_400)
    await topic.sweep()
    assert (await topic.stats()).subscriptions == 0
    await topic.subscribe("+15550100003", "sms", filter_policy={"a": ["b"]})


# --- looking ---


async def test_one_subscription_is_found_by_id_and_arn(topic, queue):
    one = await topic.subscribe(queue, raw_message_delivery=True)
    assert (await topic.subscription(one.id)).attributes.raw_message_delivery is True
    assert (await topic.subscription(one.arn)).id == one.id


async def test_a_subscription_that_is_not_there_is_named(topic):
    id = "01234567-0123-0123-0123-0123456789ab"
    with pytest.raises(SubscriptionDoesNotExist, match=id):
        await topic.subscription(id)
    with pytest.raises(SubscriptionDoesNotExist, match=id):
        await topic.set_subscription(id, raw_message_delivery=True)


async def test_subscriptions_are_listed_page_by_page(topic):
    made = {(await topic.subscribe(f"+155501000{i:02}", "sms")).id for i in range(12)}
    first = await topic.subscriptions(limit=5)
    second = await topic.subscriptions(limit=5, token=first.next_token)
    third = await topic.subscriptions(limit=5, token=second.next_token)
    assert (len(first), len(second), len(third), third.next_token) == (5, 5, 2, None)
    ids = [one.id for page in (first, second, third) for one in page]
    assert set(ids) == made
    assert len(ids) == 12
    assert {one.id async for one in topic.all_subscriptions()} == made


# --- changing ---


async def test_attributes_of_a_subscription_can_be_changed_and_taken_away(client, topic, queue):
    await client.create_queue("dead")
    one = await topic.subscribe(queue)
    changed = await topic.set_subscription(
        one.id, raw_message_delivery=True, dead_letter_queue="dead", filter_policy='{"a":["b"]}'
    )
    found = await topic.subscription(one.id)
    assert found.attributes == changed.attributes
    assert found.attributes.dead_letter_queue.endswith(":dead")
    assert found.attributes.filter_policy == '{"a":["b"]}'
    await topic.set_subscription(one.id, dead_letter_queue=None, filter_policy=None)
    found = await topic.subscription(one.id)
    assert found.attributes.dead_letter_queue is None
    assert found.attributes.filter_policy is None
    assert found.attributes.raw_message_delivery is True


async def test_a_change_holds_for_what_is_published_from_now_on(topic, queue, connect):
    publisher = connect().topic("news")
    one = await topic.subscribe(queue)
    await publisher.publish("in an envelope")
    await topic.set_subscription(one.id, raw_message_delivery=True)
    await publisher.publish("raw")
    first, second = await received(queue)
    assert '"in an envelope"' in first.text
    assert second.text == "raw"


async def test_changes_at_the_same_time_do_not_undo_each_other(topic, queue, connect):
    one = await topic.subscribe(queue)
    await asyncio.gather(
        connect().topic("news").set_subscription(one.id, raw_message_delivery=True),
        connect().topic("news").set_subscription(one.id, filter_policy={"a": ["b"]}),
    )
    found = (await topic.subscription(one.id)).attributes
    assert (found.raw_message_delivery, found.filter_policy) == (True, '{"a":["b"]}')


# --- ending ---


async def test_who_unsubscribed_gets_no_more(topic, queue, connect):
    publisher = connect().topic("news")
    one = await topic.subscribe(queue, raw_message_delivery=True)
    await publisher.publish("1")
    assert await topic.unsubscribe(one.arn) is True
    await publisher.publish("2")
    assert await texts(queue) == ["1"]
    assert len(await topic.subscriptions()) == 0


async def test_ending_it_again_says_that_there_was_none(topic, queue):
    one = await topic.subscribe(queue)
    assert await topic.unsubscribe(one.id) is True
    assert await topic.unsubscribe(one.id) is False


async def test_who_comes_back_is_another_subscription(topic, queue):
    first = await topic.subscribe(queue, raw_message_delivery=True)
    await topic.unsubscribe(first.id)
    second = await topic.subscribe(queue)
    assert first.id != second.id
    assert second.attributes.raw_message_delivery is False


async def test_unsubscribing_from_a_topic_that_is_not_there(backend, client):
    backend.beyond_aws("an end of what is not there that is refused")
    with pytest.raises(TopicDoesNotExist):
        await client.topic("nowhere").unsubscribe("01234567-0123-0123-0123-0123456789ab")


async def test_a_pushed_subscription_takes_its_waiting_messages_with_it(backend, client, topic):
    backend.beyond_aws("inner queues")
    one = await topic.subscribe("work", "lambda")
    await topic.publish("x")
    assert (await topic.subscription_stats(one.id)).backlog == 1
    await topic.unsubscribe(one.id)
    inner = bare(client)._topics.inner
    assert inner.known(one.id) is None


async def test_a_subscribe_that_dies_leaves_no_subscription_without_its_queue(
    backend, client, topic
):
    backend.beyond_aws("plans")
    from rmq.topics import subscribing

    plan = subscribing.subscribe(bare(client)._topics, "news", "work", "lambda", {})
    await ByHand(client, plan).through("queues.create")
    assert len(await topic.subscriptions()) == 0
    one = await topic.subscribe("work", "lambda")
    await topic.publish("x")
    assert (await topic.subscription_stats(one.id)).backlog == 1
