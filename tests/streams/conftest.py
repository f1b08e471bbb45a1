"""What tests of streams get beside what all get."""

from __future__ import annotations

from typing import Any

import pytest

from tests.boto_backend import BotoBackend, backend_of, beyond_aws, clock, namespace, served
from tests.conftest import Backend, Servers

__all__ = ["beyond_aws", "clock", "namespace", "served"]
"""These also run the tests through boto3."""

BACKENDS = ("async-memory", "sync-valkey", "async-cluster")
"""Each kind of server and each colour, but not each with each: a run of all tests has to stay
short. What differs between servers and colours is the executor's, which queues test on all."""


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, servers: Servers) -> Backend | BotoBackend:
    return backend_of(request, servers)


@pytest.fixture
async def stream(client: Any) -> Any:
    """A stream of one shard."""
    return await client.create_stream("positions")


@pytest.fixture
async def wide(client: Any) -> Any:
    """A stream of four shards."""
    return await client.create_stream("orders", 4)
