"""Faults: answers that get lost, a server that restarts, a queue's node that goes away for a while.
Everything arrives, and nothing twice."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import closing
from functools import partial

import pytest
from redis.crc import key_slot

from rmq import Notification
from rmq.core.clock import Clock
from rmq.core.keys import QueueKeys, TopicKeys
from rmq.core.script import load
from rmq.errors import OutOfMemory
from rmq.topics import commands
from tests.colours import bare, in_thread, until
from tests.conftest import on_one_server
from tests.core.proxy import proxy
from tests.servers import SLOTS, cluster, single_server
from tests.topics.reading import settled, texts

DURABLE = {"appendonly": "yes", "appendfsync": "always"}


@pytest.fixture
def clock():
    """Real time: what goes away must be noticed by itself."""
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


# --- lost answers -------------------------------------------------------------------------------


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


@pytest.fixture
async def three(far):
    """A standard topic with three queues."""
    topic = await far.create_topic("news")
    for name in "abc":
        await far.create_queue(name)
        await topic.subscribe(name, raw_message_delivery=True)
    return topic


@on_one_server
@pytest.mark.parametrize("script", ["topics/publish", "queues/deliver", "topics/settle"])
async def test_a_publish_whose_answer_was_lost_is_done_once(far, three, wire, raw, script):
    await three.publish("0")
    lose(wire, raw, script)
    await three.publish("1")
    await until(lambda: wire.lost == 1)
    await three.publish_many(["2", "3"])
    for name in "abc":
        assert await texts(far.queue(name)) == ["0", "1", "2", "3"]
    await settled(three)
    assert (await three.stats()).published == 4


@on_one_server
@pytest.mark.parametrize(
    "script", ["topics/publish_fifo", "topics/relay", "queues/deliver_fifo", "queues/deliver"]
)
async def test_a_publish_on_a_fifo_topic_whose_answer_was_lost_is_done_once(far, wire, raw, script):
    """Also when the answer was that it is the relayer now: nobody else would relay."""
    topic = await far.create_topic("news.fifo", content_based_deduplication=True)
    for name in ("a.fifo", "b.fifo", "c"):
        await far.create_queue(name)
        await topic.subscribe(name, raw_message_delivery=True)
    await topic.publish("0", message_group_id="g")
    lose(wire, raw, script)
    await topic.publish("1", message_group_id="g")
    assert wire.lost == 1
    for name in ("a.fifo", "b.fifo", "c"):
        assert await texts(far.queue(name)) == ["0", "1"]
    await topic.publish("2", message_group_id="g")
    for name in ("a.fifo", "b.fifo", "c"):
        assert await texts(far.queue(name)) == ["2"]
    assert (await topic.stats()).outbox == 0


LOST = {
    "topics/create": lambda c, t: c.create_topic("another", display_name="x"),
    "topics/set_attributes": lambda c, t: t.set_attributes(display_name="x"),
    "topics/tag": lambda c, t: t.tag({"a": "b"}),
    "topics/stats": lambda c, t: t.stats(),
    "topics/changes": lambda c, t: t.subscriptions(),
    "topics/describe": lambda c, t: t.info(),
    "topics/sweep": lambda c, t: t.sweep(),
    "topics/outbox_read": lambda c, t: t.sweep(),
}


@on_one_server
@pytest.mark.parametrize("script", LOST)
async def test_a_lost_answer_of_anything_else_is_no_trouble(far, three, wire, raw, script):
    lose(wire, raw, script)
    await LOST[script](far, three)
    assert wire.lost == 1


@on_one_server
async def test_subscribing_changing_and_ending_is_done_once_whatever_is_lost(far, wire, raw):
    topic = await far.create_topic("news")
    queue = await far.create_queue("orders")
    lose(wire, raw, "topics/put_subscription")
    one = await topic.subscribe(queue)
    lose(wire, raw, "topics/put_subscription")
    changed = await topic.set_subscription(one.id, raw_message_delivery=True)
    assert changed.attributes.raw_message_delivery is True
    await topic.publish("x")
    lose(wire, raw, "topics/put_subscription")
    assert await topic.unsubscribe(one.id) is True
    assert wire.lost == 3
    assert len(await topic.subscriptions()) == 0
    assert await texts(queue) == ["x"]


@on_one_server
async def test_a_delete_whose_answer_was_lost_is_done(far, three, wire, raw):
    lose(wire, raw, "topics/delete_topic")
    assert await three.delete_topic() is True
    assert list(await far.list_topics()) == []


@on_one_server
async def test_a_publish_is_repeated_as_such_also_when_the_topic_was_changed_meanwhile(
    connect, raw
):
    """Refused, it would be made anew, and the next one on its lane be taken for it."""
    client = connect()
    topic = await client.create_topic("news")
    await topic.publish("0")
    registry = bare(client)._topics
    lane = registry.take_lane("news")
    info, number = registry.known("news"), registry.topic("news").audience.number

    async def publish():
        call = commands.publish(
            registry.keys("news"), info, number, lane.id, lane.seen, (0, 0), b"\x90", 1, False
        )
        done = bare(client)._executor._step(call)
        return await done if asyncio.iscoroutine(done) else done

    first = await publish()
    await topic.set_attributes(display_name="changed")
    assert (await publish())[0] == first[0]
    assert (await topic.stats()).published == 2


# --- the server ---------------------------------------------------------------------------------


@on_one_server
@pytest.mark.parametrize("name", ["news", "news.fifo"])
async def test_a_server_that_restarts_while_somebody_publishes_loses_nothing(
    connect, namespace, name
):
    with single_server(options=DURABLE) as server:
        client = connect(server.url)
        topic = await client.create_topic(name)
        suffix = ".fifo" if topic.is_fifo else ""
        queues = [await client.create_queue(f"{one}{suffix}") for one in "ab"]
        for queue in queues:
            await topic.subscribe(queue, raw_message_delivery=True)
        published = 0

        async def publish():
            nonlocal published
            for i in range(200):
                more = {"message_group_id": "g", "deduplication_id": f"{i}"} if suffix else {}
                await topic.publish(f"{i}", **more)
                published += 1

        task = asyncio.create_task(publish())
        for share in (50, 120):
            await until(lambda share=share: published >= share)
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
        await task
        await topic.sweep()
        for queue in queues:
            got = await texts(queue)
            assert len(got) == 200, "one is missing, or there twice"
            assert set(got) == {f"{i}" for i in range(200)}
            assert not suffix or got == [f"{i}" for i in range(200)]


@on_one_server
async def test_a_full_server_refuses_a_publish_by_name_and_what_was_published_arrives(
    connect, raw, namespace
):
    client = connect()
    topic = await client.create_topic("news")
    queue = await client.create_queue("orders")
    await topic.subscribe(queue, raw_message_delivery=True)
    await topic.publish("0")
    raw.config_set("maxmemory", 1)
    try:
        with pytest.raises(OutOfMemory, match="news"):
            await topic.publish("1")
        assert await topic.sweep() == 0
    finally:
        raw.config_set("maxmemory", 0)
    await topic.publish("2")
    assert await texts(queue) == ["0", "2"]


@on_one_server
async def test_scripts_that_the_server_forgot_are_sent_again(connect, raw):
    client = connect()
    topic = await client.create_topic("news")
    for name in "ab":
        await client.create_queue(name)
        await topic.subscribe(name, raw_message_delivery=True)
    for i in range(3):
        raw.script_flush()
        await topic.publish(f"{i}")

    async def is_settled():
        return (await topic.stats()).outbox == 0

    await until(is_settled)  # which nobody waits for
    for name in "ab":
        assert await texts(client.queue(name)) == ["0", "1", "2"]


# --- a node of a cluster ------------------------------------------------------------------------

on_a_cluster = pytest.mark.parametrize("backend", ["async-cluster", "sync-cluster"], indirect=True)
PRIMARIES = 3
PARTIAL = DURABLE | {"cluster-require-full-coverage": "no"}


@pytest.fixture(scope="module")
def nodes():
    with cluster(primaries=PRIMARIES, replicas=0, options=PARTIAL) as made:
        yield made


def named(prefix, node, of, suffix=""):
    """A name whose keys lie on the node of that number."""
    for number in range(1000):
        name = f"{prefix}{number}{suffix}"
        if key_slot(of(name).encode()) * PRIMARIES // SLOTS == node:
            return name
    raise AssertionError("unreachable")


class Killed:
    """A node that is gone: nobody takes the connection."""

    timeout_s = 10.0
    """How long an answer is waited for. Whoever is there is slow now and then."""
    most_s = 8.0
    """How long ten publishes may take."""

    def __init__(self, node):
        self.leave, self.come_back = node.kill, node.start


class Paused:
    """A node that stands still: it takes all, and answers nothing. One publish finds that out, and
    the others go on without it."""

    timeout_s = 2.0
    most_s = 10.0

    def __init__(self, node):
        self.leave = partial(node.process.send_signal, signal.SIGSTOP)
        self.come_back = partial(node.process.send_signal, signal.SIGCONT)


@on_a_cluster
@pytest.mark.parametrize(
    ("suffix", "way"),
    [("", Killed), (".fifo", Killed), ("", Paused)],
    ids=["standard-killed", "fifo-killed", "standard-paused"],
)
async def test_a_queue_whose_node_is_away_holds_up_nobody_and_gets_everything_later(
    connect, nodes, namespace, suffix, way
):
    client = connect(nodes.url, socket_timeout=way.timeout_s)
    topic = await client.create_topic(
        named("t", 0, lambda name: TopicKeys(namespace, name).state, suffix)
    )
    queues = []
    for node in range(PRIMARIES):
        name = named("q", node, lambda name: QueueKeys(namespace, name).state, suffix)
        queues.append(await client.create_queue(name))
        await topic.subscribe(queues[-1], raw_message_delivery=True)

    async def publish(*messages):
        more = {"message_group_id": "g"} if suffix else {}
        for message in messages:
            more |= {"deduplication_id": message} if suffix else {}
            published = await topic.publish_many([Notification(message, **more)])
            published.raise_for_failures()

    first, away, third = queues
    await publish("0", "1")
    node = way(nodes.nodes[1])
    await asyncio.to_thread(node.leave)
    began = time.monotonic()
    await publish(*(f"{i}" for i in range(2, 12)))
    took = time.monotonic() - began
    assert took < way.most_s, f"who is away was waited for, {took:.1f} s"
    for queue in (first, third):
        assert await texts(queue) == [f"{i}" for i in range(12)]
    assert (await topic.stats()).outbox == 10

    await asyncio.to_thread(node.come_back)
    await in_thread(nodes.wait_until_settled)
    await topic.sweep()
    await publish("12")
    got = await texts(away)
    assert sorted(got, key=int) == [f"{i}" for i in range(13)]
    if suffix:
        assert got == [f"{i}" for i in range(13)]
    for queue in (first, third):
        assert await texts(queue) == ["12"]
    await settled(topic)


@on_a_cluster
async def test_a_dead_letter_queue_that_is_away_gets_its_letters_later(connect, nodes, namespace):
    client = connect(nodes.url, socket_timeout=Killed.timeout_s)
    topic = await client.create_topic(named("t", 0, lambda name: TopicKeys(namespace, name).state))
    gone = await client.create_queue(named("g", 0, lambda name: QueueKeys(namespace, name).state))
    dead = await client.create_queue(named("d", 1, lambda name: QueueKeys(namespace, name).state))
    await topic.subscribe(gone, raw_message_delivery=True, dead_letter_queue=dead)
    await gone.delete_queue()
    fresh = connect(nodes.url, socket_timeout=Killed.timeout_s).topic(topic.name)
    assert len(await fresh.subscriptions()) == 1
    await asyncio.to_thread(nodes.nodes[1].kill)
    await fresh.publish("x")
    assert (await topic.stats()).outbox == 1
    await asyncio.to_thread(nodes.nodes[1].start)
    await in_thread(nodes.wait_until_settled)
    await topic.sweep()
    assert await texts(dead) == ["x"]
    await settled(topic)
