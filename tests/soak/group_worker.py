"""One process that puts into a stream or consumes it for a group, and keeps a journal of it.

A journal has a line for each thing that happened: its kind and its fields, as the history has them,
in JSON. Moments are nanoseconds of the machine's monotonic clock, which all processes share. Of one
that is killed the last line may be torn.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rmq
from tests.streams.groups import history
from tests.streams.groups.history import Put
from tests.streams.groups.witness import Witness

BATCH = 50
"""Records that a producer puts at a time."""
GROUP = "soak"


@dataclass(frozen=True, kw_only=True)
class Orders:
    """What a process has to know."""

    url: str
    namespace: str
    stream: str
    journal: Path
    stop: Path
    """Appears when consumers should go home."""
    deadline_s: float
    """When it gives up by itself, so that none outlives a test that was killed."""
    name: str
    records: int = 0
    """A producer's share."""
    pace_s: float = 0.0
    """Between two batches of a producer."""
    keys: int = 20
    """Of one producer; nobody else uses them."""
    lease_s: float = 1.0
    work_s: float = 0.0
    """A consumer works at a record for up to so long."""


def produce(orders: Orders) -> None:
    """Put this producer's share, in order within each key."""
    journal = Journal(orders.journal)
    with rmq.connect(orders.url, namespace=orders.namespace) as client:
        stream = client.stream(orders.stream)
        for start in range(0, orders.records, BATCH):
            texts = [
                (f"{orders.name}-{number}", f"{orders.name}-k{number % orders.keys}")
                for number in range(start, min(start + BATCH, orders.records))
            ]
            found = stream.put_many(rmq.Record(text, key) for text, key in texts)
            found.raise_for_failures()
            for (text, key), put in zip(texts, found, strict=True):
                journal.add(Put(text, key, put.shard, put.position))
            journal.flush()
            if orders.pace_s:
                time.sleep(orders.pace_s)


def consume(orders: Orders) -> None:
    """Consume until told to stop."""
    asyncio.run(_consume(orders))


async def _consume(orders: Orders) -> None:
    journal = Journal(orders.journal)
    chance = random.Random(orders.name)

    async def work(record: Any) -> None:
        await asyncio.sleep(chance.random() * orders.work_s)

    def write(event: Any) -> None:
        journal.add(event)
        journal.flush()

    async with rmq.connect_async(orders.url, namespace=orders.namespace) as client:
        witness = Witness(orders.name, write, work, time.monotonic_ns)
        worker = client.stream(orders.stream).consumer(
            GROUP,
            witness,
            start="TRIM_HORIZON",
            lease=orders.lease_s,
            concurrency=4,
            read_limit=100,
            checkpoint=chance.choice(["batch", "record"]),
            worker=orders.name,
        )
        witness.watch(worker)
        async with worker:
            await asyncio.to_thread(_wait, orders)


def _wait(orders: Orders) -> None:
    """Until it is time to go home."""
    deadline = time.monotonic() + orders.deadline_s
    while not orders.stop.exists() and time.monotonic() < deadline:
        time.sleep(0.05)


class Journal:
    """An open journal. One write is one call of the system."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lines: list[str] = []

    def add(self, event: Any) -> None:
        self._lines.append(json.dumps([type(event).__name__, *event]) + "\n")

    def flush(self) -> None:
        os.write(self._file, "".join(self._lines).encode())
        self._lines.clear()


def is_at_work(path: Path) -> bool:
    """Whether a consumer has a record in its hands."""
    calls = [one for one in read(path) if isinstance(one, history.Handled)]
    return len(calls) > 2 * sum(one.done is not None for one in calls)


def read(path: Path) -> Iterator[Any]:
    """What a journal tells."""
    whole, _, _ = path.read_text().rpartition("\n")
    for line in whole.splitlines():
        kind, *fields = json.loads(line)
        values = (tuple(one) if isinstance(one, list) else one for one in fields)
        yield getattr(history, kind)(*values)
