"""What every behaviour test gets: a client in one colour, on one kind of server, with a namespace
and a clock of its own.

A test that asks for `client`, `queue` or `fifo` runs once for each of BACKENDS. The servers start
when the first test needs them, and are shared by all tests of a process.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import fakeredis
import hypothesis
import pytest
import redis
from redis.cluster import RedisCluster

import rmq
from rmq.core.connection import _memory_server
from rmq.testing import HeldClock, private_namespace
from tests.colours import Threaded, in_thread
from tests.servers import cluster, redis_binary, single_server

BACKENDS = ["async-memory", "async-valkey", "sync-valkey", "async-cluster", "async-redis"]
"""Each kind of server, and both colours on one of them: a run of all tests has to stay short."""
ON_ONE_SERVER = ["async-valkey", "sync-valkey"]
"""For tests that need INFO, CLIENT KILL and the like."""

on_one_server = pytest.mark.parametrize("backend", ON_ONE_SERVER, indirect=True)


# How long an example takes, and to make one up, says how busy the machine is.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """What a test sends may be nested as deeply as Python goes. What is collected at that depth can
    not be finalized, whosever it is; that is no failure of the test."""
    tell = sys.unraisablehook

    def tell_unless_too_deep(found: Any) -> None:
        if found.exc_type is not RecursionError:
            tell(found)

    sys.unraisablehook = tell_unless_too_deep


def pytest_collection_finish() -> None:
    """Tens of thousands of tests, and all that they import, stay to the end: a collection that
    looks at them each time takes longer than most tests."""
    gc.collect()
    gc.freeze()


class Servers:
    """The servers of this process, each started when it is first asked for."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._found: dict[str, Any] = {}

    def url(self, place: str) -> str:
        return "memory://" if place == "memory" else self._get(place).url

    def client(self, place: str) -> redis.Redis | RedisCluster:
        """A plain Redis client, to look behind the library's back. Whoever asks closes it."""
        if place == "memory":
            return fakeredis.FakeRedis(server=_memory_server(""))
        return self._get(place).client()

    def close(self) -> None:
        self._stack.close()

    def _get(self, place: str) -> Any:
        if place not in self._found:
            if place == "redis" and redis_binary() is None:
                pytest.skip("no redis-server on PATH")
            make: Callable[[], Any] = {
                "valkey": single_server,
                "cluster": cluster,
                "redis": partial(single_server, redis_binary()),
                "endpoint": single_server,  # its own: other tests count who is blocked on theirs
            }[place]
            self._found[place] = self._stack.enter_context(make())
        return self._found[place]


@dataclass(frozen=True)
class Backend:
    """One colour of the library on one kind of server."""

    colour: str
    place: str
    url: str
    has_totals = True
    """Whether a queue's counts have what was ever sent, received and deleted."""

    def connect(self, target: Any = None, **options: Any) -> Any:
        """A client with the face of the async one, whatever its colour."""
        target = self.url if target is None else target
        if self.colour == "async":
            return rmq.connect_async(target, **options)
        return Threaded(rmq.connect(target, **options))

    def beyond_aws(self, what: str) -> None:
        """Skip the rest of a test that looks at *what*, where only AWS's API can be asked. This is
        the library itself."""


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    made = Servers()
    yield made
    made.close()


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, servers: Servers) -> Backend:
    colour, _, place = request.param.partition("-")
    return Backend(colour, place, servers.url(place))


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def namespace() -> str:
    return private_namespace()


@pytest.fixture
async def connect(
    backend: Backend, namespace: str, clock: HeldClock
) -> AsyncIterator[Callable[..., Any]]:
    """Makes clients that share the test's namespace and clock, unless told otherwise."""
    made = []

    def connect(target: Any = None, **options: Any) -> Any:
        made.append(backend.connect(target, **{"namespace": namespace, "clock": clock} | options))
        return made[-1]

    yield connect
    # Whoever still waits sees the end of its wait.
    clock.move(86_400)
    for client in made:
        await client.close()


@pytest.fixture
def client(connect: Callable[..., Any]) -> Any:
    return connect()


@pytest.fixture
async def queue(client: Any) -> Any:
    """A standard queue; visibility timeout 30 s."""
    return await client.create_queue("orders")


@pytest.fixture
async def fifo(client: Any) -> Any:
    """A FIFO queue that takes the deduplication id from the body; visibility timeout 30 s."""
    return await client.create_queue("orders.fifo", content_based_deduplication=True)


@pytest.fixture
async def raw(backend: Backend, servers: Servers) -> AsyncIterator[Any]:
    """Redis itself, behind the library's back."""
    client = servers.client(backend.place)
    yield client
    await in_thread(client.close)
