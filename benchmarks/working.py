"""Workers: jobs a second, latency and memory, beside the task libraries that people come from.

Each runs in a process of its own, ours too, one after the other, each on a new server of the same
kind; the libraries come from pip in two environments of their own (Celery's redis-py is not the
others'). What each runs and how it is set up is in rivals/contestant.py.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.endpoints import environment
from benchmarks.figure import Figure, Row, Target, quartiles
from tests.servers import single_server

CONTESTANT = Path(__file__).parent / "rivals" / "contestant.py"
LIBRARIES = (
    "arq==0.28.0",
    "dramatiq[redis]==2.2.1",
    "taskiq==0.11.20",
    "taskiq-redis==1.0.9",
    "rq==3.0.0",
    "uvloop==0.23.0",
)
CELERY = ("celery[redis]==5.5.3",)
"""As they were when this was written; taskiq is the last that its Redis broker can be imported
with."""
RIVALS = {"arq": 2_000, "dramatiq": 6_000, "taskiq": 3_000, "rq": 400, "celery": 2_000}
"""How many jobs each gets: a second or two of work."""
OURS = {
    "rmq-handler": "async handler",
    "rmq-plain": "handler in a thread",
    "rmq-batch": "batch handler",
    "rmq-async": "async task",
    "rmq-threads": "task in a thread",
}
OUR_JOBS = 40_000
QUEUED = 10_000
"""So many that what a new server keeps of scripts and connections does not weigh."""
LATE_JOBS = 600
"""3 s at 200 a second."""
ROUNDS = 5
DEADLINE_S = 120.0


@cache
def _python(name: str) -> str:
    if name.startswith("rmq-"):
        return sys.executable
    if name == "celery":
        return str(environment("celery", CELERY))
    return str(environment("tasks", LIBRARIES))


def _measure(name: str, mode: str, count: int) -> dict[str, float]:
    """What a contestant says of itself, on a new server that nothing else was on."""
    with single_server() as server:
        done = subprocess.run(
            [_python(name), str(CONTESTANT), name, server.url, mode, str(count)],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            found: dict[str, float] = json.loads(line)
            return found
    raise RuntimeError(f"{name} {mode} said nothing: {done.stdout[-500:]} {done.stderr[-2000:]}")


def _turns(
    bench: Bench, mode: str, rival: tuple[str, int], ours: dict[str, int]
) -> list[dict[str, dict[str, float]]]:
    """What each says, round by round: whatever slows the machine down for longer than a round slows
    all of them. See figure.py."""
    rounds = []
    for _ in range(1 if bench.quick else ROUNDS):
        rounds.append({name: _measure(name, mode, count) for name, count in (rival, *ours.items())})
    return rounds


def throughput(bench: Bench) -> Iterator[Row]:
    """No-op jobs of 100 bytes that wait in the queue, done by one worker process. The best of the
    rivals, by one run of each, is who we take turns with."""
    rates = {
        name: _measure(name, "throughput", count)["per_second"] for name, count in RIVALS.items()
    }
    best = max(rates, key=rates.__getitem__)
    rounds = _turns(bench, "throughput", (best, RIVALS[best]), dict.fromkeys(OURS, OUR_JOBS))
    floors = [one[best]["per_second"] for one in rounds]
    for name, what in OURS.items():
        found = [one[name]["per_second"] for one in rounds]
        ratios = [ours / floor for ours, floor in zip(found, floors, strict=True)]
        yield Row(
            case=what,
            measured=statistics.median(ratios),
            target=Target(6),
            ours=f"{max(found):,.0f}/s",
            floor=f"{max(floors):,.0f}/s",
            spread=quartiles(ratios),
            note=f"best of them: {best}",
        )
    for name, rate in rates.items():
        yield Row(case=name, measured=rate / rates[best], target=None, floor=f"{rate:,.0f}/s")


def late(bench: Bench) -> Iterator[Row]:
    """From the sending of a job to its handler, at 200 jobs a second, one worker process."""
    found = {name: _measure(name, "latency", LATE_JOBS) for name in RIVALS}
    best = min(RIVALS, key=lambda name: found[name]["p50_ms"])
    ours = {"rmq-handler": LATE_JOBS, "rmq-threads": LATE_JOBS}
    rounds = _turns(bench, "latency", (best, LATE_JOBS), ours)
    for key, label in (("p50_ms", "p50"), ("p99_ms", "p99")):
        floors = [one[best][key] for one in rounds]
        for name in ours:
            mine = [one[name][key] for one in rounds]
            ratios = [one / floor for one, floor in zip(mine, floors, strict=True)]
            yield Row(
                case=f"{OURS[name]}, {label}",
                measured=statistics.median(ratios),
                target=Target(1, at_most=True) if name == "rmq-handler" else None,
                ours=f"{statistics.median(mine):.2f} ms",
                floor=f"{statistics.median(floors):.2f} ms",
                spread=quartiles(ratios),
                note=f"best of them: {best}",
            )
    for name, one in found.items():
        yield Row(
            case=name,
            measured=one["p50_ms"],
            target=None,
            floor=f"{one['p50_ms']:.1f} / {one['p99_ms']:.1f} ms",
            note="p50 / p99",
        )


def memory(bench: Bench) -> Iterator[Row]:
    """What Redis has more for each job that waits, of 100 bytes of JSON."""
    ours = {
        "rmq-handler-deflate": "async handler, compressed",
        "rmq-handler": "async handler, plain",
        "rmq-async-deflate": "async task, compressed",
        "rmq-async": "async task, plain",
    }
    found = {name: _measure(name, "memory", QUEUED)["bytes_each"] for name in (*RIVALS, *ours)}
    best = min(RIVALS, key=lambda name: found[name])
    for name, what in ours.items():
        yield Row(
            case=what,
            measured=found[name] / found[best],
            target=Target(1 / 3, at_most=True) if name.endswith("-deflate") else None,
            ours=f"{found[name]:.0f} B",
            floor=f"{found[best]:.0f} B",
            note=f"best of them: {best}",
        )
    for name in RIVALS:
        yield Row(case=name, measured=found[name], target=None, floor=f"{found[name]:.0f} B")


FIGURES = (
    Figure("worker-throughput", "Worker, jobs a second, beside task libraries", throughput),
    Figure("worker-latency", "Worker, latency at 200 jobs/s, beside task libraries", late),
    Figure("worker-memory", "Worker, memory of a queued job, beside task libraries", memory),
)
