"""On demand: how many shards a stream needs, which of them to split or merge, and where.

    needed = twice the busiest minute of the last 30 days, in shards of 1 MiB/s and 1,000 records/s

A decision is a function of what was measured; nothing is waited for or remembered here.
Source: Amazon Kinesis Developer Guide, "Choose the right mode in Kinesis Data Streams".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from rmq.streams.ranges import Change, Open, adjacent, merge, middle, split

FIRST_SHARDS = 4
"""4 MiB/s and 4,000 records/s: what an on-demand stream begins with, and never falls below."""
SHARD_BYTES = 1 << 20
"""Bytes a second that a shard takes."""
SHARD_RECORDS = 1_000
"""Records a second that a shard takes."""
HOT_BYTES = 500_000
"""Bytes a second above which a shard is split."""
HOT_RECORDS = SHARD_RECORDS // 2
SLACK = 0.75
"""Shards are merged where no more than this share of them is needed: a stream at the edge would
otherwise be split and merged in turn."""
FEW_KEYS = 20
"""With fewer keys than this nothing can be said of where the heat is."""
LOPSIDED = 0.9
"""Where one side of the best split keeps more than this share, one key makes the heat, and no split
can cool it."""


class Load(NamedTuple):
    """What came to a stream or a shard in its busiest minute, a second."""

    bytes_s: float = 0.0
    records_s: float = 0.0

    @property
    def shards(self) -> float:
        """How many shards that takes, in their bytes or in their records."""
        return max(self.bytes_s / SHARD_BYTES, self.records_s / SHARD_RECORDS)

    @property
    def is_hot(self) -> bool:
        """Whether a shard with it is to be split."""
        return self.bytes_s > HOT_BYTES or self.records_s > HOT_RECORDS

    def __add__(self, other: Load) -> Load:  # type: ignore[override]
        return Load(self.bytes_s + other.bytes_s, self.records_s + other.records_s)


@dataclass(frozen=True, slots=True)
class Scaling:
    """What is to be done: shards to split, hottest first, or pairs to merge, coldest first."""

    splits: tuple[Open, ...] = ()
    merges: tuple[tuple[Open, Open], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.splits or self.merges)


def needed(peak: Load, warm_mib: int = 0) -> int:
    """How many shards a stream needs whose *peak* was the busiest minute of the last 30 days, and
    which is to be ready for *warm_mib* MiB a second."""
    return max(FIRST_SHARDS, warm_mib, math.ceil(2 * peak.shards))


def peak_of(shards: int) -> Load:
    """The greatest peak for which so many shards are needed."""
    return Load(bytes_s=shards * SHARD_BYTES / 2)


def decide(
    loads: Sequence[tuple[Open, Load]],
    peak: Load,
    *,
    warm_mib: int = 0,
    most_shards: int | None = None,
    most: int = 64,
) -> Scaling:
    """What to do with open shards and what each took lately. *most* changes; each shard is split or
    merged once, so a stream at most doubles in one decision."""
    count = len(loads)
    wanted = needed(peak, warm_mib)
    room = most
    if most_shards is not None:
        # It does not grow beyond that, unless it is told to; one that has more keeps what it needs.
        room = min(most, max(0, max(most_shards, warm_mib) - count))
    by_heat = sorted(loads, key=lambda one: (-one[1].shards, one[0].first - one[0].last))
    hot = [shard for shard, load in by_heat if load.is_hot]
    missing = max(len(hot), wanted - count)
    splits = [shard for shard, _ in by_heat if shard.first < shard.last]
    splits = splits[: min(missing, room)]
    if splits or wanted > count * SLACK:
        return Scaling(splits=tuple(splits))
    return Scaling(merges=tuple(_coldest(loads, min(most, count - wanted))))


def _coldest(loads: Sequence[tuple[Open, Load]], most: int) -> list[tuple[Open, Open]]:
    """Pairs whose load one shard takes easily, those with the least load first."""
    in_order = sorted(loads, key=lambda one: one[0].first)
    pairs = [
        (one_load + other_load, one, other)
        for (one, one_load), (other, other_load) in pairwise(in_order)
        if adjacent(one, other)
    ]
    found: list[tuple[Open, Open]] = []
    taken: set[int] = set()
    for load, one, other in sorted(pairs, key=lambda pair: (pair[0].shards, pair[1].first)):
        if len(found) == most:
            break
        # Twice that is still not hot: the pair is not split again a minute later.
        if (load + load).is_hot or one.number in taken or other.number in taken:
            continue
        taken |= {one.number, other.number}
        found.append((one, other))
    return found


def changes(scaling: Scaling, places: Sequence[int | None]) -> list[Change]:
    """The changes of the shard map. *places* says for each split where; None leaves that out."""
    splits = [
        split(shard, at) for shard, at in zip(scaling.splits, places, strict=True) if at is not None
    ]
    return splits + [merge(*pair) for pair in scaling.merges]


def place_of_heat(shard: Open, keys: Sequence[tuple[int, int]]) -> int | None:
    """Where to split a shard so that both halves get the same load.

    *keys* are the hash keys of records that came lately, each with its bytes. Keys that are none of
    the shard's (those of records with an explicit hash key) say nothing. None where one key makes
    the heat.
    """
    ours = sorted((key, size + 1) for key, size in keys if shard.first <= key <= shard.last)
    if len(ours) < FEW_KEYS or 2 * len(ours) < len(keys):
        return middle(shard.first, shard.last)
    whole = sum(size for _, size in ours)
    best, at, left = LOPSIDED, None, 0
    for place, (key, size) in enumerate(ours):
        # Between two keys any place is as good as the other; the first is nearest to what is known.
        if key > shard.first and (place == 0 or ours[place - 1][0] != key):
            larger = max(left, whole - left) / whole
            if larger < best:
                best, at = larger, key
        left += size
    return at
