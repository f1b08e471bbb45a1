"""What tests of consumer groups get. Workers are asyncio only, so these run in one colour."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Backend, Servers

PLACES = ["async-memory", "async-valkey", "async-cluster"]


@pytest.fixture(params=PLACES)
def backend(request: pytest.FixtureRequest, servers: Servers) -> Any:
    colour, _, place = request.param.partition("-")
    return Backend(colour, place, servers.url(place))
