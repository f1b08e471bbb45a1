"""Standing: the next look of a consumer waits at the server, and is carried out with its token."""

from __future__ import annotations

import asyncio

import pytest

from rmq.core.clock import Clock
from rmq.core.executor.standing import Post
from rmq.errors import QueueDoesNotExist
from rmq.queues import plans
from rmq.testing import HeldClock
from tests.colours import until

pytestmark = pytest.mark.parametrize("backend", ["async-valkey", "async-redis"], indirect=True)
"""Where there is a server with a clock of its own."""


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def connect(backend, namespace):
    made = []

    def connect(target=None, **options):
        made.append(backend.connect(target, namespace=namespace, **options))
        return made[-1]

    yield connect
    for client in made:
        await client.close()


@pytest.fixture
def posts(client):
    return client._executor.standing._posts


@pytest.fixture
def blocked(raw):
    """Connections that wait in a pop since this test began."""

    def found():
        return [
            one
            for one in raw.client_list()
            if one["cmd"] == "blpop" and "b" in one["flags"] and one["id"] not in before
        ]

    before = frozenset()
    before = {one["id"] for one in found()}
    return found


@pytest.fixture
def other(connect, queue):
    """The same queue, in another client."""
    return connect().queue("orders")


@pytest.fixture
async def standing(queue, blocked, posts):
    """A receive that stands."""
    queue.given_back = []
    task = asyncio.create_task(received(queue))
    await until(blocked)
    assert len(posts) == 1
    yield task
    task.cancel()


async def received(queue, wait=20):
    def give_back(messages):
        queue.given_back += messages
        return queue._give_back(messages)

    plan = plans.receive(
        queue._registry, queue.name, queue._message, max_messages=10, wait=wait, stands=True
    )
    return await queue._executor.lease(plan, give_back)


def calls(raw):
    return raw.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"]


async def cancelled(task):
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_message_comes_with_its_token(queue, standing, raw, blocked):
    await queue.send(b"known script")
    await queue.delete_many(await standing)
    task = asyncio.create_task(received(queue))
    await until(blocked)
    before = calls(raw)

    await queue.send(b"hello")

    assert [one.body for one in await task] == [b"hello"]
    assert calls(raw) - before == 2  # the send, and what stood


async def test_the_next_look_is_the_last_one_too(queue):
    assert await received(queue, wait=0.05) == []


async def test_who_leaves_takes_nothing(queue, standing, other, blocked, posts):
    await cancelled(standing)
    await until(lambda: not posts)
    assert not blocked()
    await queue.send(b"hello")

    (one,) = await other.receive()

    assert one.receive_count == 1
    assert queue.given_back == []


async def test_what_comes_as_one_leaves_goes_back_at_once(
    monkeypatch, queue, standing, other, posts
):
    leave, late = Post._leave, asyncio.Event()

    async def held(post):
        await late.wait()
        await leave(post)

    monkeypatch.setattr(Post, "_leave", held)
    await cancelled(standing)
    await queue.send(b"hello")
    late.set()

    (one,) = await other.receive(wait=10)

    assert one.body == b"hello"
    assert [message.body for message in queue.given_back] == [b"hello"]


async def test_two_that_stand_are_woken_one_by_one(queue, standing, blocked, posts):
    second = asyncio.create_task(received(queue))
    await until(lambda: len(blocked()) == 2)

    await queue.send(b"first")
    await standing
    assert not second.done()
    assert len(posts) == 1

    await queue.send(b"second")
    assert [one.body for one in await second] == [b"second"]


async def test_a_lost_connection_is_only_a_pause(queue, standing, raw, blocked):
    for one in blocked():
        raw.client_kill(one["addr"])
    await queue.send(b"hello")

    assert [one.body for one in await standing] == [b"hello"]


async def test_scripts_that_the_server_forgot_are_sent_again(queue, standing, raw):
    raw.script_flush()
    await queue.send(b"hello")

    assert [one.body for one in await standing] == [b"hello"]


async def test_what_the_server_refuses_is_asked_again(queue, standing):
    """It stood with a description of the queue that is out of date."""
    await queue.set_attributes(visibility_timeout=7)
    await queue.send(b"hello")

    assert [one.body for one in await standing] == [b"hello"]


async def test_a_queue_that_was_deleted_meanwhile_is_reported(queue, standing, raw, blocked):
    await queue.delete_queue()
    for one in blocked():
        raw.client_unblock(one["id"])  # as at the end of its time

    with pytest.raises(QueueDoesNotExist):
        await standing


async def test_who_may_not_end_a_pop_ends_its_connection(queue, standing, blocked, posts, other):
    executor, asked = queue._executor, []
    once = executor._once

    async def refused(args):
        if args[:2] == ["CLIENT", "UNBLOCK"]:
            asked.append(args)
            raise PermissionError("NOPERM")
        return await once(args)

    executor._once = refused
    await cancelled(standing)
    await until(lambda: not posts)
    await until(lambda: not blocked())
    # It asks again until it sees that the connection is gone, on a busy machine for some time.
    assert len(set(map(tuple, asked))) == 1
    await queue.send(b"hello")

    (one,) = await other.receive()
    assert one.receive_count == 1


async def test_a_client_that_is_closed_leaves_nobody_standing(
    queue, standing, client, blocked, posts
):
    await client.close()

    assert not posts
    assert not blocked()


async def test_a_client_that_is_closed_waits_for_what_it_tells_who_stands(queue, standing, client):
    """The pop has ended before we hear that it was told to: nothing may use a connection then."""
    executor, told = client._executor, []
    once = executor._once

    async def late(args):
        reply = await once(args)
        if args[:2] == ["CLIENT", "UNBLOCK"]:
            await asyncio.sleep(0.05)
            told.append(args)
        return reply

    executor._once = late
    await client.close()

    assert told


async def test_under_a_held_clock_nobody_stands(connect, queue):
    client = connect(clock=HeldClock())
    task = asyncio.create_task(received(client.queue("orders")))
    await until(lambda: client._executor._lines)

    assert not client._executor.standing._posts
    await cancelled(task)
