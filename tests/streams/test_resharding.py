"""Shards are split and merged while records come and go: no key loses its order."""

from __future__ import annotations

import pytest

from rmq import Limits
from rmq.errors import (
    InvalidChange,
    InvalidParameter,
    LimitExceeded,
    NotProvisioned,
    ShardDoesNotExist,
)
from rmq.streams import resharding
from rmq.streams.record import Record
from rmq.streams.sequence import shard_id
from rmq.streams.shard import LAST_HASH_KEY, even_ranges

HALF = 1 << 127


def ranges(info) -> list[tuple[int, int]]:
    found = [(one.starting_hash_key, one.ending_hash_key) for one in info.shards.open]
    return sorted(found)


async def data_of(stream, shard) -> list[bytes]:
    found, position = [], 0
    while position is not None:
        batch = await stream.read(shard, position)
        found += [one.data for one in batch]
        if not batch.records and batch.next_position == position:
            break
        position = batch.next_position
    return found


async def test_a_shard_is_split_at_its_middle(stream):
    lower, upper = await stream.split(shard_id(0))
    assert (lower.number, lower.starting_hash_key, lower.ending_hash_key) == (1, 0, HALF - 1)
    assert (upper.number, upper.starting_hash_key, upper.ending_hash_key) == (
        2,
        HALF,
        LAST_HASH_KEY,
    )
    info = await stream.info()
    parent = info.shards[0]
    assert info.status == "ACTIVE"
    assert info.open_shard_count == 2
    assert not parent.is_open
    for child in (lower, upper):
        assert child.parent_id == parent.id
        assert child.adjacent_parent_id is None
        assert child.starting_sequence_number > parent.ending_sequence_number


async def test_a_shard_is_split_at_a_hash_key(stream):
    lower, upper = await stream.split(shard_id(0), 1_000)
    assert (lower.ending_hash_key, upper.starting_hash_key) == (999, 1_000)


async def test_two_shards_become_one(wide):
    merged = await wide.merge(shard_id(2), shard_id(1))
    assert merged.number == 4
    assert merged.parent_id == shard_id(2)
    assert merged.adjacent_parent_id == shard_id(1)
    quarters = even_ranges(4)
    assert (merged.starting_hash_key, merged.ending_hash_key) == (quarters[1][0], quarters[2][1])
    assert (await wide.info()).open_shard_count == 3


async def test_records_stay_with_the_parent_and_new_ones_go_to_the_children(stream):
    before = [await stream.put(f"a{n}", f"key {n}") for n in range(10)]
    lower, upper = await stream.split(shard_id(0))
    after = [await stream.put(f"b{n}", f"key {n}") for n in range(10)]
    assert {one.shard for one in before} == {0}
    assert {one.shard for one in after} == {1, 2}
    assert max(one.sequence_number for one in before) < min(one.sequence_number for one in after)
    assert len(await data_of(stream, shard_id(0))) == 10
    found = await data_of(stream, lower.id) + await data_of(stream, upper.id)
    assert sorted(found) == [f"b{n}".encode() for n in range(10)]


async def test_the_end_of_a_parent_names_its_children(stream):
    await stream.put("a", "key")
    await stream.split(shard_id(0))
    batch = await stream.read(shard_id(0))
    assert batch.next_position is None
    assert [one.shard_id for one in batch.child_shards] == [shard_id(1), shard_id(2)]
    assert {one.parent_shards for one in batch.child_shards} == {(shard_id(0),)}


async def test_a_client_with_an_old_map_finds_the_children_by_itself(stream, connect):
    other = connect().stream("positions")
    await other.put("a", "key")
    await stream.split(shard_id(0))
    results = await other.put_many([Record(f"b{n}", f"key {n}") for n in range(50)])
    assert {one.shard for one in results.raise_for_failures()} == {1, 2}


async def test_a_key_keeps_its_order_across_many_reshardings(stream):
    """Whoever reads parents before children gets each key's records as they were put."""
    for turn in range(4):
        await stream.put_many([Record(f"{turn} {n}", f"key {n % 7}") for n in range(70)])
        open_shards = (await stream.info()).shards.open
        await stream.split(open_shards[turn % len(open_shards)].id)
        await stream.put_many([Record(f"{turn}+{n}", f"key {n % 7}") for n in range(70)])
        ordered = sorted((await stream.info()).shards.open, key=lambda one: one.starting_hash_key)
        if turn % 2:
            await stream.merge(ordered[0].id, ordered[1].id)
    info = await stream.info()
    by_key: dict[str, list[str]] = {}
    for number in info.shards:  # a child's number is above its parents'
        batch = await stream.read(shard_id(number))
        for one in batch:
            by_key.setdefault(one.partition_key, []).append(one.data.decode())
        assert [one.sequence_number for one in batch] == sorted(
            one.sequence_number for one in batch
        )
    expected: dict[str, list[str]] = {}
    for turn in range(4):
        for sign in " +":
            for n in range(70):
                expected.setdefault(f"key {n % 7}", []).append(f"{turn}{sign}{n}")
    assert by_key == expected


@pytest.mark.parametrize("at", [0, 1, LAST_HASH_KEY, LAST_HASH_KEY + 1])
async def test_a_shard_is_not_split_at_its_very_ends(stream, at):
    with pytest.raises(InvalidChange) as caught:
        await stream.split(shard_id(0), at)
    assert caught.value.field == "at"
    assert caught.value.aws_message == (
        f"NewStartingHashKey {at} used in SplitShard() on shard shardId-000000000000 in stream "
        "positions under account 000000000000 is not both greater than one plus the shard's "
        f"StartingHashKey 0 and less than the shard's EndingHashKey {LAST_HASH_KEY}."
    )
    assert (await stream.info()).open_shard_count == 1


async def test_only_open_shards_that_there_are_can_be_resharded(wide):
    await wide.split(shard_id(0))
    with pytest.raises(ShardDoesNotExist):
        await wide.split(shard_id(17))
    with pytest.raises(InvalidParameter, match="open shard"):
        await wide.split(shard_id(0))
    with pytest.raises(InvalidParameter, match="open shard"):
        await wide.merge(shard_id(1), shard_id(0))
    with pytest.raises(InvalidParameter, match="shardId-"):
        await wide.split("shard 1")
    with pytest.raises(InvalidChange) as caught:
        await wide.merge(shard_id(1), shard_id(3))
    assert caught.value.aws_message == (
        "Shards shardId-000000000001 and shardId-000000000003 in stream orders under account "
        "000000000000 are not an adjacent pair of shards eligible for merging"
    )


async def test_a_stream_on_demand_is_not_resharded_by_hand(client):
    stream = await client.create_stream("clicks", mode="ON_DEMAND")
    with pytest.raises(NotProvisioned):
        await stream.split(shard_id(0))
    with pytest.raises(NotProvisioned):
        await stream.merge(shard_id(0), shard_id(1))
    with pytest.raises(NotProvisioned):
        await stream.update_shard_count(8)


# --- update_shard_count ---


@pytest.mark.parametrize("count", [2, 3, 5, 8])
async def test_a_stream_gets_as_many_uniform_shards_as_it_is_told(wide, count):
    await wide.put_many([Record(f"{n}", f"key {n}") for n in range(40)])
    info = await wide.update_shard_count(count)
    assert ranges(info) == even_ranges(count)
    assert info.status == "ACTIVE"
    results = await wide.put_many([Record(f"{n}", f"key {n}") for n in range(40)])
    assert {one.shard for one in results.raise_for_failures()} <= {
        one.number for one in info.shards.open
    }


async def test_three_shards_become_the_six_of_a_new_stream_and_three_again(client):
    """Twice a third of 2^128 is not two sixths of it, when both are rounded down."""
    stream = await client.create_stream("thirds", 3)
    assert ranges(await stream.update_shard_count(6)) == even_ranges(6)
    assert ranges(await stream.update_shard_count(3)) == even_ranges(3)


def test_a_large_stream_is_resharded_in_larger_waves_but_not_all_at_once():
    sizes = {count: resharding.wave_size(count) for count in (1, 512, 1000, 10_000)}
    assert sizes == {1: 64, 512: 64, 1000: 125, 10_000: 256}


async def test_a_shard_count_changes_by_twice_or_half_at_most(wide):
    with pytest.raises(InvalidChange) as caught:
        await wide.update_shard_count(9)
    assert caught.value.aws_message == (
        "UpdateShardCount cannot scale up over double your current open shard count. "
        "Current open shard count: 4 Target shard count: 9"
    )
    with pytest.raises(InvalidChange) as caught:
        await wide.update_shard_count(1)
    assert caught.value.aws_message == (
        "UpdateShardCount cannot scale down below half your current open shard count. "
        "Current open shard count: 4 Target shard count: 1"
    )


async def test_a_shard_count_is_updated_ten_times_a_day(stream, clock):
    for count in (2, 1) * 5:
        await stream.update_shard_count(count)
    with pytest.raises(LimitExceeded):
        await stream.update_shard_count(2)
    clock.move(24 * 3600)
    await stream.update_shard_count(2)


async def test_a_stream_has_so_many_shards_at_most(connect):
    stream = await connect(limits=Limits(max_shards=2)).create_stream("small", 2)
    with pytest.raises(LimitExceeded, match="2 open shards"):
        await stream.split(shard_id(0))
    with pytest.raises(InvalidParameter, match="shard_count"):
        await stream.update_shard_count(3)


async def test_without_limits_a_shard_count_may_become_anything(connect):
    stream = await connect(limits=Limits.none()).create_stream("wild")
    for count in (3, 1) * 6:
        info = await stream.update_shard_count(count)
    assert ranges(info) == even_ranges(1)


async def test_an_account_has_so_many_shards_at_most(connect):
    client = connect(limits=Limits(max_account_shards=5))
    stream = await client.create_stream("one", 4)
    await stream.split(shard_id(0))
    with pytest.raises(LimitExceeded):
        await stream.split(shard_id(1))
    with pytest.raises(LimitExceeded):
        await client.create_stream("two")
    await stream.merge(shard_id(4), shard_id(5))
    await client.create_stream("two")
    found = await client.stream_limits()
    assert (found.open_shard_count, found.shard_limit) == (5, 5)
