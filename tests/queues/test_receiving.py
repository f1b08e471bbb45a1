"""Receiving: leases, their counts and times, and the order of a standard queue."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from rmq import Limits
from rmq.errors import InvalidParameter, OverLimit
from tests.colours import Sleepers


def bodies(messages):
    return [one.body for one in messages]


async def test_a_message_not_deleted_in_time_is_received_again(queue, clock):
    """Visibility is a lease, not a removal."""
    sent = await queue.send(b"hello")
    await queue.receive(visibility_timeout=30)

    clock.move(31)

    assert [sent.id] == [one.id for one in await queue.receive()]


async def test_a_received_message_is_invisible_until_its_lease_ends(queue, clock):
    await queue.send(b"hello")
    await queue.receive()
    assert await queue.receive() == []

    clock.move(29.999)
    assert await queue.receive() == []

    clock.move(0.001)
    assert bodies(await queue.receive()) == [b"hello"]


async def test_an_empty_queue_answers_with_an_empty_list(queue):
    assert await queue.receive() == []
    assert await queue.receive(10) == []


async def test_one_message_is_received_unless_more_are_asked_for(queue):
    await queue.send_many([b"a", b"b", b"c"])
    assert bodies(await queue.receive()) == [b"a"]


@pytest.mark.parametrize("most", [1, 2, 10])
async def test_no_more_messages_come_than_were_asked_for(queue, most):
    await queue.send_many([b"%d" % i for i in range(25)])
    assert len(await queue.receive(most)) == most


async def test_messages_come_in_the_order_of_sending(queue):
    expected = [b"%d" % i for i in range(35)]
    await queue.send_many(expected[:20])
    for one in expected[20:]:
        await queue.send(one)

    got = []
    while batch := await queue.receive(10):
        got += bodies(batch)

    assert got == expected


async def test_a_visibility_timeout_of_the_receive_overrides_the_queues(queue, clock):
    await queue.send_many([b"short", b"long"])
    await queue.receive(visibility_timeout=5)
    await queue.receive(visibility_timeout=timedelta(hours=12))

    clock.move(5)
    assert bodies(await queue.receive(10)) == [b"short"]

    clock.move(12 * 3600 - 6)
    assert bodies(await queue.receive(10)) == [b"short"]

    clock.move(1)
    assert bodies(await queue.receive(10)) == [b"long"]


async def test_a_visibility_timeout_of_zero_leaves_the_message_visible_and_counts(queue):
    await queue.send(b"hello")

    counts = [(await queue.receive(10, visibility_timeout=0))[0].receive_count for _ in range(3)]

    assert counts == [1, 2, 3]
    assert (await queue.receive())[0].receive_count == 4


async def test_a_change_of_the_queues_visibility_timeout_affects_only_later_receives(queue, clock):
    await queue.send_many([b"before", b"after"])
    await queue.receive()
    await queue.set_attributes(visibility_timeout=5)
    await queue.receive()

    clock.move(5)
    assert bodies(await queue.receive(10)) == [b"after"]

    clock.move(25)
    assert b"before" in bodies(await queue.receive(10))


async def test_each_receive_counts_and_has_a_handle_of_its_own(queue, clock):
    await queue.send(b"hello")
    seen = []
    for _ in range(3):
        seen += await queue.receive()
        clock.move(30)

    assert [one.receive_count for one in seen] == [1, 2, 3]
    assert len({one.receipt_handle for one in seen}) == 3
    assert len({one.id for one in seen}) == 1
    assert all(len(one.receipt_handle) <= 1024 for one in seen)


async def test_the_first_receive_time_stays_the_first(queue, clock):
    sent_at = clock.now()
    await queue.send(b"hello")
    clock.move(7)
    first_at = clock.now()
    first = (await queue.receive())[0]
    clock.move(30)
    second = (await queue.receive())[0]

    assert (first.first_received_at, second.first_received_at) == (first_at, first_at)
    assert first.sent_at == second.sent_at
    assert abs(first.sent_at - sent_at) < timedelta(milliseconds=1)


async def test_a_message_has_the_time_of_its_receive_and_of_its_first_send(queue, clock):
    await queue.send(b"hello")
    clock.move(7)
    first_at = clock.now()
    first = (await queue.receive())[0]
    clock.move(30)
    second = (await queue.receive())[0]

    assert (first.received_at, second.received_at) == (first_at, clock.now())
    assert first.sent_at == first.first_sent_at == second.first_sent_at


async def test_a_standard_message_has_the_system_attributes_it_was_sent_with(queue):
    sent = await queue.send("hällo", trace_header="Root=1-5e1", message_group_id="tenant-1")
    plain = await queue.send(b"plain")
    got, bare = await queue.receive(10)

    assert (got.id, got.text, got.queue_name) == (sent.id, "hällo", "orders")
    assert (got.trace_header, got.message_group_id) == ("Root=1-5e1", "tenant-1")
    assert (got.sequence_number, got.deduplication_id, got.dead_letter_source) == (None, None, None)
    assert (bare.id, bare.trace_header) == (plain.id, None)
    assert (bare.message_group_id, bare.attributes) == (None, {})


async def test_a_message_has_the_sender_that_it_was_sent_with(queue):
    await queue.send(b"x", sender_id="AIDA1")
    await queue.send(b"y")
    assert [one.sender_id for one in await queue.receive(10)] == ["AIDA1", None]


async def test_a_fifo_message_has_its_group_sequence_number_and_deduplication_id(fifo):
    sent = await fifo.send(b"hello", message_group_id="g")
    named = await fifo.send(b"named", message_group_id="g", deduplication_id="d")
    got, second = await fifo.receive(10)

    assert (got.id, got.sequence_number) == (sent.id, sent.sequence_number)
    assert got.message_group_id == "g"
    # printf hello | sha256sum
    assert got.deduplication_id == (
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    )
    assert (second.id, second.deduplication_id) == (named.id, "d")


async def test_the_body_can_be_read_as_json(queue):
    await queue.send('{"truck": 7}')
    assert (await queue.receive())[0].json() == {"truck": 7}


async def test_a_message_seen_by_one_client_is_invisible_to_another(queue, connect):
    await queue.send_many([b"a", b"b"])
    other = connect().queue("orders")

    assert bodies(await queue.receive()) == [b"a"]
    assert bodies(await other.receive(10)) == [b"b"]


async def test_a_delayed_message_is_not_received_before_its_time(queue, clock):
    await queue.send(b"late", delay=10)
    await queue.send(b"now")

    assert bodies(await queue.receive(10)) == [b"now"]
    clock.move(9.999)
    assert await queue.receive(10) == []
    clock.move(0.001)
    assert bodies(await queue.receive(10)) == [b"late"]


async def test_what_was_delayed_long_and_what_was_sent_later_all_arrive_once(queue, clock):
    for i in range(60):
        await queue.send(b"%d" % i, delay=i % 4 * 10)
    got = []
    for _ in range(5):
        while batch := await queue.receive(7):
            got += batch
        await queue.delete_many(got)
        await queue.send(b"more %d" % len(got))
        clock.move(10)

    assert len(got) == len({one.id for one in got}) == 64


class TestTooManyInFlight:
    @pytest.fixture
    def client(self, connect):
        return connect(limits=Limits.aws(max_in_flight=3))

    async def test_one_receive_does_not_go_beyond_the_limit(self, queue):
        await queue.send_many([b"%d" % i for i in range(6)])
        assert len(await queue.receive(10)) == 3

    async def test_a_standard_short_poll_is_refused(self, queue):
        await queue.send_many([b"%d" % i for i in range(6)])
        await queue.receive(3)

        with pytest.raises(OverLimit):
            await queue.receive()

    async def test_a_standard_long_poll_is_only_empty(self, queue, client, clock):
        sleepers = Sleepers(client)
        await queue.send_many([b"%d" % i for i in range(6)])
        await queue.receive(3)

        waiting = asyncio.create_task(queue.receive(wait=2))
        await sleepers.reach(1)
        clock.move(2)

        assert await waiting == []

    async def test_a_fifo_queue_never_refuses(self, fifo):
        for i in range(6):
            await fifo.send(b"%d" % i, message_group_id=f"g{i}")
        await fifo.receive(3)

        assert await fifo.receive() == []

    async def test_a_delete_makes_room(self, queue):
        await queue.send_many([b"%d" % i for i in range(6)])
        first, *_ = await queue.receive(3)
        await first.delete()

        assert bodies(await queue.receive()) == [b"3"]

    async def test_a_lease_that_ends_makes_room(self, queue, clock):
        await queue.send_many([b"%d" % i for i in range(3)])
        await queue.receive(3)
        clock.move(30)

        assert len(await queue.receive(3)) == 3


async def test_more_than_ten_at_once_are_refused_by_default(queue):
    with pytest.raises(InvalidParameter, match="max_messages is 11; it must be 1 to 10"):
        await queue.receive(11)
