"""Looking: peek and stats see everything and change nothing."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from rmq import Outgoing


def bodies(messages):
    return [one.body for one in messages]


# --- peek ---------------------------------------------------------------------------------------


async def test_a_peek_shows_messages_in_the_order_of_sending_whatever_their_state(queue):
    await queue.send_many([b"in flight", b"visible"])
    await queue.send(b"delayed", delay=60)
    await queue.receive()

    found = await queue.peek()

    assert bodies(found) == [b"in flight", b"visible", b"delayed"]
    assert [one.state for one in found] == ["in flight", "visible", "delayed"]


async def test_a_peek_tells_when_a_message_becomes_visible(queue, clock):
    await queue.send_many([b"in flight", b"visible"])
    await queue.send(b"delayed", delay=60)
    await queue.receive()

    found = await queue.peek()

    waits = [one.visible_at and one.visible_at - clock.now() for one in found]
    assert [wait and round(wait.total_seconds(), 2) for wait in waits] == [30, None, 60]


async def test_a_peek_does_not_consume_or_count(queue):
    await queue.send(b"x")
    for _ in range(3):
        assert [one.receive_count for one in await queue.peek()] == [0]
    before = await queue.stats()
    await queue.peek()
    assert await queue.stats() == before
    assert (await queue.receive())[0].receive_count == 1


async def test_a_peek_shows_what_a_receive_would(queue):
    sent = await queue.send(b"x", attributes={"a": 1}, trace_header="t", message_group_id="g")
    seen = (await queue.peek())[0]
    assert (seen.id, seen.body, seen.first_received_at) == (sent.id, b"x", None)
    assert seen.attributes["a"].value == "1"
    assert (seen.trace_header, seen.message_group_id) == ("t", "g")
    got = (await queue.receive())[0]
    seen = (await queue.peek())[0]
    assert (seen.receive_count, seen.first_received_at) == (1, got.first_received_at)


async def test_a_peek_goes_on_after_a_position(queue):
    await queue.send_many([b"%d" % i for i in range(7)])
    got, after = [], None
    while page := await queue.peek(3, after=after):
        got.append(bodies(page))
        after = page[-1].position
    assert got == [[b"0", b"1", b"2"], [b"3", b"4", b"5"], [b"6"]]


async def test_a_peek_at_an_empty_queue_is_empty(queue):
    assert await queue.peek() == []


async def test_a_peek_at_a_fifo_queue(fifo):
    sent = [await fifo.send(b"%d" % i, message_group_id=f"g{i % 2}") for i in range(4)]
    await fifo.receive()
    found = await fifo.peek()
    assert [one.sequence_number for one in found] == [one.sequence_number for one in sent]
    assert [one.message_group_id for one in found] == ["g0", "g1", "g0", "g1"]
    assert found[0].state == "in flight"


async def test_a_message_whose_lease_ended_is_shown_as_visible(queue, clock):
    await queue.send(b"x")
    await queue.receive()
    clock.move(30)
    seen = (await queue.peek())[0]
    assert (seen.state, seen.receive_count, seen.visible_at) == ("visible", 1, None)


# --- stats --------------------------------------------------------------------------------------


async def test_a_new_queue_has_nothing(queue):
    found = await queue.stats()
    numbers = {name: value for name, value in dataclasses.asdict(found).items() if value}
    assert numbers == {}


async def test_counts_by_state(queue, clock):
    await queue.send_many([b"%d" % i for i in range(5)])
    await queue.send_many([Outgoing(body=b"later", delay=60)] * 2)
    await queue.receive(2)
    found = await queue.stats()
    assert (found.visible, found.in_flight, found.delayed) == (3, 2, 2)

    clock.move(30)
    found = await queue.stats()
    assert (found.visible, found.in_flight, found.delayed) == (5, 0, 2)

    clock.move(30)
    found = await queue.stats()
    assert (found.visible, found.in_flight, found.delayed) == (7, 0, 0)


async def test_counts_by_state_of_a_fifo_queue(client, clock):
    fifo = await client.create_queue("slow.fifo", content_based_deduplication=True, delay=60)
    for i in range(3):
        await fifo.send(b"%d" % i, message_group_id=f"g{i}")
    found = await fifo.stats()
    assert (found.visible, found.in_flight, found.delayed) == (0, 0, 3)

    clock.move(60)
    await fifo.receive()
    found = await fifo.stats()
    assert (found.visible, found.in_flight, found.delayed) == (2, 1, 0)


async def test_totals(queue, clock):
    await queue.send_many([b"%d" % i for i in range(5)])
    await queue.receive(3)
    clock.move(30)
    await queue.delete_many(await queue.receive(2))
    found = await queue.stats()
    assert (found.sent, found.received, found.deleted) == (5, 5, 2)
    assert (found.moved, found.expired) == (0, 0)


async def test_a_duplicate_is_not_counted_as_sent(fifo):
    for _ in range(3):
        await fifo.send(b"x", message_group_id="g")
    assert (await fifo.stats()).sent == 1


async def test_a_purge_counts_as_deleted(queue):
    await queue.send_many([b"a", b"b"])
    await queue.purge()
    assert (await queue.stats()).deleted == 2


async def test_bytes_grow_with_what_is_sent(queue):
    await queue.send(b"x" * 1000)
    first = (await queue.stats()).bytes
    assert 1000 <= first <= 1020
    await queue.send(b"x" * 1000, attributes={"a": "v" * 500})
    assert 1500 <= (await queue.stats()).bytes - first <= 1540


async def test_the_age_of_the_oldest_message(queue, clock):
    began = clock.now()
    await queue.send(b"first")
    clock.move(100)
    await queue.send(b"second")
    assert abs((await queue.stats()).oldest_sent_at - began) < timedelta(milliseconds=1)

    await queue.delete_many(await queue.receive())
    assert (await queue.stats()).oldest_sent_at - began >= timedelta(seconds=99)


@pytest.mark.parametrize("name", ["orders", "orders.fifo"])
async def test_counts_add_up_whatever_happens(backend, client, clock, name):
    queue = await client.create_queue(
        name, **({"content_based_deduplication": True} if "fifo" in name else {})
    )
    for i in range(40):
        group = {"message_group_id": f"g{i % 7}"} if queue.is_fifo else {"delay": i % 3 * 10}
        await queue.send(b"%d" % i, **group)
        if i % 4 == 0:
            got = await queue.receive(3, visibility_timeout=i)
            await queue.delete_many(got[:1])
        clock.move(3)
        found = await queue.stats()
        there = len(await queue.peek(1000))
        assert found.visible + found.in_flight + found.delayed == there
        if backend.has_totals:
            assert there == found.sent - found.deleted
