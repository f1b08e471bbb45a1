"""What tests of mobile push get: the room, an application and one of its endpoints."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Backend


@pytest.fixture
def mobile(client: Any) -> Any:
    return client.mobile


@pytest.fixture
async def shop(mobile: Any) -> Any:
    """An application on Firebase."""
    return await mobile.create_application("GCM", "shop", credential="key")


@pytest.fixture
async def phone(mobile: Any, shop: Any) -> Any:
    """An endpoint of it."""
    return await mobile.create_endpoint(shop.arn, "token-1")


@pytest.fixture(params=["async-memory", "sync-valkey"])
def backend(request: pytest.FixtureRequest, servers: Any) -> Backend:
    """Each kind of server and both colours, but not each with each: these rooms are lists and small
    values, and what differs between servers is tested by queues and topics."""
    colour, _, place = request.param.partition("-")
    return Backend(colour, place, servers.url(place))
