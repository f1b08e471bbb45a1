"""Namespaces: one client makes another, each knows only what is there, and one can be wiped."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress

import pytest

from rmq import Limits, Settings
from rmq.core.clock import Clock
from rmq.core.keys import NAMESPACE
from rmq.errors import InvalidParameter, QueueDoesNotExist
from tests.colours import ByHand, Sleepers, bare, until
from tests.conftest import on_one_server


def bodies(messages):
    return [one.body for one in messages]


async def names(client):
    return list(await client.list_queues())


# --- another namespace --------------------------------------------------------------------------


async def test_a_client_of_another_namespace_has_queues_of_its_own(client, queue, namespace):
    other = client.in_namespace(f"{namespace}.other")
    assert other.namespace == other.settings.namespace == f"{namespace}.other"
    assert await names(other) == []

    theirs = await other.create_queue("orders", delay=0)
    await theirs.send(b"theirs")
    await queue.send(b"ours")

    assert bodies(await queue.receive(10)) == [b"ours"]
    assert bodies(await theirs.receive(10)) == [b"theirs"]
    assert (client.namespace, client.settings.namespace) == (namespace, namespace)


async def test_it_shares_connections_limits_clock_and_events(connect, namespace, clock):
    client = connect(limits=Limits.aws(max_receive=3))
    other = client.in_namespace(f"{namespace}.other")
    assert bare(other)._executor is bare(client)._executor
    assert (other.limits, other.clock, other.events) == (client.limits, client.clock, client.events)
    heard = []
    client.events.listen(heard.append)
    queue = await other.create_queue("orders", visibility_timeout=30)
    await queue.send(b"x")
    await queue.receive()
    clock.move(30)
    assert [one.receive_count for one in await queue.receive()] == [2]
    assert heard
    with pytest.raises(InvalidParameter, match="max_messages"):
        await queue.receive(4)


async def test_closing_it_closes_nothing(client, queue, namespace):
    other = client.in_namespace(f"{namespace}.other")
    theirs = await other.create_queue("orders")
    async with client.in_namespace(f"{namespace}.third"):
        pass
    await other.close()
    await queue.send(b"x")
    await theirs.send(b"x")
    assert len(await queue.receive()) == 1
    await other.in_namespace(f"{namespace}.fourth").close()
    assert len(await theirs.receive()) == 1


@pytest.mark.parametrize(
    "name", ["", "a" * 65, "a:b", "a b", "a*", "{a}", "ä", "a\n", None, 5, b"a"]
)
async def test_what_can_not_be_a_namespace_is_refused(client, name):
    with pytest.raises(InvalidParameter, match="namespace"):
        client.in_namespace(name)


def test_settings_accept_the_same_namespaces():
    [pattern] = [
        one.pattern
        for one in Settings.model_fields["namespace"].metadata
        if getattr(one, "pattern", None)
    ]
    assert pattern == f"^{NAMESPACE.pattern}$"


# --- what is kept of queues that are not there ----------------------------------------------------


def kept(client):
    """How many entries a client keeps, in whatever table."""
    gc.collect()
    registry = bare(client)._registry
    tables = [getattr(registry, name) for name in vars(registry)]
    return sum(len(one) for one in tables if hasattr(one, "__len__") and not isinstance(one, str))


USES = {
    "nothing": lambda queue: asyncio.sleep(0),
    "info": lambda queue: queue.info(),
    "send": lambda queue: queue.send(b"x"),
    "receive": lambda queue: queue.receive(),
    "a receive that waits": lambda queue: queue.receive(wait=1),
    "a bad receive": lambda queue: queue.receive(99),
    "delete": lambda queue: queue.delete("AAAA"),
    "stats": lambda queue: queue.stats(),
    "peek": lambda queue: queue.peek(),
    "tags": lambda queue: queue.tags(),
    "purge": lambda queue: queue.purge(),
    "set_attributes": lambda queue: queue.set_attributes(delay=1),
    "delete_queue": lambda queue: queue.delete_queue(),
    "dead_letter_sources": lambda queue: queue.dead_letter_sources(),
    "redrive": lambda queue: queue.redrive(),
    "redrive_tasks": lambda queue: queue.redrive_tasks(),
}


@pytest.mark.parametrize("use", USES)
async def test_nothing_is_kept_of_queues_that_do_not_exist(client, use):
    for i in range(20):
        with suppress(QueueDoesNotExist, InvalidParameter):
            await USES[use](client.queue(f"q{i}"))
    for i in range(20):
        with pytest.raises(InvalidParameter):
            await client.create_queue(f"q{i}", delay=-1)
        with pytest.raises(InvalidParameter):
            await client.create_queue(f"q{i}", redrive_policy={"dead_letter_queue": f"d{i}"})
    assert await until(lambda: kept(client) == 0)
    if hasattr(bare(client)._executor, "_lines"):
        assert bare(client)._executor._lines == {}


async def test_nothing_is_kept_of_queues_that_were_deleted(client):
    for i in range(5):
        queue = await client.create_queue(f"q{i}")
        await queue.send(b"x")
        await client.delete_queue(f"q{i}")
    del queue
    assert await until(lambda: kept(client) == 0)


async def test_a_queue_that_is_there_is_made_once(client):
    await client.create_queue("orders")
    first = bare(client).queue("orders")
    mark = id(first)
    del first
    gc.collect()
    assert id(bare(client).queue("orders")) == mark


async def test_of_a_queue_in_somebodys_hands_there_is_one_whether_it_is_there_or_not(client):
    held = bare(client).queue("orders")
    with pytest.raises(QueueDoesNotExist):
        await client.queue("orders").send(b"x")
    assert bare(client).queue("orders") is held
    await client.create_queue("orders")
    assert bare(client).queue("orders") is held
    await client.delete_queue("orders")
    assert bare(client).queue("orders") is held


# --- wipe ---------------------------------------------------------------------------------------


@pytest.fixture
def left(raw, namespace):
    """What keys begin with the test's namespace."""
    return lambda: sorted(key.decode() for key in raw.scan_iter(f"{namespace}*"))


async def test_a_wipe_removes_every_key_and_says_how_many(client, fifo, left):
    for i in range(30):
        queue = await client.create_queue(f"q{i}", tags={"a": "b"})
        await queue.send_many([b"a", b"b"])
        await queue.receive(visibility_timeout=1)
    await fifo.send(b"x", message_group_id="g")
    before = len(left())

    assert await client.wipe() == before > 150

    assert left() == []
    assert await names(client) == []
    assert await client.wipe() == 0


async def test_a_wipe_removes_more_than_one_step_of_keys(client, raw, namespace, left):
    for i in range(1200):
        raw.set(f"{namespace}:{{q:{i}}}:state", "x")
    assert await client.wipe() == 1200
    assert left() == []


async def test_a_wipe_leaves_other_namespaces(client, queue, namespace, left):
    others = [f"{namespace}2", f"{namespace}.other", f"{namespace}-x", namespace[:-1]]
    for one in others:
        await client.in_namespace(one).create_queue("orders")

    await client.wipe()

    for one in others:
        assert await names(client.in_namespace(one)) == ["orders"]


async def test_a_nested_wipe_removes_those_behind_a_dot_as_well(client, queue, namespace, left):
    gone = [f"{namespace}.a", f"{namespace}.a.b", f"{namespace}."]
    others = [f"{namespace}2", f"{namespace}-x.a", f"{namespace}2.a", namespace[:-1]]
    for one in gone + others:
        await client.in_namespace(one).create_queue("orders")

    assert await client.wipe(nested=True) == 3 * (1 + len(gone))

    for one in [namespace, *gone]:
        assert await names(client.in_namespace(one)) == []
    for one in others:
        other = client.in_namespace(one)
        assert await names(other) == ["orders"]
        await other.wipe()
    assert left() == []


async def test_a_wiped_client_works_on_as_a_new_one(client, queue):
    await queue.send(b"old")
    await client.wipe()
    with pytest.raises(QueueDoesNotExist):
        await queue.send(b"x")

    await client.create_queue("orders")
    await queue.send(b"new")

    assert bodies(await queue.receive(10)) == [b"new"]


async def test_a_wiped_client_forgets_what_it_knew(client, queue):
    await queue.send(b"x")
    await client.wipe()
    del queue
    assert bare(client)._registry._keys == {}


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("name", ["orders", "orders.fifo"])
async def test_receives_that_wait_see_that_their_queue_was_wiped(connect, left, held, name):
    client = connect() if held else connect(clock=Clock())
    await client.create_queue(name)
    other = client.in_namespace(f"{client.namespace}.inner")
    await other.create_queue(name)
    sleepers = Sleepers(client)
    tasks = [asyncio.create_task(one.queue(name).receive(wait=20)) for one in (client, other) * 5]
    await sleepers.reach(10)
    begun = asyncio.get_running_loop().time()

    await client.wipe(nested=True)

    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in done] == [QueueDoesNotExist] * 10
    assert asyncio.get_running_loop().time() - begun < 10  # they would wait for 20
    assert left() == []


@pytest.mark.parametrize("nested", [False, True])
async def test_a_wipe_lets_those_wait_who_wait_elsewhere(client, namespace, nested):
    """The dot in a namespace is a dot, not any character."""
    one, other = client.in_namespace(f"{namespace}.b"), client.in_namespace(f"{namespace}xb")
    await one.create_queue("orders")
    theirs = await other.create_queue("orders")
    sleepers = Sleepers(client)
    task = asyncio.create_task(theirs.receive(wait=20))
    await sleepers.reach(1)

    await one.wipe(nested=nested)

    await asyncio.sleep(0.05)
    assert (sleepers.count, sleepers.naps) == (1, 1)
    await theirs.send(b"x")
    assert bodies(await task) == [b"x"]
    await other.wipe()


async def test_a_wipe_does_not_wait_for_ever_for_a_thread_that_does_not_wake(
    backend, client, namespace, left
):
    if backend.colour == "async":
        pytest.skip("there is nothing to wait for")
    from rmq.core.executor.threads import _Wait

    stuck = _Wait(f"{namespace}:{{q:orders}}:wake")
    bare(client)._executor._waits.add(stuck)
    await client.wipe()
    assert stuck.ended
    assert left() == []


async def test_a_receive_that_is_about_to_sleep_sees_the_wipe(client, queue):
    """Its call was answered before the wipe; nobody would wake it afterwards."""
    from rmq.queues import plans

    await queue.receive()
    plan = plans.receive(bare(client)._registry, "orders", lambda *parts: parts, wait=20)
    receive = ByHand(client, plan)
    assert await receive.through("queues.receive")

    await client.wipe()

    with pytest.raises(QueueDoesNotExist):
        await receive.finish()


@on_one_server
async def test_a_wipe_takes_bounded_steps(client, raw, namespace):
    raw.config_resetstat()
    for i in range(1100):
        raw.set(f"{namespace}:{{q:{i}}}:state", "x")
    await client.wipe()
    calls = {name: one["calls"] for name, one in raw.info("commandstats").items()}
    assert calls["cmdstat_scan"] >= 3
    assert calls["cmdstat_unlink"] >= 3
    assert "cmdstat_keys" not in calls
