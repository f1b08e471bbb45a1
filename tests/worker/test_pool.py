"""A pool of threads, where the system gives no more of them."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from rmq.worker import pool as pools
from rmq.worker.pool import Pool
from tests.worker.conftest import until


@pytest.mark.parametrize("refused", ["_adjust_thread_count", "submit"])
async def test_what_no_thread_can_be_started_for_runs_once_in_one_that_is_there(
    refused, monkeypatch
):
    """Python has queued a call when it finds that there is no thread for it, or has not."""
    monkeypatch.setattr(pools, "AGAIN_S", 0.001)
    pool, release, ran, asked = Pool(2, "test"), threading.Event(), [], 0
    first = asyncio.create_task(pool.run(lambda: release.wait(20)))
    await until(lambda: pool._threads._threads)
    usual = getattr(ThreadPoolExecutor, refused)

    def refuse(self, *given):
        nonlocal asked
        asked += 1
        if release.is_set() and refused == "submit":
            return usual(self, *given)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(ThreadPoolExecutor, refused, refuse)
    second = asyncio.create_task(pool.run(lambda: ran.append(1)))
    gone = asyncio.create_task(pool.run(lambda: ran.append(2)))
    await until(lambda: asked > 4)
    gone.cancel()
    await asyncio.wait((gone,))
    assert ran == []
    release.set()
    await asyncio.gather(first, second)
    pool.close(wait=True)
    assert ran == [1]
    with pytest.raises(RuntimeError, match="shutdown"):
        await pool.run(lambda: ran.append(3))
