"""Subjects: what a dispatcher knows of the subscriptions that it delivers for.

Nothing is read of a topic but the subscriptions that have messages now. What was read holds until
the topic, or any of its subscriptions, has changed: one small question for each topic tells.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rmq.core.executor import AsyncExecutor
from rmq.core.script import Call, Plan, Several
from rmq.errors import RmqError, TopicDoesNotExist
from rmq.push import commands
from rmq.topics import commands as topic_commands
from rmq.topics.attributes import TopicInfo
from rmq.topics.delivery_policy import DeliveryPolicy, effective
from rmq.topics.registry import TopicRegistry, described
from rmq.topics.subscription import Subscription, unpack_subscription

FRESH_S = 1.0
"""For so long a line goes on with what it knows before it asks again."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A subscription, its topic and how it is delivered to."""

    subscription: Subscription
    topic: TopicInfo
    policy: DeliveryPolicy


@dataclass(slots=True)
class _Known:
    stamp: tuple[str, str]
    info: TopicInfo
    looked: float
    subjects: dict[str, Subject | None] = field(default_factory=dict)


class Subjects:
    """Those of one namespace."""

    def __init__(self, registry: TopicRegistry, executor: AsyncExecutor) -> None:
        self._registry = registry
        self._executor = executor
        self._known: dict[str, _Known] = {}

    async def look(self, topics: Iterable[str]) -> None:
        """See whether topics have changed since they were looked at."""
        names = [name for name in dict.fromkeys(topics) if name in self._known]
        if not names:
            return
        calls = [commands.stamp(self._registry.keys(name), name) for name in names]
        answers = await self._executor.run(_all(calls))
        now = time.monotonic()
        for name, answer in zip(names, answers, strict=True):
            known = self._known.get(name)
            if known is None:
                continue
            if answer == known.stamp:
                known.looked = now
            else:
                del self._known[name]

    async def find(self, topic: str, id: str) -> Subject | None:
        """A subscription as it is now, or was a moment ago. None when it, or its topic, is gone."""
        known = self._known.get(topic)
        if known is not None and time.monotonic() - known.looked > FRESH_S:
            await self.look([topic])
            known = self._known.get(topic)
        if known is None:
            known = await self._meet(topic)
            if known is None:
                return None
        if id not in known.subjects:
            known.subjects[id] = await self._read(known, topic, id)
        return known.subjects[id]

    async def _meet(self, topic: str) -> _Known | None:
        keys = self._registry.keys(topic)
        # The stamp first: what is read after it can only be newer, and is then read again.
        stamp = await self._executor.call(commands.stamp(keys, topic))
        if stamp is None:
            return None
        info = self._registry.known(topic)
        if info is None or info.version != stamp[0]:
            try:
                info = await self._executor.run(described(self._registry, topic))
            except TopicDoesNotExist:
                return None
        known = self._known.get(topic)
        if known is None or known.stamp != stamp:
            known = self._known[topic] = _Known(stamp, info, time.monotonic())
        return known

    async def _read(self, known: _Known, topic: str, id: str) -> Subject | None:
        stored = await self._executor.call(
            topic_commands.read_subscription(self._registry.keys(topic), topic, id)
        )
        if stored is None:
            return None
        one = unpack_subscription(stored, id, topic, self._registry.place)
        policy = effective(
            known.info.attributes.delivery_policy, one.attributes.delivery_policy, one.protocol
        )
        return Subject(one, known.info, policy)


def _all(calls: Sequence[Call[tuple[str, str] | None]]) -> Plan[list[tuple[str, str] | None]]:
    """Several calls. An error is as good as a change: the topic is looked at again."""
    answers = yield Several(calls)
    return [None if isinstance(one, RmqError) else one for one in answers]
