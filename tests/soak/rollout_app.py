"""What the workers of a rollout run. Each run writes a line into a journal as it begins and as it
ends; lines are appended in one call of the system, so that of all processes they stand in the order
in which they were written.

    began|ended <queue> <number> <group>
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from rmq.queues.aio import AsyncMessage
from rmq.worker import App

app = App()
WORK_S = 0.02
"""A run takes so long, so that whoever is told to end has some under way."""


def note(what: str, message: AsyncMessage, queue: str) -> None:
    line = f"{what} {queue} {message.text} {message.message_group_id or '-'}\n"
    with Path(os.environ["ROLLOUT_JOURNAL"]).open("ab", buffering=0) as journal:
        journal.write(line.encode())


@app.handler("coroutines", concurrency=40)
async def coroutine(message: AsyncMessage) -> None:
    note("began", message, "coroutines")
    await asyncio.sleep(WORK_S)
    note("ended", message, "coroutines")


@app.handler("threads", concurrency=10)
def thread(message: AsyncMessage) -> None:
    note("began", message, "threads")
    time.sleep(WORK_S)
    note("ended", message, "threads")


@app.handler("ordered.fifo", concurrency=10)
async def in_order(message: AsyncMessage) -> None:
    note("began", message, "ordered.fifo")
    await asyncio.sleep(WORK_S / 4)
    note("ended", message, "ordered.fifo")
