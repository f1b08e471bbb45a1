"""Splits and merges lead from any map of shards to the uniform one, and no key is ever left out."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmq.streams.ranges import (
    Change,
    Open,
    adjacent,
    merge,
    middle,
    split,
    steps,
    wave,
)
from rmq.streams.shard import LAST_HASH_KEY, even_ranges

AWS = {
    2: [(0, 170141183460469231731687303715884105727)],
    3: [
        (0, 113427455640312821154458202477256070484),
        (113427455640312821154458202477256070485, 226854911280625642308916404954512140969),
    ],
}


def opened(ranges: list[tuple[int, int]]) -> list[Open]:
    return [Open(number, *one) for number, one in enumerate(ranges)]


def carried_out(shards: list[Open], count: int, most: int = 64) -> tuple[list[Open], list[int]]:
    """The shards there are at the end, and how many there were after each wave."""
    there = {one.number: one for one in shards}
    number, sizes = max(there) + 1, []
    for changes in steps(shards, count, most):
        assert len(changes) <= most
        for change in changes:
            # Fails where two changes of a wave touch the same shard.
            parents = sorted(there.pop(parent)[1:] for parent in change.parents)
            children = sorted(change.children)
            assert (parents[0][0], parents[-1][1]) == (children[0][0], children[-1][1])
            for first, last in change.children:
                assert first <= last
                there[number] = Open(number, first, last)
                number += 1
        sizes.append(len(there))
    return sorted(there.values(), key=lambda one: one.first), sizes


def covers_every_key_once(shards: list[Open]) -> bool:
    ends = [-1, *(one.last for one in shards)]
    return ends[-1] == LAST_HASH_KEY and all(
        one.first == end + 1 for one, end in zip(shards, ends, strict=False)
    )


@pytest.mark.parametrize("count", AWS)
def test_the_first_shards_have_the_ranges_that_aws_gives_them(count):
    assert even_ranges(count)[:-1] == AWS[count]
    assert even_ranges(count)[-1][1] == LAST_HASH_KEY


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 16))
def test_any_count_leads_to_any_other(before, count, most):
    shards, sizes = carried_out(opened(even_ranges(before)), count, most)
    assert covers_every_key_once(shards)
    assert len(shards) == count
    assert [one[1:] for one in shards] == even_ranges(count)
    assert all(size <= max(before, count) + most for size in sizes)


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(1, LAST_HASH_KEY), max_size=30), st.integers(1, 30))
def test_a_map_that_was_split_by_hand_becomes_even_ranges(boundaries, count):
    starts = [0, *sorted(boundaries)]
    ends = [*(start - 1 for start in starts[1:]), LAST_HASH_KEY]
    shards, _ = carried_out(opened(list(zip(starts, ends, strict=True))), count)
    assert covers_every_key_once(shards)
    assert [one[1:] for one in shards] == even_ranges(count)


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_twice_as_many_shards_are_one_split_of_each_where_no_boundary_moves(count):
    before, after = (opened(even_ranges(n * count)) for n in (1, 2))
    (changes,) = steps(before, 2 * count, 100)
    assert [len(one.parents) for one in changes] == [1] * count
    (changes,) = steps(after, count, 100)
    assert [one.parents for one in changes] == [(2 * n, 2 * n + 1) for n in range(count)]


def test_boundaries_that_differ_by_rounding_are_moved():
    """A third of 2^128 is rounded down, and so is a sixth: twice that is one key less."""
    shards, sizes = carried_out(opened(even_ranges(3)), 6)
    assert [one[1:] for one in shards] == even_ranges(6)
    assert sizes == [6, 7, 6]
    shards, _ = carried_out(shards, 3)
    assert [one[1:] for one in shards] == even_ranges(3)


def test_a_way_that_was_left_half_gone_is_gone_on_from_the_map_alone():
    shards = opened(even_ranges(10))
    first, *rest = steps(shards, 7, 3)
    there = {one.number: one for one in shards}
    number = 10
    for change in first:
        for parent in change.parents:
            del there[parent]
        for one in change.children:
            there[number] = Open(number, *one)
            number += 1
    assert list(steps(list(there.values()), 7, 3)) == rest
    assert wave(opened(even_ranges(7)), 7, 3) == []


def test_a_shard_is_split_at_its_middle_and_two_halves_are_adjacent():
    whole = Open(0, 0, LAST_HASH_KEY)
    half = middle(0, LAST_HASH_KEY)
    assert half == 1 << 127
    change = split(whole, half)
    assert change == Change((0,), ((0, half - 1), (half, LAST_HASH_KEY)))
    lower, upper = (Open(n, *one) for n, one in enumerate(change.children, 1))
    assert adjacent(lower, upper)
    assert adjacent(upper, lower)
    assert not adjacent(whole, upper)
    assert merge(upper, lower) == Change((2, 1), ((0, LAST_HASH_KEY),))
