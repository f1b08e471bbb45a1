"""The crew: producers and consumers in processes of their own, and the one who kills them."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Self

import rmq
from rmq.testing import private_namespace
from tests.soak import worker
from tests.soak.catching import caught
from tests.soak.record import Record, read

POLL_S = 0.02
"""Between two looks at what is not ready."""

# Not fork: this process has threads. A fork server has none, and has imported everything already.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["rmq", "tests.soak.worker"])


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much of everything."""

    producers: int
    consumers: int
    messages: int
    deadline_s: float
    kills: int = 0
    groups: int = 50
    """Of a FIFO queue."""


class Crew:
    """Producers and consumers of one queue. As a context manager it leaves no process behind."""

    def __init__(
        self,
        url: str,
        folder: Path,
        size: Size,
        *,
        fifo: bool = False,
        visibility_timeout: float,
        batch: int = worker.BATCH,
        work_s: float = 0.0,
    ) -> None:
        self.size = size
        self.folder = folder
        self.client = rmq.connect(url, namespace=private_namespace())
        self.queue = self.client.create_queue(
            "soak.fifo" if fifo else "soak", visibility_timeout=visibility_timeout
        )
        self.consumers: list[tuple[BaseProcess, Path]] = []
        self.producers: list[tuple[BaseProcess, Path]] = []
        self.killed: list[Path] = []
        self._end = time.monotonic() + size.deadline_s
        self._random = random.Random(1)
        self._orders = worker.Orders(
            url=url,
            namespace=self.client.namespace,
            queue=self.queue.name,
            journal=folder,
            stop=folder / "stop",
            deadline_s=size.deadline_s,
            groups=size.groups if fifo else 0,
            batch=batch,
            work_s=work_s,
        )

    def __enter__(self) -> Self:
        for _ in range(self.size.consumers):
            self._hire()
        share = self.size.messages // self.size.producers
        for number in range(self.size.producers):
            path = self.folder / f"producer-{number}"
            orders = replace(self._orders, journal=path, name=f"p{number}", messages=share)
            self.producers.append((_start(worker.produce, orders), path))
        return self

    def __exit__(self, *error: object) -> None:
        for process, _ in self.producers + self.consumers:
            process.kill()
            process.join()
        self.client.close()

    def kill_consumers(self) -> None:
        """Kill consumers at random moments, each with messages in its hands, and replace them."""
        for _ in range(self.size.kills):
            victim = self._random.choice(self.consumers)
            process, path = victim
            written = _written(path)
            # One that has just started has nothing to lose yet.
            self.wait(lambda path=path, written=written: _written(path) > written, "work to kill")
            time.sleep(self._random.uniform(0, 0.05))
            if not self.killed:
                # Chance may miss all of them: then the test would show nothing.
                self.wait(
                    lambda pid=process.pid, path=path: caught(pid, lambda: _is_at_work(path)),
                    "one at work",
                )
            process.kill()
            process.join()
            self.consumers.remove(victim)
            self.killed.append(path)
            self._hire()

    def wait_until_sent(self, share: float) -> None:
        """Wait until this share of all messages is acknowledged."""
        wanted = share * self.size.messages
        self.wait(lambda: self._sent() >= wanted, f"{wanted:.0f} messages to be sent")

    def finish(self) -> Record:
        """Wait until all is sent and the queue is empty, send the consumers home, and read up."""
        for process, path in self.producers:
            process.join(max(self._end - time.monotonic(), 0))
            assert process.exitcode == 0, f"{path.name} ended with {process.exitcode}"
        self.wait(self._is_empty, "the queue to be empty")
        self._orders.stop.touch()
        for process, path in self.consumers:
            process.join(max(self._end - time.monotonic(), 0))
            assert process.exitcode == 0, f"{path.name} ended with {process.exitcode}"
        return read(self.folder, killed=self.killed)

    def wait(self, reached: Callable[[], bool], what: str) -> None:
        """Wait until *reached*, within this crew's deadline; a worker that failed ends it too."""
        while not reached():
            for process, path in self.producers + self.consumers:
                assert process.exitcode in (None, 0), f"{path.name} ended: {process.exitcode}"
            if time.monotonic() > self._end:
                raise TimeoutError(
                    f"waited {self.size.deadline_s} s for {what}: {self.queue.stats()}"
                )
            time.sleep(POLL_S)

    def _hire(self) -> None:
        path = self.folder / f"consumer-{len(self.consumers) + len(self.killed)}"
        path.touch()
        orders = replace(self._orders, journal=path)
        self.consumers.append((_start(worker.consume, orders), path))

    def _sent(self) -> int:
        return sum(path.read_bytes().count(b"\n") for _, path in self.producers if path.exists())

    def _is_empty(self) -> bool:
        found = self.queue.stats()
        return not (found.visible or found.in_flight or found.delayed)


def _start(work: Callable[[worker.Orders], None], orders: worker.Orders) -> BaseProcess:
    process = _processes.Process(target=work, args=(orders,), daemon=True)
    process.start()
    return process


def _written(path: Path) -> int:
    return path.stat().st_size


def _is_at_work(path: Path) -> bool:
    """Whether a consumer has something in hand that it will not have deleted."""
    *_, last = ["", *path.read_text().splitlines()]
    return last.startswith("got ")
