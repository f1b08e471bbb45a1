"""Retention: what is too old is gone, also when nobody receives."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rmq.errors import MessageDoesNotExist

DAYS_4 = 4 * 86_400


@pytest.fixture(params=["standard", "fifo"])
async def either(request, client):
    """A queue of each type."""
    if request.param == "standard":
        return await client.create_queue("orders")
    return await client.create_queue("orders.fifo", content_based_deduplication=True)


async def send(queue, *given):
    for body in given:
        await queue.send(body, **({"message_group_id": "g"} if queue.is_fifo else {}))


def bodies(messages):
    return [one.body for one in messages]


async def test_a_message_is_kept_until_the_end_of_its_retention(either, clock):
    await send(either, b"x")
    clock.move(DAYS_4 - 0.001)
    assert bodies(await either.receive()) == [b"x"]


async def test_an_expired_message_is_not_received(either, clock):
    await send(either, b"x")
    clock.move(DAYS_4)
    assert await either.receive() == []


async def test_an_expired_message_is_not_counted_though_nobody_receives(backend, either, clock):
    await send(either, b"old")
    clock.move(DAYS_4 - 60)
    await send(either, b"young")
    clock.move(60)

    found = await either.stats()

    assert found.visible == 1
    if backend.has_totals:
        assert found.expired == 1
        assert clock.now() - found.oldest_sent_at < timedelta(seconds=61)
        assert (await either.stats()).expired == 1


async def test_an_expired_message_is_not_peeked_at(either, clock):
    await send(either, b"old")
    clock.move(DAYS_4 - 60)
    await send(either, b"young")
    clock.move(60)
    assert bodies(await either.peek()) == [b"young"]


async def test_a_sweep_says_how_many_expired(backend, either, clock):
    backend.beyond_aws("queue.sweep")
    await send(either, *(b"%d" % i for i in range(450)))
    assert await either.sweep() == 0
    clock.move(DAYS_4 + 0.001)
    assert await either.sweep() == 450
    assert await either.sweep() == 0
    found = await either.stats()
    assert (found.visible, found.expired) == (0, 450)


async def test_expired_messages_leave_nothing_in_redis(either, clock, raw, namespace):
    await send(either, b"a", b"b", b"c")
    await either.receive(2)
    clock.move(DAYS_4 + 0.001)
    await either.sweep()
    parts = ["log", "inflight", "delayed", "first", "order", "groups", "moved", "dedup"]
    key = f"{namespace}:{{q:{either.name}}}:"
    assert [part for part in parts if raw.exists(key + part) and _length(raw, key + part)] == []


def _length(raw, key):
    lengths = {b"stream": raw.xlen, b"zset": raw.zcard, b"hash": raw.hlen}
    return lengths[raw.type(key)](key)


async def test_retention_counts_from_the_send_also_for_what_is_in_flight(either, clock):
    await send(either, b"x")
    clock.move(DAYS_4 - 10)
    message = (await either.receive(visibility_timeout=100))[0]
    clock.move(10)

    found = await either.stats()
    assert (found.visible, found.in_flight) == (0, 0)
    assert await message.delete() is False
    with pytest.raises(MessageDoesNotExist):
        await message.change_visibility(5)


async def test_an_expired_message_in_flight_frees_its_group(client, clock):
    fifo = await client.create_queue("orders.fifo", content_based_deduplication=True)
    await send(fifo, b"old")
    clock.move(DAYS_4 - 10)
    await send(fifo, b"young")
    await fifo.receive(visibility_timeout=1000)
    clock.move(10)
    got = await fifo.receive()
    if not got:  # a sweep is due at most once a second
        clock.move(1)
        got = await fifo.receive()
    assert bodies(got) == [b"young"]


async def test_a_shorter_retention_holds_for_what_is_there(either, clock):
    await send(either, b"old")
    clock.move(100)
    await send(either, b"young")
    await either.set_attributes(message_retention_period=60)

    assert bodies(await either.peek()) == [b"young"]
    assert (await either.stats()).visible == 1
    assert bodies(await either.receive(10)) == [b"young"]


async def test_a_longer_retention_keeps_what_is_there(either, clock):
    await send(either, b"x")
    clock.move(DAYS_4 - 1)
    await either.set_attributes(message_retention_period=14 * 86_400)
    clock.move(10 * 86_400)
    assert bodies(await either.receive()) == [b"x"]


async def test_a_message_may_be_delayed_longer_than_the_queue_keeps_it(client, clock):
    queue = await client.create_queue("short", message_retention_period=60)
    await queue.send(b"x", delay=900)
    clock.move(61)
    assert (await queue.stats()).delayed == 0
    clock.move(900)
    assert await queue.receive() == []


async def test_a_waiting_receive_gets_nothing_that_expired(backend, either, clock):
    await send(either, b"x")
    clock.move(DAYS_4)
    assert await either.receive(wait=0) == []
    if backend.has_totals:
        assert (await either.stats()).expired == 1
