"""Faults: what breaks between us and Redis is repaired, and nothing is done twice or not at all."""

from __future__ import annotations

import asyncio
import signal
from contextlib import closing

import pytest
import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from rmq.core.clock import Clock
from rmq.core.events import Retried
from rmq.core.script import load
from rmq.errors import ConnectionLost, OutOfMemory
from tests.colours import Sleepers, until
from tests.conftest import on_one_server
from tests.core.proxy import proxy
from tests.servers import single_server

pytestmark = on_one_server
"""In both colours, on a server of the test's own, which it may stop, fill or break."""


@pytest.fixture
def clock():
    """Real time: waiting must notice trouble by itself."""
    return Clock()


@pytest.fixture
def server():
    with single_server(options={"appendonly": "yes", "appendfsync": "always"}) as made:
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
def retried(client):
    """What was retried so far."""
    seen = []
    client.events.listen(lambda event: seen.append(event) if isinstance(event, Retried) else None)
    return seen


def bodies(messages):
    return [one.body for one in messages]


# --- the server ---------------------------------------------------------------------------------


async def test_a_server_that_restarted_between_calls_is_found_again(queue, server):
    await queue.send(b"before")
    await asyncio.to_thread(server.restart)
    await queue.send(b"after")
    assert bodies(await queue.receive(10)) == [b"before", b"after"]


async def test_a_call_waits_for_a_server_that_is_down(queue, server, retried):
    await queue.send(b"before")
    await asyncio.to_thread(server.kill)
    task = asyncio.create_task(queue.send(b"during"))
    await until(lambda: retried)
    await asyncio.to_thread(server.restart)
    await task
    assert bodies(await queue.receive(10)) == [b"before", b"during"]


async def test_a_waiting_receive_survives_a_restart(queue, client, server, connect):
    sleepers = Sleepers(client)
    task = asyncio.create_task(queue.receive(wait=20))
    await sleepers.reach(1)
    await asyncio.to_thread(server.restart)
    await connect().queue("orders").send(b"hello")
    assert bodies(await task) == [b"hello"]


async def test_scripts_that_the_server_forgot_are_sent_again(queue, raw, retried):
    """Nobody notices: not the caller, and not the events either."""
    for i in range(3):
        await queue.send(b"%d" % i)
        raw.script_flush()
        assert bodies(await queue.receive()) == [b"%d" % i]
        raw.script_flush()
    assert retried == []


async def test_scripts_forgotten_by_a_restart_are_sent_again(queue, server, raw):
    message_sent = await queue.send(b"x")
    await asyncio.to_thread(server.restart)
    message = (await queue.receive())[0]
    assert message.id == message_sent.id
    await asyncio.to_thread(server.restart)
    assert await message.delete() is True


async def test_a_server_that_is_a_replica_for_a_moment_is_waited_for(queue, raw, retried):
    """READONLY, as after a failover."""
    await queue.send(b"before")
    raw.replicaof("127.0.0.1", 1)
    task = asyncio.create_task(queue.send(b"during"))
    await until(lambda: retried)
    raw.replicaof("NO", "ONE")
    await task
    assert bodies(await queue.receive(10)) == [b"before", b"during"]


async def test_a_server_that_stays_away_is_reported_within_the_deadline(connect, server):
    client = connect(retry_timeout=0.5)
    queue = await client.create_queue("orders")
    await asyncio.to_thread(server.kill)
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(ConnectionLost, match=r"orders.*0\.5 s"):
        await queue.send(b"x")
    assert loop.time() - began < 5


async def test_a_server_that_does_not_answer_is_reported_within_the_deadline(connect, server):
    client = connect(retry_timeout=0.5, socket_timeout=0.3)
    queue = await client.create_queue("orders")
    server.process.send_signal(signal.SIGSTOP)
    try:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(ConnectionLost, match=r"orders.*0\.5 s"):
            await queue.send(b"x")
        assert loop.time() - began < 5
    finally:
        server.process.send_signal(signal.SIGCONT)


async def test_a_server_that_never_was_is_reported_within_the_deadline(connect):
    for url in ("redis://127.0.0.1:1", "redis+cluster://127.0.0.1:1", "unix:///nowhere/at.all"):
        client = connect(url, retry_timeout=0.3)
        with pytest.raises(ConnectionLost):
            await client.list_queues()


# --- connections --------------------------------------------------------------------------------


async def test_connections_killed_between_calls_are_made_anew(queue, raw):
    await queue.send(b"before")
    raw.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await queue.send(b"after")
    assert bodies(await queue.receive(10)) == [b"before", b"after"]


async def test_a_connection_killed_under_a_waiting_receive_is_made_anew(
    queue, client, raw, connect
):
    sleepers = Sleepers(client)
    task = asyncio.create_task(queue.receive(wait=20))
    await until(lambda: raw.info("clients")["blocked_clients"] == 1)
    raw.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await until(lambda: sleepers.naps >= 2)
    await connect().queue("orders").send(b"hello")
    assert bodies(await task) == [b"hello"]


@pytest.mark.parametrize("how", ["TIMEOUT", "ERROR"])
async def test_a_waiting_receive_that_is_unblocked_goes_on_waiting(queue, raw, connect, how):
    """UNBLOCKED is what a failover says to those who wait."""
    task = asyncio.create_task(queue.receive(wait=20))
    await until(lambda: raw.info("clients")["blocked_clients"] == 1)
    blocked = next(one for one in raw.client_list() if one["cmd"] == "blpop")
    raw.execute_command("CLIENT", "UNBLOCK", blocked["id"], how)
    await until(lambda: raw.info("clients")["blocked_clients"] in (0, 1))
    await connect().queue("orders").send(b"hello")
    assert bodies(await task) == [b"hello"]


async def test_a_receive_that_is_cancelled_leaves_a_client_that_works(backend, queue, client):
    if backend.colour == "sync":
        pytest.skip("a thread can not be cancelled")
    sleepers = Sleepers(client)
    for _ in range(3):
        task = asyncio.create_task(queue.receive(wait=20))
        await sleepers.reach(1)
        task.cancel()
        await asyncio.wait((task,))
    await queue.send(b"hello")
    assert bodies(await queue.receive(wait=5)) == [b"hello"]


async def test_a_call_that_is_cancelled_does_not_leave_its_answer_to_the_next(backend, queue, raw):
    if backend.colour == "sync":
        pytest.skip("a thread can not be cancelled")
    await queue.send_many([b"%d" % i for i in range(20)])
    await queue.info()
    for _ in range(5):
        raw.client_pause(50)
        task = asyncio.create_task(queue.receive(3))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait((task,))
        assert (await queue.info()).name == "orders"
        assert (await queue.stats()).sent == 20


# --- lost answers -------------------------------------------------------------------------------


@pytest.fixture
async def wire(server):
    async with proxy(server.port) as made:
        yield made


@pytest.fixture
async def far(connect, wire):
    """A client whose answers may get lost."""
    return connect(wire.url)


def sha(name):
    return load(name).sha.encode()


def server_knows(raw, script):
    """Load a script, so that its next call is carried out at once."""
    raw.script_load(load(f"queues/{script}").source)


async def warm(queue):
    """Let the server know the scripts, and the client the queue."""
    await queue.send(b"warm")
    await queue.delete_many(await queue.receive())


async def test_a_send_whose_answer_was_lost_is_not_enqueued_twice(far, wire):
    queue = await far.create_queue("orders")
    await warm(queue)
    wire.lose_the_answer_to(sha("queues/send"))

    sent = await queue.send(b"once")

    assert wire.lost == 1
    assert [(one.id, one.body) for one in await queue.receive(10)] == [(sent.id, b"once")]


async def test_a_batch_whose_answer_was_lost_is_not_enqueued_twice(far, wire):
    queue = await far.create_queue("orders")
    await warm(queue)
    wire.lose_the_answer_to(sha("queues/send"))

    result = await queue.send_many([b"%d" % i for i in range(5)])

    assert wire.lost == 1
    assert [one.id for one in await queue.receive(10)] == [one.id for one in result]


async def test_sends_after_a_lost_answer_are_new_ones(far, wire):
    queue = await far.create_queue("orders")
    await warm(queue)
    for i in range(4):
        if i % 2 == 0:
            wire.lose_the_answer_to(sha("queues/send"))
        await queue.send(b"%d" % i)
    assert wire.lost == 2
    assert bodies(await queue.receive(10)) == [b"0", b"1", b"2", b"3"]


async def test_a_first_send_ever_whose_answer_was_lost_is_not_enqueued_twice(far, wire):
    """The script is not known yet, so it goes out whole."""
    queue = await far.create_queue("orders")
    await queue.info()
    wire.lose_the_answer_to(b"EVAL\r\n")
    sent = await queue.send(b"once")
    assert wire.lost == 1
    assert [one.id for one in await queue.receive(10)] == [sent.id]


async def test_a_fifo_send_whose_answer_was_lost_is_not_enqueued_twice(far, wire):
    fifo = await far.create_queue("orders.fifo", content_based_deduplication=True)
    await fifo.send(b"warm", message_group_id="g")
    await fifo.delete_many(await fifo.receive())
    wire.lose_the_answer_to(sha("queues/send_fifo"))

    sent = await fifo.send(b"once", message_group_id="g")

    assert wire.lost == 1
    assert [one.id for one in await fifo.receive(10)] == [sent.id]


@pytest.fixture
def handed_in(backend, wire, connect):
    """A client of the user's own, which repeats commands by itself."""
    if backend.colour == "async":
        retry = AsyncRetry(NoBackoff(), 3)
        return redis.asyncio.Redis(host="127.0.0.1", port=wire.port, retry=retry)
    return redis.Redis(host="127.0.0.1", port=wire.port, retry=Retry(NoBackoff(), 3))


async def test_a_client_that_repeats_by_itself_enqueues_nothing_twice(
    handed_in, wire, connect, backend
):
    queue = await connect(handed_in).create_queue("orders")
    await warm(queue)
    wire.lose_the_answer_to(sha("queues/send"))

    sent = await queue.send(b"once")

    assert wire.lost == 1
    assert [one.id for one in await queue.receive(10)] == [sent.id]
    if backend.colour == "async":
        await handed_in.aclose()
    else:
        handed_in.close()


LOST = {
    "create": lambda c, q: c.create_queue("another", delay=3),
    "set_attributes": lambda c, q: q.set_attributes(delay=1),
    "tag": lambda c, q: q.tag({"a": "b"}),
    "purge": lambda c, q: q.purge(),
    "delete_queue": lambda c, q: q.delete_queue(),
    "stats": lambda c, q: q.stats(),
    "peek": lambda c, q: q.peek(),
    "sweep": lambda c, q: q.sweep(),
    "redrive_start": lambda c, q: c.queue("dead").redrive(),
    "redrive_beat": lambda c, q: c.queue("dead").redrive(),
    "accept": lambda c, q: c.queue("dead").redrive(),
    "outbox_settle": lambda c, q: c.queue("dead").redrive(),
}


@pytest.mark.parametrize("script", LOST)
async def test_a_lost_answer_of_anything_else_is_no_trouble(far, wire, raw, script):
    """A repeat of what was carried out does no harm."""
    await far.create_queue("dead")
    queue = await far.create_queue(
        "orders", redrive_policy={"dead_letter_queue": "dead", "max_receive_count": 1}
    )
    await queue.send_many([b"%d" % i for i in range(3)])
    await queue.receive(2, visibility_timeout=0)
    await queue.receive(2)
    server_knows(raw, script)
    wire.lose_the_answer_to(sha(f"queues/{script}"))

    result = await LOST[script](far, queue)

    assert wire.lost == 1
    if getattr(result, "status", None) is not None:
        assert (result.status, result.moved) == ("COMPLETED", 2)
        assert (await queue.stats()).visible + (await queue.stats()).in_flight == 3


async def test_a_cancel_whose_answer_was_lost_is_no_trouble(far, wire, raw):
    dead = await far.create_queue("dead")
    await far.create_queue("orders", redrive_policy={"dead_letter_queue": "dead"})
    await dead.send_many([b"%d" % i for i in range(20)])
    await far.create_queue("elsewhere")
    task = await dead.start_redrive("elsewhere", max_per_second=1)
    server_knows(raw, "redrive_cancel")
    wire.lose_the_answer_to(sha("queues/redrive_cancel"))
    assert (await dead.cancel_redrive(task.id)).status in ("CANCELLING", "CANCELLED")
    assert wire.lost == 1


async def test_a_delete_whose_answer_was_lost_is_done(far, wire):
    queue = await far.create_queue("orders")
    await warm(queue)
    await queue.send(b"x")
    message = (await queue.receive())[0]
    wire.lose_the_answer_to(sha("queues/delete"))
    await message.delete()
    assert wire.lost == 1
    assert (await queue.stats()).deleted == 2


async def test_a_change_of_visibility_whose_answer_was_lost_is_done(far, wire):
    queue = await far.create_queue("orders")
    await queue.send(b"x")
    message = (await queue.receive())[0]
    await message.change_visibility(20)
    wire.lose_the_answer_to(sha("queues/change_visibility"))
    await message.change_visibility(100)
    assert wire.lost == 1
    assert (await queue.stats()).in_flight == 1


# --- memory -------------------------------------------------------------------------------------


@pytest.fixture
async def full(client, raw):
    """A server that is full, with messages of which two have failed too often."""
    dead = await client.create_queue("dead")
    queue = await client.create_queue("orders")
    await queue.send_many([b"%d" % i for i in range(4)])
    await queue.receive(2, visibility_timeout=0)
    await dead.info()
    await queue.stats()
    yield queue
    raw.config_set("maxmemory", 0)


async def test_a_full_server_refuses_a_send_by_name(full, raw):
    raw.config_set("maxmemory", 1)
    with pytest.raises(OutOfMemory, match="orders"):
        await full.send(b"x" * 1000)
    raw.config_set("maxmemory", 0)
    assert (await full.stats()).sent == 4


async def test_a_full_server_still_receives_and_deletes(full, raw):
    raw.config_set("maxmemory", 1)
    got = await full.receive(10)
    assert len(got) == 4
    await got[0].change_visibility(60)
    assert list(await full.delete_many(got)) == [True] * 4
    assert (await full.stats()).deleted == 4
    assert await full.purge() == 0


async def test_a_full_server_still_receives_where_dead_letters_can_not_move(full, raw):
    """They wait in their queue; the others are not to suffer."""
    await full.set_attributes(redrive_policy={"dead_letter_queue": "dead", "max_receive_count": 1})
    raw.config_set("maxmemory", 1)

    got = await full.receive(10)

    assert sorted(bodies(got)) == [b"2", b"3"]
    raw.config_set("maxmemory", 0)
    await full.sweep()
    found = await full.stats()
    assert (found.moved, found.in_flight, found.outbox) == (2, 2, 0)


async def test_a_full_fifo_server_still_receives_and_deletes(client, full, raw):
    fifo = await client.create_queue("orders.fifo", content_based_deduplication=True)
    for i in range(3):
        await fifo.send(b"%d" % i, message_group_id="g")
    raw.config_set("maxmemory", 1)
    with pytest.raises(OutOfMemory):
        await fifo.send(b"x" * 1000, message_group_id="g")
    first = (await fifo.receive())[0]
    await first.change_visibility(0)
    got = await fifo.receive(10)
    assert list(await fifo.delete_many(got)) == [True] * 3
