"""Archive and replay: what a FIFO topic keeps, given to a subscription again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rmq import Notification
from rmq.errors import InvalidParameter, SubscriptionDoesNotExist
from rmq.topics import replaying
from tests.colours import ByHand, bare
from tests.topics.crashes import publisher, relayer
from tests.topics.reading import envelopes, received, settled, texts

DAY = 86_400


@pytest.fixture
async def topic(client):
    """A FIFO topic that keeps everything for a week."""
    return await client.create_topic(
        "news.fifo", content_based_deduplication=True, archive_retention=timedelta(days=7)
    )


@pytest.fixture
async def one(topic, fifo):
    return await topic.subscribe(fifo, raw_message_delivery=True)


async def publish(topic, clock, *messages):
    """Each a second after the one before. Their times."""
    times = []
    for message in messages:
        clock.move(1)
        times.append(clock.now())
        await topic.publish(message, message_group_id="g")
    clock.move(1)
    return times


async def test_a_replay_gives_again_what_was_published_from_a_moment_on(topic, one, fifo, clock):
    times = await publish(topic, clock, "1", "2", "3")
    assert await texts(fifo) == ["1", "2", "3"]
    replayed = await topic.replay(one.id, times[1])
    assert replayed.id == one.id
    assert await texts(fifo) == ["2", "3"]
    assert await topic.replay_status(one.id) == "Completed"


async def test_a_replay_may_end(topic, one, fifo, clock):
    times = await publish(topic, clock, "1", "2", "3", "4")
    await texts(fifo)
    await topic.replay(one.id, times[1], times[2])
    assert await texts(fifo) == ["2", "3"]
    assert await topic.replay_status(one.id) == "Completed"
    await publish(topic, clock, "5")
    assert await texts(fifo) == [], "what is published after a replay that ended is not delivered"
    await topic.stop_replay(one.id)
    await publish(topic, clock, "6")
    assert await texts(fifo) == ["6"]
    assert await topic.replay_status(one.id) is None


async def test_without_an_end_it_goes_on_into_the_present(topic, one, fifo, clock):
    times = await publish(topic, clock, "1", "2")
    await texts(fifo)
    await topic.replay(one.id, times[0])
    await publish(topic, clock, "3")
    assert await texts(fifo) == ["1", "2", "3"]
    await publish(topic, clock, "4")
    assert await texts(fifo) == ["4"]


async def test_it_can_be_replayed_as_often_as_one_likes(topic, one, fifo, clock):
    """The queue does not take it for a repeat, five minutes or not."""
    times = await publish(topic, clock, "1", "2")
    await texts(fifo)
    for _ in range(3):
        await topic.replay(one.id, times[0])
        assert await texts(fifo) == ["1", "2"]


async def test_a_new_subscription_of_the_same_queue_can_replay_at_once(topic, one, fifo, clock):
    times = await publish(topic, clock, "1", "2")
    await topic.replay(one.id, times[0])
    await texts(fifo)
    await topic.unsubscribe(one.id)
    again = await topic.subscribe(fifo, raw_message_delivery=True)
    await publish(topic, clock, "3")
    assert await texts(fifo) == ["3"]
    await topic.replay(again.id, times[0])
    assert await texts(fifo) == ["1", "2", "3"]


async def test_a_new_replay_takes_the_place_of_one_that_runs(
    backend, client, topic, one, fifo, clock
):
    backend.beyond_aws("plans")
    times = await publish(topic, clock, *(f"{i}" for i in range(40)))
    await texts(fifo)
    hand = ByHand(
        client, replaying.replay(bare(client)._topics, "news.fifo", one.id, times[0], None)
    )
    await hand.through("Several")
    assert await topic.replay_status(one.id) in ("Pending", "In progress")
    clock.move(6)
    await topic.replay(one.id, times[38])
    await hand.finish()
    got = await texts(fifo)
    assert got[-2:] == ["38", "39"]
    assert await topic.replay_status(one.id) == "Completed"


async def test_replayed_messages_say_so_and_are_otherwise_as_they_were(topic, fifo, clock):
    one = await topic.subscribe(fifo)
    times = await publish(topic, clock, "1")
    await topic.replay(one.id, times[0])
    await publish(topic, clock, "2")
    first, again, after = await envelopes(fifo)
    assert again.pop("Replayed") == "true"
    assert again == first
    assert "Replayed" not in after


async def test_filters_apply(topic, fifo, clock):
    one = await topic.subscribe(fifo, raw_message_delivery=True, filter_policy={"n": ["1"]})
    clock.move(1)
    start = clock.now()
    for n in "12":
        await topic.publish(n, attributes={"n": n}, message_group_id="g")
    clock.move(1)
    await texts(fifo)
    await topic.set_subscription(one.id, filter_policy={"n": ["2"]})
    await topic.replay(one.id, start)
    assert await texts(fifo) == ["2"]


async def test_who_came_later_can_have_what_was_before_them(client, topic, clock):
    times = await publish(topic, clock, "1", "2")
    queue = await client.create_queue("late.fifo")
    one = await topic.subscribe(queue, raw_message_delivery=True)
    assert await texts(queue) == []
    await topic.replay(one.id, times[0])
    assert await texts(queue) == ["1", "2"]


async def test_a_standard_queue_can_have_a_replay(topic, queue, clock):
    one = await topic.subscribe(queue, raw_message_delivery=True)
    times = await publish(topic, clock, "1", "2")
    assert await texts(queue) == ["1", "2"]
    for _ in range(2):
        await topic.replay(one.id, times[0])
        assert await texts(queue) == ["1", "2"]


async def test_the_others_hear_nothing_of_a_replay(client, topic, one, fifo, clock):
    other = await client.create_queue("other.fifo")
    await topic.subscribe(other, raw_message_delivery=True)
    times = await publish(topic, clock, "1", "2")
    await topic.replay(one.id, times[0])
    assert await texts(other) == ["1", "2"]


# --- the archive ---


async def test_an_archive_keeps_what_nobody_got(topic, fifo, clock):
    times = await publish(topic, clock, "1")
    one = await topic.subscribe(fifo, raw_message_delivery=True)
    await topic.replay(one.id, times[0])
    assert await texts(fifo) == ["1"]


async def test_an_archive_forgets_what_is_too_old(backend, topic, one, fifo, clock):
    await publish(topic, clock, "old")
    clock.move(7 * DAY)
    await publish(topic, clock, "new")
    await texts(fifo)
    start = clock.now() - timedelta(days=7)
    await topic.replay(one.id, start + timedelta(seconds=1))
    assert await texts(fifo) == ["new"]
    with pytest.raises(InvalidParameter, match="start"):
        await topic.replay(one.id, start - timedelta(seconds=1))
    backend.beyond_aws("totals")
    assert (await topic.stats()).outbox == 1


async def test_an_archive_that_is_given_up_is_forgotten(backend, topic, one, fifo, clock):
    backend.beyond_aws("totals")
    for i in range(5):
        await topic.publish_many(Notification(f"{i}-{k}", message_group_id="g") for k in range(100))
    assert (await topic.stats()).outbox == 500
    await topic.set_attributes(archive_retention=None)
    await topic.publish("last", message_group_id="g")
    # Bit by bit, and in the background: the publisher does not wait for that.
    await settled(topic)
    assert len(await texts(fifo)) == 501


async def test_an_archive_begins_when_it_is_switched_on(client, fifo, clock):
    topic = await client.create_topic("late.fifo", content_based_deduplication=True)
    one = await topic.subscribe(fifo, raw_message_delivery=True)
    times = await publish(topic, clock, "1")
    await topic.set_attributes(archive_retention=timedelta(days=1))
    times += await publish(topic, clock, "2")
    assert (await topic.info()).archived_since is not None
    with pytest.raises(InvalidParameter, match="start"):
        await topic.replay(one.id, times[0])
    await texts(fifo)
    await topic.replay(one.id, times[1])
    assert await texts(fifo) == ["2"]


@pytest.mark.parametrize("days", [0, 0.5, 366])
async def test_an_archive_is_kept_for_1_to_365_days(client, days):
    with pytest.raises(InvalidParameter, match="archive_retention"):
        await client.create_topic("x.fifo", archive_retention=timedelta(days=days))


# --- what can not be replayed ---


async def test_a_topic_without_an_archive_replays_nothing(backend, client, fifo, queue, clock):
    for name, target in (("plain.fifo", fifo), ("plain", queue)):
        topic = await client.create_topic(name)
        one = await topic.subscribe(target)
        with pytest.raises(InvalidParameter, match="archive"):
            await topic.replay(one.id, clock.now())


@pytest.mark.parametrize("start", [None, "2024-01-01", 5, datetime(2030, 1, 1)])
async def test_a_moment_has_a_time_zone(topic, one, start):
    with pytest.raises(InvalidParameter, match="start"):
        await topic.replay(one.id, start)
    with pytest.raises(InvalidParameter):
        await topic.replay(one.id, datetime.now(UTC) + timedelta(days=1), start or "x")


async def test_an_end_lies_behind_its_start(topic, one, clock):
    now = clock.now()
    for end in (now, now - timedelta(seconds=1)):
        with pytest.raises(InvalidParameter, match="end"):
            await topic.replay(one.id, now, end)


async def test_a_subscription_that_is_not_there_replays_nothing(topic, clock):
    id = "01234567-0123-0123-0123-0123456789ab"
    for call in (topic.replay(id, clock.now()), topic.stop_replay(id), topic.replay_status(id)):
        with pytest.raises(SubscriptionDoesNotExist):
            await call


async def test_where_there_was_no_replay_there_is_no_status(topic, one):
    assert await topic.replay_status(one.id) is None
    assert (await topic.stop_replay(one.id)).replay is None


# --- relayers that do not know of a replay ---


async def test_a_relayer_of_before_the_replay_disturbs_nothing(
    backend, connect, topic, one, fifo, queue, clock
):
    """It has read messages, and was slow; meanwhile all of them were given, and a replay began.
    What it still gives is on a line that has ended."""
    backend.beyond_aws("plans")
    standard = await topic.subscribe(queue, raw_message_delivery=True)
    await publish(topic, clock, "warm")
    times = await publish(topic, clock, *(f"{i}" for i in range(3)))
    await texts(fifo)
    await texts(queue)
    messages = [Notification(f"late{i}", message_group_id="g") for i in range(3)]
    zombie = publisher(connect(), *messages, topic="news.fifo")
    await zombie.through("topics.relay")
    clock.move(6)
    await topic.sweep()
    assert await texts(fifo) == ["late0", "late1", "late2"]
    assert await texts(queue) == ["late0", "late1", "late2"]
    for subscription in (one, standard):
        await topic.replay(subscription.id, times[0])
    assert await zombie.through("Several")
    await zombie.finish()
    for target in (fifo, queue):
        assert await texts(target) == ["0", "1", "2", "late0", "late1", "late2"]
    await publish(topic, clock, "live")
    for target in (fifo, queue):
        assert await texts(target) == ["live"]


async def test_a_relayer_that_hears_of_the_replay_in_its_turn_waits_for_the_next(
    backend, client, topic, one, fifo, clock
):
    """Its turn was read behind the old cursor; given on the new line, what lies between would be
    taken for repeats."""
    backend.beyond_aws("plans")
    times = await publish(topic, clock, *(f"{i}" for i in range(3)))
    await texts(fifo)
    messages = [Notification(f"late{i}", message_group_id="g") for i in range(3)]
    slow = publisher(client, *messages, topic="news.fifo")
    await slow.through("topics.relay")
    # The replay is put, and its own relay does not come to anything: the slow one has the lease.
    await topic.replay(one.id, times[0])
    assert len(await topic.subscriptions()) == 1
    await slow.finish()
    assert await texts(fifo) == ["0", "1", "2", "late0", "late1", "late2"]
    assert await relayer(client).finish() == 0
    assert await received(fifo) == []
