"""Planting: thousands of subscriptions and queues, as if they had been made one by one, which takes
its time."""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from rmq.core.keys import TopicKeys
from rmq.core.script import Several
from rmq.queues import administration
from rmq.topics.subscription import Mark, Subscription, SubscriptionAttributes, pack_subscription
from tests.colours import bare, in_thread


async def plant_subscriptions(
    topic: Any, redis: Any, found: Iterable[tuple[str, str, SubscriptionAttributes]]
) -> None:
    """Protocol, endpoint and attributes of each."""
    registry = bare(topic)._registry
    keys = TopicKeys(registry.namespace, topic.name)
    head = " ".join("0" for _ in Mark._fields).encode()
    mapping = {}
    for protocol, endpoint, attributes in found:
        one = Subscription(
            id=str(uuid.uuid4()),
            topic=topic.name,
            protocol=protocol,
            endpoint=endpoint,
            account=registry.place.account,
            place=registry.place,
            attributes=attributes,
        )
        mapping[one.id] = head + b" " + pack_subscription(one)
    await in_thread(redis.hset, keys.subscriptions, mapping=mapping)
    await in_thread(redis.hincrby, keys.state, "number", len(mapping))


async def plant_queues(client: Any, names: Sequence[str]) -> None:
    """Standard queues."""
    registry = bare(client)._registry
    calls = []
    for number, name in enumerate(names):
        incarnation = f"{number:016x}"
        config = {"incarnation": incarnation, "secret": "00" * 16}
        keys = registry.keys(name)
        calls.append(administration.create(keys, name, f"{incarnation}:1", config, {}, None))
    done = bare(client)._executor._step(Several(calls))
    if inspect.isawaitable(done):
        await done
