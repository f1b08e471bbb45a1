"""Ranges: where in the hash space shards begin and end, and what leads from one map to another.

    0 ───────────────┬───────────────┬─────────────── 2^128 - 1
      shard 0        │ shard 1       │ shard 2          a boundary belongs to the shard behind it

A map of shards is changed by splits, which add a boundary, and merges, which take one away. Those
that touch different shards go together, as a wave.
Source: Amazon Kinesis Developer Guide, "Resharding a stream"; UpdateShardCount (API Reference).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rmq.streams.shard import Shard, even_ranges


class Open(NamedTuple):
    """An open shard: its number, and its first and last hash key."""

    number: int
    first: int
    last: int

    @classmethod
    def of(cls, shard: Shard) -> Open:
        return cls(shard.number, shard.starting_hash_key, shard.ending_hash_key)


class Change(NamedTuple):
    """One split (one parent, two children) or merge (two parents, one child)."""

    parents: tuple[int, ...]
    """Numbers of shards. Of a merge, the first is the one that was asked for."""
    children: tuple[tuple[int, int], ...]
    """First and last hash key of each."""


def middle(first: int, last: int) -> int:
    """Where a shard is split in halves."""
    return (first + last + 1) // 2


def split(shard: Open, at: int) -> Change:
    """Split a shard in [first, at - 1] and [at, last]."""
    return Change((shard.number,), ((shard.first, at - 1), (at, shard.last)))


def merge(one: Open, other: Open) -> Change:
    """Make one of two shards that lie side by side."""
    return Change(
        (one.number, other.number), ((min(one.first, other.first), max(one.last, other.last)),)
    )


def adjacent(one: Open, other: Open) -> bool:
    """Whether one begins where the other ends."""
    return one.last + 1 == other.first or other.last + 1 == one.first


def wave(open_shards: Sequence[Open], count: int, most: int) -> list[Change]:
    """The next changes, *most* at a time, on the way to *count* uniform shards; none at the end.

    It depends on nothing but the map, so whoever finds a way half gone goes on. Ranges end up as
    those of a new stream, to the key: where 3 shards become 6 a boundary moves by one key, by a
    split and a merge. It is worked off from the lowest keys up, merges as soon as they can be, so
    that there are never more than some *most* shards too many.
    """
    shards = sorted(open_shards, key=lambda one: one.first)
    wanted = [first for first, _ in even_ranges(count)]
    changes: list[Change] = []
    at = 0
    while at < len(shards) and len(changes) < most:
        one = shards[at]
        inside = wanted[_after(wanted, one.first) : _after(wanted, one.last)]
        if inside:
            changes.append(split(one, inside[len(inside) // 2]))
        elif at + 1 < len(shards):
            other = shards[at + 1]
            is_kept = _has(wanted, other.first) or _splits(wanted, other)
            if not is_kept:
                changes.append(merge(one, other))
                at += 1
        at += 1
    return changes


def steps(
    open_shards: Sequence[Open], count: int, most: int, number: int | None = None
) -> Iterator[list[Change]]:
    """All waves to *count* uniform shards, one after the other; new shards get the next numbers,
    from *number* on."""
    shards = {one.number: one for one in open_shards}
    number = max(shards) + 1 if number is None else number
    while changes := wave(list(shards.values()), count, most):
        yield changes
        for change in changes:
            for parent in change.parents:
                del shards[parent]
            for first, last in change.children:
                shards[number] = Open(number, first, last)
                number += 1


def _after(boundaries: Sequence[int], key: int) -> int:
    return bisect_left(boundaries, key + 1)


def _has(boundaries: Sequence[int], key: int) -> bool:
    at = bisect_left(boundaries, key)
    return at < len(boundaries) and boundaries[at] == key


def _splits(boundaries: Sequence[int], shard: Open) -> bool:
    return _after(boundaries, shard.first) < _after(boundaries, shard.last)
