"""Policies: what a subscription wants to be sent, as a tree, and what the tree means.

    FilterPolicy ── AllOf ─┬─ Field    the leaves at this path: any of these conditions
                           ├─ Inside   an object, or any one of an array of objects: all of this
                           └─ AnyOf    $or: any of these

Matching reads like the sentences above. It is what a policy means: the index only saves asking.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from rmq.topics.filters.condition import Condition
from rmq.topics.filters.value import ABSENT, leaves, objects

if TYPE_CHECKING:
    from rmq.topics.filters.view import MessageView

FilterPolicyScope = Literal["message_attributes", "message_body"]
Path = tuple[str, ...]
"""Keys from the top of the attributes or of the body."""
Here = dict[str, Any]
"""The object that a part of a policy is held against."""


class Field(msgspec.Struct, frozen=True, gc=False):
    """A key and its array of match values."""

    path: Path
    conditions: tuple[Condition, ...]

    def matches(self, here: Here) -> bool:
        found = leaves(here.get(self.path[-1], ABSENT))
        for condition in self.conditions:  # noqa: SIM110
            if condition.holds(found):
                return True
        return False


class AllOf(msgspec.Struct, frozen=True, gc=False):
    """An object of a policy: its keys are combined by AND."""

    parts: tuple[Part, ...]

    def matches(self, here: Here) -> bool:
        for part in self.parts:  # noqa: SIM110
            if not part.matches(here):
                return False
        return True


class Inside(msgspec.Struct, frozen=True, gc=False):
    """A key and a nested object.

    In an array of objects it is one and the same that has to match, keys beside each other and all:
    {"items": {"sku": ["a"], "count": [1]}} asks for an item, not for a sku here and a count there.
    """

    path: Path
    inside: AllOf

    def matches(self, here: Here) -> bool:
        return any(map(self.inside.matches, objects(here.get(self.path[-1], ABSENT))))


class AnyOf(msgspec.Struct, frozen=True, gc=False):
    """$or: any of its objects, held against the object that it stands in."""

    branches: tuple[AllOf, ...]

    def matches(self, here: Here) -> bool:
        return any(branch.matches(here) for branch in self.branches)


Part = Field | Inside | AnyOf


class FilterPolicy(msgspec.Struct, frozen=True, gc=False):
    """A policy that was found valid. `grammar.parse` makes it."""

    text: str
    """The JSON text, as it was given."""
    scope: FilterPolicyScope
    root: AllOf

    def matches(self, message: MessageView) -> bool:
        """Whether the subscription wants this message."""
        here = message.scope(self.scope)
        return here is not None and self.root.matches(here)


def fields_of(node: AllOf) -> Iterator[Field]:
    """All fields of a policy, in order."""
    for part in node.parts:
        if isinstance(part, Field):
            yield part
        elif isinstance(part, Inside):
            yield from fields_of(part.inside)
        else:
            for branch in part.branches:
                yield from fields_of(branch)
