"""What can never be delivered: to the subscription's dead-letter queue, or dropped; never in the
way of the others."""

from __future__ import annotations

import json

import pytest

from rmq import Notification
from rmq.errors import InvalidParameter, QueueDoesNotExist
from tests.topics.reading import received, settled, texts

DENY = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*",'
    '"Action":"sqs:SendMessage","Resource":"*"}]}'
)


@pytest.fixture
async def dead(client):
    return await client.create_queue("dead")


@pytest.fixture
async def other(client, topic):
    """A second queue, which always gets everything."""
    queue = await client.create_queue("other")
    await topic.subscribe(queue, raw_message_delivery=True)
    return queue


async def delete(queue):
    await queue.delete_queue()
    return "does not exist"


async def deny(queue):
    await queue.set_attributes(policy=DENY)
    return "denies"


async def shrink(queue):
    await queue.set_attributes(maximum_message_size=1024)
    return "1024"


WAYS = {"deleted": delete, "denied": deny, "too large": shrink}
MESSAGE = "x" * 1100


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("is_raw", [True, False], ids=["raw", "wrapped"])
async def test_what_can_not_be_delivered_becomes_a_dead_letter(
    backend, topic, queue, dead, other, way, is_raw
):
    one = await topic.subscribe(queue, raw_message_delivery=is_raw, dead_letter_queue=dead)
    reason = await WAYS[way](queue)
    await topic.publish(MESSAGE, attributes={"a": "b"})

    (letter,) = await received(dead)
    if is_raw:
        assert letter.text == MESSAGE
        assert letter.attributes["a"].value == "b"
    else:
        found = json.loads(letter.body)
        assert (found["Message"], found["TopicArn"]) == (MESSAGE, topic.arn)
        assert found["UnsubscribeURL"].endswith(one.arn)
    assert reason in letter.attributes["ErrorMessage"].value
    assert await texts(other) == [MESSAGE]
    backend.beyond_aws("totals")
    await settled(topic)
    assert (await topic.subscription_stats(one.id)).failed == 1
    assert (await topic.subscription_stats(one.id)).delivered == 0


@pytest.mark.parametrize("way", WAYS)
async def test_without_a_dead_letter_queue_it_is_dropped(backend, topic, queue, other, way):
    one = await topic.subscribe(queue)
    await WAYS[way](queue)
    await topic.publish(MESSAGE)
    assert await texts(other) == [MESSAGE]
    backend.beyond_aws("totals")
    await settled(topic)
    assert (await topic.subscription_stats(one.id)).failed == 1
    assert (await topic.stats()).outbox == 0


async def test_more_than_ten_attributes_can_not_be_delivered_raw(topic, queue, dead, other):
    await topic.subscribe(queue, raw_message_delivery=True, dead_letter_queue=dead)
    await topic.publish("ten", attributes={f"a{i}": "v" for i in range(10)})
    await topic.publish("eleven", attributes={f"a{i}": "v" for i in range(11)})
    assert await texts(queue) == ["ten"]
    (letter,) = await received(dead)
    assert letter.text == "eleven"
    assert len(letter.attributes) == 10, "nine of them, and the reason"
    assert await texts(other) == ["ten"]


async def test_reserved_attributes_do_not_count(topic, queue):
    await topic.subscribe(queue, raw_message_delivery=True)
    attributes = {f"a{i}": "v" for i in range(10)} | {"AWS.SNS.SMS.SenderID": "x"}
    await topic.publish("x", attributes=attributes)
    assert await texts(queue) == ["x"]


async def test_in_an_envelope_any_number_of_attributes_is_delivered(topic, queue):
    await topic.subscribe(queue)
    await topic.publish("x", attributes={f"a{i}": "v" for i in range(30)})
    (one,) = await received(queue)
    assert len(json.loads(one.body)["MessageAttributes"]) == 30


async def test_of_a_batch_only_those_that_do_not_fit_become_dead_letters(
    backend, topic, queue, dead
):
    one = await topic.subscribe(queue, raw_message_delivery=True, dead_letter_queue=dead)
    await queue.set_attributes(maximum_message_size=1024)
    await topic.publish_many(["a", "x" * 1025, "b", "y" * 1025, "c"])
    assert await texts(queue) == ["a", "b", "c"]
    assert [text[0] for text in await texts(dead)] == ["x", "y"]
    backend.beyond_aws("totals")
    await settled(topic)
    found = await topic.subscription_stats(one.id)
    assert (found.delivered, found.failed) == (3, 2)


async def test_each_message_is_one_dead_letter_whatever_the_publisher_knew(
    backend, topic, queue, dead, connect
):
    """The queue has changed twice since the publisher looked: its offer is refused, and made
    again."""
    publisher = connect().topic("news")
    one = await topic.subscribe(queue, raw_message_delivery=True, dead_letter_queue=dead)
    await queue.set_attributes(maximum_message_size=2048)
    await publisher.publish("warm")
    await queue.set_attributes(maximum_message_size=1024)
    await publisher.publish_many(["a", "x" * 3000, "b", "y" * 1500])
    assert await texts(queue) == ["warm", "a", "b"]
    assert [text[0] for text in await texts(dead)] == ["x", "y"]
    backend.beyond_aws("totals")
    await settled(topic)
    found = await topic.subscription_stats(one.id)
    assert (found.delivered, found.failed) == (3, 2)


async def test_a_queue_that_went_while_the_publisher_knew_it(topic, queue, dead, connect, backend):
    publisher = connect().topic("news")
    one = await topic.subscribe(queue, raw_message_delivery=True, dead_letter_queue=dead)
    await queue.set_attributes(maximum_message_size=1024)
    await publisher.publish("warm")
    await queue.delete_queue()
    await publisher.publish_many(["a", "x" * 3000])
    assert [text[0] for text in await texts(dead)] == ["a", "x"]
    backend.beyond_aws("totals")
    await settled(topic)
    assert (await topic.subscription_stats(one.id)).failed == 2


async def test_a_queue_that_was_made_anew_gets_messages_again(client, topic, queue, dead):
    await topic.subscribe(queue, raw_message_delivery=True, dead_letter_queue=dead)
    await topic.publish("1")
    await queue.delete_queue()
    await topic.publish("2")
    again = await client.create_queue("orders")
    await topic.publish("3")
    assert await texts(again) == ["3"]
    assert await texts(dead) == ["2"]


async def test_a_dead_letter_queue_that_is_gone_drops_them(backend, topic, queue, dead, other):
    one = await topic.subscribe(queue, dead_letter_queue=dead)
    await topic.publish("warm")
    await queue.delete_queue()
    await dead.delete_queue()
    await topic.publish("x")
    assert await texts(other) == ["warm", "x"]
    backend.beyond_aws("totals")
    await settled(topic)
    assert (await topic.subscription_stats(one.id)).failed == 1


async def test_a_dead_letter_queue_that_changed_takes_them_all_the_same(
    topic, queue, dead, connect, clock
):
    publisher = connect().topic("news")
    await topic.subscribe(queue, raw_message_delivery=True, dead_letter_queue=dead)
    await queue.delete_queue()
    await publisher.publish("1")
    await dead.set_attributes(visibility_timeout=10)
    await publisher.publish("2")
    assert await texts(dead) == ["1", "2"]


async def test_two_subscriptions_may_share_a_dead_letter_queue(client, topic, dead):
    for name in ("one", "two"):
        queue = await client.create_queue(name)
        await topic.subscribe(queue, raw_message_delivery=True, dead_letter_queue=dead)
        await queue.delete_queue()
    await topic.publish_many(["a", "b"])
    assert sorted(await texts(dead)) == ["a", "a", "b", "b"]


async def test_messages_with_a_group_keep_it_as_dead_letters(topic, queue, dead):
    await topic.subscribe(queue, raw_message_delivery=True, dead_letter_queue=dead)
    await queue.delete_queue()
    await topic.publish_many([Notification("a", message_group_id="g"), "b"])
    assert sorted((one.text, one.message_group_id) for one in await received(dead)) == [
        ("a", "g"),
        ("b", None),
    ]


async def test_a_fifo_topic_buries_in_a_fifo_queue_in_order(client, fifo_topic, fifo):
    dead = await client.create_queue("dead.fifo")
    await fifo_topic.subscribe(fifo, raw_message_delivery=True, dead_letter_queue=dead)
    await fifo.set_attributes(maximum_message_size=1024)
    for i, size in enumerate([1, 2000, 1, 2000, 1]):
        await fifo_topic.publish(f"{i}" * size, message_group_id="g")
    assert [text[0] for text in await texts(fifo)] == ["0", "2", "4"]
    letters = await received(dead)
    assert [(one.text[0], one.message_group_id) for one in letters] == [("1", "g"), ("3", "g")]


@pytest.mark.parametrize(
    "value",
    [
        "dead.fifo",
        "arn:aws:sqs:us-east-1:111122223333:dead",
        "arn:aws:sqs:eu-west-1:000000000000:dead",
        "arn:aws:sns:us-east-1:000000000000:dead",
        "arn:nonsense",
        "a b",
        "",
    ],
)
async def test_a_dead_letter_queue_is_a_queue_of_the_same_kind_account_and_region(
    client, topic, queue, dead, value
):
    await client.create_queue("dead.fifo")
    with pytest.raises(InvalidParameter):
        await topic.subscribe(queue, dead_letter_queue=value)
    assert len(await topic.subscriptions()) == 0


async def test_a_dead_letter_queue_has_to_be_there(topic, queue):
    with pytest.raises(QueueDoesNotExist, match="nowhere"):
        await topic.subscribe(queue, dead_letter_queue="nowhere")


async def test_a_fifo_topic_needs_a_fifo_queue_for_its_dead_letters(client, fifo_topic, fifo, dead):
    with pytest.raises(InvalidParameter, match="fifo"):
        await fifo_topic.subscribe(fifo, dead_letter_queue=dead)


async def test_what_was_dropped_stays_dropped_when_somebody_sweeps(
    backend, topic, queue, dead, clock
):
    backend.beyond_aws("sweep")
    await topic.subscribe(queue, raw_message_delivery=True, dead_letter_queue=dead)
    await queue.delete_queue()
    await topic.publish("x")
    await settled(topic)
    assert await topic.sweep() == 0
    assert await texts(dead) == ["x"]


async def test_a_queue_that_takes_larger_messages_by_now_gets_them(topic, queue, dead, connect):
    """Where nothing can be delivered the queue is not called, so that nothing else tells."""
    publisher = connect().topic("news")
    await topic.subscribe(queue, raw_message_delivery=True, dead_letter_queue=dead)
    await queue.set_attributes(maximum_message_size=1024)
    await publisher.publish("x" * 1025)
    await queue.set_attributes(maximum_message_size=2048)
    await publisher.publish("y" * 1025)
    assert [text[0] for text in await texts(queue)] == ["y"]
    assert [text[0] for text in await texts(dead)] == ["x"]
