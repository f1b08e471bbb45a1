"""Limits of filter policies: Amazon SNS's by default, each liftable by its name.

Source: Filter policy constraints (Amazon SNS Developer Guide).
"""

from __future__ import annotations

from dataclasses import dataclass

DEEPEST = 100
"""Levels of nesting in a policy. Ours, and not liftable: policies are read and matched recursively.
With Amazon SNS's limit of combinations it is met only between 100 and 150 levels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterLimits:
    """None lifts a limit. `FilterLimits(max_keys=None)` is SNS with any number of keys."""

    max_keys: int | None = 5
    """Different paths that hold arrays of conditions, those inside $or among them."""
    max_combinations: int | None = 150
    """The lengths of all these arrays multiplied, each first multiplied by its level: 1 at the
    top, 2 one object further in. An array inside $or multiplies like any other."""
    max_bytes: int | None = 262_144
    """Of the policy's text in UTF-8."""
    max_number: int | None = 10**9
    """How far from 0 a number in a policy may be."""
    max_stars: int | None = 3
    """Of one wildcard pattern."""
    max_wildcard_points: int | None = 100
    """A pattern of one star is 1 point, of more stars 3; the points of one key are added, those of
    different keys multiplied."""

    @classmethod
    def none(cls) -> FilterLimits:
        """No limits but our own, DEEPEST."""
        return cls(
            max_keys=None,
            max_combinations=None,
            max_bytes=None,
            max_number=None,
            max_stars=None,
            max_wildcard_points=None,
        )
