"""Connecting: URLs, settings, clients that are handed in, and servers that we refuse."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager

import fakeredis
import pytest
import redis
import redis.asyncio

import rmq
from rmq.core.connection import SCHEMES, _nodes
from rmq.core.executor import tasks
from rmq.errors import ConfigurationError
from rmq.testing import private_namespace
from tests.colours import until
from tests.conftest import on_one_server
from tests.servers import single_server

both_colours = pytest.mark.parametrize("backend", ["async-memory", "sync-memory"], indirect=True)


async def roundtrip(client):
    """Use a client once."""
    queue = await client.create_queue("orders")
    sent = await queue.send(b"hello")
    got = await queue.receive()
    assert [(one.id, one.body) for one in got] == [(sent.id, b"hello")]
    await got[0].delete()


# --- memory -------------------------------------------------------------------------------------


@both_colours
async def test_memory_is_shared_within_the_process(backend):
    namespace = private_namespace()
    async with (
        backend.connect("memory://", namespace=namespace) as one,
        backend.connect("memory://", namespace=namespace) as other,
    ):
        await (await one.create_queue("orders")).send(b"hello")
        assert [m.body for m in await other.queue("orders").receive()] == [b"hello"]


@both_colours
async def test_memory_is_shared_between_the_colours(backend):
    namespace = private_namespace()
    with rmq.connect("memory://", namespace=namespace) as one:
        async with rmq.connect_async("memory://", namespace=namespace) as other:
            one.create_queue("orders").send(b"hello")
            assert [m.body for m in await other.queue("orders").receive()] == [b"hello"]


@both_colours
async def test_memory_of_another_name_is_apart(backend):
    namespace = private_namespace()
    async with (
        backend.connect(f"memory://{namespace}-a", namespace=namespace) as one,
        backend.connect(f"memory://{namespace}-b", namespace=namespace) as other,
    ):
        await one.create_queue("orders")
        assert list(await other.list_queues()) == []


# --- namespaces and keys ------------------------------------------------------------------------


async def test_every_key_begins_with_the_namespace(client, raw, namespace):
    before = set(raw.scan_iter("*"))
    await use_everything(client)
    made = set(raw.scan_iter("*")) - before
    assert made
    assert [key for key in made if not key.startswith(namespace.encode() + b":")] == []


async def test_every_key_of_a_queue_has_the_hash_tag_of_the_queue(client, raw, namespace):
    await use_everything(client)
    keys = {key.decode() for key in raw.scan_iter(f"{namespace}:*")}
    tags = {key.partition("{")[2].partition("}")[0] for key in keys}
    assert tags == {"queues", "q:dead", "q:orders", "q:orders.fifo"}


async def use_everything(client):
    dead = await client.create_queue("dead", tags={"a": "b"})
    queue = await client.create_queue(
        "orders", redrive_policy={"dead_letter_queue": "dead", "max_receive_count": 1}
    )
    fifo = await client.create_queue("orders.fifo", content_based_deduplication=True)
    await queue.send_many([b"a", b"b"])
    await queue.send(b"late", delay=60)
    await queue.receive(visibility_timeout=0)
    await queue.receive()
    await dead.redrive()
    await queue.receive(wait=0)
    for i in range(3):
        await fifo.send(b"%d" % i, message_group_id="g")
    await fifo.receive(receive_request_attempt_id="a")


async def test_namespaces_that_begin_alike_are_apart(connect, namespace):
    one, other = connect(), connect(namespace=f"{namespace}x")
    await (await one.create_queue("orders")).send(b"one")
    await (await other.create_queue("orders")).send(b"other")
    assert [m.body for m in await one.queue("orders").receive(10)] == [b"one"]
    await one.delete_queue("orders")
    assert [m.body for m in await other.queue("orders").receive(10)] == [b"other"]


@pytest.mark.parametrize("name", ["", "a b", "a:b", "{a}", "x" * 65, "ü"])
@both_colours
async def test_a_bad_namespace_is_refused(backend, name):
    with pytest.raises(ConfigurationError, match="namespace"):
        backend.connect("memory://", namespace=name)


# --- URLs ---------------------------------------------------------------------------------------

BAD_URLS = (
    "",
    "localhost",
    "localhost:6379",
    "http://localhost",
    "sqs://x",
    "//localhost",
    "redis://localhost:port",
    "redis+cluster://",
    "redis+cluster://a:b",
    "redis+cluster://a:1,b:x",
)


@pytest.mark.parametrize("url", BAD_URLS)
@both_colours
async def test_a_bad_url_is_refused_and_the_schemes_are_named(backend, url):
    with pytest.raises(ConfigurationError) as caught:
        backend.connect(url)
    for scheme in ("memory://", "redis://", "rediss://", "unix://", "redis+cluster://"):
        assert scheme in str(caught.value)


@both_colours
async def test_an_error_about_a_url_does_not_show_its_password(backend):
    with pytest.raises(ConfigurationError) as caught:
        backend.connect("redis://user:hunter2@localhost:port")
    assert "hunter2" not in str(caught.value)


def test_the_hosts_of_a_cluster_url():
    nodes, options = _nodes("redis+cluster://a:7000,b,[::1]:7002?client_name=x")
    assert nodes == [("a", 7000), ("b", 6379), ("::1", 7002)]
    assert options["client_name"] == "x"


def test_a_password_in_a_cluster_url_may_be_percent_encoded():
    """As in every other URL."""
    _, options = _nodes("redis+cluster://me:p%40ss%2Fword@a:7000")
    assert (options["username"], options["password"]) == ("me", "p@ss/word")


def test_the_schemes():
    assert {"memory", "redis", "rediss", "unix", "redis+cluster"} <= set(SCHEMES)


@both_colours
async def test_a_database_of_a_server_can_be_chosen(backend, servers, namespace):
    url = servers.url("valkey")
    async with (
        backend.connect(f"{url}/1", namespace=namespace) as one,
        backend.connect(f"{url}/2", namespace=namespace) as other,
    ):
        await roundtrip(one)
        assert list(await other.list_queues()) == []


@both_colours
async def test_options_in_a_url_are_for_redis_py(backend, servers, namespace):
    url = f"{servers.url('valkey')}?protocol=3&client_name={namespace}"
    async with backend.connect(url, namespace=namespace) as client:
        await roundtrip(client)
        await roundtrip_fifo(client)
        raw = servers.client("valkey")
        assert namespace in [one["name"] for one in raw.client_list()]
        raw.close()


async def roundtrip_fifo(client):
    fifo = await client.create_queue("orders.fifo", content_based_deduplication=True)
    await fifo.send(b"x", message_group_id="g")
    assert (await fifo.receive())[0].message_group_id == "g"
    assert (await fifo.stats()).in_flight == 1
    assert len(await fifo.peek()) == 1


@both_colours
async def test_a_cluster_can_be_found_through_one_of_its_nodes(backend, servers, namespace):
    first = servers.url("cluster").split(",")[0]
    async with backend.connect(first, namespace=namespace) as client:
        for i in range(5):
            await client.create_queue(f"q{i}")
            await client.queue(f"q{i}").send(b"x")
        assert len(await client.list_queues()) == 5


@both_colours
async def test_a_unix_socket(backend, namespace):
    # Not tmp_path: a socket's path may have 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="rmq-") as folder:
        path = f"{folder}/socket"
        with single_server(options={"unixsocket": path}):
            async with backend.connect(f"unix://{path}", namespace=namespace) as client:
                await roundtrip(client)


# --- settings -----------------------------------------------------------------------------------


@both_colours
async def test_without_a_url_the_environment_decides(backend, servers, namespace, monkeypatch):
    monkeypatch.setenv("RMQ_URL", servers.url("valkey"))
    monkeypatch.setenv("RMQ_NAMESPACE", namespace)
    connect = rmq.connect_async if backend.colour == "async" else rmq.connect
    client = connect()
    assert (client.settings.url, client.namespace) == (servers.url("valkey"), namespace)
    raw = servers.client("valkey")
    async with type(backend)(backend.colour, "valkey", servers.url("valkey")).connect() as used:
        await roundtrip(used)
    assert list(raw.scan_iter(f"{namespace}:*"))
    raw.close()
    closed = client.close()
    if backend.colour == "async":
        await closed


def test_without_url_and_environment_it_is_memory(monkeypatch):
    monkeypatch.delenv("RMQ_URL", raising=False)
    with rmq.connect() as client:
        assert client.settings.url == "memory://"
        assert client.namespace == "default"


def test_what_is_given_wins_over_the_environment(monkeypatch):
    monkeypatch.setenv("RMQ_URL", "redis://nowhere.invalid")
    monkeypatch.setenv("RMQ_NAMESPACE", "theirs")
    monkeypatch.setenv("RMQ_RETRY_TIMEOUT", "7")
    with rmq.connect("memory://", namespace="ours") as client:
        assert (client.settings.url, client.namespace) == ("memory://", "ours")
        assert client.settings.retry_timeout == 7


@pytest.mark.parametrize(
    ("variable", "value"),
    [("RMQ_NAMESPACE", "a b"), ("RMQ_RETRY_TIMEOUT", "soon"), ("RMQ_SOCKET_TIMEOUT", "0")],
)
def test_a_bad_setting_of_the_environment_is_named(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=variable.removeprefix("RMQ_").lower()):
        rmq.connect("memory://")


@both_colours
async def test_an_unknown_setting_is_named_with_those_there_are(backend):
    with pytest.raises(ConfigurationError, match=r"timeoutt.*retry_timeout"):
        backend.connect("memory://", timeoutt=3)


# --- clients that are handed in -----------------------------------------------------------------


@asynccontextmanager
async def theirs(backend, servers, place, **options):
    """A redis-py client of the user's own."""
    if place == "memory":
        kind = fakeredis.FakeAsyncRedis if backend.colour == "async" else fakeredis.FakeRedis
        client = kind(**options)
    else:
        host, port = (
            servers.url(place)
            .removeprefix("redis+cluster://")
            .split(",")[0]
            .removeprefix("redis://")
            .split(":")
        )
        module = redis.asyncio if backend.colour == "async" else redis
        kind = module.RedisCluster if place == "cluster" else module.Redis
        client = kind(host=host, port=int(port), **options)
    yield client
    if backend.colour == "async":
        await client.aclose()
    else:
        client.close()


@pytest.mark.parametrize("place", ["memory", "valkey", "cluster"])
@both_colours
async def test_a_client_of_ones_own_can_be_handed_in_and_stays_open(
    backend, servers, namespace, place
):
    async with theirs(backend, servers, place) as own:
        async with backend.connect(own, namespace=namespace) as client:
            await roundtrip(client)
            await roundtrip_fifo(client)
            sent = asyncio.create_task(later(client))
            assert [m.body for m in await client.queue("orders").receive(wait=5)] == [b"late"]
            await sent
        pong = own.ping()
        assert (await pong) if backend.colour == "async" else pong


async def later(client):
    await asyncio.sleep(0.1)
    await client.queue("orders").send(b"late")


@pytest.mark.parametrize("place", ["valkey", "cluster"])
@both_colours
async def test_a_client_with_a_short_socket_timeout_can_wait_long(
    backend, servers, namespace, place
):
    async with (
        theirs(backend, servers, place, socket_timeout=0.5) as own,
        backend.connect(own, namespace=namespace, retry_timeout=1) as client,
    ):
        queue = await client.create_queue("orders")
        assert await queue.receive(wait=1) == []


@both_colours
async def test_a_client_of_protocol_3_can_be_handed_in(backend, servers, namespace):
    async with (
        theirs(backend, servers, "valkey", protocol=3) as own,
        backend.connect(own, namespace=namespace) as client,
    ):
        await roundtrip(client)
        await roundtrip_fifo(client)


@both_colours
async def test_a_client_of_a_single_connection_can_be_handed_in(backend, servers, namespace):
    async with (
        theirs(backend, servers, "valkey", single_connection_client=True) as own,
        backend.connect(own, namespace=namespace) as client,
    ):
        await roundtrip(client)


@pytest.mark.parametrize("place", ["memory", "valkey", "cluster"])
@both_colours
async def test_a_client_that_decodes_is_refused(backend, servers, place):
    async with theirs(backend, servers, place, decode_responses=True) as own:
        with pytest.raises(ConfigurationError, match="decode_responses"):
            backend.connect(own)


@both_colours
async def test_a_client_of_the_other_colour_is_refused(backend):
    other = fakeredis.FakeRedis() if backend.colour == "async" else fakeredis.FakeAsyncRedis()
    with pytest.raises(ConfigurationError, match="redis"):
        backend.connect(other)


@pytest.mark.parametrize("target", [5, {}, b"memory://", ["memory://"]], ids=repr)
@both_colours
async def test_what_is_no_client_is_refused(backend, target):
    with pytest.raises(ConfigurationError, match="URL"):
        backend.connect(target)


# --- servers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random"])
@both_colours
async def test_a_server_that_may_drop_messages_is_refused_every_time(backend, namespace, policy):
    with single_server(options={"maxmemory-policy": policy}) as server:
        async with backend.connect(server.url, namespace=namespace) as client:
            for _ in range(2):
                with pytest.raises(ConfigurationError, match=policy):
                    await client.create_queue("orders")


@both_colours
async def test_a_server_that_may_drop_messages_can_be_accepted(backend, namespace):
    with single_server(options={"maxmemory-policy": "allkeys-lru"}) as server:
        async with backend.connect(server.url, namespace=namespace, allow_eviction=True) as client:
            await roundtrip(client)


@both_colours
async def test_a_server_that_drops_only_what_has_an_end_is_accepted(backend, namespace):
    with single_server(options={"maxmemory-policy": "volatile-lru"}) as server:
        async with backend.connect(server.url, namespace=namespace) as client:
            await roundtrip(client)


@both_colours
async def test_a_wrong_password_is_a_clear_error_at_once(backend, namespace):
    with single_server() as server:
        raw = server.client()
        raw.execute_command("ACL", "SETUSER", "me", "on", ">secret", "~*", "+@all")
        raw.close()
        address = server.url.removeprefix("redis://")
        async with backend.connect(f"redis://me:secret@{address}", namespace=namespace) as client:
            await roundtrip(client)
        async with backend.connect(f"redis://me:wrong@{address}", namespace=namespace) as client:
            with pytest.raises(ConfigurationError, match="login") as caught:
                await client.create_queue("orders")
            assert "wrong" not in str(caught.value).replace("WRONGPASS", "")


@both_colours
async def test_a_missing_password_is_a_clear_error_at_once(backend, namespace, servers):
    with single_server() as server:
        raw = server.client()
        raw.config_set("requirepass", "secret")
        raw.close()
        async with backend.connect(server.url, namespace=namespace) as client:
            with pytest.raises(ConfigurationError, match="login"):
                await client.create_queue("orders")


@both_colours
async def test_a_user_who_may_not_look_at_the_server_may_still_use_it(backend, namespace):
    with single_server() as server:
        raw = server.client()
        rules = ("on", ">secret", f"~{namespace}:*", "+@all", "-info", "-config")
        raw.execute_command("ACL", "SETUSER", "me", *rules)
        raw.close()
        address = server.url.removeprefix("redis://")
        async with backend.connect(f"redis://me:secret@{address}", namespace=namespace) as client:
            await roundtrip(client)
            await roundtrip_fifo(client)


@both_colours
async def test_a_user_of_another_namespace_is_told_so(backend, namespace):
    with single_server() as server:
        raw = server.client()
        raw.execute_command("ACL", "SETUSER", "me", "on", ">secret", "~other:*", "+@all")
        raw.close()
        address = server.url.removeprefix("redis://")
        async with backend.connect(f"redis://me:secret@{address}", namespace=namespace) as client:
            with pytest.raises(rmq.RmqError, match=r"(?i)perm"):
                await client.create_queue("orders")


LOOPS = """
import asyncio, sys, rmq

async def once():
    queue = await client.create_queue("orders")
    await asyncio.gather(queue.send(b"x"), queue.send(b"y"))
    assert len(await queue.receive(10)) == 2
    await queue.receive(wait=0.05)
    await queue.purge()

client = rmq.connect_async(sys.argv[1], namespace=sys.argv[2])
asyncio.run(once())
asyncio.run(once())
"""


def test_an_async_client_can_be_used_in_one_loop_after_the_other(servers, namespace):
    """As `asyncio.run` in a script, or a test suite, does. A process of its own, because what it
    leaves open would be found in another test."""
    command = [sys.executable, "-c", LOOPS, servers.url("valkey"), namespace]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr


@on_one_server
async def test_a_closed_client_leaves_no_connection_behind(backend, servers, namespace):
    url = f"{servers.url('valkey')}?client_name={namespace}"
    client = backend.connect(url, namespace=namespace)
    queue = await client.create_queue("orders")
    await asyncio.gather(*(queue.send(b"x") for _ in range(5)), queue.receive(wait=0.05))
    await client.close()
    raw = servers.client("valkey")
    left = [one for one in raw.client_list() if one["name"] == namespace]
    raw.close()
    assert left == []


@pytest.mark.parametrize("backend", ["async-valkey", "async-cluster"], indirect=True)
async def test_a_client_that_is_closed_has_given_back_what_a_wait_may_have_taken(
    queue, client, monkeypatch
):
    """On a busy machine that takes longer than close() waits before it cancels once more. What went
    on after it opened a connection that nobody closed."""
    executor, pops, given_back = client._executor, [], []
    once, pop = executor._once, executor._pop

    async def late(args):
        reply = await once(args)
        if args[0] == "LPUSH":
            await asyncio.sleep(0.05)
            given_back.append(args[1])
        return reply

    def noted(key, seconds):
        pops.append(key)
        return pop(key, seconds)

    monkeypatch.setattr(executor, "_once", late)
    monkeypatch.setattr(executor, "_pop", noted)
    monkeypatch.setattr(tasks, "CANCEL_S", 0.001)
    waiting = asyncio.create_task(queue.receive(wait=20))
    await until(lambda: pops)
    waiting.cancel()
    await asyncio.wait((waiting,))
    await client.close()
    assert given_back == pops
