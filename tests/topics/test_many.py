"""Many: thousands of queues on one topic, and what one write of a fan-out may hold."""

from __future__ import annotations

import pytest

from rmq.topics import fanout
from rmq.topics.subscription import SubscriptionAttributes
from tests.topics.planting import plant_queues, plant_subscriptions
from tests.topics.reading import settled, texts

QUEUES = 2_000


@pytest.mark.parametrize("backend", ["sync-memory", "async-valkey"], indirect=True)
async def test_a_message_reaches_two_thousand_queues(client, topic, connect, raw):
    names = [f"q{i}" for i in range(QUEUES)]
    await plant_queues(client, names)
    plain = SubscriptionAttributes(raw_message_delivery=True)
    arns = (client.place.arn("sqs", name) for name in names)
    await plant_subscriptions(topic, raw, (("sqs", arn, plain) for arn in arns))
    publisher = connect().topic("news")
    assert (await publisher.publish("x")).matched == QUEUES
    for name in names[:: QUEUES // 50]:
        assert await texts(client.queue(name)) == ["x"]
    await settled(topic)
    assert (await topic.stats()).waiting == 0


async def test_what_is_too_much_for_one_write_goes_in_several(backend, client, topic, monkeypatch):
    backend.beyond_aws("writes")
    monkeypatch.setattr(fanout, "STEP_BYTES", 5_000)
    monkeypatch.setattr(fanout, "STEP_QUEUES", 4)
    names = [f"q{i}" for i in range(10)]
    for name in names:
        await client.create_queue(name)
        await topic.subscribe(name, raw_message_delivery=True)
    await topic.publish("small")
    await topic.publish("x" * 3_000)
    await topic.publish("x" * 6_000)
    for name in names:
        assert [len(one) for one in await texts(client.queue(name))] == [5, 3_000, 6_000]
