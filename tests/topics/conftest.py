"""What tests of topics get beside what all get."""

from __future__ import annotations

from typing import Any

import pytest

from tests.boto_backend import backend, beyond_aws, clock, namespace, served

__all__ = ["backend", "beyond_aws", "clock", "namespace", "served"]
"""These also run the tests through boto3."""


@pytest.fixture
async def topic(client: Any) -> Any:
    """A standard topic."""
    return await client.create_topic("news")


@pytest.fixture
async def fifo_topic(client: Any) -> Any:
    """A FIFO topic that takes the deduplication id from the message."""
    return await client.create_topic("news.fifo", content_based_deduplication=True)
