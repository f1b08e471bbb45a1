"""Faults: answers that get lost, a server that restarts. Every record is there, and once."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, closing

import pytest

from rmq import Record
from rmq.core.clock import Clock
from rmq.core.script import load
from rmq.errors import OutOfMemory
from rmq.streams.sequence import shard_id
from tests.colours import until
from tests.conftest import on_one_server
from tests.core.proxy import proxy
from tests.servers import single_server
from tests.streams.reading import by_shard, texts

DURABLE = {"appendonly": "yes", "appendfsync": "always"}

pytestmark = on_one_server


@pytest.fixture
def clock():
    """Real time."""
    return Clock()


@pytest.fixture(scope="module")
def server():
    with single_server(options=DURABLE) as made:
        yield made


@pytest.fixture
def raw(server):
    with closing(server.client()) as client:
        yield client


@pytest.fixture
async def connect(backend, namespace, server):
    made = []

    def connect(target=None, **options):
        target = server.url if target is None else target
        made.append(backend.connect(target, namespace=namespace, **options))
        return made[-1]

    yield connect
    for client in made:
        await client.close()


@pytest.fixture
async def wire(server):
    async with proxy(server.port) as made:
        yield made


@pytest.fixture
async def far(connect, wire):
    """A client whose answers may get lost."""
    return connect(wire.url)


def lose(wire, raw, script):
    """Lose the next answer to a script, which the server knows."""
    raw.script_load(load(script).source)
    wire.lose_the_answer_to(load(script).sha.encode())


async def test_a_put_whose_answer_was_lost_is_done_once(far, wire, raw):
    stream = await far.create_stream("positions")
    await stream.put("0", "a")
    lose(wire, raw, "streams/put")
    put = await stream.put("1", "a")
    assert wire.lost == 1
    result = await stream.put_many([Record(str(n), "a") for n in range(2, 5)])
    assert await texts(stream) == ["0", "1", "2", "3", "4"]
    assert put.sequence_number < result[0].sequence_number


async def test_puts_to_many_shards_whose_answers_were_lost_are_done_once(far, wire, raw):
    stream = await far.create_stream("orders", 4)
    for _ in range(3):
        lose(wire, raw, "streams/put")
        result = await stream.put_many([Record(str(n), f"key-{n}") for n in range(40)])
        assert not result.failed
    assert wire.lost == 3
    found = await by_shard(stream)
    assert sorted(sum(map(len, found.values())) for _ in "x") == [120]
    numbers = [int(one) for records in found.values() for one in records]
    assert sorted(numbers) == sorted([*range(40)] * 3)


async def test_puts_to_many_shards_wait_for_a_server_that_comes_back(connect, server):
    stream = await connect().create_stream("orders", 4)
    await stream.put("first", "a")
    server.kill()
    putting = asyncio.create_task(stream.put_many([Record(str(n), f"key-{n}") for n in range(40)]))
    await asyncio.sleep(0)
    server.restart()
    assert not (await putting).failed
    found = await by_shard(stream)
    numbers = [one for records in found.values() for one in records if one != "first"]
    assert sorted(numbers, key=int) == [str(n) for n in range(40)]


async def test_a_put_whose_answer_was_lost_before_its_shard_was_closed_is_done_once(
    connect, far, wire, raw
):
    """The repeat finds the shard closed, and that it has been done."""
    stream = await far.create_stream("positions")
    await stream.put("0", "a")
    lose(wire, raw, "streams/put")
    # The answer is lost, and before the repeat comes the shard is closed.
    near = connect().stream("positions")
    putting = asyncio.create_task(stream.put("1", "a"))
    await until(lambda: wire.lost == 1)
    await near.split(shard_id(0))
    put = await putting
    found = await by_shard(stream)
    assert sorted(one for records in found.values() for one in records) == ["0", "1"]
    assert "1" in found[put.shard_id]


@pytest.mark.parametrize("script", ["create", "open", "opened", "describe"])
async def test_a_stream_whose_answers_were_lost_is_made_once(far, wire, raw, script):
    lose(wire, raw, f"streams/{script}")
    stream = await far.create_stream("orders", 3, tags={"a": "b"})
    assert wire.lost == 1
    await stream.put("0", "a")
    info = await stream.info()
    assert (info.status, info.open_shard_count, await stream.tags()) == ("ACTIVE", 3, {"a": "b"})


@pytest.mark.parametrize("script", ["delete", "drop"])
async def test_a_stream_whose_answers_were_lost_is_removed(far, wire, raw, script):
    stream = await far.create_stream("orders", 3)
    await stream.put("0", "a")
    lose(wire, raw, f"streams/{script}")
    assert await far.delete_stream("orders")
    assert wire.lost == 1
    assert list(await far.list_streams()) == []


async def test_who_waits_goes_on_when_the_server_was_away(connect, server):
    stream = await connect().create_stream("orders", 2)
    async with aclosing(stream.records(start="TRIM_HORIZON")) as records:
        await stream.put("0", "a")
        assert (await anext(records)).data == b"0"
        waiting = asyncio.create_task(anext(records))
        await asyncio.sleep(0)
        server.kill()
        server.restart()
        await connect().stream("orders").put("1", "b")
        assert (await waiting).data == b"1"


async def test_a_full_server_takes_no_records_and_gives_those_it_has(connect, raw):
    stream = await connect().create_stream("orders", 2)
    await stream.put("0", "a")
    raw.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(OutOfMemory):
            await stream.put("1", "a")
        result = await stream.put_many([Record(str(n), f"key-{n}") for n in range(10)])
        assert len(result.failed) == 10
        assert all(isinstance(one, OutOfMemory) for one in result.failed.values())
        found = await by_shard(stream)
        assert sorted(one for records in found.values() for one in records) == ["0"]
        assert await connect().delete_stream("orders")
    finally:
        raw.config_set("maxmemory", "0")
