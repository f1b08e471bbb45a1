"""Lists of shards: filters, pages, and tokens that say where to go on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rmq.errors import ExpiredToken, InvalidParameter, StreamDoesNotExist
from rmq.streams import page_token
from rmq.streams.sequence import shard_id
from rmq.streams.shard_filter import ShardFilter

HOUR = 3600


@pytest.fixture
async def aged(stream, clock):
    """Shard 0, an hour later its children 1 and 2, and after another one their child 3."""
    clock.move(HOUR)
    await stream.split(shard_id(0))
    clock.move(HOUR)
    await stream.merge(shard_id(1), shard_id(2))
    clock.move(HOUR)
    return stream


async def numbers(stream, given=None, **options):
    return [one.number for one in await stream.shards(given, **options)]


async def test_a_list_has_every_shard_that_is_kept(aged):
    assert await numbers(aged) == [0, 1, 2, 3]
    assert await numbers(aged, after=shard_id(1)) == [2, 3]


async def test_a_filter_chooses(aged, clock):
    now = clock.now()
    assert await numbers(aged, ShardFilter(type="AT_LATEST")) == [3]
    assert await numbers(aged, ShardFilter(type="AT_TRIM_HORIZON")) == [0]
    at = now - timedelta(hours=1.5)
    assert await numbers(aged, ShardFilter(type="AT_TIMESTAMP", timestamp=at)) == [1, 2]
    assert await numbers(aged, ShardFilter(type="FROM_TIMESTAMP", timestamp=at)) == [1, 2, 3]
    after = ShardFilter(type="AFTER_SHARD_ID", shard_id=shard_id(1))
    assert await numbers(aged, after) == [2, 3]
    clock.move(22.5 * HOUR)
    assert await numbers(aged, ShardFilter(type="AT_TRIM_HORIZON")) == [1, 2]
    assert await numbers(aged) == [1, 2, 3]
    with pytest.raises(InvalidParameter, match="filter"):
        await aged.shards("AT_LATEST")


async def test_a_list_comes_in_pages_that_keep_their_filter(client, clock):
    stream = await client.create_stream("orders", 7)
    await stream.split(shard_id(0))
    latest = ShardFilter(type="AT_LATEST")
    page = await stream.shards(latest, limit=3)
    assert [one.number for one in page] == [1, 2, 3]
    assert page_token.stream_of(page.next_token) == "orders"
    page = await stream.shards(limit=3, token=page.next_token)
    assert [one.number for one in page] == [4, 5, 6]
    page = await stream.shards(limit=3, token=page.next_token)
    assert [one.number for one in page] == [7, 8]
    assert page.next_token is None


async def test_a_token_is_good_for_300_seconds(wide, clock):
    token = (await wide.shards(limit=2)).next_token
    clock.move(300)
    assert await numbers(wide, token=token) == [2, 3]
    clock.move(1)
    with pytest.raises(ExpiredToken):
        await wide.shards(token=token)


async def test_a_token_stands_alone_and_for_its_own_stream(client, wide, stream):
    token = (await wide.shards(limit=2)).next_token
    with pytest.raises(InvalidParameter, match="filter"):
        await wide.shards(ShardFilter(), token=token)
    with pytest.raises(InvalidParameter, match="after"):
        await wide.shards(after=shard_id(1), token=token)
    for wrong in ("", "x", "no token", "ä", 5):
        with pytest.raises(InvalidParameter, match="token"):
            await wide.shards(token=wrong)
    with pytest.raises(InvalidParameter, match="token"):
        await stream.shards(token=token)
    await wide.delete_stream()
    with pytest.raises(StreamDoesNotExist):
        await wide.shards(token=token)
    await client.create_stream("orders", 4)
    with pytest.raises(InvalidParameter, match="token"):
        await wide.shards(token=token)
