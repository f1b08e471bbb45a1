"""Following a stream: what is put is read at once."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from rmq import Record
from rmq.errors import StreamDoesNotExist
from tests.colours import until


async def collect(iterator, into):
    async with aclosing(iterator) as records:
        async for one in records:
            into.append(int(one.data))


async def test_everything_that_is_kept_is_read_and_then_what_is_put(wide):
    await wide.put_many([Record(b"%d" % n, f"key-{n}") for n in range(100)])
    found = []
    task = asyncio.create_task(collect(wide.records(start="TRIM_HORIZON"), found))
    await until(lambda: len(found) == 100)

    for n in range(100, 110):
        await wide.put(b"%d" % n, f"key-{n}")

    await until(lambda: len(found) == 110)
    assert sorted(found) == list(range(110))
    task.cancel()


async def test_who_waits_hears_that_the_stream_is_deleted(client, wide):
    found = []
    task = asyncio.create_task(collect(wide.records(start="TRIM_HORIZON"), found))
    await wide.put(b"1", "a")
    await until(lambda: found)

    await client.delete_stream(wide.name)

    with pytest.raises(StreamDoesNotExist):
        await task


async def test_a_client_that_closes_ends_it(connect, wide):
    other = connect()
    found = []
    task = asyncio.create_task(
        collect(other.stream(wide.name).records(start="TRIM_HORIZON"), found)
    )
    await wide.put(b"1", "a")
    await until(lambda: found)

    await other.close()

    await asyncio.wait_for(task, 5)
