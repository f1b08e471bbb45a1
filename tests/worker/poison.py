"""Handlers of each mode that do what they are told, also what kills them: for worker processes."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time

import tenacity

from rmq.worker import App
from tests.worker.jobs import Job, note

app = App(
    os.environ.get("JOBS_URL", "memory://jobs"), namespace=os.environ.get("JOBS_NAMESPACE", "jobs")
)
MEMORY = 512 << 20
"""Of a process. An allocation beyond it fails, as in a container without swap the kill would
come."""
if "JOBS_JOURNAL" in os.environ:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
SPARING = {"timeout": 3, "retries": 2, "wait": tenacity.wait_fixed(0.2)}


@app.handler("coroutines", concurrency=10, **SPARING)
async def coroutine(job: Job) -> None:
    do(job)


@app.handler("threads", concurrency=10, **SPARING)
def thread(job: Job) -> None:
    do(job)


@app.handler("processes", process=True, concurrency=2, memory_limit=MEMORY, **SPARING)
def process(job: Job) -> None:
    do(job)


def do(job: Job) -> None:
    """What it says."""
    if job.deed == "raise":
        raise ValueError(f"job {job.id} is no good")
    if job.deed == "exit":
        os._exit(3)
    if job.deed == "leave":
        sys.exit(4)
    if job.deed == "interrupt":
        raise KeyboardInterrupt
    if job.deed == "kill":  # as a kernel does that has no memory left
        os.kill(os.getpid(), signal.SIGKILL)
    if job.deed == "fill":
        kept = []
        while True:
            kept.append(bytearray(1 << 18))
    if job.deed == "hang":
        time.sleep(3600)
    note("ended", job)
