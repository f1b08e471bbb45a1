"""The index: 100,000 policies, one message, and who it is for.

A policy is an AND of keys, so it can be found by any one of them: its *access*. Policies are filed
under the conditions of their access, and a message brings out those filed under what it holds.
These are asked in full.

    level ── path ── table ── slot ─┬─ one policy
                                    └─ bucket ─┬─ policies
                                               └─ level, by another key of theirs

The access is the key that the fewest messages are expected to meet, if values are as frequent in
messages as they are in policies. A slot that collects too many is filed once more, by another key:
so three conditions that a thousand policies each share still lead to the one that has them all.

The same text in the same scope is one policy with several subscribers.

Refused: counting how many conditions of each policy a message meets: its cost follows the most
common condition, this one's the rarest. Refused: filing under combinations of all keys' values: up
to 150 entries for a policy.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from rmq.topics.filters.policy import (
    AllOf,
    AnyOf,
    Field,
    FilterPolicy,
    Here,
    Inside,
    Path,
    fields_of,
)
from rmq.topics.filters.tables import USELESS, Table, finds_exactly, place_of
from rmq.topics.filters.value import ABSENT, leaves, objects
from rmq.topics.filters.verdict import Outcome, refused_by_attributes, refused_by_body
from rmq.topics.filters.view import MessageView

FULL = 16
"""Policies in a bucket before they are filed by another key. Asking one takes 1 µs or so, and
looking at a level a few."""
DEEPEST = 8
"""Levels below one another. More keys than these are not needed to tell policies apart."""
WIDEST = 8
"""Slots that one policy may take in a level below the first: what it takes there, it takes for each
slot above."""

Id = TypeVar("Id", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Matches(Generic[Id]):
    """Who a message is for, of those with a policy."""

    ids: list[Id]
    filtered_out: dict[Outcome, int]
    """How many were refused, by kind; kinds of which there are none are left out."""


class FilterIndex(Generic[Id]):
    """Subscriptions and their policies. Not for several threads at once, if one of them changes it.

    `len()` counts all of them; `id in index` asks for one.
    """

    def __init__(self, subscriptions: Iterable[tuple[Id, FilterPolicy | None]] = ()) -> None:
        self._entries: dict[Id, _Entry[Id] | None] = {}
        self._scopes = {"message_attributes": _Scope[Id](), "message_body": _Scope[Id]()}
        self._unfiltered: dict[Id, None] = {}
        for id, policy in subscriptions:
            self.add(id, policy)

    def add(self, id: Id, policy: FilterPolicy | None) -> None:
        """Add a subscription, or give one that is there another policy. None wants everything."""
        if id in self._entries:
            self.remove(id)
        if policy is None:
            self._entries[id] = None
            self._unfiltered[id] = None
        else:
            self._entries[id] = self._scopes[policy.scope].add(id, policy)

    def remove(self, id: Id) -> None:
        """Remove a subscription. Raises KeyError if it is not there."""
        entry = self._entries.pop(id)
        if entry is None:
            del self._unfiltered[id]
        else:
            self._scopes[entry.policy.scope].remove(id, entry)

    @property
    def unfiltered(self) -> list[Id]:
        """Those without a policy: every message is for them. Made anew by each call, to be kept by
        who publishes until subscriptions change."""
        return list(self._unfiltered)

    def match(self, message: MessageView) -> Matches[Id]:
        """Find those with a policy that want this message, in no particular order.

        The body is not parsed unless some policy is about it.
        """
        ids: list[Id] = []
        filtered_out: dict[Outcome, int] = {}
        by_attributes = self._scopes["message_attributes"]
        if by_attributes.count:
            refused = by_attributes.match(message.attributes, ids)
            if refused:
                filtered_out[refused_by_attributes(message)] = refused
        by_body = self._scopes["message_body"]
        if by_body.count:
            refused = by_body.match(message.body, ids)
            if refused:
                filtered_out[refused_by_body(message)] = refused
        return Matches(ids, filtered_out)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, id: object) -> bool:
        return id in self._entries

    def __iter__(self) -> Iterator[Id]:
        return iter(self._entries)


class _Scope(Generic[Id]):
    """The policies of one scope."""

    __slots__ = ("_by_text", "_level", "count")

    def __init__(self) -> None:
        self._by_text: dict[str, _Entry[Id]] = {}
        self._level: _Level[Id] = _Level(frozenset())
        self.count = 0
        """Subscriptions."""

    def add(self, id: Id, policy: FilterPolicy) -> _Entry[Id]:
        entry = self._by_text.get(policy.text)
        if entry is None:
            entry = self._by_text[policy.text] = _Entry(policy)
            self._level.add(entry)
        entry.add(id)
        self.count += 1
        return entry

    def remove(self, id: Id, entry: _Entry[Id]) -> None:
        self.count -= 1
        if not entry.remove(id):
            del self._by_text[entry.policy.text]
            self._level.remove(entry)

    def match(self, here: Here | None, ids: list[Id]) -> int:
        """Add to *ids* whoever wants it, and return how many do not."""
        if here is None:
            return self.count
        others = len(ids)
        found: set[_Entry[Id]] = set()
        self._level.find(here, found)
        for entry in found:
            if entry.is_exact or entry.policy.root.matches(here):
                ids.extend(entry.ids)
        return self.count - (len(ids) - others)


class _Entry(Generic[Id]):
    """One policy, and who has it."""

    __slots__ = ("ids", "is_exact", "policy")

    def __init__(self, policy: FilterPolicy) -> None:
        self.policy = policy
        self.ids: tuple[()] | tuple[Id] | dict[Id, None] = ()
        """Most policies have one id, and a dict of one weighs 200 bytes."""
        fields = list(fields_of(policy.root))
        self.is_exact = len(fields) == 1 and all(map(finds_exactly, fields[0].conditions))
        """Whoever finds it need not ask it."""

    def add(self, id: Id) -> None:
        if isinstance(self.ids, dict):
            self.ids[id] = None
        elif self.ids:
            self.ids = {self.ids[0]: None, id: None}
        else:
            self.ids = (id,)

    def remove(self, id: Id) -> bool:
        """Whether somebody else is left."""
        if isinstance(self.ids, dict):
            del self.ids[id]
        else:
            self.ids = ()
        return bool(self.ids)


class _Bucket(Generic[Id]):
    """What several policies share a slot in."""

    __slots__ = ("level", "plain")

    def __init__(self, *entries: _Entry[Id]) -> None:
        self.plain: dict[_Entry[Id], None] = dict.fromkeys(entries)
        """Those that are asked one by one."""
        self.level: _Level[Id] | None = None
        """The others, filed by another key."""

    def __len__(self) -> int:
        return len(self.plain) + (len(self.level) if self.level is not None else 0)

    def add(self, entry: _Entry[Id], used: frozenset[Path]) -> None:
        """Add one that got here by the keys *used*, perhaps not for the first time."""
        if entry in self.plain or (self.level is not None and self.level.add(entry)):
            return
        self.plain[entry] = None
        if self.level is None and len(self.plain) > FULL and len(used) < DEEPEST:
            self.level = level = _Level[Id](used)
            self.plain = {one: None for one in self.plain if not level.add(one)}

    def remove(self, entry: _Entry[Id]) -> None:
        if entry in self.plain:
            del self.plain[entry]
        elif self.level is not None:
            self.level.remove(entry)


_Slot = _Entry[Id] | _Bucket[Id]
_Access = tuple[Field, ...]
"""Keys of a policy one of which has to match: one key, or for an $or one of each branch."""
_Cost = tuple[int, float, int]
"""What an access costs: the rank of its tables, the share of their policies that has a condition
like it, and the slots it takes. The first of a kind costs nothing, so that every key is tried."""
_Offer = tuple[_Cost, _Access]


class _Node:
    """A path, among the paths that policies look at."""

    __slots__ = ("children", "tables")

    def __init__(self) -> None:
        self.tables: dict[type[Table], Table] = {}
        self.children: dict[str, _Node] = {}


class _Level(Generic[Id]):
    """Policies, each filed under the conditions of its access."""

    __slots__ = ("_filed", "_root", "_unfiled", "_used")

    def __init__(self, used: frozenset[Path]) -> None:
        self._used = used
        """Keys that all policies here have been filed by already."""
        self._filed: dict[_Entry[Id], _Access] = {}
        self._unfiled: dict[_Entry[Id], None] = {}
        """At the top only: those that want what is absent somewhere. Always asked."""
        self._root = _Node()

    def __len__(self) -> int:
        return len(self._filed) + len(self._unfiled)

    def add(self, entry: _Entry[Id]) -> bool:
        """File a policy, once. False if it is better asked at once, which is never so at the top.

        Two conditions of one policy may lead here, as in ["a", "a"] or in branches of an $or.
        """
        if entry in self._filed:
            return True
        offer = self._offer(entry.policy.root)
        if self._used:
            if offer is None or offer[0][0] >= USELESS or offer[0][2] > WIDEST:
                return False
        elif offer is None:
            self._unfiled[entry] = None
            return True
        assert offer is not None
        access = offer[1]
        self._filed[entry] = access
        for field in access:
            node = self._node(field.path)
            for condition in field.conditions:
                place = place_of(condition)
                assert place is not None
                kind, key = place
                table = node.tables.get(kind)
                if table is None:
                    table = node.tables[kind] = kind()
                table.filed += 1
                self._put(table, key, entry, field.path)
        return True

    def remove(self, entry: _Entry[Id]) -> None:
        """Remove one, unless it was removed by another way that leads here."""
        if entry in self._unfiled:
            del self._unfiled[entry]
            return
        for field in self._filed.pop(entry, ()):
            node = self._node(field.path)
            for condition in field.conditions:
                place = place_of(condition)
                assert place is not None
                kind, key = place
                if kind in node.tables:
                    table = node.tables[kind]
                    table.filed -= 1
                    self._take(table, key, entry)
                    if not table.slots:
                        del node.tables[kind]
            self._prune(field.path)

    def find(self, here: Here, found: set[_Entry[Id]]) -> None:
        """Add to *found* all that this message may be for, and some others."""
        found.update(self._unfiled)
        slots: list[_Slot[Id]] = []
        _walk(self._root, here, slots)
        for slot in slots:
            if type(slot) is _Entry:
                found.add(slot)
            else:
                bucket = cast("_Bucket[Id]", slot)
                found.update(bucket.plain)
                if bucket.level is not None:
                    bucket.level.find(here, found)

    def _offer(self, node: AllOf) -> _Offer | None:
        """The cheapest access to a part of a policy; None if there is none."""
        best: _Offer | None = None
        for part in node.parts:
            offer: _Offer | None
            if isinstance(part, Field):
                cost = self._cost(part)
                offer = None if cost is None else (cost, (part,))
            elif isinstance(part, Inside):
                offer = self._offer(part.inside)
            else:
                offer = self._offer_of_any(part)
            if offer is not None and (best is None or offer[0] < best[0]):
                best = offer
        return best

    def _offer_of_any(self, part: AnyOf) -> _Offer | None:
        rank, share, slots, fields = 0, 0.0, 0, list[Field]()
        for branch in part.branches:
            offer = self._offer(branch)
            if offer is None:
                return None
            cost, access = offer
            rank, share, slots = max(rank, cost[0]), share + cost[1], slots + cost[2]
            fields.extend(access)
        return (rank, share, slots), tuple(fields)

    def _cost(self, field: Field) -> _Cost | None:
        if field.path in self._used:
            return None
        node: _Node | None = self._root
        for name in field.path:
            node = node.children.get(name) if node is not None else None
        rank, share = 0, 0.0
        for condition in field.conditions:
            place = place_of(condition)
            if place is None:
                return None
            kind, key = place
            rank = max(rank, kind.rank)
            if node is not None and kind in node.tables:
                table = node.tables[kind]
                slot = table.slots.get(key)
                if slot is not None:
                    share += (len(slot) if type(slot) is _Bucket else 1) / table.filed
        return rank, share, len(field.conditions)

    def _node(self, path: Path) -> _Node:
        node = self._root
        for name in path:
            below = node.children.get(name)
            if below is None:
                below = node.children[name] = _Node()
            node = below
        return node

    def _prune(self, path: Path) -> None:
        """Forget nodes that nobody is filed under any more."""
        nodes = [self._root]
        for name in path:
            nodes.append(nodes[-1].children[name])
        for above, name in zip(reversed(nodes[:-1]), reversed(path), strict=True):
            node = above.children[name]
            if node.tables or node.children:
                return
            del above.children[name]

    def _put(self, table: Table, key: Hashable, entry: _Entry[Id], path: Path) -> None:
        slot: _Slot[Id] | None = table.slots.get(key)
        if slot is None:
            table.slots[key] = entry
            table.opened(key)
        elif type(slot) is _Bucket:
            slot.add(entry, self._used | {path})
        elif slot is not entry:
            table.slots[key] = _Bucket(cast("_Entry[Id]", slot), entry)

    def _take(self, table: Table, key: Hashable, entry: _Entry[Id]) -> None:
        """Take a policy out of a slot, unless it was taken by an equal condition."""
        slot: _Slot[Id] | None = table.slots.get(key)
        if type(slot) is _Bucket:
            slot.remove(entry)
            if len(slot):
                return
        elif slot is not entry:
            return
        del table.slots[key]
        table.closed(key)


def _walk(node: _Node, here: Here, slots: list[_Slot[Id]]) -> None:
    """Collect the slots that an object leads to."""
    children = node.children
    for name in children if len(children) < len(here) else here:
        below = children.get(name)
        if below is None:
            continue
        value = here.get(name, ABSENT)
        if below.tables:
            for leaf in leaves(value):
                for table in below.tables.values():
                    table.find(leaf, slots)
        if below.children:
            for inner in objects(value):
                _walk(below, inner, slots)
