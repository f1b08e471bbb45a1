"""Deduplication: a FIFO queue takes each deduplication id once in 5 minutes."""

from __future__ import annotations

import hashlib

from rmq import Outgoing


async def fill(queue, *texts):
    """Send what reads `group:body`; the body decides what is a duplicate."""
    for text in texts:
        group, _, body = text.partition(":")
        await queue.send(body.encode(), message_group_id=group)


def shown(messages):
    return [f"{one.message_group_id}:{one.text}" for one in messages]


async def test_the_same_body_is_sent_once(fifo):
    first = await fifo.send(b"x", message_group_id="g")
    again = await fifo.send(b"x", message_group_id="g", attributes={"other": "attributes"})
    assert (first.is_duplicate, again.is_duplicate) == (False, True)
    assert (again.id, again.sequence_number) == (first.id, first.sequence_number)
    assert len(await fifo.receive(10)) == 1


async def test_the_same_deduplication_id_is_sent_once_whatever_the_body(fifo):
    first = await fifo.send(b"x", message_group_id="g", deduplication_id="d")
    again = await fifo.send(b"y", message_group_id="g", deduplication_id="d")
    assert (again.id, again.is_duplicate) == (first.id, True)
    assert shown(await fifo.receive(10)) == ["g:x"]


async def test_an_explicit_id_wins_over_the_body(fifo):
    await fifo.send(b"x", message_group_id="g", deduplication_id="1")
    await fifo.send(b"x", message_group_id="g", deduplication_id="2")
    await fifo.send(b"x", message_group_id="g")
    assert len(await fifo.receive(10)) == 3


async def test_the_hash_of_a_body_given_as_id_is_the_same_id(fifo):
    first = await fifo.send(b"x", message_group_id="g")
    given = hashlib.sha256(b"x").hexdigest()
    again = await fifo.send(b"y", message_group_id="g", deduplication_id=given)
    assert again.id == first.id


async def test_ids_hold_for_the_whole_queue_by_default(fifo):
    first = await fifo.send(b"x", message_group_id="g")
    again = await fifo.send(b"x", message_group_id="h")
    assert (again.id, again.is_duplicate) == (first.id, True)


async def test_ids_may_hold_for_each_group(client):
    fifo = await client.create_queue(
        "by-group.fifo", content_based_deduplication=True, deduplication_scope="message_group"
    )
    await fill(fifo, "g:x", "h:x", "g:x")
    assert sorted(shown(await fifo.receive(10))) == ["g:x", "h:x"]


async def test_an_id_is_remembered_for_5_minutes(fifo, clock):
    await fill(fifo, "g:x")
    clock.move(299.999)
    await fill(fifo, "g:x")
    assert (await fifo.stats()).visible == 1
    clock.move(0.001)
    sent = await fifo.send(b"x", message_group_id="g")
    assert sent.is_duplicate is False
    assert shown(await fifo.receive(10)) == ["g:x", "g:x"]


async def test_the_window_counts_from_the_first_send_and_does_not_slide(fifo, clock):
    await fill(fifo, "g:x")
    clock.move(200)
    await fill(fifo, "g:x")
    clock.move(100)
    assert (await fifo.send(b"x", message_group_id="g")).is_duplicate is False


async def test_an_id_is_remembered_after_its_message_was_received_and_deleted(fifo):
    first = await fifo.send(b"x", message_group_id="g")
    await fifo.delete_many(await fifo.receive(10))
    again = await fifo.send(b"x", message_group_id="g")
    assert (again.id, again.is_duplicate) == (first.id, True)
    assert await fifo.receive(10) == []


async def test_an_id_is_remembered_however_many_come_after_it(fifo):
    first = await fifo.send(b"x", message_group_id="g")
    await fifo.send_many([Outgoing(body=b"%d" % i, message_group_id="g") for i in range(300)])
    assert (await fifo.send(b"x", message_group_id="g")).id == first.id


async def test_duplicates_within_one_batch_are_one_message(fifo):
    same = Outgoing(body=b"x", message_group_id="g")
    result = await fifo.send_many([same, Outgoing(body=b"y", message_group_id="g"), same])
    assert [one.is_duplicate for one in result] == [False, False, True]
    assert result[0].id == result[2].id
    assert shown(await fifo.receive(10)) == ["g:x", "g:y"]


async def test_a_purge_forgets_deduplication_ids(fifo):
    await fill(fifo, "g:x")
    await fifo.purge()
    assert (await fifo.send(b"x", message_group_id="g")).is_duplicate is False


async def test_a_queue_made_anew_forgets_deduplication_ids(client, fifo):
    await fill(fifo, "g:x")
    await fifo.delete_queue()
    again = await client.create_queue("orders.fifo", content_based_deduplication=True)
    assert (await again.send(b"x", message_group_id="g")).is_duplicate is False


async def test_two_clients_share_the_deduplication_ids(fifo, connect):
    first = await fifo.send(b"x", message_group_id="g")
    again = await connect().queue("orders.fifo").send(b"x", message_group_id="g")
    assert again.id == first.id
