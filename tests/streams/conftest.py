"""What tests of streams get beside what all get."""

from __future__ import annotations

from typing import Any

import pytest

from tests.boto_backend import BotoBackend, backend_of, beyond_aws, clock, namespace, served
from tests.conftest import Backend, Servers

__all__ = ["beyond_aws", "clock", "namespace", "served"]
"""These also run the tests through boto3."""

BACKENDS = ("async-memory", "sync-valkey", "async-cluster", "boto3-http", "boto3-inprocess")
"""Each kind of server and each colour, but not each with each: a run of all tests has to stay
short. What differs between servers and colours is the executor's, which queues test on all."""


ONE_DOOR = ("test_attributes", "test_resharding", "test_retention", "test_streams")
"""Modules that do not come back over HTTP: the actions are the same, and these take longest."""


@pytest.fixture(autouse=True)
def one_door(request: pytest.FixtureRequest) -> None:
    spec = getattr(request.node, "callspec", None)
    if spec and spec.params.get("backend") == "boto3-http" and request.path.stem in ONE_DOOR:
        pytest.skip("these go through boto3 in process only")


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
