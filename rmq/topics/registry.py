"""The registry: what this client knows of its topics, so that it need not ask each time.

Nothing here must be right. Scripts refuse what was decided on an outdated description or on an
outdated list of subscriptions.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from rmq.core.clock import Clock
from rmq.core.events import Events
from rmq.core.keys import PushKeys, TopicKeys
from rmq.core.known import Known
from rmq.core.lane import Lane
from rmq.core.limits import Limits
from rmq.core.place import Place, Places
from rmq.core.script import LOOKS, Call, Plan
from rmq.errors import StaleConfig, TopicDoesNotExist
from rmq.queues.registry import Registry
from rmq.security.signature import SigningKey
from rmq.topics import commands
from rmq.topics.attributes import TopicInfo, topic_name
from rmq.topics.matching import Audience

T = TypeVar("T")

AWAY_S = 3.0
"""For how long a queue that could not be reached is left alone first."""
MOST_AWAY_S = 60.0
"""For how long at most: to find that nothing answers takes who tries it seconds."""
LOAD_STEP = 500
"""Subscriptions that one step of reading them all asks for."""


class Site:
    """The queues of all namespaces that one set of connections leads to, and what these share."""

    def __init__(self, namespace: str, limits: Limits, clock: Clock, events: Events) -> None:
        self.keys = PushKeys(namespace)
        self.signing_key: SigningKey | None = None
        """By which all that is published from here is signed, once it was needed."""
        self.limits = limits
        self.clock = clock
        self.events = events
        self._queues: WeakValueDictionary[tuple[str, str], Registry] = WeakValueDictionary()

    def queues(self, namespace: str) -> Registry:
        """The queues of a namespace."""
        return self._registry(namespace, "q", self.limits)

    def inner(self, namespace: str) -> Registry:
        """The inner queues of a namespace: what waits to be pushed. They know no limits."""
        return self._registry(namespace, "p", Limits.none())

    def _registry(self, namespace: str, kind: str, limits: Limits) -> Registry:
        found = self._queues.get((namespace, kind))
        if found is None:
            found = Registry(namespace, limits, self.clock, self.events, kind)
            self._queues[namespace, kind] = found
        return found


@dataclass(slots=True)
class Away:
    """A queue that could not be reached."""

    until: float
    """By this process's monotonic clock: when to try it again."""
    for_s: float


@dataclass(slots=True)
class KnownTopic:
    """What a client keeps of a topic that is there."""

    keys: TopicKeys
    info: TopicInfo | None = None
    audience: Audience = field(default_factory=Audience)
    lanes: list[Lane] = field(default_factory=list)
    handle: Any = None


class TopicRegistry(Known[TopicInfo, KnownTopic]):
    """One client's topics: their keys, descriptions, subscriptions and lanes."""

    def __init__(
        self, site: Site, places: Places, endpoint_url: str, *, signs_queues: bool = False
    ) -> None:
        super().__init__()
        self.site = site
        self.places = places
        self.namespace = places.namespace
        self.place: Place = places.own
        self.limits = site.limits
        self.clock = site.clock
        self.events = site.events
        self.endpoint_url = endpoint_url.rstrip("/")
        """Links in envelopes begin with it."""
        self.signs_queues = signs_queues
        """Whether what is published here is signed also for queues, as SNS does."""
        self.queues = site.queues(self.namespace)
        self.inner = site.inner(self.namespace)
        self.push = PushKeys(self.namespace)
        self._relayer = os.urandom(8).hex()
        self._relays = itertools.count(1)
        self._others: dict[str, Registry] = {}
        self._away: dict[tuple[str, str, str], Away] = {}

    def keys(self, name: str) -> TopicKeys:
        """The keys of a topic. Raises InvalidParameter for what can not be a name."""
        found = self._known.get(name) if isinstance(name, str) else None
        return TopicKeys(self.namespace, topic_name(name)) if found is None else found.keys

    def queues_of(self, namespace: str) -> Registry:
        """The queues of a namespace that a subscription leads to."""
        if namespace == self.namespace:
            return self.queues
        found = self._others.get(namespace)
        if found is None:
            found = self._others[namespace] = self.site.queues(namespace)
        return found

    def _begin(self, name: str) -> KnownTopic:
        return KnownTopic(TopicKeys(self.namespace, name))

    def topic(self, name: str) -> KnownTopic:
        """What we know of a topic that is there; call it after `known` or `described`."""
        return self.kept(name)

    def clear(self) -> None:
        super().clear()
        self._others.clear()

    def is_away(self, queues: Registry, name: str) -> bool:
        """Whether a queue could not be reached a moment ago. When it is time to try again, one
        caller is told so; the others go on without it until that one knows."""
        away = self._away.get((queues.namespace, queues.kind, name))
        if away is None:
            return False
        now = time.monotonic()
        if now < away.until:
            return True
        away.until = now + away.for_s
        return False

    def stay_away(self, queues: Registry, name: str) -> None:
        """Leave a queue alone that could not be reached, longer each time."""
        key = queues.namespace, queues.kind, name
        before = self._away.get(key)
        for_s = AWAY_S if before is None else min(2 * before.for_s, MOST_AWAY_S)
        self._away[key] = Away(time.monotonic() + for_s, for_s)

    def is_back(self, queues: Registry, name: str) -> None:
        """A queue was reached."""
        if self._away:
            self._away.pop((queues.namespace, queues.kind, name), None)

    def all_are_back(self) -> None:
        """Leave nobody alone any more."""
        self._away.clear()

    def new_relayer(self) -> str:
        """A name as the relayer of a FIFO topic. Each time another: what this client publishes
        while it relays in the background must find that somebody does."""
        return f"{self._relayer}.{next(self._relays)}"

    def take_lane(self, name: str) -> Lane:
        """A lane that nobody uses now. Lost lanes are simply not given back."""
        try:
            return self.topic(name).lanes.pop()
        except IndexError:
            return Lane()

    def give_lane(self, name: str, lane: Lane) -> None:
        if name in self._known:
            self._known[name].lanes.append(lane)


def known(registry: TopicRegistry, name: str) -> Plan[TopicInfo]:
    """The topic's description, asked for if we have none. Raises TopicDoesNotExist."""
    info = registry.known(name)
    if info is None:
        try:
            found = yield commands.describe(registry.keys(name), name, registry.place)
        except TopicDoesNotExist:
            registry.drop(name)
            raise
        info = registry.learn(found)
    return info


def described(registry: TopicRegistry, name: str) -> Plan[TopicInfo]:
    """The topic's description as it is now."""
    registry.forget(topic_name(name))
    return (yield from known(registry, name))


def audience(registry: TopicRegistry, name: str) -> Plan[tuple[TopicInfo, Audience]]:
    """The topic and its subscriptions, asked for if we do not have them."""
    info = yield from known(registry, name)
    found = registry.topic(name).audience
    if not found.number:
        return (yield from up_to_date(registry, name))
    return info, found


def up_to_date(registry: TopicRegistry, name: str) -> Plan[tuple[TopicInfo, Audience]]:
    """The topic and its subscriptions as they are now: what changed is read, or all of it."""
    keys = registry.keys(name)
    for _ in range(LOOKS):
        info = yield from known(registry, name)
        found = registry.topic(name).audience
        number = found.number
        try:
            news = yield commands.changes(keys, info, number)
        except TopicDoesNotExist:
            registry.drop(name)
            raise
        if news.version != info.version:
            registry.forget(name)
            continue
        if not news.read_all:
            if found.change(number, news.number, news.changes):
                return info, found
            continue
        # What changes while we read it all is read by the next look.
        fresh = Audience()
        cursor = b"0"
        while True:
            cursor, page = yield commands.scan_subscriptions(keys, info, cursor, LOAD_STEP)
            for one in page:
                fresh.put(one)
            if int(cursor) == 0:
                break
        fresh.number = news.number
        registry.topic(name).audience = fresh
    raise StaleConfig(f"topic {name!r} changes faster than it can be used")


def on_known(registry: TopicRegistry, name: str, make: Callable[[TopicInfo], Call[T]]) -> Plan[T]:
    """Carry out the Call that *make* builds from the topic's description."""
    for _ in range(LOOKS):
        info = yield from known(registry, name)
        try:
            result: T = yield make(info)
        except StaleConfig:
            registry.forget(name)
        except TopicDoesNotExist:
            registry.drop(name)
            raise
        else:
            return result
    raise StaleConfig(f"topic {name!r} changes faster than it can be used")
