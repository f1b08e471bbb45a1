"""Topics: made, made again, changed, tagged, listed and removed."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from rmq import Limits
from rmq.errors import (
    ArchiveActive,
    InvalidParameter,
    StaleConfig,
    TooManyTags,
    TopicDoesNotExist,
    TopicExists,
)
from rmq.topics import lifecycle
from tests.colours import ByHand, bare
from tests.topics.reading import told

POLICY = (
    '{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Principal":{"AWS":"*"},'
    '"Action":"SNS:Publish","Resource":"%s"}]}'
)
VALUES = {
    "display_name": "The news",
    "delivery_policy": '{"http":{"defaultHealthyRetryPolicy":{"numRetries":5}}}',
    "kms_master_key_id": "alias/aws/sns",
    "signature_version": 2,
    "tracing_config": "Active",
    "maximum_message_size": 2048,
    "feedback": {"SQSSuccessFeedbackSampleRate": "50"},
}
FIFO_VALUES = {
    "content_based_deduplication": True,
    "fifo_throughput_scope": "message_group",
    "archive_retention": timedelta(days=7),
}


# --- making ---


async def test_a_new_topic_has_the_defaults(topic, clock):
    info = await topic.info()
    assert (info.name, info.is_fifo) == ("news", False)
    assert info.arn == topic.arn
    assert re.fullmatch("arn:aws:sns:us-east-1:[0-9]{12}:news", info.arn)
    assert info.created_at == info.modified_at
    found = info.attributes
    assert (found.display_name, found.policy, found.kms_master_key_id) == ("", None, None)
    assert (found.signature_version, found.maximum_message_size) == (None, None)
    assert found.largest_message == 262_144


async def test_a_name_with_fifo_at_its_end_makes_a_fifo_topic(fifo_topic):
    assert fifo_topic.is_fifo
    found = (await fifo_topic.info()).attributes
    assert found.content_based_deduplication is True
    assert found.fifo_throughput_scope == "topic"
    assert found.archive_retention is None


@pytest.mark.parametrize("attribute", VALUES)
async def test_an_attribute_is_kept(client, attribute):
    await client.create_topic("news", **{attribute: VALUES[attribute]})
    info = await client.topic("news").info()
    assert getattr(info.attributes, attribute) == VALUES[attribute]


@pytest.mark.parametrize("attribute", FIFO_VALUES)
async def test_a_fifo_attribute_is_kept(client, attribute):
    await client.create_topic("news.fifo", **{attribute: FIFO_VALUES[attribute]})
    info = await client.topic("news.fifo").info()
    assert getattr(info.attributes, attribute) == FIFO_VALUES[attribute]


async def test_a_policy_is_kept(client):
    arn = client.place.arn("sns", "news")
    topic = await client.create_topic("news", policy=POLICY % arn)
    assert (await topic.info()).attributes.policy == POLICY % arn


async def test_making_it_again_changes_nothing(client, topic):
    before = await topic.info()
    again = await client.create_topic("news")
    assert (await again.info()).version == before.version


async def test_making_it_again_with_the_same_attributes_and_tags_is_fine(client):
    for _ in range(2):
        await client.create_topic("news", tags={"team": "a"}, display_name="n")
    assert await client.topic("news").tags() == {"team": "a"}


async def test_making_it_again_with_other_attributes_is_refused(client):
    await client.create_topic("news", display_name="n")
    with pytest.raises(TopicExists, match="display_name") as caught:
        await client.create_topic("news", display_name="m")
    assert caught.value.attribute == "display_name"


async def test_making_it_again_may_write_its_json_in_another_way(client):
    for one in ('{"Name":"a","Version":1}', '{"Version": 1, "Name": "a"}'):
        await client.create_topic("news", data_protection_policy=one)
    with pytest.raises(TopicExists, match="data_protection_policy"):
        await client.create_topic("news", data_protection_policy='{"Name":"a","Version":true}')


async def test_making_it_again_with_other_tags_is_refused(client):
    await client.create_topic("news", tags={"team": "a"})
    with pytest.raises(TopicExists, match="tags"):
        await client.create_topic("news", tags={"team": "b"})


async def test_making_it_again_keeps_its_subscriptions(client, topic, queue):
    await topic.subscribe(queue)
    await client.create_topic("news")
    await topic.publish("x")
    assert await told(queue) == ["x"]


@pytest.mark.parametrize("name", ["a", "A-z_09", "x" * 256, "a.fifo", "x" * 251 + ".fifo"])
async def test_a_name_that_is_allowed(client, name):
    topic = await client.create_topic(name)
    assert topic.name == name
    assert (await topic.info()).name == name


async def test_a_topic_that_is_not_there_is_named_in_the_error(client):
    with pytest.raises(TopicDoesNotExist, match="nowhere"):
        await client.get_topic("nowhere")
    topic = client.topic("nowhere")
    with pytest.raises(TopicDoesNotExist, match="nowhere"):
        await topic.info()


# --- attributes ---


@pytest.mark.parametrize("attribute", VALUES)
async def test_an_attribute_can_be_changed(client, topic, clock, attribute):
    before = await topic.info()
    clock.move(1)
    info = await topic.set_attributes(**{attribute: VALUES[attribute]})
    assert getattr(info.attributes, attribute) == VALUES[attribute]
    assert info.created_at == before.created_at
    assert info.modified_at - before.modified_at == timedelta(seconds=1)


async def test_an_attribute_can_be_taken_away(client):
    topic = await client.create_topic("news", kms_master_key_id="k", maximum_message_size=2048)
    info = await topic.set_attributes(kms_master_key_id=None, maximum_message_size=None)
    assert info.attributes.kms_master_key_id is None
    assert info.attributes.largest_message == 262_144


async def test_a_change_is_all_or_nothing(topic):
    with pytest.raises(InvalidParameter):
        await topic.set_attributes(display_name="kept?", signature_version=3)
    assert (await topic.info()).attributes.display_name == ""


async def test_a_change_holds_for_other_clients_at_once(topic, connect, queue):
    other = connect().topic("news")
    await other.publish("x" * 2000)
    await topic.set_attributes(maximum_message_size=1024)
    with pytest.raises(InvalidParameter, match="1024"):
        await topic.publish("x" * 2000)
    await topic.subscribe(queue)
    await other.publish("y")
    with pytest.raises(InvalidParameter, match="1024"):
        await other.publish("x" * 2000)
    assert await told(queue) == ["y"]


async def test_a_change_that_rests_on_an_outdated_version_is_refused(backend, topic):
    backend.beyond_aws("versions")
    before = await topic.info()
    await topic.set_attributes(display_name="a")
    with pytest.raises(StaleConfig):
        await topic.set_attributes(if_version=before.version, display_name="b")
    assert (await topic.info()).attributes.display_name == "a"


async def test_a_large_size_is_for_few_subscriptions_that_can_take_it(client, topic, queue):
    await topic.subscribe("https://example.com", "https")
    with pytest.raises(InvalidParameter, match="maximum_message_size"):
        await topic.set_attributes(maximum_message_size=262_145)
    large = await client.create_topic("large", maximum_message_size=1_048_576)
    await large.subscribe(queue)
    with pytest.raises(InvalidParameter, match="protocol"):
        await large.subscribe("https://example.com", "https")


async def test_a_topic_of_large_messages_has_a_limit_of_its_own(backend, connect):
    backend.beyond_aws("lifted limits")
    client = connect(limits=Limits.aws(max_large_subscriptions=1))
    large = await client.create_topic("large", maximum_message_size=1_048_576)
    for name in ("one", "two"):
        await client.create_queue(name)
    await large.subscribe("one")
    with pytest.raises(InvalidParameter.__mro__[1], match="subscriptions"):
        await large.subscribe("two")


# --- tags ---


async def test_tags_are_set_changed_and_removed(topic):
    assert await topic.tags() == {}
    assert await topic.tag({"team": "a", "stage": "dev"}) == {"team": "a", "stage": "dev"}
    assert await topic.tag({"team": "b"}) == {"team": "b", "stage": "dev"}
    assert await topic.untag(["stage", "nothing"]) == {"team": "b"}


async def test_there_are_at_most_fifty_tags(topic):
    await topic.tag({f"k{i}": "v" for i in range(50)})
    with pytest.raises(TooManyTags):
        await topic.tag({"one": "more"})
    await topic.tag({"k0": "w"})
    assert len(await topic.tags()) == 50


async def test_tags_of_a_topic_that_is_not_there(client):
    topic = client.topic("nowhere")
    for call in (topic.tags(), topic.tag({"a": "b"}), topic.untag(["a"])):
        with pytest.raises(TopicDoesNotExist):
            await call


# --- listing ---


async def test_topics_are_listed_in_order_page_by_page(client):
    names = sorted(f"t{i}" for i in range(7))
    for name in names:
        await client.create_topic(name)
    first = await client.list_topics(limit=3)
    assert list(first) == names[:3]
    second = await client.list_topics(limit=3, token=first.next_token)
    assert list(second) == names[3:6]
    last = await client.list_topics(limit=3, token=second.next_token)
    assert (list(last), last.next_token) == (names[6:], None)
    assert [one.name async for one in client.all_topics()] == names


async def test_topics_are_listed_by_prefix(client):
    for name in ("a1", "a2", "b1"):
        await client.create_topic(name)
    assert list(await client.list_topics("a")) == ["a1", "a2"]
    assert list(await client.list_topics("c")) == []


# --- removing ---


async def test_a_deleted_topic_is_gone_with_its_subscriptions(client, topic, queue):
    await topic.subscribe(queue)
    assert await topic.delete_topic() is True
    assert list(await client.list_topics()) == []
    with pytest.raises(TopicDoesNotExist):
        await topic.publish("x")
    await client.create_topic("news")
    await topic.publish("x")
    assert await told(queue) == []
    assert len(await topic.subscriptions()) == 0


async def test_deleting_what_is_not_there_is_no_error(client):
    assert await client.delete_topic("nowhere") is False
    assert await client.topic("nowhere").delete_topic() is False


async def test_a_topic_with_an_archive_is_not_deleted(client, fifo, clock):
    topic = await client.create_topic("news.fifo", archive_retention=timedelta(days=1))
    await topic.subscribe(fifo)
    with pytest.raises(ArchiveActive, match="news"):
        await topic.delete_topic()
    await topic.publish("x", message_group_id="g", deduplication_id="d")
    assert await told(fifo) == ["x"]
    await topic.set_attributes(archive_retention=None)
    assert await topic.delete_topic() is True


@pytest.mark.parametrize("steps", [1, 2], ids=["before it is listed", "after"])
async def test_a_topic_deleted_while_it_is_made_is_made_again(backend, client, steps):
    """It was answered that the topic is not there, and its name stayed in the list."""
    backend.beyond_aws("plans")
    making = ByHand(client, lifecycle.create(bare(client)._topics, "news", {}, None))
    for _ in range(steps):
        await making.step()

    await client.delete_topic("news")

    info = await making.finish()
    assert info.incarnation == (await client.topic("news").info()).incarnation
    assert list(await client.list_topics()) == ["news"]


async def test_a_topic_made_while_it_is_deleted_stays_in_the_list(backend, client, topic):
    backend.beyond_aws("plans")
    deleting = ByHand(client, lifecycle.delete(bare(client)._topics, "news"))
    await deleting.through("topics.delete_topic")

    await client.create_topic("news")

    await deleting.finish()
    assert list(await client.list_topics()) == ["news"]


async def test_a_publisher_that_knew_the_topic_before_publishes_on_the_new_one(
    client, topic, queue, connect
):
    """Its description, its subscriptions and its lanes are those of the old one."""
    other = connect().topic("news")
    await topic.subscribe(queue)
    await other.publish("old")
    await topic.delete_topic()
    await client.create_topic("news")
    await other.publish("to nobody")
    await topic.subscribe(queue)
    await other.publish("new")
    assert await told(queue) == ["old", "new"]


async def test_who_knew_the_topic_before_sees_the_subscriptions_of_the_new_one(
    client, topic, queue, connect
):
    """The new topic has fewer changes than the old one had."""
    other = connect().topic("news")
    for _ in range(3):
        one = await topic.subscribe(queue)
        await topic.unsubscribe(one.id)
    assert len(await other.subscriptions()) == 0
    await topic.delete_topic()
    await client.create_topic("news")
    assert len(await other.subscriptions()) == 0
    one = await topic.subscribe(queue)
    assert [found.id for found in await other.subscriptions()] == [one.id]


async def test_a_deleted_topic_leaves_nothing_in_redis(
    backend, client, topic, queue, raw, namespace
):
    backend.beyond_aws("what lies in Redis")
    await topic.subscribe(queue)
    await topic.subscribe("https://example.com", "https")
    await topic.subscribe("work", "lambda")
    await topic.publish("x")
    await topic.tag({"a": "b"})
    await topic.delete_topic()
    left = [key for key in raw.scan_iter(match=f"{namespace}:*") if b"{t:" in key or b"{p:" in key]
    # A request to confirm is on its way, in the inner queue of such.
    assert [key for key in left if b"{p:direct}" not in key] == []
