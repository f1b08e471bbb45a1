"""Streams themselves: made, described, listed, removed; also when somebody dies over it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from rmq import Limits, Record, StreamAttributes
from rmq.core.keys import StreamKeys
from rmq.errors import InvalidParameter, StreamDoesNotExist, StreamExists, StreamInUse
from rmq.streams import lifecycle
from rmq.streams.sequence import shard_id
from rmq.streams.shard import LAST_HASH_KEY, even_ranges
from tests.colours import ByHand, bare, in_thread
from tests.streams.reading import SHARD, everything, texts


async def test_a_new_stream_has_the_shards_it_was_told(client, clock):
    stream = await client.create_stream("orders", 3)
    info = await stream.info()
    assert info.name == "orders"
    assert info.status == "ACTIVE"
    assert info.arn == stream.arn == "arn:aws:kinesis:us-east-1:000000000000:stream/orders"
    assert abs(info.created_at - clock.now()) < timedelta(seconds=1)
    assert info.attributes == StreamAttributes()
    assert info.open_shard_count == 3
    ranges = [(one.starting_hash_key, one.ending_hash_key) for one in info.shards.values()]
    assert ranges == even_ranges(3)
    assert ranges[-1][1] == LAST_HASH_KEY
    shards = list(await stream.shards())
    assert [one.id for one in shards] == [shard_id(n) for n in range(3)]
    assert all(one.is_open and one.parent_id is None for one in shards)


async def test_a_stream_has_one_shard_unless_told_and_four_on_demand(client):
    assert (await (await client.create_stream("a")).info()).open_shard_count == 1
    stream = await client.create_stream("b", mode="ON_DEMAND")
    assert (await stream.info()).open_shard_count == 4


async def test_attributes_and_tags_are_kept(client):
    stream = await client.create_stream(
        "orders", retention_hours=48, max_record_size=2_097_152, tags={"team": "trucks"}
    )
    attributes = (await stream.info()).attributes
    assert (attributes.retention_hours, attributes.max_record_size) == (48, 2_097_152)
    assert await stream.tags() == {"team": "trucks"}


async def test_a_name_has_1_to_128_proper_characters(client):
    for name in ("", "x" * 129, "a b", "a/b", "ü", "a:b", "a{b"):
        with pytest.raises(InvalidParameter, match="stream name"):
            await client.create_stream(name)


async def test_every_proper_character_makes_a_name(client):
    for name in ("a", "A.b_c-9", "x" * 128, ".", "-"):
        stream = await client.create_stream(name)
        await stream.put("0", "a")
        assert await texts(stream) == ["0"]


async def test_what_can_not_be_is_refused_and_nothing_is_made(client, backend):
    backend.beyond_aws("retention and size by other calls")
    for count, attributes in (
        (0, {}),
        (10_001, {}),
        (-1, {}),
        (None, {"retention_hours": 23}),
        (None, {"retention_hours": 8761}),
        (None, {"max_record_size": 1_048_575}),
        (None, {"max_record_size": 10_485_761}),
        (None, {"mode": "SOMETIMES"}),
        (2, {"mode": "ON_DEMAND"}),
    ):
        with pytest.raises(InvalidParameter):
            await client.create_stream("orders", count, **attributes)
    with pytest.raises(StreamDoesNotExist):
        await client.get_stream("orders")
    assert list(await client.list_streams()) == []


async def test_an_attribute_that_is_none_is_refused(client, backend):
    backend.beyond_aws("other attributes")
    with pytest.raises(InvalidParameter, match="colour"):
        await client.create_stream("orders", colour="red")


async def test_without_limits_a_record_is_kept_for_an_hour(connect, backend, clock):
    backend.beyond_aws("limits")
    stream = await connect(limits=Limits.none()).create_stream("orders", retention_hours=1)
    clock.move(1)
    await stream.put("0", "a")
    clock.move(3600)
    assert len(await everything(stream)) == 1
    clock.move(1)
    assert await everything(stream) == []


async def test_a_stream_is_made_once(client, stream):
    await stream.put("0", "a")
    with pytest.raises(StreamExists, match=stream.name):
        await client.create_stream(stream.name)
    assert await texts(stream) == ["0"]


async def test_of_many_who_make_a_stream_at_once_one_does(connect):
    clients = [connect() for _ in range(4)]
    results = await asyncio.gather(
        *(one.create_stream("orders", n + 1) for n, one in enumerate(clients)),
        return_exceptions=True,
    )
    made = [n for n, one in enumerate(results) if not isinstance(one, Exception)]
    assert len(made) == 1
    assert all(isinstance(one, StreamExists) for n, one in enumerate(results) if n not in made)
    assert (await clients[0].stream("orders").info()).open_shard_count == made[0] + 1


async def test_a_stream_that_is_there_is_got(client, stream):
    assert (await client.get_stream(stream.name)).name == stream.name
    with pytest.raises(StreamDoesNotExist, match="nowhere"):
        await client.get_stream("nowhere")


async def test_streams_are_listed_by_name_in_pages(client):
    names = [f"s{n:02}" for n in range(7)]
    for name in reversed(names):
        await client.create_stream(name)
    first = await client.list_streams(limit=3)
    rest = await client.list_streams(limit=10, token=first.next_token)
    assert [list(first), list(rest)] == [names[:3], names[3:]]
    assert rest.next_token is None
    assert [one.name async for one in client.all_streams()] == names


async def test_streams_are_listed_by_their_beginning(client, backend):
    backend.beyond_aws("a beginning")
    for name in ("a1", "b1", "b2", "c1"):
        await client.create_stream(name)
    assert list(await client.list_streams("b")) == ["b1", "b2"]


async def test_a_stream_is_removed_with_all_it_has(client, wide, raw, namespace, backend):
    await wide.put_many([Record(str(n), f"key-{n}") for n in range(50)])
    assert await client.delete_stream(wide.name)
    assert list(await client.list_streams()) == []
    with pytest.raises(StreamDoesNotExist):
        await wide.put("0", "a")
    assert not await client.delete_stream(wide.name)
    keys = await in_thread(lambda: list(raw.scan_iter(match=f"{namespace}:{{s:*")))
    assert all([await in_thread(raw.ttl, key) > 0 for key in keys])
    again = await client.create_stream(wide.name)
    assert await everything(again) == []
    assert await again.tags() == {}


async def test_a_stream_with_registered_consumers_is_not_removed_by_mistake(client, stream):
    await stream.register_consumer("dashboard")
    with pytest.raises(StreamInUse):
        await client.delete_stream(stream.name)
    await stream.put("0", "a")
    assert await client.delete_stream(stream.name, enforce_consumer_deletion=True)


async def test_a_wiped_namespace_has_no_streams(client, wide, backend):
    backend.beyond_aws("wiping")
    await wide.put("0", "a")
    await client.wipe()
    with pytest.raises(StreamDoesNotExist):
        await wide.put("0", "a")
    await client.create_stream(wide.name)
    await wide.put("0", "a")
    assert await texts(wide) == ["0"]


async def test_of_each_stream_there_is_one_object(client, stream):
    one, same = client.stream(stream.name), client.stream(stream.name)
    assert bare(one) is bare(same)


# --- who dies over it ---


@pytest.mark.parametrize("step", ["streams.create", "Several", "ZADD", "streams.opened"])
async def test_what_was_begun_is_made_by_whoever_uses_it(connect, client, backend, step):
    backend.beyond_aws("a client that dies")
    dying = connect()
    hand = ByHand(dying, lifecycle.create(bare(dying)._streams, "orders", 4, {}, None))
    assert await hand.through(step)
    result = await client.stream("orders").put_many([Record(str(n), f"key-{n}") for n in range(50)])
    assert not result.failed
    assert {one.shard_id for one in result} == {shard_id(n) for n in range(4)}
    assert list(await client.list_streams()) == ["orders"]
    with pytest.raises(StreamExists):
        await client.create_stream("orders")


@pytest.mark.parametrize("step", ["streams.delete", "Several", "ZREM"])
async def test_what_was_begun_is_removed_by_whoever_meets_it(connect, client, wide, backend, step):
    backend.beyond_aws("a client that dies")
    await wide.put("0", "a")
    dying = connect()
    hand = ByHand(dying, lifecycle.delete(bare(dying)._streams, wide.name, enforce=False))
    assert await hand.through(step)
    with pytest.raises(StreamDoesNotExist):
        await wide.info()
    with pytest.raises(StreamDoesNotExist):
        await wide.put("0", "a")
    again = await client.create_stream(wide.name, 2)
    assert (await again.info()).open_shard_count == 2
    assert await everything(again) == []
    await again.put("1", "a")
    # Who comes back late removes nothing of the new one.
    await hand.finish()
    assert sorted([await texts(again, shard_id(0)), await texts(again, shard_id(1))]) == [[], ["1"]]
    assert list(await client.list_streams()) == [wide.name]


async def test_a_shard_that_is_opened_late_does_not_empty_the_stream_made_anew(
    connect, client, backend, clock
):
    backend.beyond_aws("a client that comes back late")
    late = connect()
    hand = ByHand(late, lifecycle.create(bare(late)._streams, "orders", 1, {}, None))
    await hand.through("streams.describe")  # and is about to open the shards
    await client.delete_stream("orders")
    clock.move(1)
    again = await client.create_stream("orders")
    await again.put("0", "a")
    await hand.finish()
    assert await texts(again) == ["0"]


async def test_the_state_says_what_a_stream_is(client, raw, namespace, backend):
    """A release that comes later has to know what it finds."""
    backend.beyond_aws("what is in Redis")
    await client.create_stream("orders")
    keys = StreamKeys(namespace, "orders")
    assert await in_thread(raw.hget, keys.state, "schema") == b"1"


async def test_another_namespace_has_other_streams(client, stream, backend):
    backend.beyond_aws("namespaces")
    other = client.in_namespace("elsewhere-" + bare(client).namespace)
    with pytest.raises(StreamDoesNotExist):
        await other.stream(stream.name).put("0", "a")
    made = await other.create_stream(stream.name)
    await made.put("1", "a")
    assert await everything(stream, SHARD) == []
    await other.wipe()


async def test_another_account_has_other_streams(client, stream, backend):
    backend.beyond_aws("accounts of one client")
    other = client.in_account("123456789012", "eu-west-1")
    assert other.stream("orders").arn == "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"
    with pytest.raises(StreamDoesNotExist):
        await other.stream(stream.name).put("0", "a")
