"""What tests of workers get: each kind of server, in asyncio only."""

from __future__ import annotations

from typing import Any

import pytest

PLACES = ["async-memory", "async-valkey", "async-cluster"]


@pytest.fixture(params=PLACES)
def backend(request: pytest.FixtureRequest, servers: Any) -> Any:
    from tests.conftest import Backend

    colour, _, place = request.param.partition("-")
    return Backend(colour, place, servers.url(place))
