"""What tests of SMS get: the room."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Backend


@pytest.fixture
def sms(client: Any) -> Any:
    return client.sms


@pytest.fixture(params=["async-memory", "sync-valkey"])
def backend(request: pytest.FixtureRequest, servers: Any) -> Backend:
    """Each kind of server and both colours, but not each with each: as in tests/topics/mobile."""
    colour, _, place = request.param.partition("-")
    return Backend(colour, place, servers.url(place))
