"""Faults: Redis hangs up, dies and comes back; whatever happens, each job is done."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from rmq.worker import App, Concurrency, Retry, Throttle
from tests.core.proxy import Proxy, proxy
from tests.servers import Server, single_server
from tests.worker.conftest import at_work, until

DURABLE = {"appendonly": "yes", "appendfsync": "always"}


@pytest.fixture
def server():  # type: ignore[no-untyped-def]
    with single_server(options=DURABLE) as made:
        yield made


class History:
    """What was sent, begun and done, held against what may be."""

    def __init__(self) -> None:
        self.sent: set[int] = set()
        self.began: Counter[int] = Counter()
        self.done: Counter[int] = Counter()

    def problems(self, *, repeats: int) -> list[str]:
        """What is wrong; *repeats* is how many runs beyond one for each job were to be expected."""
        found = [f"job {id} was lost" for id in self.sent - set(self.done)]
        found += [f"job {id} is nobody's" for id in set(self.began) - self.sent]
        more = sum(self.done.values()) - len(self.done)
        if more > repeats:
            found.append(f"{more} jobs were done again, and at most {repeats} had to be")
        return found


def app_of(
    url: str, namespace: str, history: History, chance: Callable[[], float], lease_s: float = 3
) -> App:
    app = App(url, namespace=namespace, retry_timeout=0.5, socket_timeout=2)

    @app.handler("jobs", concurrency=20, visibility_timeout=lease_s, wait=lambda state: 0.05)
    async def do(job: str) -> None:
        history.began[int(job)] += 1
        await asyncio.sleep(0.002)
        if chance() < 0.1 and history.began[int(job)] == 1:
            raise Retry(after=0.05)
        history.done[int(job)] += 1

    return app


async def is_empty(app: App) -> bool:
    return (await app.client.queue("jobs").stats()).messages == 0


async def wait_empty(app: App, seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not await is_empty(app):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("marker", [b"delete", b"worker.note"], ids=["ack", "note"])
async def test_an_answer_that_is_lost_repeats_nothing(server, namespace, marker):
    """The connection is cut after the server has deleted, or noted, what it was told to."""
    from rmq.core.script import load

    history = History()
    script = {b"worker.note": "worker/note"}.get(marker, "queues/delete")
    async with proxy(server.port) as wire:
        app = app_of(wire.url, namespace, history, random.Random(1).random, lease_s=60)
        async with app, at_work(app) as worker:
            wire.lose_the_answer_to(load(script).sha.encode())
            for id in range(100):
                history.sent.add(id)
                await app.client.queue("jobs").send(str(id))
            await until(lambda: wire.lost == 1)
            await wait_empty(app)
            await until(lambda: not worker.consumers[0].hand)
            assert worker.is_alive
    assert history.problems(repeats=0) == []


@pytest.mark.parametrize(
    ("jobs", "deaths", "cuts"),
    [
        pytest.param(300, 1, 3, id="short"),
        pytest.param(30_000, 8, 100, id="long", marks=[pytest.mark.soak, pytest.mark.timeout(900)]),
    ],
)
async def test_every_job_is_done_whatever_becomes_of_redis(server, namespace, jobs, deaths, cuts):
    """The server is killed and comes back with what it acknowledged; connections are cut in the
    middle of anything; failures are tried again all the while. Workers notice a pause."""
    history, chance = History(), random.Random(7)
    async with proxy(server.port) as wire:
        app = app_of(wire.url, namespace, history, chance.random)
        async with app, at_work(app) as worker:
            breaking = asyncio.create_task(_break(server, wire, deaths, cuts, chance))
            queue = app.client.queue("jobs")
            for id in range(jobs):
                history.sent.add(id)
                await _insist(lambda id=id: queue.send(str(id)))
                if id % 10 == 0:
                    await asyncio.sleep(0.01)
            await breaking
            await _insist(lambda: wait_empty(app, 120))
            assert worker.is_alive
            assert worker.consumers[0].tally.dead == 0
    # A connection that is cut while messages are in hand may cost them their lease, and no more.
    assert history.problems(repeats=20 * (deaths + cuts)) == []


async def _insist(ask: Callable[[], Any]) -> Any:
    from rmq.errors import ServerError

    while True:
        try:
            return await ask()
        except ServerError:
            await asyncio.sleep(0.05)


async def _break(
    server: Server, wire: Proxy, deaths: int, cuts: int, chance: random.Random
) -> None:
    deeds = ["die"] * deaths + ["cut"] * cuts
    chance.shuffle(deeds)
    for deed in deeds:
        await asyncio.sleep(chance.uniform(0.02, 0.15))
        if deed == "cut":
            wire.hang_up()
        else:
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)


async def _cut(server: Server, wire: Proxy) -> None:
    wire.hang_up()


async def _restart(server: Server, wire: Proxy) -> None:
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)


async def _fail_over(server: Server, wire: Proxy) -> None:
    """The server is a replica for a while: who is blocked is sent away, who writes is refused."""
    with server.client() as raw:
        await until(lambda: raw.info("clients")["blocked_clients"])
        raw.replicaof("127.0.0.1", 1)
        await until(lambda: not raw.info("clients")["blocked_clients"])
        raw.replicaof("NO", "ONE")


@pytest.mark.parametrize("fault", [_cut, _restart, _fail_over])
async def test_a_worker_that_was_idle_polls_again_whatever_happened(server, namespace, fault):
    """Each kind of receive was waiting: of single messages, of batches, behind a limit, and all
    three times in a row. None is silent afterwards."""
    done: Counter[str] = Counter()
    names = ("single", "batch", "limited")
    async with proxy(server.port) as wire:
        app = App(wire.url, namespace=namespace, retry_timeout=2, socket_timeout=2)

        @app.handler("single")
        async def single(body: str) -> None:
            done["single"] += 1

        @app.handler("batch", batch=10)
        async def batch(bodies: list[str]) -> None:
            done["batch"] += len(bodies)

        @app.handler("limited", limits=[Throttle("api", "1000/s"), Concurrency("db", 1)])
        async def limited(body: str) -> None:
            done["limited"] += 1

        async with app, at_work(app) as worker:
            for round in range(1, 4):
                polled = [one.receiver.polled for one in worker.consumers]
                await fault(server, wire)
                for name in names:
                    await _insist(lambda name=name: app.client.queue(name).send("x"))
                await until(lambda round=round: min(done[one] for one in names) >= round)
                after = [one.receiver.polled for one in worker.consumers]
                assert all(new > old for new, old in zip(after, polled, strict=True))
                assert worker.is_alive
