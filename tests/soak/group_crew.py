"""The crew of a consumer group: processes that put and consume, and who kills and reshards."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Self

import rmq
from rmq.errors import GroupDoesNotExist
from rmq.testing import private_namespace
from tests.soak import group_worker
from tests.soak.catching import caught
from tests.streams.groups.history import History, Killed, history_of

SHARDS = 4
"""At the begin."""
POLL_S = 0.02
"""Between two looks at what is not ready."""

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["rmq", "tests.soak.group_worker"])


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much of everything."""

    producers: int
    consumers: tuple[int, int]
    """At least and at most, at a time."""
    records: int
    reshards: int
    kills: int
    pauses: int
    """How often a consumer is made to stand still for longer than its lease."""
    lease_s: float
    work_s: float
    pace_s: float
    deadline_s: float
    slack_s: float
    """What a machine that is busy may add to a lease. Other tests run beside the short form."""


class Crew:
    """Producers and consumers of one stream. As a context manager it leaves no process behind."""

    def __init__(self, url: str, folder: Path, size: Size, seed: int) -> None:
        self.size = size
        self.folder = folder
        self.client = rmq.connect(url, namespace=private_namespace())
        self.stream = self.client.create_stream("soak", SHARDS)
        self.producers: list[BaseProcess] = []
        self.consumers: dict[str, BaseProcess] = {}
        self._hired = 0
        self._killed: list[Killed] = []
        self._chance = random.Random(seed)
        self._end = time.monotonic() + size.deadline_s
        self._orders = group_worker.Orders(
            url=url,
            namespace=self.client.namespace,
            stream="soak",
            journal=folder,
            stop=folder / "stop",
            deadline_s=size.deadline_s,
            name="",
            lease_s=size.lease_s,
            work_s=size.work_s,
            pace_s=size.pace_s,
        )

    def __enter__(self) -> Self:
        # The first has everything, and the others ask for their share.
        self.hire()
        first = next(iter(self.consumers))
        self.wait(lambda: self._written(first) > 0, "the first consumer")
        for _ in range(self.size.consumers[0] - 1):
            self.hire()
        self.wait(lambda: all(map(self._written, self.consumers)), "the others to have some")
        for number in range(self.size.producers):
            orders = self._of(f"p{number}", records=self.size.records // self.size.producers)
            self.producers.append(_start(group_worker.produce, orders))
        return self

    def __exit__(self, *error: object) -> None:
        for process in [*self.producers, *self.consumers.values()]:
            process.kill()
            process.join()
        self.client.close()

    def trouble(self) -> None:
        """Kill, pause and start consumers, and split and merge shards, in any order."""
        size = self.size
        deeds = [
            *[self.kill] * size.kills,
            *[self.pause] * size.pauses,
            *[self.reshard] * size.reshards,
        ]
        self._chance.shuffle(deeds)
        # Spread over the time that the producers take.
        batches = size.records / size.producers / group_worker.BATCH
        step = batches * size.pace_s / (len(deeds) + 1)
        for deed in deeds:
            time.sleep(self._chance.uniform(0, 2 * step))
            deed()

    def kill(self) -> None:
        """One consumer goes without a word; sometimes another comes, at the latest when too few
        are left."""
        name = self._chance.choice(list(self.consumers))
        written = self._written(name)
        end = time.monotonic() + self.size.lease_s
        # One that has nothing in hand has nothing to lose.
        while self._written(name) == written and time.monotonic() < end:
            time.sleep(POLL_S / 4)
        if not self._killed:
            # Chance may miss all of them: then the test would show nothing.
            name = self._caught()
        process = self.consumers.pop(name)
        process.kill()
        process.join()
        self._killed.append(Killed(time.monotonic_ns(), name))
        low, high = self.size.consumers
        while len(self.consumers) < low or (
            len(self.consumers) < high and self._chance.random() < 0.5
        ):
            self.hire()

    def _caught(self) -> str:
        """A consumer that stands still with a record in its hands."""
        for name in itertools.cycle(tuple(self.consumers)):
            pid, path = self.consumers[name].pid, self.folder / f"{name}.journal"
            assert pid is not None
            if caught(pid, lambda path=path: group_worker.is_at_work(path)):
                return name
            if time.monotonic() > self._end:
                raise TimeoutError("no consumer has anything to do")
            time.sleep(POLL_S / 4)
        raise AssertionError("unreachable")

    def pause(self) -> None:
        """One consumer stands still for longer than its lease, and then goes on."""
        process = self.consumers[self._chance.choice(list(self.consumers))]
        assert process.pid is not None
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(1.5 * self.size.lease_s)
        os.kill(process.pid, signal.SIGCONT)

    def reshard(self) -> None:
        """Split a shard, or merge two."""
        shards = sorted(self.stream.info().shards.open, key=lambda one: one.starting_hash_key)
        if len(shards) < 3 or (len(shards) < 8 and self._chance.random() < 0.5):
            self.stream.split(self._chance.choice(shards).id)
        else:
            place = self._chance.randrange(len(shards) - 1)
            self.stream.merge(shards[place].id, shards[place + 1].id)

    def hire(self) -> None:
        name = f"c{self._hired}-"
        self._hired += 1
        self.consumers[name] = _start(group_worker.consume, self._of(name))

    def finish(self) -> History:
        """Wait until all is put and done, send the consumers home, and read up."""
        for process in self.producers:
            process.join(max(self._end - time.monotonic(), 0))
            assert process.exitcode == 0, f"a producer ended with {process.exitcode}"
        self.wait(self._is_done, "the group to have done everything")
        self._orders.stop.touch()
        for name, process in self.consumers.items():
            process.join(max(self._end - time.monotonic(), 0))
            assert process.exitcode == 0, f"{name} ended with {process.exitcode}"
        shards = self.stream.info().shards
        events: list[object] = [
            event
            for path in self.folder.iterdir()
            if path.suffix == ".journal"
            for event in group_worker.read(path)
        ]
        return history_of(
            [*events, *self._killed], {one.number: one.parents for one in shards.values()}
        )

    def wait(self, reached: Callable[[], bool], what: str) -> None:
        """Wait until *reached*, within this crew's deadline; a process that failed ends it too."""
        while not reached():
            for name, process in self.consumers.items():
                assert process.exitcode is None, f"{name} ended: {process.exitcode}"
            if time.monotonic() > self._end:
                raise TimeoutError(f"waited {self.size.deadline_s} s for {what}")
            time.sleep(POLL_S)

    def _is_done(self) -> bool:
        try:
            info = self.stream.group_info(group_worker.GROUP)
        except GroupDoesNotExist:
            return False
        shards = self.stream.info().shards
        known = {one.shard_id for one in info.leases}
        return (
            info.lag.records == 0
            and {one.id for one in shards.values()} <= known
            and all(one.is_finished for one in info.leases if one.shard_id not in _open(shards))
        )

    def _written(self, name: str) -> int:
        return (self.folder / f"{name}.journal").stat().st_size

    def _of(self, name: str, **more: object) -> group_worker.Orders:
        path = self.folder / f"{name}.journal"
        path.touch()
        return replace(self._orders, journal=path, name=name, **more)  # type: ignore[arg-type]


def _open(shards) -> set[str]:
    return {one.id for one in shards.open}


def _start(work: Callable[[group_worker.Orders], None], orders: group_worker.Orders) -> BaseProcess:
    process = _processes.Process(target=work, args=(orders,), daemon=True)
    process.start()
    return process
