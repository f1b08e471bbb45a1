"""What the tests of the gateway get: the endpoint itself, without HTTP, on a memory:// of its own;
and `rmq serve` as a process on a real server, shared by all tests of a test process.

Each test that shares it has an account of its own (sdk.new_account), and so its own queues.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from rmq.client.aio import AsyncClient
from rmq.client.configured import configured
from rmq.gateway.app import Endpoint, endpoint_limits
from rmq.gateway.controls import Controls
from rmq.settings import Settings
from rmq.testing import HeldClock
from tests.conftest import Servers
from tests.gateway.sdk import PROTOCOLS, REGION, Sdk, over_http
from tests.gateway.serving import Serving, serving

OWN_ACCOUNT = "000000000000"
"""The account of callers whose access key id is not 12 digits."""


@pytest.fixture(scope="session")
def endpoint(servers: Servers) -> Iterator[Serving]:
    """A running `rmq serve --testing`, on Valkey."""
    with serving("--testing", redis=servers.url("endpoint")) as made:
        yield made


@pytest.fixture(scope="session")
def endpoint_url(endpoint: Serving) -> str:
    return endpoint.url


@pytest.fixture(params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def gateway(namespace: str, clock: HeldClock) -> AsyncIterator[Endpoint]:
    """An Endpoint without HTTP, with AWS's 60-second rules and the controls of --testing."""
    client = AsyncClient(
        "memory://",
        settings=configured(Settings, "memory://", namespace, {}),
        clock=clock,
        limits=endpoint_limits(),
        signs_queues=True,
    )
    made = Endpoint(client, account=OWN_ACCOUNT, region=REGION, controls=Controls(clock))
    yield made
    clock.move(86_400)  # whoever still waits sees the end of its wait
    await made.close()


@pytest.fixture
def sqs(protocol: str, gateway: Endpoint) -> Sdk:
    """SQS in either protocol, without HTTP."""
    return Sdk(protocol, gateway, account=OWN_ACCOUNT)


@pytest.fixture
def sqs_over_http(protocol: str, endpoint_url: str) -> Sdk:
    return Sdk(protocol, over_http(endpoint_url))


@pytest.fixture
async def queue(sqs: Sdk) -> str:
    """The URL of a standard queue; visibility timeout 30 s."""
    return await sqs.queue("orders")


@pytest.fixture
async def fifo(sqs: Sdk) -> str:
    """The URL of a FIFO queue that takes the deduplication id from the body."""
    return await sqs.queue("orders.fifo", FifoQueue="true", ContentBasedDeduplication="true")
