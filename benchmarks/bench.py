"""The bench: one server, the clients that speak to it, and the floor.

The floor is what a Redis user would write by hand with redis-py and hiredis: a stream, one consumer
group, no leases that end, no delays, no dead letters. It is the least that any queue on a stream
has to do, on the same server, through the same kind of client, in the same run.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis

import rmq
from benchmarks.delay import delayed
from rmq.testing import private_namespace

SETTLE_S = 10.0
"""The longest that the server may take to free what was deleted before."""


class Bench:
    """One server under measurement, reached directly or over a longer way."""

    def __init__(self, url: str, *, quick: bool = False, latency_ms: float = 0.0) -> None:
        self.url = url
        """The way the measured clients take."""
        self.quick = quick
        self.latency_ms = latency_ms
        self.admin = redis.Redis.from_url(url)
        """For questions about the server. Never delayed."""
        self._names = (f"bench-{number}" for number in itertools.count())
        self.namespace = private_namespace()

    def rounds(self, usual: int = 15) -> int:
        """How often two sides take turns. Latency steadies a round, and lengthens it."""
        return max(usual // 3, 3) if self.quick or self.latency_ms else usual

    def case(self, text: str) -> str:
        return f"{text}, {self.latency_ms:g} ms away" if self.latency_ms else text

    @contextmanager
    def further_away(self, latency_ms: float) -> Iterator[Bench]:
        """The same server with *latency_ms* added to every answer."""
        with delayed(self.admin.connection_pool.connection_kwargs, latency_ms) as url:
            away = Bench(url, quick=self.quick, latency_ms=latency_ms)
            away.admin.close()
            away.admin = self.admin
            yield away

    @contextmanager
    def client(self, **limits: Any) -> Iterator[rmq.Client]:
        """A client whose queues are gone when it closes."""
        with rmq.connect(
            self.url, namespace=self.namespace, limits=rmq.Limits.aws(**limits)
        ) as client:
            try:
                yield client
            finally:
                for queue in list(client.all_queues()):
                    queue.delete_queue()
                self.settle()

    def other_client(self) -> rmq.Client:
        """Another client of the same namespace. The caller closes it."""
        return rmq.connect(self.url, namespace=self.namespace)

    def async_client(self) -> rmq.AsyncClient:
        """The same namespace, for asyncio. The caller closes it."""
        return rmq.connect_async(self.url, namespace=self.namespace)

    @contextmanager
    def floor(self) -> Iterator[Floor]:
        """A fresh stream, gone afterwards."""
        with redis.Redis.from_url(self.url) as client:
            made = Floor(client, f"{self.namespace}:{self.name()}")
            try:
                yield made
            finally:
                self.admin.unlink(made.key)
                self.settle()

    def name(self) -> str:
        """A name that nothing else has."""
        return next(self._names)

    def settle(self) -> None:
        """Wait until the server is idle: it frees large keys in the background."""
        self.until(lambda: not self.admin.info("memory")["lazyfree_pending_objects"], SETTLE_S)

    def until(self, reached: Callable[[], bool], seconds: float) -> None:
        """Wait for the server to get somewhere. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {seconds} s for the server")
            time.sleep(0.01)

    def cpu_s(self) -> float:
        """Processor seconds the server has used, in its own code and in the kernel for it."""
        info = self.admin.info("cpu")
        return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])

    def calls(self) -> dict[str, int]:
        """How often each command was called, but for those that look at the server."""
        stats = self.admin.info("commandstats")
        return {
            name.removeprefix("cmdstat_"): found["calls"]
            for name, found in stats.items()
            if not name.startswith(("cmdstat_info", "cmdstat_config", "cmdstat_client"))
        }


class Floor:
    """The same life of a message in bare stream commands."""

    def __init__(self, client: redis.Redis, key: str) -> None:
        self.client = client
        self.key = key
        client.xgroup_create(key, "group", "0", mkstream=True)

    def send(self, body: bytes) -> None:
        self.client.xadd(self.key, {"m": body})

    def send_many(self, bodies: Sequence[bytes]) -> None:
        """One trip: pipelined, and not in MULTI, which would cost the server more."""
        with self.client.pipeline(transaction=False) as pipe:
            for body in bodies:
                pipe.xadd(self.key, {"m": body})
            pipe.execute()

    def receive(self, count: int) -> list[tuple[bytes, bytes]]:
        """Ids and bodies of the next *count* messages."""
        found = self.client.xreadgroup("group", "consumer", {self.key: ">"}, count=count)
        return [(id, fields[b"m"]) for id, fields in found[0][1]] if found else []

    def delete_many(self, ids: Sequence[bytes]) -> None:
        """One trip, and each command once for all ids: there is no cheaper way."""
        with self.client.pipeline(transaction=False) as pipe:
            pipe.xack(self.key, "group", *ids)
            pipe.xdel(self.key, *ids)
            pipe.execute()


def body(size: int) -> bytes:
    """A body of *size* bytes."""
    return (b"position 52.5200 13.4050 " * (size // 25 + 1))[:size]


BODIES = {"100 B": body(100), "1 KiB": body(1024)}
