"""Who splits, merges or counts shards may die after any step: others end it, and lose nothing."""

from __future__ import annotations

import pytest

from rmq.errors import ShardDoesNotExist, StreamDoesNotExist
from rmq.streams import reshard, resharding
from rmq.streams.record import Record
from rmq.streams.registry import look
from rmq.streams.sequence import shard_id
from rmq.streams.shard import even_ranges
from tests.colours import ByHand, bare, in_thread
from tests.streams.whole import check, everything, texts_by_key

KEYS = [f"key {n}" for n in range(12)]


def registry_of(client):
    return bare(client)._streams


def splitter(client) -> ByHand:
    plan = resharding.split_shard(registry_of(client), "orders", shard_id(1), None)
    return ByHand(client, plan)


def merger(client) -> ByHand:
    plan = resharding.merge_shards(registry_of(client), "orders", shard_id(2), shard_id(1))
    return ByHand(client, plan)


def counter(client) -> ByHand:
    return ByHand(client, resharding.update_shard_count(registry_of(client), "orders", 6))


async def put(stream, text: str) -> None:
    results = await stream.put_many([Record(text, key) for key in KEYS])
    results.raise_for_failures()


STEPS = {
    "streams.reshard_begin": "it is written down",
    "closed": "the parents take no more",
    "opened": "the children take records",
    "streams.reshard_commit": "the map says so",
}


async def go_to(hand: ByHand, step: str) -> None:
    """Carry out a reshard up to a step of it."""
    assert await hand.through("streams.reshard_begin")
    if step == "streams.reshard_begin":
        return
    for name in ("Several", "Several", "streams.reshard_commit"):
        assert await hand.through(name)
        if (step, name) == ("closed", "Several"):
            return
        if (step, name) == ("opened", "Several"):
            step = "opened now"
        elif (step, name) == ("opened now", "Several"):
            return


@pytest.mark.parametrize("make", [splitter, merger])
@pytest.mark.parametrize("step", STEPS)
async def test_puts_and_reads_go_on_when_a_resharder_dies(wide, connect, make, step):
    """Also when it comes back as if nothing had happened."""
    other = connect().stream("orders")
    await put(other, "before")
    hand = make(connect())
    await go_to(hand, step)

    await put(other, "after")
    await put(wide, "last")

    expected = {key: ["before", "after", "last"] for key in KEYS}
    assert texts_by_key(await everything(other)) == expected
    info = await check(other)
    assert len(info.shards) == (6 if make is splitter else 5)
    await hand.finish()
    await put(wide, "later")
    assert texts_by_key(await everything(wide)) == {key: [*expected[key], "later"] for key in KEYS}
    assert (await check(wide)).shards.keys() == info.shards.keys()


@pytest.mark.parametrize("step", STEPS)
async def test_who_reads_to_the_end_of_a_shard_finds_its_children(wide, connect, step):
    """A reader ends what a dead resharder began: it would otherwise never hear of the children."""
    other = connect().stream("orders")
    await put(other, "before")
    await go_to(splitter(connect()), step)
    batch = await other.read(shard_id(1))
    if batch.next_position is not None:
        assert step == "streams.reshard_begin"  # it is still open: nothing is to be found yet
        return
    assert [one.shard_id for one in batch.child_shards] == [shard_id(4), shard_id(5)]


@pytest.mark.parametrize("step", STEPS)
async def test_a_resharder_that_comes_back_late_changes_nothing(wide, connect, clock, step):
    """Its children have children of their own, and have even expired."""
    hand = splitter(connect())
    await go_to(hand, step)
    await wide.split(shard_id(4))
    await put(wide, "now")
    clock.move(25 * 3600)
    await wide.sweep()
    before = await check(wide)
    assert 4 not in before.shards

    with pytest.raises(ShardDoesNotExist):
        await hand.finish()

    await put(wide, "then")
    after = await check(wide)
    assert after.shards.keys() == before.shards.keys()
    assert texts_by_key(await everything(wide)) == {key: ["then"] for key in KEYS}


@pytest.mark.parametrize("step", STEPS)
async def test_a_resharder_does_not_bring_a_deleted_stream_back(
    client, wide, connect, raw, namespace, step
):
    hand = splitter(connect())
    await go_to(hand, step)
    assert await client.delete_stream("orders")
    with pytest.raises(StreamDoesNotExist):
        await hand.finish()
    # What tells readers of the end goes by itself.
    found = await in_thread(lambda: list(raw.scan_iter(match=f"{namespace}:*")))
    assert min([await in_thread(raw.ttl, key) for key in found], default=0) >= 0


async def test_a_stream_made_anew_is_not_touched_by_a_resharder_of_the_old_one(
    client, wide, connect
):
    hand = splitter(connect())
    await go_to(hand, "closed")
    await client.delete_stream("orders")
    await client.create_stream("orders", 6)
    await put(wide, "new")
    with pytest.raises(StreamDoesNotExist):
        await hand.finish()
    await put(wide, "newer")
    assert (await check(wide)).shards.keys() == set(range(6))
    assert texts_by_key(await everything(wide)) == {key: ["new", "newer"] for key in KEYS}


def by_range(info):
    return sorted(info.shards.open, key=lambda one: one.starting_hash_key)


async def by_a_sweep(stream):
    await stream.sweep()


async def by_a_split(stream):
    """It is refused, but what is under way is carried out first."""
    with pytest.raises(ShardDoesNotExist):
        await stream.split(shard_id(99))


@pytest.mark.parametrize("go_on", [by_a_sweep, by_a_split])
async def test_others_go_on_with_an_update_of_the_shard_count(wide, connect, go_on):
    """Four shards on the way to six: in several waves."""
    hand = counter(connect())
    assert await hand.through("streams.scale_begin")
    assert (await wide.info()).status == "UPDATING"
    assert (await wide.info()).target_shard_count == 6
    await put(wide, "meanwhile")
    assert await hand.through("streams.reshard_commit")
    await put(wide, "later")

    other = connect().stream("orders")
    await go_on(other)

    info = await check(other)
    assert info.open_shard_count == 6
    for one, (first, _) in zip(by_range(info), even_ranges(6), strict=True):
        assert abs(one.starting_hash_key - first) <= 6
    await hand.finish()
    assert (await check(wide)).version == info.version
    assert texts_by_key(await everything(wide)) == {key: ["meanwhile", "later"] for key in KEYS}


async def test_a_begun_reshard_is_kept_as_it_was_decided(wide, client, connect):
    hand = splitter(connect())
    await go_to(hand, "streams.reshard_begin")
    info = await ByHand(client, look(registry_of(client), "orders")).finish()
    found = reshard.unpack(info.reshard)
    assert found.parents == [1]
    assert [number for number, *_ in found.children] == [4, 5]
    assert info.status == "UPDATING"
