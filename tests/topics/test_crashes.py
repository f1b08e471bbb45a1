"""Crashes: whoever dies in the middle of a publish or a relay, each queue has each message once.

Also if they come back and go on where they were.
"""

from __future__ import annotations

import pytest

from rmq import Notification
from rmq.core.keys import QueueKeys, TopicKeys
from rmq.topics import publishing
from tests.colours import ByHand, bare, in_thread
from tests.conftest import on_one_server
from tests.topics.crashes import publisher, relayer
from tests.topics.reading import received, settled, texts

NAMES = ("a", "b", "c")
MESSAGES = ("1", "2", "3")
STEPS = ["topics.publish", "Several", "Aside"]
"""Of a publish: it is in the outbox; delivered; taken out of the outbox."""
RELAY_STEPS = range(6)
"""Of a relay, after the publish on a FIFO topic that began it; the last one ends it."""


@pytest.fixture(autouse=True)
def beyond(backend):
    backend.beyond_aws("plans")


@pytest.fixture
async def queues(client, topic):
    """Three queues of the standard topic."""
    for name in NAMES:
        await client.create_queue(name)
        await topic.subscribe(name, raw_message_delivery=True)
    return [client.queue(name) for name in NAMES]


@pytest.fixture
async def fifos(client, fifo_topic):
    """Two FIFO queues of the FIFO topic, and a standard one."""
    names = ("a.fifo", "b.fifo", "c")
    for name in names:
        await client.create_queue(name)
        await fifo_topic.subscribe(name, raw_message_delivery=True)
    return [client.queue(name) for name in names]


async def have(queues, *messages):
    for queue in queues:
        assert await texts(queue) == list(messages), queue


# --- a publisher on a standard topic ---


@pytest.mark.parametrize("last", STEPS)
async def test_who_sweeps_finishes_what_a_dead_publisher_began(
    client, topic, queues, connect, last
):
    hand = publisher(client, *MESSAGES)
    assert await hand.through(last)
    other = connect().topic("news")
    await other.sweep()
    await have(queues, *MESSAGES)
    await settled(other)
    assert await other.sweep() == 0


@pytest.mark.parametrize("count", range(4))
async def test_who_sweeps_gives_to_those_who_have_nothing_yet(
    client, topic, queues, connect, count
):
    hand = publisher(client, *MESSAGES)
    await hand.through("topics.publish")
    await hand.part(count)
    await connect().topic("news").sweep()
    await have(queues, *MESSAGES)


@pytest.mark.parametrize("last", STEPS)
async def test_a_dead_publisher_that_comes_back_does_nothing_twice(
    client, topic, queues, connect, last
):
    hand = publisher(client, *MESSAGES)
    assert await hand.through(last)
    await connect().topic("news").sweep()
    await hand.finish()
    await topic.publish("after")
    await have(queues, *MESSAGES, "after")
    assert len({one.id for one in hand.result}) == 3
    await settled(topic)


@pytest.mark.parametrize("count", range(4))
async def test_nor_where_it_had_given_to_some(client, topic, queues, connect, count):
    hand = publisher(client, *MESSAGES)
    await hand.through("topics.publish")
    await hand.part(count)
    await connect().topic("news").sweep()
    await hand.finish()
    await topic.publish("after")
    await have(queues, *MESSAGES, "after")


async def test_two_who_sweep_at_the_same_time_do_nothing_twice(client, topic, queues, connect):
    for message in MESSAGES:
        await publisher(client, message).through("topics.publish")
    sweepers = []
    for _ in range(2):
        other = connect()
        hand = ByHand(other, publishing.sweep(bare(other)._topics, "news", 0))
        await hand.through("topics.outbox_read")
        sweepers.append(hand)
    for hand in reversed(sweepers):
        await hand.finish()
    for queue in queues:
        assert sorted(await texts(queue)) == list(MESSAGES)


async def test_a_publish_finishes_what_was_left_a_minute_ago(client, topic, queues, clock, connect):
    await publisher(client, *MESSAGES).through("topics.publish")
    clock.move(4)
    await connect().topic("news").publish("too early")
    await have(queues, "too early")
    clock.move(57)
    await connect().topic("news").publish("in time")
    for queue in queues:
        assert sorted(await texts(queue)) == [*MESSAGES, "in time"]


@on_one_server
async def test_of_much_that_was_left_publishers_do_their_share_each(
    client, topic, queues, clock, connect
):
    topic_of_other = connect().topic("news")
    for i in range(600):
        await publisher(client, f"{i}").through("topics.publish")
    clock.move(61)
    await topic_of_other.publish("x")
    await topic_of_other.publish("y")
    for queue in queues:
        got = await texts(queue)
        assert len(got) == len(set(got)) == 602


async def test_a_sweep_leaves_those_alone_who_are_at_work(client, topic, queues, clock):
    hand = publisher(client, *MESSAGES)
    await hand.through("topics.publish")
    clock.move(4)
    assert await topic.sweep(older_than=5) == 0
    clock.move(1)
    assert await topic.sweep(older_than=5) == 9


async def test_what_a_dead_publisher_left_for_one_who_is_gone_is_forgotten(client, topic, queues):
    hand = publisher(client, *MESSAGES)
    await hand.through("topics.publish")
    for one in await topic.subscriptions():
        await topic.unsubscribe(one.id)
    assert await topic.sweep() == 0
    await settled(topic)
    await have(queues)


async def test_what_a_dead_publisher_left_is_not_for_who_came_later(client, topic, queues):
    await publisher(client, *MESSAGES).through("topics.publish")
    late = await client.create_queue("late")
    await topic.subscribe(late, raw_message_delivery=True)
    await topic.sweep()
    await have(queues, *MESSAGES)
    assert await texts(late) == []


async def test_a_dead_publishers_filters_hold_when_somebody_finishes(client, topic, connect):
    for name in NAMES:
        await client.create_queue(name)
        await topic.subscribe(name, raw_message_delivery=True, filter_policy={"to": [name]})
    messages = [Notification(f"{name}{i}", attributes={"to": name}) for i in "12" for name in NAMES]
    await publisher(client, *messages).through("topics.publish")
    await connect().topic("news").sweep()
    for name in NAMES:
        assert await texts(client.queue(name)) == [f"{name}1", f"{name}2"]


async def test_a_dead_publishers_messages_for_dispatchers_are_marked(client, topic, connect):
    one = await topic.subscribe("work", "lambda")
    await publisher(client, "x").through("Several")
    other = connect()
    await other.topic("news").sweep()
    assert (await topic.subscription_stats(one.id)).backlog == 1


async def test_garbage_in_the_outbox_holds_up_nobody(client, topic, queues, raw, namespace):
    keys = TopicKeys(namespace, "news")
    await in_thread(raw.xadd, keys.outbox, {"m": b"\xc1", "l": "x", "n": "1"}, id="5")
    await in_thread(raw.xadd, keys.outbox, {"m": b"\x91\xc4\x01\x09", "l": "y", "n": "1"}, id="6")
    await publisher(client, *MESSAGES).through("topics.publish")
    await topic.sweep()
    await have(queues, *MESSAGES)
    assert await in_thread(raw.xlen, keys.outbox) == 0


async def test_lanes_of_publishers_that_are_gone_are_forgotten(
    client, topic, queues, raw, namespace, clock, connect
):
    for _ in range(3):
        await connect().topic("news").publish("x")
    keys, queue_keys = TopicKeys(namespace, "news"), QueueKeys(namespace, "a")
    assert await in_thread(raw.zcard, keys.lanes) == 3
    assert await in_thread(raw.zcard, queue_keys.lanes) == 3
    clock.move(3601)
    await topic.sweep()
    await queues[0].sweep()
    for one in (keys, queue_keys):
        assert await in_thread(raw.zcard, one.lanes) == 0
        fields = await in_thread(raw.hkeys, one.state)
        assert not [field for field in fields if field.startswith(b"lane:")]
    await topic.publish("y")
    await have(queues, "x", "x", "x", "y")


# --- a publisher and relayer on a FIFO topic ---


def notifications(*texts):
    return [Notification(text, message_group_id="g") for text in texts]


async def fifo_have(queues, *messages):
    for queue in queues:
        got = [one.text for one in await received(queue)]
        assert got == list(messages), queue


@pytest.mark.parametrize("steps", RELAY_STEPS)
async def test_another_relayer_goes_on_after_the_first_died(
    client, fifo_topic, fifos, connect, clock, steps
):
    hand = publisher(client, *notifications(*MESSAGES), topic="news.fifo")
    await hand.through("topics.publish_fifo")
    for _ in range(steps):
        if await hand.step() is None:
            break
    other = connect().topic("news.fifo")
    await other.publish("4", message_group_id="g")
    clock.move(5)
    await other.publish("5", message_group_id="g")
    await fifo_have(fifos, *MESSAGES, "4", "5")
    assert (await other.stats()).outbox == 0


@pytest.mark.parametrize("steps", RELAY_STEPS)
async def test_a_dead_relayer_that_comes_back_changes_nothing(
    client, fifo_topic, fifos, connect, clock, steps
):
    hand = publisher(client, *notifications(*MESSAGES), topic="news.fifo")
    await hand.through("topics.publish_fifo")
    for _ in range(steps):
        if await hand.step() is None:
            break
    other = connect().topic("news.fifo")
    clock.move(5)
    await other.publish("4", message_group_id="g")
    await hand.finish()
    await other.publish("5", message_group_id="g")
    await fifo_have(fifos, *MESSAGES, "4", "5")


@pytest.mark.parametrize("count", range(4))
async def test_a_relayer_that_died_between_two_queues(
    client, fifo_topic, fifos, connect, clock, count
):
    await fifo_topic.publish("0", message_group_id="g")
    hand = publisher(client, *notifications(*MESSAGES), topic="news.fifo")
    await hand.through("topics.relay")
    await hand.part(count)
    clock.move(5)
    other = connect().topic("news.fifo")
    await other.publish("4", message_group_id="g")
    await hand.finish()
    await fifo_have(fifos, "0", *MESSAGES, "4")


async def test_before_its_lease_is_over_nobody_takes_a_relayers_place(
    client, fifo_topic, fifos, connect, clock
):
    hand = publisher(client, *notifications("1"), topic="news.fifo")
    await hand.through("topics.publish_fifo")
    clock.move(4.9)
    other = connect().topic("news.fifo")
    await other.publish("2", message_group_id="g")
    await fifo_have(fifos)
    clock.move(0.1)
    assert await other.sweep() == 6
    await fifo_have(fifos, "1", "2")


async def test_a_relayer_at_work_keeps_its_lease(client, fifo_topic, fifos, connect, clock):
    messages = notifications(*(f"{i}" for i in range(25)))
    hand = publisher(client, *messages, topic="news.fifo")
    await hand.through("topics.publish_fifo")
    clock.move(4)
    await hand.through("topics.relay")
    clock.move(4)
    other = connect()
    assert await relayer(other).finish() == 0
    await hand.finish()
    await fifo_have(fifos, *(f"{i}" for i in range(25)))


async def test_garbage_among_the_messages_of_a_fifo_topic_holds_up_nobody(
    client, fifo_topic, fifos, raw, namespace
):
    await fifo_topic.publish("1", message_group_id="g")
    keys = TopicKeys(namespace, "news.fifo")
    seq = int(await in_thread(raw.hget, keys.state, "seq")) + 1
    await in_thread(raw.xadd, keys.outbox, {"m": b"\x09", "g": "g"}, id=str(seq))
    await in_thread(raw.hset, keys.state, "seq", seq)
    await fifo_topic.publish("2", message_group_id="g")
    await fifo_have(fifos, "1", "2")
