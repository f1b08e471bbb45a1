"""What worker processes of these tests run. Each run is a line in a journal, written when it begins
and when it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from rmq.worker import App

app = App(
    os.environ.get("JOBS_URL", "memory://jobs"), namespace=os.environ.get("JOBS_NAMESPACE", "jobs")
)
LEASE_S = float(os.environ.get("JOBS_LEASE_S", "30"))


@dataclass
class Job:
    id: int
    deed: str = "nothing"
    seconds: float = 0.0


def note(what: str, job: Job) -> None:
    """Write a line, in one call of the system: what a process did last, it has written."""
    with Path(os.environ["JOBS_JOURNAL"]).open("ab", buffering=0) as journal:
        journal.write(f"{what} {job.id} {os.getpid()}\n".encode())


@app.handler("jobs", concurrency=20, timeout=20, visibility_timeout=LEASE_S, crashes=2)
async def do(job: Job) -> None:
    note("began", job)
    if job.deed == "exit":
        os._exit(3)
    if job.deed == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if job.deed == "raise":
        raise ValueError(f"job {job.id} is no good")
    if job.deed == "wait":
        while not Path(os.environ["JOBS_JOURNAL"]).with_suffix(".go").exists():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    if job.deed == "block":
        time.sleep(job.seconds)  # noqa: ASYNC251
    elif job.seconds:
        await asyncio.sleep(job.seconds)
    note("ended", job)


@app.handler("stuck", timeout=0.2, visibility_timeout=1, crashes=1)
async def stick(job: Job) -> None:
    note("began", job)
    time.sleep(3600)  # noqa: ASYNC251


@app.handler("alone", process=True, concurrency=2, timeout=5, crashes=2, memory_limit=512 << 20)
def alone(job: Job) -> None:
    if job.deed == "exit":
        os._exit(3)
    if job.deed == "leave":
        sys.exit(4)
    if job.deed == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if job.deed == "fill":
        _ = bytearray(1 << 30)
    if job.deed == "hang":
        time.sleep(3600)
    if job.deed == "odd":
        raise Odd(job.id, "x")
    note("ended", job)


class Odd(Exception):
    """One that can not be made again from its words, as pickle does."""

    def __init__(self, id: int, what: str) -> None:
        super().__init__(f"{what}{id}")


async def number() -> AsyncIterator[int]:
    """A resource."""
    yield 42


def doubled(job: Job, number: int) -> tuple[int, int]:
    return number + job.id, os.getpid()
