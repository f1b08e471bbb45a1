"""FIFO topics: order within groups at every queue, and each deduplication id once in its window."""

from __future__ import annotations

import asyncio
import json

import pytest

from rmq import Limits, Notification
from rmq.errors import InvalidParameter, MissingParameter
from rmq.topics import registry as registry_of_topics
from tests.colours import bare, until
from tests.topics.crashes import publisher, relayer
from tests.topics.reading import envelopes, received, texts

QUEUES = ("a.fifo", "b.fifo", "c.fifo")


@pytest.fixture
async def raw_fifo(fifo_topic, fifo):
    """A FIFO queue that gets messages raw."""
    await fifo_topic.subscribe(fifo, raw_message_delivery=True)
    return fifo


async def publish(topic, text):
    """`"a1 a2 b1"`: each to the group named by its letter."""
    result = await topic.publish_many(
        Notification(word, message_group_id=word[0]) for word in text.split()
    )
    return result.raise_for_failures()


# --- order ---


async def test_a_fifo_queue_gets_each_group_in_order(fifo_topic, raw_fifo):
    for i in range(30):
        await fifo_topic.publish(f"{'ab'[i % 2]}{i}", message_group_id="ab"[i % 2])
    got = await received(raw_fifo)
    for group in "ab":
        mine = [one.text for one in got if one.message_group_id == group]
        assert mine == [f"{group}{i}" for i in range(30) if "ab"[i % 2] == group]


async def test_every_queue_gets_the_same_order(client, fifo_topic):
    for name in QUEUES:
        await client.create_queue(name)
        await fifo_topic.subscribe(name, raw_message_delivery=True)
    await publish(fifo_topic, "a1 b1 a2 c1 b2 a3")
    for name in QUEUES:
        got = await texts(client.queue(name))
        assert [one for one in got if one[0] == "a"] == ["a1", "a2", "a3"]
        assert [one for one in got if one[0] == "b"] == ["b1", "b2"]
        assert len(got) == 6


async def test_more_than_one_turn_of_a_relayer(fifo_topic, raw_fifo):
    await publish(fifo_topic, " ".join(f"a{i}" for i in range(130)))
    assert await texts(raw_fifo) == [f"a{i}" for i in range(130)]


async def test_publishes_at_the_same_time_keep_the_order_in_which_they_were_made(
    backend, fifo_topic, raw_fifo
):
    if backend.colour != "async":
        pytest.skip("threads have no order")
    await asyncio.gather(*(fifo_topic.publish(f"{i}", message_group_id="g") for i in range(60)))
    got = []

    async def all_there():
        got.extend(await texts(raw_fifo))
        return len(got) == 60

    await until(all_there)
    assert got == [f"{i}" for i in range(60)]


async def test_a_standard_queue_on_a_fifo_topic_gets_every_message_once(fifo_topic, queue):
    await fifo_topic.subscribe(queue, raw_message_delivery=True)
    await publish(fifo_topic, "a1 b1 a2")
    got = await received(queue)
    assert sorted(one.text for one in got) == ["a1", "a2", "b1"]
    assert {one.text: one.message_group_id for one in got} == {"a1": "a", "a2": "a", "b1": "b"}


async def test_sequence_numbers_grow(fifo_topic, fifo):
    await fifo_topic.subscribe(fifo)
    found = [await fifo_topic.publish(f"{i}", message_group_id="g") for i in range(5)]
    numbers = [one.sequence_number for one in found]
    assert numbers == sorted(set(numbers))
    assert all(len(one) == 20 and one.isdigit() for one in numbers)
    told = await envelopes(fifo)
    assert [one["SequenceNumber"] for one in told] == numbers
    assert [one["MessageId"] for one in told] == [one.id for one in found]


async def test_filters_leave_the_others_in_order(client, fifo_topic):
    for name in ("even.fifo", "odd.fifo"):
        await client.create_queue(name)
        await fifo_topic.subscribe(
            name, raw_message_delivery=True, filter_policy={"n": [name.partition(".")[0]]}
        )
    await fifo_topic.publish_many(
        Notification(f"{i}", attributes={"n": "odd" if i % 2 else "even"}, message_group_id="g")
        for i in range(60)
    )
    assert await texts(client.queue("even.fifo")) == [f"{i}" for i in range(0, 60, 2)]
    assert await texts(client.queue("odd.fifo")) == [f"{i}" for i in range(1, 60, 2)]


async def test_a_subscription_gets_nothing_of_what_was_published_before(fifo_topic, fifo):
    await fifo_topic.publish("before", message_group_id="g")
    await fifo_topic.subscribe(fifo, raw_message_delivery=True)
    await fifo_topic.publish("after", message_group_id="g")
    assert await texts(fifo) == ["after"]


async def test_ids_are_handed_on_to_the_queue(fifo_topic, raw_fifo):
    await fifo_topic.publish("x", message_group_id="g", deduplication_id="d")
    (one,) = await received(raw_fifo)
    assert (one.message_group_id, one.deduplication_id) == ("g", "d")


async def test_who_comes_back_gets_what_is_published_then(fifo_topic, fifo):
    """The queue still remembers how far the former subscription had come."""
    for i in range(3):
        one = await fifo_topic.subscribe(fifo, raw_message_delivery=True)
        await fifo_topic.publish(f"with {i}", message_group_id="g")
        await fifo_topic.unsubscribe(one.id)
        await fifo_topic.publish(f"without {i}", message_group_id="g")
    assert await texts(fifo) == ["with 0", "with 1", "with 2"]


# --- deduplication ---


async def test_a_duplicate_is_not_delivered_and_answered_like_the_first(
    backend, fifo_topic, raw_fifo
):
    first = await fifo_topic.publish("x", message_group_id="g", deduplication_id="d")
    again = await fifo_topic.publish("y", message_group_id="h", deduplication_id="d")
    assert (again.id, again.sequence_number) == (first.id, first.sequence_number)
    assert await texts(raw_fifo) == ["x"]
    backend.beyond_aws("whether it was a duplicate")
    assert (first.is_duplicate, again.is_duplicate) == (False, True)


async def test_the_content_may_be_the_deduplication_id(fifo_topic, raw_fifo):
    for _ in range(2):
        await fifo_topic.publish("same", message_group_id="g")
    await fifo_topic.publish("other", message_group_id="g")
    assert await texts(raw_fifo) == ["same", "other"]


async def test_duplicates_in_one_batch_are_found(backend, fifo_topic, raw_fifo):
    result = await publish(fifo_topic, "a1 a1 a2 a1")
    assert await texts(raw_fifo) == ["a1", "a2"]
    assert len({one.id for one in result}) == 2


async def test_an_id_may_be_used_again_after_five_minutes(fifo_topic, raw_fifo, clock):
    await fifo_topic.publish("1", message_group_id="g", deduplication_id="d")
    clock.move(299)
    await fifo_topic.publish("2", message_group_id="g", deduplication_id="d")
    clock.move(1)
    await fifo_topic.publish("3", message_group_id="g", deduplication_id="d")
    assert await texts(raw_fifo) == ["1", "3"]


async def test_ids_may_hold_within_their_group(client, fifo):
    topic = await client.create_topic("news.fifo", fifo_throughput_scope="message_group")
    await fifo.set_attributes(deduplication_scope="message_group")
    await topic.subscribe(fifo, raw_message_delivery=True)
    for group in "aab":
        await topic.publish(group, message_group_id=group, deduplication_id="d")
    assert sorted(await texts(fifo)) == ["a", "b"]


async def test_the_window_may_be_another_where_that_limit_is_lifted(backend, connect, clock):
    backend.beyond_aws("lifted limits")
    client = connect(limits=Limits.aws(deduplication_window=None))
    topic = await client.create_topic("news.fifo", deduplication_window=10)
    queue = await client.create_queue("orders.fifo", deduplication_window=10)
    await topic.subscribe(queue, raw_message_delivery=True)
    for i in range(3):
        await topic.publish(f"{i}", message_group_id="g", deduplication_id="d")
        clock.move(5)
    assert await texts(queue) == ["0", "2"]


async def test_a_group_and_an_id_are_needed(client, fifo_topic):
    with pytest.raises(MissingParameter, match="message_group_id"):
        await fifo_topic.publish("x")
    other = await client.create_topic("other.fifo")
    with pytest.raises(InvalidParameter, match="deduplication_id"):
        await other.publish("x", message_group_id="g")


# --- relaying ---


async def test_what_two_relayers_do_is_done_once(backend, client, fifo_topic, raw_fifo, clock):
    """Both think that they are the one: each has read the same messages."""
    backend.beyond_aws("plans")
    for some in (range(25), range(25, 30)):
        messages = [Notification(f"{i}", message_group_id="g") for i in some]
        await publisher(client, *messages, topic="news.fifo").through("topics.publish_fifo")
    first, second = relayer(client), relayer(client)
    # The one who published is the relayer by name; its lease is over.
    clock.move(6)
    assert await first.through("topics.relay")
    clock.move(6)
    assert await second.through("topics.relay")
    await second.finish()
    await first.finish()
    assert await texts(raw_fifo) == [f"{i}" for i in range(30)]


async def test_a_queue_that_is_away_keeps_its_place_and_holds_up_nobody(
    backend, client, fifo_topic, monkeypatch
):
    """Its cursor stays where it is."""
    backend.beyond_aws("a queue that can not be reached")
    queues = []
    for name in ("here.fifo", "away.fifo"):
        queues.append(await client.create_queue(name))
        await fifo_topic.subscribe(name, raw_message_delivery=True)
    here, away = queues
    monkeypatch.setattr(registry_of_topics, "AWAY_S", 60.0)
    registry = bare(client)._topics
    registry.stay_away(registry.queues, "away.fifo")
    for i in range(40):
        await fifo_topic.publish(f"{i}", message_group_id="g")
    assert await texts(here) == [f"{i}" for i in range(40)]
    assert await texts(away) == []
    assert (await fifo_topic.stats()).outbox == 40
    registry.all_are_back()
    await fifo_topic.publish("last", message_group_id="g")
    assert await texts(away) == [*(f"{i}" for i in range(40)), "last"]
    assert await texts(here) == ["last"]
    assert (await fifo_topic.stats()).outbox == 0


async def test_a_publisher_that_is_due_finishes_what_a_dead_relayer_left(
    backend, client, fifo_topic, fifo, clock, connect
):
    """Also where nobody wants what it publishes itself."""
    backend.beyond_aws("plans")
    await fifo_topic.subscribe(fifo, raw_message_delivery=True, filter_policy={"a": ["b"]})
    left = Notification("left", attributes={"a": "b"}, message_group_id="g")
    await publisher(client, left, topic="news.fifo").through("topics.publish_fifo")
    clock.move(61)
    published = await connect().topic("news.fifo").publish("for nobody", message_group_id="g")
    assert published.matched == 0
    assert await texts(fifo) == ["left"]


async def test_who_publishes_does_not_relay_for_others_for_ever(
    backend, client, fifo_topic, raw_fifo
):
    """What is published while it relays is given in the background."""
    backend.beyond_aws("plans")
    hand = publisher(client, Notification("mine", message_group_id="g"), topic="news.fifo")
    await hand.through("topics.publish_fifo")
    await hand.through("topics.relay")
    await fifo_topic.publish("theirs", message_group_id="g")
    steps = []
    while (step := await hand.step()) is not None:
        steps.append(step)
    assert steps == ["Several", "topics.relay", "Aside"]
    assert [one.sequence_number is not None for one in hand.result] == [True]
    got = []

    async def both():
        got.extend(await texts(raw_fifo))
        return len(got) == 2

    await until(both)
    assert got == ["mine", "theirs"]


async def test_envelopes_of_a_fifo_topic_have_the_form_of_others(fifo_topic, fifo):
    await fifo_topic.subscribe(fifo)
    await fifo_topic.publish("x", subject="s", message_group_id="g")
    (one,) = await received(fifo)
    found = json.loads(one.body)
    assert (found["Type"], found["Subject"], found["Message"]) == ("Notification", "s", "x")
    assert found["TopicArn"] == fifo_topic.arn
    assert "Replayed" not in found
