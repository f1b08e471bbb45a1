"""What tests of consumer groups get. Workers are asyncio only, so these run in one colour."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from rmq.streams.groups import worker as worker_module
from rmq.streams.groups.worker import Worker
from tests.colours import PATIENCE
from tests.conftest import Backend, Servers
from tests.streams.groups.consuming import Handler

PLACES = ["async-memory", "async-valkey", "async-cluster"]
QUICK = 0.3
"""A lease in seconds: heartbeats come so often that no test waits for them."""


@pytest.fixture(params=PLACES)
def backend(request: pytest.FixtureRequest, servers: Servers) -> Any:
    colour, _, place = request.param.partition("-")
    return Backend(colour, place, servers.url(place))


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever leaves waits for a Redis that is slow, not away: tests look at what it left."""
    monkeypatch.setattr(worker_module, "LEAVE_S", PATIENCE)


@pytest.fixture
def handler() -> Handler:
    return Handler()


@pytest.fixture
async def consume(stream: Any, handler: Handler) -> AsyncIterator[Callable[..., Any]]:
    """Starts workers of the group `billing`; those that still run are stopped in the end."""
    workers: list[Worker] = []

    async def consume(handle: Any = handler, *, of: Any = stream, **options: Any) -> Worker:
        given = {"start": "TRIM_HORIZON", "lease": QUICK, "grace": PATIENCE} | options
        workers.append(of.consumer("billing", handle, **given))
        return await workers[-1].__aenter__()

    yield consume
    for one in workers:
        if one._task is not None:
            await one.__aexit__(None, None, None)
