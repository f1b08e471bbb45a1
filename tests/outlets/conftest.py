"""What tests of queues on streams get: an on-demand stream, and the queues of its client."""

from __future__ import annotations

from typing import Any

import pytest

from rmq.outlets.queues import StreamQueues, stream_queues
from tests.conftest import Backend, Servers

BACKENDS = ("async-memory", "async-valkey", "async-cluster")
"""Outlets are for asyncio only."""


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, servers: Servers) -> Backend:
    colour, _, place = request.param.partition("-")
    return Backend(colour, place, servers.url(place))


@pytest.fixture
async def stream(client: Any) -> Any:
    """An on-demand stream."""
    return await client.create_stream("clicks", mode="ON_DEMAND")


@pytest.fixture
def queues(client: Any) -> StreamQueues:
    return stream_queues(client)


@pytest.fixture
async def queue(queues: StreamQueues, stream: Any) -> str:
    """The id of a queue that begins at the oldest record; timeout 30 s, dead letters after 6."""
    return (await queues.create("done-once", stream, start="TRIM_HORIZON")).id
