"""What tests of topics get beside what all get."""

from __future__ import annotations

from typing import Any

import pytest

from tests.boto_backend import BotoBackend, backend_of, beyond_aws, clock, namespace, served
from tests.conftest import Backend, Servers

__all__ = ["beyond_aws", "clock", "namespace", "served"]
"""These also run the tests through boto3."""

BACKENDS = (
    "async-memory",
    "sync-valkey",
    "sync-cluster",
    "boto3-http",
    "boto3-inprocess",
)
"""Each kind of server, each colour and each door, but not each with each: a run of all tests has to
stay short. What differs between servers and colours is the executor's, which queues test on all."""


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, servers: Servers) -> Backend | BotoBackend:
    return backend_of(request, servers)


@pytest.fixture
async def topic(client: Any) -> Any:
    """A standard topic."""
    return await client.create_topic("news")


@pytest.fixture
async def fifo_topic(client: Any) -> Any:
    """A FIFO topic that takes the deduplication id from the message."""
    return await client.create_topic("news.fifo", content_based_deduplication=True)
