"""On-demand streams: what is decided from what was measured, with nothing around it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmq.streams.on_demand import Load, Scaling, changes, decide, needed, place_of_heat
from rmq.streams.ranges import Open, middle
from rmq.streams.shard import LAST_HASH_KEY, even_ranges

KB = 1000
MIB = 1 << 20
IDLE = Load()


def shards(count: int, loads: dict[int, Load] | None = None) -> list[tuple[Open, Load]]:
    given_loads = loads or {}
    return [
        (Open(number, *one), given_loads.get(number, IDLE))
        for number, one in enumerate(even_ranges(count))
    ]


def test_a_stream_is_ready_for_twice_its_peak_and_never_has_fewer_than_four_shards():
    assert needed(IDLE) == 4
    assert needed(Load(bytes_s=3 * MIB)) == 6
    assert needed(Load(records_s=3_100)) == 7
    assert needed(IDLE, warm_mib=10) == 10


def test_a_shard_above_500_kb_a_second_is_split_and_its_neighbours_are_not():
    loads = shards(4, {2: Load(bytes_s=501 * KB)})
    assert decide(loads, peak=Load(bytes_s=501 * KB)) == Scaling(splits=(loads[2][0],))
    loads = shards(4, {2: Load(bytes_s=500 * KB)})
    assert not decide(loads, peak=Load(bytes_s=500 * KB))


def test_many_small_records_are_heat_as_well():
    loads = shards(4, {1: Load(records_s=501)})
    assert decide(loads, peak=Load(records_s=501)).splits == (loads[1][0],)


def test_a_high_peak_splits_the_busiest_shards_until_there_are_enough():
    loads = shards(4, {3: Load(bytes_s=400 * KB), 1: Load(bytes_s=300 * KB)})
    assert [one.number for one in decide(loads, peak=Load(bytes_s=3 * MIB)).splits] == [3, 1]


def test_a_stream_at_most_doubles_in_one_decision():
    assert len(decide(shards(4), peak=Load(bytes_s=50 * MIB)).splits) == 4


def test_a_stream_does_not_grow_beyond_the_most_it_may_have():
    hot = {number: Load(bytes_s=900 * KB) for number in range(6)}
    loads = shards(6, hot)
    assert len(decide(loads, peak=Load(bytes_s=5 * MIB), most_shards=8).splits) == 2
    assert not decide(loads, peak=Load(bytes_s=5 * MIB), most_shards=6)


def test_a_stream_that_has_more_shards_than_it_may_grow_to_keeps_what_it_needs():
    assert not decide(shards(12), peak=Load(bytes_s=6 * MIB), most_shards=8)
    assert len(decide(shards(12), peak=IDLE, warm_mib=14, most_shards=8).splits) == 2


def test_cold_neighbours_are_merged_once_the_peak_is_out_of_the_30_days():
    loads = shards(8, {0: Load(bytes_s=100 * KB)})
    merges = decide(loads, peak=IDLE).merges
    assert len(merges) == 3
    numbers = [one.number for pair in merges for one in pair]
    assert numbers == [1, 2, 3, 4, 5, 6]


def test_two_shards_that_would_be_hot_as_one_stay_two():
    loads = shards(8, {number: Load(bytes_s=200 * KB) for number in range(8)})
    assert not decide(loads, peak=Load(bytes_s=1.6 * MIB))


def test_a_stream_at_the_edge_is_not_split_and_merged_in_turn():
    assert not decide(shards(5), peak=IDLE)
    assert decide(shards(6), peak=IDLE).merges


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 2e6), min_size=4, max_size=30), st.floats(0, 4e7))
def test_what_was_decided_holds_until_something_else_is_measured(rates, peak):
    """Carried out with the load split in halves, decisions come to an end."""
    loads = shards(len(rates), {n: Load(bytes_s=rate) for n, rate in enumerate(rates)})
    number = len(rates)
    for _ in range(40):
        scaling = decide(loads, peak=Load(bytes_s=peak))
        if not scaling:
            break
        there = dict(loads)
        for one in scaling.splits:
            half = Load(bytes_s=there.pop(one).bytes_s / 2)
            at = middle(one.first, one.last)
            there[Open(number, one.first, at - 1)] = half
            there[Open(number + 1, at, one.last)] = half
            number += 2
        for one, other in scaling.merges:
            there[Open(number, one.first, other.last)] = there.pop(one) + there.pop(other)
            number += 1
        loads = list(there.items())
    else:
        pytest.fail("it never ends")
    assert len(loads) >= 4
    assert not any(load.is_hot for _, load in loads)
    assert len(loads) >= needed(Load(bytes_s=peak))


WHOLE = Open(0, 0, LAST_HASH_KEY)


def test_a_shard_is_split_where_half_of_its_load_lies_on_each_side():
    keys = [(1_000 + n, 100) for n in range(30)] + [(LAST_HASH_KEY - n, 100) for n in range(10)]
    assert place_of_heat(WHOLE, keys) == 1_020


def test_heavy_records_count_for_more():
    keys = [(n, 10_000) for n in range(1, 11)] + [(1_000 + n, 10) for n in range(30)]
    assert place_of_heat(WHOLE, keys) in (5, 6)


def test_of_too_few_keys_or_of_keys_from_elsewhere_nothing_follows():
    half = middle(0, LAST_HASH_KEY)
    assert place_of_heat(WHOLE, [(5, 100)] * 10) == half
    upper = Open(1, half, LAST_HASH_KEY)
    assert place_of_heat(upper, [(5, 100)] * 30 + [(half + 7, 100)] * 20) == middle(
        half, LAST_HASH_KEY
    )


def test_heat_that_one_key_makes_is_not_split():
    keys = [(5_000, 100)] * 97 + [(1, 100), (2, 100), (LAST_HASH_KEY, 100)]
    assert place_of_heat(WHOLE, keys) is None
    assert changes(Scaling(splits=(WHOLE,)), [None]) == []


def test_a_key_with_half_of_the_load_gets_a_shard_nearly_of_its_own():
    keys = (
        [(n, 100) for n in range(1, 26)] + [(5_000, 100)] * 50 + [(9_000 + n, 1) for n in range(9)]
    )
    assert place_of_heat(WHOLE, keys) == 5_000
