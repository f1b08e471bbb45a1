"""The crew of a FIFO topic: publishers and relayers, and the one who kills them.

Each is a process. Publishers relay too: whoever finds no relayer becomes it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Self

import rmq
from rmq.testing import private_namespace
from tests.soak import topic_worker
from tests.soak.crew import POLL_S, _processes, _written
from tests.soak.history import Arrived, History, read
from tests.soak.topic_worker import TopicOrders

PEEK = 1000


@dataclass(frozen=True, kw_only=True)
class TopicSize:
    """How much of everything."""

    messages: int
    kills: int
    deadline_s: float
    publishers: int = 4
    relayers: int = 1
    queues: int = 3
    groups: int = 50
    lease_ms: int = 500


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    orders: TopicOrders


class TopicCrew:
    """As a context manager it leaves no process behind."""

    def __init__(self, url: str, folder: Path, size: TopicSize) -> None:
        self.size = size
        self.folder = folder
        self.client = rmq.connect(url, namespace=private_namespace())
        self.topic = self.client.create_topic("soak.fifo")
        self.queues = [self.client.create_queue(f"q{i}.fifo") for i in range(size.queues)]
        for queue in self.queues:
            self.topic.subscribe(queue, raw_message_delivery=True)
        self.killed = 0
        self._random = random.Random(1)
        self._end = time.monotonic() + size.deadline_s
        self._hired = 0
        self._journals: list[Path] = []
        self._workers: list[_Worker] = []
        self._orders = TopicOrders(
            url=url,
            namespace=self.client.namespace,
            topic=self.topic.name,
            journal=folder,
            stop=folder / "stop",
            deadline_s=size.deadline_s,
            lease_ms=size.lease_ms,
            groups=size.groups,
        )

    def __enter__(self) -> Self:
        for _ in range(self.size.publishers):
            self._hire(self.size.messages // self.size.publishers)
        for _ in range(self.size.relayers):
            self._hire(0)
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._workers:
            worker.process.kill()
            worker.process.join()
        self.client.close()

    def kill(self) -> None:
        """Kill publishers and relayers at random moments, each at work, and replace them."""
        for _ in range(self.size.kills):
            alive = [one for one in self._workers if one.process.is_alive()]
            victim = self._random.choice(alive)
            written = _written(victim.orders.journal)
            self._wait(
                lambda victim=victim, written=written: (
                    _written(victim.orders.journal) > written or not victim.process.is_alive()
                ),
                "work to kill",
            )
            time.sleep(self._random.uniform(0, 0.05))
            victim.process.kill()
            victim.process.join()
            self._workers.remove(victim)
            self.killed += 1
            if not victim.orders.messages:
                self._hire(0)
            elif left := victim.orders.messages - self._tried(victim.orders.journal):
                self._hire(left)

    def finish(self) -> tuple[History, dict[str, Arrived]]:
        """Wait until all is published and relayed, and read up."""
        publishers = [one for one in self._workers if one.orders.messages]
        for one in publishers:
            one.process.join(max(self._end - time.monotonic(), 0))
            assert one.process.exitcode == 0, f"{one.orders.name} ended: {one.process.exitcode}"
        self._orders.stop.touch()
        self._wait(self._is_relayed, "everything to be relayed")
        return read(self._journals), {one.name: _content(one) for one in self.queues}

    def _is_relayed(self) -> bool:
        self.topic.sweep()
        return self.topic.stats().outbox == 0

    def _tried(self, journal: Path) -> int:
        return journal.read_text().rpartition("\n")[0].count("try ")

    def _hire(self, messages: int) -> None:
        """A publisher of so many, or a relayer."""
        self._hired += 1
        name = f"w{self._hired}"
        path = self.folder / name
        path.touch()
        orders = replace(self._orders, journal=path, name=name, messages=messages)
        work = topic_worker.publish if messages else topic_worker.relay
        if messages:
            self._journals.append(path)
        process = _processes.Process(target=work, args=(orders,), daemon=True)
        process.start()
        self._workers.append(_Worker(process, orders))

    def _wait(self, reached: Callable[[], bool], what: str) -> None:
        while not reached():
            if time.monotonic() > self._end:
                raise TimeoutError(f"waited {self.size.deadline_s} s for {what}")
            time.sleep(POLL_S)


def _content(queue: rmq.Queue) -> Arrived:
    found: list[tuple[str, str]] = []
    after = None
    while page := queue.peek(PEEK, after=after):
        found += [(one.message_group_id or "", one.text) for one in page]
        after = page[-1].position
    return found
