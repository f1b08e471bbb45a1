"""Matching: who gets a message, found without asking Redis.

An audience is what a client knows of a topic's subscriptions, up to one change. It is brought up to
date by what changed since, not read anew.

Threads share it. Whoever matches notes the number first: if the audience changes meanwhile, the
topic's script finds that number outdated and refuses what was decided.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from rmq.topics.filters.grammar import parse
from rmq.topics.filters.index import FilterIndex
from rmq.topics.filters.limits import FilterLimits
from rmq.topics.filters.policy import FilterPolicy
from rmq.topics.filters.view import MessageView
from rmq.topics.subscription import Subscription


class Audience:
    """The subscriptions of one topic, and an index of their filter policies."""

    def __init__(self) -> None:
        self.number = ""
        """Of the last change that is in it; '' for one that was never filled."""
        self.all: dict[str, Subscription] = {}
        """By id, also those that wait for their confirmation."""
        self._index: FilterIndex[str] = FilterIndex()
        self._policies: dict[str, FilterPolicy] = {}
        self._bodies = 0
        self._everyone: list[Subscription] | None = None
        self._lock = threading.Lock()

    @property
    def has_filters(self) -> bool:
        """Whether anybody wants only some of the messages."""
        return bool(self._policies)

    @property
    def filters_bodies(self) -> bool:
        """Whether anybody filters by the body."""
        return self._bodies > 0

    @property
    def everyone(self) -> list[Subscription]:
        """Those that want every message."""
        with self._lock:
            if self._everyone is None:
                self._everyone = [self.all[id] for id in self._index.unfiltered]
            return self._everyone

    def put(self, one: Subscription) -> None:
        """Add a subscription, or take note of what became of it."""
        before = self.all.get(one.id)
        self.all[one.id] = one
        self._everyone = None
        if not one.confirmed:
            self._forget(one.id)
        elif before is None or one.id not in self._index or _filter(before) != _filter(one):
            self._forget(one.id)
            policy = policy_of(one)
            self._index.add(one.id, policy)
            if policy is not None:
                self._policies[one.id] = policy
                self._bodies += policy.scope == "message_body"

    def remove(self, id: str) -> None:
        """Forget a subscription."""
        self.all.pop(id, None)
        self._everyone = None
        self._forget(id)

    def change(
        self, known: str, number: str, changes: Iterable[tuple[str, Subscription | None]]
    ) -> bool:
        """Take note of what changed between two numbers; None for what is gone. False, and nothing
        is changed, when somebody else took note of something meanwhile."""
        with self._lock:
            if self.number != known:
                return False
            for id, one in changes:
                if one is None:
                    self.remove(id)
                else:
                    self.put(one)
            self.number = number
            return True

    def match(self, view: MessageView) -> list[Subscription]:
        """Who gets a message of those with a filter; everyone else does as well."""
        if not self._policies:
            return []
        with self._lock:
            return [self.all[id] for id in self._index.match(view).ids]

    def wants(self, one: Subscription, view: MessageView) -> bool:
        """Whether one of them wants a message."""
        policy = self._policies.get(one.id)
        return policy is None or policy.matches(view)

    def policy(self, id: str) -> FilterPolicy | None:
        """The filter of one of them."""
        return self._policies.get(id)

    def _forget(self, id: str) -> None:
        if id in self._index:
            self._index.remove(id)
        policy = self._policies.pop(id, None)
        self._bodies -= policy is not None and policy.scope == "message_body"


def policy_of(one: Subscription) -> FilterPolicy | None:
    """A subscription's filter, which was found valid when it was set."""
    attributes = one.attributes
    return parse(attributes.filter_policy, attributes.filter_policy_scope, FilterLimits.none())


def _filter(one: Subscription) -> tuple[object, ...]:
    return one.confirmed, one.attributes.filter_policy, one.attributes.filter_policy_scope
