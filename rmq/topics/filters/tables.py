"""Tables: from a leaf to the conditions of one kind that accept it, without asking each.

    Exact      "text", 12, true                 a hash
    Folded     equals-ignore-case               a hash of folded text
    Networks   cidr                             a hash for each prefix length
    Prefixes   prefix, wildcard "a*b"           a hash for each length
    Suffixes   suffix, wildcard "*b"            a hash for each length
    Infixes    wildcard "*a*"                   a hash of pieces, looked for all along the text
    Ranges     numeric                          see ranges.py
    Present    anything-but, exists, "*"        everyone; accepts too much, and sorts out nobody

A table has *slots*: a key made of the condition, and what is kept under it. It gives all slots
whose conditions accept a leaf. Those of wildcards and Present may give more.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, ClassVar

from rmq.topics.filters.condition import (
    Absent,
    AnythingBut,
    AnythingButLike,
    Cidr,
    Condition,
    Equals,
    EqualsIgnoreCase,
    Exists,
    Numeric,
    Prefix,
    Suffix,
    Wildcard,
    address,
    folded,
)
from rmq.topics.filters.ranges import Intervals
from rmq.topics.filters.value import Leaf

PIECE = 4
"""Characters of a literal that an infix is looked for by."""


class Table:
    """What policies ask of one path, of one kind."""

    __slots__ = ("filed", "slots")

    rank: ClassVar[int]
    """How well this table tells messages apart: 0, a leaf leads to one slot or few; 1, slots
    overlap; 2, not at all."""

    def __init__(self) -> None:
        self.slots: dict[Any, Any] = {}
        self.filed = 0
        """Conditions in all slots, kept by who fills them."""

    def opened(self, key: Any) -> None:
        """A slot was made under this key."""

    def closed(self, key: Any) -> None:
        """A slot was taken away."""

    def find(self, leaf: Leaf, out: list[Any]) -> None:
        """Add to *out* the slots that this leaf leads to, some of them perhaps twice."""
        raise NotImplementedError


class Exact(Table):
    __slots__ = ()
    rank = 0

    def find(self, leaf: Leaf, out: list[Any]) -> None:
        slot = self.slots.get(leaf)
        if slot is not None:
            out.append(slot)


class Folded(Table):
    __slots__ = ()
    rank = 0

    def find(self, leaf: Leaf, out: list[Any]) -> None:
        slot = self.slots.get(folded(leaf)) if isinstance(leaf, str) else None
        if slot is not None:
            out.append(slot)


class _Sized(Table):
    """A table whose keys come in few sizes, each looked up by itself."""

    __slots__ = ("sizes",)

    def __init__(self) -> None:
        super().__init__()
        self.sizes: dict[Any, int] = {}
        """Size to the number of keys of that size."""

    def size(self, key: Any) -> Hashable:
        return len(key)

    def opened(self, key: Any) -> None:
        size = self.size(key)
        self.sizes[size] = self.sizes.get(size, 0) + 1

    def closed(self, key: Any) -> None:
        size = self.size(key)
        self.sizes[size] -= 1
        if not self.sizes[size]:
            del self.sizes[size]


class Prefixes(_Sized):
    __slots__ = ()
    rank = 0

    def find(self, leaf: Leaf, out: list[Any]) -> None:
        if isinstance(leaf, str):
            for size in self.sizes:
                slot = self.slots.get(leaf[:size])
                if slot is not None:
                    out.append(slot)


class Suffixes(_Sized):
    __slots__ = ()
    rank = 0

    def find(self, leaf: Leaf, out: list[Any]) -> None:
        if isinstance(leaf, str):
            for size in self.sizes:
                slot = self.slots.get(leaf[-size:])
                if slot is not None:
                    out.append(slot)


class Infixes(_Sized):
    __slots__ = ()
    rank = 0

    def find(self, leaf: Leaf, out: list[Any]) -> None:
        if not isinstance(leaf, str):
            return
        # Few pieces are looked for in the text, and many pieces of the text in the table.
        if len(self.slots) <= len(leaf):
            out.extend(slot for piece, slot in self.slots.items() if piece in leaf)
            return
        for size in self.sizes:
            for piece in {leaf[at : at + size] for at in range(len(leaf) - size + 1)}:
                slot = self.slots.get(piece)
                if slot is not None:
                    out.append(slot)


class Networks(_Sized):
    """Keys are (version, host bits, network)."""

    __slots__ = ()
    rank = 0

    def size(self, key: tuple[int, int, int]) -> Hashable:
        return key[:2]

    def find(self, leaf: Leaf, out: list[Any]) -> None:
        found = address(leaf) if isinstance(leaf, str) else None
        if found is None:
            return
        for version, shift in self.sizes:
            slot = self.slots.get((version, shift, found[1] >> shift))
            if slot is not None and version == found[0]:
                out.append(slot)


class Ranges(Table):
    """Keys are (low, high)."""

    __slots__ = ("intervals",)
    rank = 1

    def __init__(self) -> None:
        super().__init__()
        self.intervals = Intervals()

    def opened(self, key: Any) -> None:
        self.intervals.add(*key)

    def closed(self, key: Any) -> None:
        self.intervals.remove(*key)

    def find(self, leaf: Leaf, out: list[Any]) -> None:
        if isinstance(leaf, int):
            out.extend(map(self.slots.__getitem__, self.intervals.around(leaf)))


class Present(Table):
    """One key, None."""

    __slots__ = ()
    rank = 2

    def find(self, leaf: Leaf, out: list[Any]) -> None:
        out.extend(self.slots.values())


USELESS = Present.rank
"""An access of this rank sorts out nobody."""


def place_of(condition: Condition) -> tuple[type[Table], Any] | None:
    """The table and key by which a condition is found; None for what no leaf leads to."""
    return _PLACES[type(condition)](condition)


def finds_exactly(condition: Condition) -> bool:
    """Whether its table gives it for just those leaves that it accepts, so that it need not be
    asked again."""
    place = place_of(condition)
    return place is not None and place[0] is not Present and not isinstance(condition, Wildcard)


def _place_of_wildcard(condition: Wildcard) -> tuple[type[Table], Any]:
    literals = condition.literals
    if len(literals) == 1:
        return Exact, literals[0]
    if literals[0]:
        return Prefixes, literals[0]
    if literals[-1]:
        return Suffixes, literals[-1]
    longest = max(literals, key=len)
    return (Infixes, longest[:PIECE]) if longest else _PRESENT


_PRESENT = (Present, None)
_PLACES: dict[type[Condition], Callable[[Any], tuple[type[Table], Any] | None]] = {
    Equals: lambda one: (Exact, one.value),
    EqualsIgnoreCase: lambda one: (Folded, one.folded),
    Prefix: lambda one: (Prefixes, one.text) if one.text else _PRESENT,
    Suffix: lambda one: (Suffixes, one.text) if one.text else _PRESENT,
    Wildcard: _place_of_wildcard,
    Numeric: lambda one: (Ranges, (one.low, one.high)),
    Cidr: lambda one: (Networks, (one.version, one.shift, one.network)),
    AnythingBut: lambda one: _PRESENT,
    AnythingButLike: lambda one: _PRESENT,
    Exists: lambda one: _PRESENT,
    Absent: lambda one: None,
}
