"""Conditions: what a policy asks of the leaves at one path.

A condition holds if it accepts any leaf; only "exists": false looks at all of them. Text is
compared with text and numbers with numbers; "anything-but" alone accepts what is of another type.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Sequence
from typing import Any

import msgspec

from rmq.topics.filters import wildcard
from rmq.topics.filters.value import Leaf, Token, shown


class Condition(msgspec.Struct, frozen=True, gc=False):
    """One element of an array of match values. `str()` gives it as a policy has it."""

    def accepts(self, leaf: Leaf) -> bool:
        """Whether this one leaf is what is asked for."""
        raise NotImplementedError

    def holds(self, leaves: Sequence[Leaf]) -> bool:
        """Whether a path with these leaves is what is asked for."""
        # A loop, here and in the policy: any() of a generator takes twice the time.
        for leaf in leaves:  # noqa: SIM110
            if self.accepts(leaf):
                return True
        return False


class Equals(Condition, frozen=True, gc=False):
    """ "text", 12, {"numeric": ["=", 12]}, true, false, null."""

    value: Leaf

    def accepts(self, leaf: Leaf) -> bool:
        return leaf == self.value

    def __str__(self) -> str:
        return shown(self.value)


class EqualsIgnoreCase(Condition, frozen=True, gc=False):
    """{"equals-ignore-case": "Text"}."""

    text: str
    folded: str

    def accepts(self, leaf: Leaf) -> bool:
        return isinstance(leaf, str) and folded(leaf) == self.folded

    def __str__(self) -> str:
        return _operation("equals-ignore-case", self.text)


class Prefix(Condition, frozen=True, gc=False):
    """{"prefix": "te"}. The empty one accepts any text."""

    text: str

    def accepts(self, leaf: Leaf) -> bool:
        return isinstance(leaf, str) and leaf.startswith(self.text)

    def __str__(self) -> str:
        return _operation("prefix", self.text)


class Suffix(Condition, frozen=True, gc=False):
    """{"suffix": "xt"}. The empty one accepts any text."""

    text: str

    def accepts(self, leaf: Leaf) -> bool:
        return isinstance(leaf, str) and leaf.endswith(self.text)

    def __str__(self) -> str:
        return _operation("suffix", self.text)


class Wildcard(Condition, frozen=True, gc=False):
    """{"wildcard": "t*t"}."""

    pattern: str
    literals: tuple[str, ...]
    """What stands between the stars."""

    def accepts(self, leaf: Leaf) -> bool:
        return isinstance(leaf, str) and wildcard.fits(self.literals, leaf)

    def __str__(self) -> str:
        return _operation("wildcard", self.pattern)


class Numeric(Condition, frozen=True, gc=False):
    """{"numeric": [">", 0, "<=", 12]}."""

    low: int | None
    """The least that is accepted, in UNITs: `> 0` is 1. None is no lower bound."""
    high: int | None
    """The most that is accepted."""
    operators: tuple[str, ...]
    """As they were written: one, or the lower bound's and the upper bound's."""

    def accepts(self, leaf: Leaf) -> bool:
        return (
            isinstance(leaf, int)
            and (self.low is None or leaf >= self.low)
            and (self.high is None or leaf <= self.high)
        )

    def __str__(self) -> str:
        bounds = []
        if self.low is not None:
            bounds.append(self.low - (self.operators[0] == ">"))
        if self.high is not None:
            bounds.append(self.high + (self.operators[-1] == "<"))
        terms = zip(self.operators, map(shown, bounds), strict=True)
        listed = ", ".join(f'"{operator}", {bound}' for operator, bound in terms)
        return f'{{"numeric": [{listed}]}}'


class Cidr(Condition, frozen=True, gc=False):
    """{"cidr": "10.0.0.0/24"}. Bits behind the prefix are ignored."""

    text: str
    version: int
    """4 or 6."""
    shift: int
    """How many bits of an address are the host's."""
    network: int
    """The bits before them."""

    def accepts(self, leaf: Leaf) -> bool:
        found = address(leaf) if isinstance(leaf, str) else None
        return (
            found is not None
            and found[0] == self.version
            and found[1] >> self.shift == self.network
        )

    def __str__(self) -> str:
        return _operation("cidr", self.text)


class AnythingBut(Condition, frozen=True, gc=False):
    """{"anything-but": ["text", "other"]}: a leaf is there, and is none of these."""

    values: frozenset[Leaf]

    def accepts(self, leaf: Leaf) -> bool:
        return leaf not in self.values and leaf is not Token.UNREADABLE

    def __str__(self) -> str:
        listed = ", ".join(sorted(map(shown, self.values)))
        return f'{{"anything-but": [{listed}]}}'


class AnythingButLike(Condition, frozen=True, gc=False):
    """{"anything-but": {"prefix": "te"}}: a leaf is there, and is not so."""

    pattern: Condition

    def accepts(self, leaf: Leaf) -> bool:
        return not self.pattern.accepts(leaf) and leaf is not Token.UNREADABLE

    def __str__(self) -> str:
        return f'{{"anything-but": {self.pattern}}}'


class Exists(Condition, frozen=True, gc=False):
    """{"exists": true}: a leaf is there that is neither null nor empty."""

    def accepts(self, leaf: Leaf) -> bool:
        return leaf != "" and leaf is not Token.NULL and leaf is not Token.UNREADABLE

    def __str__(self) -> str:
        return '{"exists": true}'


class Absent(Condition, frozen=True, gc=False):
    """{"exists": false}: no leaf is there, not even null."""

    def accepts(self, leaf: Leaf) -> bool:
        return False

    def holds(self, leaves: Sequence[Leaf]) -> bool:
        return not leaves

    def __str__(self) -> str:
        return '{"exists": false}'


def folded(text: str) -> str:
    """Text as equals-ignore-case compares it: by Unicode's full case folding, so ß is ss."""
    return text.casefold()


def address(text: str) -> tuple[int, int] | None:
    """An IP address as version and number; None if this is none. Zones (fe80::1%eth0) are none.

    An IPv4 address inside an IPv6 one (::ffff:10.0.0.1) is IPv6.
    """
    if len(text) > 45 or "%" in text:
        return None
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return found.version, int(found)


def _operation(name: str, operand: Any) -> str:
    return f'{{"{name}": {json.dumps(operand, ensure_ascii=not operand.isprintable())}}}'
