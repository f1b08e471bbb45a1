"""Events: what happened is told to whoever listens, once and with the right count."""

from __future__ import annotations

import pytest

from rmq.core.events import Deleted, Expired, Moved, Received, Retried, Sent
from rmq.errors import ConnectionLost


@pytest.fixture
def told(client):
    seen = []
    client.events.listen(seen.append)
    return seen


async def test_sends_are_told(queue, told):
    await queue.send(b"x")
    await queue.send_many([b"a", b"", b"c"])
    assert told == [
        Sent(queue="orders", count=1),
        Sent(queue="orders", count=2),
    ]


async def test_duplicates_are_told_apart(fifo, told):
    await fifo.send(b"x", message_group_id="g")
    await fifo.send(b"x", message_group_id="g")
    assert told == [
        Sent(queue="orders.fifo", count=1),
        Sent(queue="orders.fifo", count=0, duplicates=1),
    ]


async def test_receives_and_deletes_are_told(queue, told):
    await queue.send_many([b"a", b"b", b"c"])
    got = await queue.receive(10)
    await queue.delete_many([*got, got[0]])
    await queue.receive()
    assert told[1:] == [Received(queue="orders", count=3), Deleted(queue="orders", count=3)]


async def test_a_delete_that_removes_nothing_is_not_told(queue, told):
    await queue.send(b"x")
    message = (await queue.receive())[0]
    await message.delete()
    told.clear()
    await message.delete()
    assert [event for event in told if event.count] == []


async def test_a_purge_is_told_as_a_delete(queue, told):
    await queue.send_many([b"a", b"b"])
    await queue.purge()
    assert told[-1] == Deleted(queue="orders", count=2)


async def test_dead_letters_and_redrives_are_told(client, told):
    dead = await client.create_queue("dead")
    queue = await client.create_queue(
        "orders", redrive_policy={"dead_letter_queue": "dead", "max_receive_count": 1}
    )
    await queue.send_many([b"a", b"b"])
    await queue.receive(10, visibility_timeout=0)
    await queue.receive(10)
    await dead.redrive()
    assert [event for event in told if isinstance(event, Moved)] == [
        Moved(queue="orders", count=2, target="dead"),
        Moved(queue="dead", count=2, target="orders"),
    ]


async def test_expired_messages_are_told(queue, clock, told):
    await queue.send_many([b"a", b"b"])
    clock.move(5 * 86_400)
    await queue.stats()
    assert told[-1] == Expired(queue="orders", count=2)


async def test_nobody_is_told_after_the_end_of_listening(client, queue):
    seen = []
    stop = client.events.listen(seen.append)
    await queue.send(b"x")
    stop()
    await queue.send(b"y")
    assert len(seen) == 1


async def test_retries_are_told(connect, told):
    client = connect("redis://127.0.0.1:1", retry_timeout=0.3)
    client.events.listen(told.append)
    with pytest.raises(ConnectionLost):
        await client.queue("orders").send(b"x")
    retried = [event for event in told if isinstance(event, Retried)]
    assert retried
    assert [event.attempt for event in retried] == list(range(1, len(retried) + 1))
    assert {(event.queue, event.reason) for event in retried} == {("orders", "ConnectionError")}
