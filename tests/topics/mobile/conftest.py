"""What tests of mobile push get: the room, an application and one of its endpoints."""

from __future__ import annotations

from typing import Any

import pytest


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
