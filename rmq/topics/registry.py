"""The registry: what this client knows of its topics, so that it need not ask each time.

Nothing here must be right. Scripts refuse what was decided on an outdated description or on an
outdated list of subscriptions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from rmq.core.clock import Clock
from rmq.core.events import Events
from rmq.core.keys import PushKeys, TopicKeys
from rmq.core.place import Place, Places
from rmq.queues.limits import Limits
from rmq.queues.registry import Lane, Registry
from rmq.topics.attributes import TopicInfo, topic_name
from rmq.topics.matching import Audience

T = TypeVar("T")


class Site:
    """The queues of all namespaces that one client's connections lead to."""

    def __init__(self, limits: Limits, clock: Clock, events: Events) -> None:
        self.limits = limits
        self.clock = clock
        self.events = events
        self._queues: WeakValueDictionary[tuple[str, str], Registry] = WeakValueDictionary()

    def queues(self, namespace: str) -> Registry:
        """The queues of a namespace."""
        return self._registry(namespace, "q")

    def inner(self, namespace: str) -> Registry:
        """The inner queues of a namespace: what waits to be pushed."""
        return self._registry(namespace, "p")

    def _registry(self, namespace: str, kind: str) -> Registry:
        found = self._queues.get((namespace, kind))
        if found is None:
            found = Registry(namespace, self.limits, self.clock, self.events, kind)
            self._queues[namespace, kind] = found
        return found


@dataclass(slots=True)
class KnownTopic:
    """What a client keeps of one topic."""

    info: TopicInfo
    audience: Audience
    """Its subscriptions, ready to be matched."""
    lanes: list[Lane] = field(default_factory=list)
    handle: Any = None


class TopicRegistry:
    """One client's topics: their keys, descriptions, subscriptions and lanes."""

    def __init__(self, site: Site, places: Places, *, sign_queues: bool = False) -> None:
        self.site = site
        self.places = places
        self.namespace = places.namespace
        self.place: Place = places.own
        self.limits = site.limits
        self.clock = site.clock
        self.events = site.events
        self.queues = site.queues(self.namespace)
        self.inner = site.inner(self.namespace)
        self.push = PushKeys(self.namespace)
        self.handles: WeakValueDictionary[str, Any] = WeakValueDictionary()
        """Topic objects in somebody's hands; of each topic there is one."""
        self._known: dict[str, KnownTopic] = {}
        self._others: dict[str, Registry] = {}

    def keys(self, name: str) -> TopicKeys:
        """The keys of a topic. Raises InvalidParameter for what can not be a name."""
        return TopicKeys(self.namespace, topic_name(name))
