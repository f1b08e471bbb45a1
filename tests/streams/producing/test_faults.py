"""Faults: the server goes away and comes back, an answer gets lost, the producer is closed in the
middle of it. Nothing that put took is lost without a word."""

from __future__ import annotations

import asyncio
from contextlib import closing

import pytest

from rmq.core.clock import Clock
from rmq.core.script import load
from rmq.errors import ConnectionLost
from tests.colours import until
from tests.conftest import on_one_server
from tests.core.proxy import proxy

pytestmark = on_one_server


@pytest.fixture
def clock():
    """Real time: what goes away must be noticed by itself."""
    return Clock()


@pytest.fixture
async def wire(backend):
    async with proxy(int(backend.url.rpartition(":")[2])) as made:
        yield made


@pytest.fixture
async def connect(backend, namespace, wire):
    made = []

    def connect(target=None, **options):
        options = {"namespace": namespace, "retry_timeout": 0.05, "socket_timeout": 2} | options
        made.append(backend.connect(target or wire.url, **options))
        return made[-1]

    yield connect
    wire.come_back()
    for client in made:
        await client.close()


async def test_a_server_that_goes_away_and_comes_back_has_everything_in_order(wide, wire, read):
    async with wide.producer(max_buffered_time=0.01) as producer:
        futures = [await producer.put(b"%d" % n, f"truck-{n % 10}") for n in range(100)]
        await asyncio.gather(*futures)
        wire.go_away()
        futures += [await producer.put(b"%d" % n, f"truck-{n % 10}") for n in range(100, 300)]
        await until(lambda: producer.metrics.retries)
        assert producer.metrics.buffered_records == 200
        wire.come_back()
        futures += [await producer.put(b"%d" % n, f"truck-{n % 10}") for n in range(300, 400)]

    results = await asyncio.gather(*futures)
    found = await read(wide)
    assert sorted(int(data) for data, *_ in found) == list(range(400))
    for truck in range(10):
        own = [int(data) for data, key, _ in found if key == f"truck-{truck}"]
        assert own == list(range(truck, 400, 10))
    assert max(one.attempts for one in results) > 1
    assert producer.metrics.user_records_failed == 0


async def test_a_lost_answer_does_not_put_a_record_twice(connect, wire, servers, backend, read):
    """As long as the library itself tries again, for the shard knows the call."""
    stream = await connect(retry_timeout=10).create_stream("positions")
    with closing(servers.client(backend.place)) as raw:
        raw.script_load(load("streams/put").source)
    async with stream.producer() as producer:
        wire.lose_the_answer_to(load("streams/put").sha.encode())
        future = await producer.put(b"x", "truck")

    assert wire.lost == 1
    assert (await future).attempts == 1
    assert len(await read(stream)) == 1


async def test_a_server_that_stays_away_ends_each_record_with_that_error(stream, wire):
    told = []
    async with stream.producer(
        record_ttl=0.2, on_result=lambda record, result: told.append((record.data, result))
    ) as producer:
        await (await producer.put(b"0", "truck"))
        wire.go_away()
        future = await producer.put(b"1", "truck")

    with pytest.raises(ConnectionLost):
        await future
    assert [data for data, _ in told] == [b"0", b"1"]
    assert isinstance(told[1][1], ConnectionLost)
    assert producer.metrics.user_records_failed == 1


async def test_close_during_trouble_waits_for_the_server(stream, wire, read):
    producer = stream.producer()
    await (await producer.put(b"0", "truck"))
    wire.go_away()
    for n in range(1, 50):
        await producer.put(b"%d" % n, "truck")
    closing = asyncio.create_task(producer.close())
    await until(lambda: producer.metrics.retries)
    assert not closing.done()
    wire.come_back()
    await closing

    assert [int(data) for data, *_ in await read(stream)] == list(range(50))


async def test_close_during_trouble_gives_up_after_its_time_and_says_so(stream, wire):
    producer = stream.producer(record_ttl=None)
    await (await producer.put(b"0", "truck"))
    wire.go_away()
    futures = [await producer.put(b"%d" % n, "truck") for n in range(10)]
    await producer.close(timeout=0.1)

    for one in futures:
        with pytest.raises(ConnectionLost):
            await one
    assert producer.metrics.user_records_failed == 10
    assert producer.metrics.buffered_records == 0


async def test_who_waits_for_room_when_the_producer_is_closed_is_refused(stream, wire):
    producer = stream.producer(max_buffered_records=1, record_ttl=None)
    await (await producer.put(b"0", "truck"))
    wire.go_away()
    held = await producer.put(b"1", "truck")
    waiting = asyncio.create_task(producer.put(b"2", "truck"))
    await asyncio.sleep(0)
    await producer.close(timeout=0)

    with pytest.raises(Exception, match="closed"):
        await waiting
    with pytest.raises(ConnectionLost):
        await held
