"""Publishing: what a message may be, and what arrives of it at a queue."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from rmq import MessageAttribute, Notification
from rmq.errors import InvalidParameter, TopicDoesNotExist
from tests.colours import Sleepers, bare, in_thread
from tests.conftest import on_one_server
from tests.topics.crashes import publisher
from tests.topics.reading import envelopes, received, settled, texts, told

A = MessageAttribute


@pytest.fixture
async def subscribed(topic, queue):
    """A queue that gets envelopes."""
    await topic.subscribe(queue)
    return queue


@pytest.fixture
async def raw_queue(client, topic):
    """A queue that gets messages raw."""
    queue = await client.create_queue("raw")
    await topic.subscribe(queue, raw_message_delivery=True)
    return queue


# --- what arrives ---


async def test_a_message_arrives_in_an_envelope(topic, subscribed, clock):
    published = await topic.publish("hello", subject="greetings")
    (one,) = await received(subscribed)
    found = json.loads(one.body)
    assert list(found)[:6] == ["Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp"]
    assert found["Type"] == "Notification"
    assert found["MessageId"] == published.id
    assert found["TopicArn"] == topic.arn
    assert (found["Subject"], found["Message"]) == ("greetings", "hello")
    assert found["Timestamp"] == published.published_at.strftime("%Y-%m-%dT%H:%M:%S.") + (
        f"{published.published_at.microsecond // 1000:03}Z"
    )
    assert "Action=Unsubscribe&SubscriptionArn=" + topic.arn in found["UnsubscribeURL"]
    assert "MessageAttributes" not in found
    assert one.attributes == {}


async def test_an_envelope_has_no_subject_where_there_is_none(topic, subscribed):
    await topic.publish("hello")
    assert "Subject" not in (await envelopes(subscribed))[0]


async def test_attributes_stand_in_the_envelope(topic, subscribed):
    await topic.publish(
        "x",
        attributes={
            "text": "t",
            "number": 5,
            "decimal": 1.5,
            "bytes": b"\x00\xff",
            "list": ["a", 1, 2.5, True, None],
            "labelled": A("String.label", "l"),
        },
    )
    (found,) = await envelopes(subscribed)
    assert found["MessageAttributes"] == {
        "text": {"Type": "String", "Value": "t"},
        "number": {"Type": "Number", "Value": "5"},
        "decimal": {"Type": "Number", "Value": "1.5"},
        "bytes": {"Type": "Binary", "Value": "AP8="},
        "list": {"Type": "String.Array", "Value": '["a",1,2.5,true,null]'},
        "labelled": {"Type": "String.label", "Value": "l"},
    }


async def test_raw_delivery_is_the_message_and_its_attributes(topic, raw_queue):
    await topic.publish("hello", subject="lost", attributes={"a": "b", "n": 5, "l": ["x"]})
    (one,) = await received(raw_queue)
    assert one.text == "hello"
    assert one.attributes == {
        "a": A("String", "b"),
        "n": A("Number", "5"),
        "l": A("String.Array", '["x"]'),
    }


async def test_reserved_attributes_are_for_phones(topic, raw_queue):
    await topic.publish("x", attributes={"AWS.SNS.SMS.SenderID": "me", "a": "b"})
    (one,) = await received(raw_queue)
    assert set(one.attributes) == {"a"}


async def test_one_message_reaches_raw_queues_and_others(topic, subscribed, raw_queue):
    published = await topic.publish("hello")
    assert published.matched == 2
    assert await told(subscribed) == ["hello"]
    assert await texts(raw_queue) == ["hello"]


async def test_each_queue_is_told_its_own_subscription(client, topic):
    ids = []
    for name in ("one", "two"):
        await client.create_queue(name)
        ids.append((await topic.subscribe(name)).arn)
    await topic.publish("x")
    urls = [(await envelopes(client.queue(name)))[0]["UnsubscribeURL"] for name in ("one", "two")]
    assert [url.partition("SubscriptionArn=")[2] for url in urls] == ids


async def test_a_queue_of_two_topics_gets_from_both(client, queue):
    for name in ("a", "b"):
        topic = await client.create_topic(name)
        await topic.subscribe(queue, raw_message_delivery=True)
        await topic.publish(f"from {name}")
    assert await texts(queue) == ["from a", "from b"]


@pytest.mark.parametrize("message", ["x", "ü€\U0001f600", "\x00\x01\r\n\t", '"\\', " ", "0"])
async def test_any_text_comes_as_it_went(topic, subscribed, raw_queue, message):
    await topic.publish(message)
    await topic.publish(message.encode())
    assert await told(subscribed) == [message] * 2
    assert await texts(raw_queue) == [message] * 2


async def test_a_queue_with_a_delay_delays_what_arrives(client, topic, clock):
    queue = await client.create_queue("slow", delay=10)
    await topic.subscribe(queue)
    await topic.publish("x")
    assert await told(queue) == []
    clock.move(10)
    assert await told(queue) == ["x"]


async def test_what_was_changed_at_a_queue_holds_at_once(topic, subscribed, client, clock, connect):
    """The publisher has an outdated description of the queue."""
    publisher = connect().topic("news")
    await publisher.publish("1")
    await subscribed.set_attributes(delay=10)
    await publisher.publish("2")
    assert await told(subscribed) == ["1"]
    clock.move(10)
    assert await told(subscribed) == ["2"]


async def test_a_queue_that_waits_is_woken(topic, subscribed, connect):
    client = connect()
    sleepers = Sleepers(client)
    waiting = asyncio.ensure_future(client.queue("orders").receive(wait=20))
    await sleepers.reach(1)
    await topic.publish("x")
    assert json.loads((await waiting)[0].body)["Message"] == "x"


async def test_messages_of_one_publisher_arrive_in_their_order(topic, raw_queue):
    for i in range(25):
        await topic.publish(str(i))
    assert await texts(raw_queue) == [str(i) for i in range(25)]


# --- a text for each protocol ---


async def test_a_queue_gets_the_text_for_queues(topic, subscribed, raw_queue):
    await topic.publish('{"default":"d","sqs":"for queues","sms":"s"}', by_protocol=True)
    assert await told(subscribed) == ["for queues"]
    assert await texts(raw_queue) == ["for queues"]


async def test_a_queue_gets_the_default_where_there_is_none(topic, subscribed, raw_queue):
    await topic.publish('{"default":"d","sms":"s","sqs":5,"other":{}}', by_protocol=True)
    assert await told(subscribed) == ["d"]
    assert await texts(raw_queue) == ["d"]


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("no json", "message"),
        ("[]", "message"),
        ('"default"', "message"),
        ('{"sqs":"x"}', "message.default"),
        ('{"default":5}', "message.default"),
        ('{"default":"a","default":"b"}', "message"),
        ("[" * 100_000, "message"),
    ],
)
async def test_a_text_for_each_protocol_has_a_form(topic, subscribed, message, field):
    with pytest.raises(InvalidParameter) as caught:
        await topic.publish(message, by_protocol=True)
    assert caught.value.field == field
    assert await told(subscribed) == []


# --- sizes ---


async def test_a_message_may_be_as_large_as_the_topic_says(topic, subscribed, client):
    await topic.set_attributes(maximum_message_size=1024)
    await topic.publish("x" * 1024)
    with pytest.raises(InvalidParameter, match="1024"):
        await topic.publish("x" * 1025)
    # Name, type and value count.
    await topic.publish("x" * 1015, attributes={"a": "bc"})
    with pytest.raises(InvalidParameter, match="1025 bytes"):
        await topic.publish("x" * 1016, attributes={"a": "bc"})
    with pytest.raises(InvalidParameter, match="1025 bytes"):
        await topic.publish("x" * 999, attributes={"AWS.SNS.A": "b", "a": "cde"})
    assert len(await told(subscribed)) == 2


async def test_by_default_that_is_256_kib(topic, raw_queue):
    await topic.publish("x" * 262_144)
    with pytest.raises(InvalidParameter, match="262144"):
        await topic.publish("x" * 262_145)
    assert [len(one) for one in await texts(raw_queue)] == [262_144]


async def test_large_messages_go_out_in_bounded_calls(topic, raw_queue):
    result = await topic.publish_many(["x" * 200_000] * 12)
    assert len({one.id for one in result}) == 12
    assert [len(one) for one in await texts(raw_queue)] == [200_000] * 12


# --- groups on a standard topic ---


async def test_a_group_goes_to_standard_queues(client, topic):
    for name, is_raw in (("raw", True), ("wrapped", False)):
        await client.create_queue(name)
        await topic.subscribe(name, raw_message_delivery=is_raw)
    await topic.publish("x", message_group_id="tenant-7")
    await topic.publish("y")
    for name in ("raw", "wrapped"):
        groups = [one.message_group_id for one in await received(client.queue(name))]
        assert sorted(groups, key=str) == [None, "tenant-7"]


async def test_queues_are_fair_between_the_groups_of_a_topic(topic, raw_queue):
    await topic.publish_many([Notification(f"n{i}", message_group_id="noisy") for i in range(9)])
    assert len(await raw_queue.receive(5)) == 5
    await topic.publish("q", message_group_id="quiet")
    assert (await raw_queue.receive(1))[0].text == "q"


async def test_a_deduplication_id_is_for_fifo_topics(topic, subscribed):
    with pytest.raises(InvalidParameter, match="deduplication_id"):
        await topic.publish("x", deduplication_id="d")
    assert await told(subscribed) == []


# --- many ---


async def test_many_are_published_in_order(topic, raw_queue):
    result = await topic.publish_many([str(i) for i in range(250)])
    assert len({one.id for one in result.raise_for_failures()}) == 250
    assert await texts(raw_queue) == [str(i) for i in range(250)]


async def test_those_that_are_refused_do_not_hold_up_the_others(topic, raw_queue):
    result = await topic.publish_many(["a", "", Notification("b", subject="\n"), b"\xff", "c"])
    kinds = [type(one).__name__ for one in result]
    assert kinds == [
        "Published",
        "InvalidParameter",
        "InvalidParameter",
        "InvalidParameter",
        "Published",
    ]
    assert await texts(raw_queue) == ["a", "c"]


async def test_none_at_all_is_fine(topic):
    assert len(await topic.publish_many([])) == 0


async def test_publishes_at_the_same_time_have_each_their_result(topic, raw_queue):
    async def one(i):
        try:
            return await topic.publish("" if i % 10 == 3 else f"m{i}")
        except InvalidParameter:
            return None

    found = await asyncio.gather(*(one(i) for i in range(100)))
    refused = [i for i, published in enumerate(found) if published is None]
    assert refused == [i for i in range(100) if i % 10 == 3]
    assert len({one.id for one in found if one is not None}) == 90
    got = await texts(raw_queue)
    assert sorted(got) == sorted(f"m{i}" for i in range(100) if i % 10 != 3)


@on_one_server
async def test_publishes_at_the_same_time_go_out_together(backend, topic, raw_queue, raw):
    if backend.colour == "sync":
        pytest.skip("threads wait for nobody")
    await topic.publish("warm")
    await settled(topic)
    before = raw.info("commandstats")["cmdstat_xadd"]["calls"]
    await asyncio.gather(*(topic.publish(f"m{i}") for i in range(100)))
    after = raw.info("commandstats")["cmdstat_xadd"]["calls"]
    # A hundred at the queue; at the topic a batch is one entry.
    assert after - before <= 106
    assert len(await texts(raw_queue)) == 101


async def test_a_topic_that_is_not_there(client):
    topic = client.topic("nowhere")
    for call in (topic.publish("x"), topic.publish_many(["x", "y"])):
        with pytest.raises(TopicDoesNotExist, match="nowhere"):
            await call


async def test_a_published_message_says_what_became_of_it(backend, topic, subscribed, clock):
    backend.beyond_aws("how many it is for")
    one = await topic.publish("x")
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", one.id)
    assert one.published_at == clock.now().replace(
        microsecond=clock.now().microsecond // 1000 * 1000
    )
    assert (one.matched, one.is_duplicate, one.sequence_number) == (1, False, None)
    assert one.id in repr(one)


async def test_what_nobody_gets_is_counted_and_not_kept(backend, topic):
    backend.beyond_aws("totals")
    assert (await topic.publish("x")).matched == 0
    found = await topic.stats()
    assert (found.published, found.outbox) == (1, 0)


# --- what it costs ---


@on_one_server
async def test_a_publish_is_one_script_for_the_topic_and_one_for_each_queue(client, topic, raw):
    """And one that closes the books, in the background."""
    for i in range(5):
        await client.create_queue(f"q{i}")
        await topic.subscribe(f"q{i}")
    await topic.publish("warm")
    await settled(topic)

    def scripts():
        return raw.info("commandstats")["cmdstat_evalsha"]["calls"]

    before = scripts()
    await topic.publish("x")
    await client.queue("q0").stats()
    steps = scripts() - before - 1
    assert steps in (6, 7)


async def test_a_publish_has_two_steps_that_it_waits_for(backend, client, topic, subscribed):
    backend.beyond_aws("plans")
    await topic.publish("warm")
    hand = publisher(client, "x")
    steps = []
    while (step := await hand.step()) is not None:
        steps.append(step)
    assert steps == ["topics.publish", "Several", "Aside"]


async def test_threads_that_share_a_client_publish_at_the_same_time(backend, client, topic, queue):
    """While others subscribe: what is known of the topic changes under the publishers."""
    if backend.colour != "sync":
        pytest.skip("tasks share no moment")
    await topic.subscribe(queue, raw_message_delivery=True)
    inner = bare(topic)
    errors = []

    def publish(number):
        try:
            for i in range(20):
                inner.publish(f"{number}-{i}", attributes={"n": number})
        except BaseException as error:
            errors.append(error)

    def subscribe():
        try:
            for i in range(20):
                one = inner.subscribe(f"+155501000{i:02}", "sms", filter_policy={"n": [i]})
                inner.unsubscribe(one.id)
        except BaseException as error:
            errors.append(error)

    await asyncio.gather(*(in_thread(publish, i) for i in range(4)), in_thread(subscribe))
    assert errors == []
    assert sorted(await texts(queue)) == sorted(f"{n}-{i}" for n in range(4) for i in range(20))
