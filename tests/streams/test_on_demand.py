"""Streams on demand get the shards that their load needs, where it needs them."""

from __future__ import annotations

import pytest

from rmq.core.keys import ShardKeys, StreamKeys
from rmq.streams import sweeping
from rmq.streams.record import Record
from rmq.streams.shard import hash_key
from tests.colours import ByHand, bare, in_thread, until
from tests.streams.whole import check, everything

MB = 1_000_000
DAY = 24 * 3600


@pytest.fixture
async def clicks(client):
    return await client.create_stream("clicks", mode="ON_DEMAND")


def keys_in(first: int, last: int, count: int) -> list[str]:
    """Partition keys whose hash keys lie in a range."""
    found: list[str] = []
    number = 0
    while len(found) < count:
        if first <= int.from_bytes(hash_key(f"key {number}".encode()), "big") <= last:
            found.append(f"key {number}")
        number += 1
    return found


async def load(stream, keys, megabytes: int) -> None:
    """Put so much in one minute, evenly over the keys."""
    data = b"x" * (megabytes * MB // len(keys))
    (await stream.put_many([Record(data, key) for key in keys])).raise_for_failures()


async def numbers(stream) -> list[int]:
    return [one.number for one in (await stream.info()).shards.open]


async def test_a_shard_is_split_where_its_heat_is(clicks, clock):
    hot = (await clicks.info()).shards[2]
    start = hot.starting_hash_key
    # All keys are in the lowest sixteenth of the shard.
    width = (hot.ending_hash_key - start) // 16
    keys = keys_in(start, start + width, 40)
    await load(clicks, keys, 32)
    clock.move(60)
    assert (await clicks.sweep()).changes == 1
    info = await check(clicks)
    assert [one.number for one in info.shards.open] == [0, 1, 3, 4, 5]
    lower, upper = info.shards[4], info.shards[5]
    assert lower.parents == upper.parents == (2,)
    assert start < upper.starting_hash_key < start + width
    sides = [
        int.from_bytes(hash_key(key.encode()), "big") < upper.starting_hash_key for key in keys
    ]
    assert 18 <= sum(sides) <= 22
    assert len(await everything(clicks)) == 40


async def test_a_load_that_shards_can_take_splits_nothing(clicks, clock):
    await load(clicks, keys_in(0, 1 << 126, 30), 29)
    clock.move(60)
    assert (await clicks.sweep()).changes == 0


async def test_heat_that_one_key_makes_is_not_split(clicks, clock):
    await load(clicks, ["one key"] * 40, 40)
    clock.move(60)
    assert (await clicks.sweep()).changes == 0
    assert await numbers(clicks) == [0, 1, 2, 3]


async def test_a_provisioned_stream_keeps_its_shards(wide, clock):
    await load(wide, keys_in(0, 1 << 126, 40), 40)
    clock.move(60)
    assert (await wide.sweep()).changes == 0


async def test_a_stream_stays_ready_for_a_load_that_it_had_for_30_days(
    clicks, clock, raw, namespace
):
    today = clock.now_ms() // 1000 // DAY
    peaks = StreamKeys(namespace, "clicks").peaks
    await in_thread(raw.hset, peaks, str(today), f"{3 << 20} 12")  # 3 MiB/s
    await clicks.sweep()
    assert len(await numbers(clicks)) == 6
    clock.move(29 * DAY)
    await clicks.sweep()
    assert len(await numbers(clicks)) == 6
    clock.move(DAY)
    while (await clicks.sweep()).changes:
        await check(clicks)
    assert len(await numbers(clicks)) == 4


async def test_a_stream_that_becomes_one_on_demand_keeps_its_shards_for_30_days(client, clock):
    stream = await client.create_stream("orders", 10)
    await stream.set_attributes(mode="ON_DEMAND")
    for _ in range(2):
        assert (await stream.sweep()).changes == 0
        clock.move(29 * DAY)
    while (await stream.sweep()).changes:
        await check(stream)
    assert len(await numbers(stream)) == 5


async def test_who_puts_lets_the_stream_scale(clicks, clock):
    await load(clicks, keys_in(0, 1 << 126, 40), 40)
    clock.move(60)
    await clicks.put("one more", "key")

    async def is_split():
        return len(await numbers(clicks)) == 5

    await until(is_split)


async def test_a_short_sweep_in_between_does_not_hide_a_load(clicks, clock):
    keys = keys_in(0, 1 << 126, 40)
    for _ in range(4):
        await load(clicks, keys, 10)
        await clicks.sweep()
        clock.move(15)
    assert (await clicks.sweep()).changes == 1


async def test_of_two_who_decide_the_later_claim_counts(clicks, connect, clock):
    """The first falls asleep between its decision and the change."""
    await load(clicks, keys_in(0, 1 << 126, 40), 40)
    clock.move(60)
    client = connect()
    slow = ByHand(client, sweeping.sweep(bare(client)._streams, "clicks"))
    assert await slow.through("streams.recent")
    assert (await clicks.sweep()).changes == 1
    assert await numbers(clicks) == [1, 2, 3, 4, 5]
    assert (await slow.finish()).changes == 0
    assert await numbers(clicks) == [1, 2, 3, 4, 5]


async def test_a_decision_is_not_carried_out_under_a_claim_that_is_over(clicks, connect, clock):
    await load(clicks, keys_in(0, 1 << 126, 40), 40)
    clock.move(60)
    client = connect()
    slow = ByHand(client, sweeping.sweep(bare(client)._streams, "clicks"))
    assert await slow.through("streams.recent")
    other = connect()
    claim = ByHand(other, sweeping.sweep(bare(other)._streams, "clicks"))
    assert await claim.through("streams.sweep_claim")
    assert (await slow.finish()).changes == 0
    assert await numbers(clicks) == [0, 1, 2, 3]
    assert (await claim.finish()).changes == 1


async def test_what_is_remembered_of_a_load_is_a_line_for_each_day(clicks, clock, raw, namespace):
    for _ in range(35):
        await clicks.put(b"x" * 100_000, "key")
        clock.move(DAY)
        await clicks.sweep()
    peaks = await in_thread(raw.hgetall, StreamKeys(namespace, "clicks").peaks)
    assert len(peaks) == 30
    assert all(len(one) < 20 for one in peaks.values())


async def test_a_load_is_what_came_in_the_busiest_minute_of_a_shard(clicks, clock, raw, namespace):
    """Nobody looked for a day; what counts is how long it took to come, not how long ago it was."""
    keys = keys_in(0, (1 << 126) - 1, 40)
    clock.move(60)
    await clicks.sweep()
    await load(clicks, keys, 33)
    clock.move(DAY)
    await clicks.sweep()
    state = ShardKeys(namespace, "clicks", 0).state
    at, _, _, records_s, bytes_s = (await in_thread(raw.hget, state, "load")).split()
    assert int(at) == clock.now_ms() * 1000
    assert 540_000 < int(bytes_s) < 560_000
    assert records_s == b"1"
