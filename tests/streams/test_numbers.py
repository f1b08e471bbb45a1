"""Sequence numbers, hash ranges and blocks, without a Redis."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmq.streams.block import ENCRYPTED, PLAIN, pack_block, packed_size, unpack_block
from rmq.streams.sequence import (
    LAST_POSITION,
    LAST_SHARD,
    is_place,
    moment,
    place_number,
    read_sequence_number,
    read_shard_id,
    sequence_number,
    shard_id,
)
from rmq.streams.shard import (
    LAST_HASH_KEY,
    Shard,
    ShardMap,
    even_ranges,
    hash_bytes,
    hash_key,
    pack_row,
    unpack_row,
)

positions = st.integers(0, LAST_POSITION)
shards = st.integers(0, LAST_SHARD)


@given(positions, shards)
def test_a_sequence_number_is_read_as_it_was_made(position, shard):
    text = sequence_number(position, shard)
    assert len(text) == 56
    assert text.startswith("49")
    assert read_sequence_number(text) == (position, shard)


@given(positions, shards, positions, shards)
def test_sequence_numbers_order_as_positions_do(one, shard, other, other_shard):
    ours, theirs = sequence_number(one, shard), sequence_number(other, other_shard)
    assert (ours < theirs) == ((one, shard) < (other, other_shard))


@given(positions, shards, shards)
def test_the_number_of_a_place_is_known_as_such_and_orders_as_others_do(position, shard, other):
    text = place_number(position, shard)
    assert is_place(text)
    assert not is_place(sequence_number(position, shard))
    assert read_sequence_number(text) == (position, shard)
    assert sequence_number(position, other) < text < sequence_number(position + 1, other)


@pytest.mark.parametrize(
    "text", ["", "0", "49", "x" * 56, "4" * 56, "49" + "9" * 54, None, 5, "٤" * 56]
)
def test_what_is_no_sequence_number_is_none(text):
    assert read_sequence_number(text) is None


@given(shards)
def test_a_shard_id_is_read_as_it_was_made(number):
    assert read_shard_id(shard_id(number)) == number


def test_a_position_is_a_moment_to_the_millisecond():
    assert moment(1_700_000_000_123_456) == datetime(2023, 11, 14, 22, 13, 20, 123_000, UTC)


@given(st.integers(1, 300), st.integers(0, LAST_HASH_KEY))
def test_even_ranges_have_every_hash_key_once(count, key):
    ranges = even_ranges(count)
    assert ranges[0][0] == 0
    assert ranges[-1][1] == LAST_HASH_KEY
    assert all(left[1] + 1 == right[0] for left, right in pairwise(ranges))
    found = ShardMap(
        Shard(n, low, high, (), 1, None, datetime.now(UTC), None)
        for n, (low, high) in enumerate(ranges)
    )
    low, high = ranges[found.taker(hash_bytes(key))]
    assert low <= key <= high


def test_amazon_s_ranges_of_three_shards():
    assert even_ranges(3) == [
        (0, 113427455640312821154458202477256070484),
        (113427455640312821154458202477256070485, 226854911280625642308916404954512140969),
        (226854911280625642308916404954512140970, 340282366920938463463374607431768211455),
    ]


@pytest.mark.parametrize(
    ("key", "number"),
    [
        ("a", 16955237001963240173058271559858726497),
        ("user-1", 285573413173782752570879317399258818820),
    ],
)
def test_a_hash_key_is_the_md5(key, number):
    assert int.from_bytes(hash_key(key.encode()), "big") == number
    assert hash_key(key.encode()) == hashlib.md5(key.encode()).digest()


@given(
    st.lists(st.tuples(st.none() | st.text(max_size=300), st.binary(max_size=70_000)), min_size=1),
    st.integers(0, 20),
)
def test_a_block_has_what_was_put_in(items, skip):
    block = pack_block([part for item in items for part in item])
    last = 10_000 + len(items)
    found = unpack_block(f"{last}-{len(items)}".encode(), PLAIN, block, 3, 10_001 + skip)
    assert [(one.partition_key, one.data) for one in found] == items[skip:]
    assert [one.position for one in found] == list(range(10_001 + skip, last + 1))
    assert all((one.shard, one.encryption_type) == (3, None) for one in found)


@given(st.text(max_size=300), st.binary(max_size=70_000))
def test_the_size_of_a_record_in_a_block_is_known_before(key, data):
    assert len(pack_block([key, data])) == 1 + packed_size(len(key.encode()), len(data))


def test_a_block_of_an_encrypted_stream_says_so():
    (one,) = unpack_block(b"5-1", ENCRYPTED, pack_block(["a", b"x"]), 0, 0)
    assert one.encryption_type == "KMS"


def test_a_row_is_read_as_it_was_made():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for one in (
        Shard(1, 0, LAST_HASH_KEY, (), 5, None, now, None),
        Shard(2, 7, 9, (1, 0), 6, 8, now, now),
    ):
        row = unpack_row(pack_row(one.row))
        assert row == one.row
