"""What the tests of Kinesis get: the service in either protocol, without HTTP, and a stream."""

from __future__ import annotations

import pytest

from rmq.gateway.app import Endpoint
from tests.gateway.conftest import OWN_ACCOUNT
from tests.gateway.kinesis.wire import PROTOCOLS, Kinesis


@pytest.fixture(params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def kinesis(protocol: str, gateway: Endpoint) -> Kinesis:
    """Kinesis in either protocol, without HTTP."""
    return Kinesis(protocol, gateway, account=OWN_ACCOUNT)


@pytest.fixture
def json_kinesis(gateway: Endpoint) -> Kinesis:
    """Kinesis in JSON, where the protocol does not matter."""
    return Kinesis("json", gateway, account=OWN_ACCOUNT)


@pytest.fixture
async def stream(json_kinesis: Kinesis) -> str:
    """The name of a stream of two shards."""
    await json_kinesis.create_stream(StreamName="orders", ShardCount=2)
    return "orders"


@pytest.fixture
async def on_demand(json_kinesis: Kinesis) -> str:
    """The ARN of an on-demand stream."""
    await json_kinesis.create_stream(
        StreamName="clicks", StreamModeDetails={"StreamMode": "ON_DEMAND"}
    )
    return json_kinesis.arn("stream/clicks")
