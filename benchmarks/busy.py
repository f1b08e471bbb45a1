"""What the workers run whose scaling is measured: `rmq worker benchmarks.busy:app`."""

from __future__ import annotations

from rmq.worker import App

app = App()
ITERATIONS = 60_000
"""Of a loop: some 2 ms of Python. A number and not a time, so that a job is the same work beside
whatever it runs."""


@app.handler("idle")
async def idle(body: bytes) -> None:
    """No work: what is measured is ours and the server's."""


@app.handler("busy")
def busy(body: bytes) -> None:
    """In a thread, as a plain function runs that computes."""
    compute(1)


def compute(jobs: int) -> None:
    """The work of so many jobs."""
    for _ in range(jobs):
        number = 0
        for one in range(ITERATIONS):
            number += one
