"""Workers: whether more processes do more.

`rmq worker` with 1, 2 and 4 processes, as a user starts it. All of them are there all the time,
each with queues of its own, and take turns: a round fills a queue that is paused, and the clock
runs from its resume until the last job is deleted.

The cores that there are is what the same work gets in as many bare processes, in the same rounds:
twice as much from two, on two cores that are quiet, and less where others are at work on them.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import rmq
from benchmarks import busy
from benchmarks.bench import Bench
from benchmarks.figure import Figure, Row, Target, quartiles
from rmq.testing import private_namespace
from rmq.worker.fleet import Fleet

T = TypeVar("T")
RMQ = Path(sys.executable).parent / "rmq"
PROCESSES = (1, 2, 4)
JOBS = {"busy": 1_000, "idle": 60_000}
"""One to two seconds for one process."""
TITLES = {"busy": "2 ms of Python", "idle": "no-op"}
BODY = b"x" * 100
ROUNDS = 5
DEADLINE_S = 60.0
LOOK_S = 0.01
"""Between two looks at a queue: who looks takes a core from those at work."""
HEARD_S = 0.3
"""For a pause to reach all. Nobody says that it did; who had not heard of it is caught."""
WHOLE, STEADY = 0.8, 0.9
"""Of what bare processes gain, what workers have to: where cores are added, of which the server and
the supervisor take some, and where none are."""


class Workers:
    """One `rmq worker`, and the queues that it works on."""

    def __init__(self, url: str, processes: int) -> None:
        self._url = url
        self._processes = processes
        self._client = rmq.connect(url, namespace=private_namespace())
        self._supervisor = subprocess.Popen(
            [
                *(str(RMQ), "--url", url, "--namespace", self._client.namespace, "worker"),
                *("benchmarks.busy:app", "--processes", str(processes), "--log-level", "error"),
            ]
        )
        _until(lambda: len(self._ask(lambda fleet: fleet.workers())) == processes)

    def _ask(self, what: Callable[[Fleet], Awaitable[T]]) -> T:
        async def ask() -> T:
            async with rmq.connect_async(self._url, namespace=self._client.namespace) as client:
                return await what(Fleet(client))

        return asyncio.run(ask())

    def rate(self, name: str) -> float:
        """Jobs a second, of one round."""
        queue, count = self._client.queue(name), JOBS[name]
        self._ask(lambda fleet: fleet.pause(name))
        time.sleep(HEARD_S)
        done = queue.stats().deleted + count
        for start in range(0, count, 1000):
            queue.send_many([BODY] * min(1000, count - start)).raise_for_failures()
        if queue.stats().visible != count:
            raise RuntimeError(f"{self._processes} processes began with {name} before the clock")
        self._ask(lambda fleet: fleet.resume(name))
        begun = time.perf_counter()
        _until(lambda: queue.stats().deleted >= done)
        return count / (time.perf_counter() - begun)

    def close(self) -> None:
        """Stop it, and leave nothing behind."""
        self._supervisor.terminate()
        self._supervisor.wait(DEADLINE_S)
        self._client.wipe()
        self._client.close()


def _until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError(f"workers were not ready, or not done, within {DEADLINE_S:g} s")
        time.sleep(LOOK_S)


class Bare:
    """As many processes that only compute."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"))
        self.rate()

    def rate(self) -> float:
        """Jobs a second, of one round."""
        share = JOBS["busy"] // self._processes
        begun = time.perf_counter()
        list(self._pool.map(busy.compute, [share] * self._processes))
        return share * self._processes / (time.perf_counter() - begun)

    def close(self) -> None:
        """End them."""
        self._pool.shutdown()


def cores() -> int:
    """Those that we may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def scaling(bench: Bench) -> Iterator[Row]:
    """Each number of processes beside the number before it.

    Redis is on the same cores. For no-op jobs it takes as much processor time as their worker does,
    so of two cores hardly any is left to share; of them only no loss is asked.
    """
    count = 3 if bench.quick else ROUNDS
    with ExitStack() as stack:
        workers = {n: stack.enter_context(closing(Workers(bench.url, n))) for n in PROCESSES}
        bare = {n: stack.enter_context(closing(Bare(n))) for n in PROCESSES}
        rounds, floors = [], []
        for _ in range(count):
            rounds.append({n: one.rate("busy") for n, one in workers.items()})
            floors.append({n: one.rate() for n, one in bare.items()})
        for few, many in pairwise(PROCESSES):
            there = _gain(floors, few, many)
            is_more = cores() > few
            target = Target(round((WHOLE if is_more else STEADY) * there, 2))
            yield _row(f"2 ms of Python, {many} beside {few}", rounds, few, many, target, there)
        rounds = [{n: one.rate("idle") for n, one in workers.items()} for _ in range(count)]
        for few, many in pairwise(PROCESSES):
            yield _row(f"no-op, {many} beside {few}", rounds, few, many, Target(STEADY))


def _gain(rounds: list[dict[int, float]], few: int, many: int) -> float:
    before, after = (statistics.median(one[n] for one in rounds) for n in (few, many))
    return after / before


def _row(
    case: str,
    rounds: list[dict[int, float]],
    few: int,
    many: int,
    target: Target,
    there: float | None = None,
) -> Row:
    return Row(
        case=case,
        measured=_gain(rounds, few, many),
        target=target,
        ours=f"{max(one[many] for one in rounds):,.0f}/s",
        floor=f"{max(one[few] for one in rounds):,.0f}/s",
        spread=quartiles([one[many] / one[few] for one in rounds]),
        note="" if there is None else f"bare: {there:.2f}",
    )


FIGURES = (Figure("worker-scaling", "Worker, jobs a second by its processes", scaling),)
