"""What tests of workers get: an app on each kind of server; a way to run its handlers one by one,
and one to let a worker run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from rmq.testing import working
from rmq.worker import App, Worker

PLACES = ["async-memory", "async-valkey", "async-cluster"]


@pytest.fixture(params=PLACES)
def backend(request: pytest.FixtureRequest, servers: Any) -> Any:
    from tests.conftest import Backend

    colour, _, place = request.param.partition("-")
    return Backend(colour, place, servers.url(place))


@pytest.fixture
async def app(backend: Any, namespace: str) -> AsyncIterator[App]:
    made = App(backend.url, namespace=namespace)
    yield made
    await made.client.wipe()
    await made.close()


@pytest.fixture
def work(app: App, backend: Any) -> working:
    """Runs handlers one by one, under a clock that stands still."""
    return working(app, backend.url)


@asynccontextmanager
async def at_work(app: App, **options: Any) -> AsyncIterator[Worker]:
    """A worker that runs."""
    async with app.worker(**options) as worker:
        await worker.start()
        yield worker


async def until(reached: Callable[[], Any], seconds: float = 30) -> Any:
    """Wait until *reached* says so."""
    async with asyncio.timeout(seconds):
        while not (found := reached()):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    return found
