"""Listening: what is published, heard live. Nothing is kept for anybody."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from rmq import Notification
from rmq.errors import InvalidFilterPolicy, TopicDoesNotExist
from tests.colours import until


@pytest.fixture(autouse=True)
def beyond(backend):
    backend.beyond_aws("live listeners")


@pytest.fixture
def listen(raw, backend, namespace):
    """Starts to listen, and returns when publishers know of it."""

    async def heard(listener, count, found):
        async with aclosing(listener) as messages:
            async for message in messages:
                found.append(message)
                if len(found) == count:
                    return

    async def listen(topic, count, **options):
        """Listen for *count* messages; the list fills, the task ends with the last."""
        found = []
        key = f"{namespace}:{{t:{topic.name}}}:state"
        before = raw.hget(key, "listened")
        task = asyncio.create_task(heard(topic.listen(**options), count, found))
        await until(lambda: task.done() or raw.hget(key, "listened") != before)
        return task, found

    return listen


def texts(found):
    return [one.text for one in found]


async def test_who_listens_hears_what_is_published(topic, listen, clock):
    await topic.publish("before")
    task, found = await listen(topic, 2)
    one = await topic.publish(
        "hello", subject="s", attributes={"a": "b"}, message_group_id="tenant-7"
    )
    await topic.publish('{"n":5}')
    await task
    assert texts(found) == ["hello", '{"n":5}']
    first, second = found
    assert (first.id, first.subject, first.body) == (one.id, "s", b"hello")
    assert first.attributes["a"].value == "b"
    assert first.message_group_id == "tenant-7"
    assert first.sequence_number is None
    assert first.published_at == clock.now().replace(microsecond=first.published_at.microsecond)
    assert second.json() == {"n": 5}
    assert (second.subject, second.message_group_id) == (None, None)
    assert one.id in repr(first)


async def test_a_batch_is_heard_message_by_message(topic, listen):
    task, found = await listen(topic, 150)
    await topic.publish_many([f"m{i}" for i in range(150)])
    await task
    assert texts(found) == [f"m{i}" for i in range(150)]


async def test_a_listener_may_have_a_filter(topic, listen):
    task, found = await listen(topic, 2, filter_policy={"colour": ["red"]})
    for colour in ("red", "blue", "red"):
        await topic.publish(colour, attributes={"colour": colour})
    await task
    assert texts(found) == ["red", "red"]


async def test_a_listener_may_filter_by_the_body(topic, listen):
    task, found = await listen(
        topic, 1, filter_policy={"a": ["b"]}, filter_policy_scope="message_body"
    )
    await topic.publish("no")
    await topic.publish('{"a":"b"}')
    await task
    assert texts(found) == ['{"a":"b"}']


async def test_two_listeners_hear_the_same(topic, listen, connect, clock):
    first, heard_first = await listen(topic, 2)
    clock.move(0.001)
    second, heard_second = await listen(connect().topic("news"), 2)
    await topic.publish("1")
    await topic.publish("2")
    await asyncio.gather(first, second)
    assert texts(heard_first) == texts(heard_second) == ["1", "2"]


async def test_listeners_hear_what_others_publish(topic, listen, connect):
    task, found = await listen(topic, 1)
    await connect().topic("news").publish("from elsewhere")
    await task
    assert texts(found) == ["from elsewhere"]


async def test_on_a_fifo_topic_duplicates_are_not_heard(fifo_topic, listen):
    task, found = await listen(fifo_topic, 2)
    one = await fifo_topic.publish("1", message_group_id="g")
    await fifo_topic.publish("1", message_group_id="g")
    await fifo_topic.publish_many([Notification("2", message_group_id="h")])
    await task
    assert texts(found) == ["1", "2"]
    assert [one.message_group_id for one in found] == ["g", "h"]
    assert found[0].sequence_number == one.sequence_number


async def test_where_nobody_listens_nothing_is_said(topic, raw, backend, listen, clock):
    """A topic that nobody listens to pays one comparison."""
    task, found = await listen(topic, 1)
    await topic.publish("x")
    await task
    clock.move(61)
    assert texts(found) == ["x"]
    channel = raw.pubsub() if backend.place != "cluster" else None
    if channel is None:
        return
    name = bytes(topic.name, "ascii")
    channel.psubscribe(b"*" + name + b"*")
    await topic.publish("unheard")
    assert all(one is None or one["type"] != "message" for one in [channel.get_message()])
    channel.close()


async def test_a_topic_that_is_not_there_can_not_be_listened_to(client, topic):
    for bad, error in ((client.topic("nowhere").listen(), TopicDoesNotExist),):
        with pytest.raises(error):
            await anext(bad)
    with pytest.raises(InvalidFilterPolicy):
        await anext(topic.listen(filter_policy={"a": "b"}))
