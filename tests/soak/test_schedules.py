"""Three schedulers as processes, one of them killed again and again: each moment is fired once."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime, timedelta

import pytest

import rmq
from rmq.testing import private_namespace
from rmq.worker.schedules import Schedules
from tests.servers import single_server

FOR_S = 150
NAMES = [f"every-{seconds}s-{copy}" for seconds in (1, 2) for copy in range(5)]


@pytest.mark.soak
@pytest.mark.timeout(400)
async def test_each_moment_is_fired_once_while_schedulers_are_killed():
    chance, namespace, kills = random.Random(6), private_namespace(), 0
    with single_server() as server:

        def start() -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", "tests.soak.scheduler", server.url, namespace]
            return subprocess.Popen(command, stdout=subprocess.DEVNULL)

        live = [start() for _ in range(3)]
        try:
            async with rmq.connect_async(server.url, namespace=namespace) as client:
                queue, schedules = await client.create_queue("moments"), Schedules(client)
                for name in NAMES:
                    every = timedelta(seconds=int(name.split("-")[1][:-1]))
                    await schedules.put(name, every, "moments", "x", catch_up="all")
                until = time.monotonic() + FOR_S
                while time.monotonic() < until:
                    await asyncio.sleep(chance.uniform(2, 12))
                    at = chance.randrange(3)
                    live[at].kill()
                    live[at].wait()
                    live[at] = start()
                    kills += 1
                for name in NAMES:
                    await schedules.pause(name)
                await asyncio.sleep(20)  # a lease that a dead one left
                found: Counter[tuple[str, str]] = Counter()
                while got := await queue.receive(10):
                    found.update(
                        (
                            one.attributes["rmq.schedule"].value,
                            one.attributes["rmq.scheduled_at"].value,
                        )
                        for one in got
                    )
                    await queue.delete_many(got)
                last = {one.name: one.last_at for one in await schedules.list()}
        finally:
            for one in live:
                one.kill()
                one.wait()
    assert kills >= 12
    assert max(found.values()) == 1
    for name in NAMES:
        moments = sorted(at for of, at in found if of == name)
        assert last[name] is not None
        every = int(name.split("-")[1][:-1])
        span = int(last[name].timestamp()) - int(_at(moments[0]))
        assert len(moments) == span // every + 1, name
    assert len(found) > 1000


def _at(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
