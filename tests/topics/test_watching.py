"""Watching: totals, what became of messages at each subscription, and why."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rmq import Notification
from rmq.errors import InvalidParameter, SubscriptionDoesNotExist, TopicDoesNotExist
from tests.topics.crashes import publisher
from tests.topics.reading import settled, texts

RED = {"colour": ["red"]}


@pytest.fixture(autouse=True)
def beyond(backend):
    backend.beyond_aws("totals and explanations")


# --- totals ---


async def test_a_new_topic_has_done_nothing(topic):
    found = await topic.stats()
    assert (found.published, found.bytes, found.outbox, found.waiting) == (0, 0, 0, 0)
    assert (found.subscriptions, found.pending, found.oldest_at) == (0, 0, None)


async def test_what_was_published_is_counted(topic, queue):
    await topic.subscribe(queue)
    await topic.subscribe("a@example.com", "email")
    await topic.publish("x")
    await topic.publish_many(["y"] * 150)
    await settled(topic)
    found = await topic.stats()
    assert (found.published, found.outbox, found.waiting) == (151, 0, 0)
    assert (found.subscriptions, found.pending) == (2, 1)
    assert found.bytes >= 151


async def test_what_is_on_its_way_is_seen(client, topic, queue, clock):
    await topic.subscribe(queue)
    await publisher(client, "a", "b", "c").through("topics.publish")
    found = await topic.stats()
    assert (found.published, found.outbox, found.waiting) == (3, 3, 0)
    assert found.oldest_at == clock.now()
    await topic.sweep()
    await settled(topic)
    assert (await topic.stats()).oldest_at is None


async def test_totals_of_a_topic_that_is_not_there(client):
    with pytest.raises(TopicDoesNotExist, match="nowhere"):
        await client.topic("nowhere").stats()


# --- of one subscription ---


async def test_what_was_delivered_is_counted(topic, queue):
    one = await topic.subscribe(queue)
    found = await topic.subscription_stats(one.id)
    assert (found.delivered, found.failed, found.backlog) == (0, 0, 0)
    assert (found.latency_ms, dict(found.filtered_out)) == (None, {})
    await topic.publish_many(["x"] * 7)
    await settled(topic)
    found = await topic.subscription_stats(one.arn)
    assert (found.delivered, found.failed, dict(found.filtered_out)) == (7, 0, {})
    assert found.latency_ms == 0


async def test_what_waits_to_be_pushed_is_a_backlog(topic):
    one = await topic.subscribe("work", "lambda")
    await topic.publish_many(["x"] * 7)
    await settled(topic)
    found = await topic.subscription_stats(one.id)
    assert (found.delivered, found.backlog, dict(found.filtered_out)) == (0, 7, {})


async def test_latency_is_the_time_from_publish_to_delivery(client, topic, queue, clock):
    one = await topic.subscribe(queue)
    await publisher(client, "x").through("topics.publish")
    clock.move(10)
    await topic.sweep()
    await settled(topic)
    assert (await topic.subscription_stats(one.id)).latency_ms == 10_000


async def test_what_was_filtered_out_is_counted_by_kind(client, topic, queue):
    by_attributes = await topic.subscribe(queue, filter_policy=RED)
    other = await client.create_queue("other")
    by_body = await topic.subscribe(
        other, filter_policy={"a": ["b"]}, filter_policy_scope="message_body"
    )
    for _ in range(2):
        await topic.publish("no attributes, no object")
    for _ in range(3):
        await topic.publish('{"a":"c"}', attributes={"colour": "blue"})
    for _ in range(4):
        await topic.publish('{"a":"b"}', attributes={"colour": "red"})
    await settled(topic)
    found = await topic.subscription_stats(by_attributes.id)
    assert found.delivered == 4
    assert found.filtered_out == {"no_message_attributes": 2, "message_attributes": 3}
    found = await topic.subscription_stats(by_body.id)
    assert found.delivered == 4
    assert found.filtered_out == {"invalid_message_body": 2, "message_body": 3}


async def test_a_subscription_without_a_filter_filters_nothing_out(topic, queue):
    await topic.publish("before")
    one = await topic.subscribe(queue)
    await topic.publish("x")
    await settled(topic)
    assert dict((await topic.subscription_stats(one.id)).filtered_out) == {}


async def test_what_was_filtered_out_stays_counted_when_the_filter_changes(topic, queue):
    one = await topic.subscribe(queue)

    async def publish(*colours):
        for colour in colours:
            await topic.publish("x", attributes={"colour": colour})
        await settled(topic)

    async def filtered():
        found = await topic.subscription_stats(one.id)
        return found.delivered, found.filtered_out.get("message_attributes", 0)

    await publish("red", "blue")
    assert await filtered() == (2, 0)
    await topic.set_subscription(one.id, filter_policy=RED)
    await publish("red", "blue", "blue")
    assert await filtered() == (3, 2)
    await topic.set_subscription(one.id, filter_policy={"colour": ["blue"]})
    await publish("red", "blue", "blue")
    assert await filtered() == (5, 3)
    await topic.set_subscription(one.id, filter_policy=None)
    await publish("red", "blue")
    assert await filtered() == (7, 3)
    await topic.set_subscription(one.id, filter_policy=RED)
    await publish("red", "blue")
    assert await filtered() == (8, 4)
    assert len(await texts(queue)) == 8


async def test_what_is_still_on_its_way_was_not_filtered_out(client, topic, queue):
    one = await topic.subscribe(queue, filter_policy=RED)
    message = Notification("x", attributes={"colour": "red"})
    await publisher(client, message, message).through("topics.publish")
    found = await topic.subscription_stats(one.id)
    assert (found.delivered, dict(found.filtered_out)) == (0, {})


async def test_on_a_fifo_topic_it_is_counted_too(fifo_topic, fifo):
    one = await fifo_topic.subscribe(fifo, filter_policy=RED)
    for i, colour in enumerate(["red", "blue", "blue"]):
        await fifo_topic.publish(f"{i}", attributes={"colour": colour}, message_group_id="g")
    await fifo_topic.publish("0", attributes={"colour": "red"}, message_group_id="g")
    found = await fifo_topic.subscription_stats(one.id)
    assert (found.delivered, found.filtered_out) == (1, {"message_attributes": 2})
    assert (await fifo_topic.stats()).published == 3


async def test_an_archive_hides_nothing_that_was_filtered_out(client, fifo, clock):
    """All that was ever published is still in the outbox."""
    topic = await client.create_topic("news.fifo", archive_retention=timedelta(days=1))
    one = await topic.subscribe(fifo, filter_policy=RED)
    start = clock.now()
    for i, colour in enumerate(["red", "blue", "blue", "red"]):
        await topic.publish(
            f"{i}", attributes={"colour": colour}, message_group_id="g", deduplication_id=f"{i}"
        )
    found = await topic.subscription_stats(one.id)
    assert (found.delivered, found.filtered_out) == (2, {"message_attributes": 2})
    clock.move(1)
    await topic.replay(one.id, start)
    found = await topic.subscription_stats(one.id)
    assert (found.delivered, found.filtered_out) == (4, {"message_attributes": 2})


# --- why ---


async def test_it_is_explained_who_gets_a_message_and_who_not(client, topic, queue):
    everything = await topic.subscribe(queue)
    red = await topic.subscribe(await client.create_queue("red"), filter_policy=RED)
    pending = await topic.subscribe("a@example.com", "email")
    found = {one.subscription.id: one for one in await topic.explain("x")}
    assert {id: one.outcome for id, one in found.items()} == {
        everything.id: "matched",
        red.id: "no_message_attributes",
        pending.id: "unconfirmed",
    }
    assert bool(found[everything.id])
    assert not found[red.id]
    assert "not confirmed" in str(found[pending.id])
    assert (await topic.stats()).published == 0


async def test_it_is_explained_which_condition_refused(topic, queue):
    one = await topic.subscribe(queue, filter_policy=RED)
    message = Notification("x", attributes={"colour": "blue"})
    (found,) = await topic.explain(message, subscription=one.id)
    assert not found
    assert "colour" in str(found)
    assert "blue" in str(found)
    assert (await topic.publish("x", attributes={"colour": "blue"})).matched == 0


async def test_only_what_could_be_published_is_explained(topic):
    with pytest.raises(InvalidParameter):
        await topic.explain("")


async def test_what_is_not_there_is_not_explained(client, topic):
    with pytest.raises(SubscriptionDoesNotExist):
        await topic.explain("x", subscription="01234567-0123-0123-0123-0123456789ab")
    with pytest.raises(TopicDoesNotExist):
        await client.topic("nowhere").explain("x")


async def test_explaining_agrees_with_publishing(client, topic):
    for i in range(20):
        await topic.subscribe(f"+155501000{i:02}", "sms", filter_policy={"n": [str(i % 7)]})
    for i in range(8):
        said = await topic.explain(Notification("x", attributes={"n": str(i)}))
        published = await topic.publish("x", attributes={"n": str(i)})
        assert published.matched == sum(map(bool, said))
