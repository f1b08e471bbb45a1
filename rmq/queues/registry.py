"""The registry: what this client knows of its queues, so that it need not ask each time.

Nothing here must be right. Scripts refuse what was decided on an outdated description.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from rmq.core.clock import Clock
from rmq.core.events import Events
from rmq.core.keys import QueueKeys
from rmq.core.lane import Lane
from rmq.core.limits import Limits
from rmq.core.script import LOOKS, Call, Plan
from rmq.errors import QueueDoesNotExist, StaleConfig
from rmq.queues.administration import describe
from rmq.queues.attributes import QueueInfo, queue_name

T = TypeVar("T")


class Registry:
    """One client's queues: their keys, descriptions and lanes.

    *kind* is `q`, or `p` and `k` for inner queues, which stand in no list.
    """

    def __init__(
        self, namespace: str, limits: Limits, clock: Clock, events: Events, kind: str = "q"
    ) -> None:
        self.namespace = namespace
        self.kind = kind
        self.limits = limits
        self.clock = clock
        self.events = events
        self.handles: WeakValueDictionary[str, Any] = WeakValueDictionary()
        """Queue objects in somebody's hands. Of each queue there is one, so that what tasks send
        with it at the same time goes out together, and in order."""
        self.unlearnt: dict[str, int] = {}
        """Of a queue that is to have a dictionary: messages put there since it was looked at."""
        self._keys: dict[str, QueueKeys] = {}
        self._known: dict[str, QueueInfo] = {}
        self._kept: dict[str, Any] = {}
        self._lanes: dict[str, list[Lane]] = {}

    def keys(self, name: str) -> QueueKeys:
        """The keys of a queue. Raises InvalidParameter for what can not be a name."""
        found = self._keys.get(name) if isinstance(name, str) else None
        if found is None:
            found = QueueKeys(self.namespace, queue_name(name), self.kind)
            # Only of queues that are there: a stranger may ask for a million that are not.
            if name in self._known:
                self._keys[name] = found
        return found

    def meet(self, handle: Any) -> None:
        """Note the object that stands for a queue. It is kept only if the queue is there."""
        self.handles[handle.name] = handle
        if handle.name in self._known:
            self._kept[handle.name] = handle

    def known(self, name: str) -> QueueInfo | None:
        return self._known.get(name)

    def learn(self, info: QueueInfo) -> QueueInfo:
        self._known[info.name] = info
        self._kept[info.name] = self.handles.get(info.name)
        return info

    def forget(self, name: str) -> None:
        self._known.pop(name, None)

    def drop(self, name: str) -> None:
        """Forget all of a queue that is gone."""
        for table in self._tables():
            table.pop(name, None)

    def clear(self) -> None:
        """Forget all of all queues."""
        for table in self._tables():
            table.clear()

    def _tables(self) -> tuple[dict[str, Any], ...]:
        return self._keys, self._known, self._kept, self._lanes, self.unlearnt

    def take_lane(self, name: str) -> Lane:
        """A lane that nobody uses now. Lost lanes are simply not given back."""
        lanes = self._lanes.setdefault(name, [])
        try:
            return lanes.pop()
        except IndexError:
            return Lane()

    def give_lane(self, name: str, lane: Lane) -> None:
        self._lanes.setdefault(name, []).append(lane)


def known(registry: Registry, name: str) -> Plan[QueueInfo]:
    """The queue's description, asked for if we have none. Raises QueueDoesNotExist."""
    info = registry.known(name)
    if info is None:
        try:
            info = registry.learn((yield describe(registry.keys(name), name)))
        except QueueDoesNotExist:
            registry.drop(name)
            raise
    return info


def described(registry: Registry, name: str) -> Plan[QueueInfo]:
    """The queue's description as it is now."""
    registry.forget(queue_name(name))
    return (yield from known(registry, name))


def on_known(registry: Registry, name: str, make: Callable[[QueueInfo], Call[T]]) -> Plan[T]:
    """Carry out the Call that *make* builds from the queue's description."""
    for _ in range(LOOKS):
        info = yield from known(registry, name)
        try:
            result: T = yield make(info)
        except StaleConfig:
            registry.forget(name)
        except QueueDoesNotExist:
            registry.drop(name)
            raise
        else:
            return result
    raise StaleConfig(f"queue {name!r} changes faster than it can be used")
