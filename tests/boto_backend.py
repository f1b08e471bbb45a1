"""The behaviour suite runs through two more doors: boto3 over HTTP, and boto3 in this process.

A test that these can not carry out, because AWS's API lacks what it asks for, is skipped there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from rmq.testing import HeldClock, private_namespace
from tests.boto import BOTO, BotoClient
from tests.boto_doors import (
    HttpDoor,
    InProcessDoor,
    NotInAws,
    Served,
    ServedClock,
    whole_second_clock,
)
from tests.conftest import BACKENDS, Backend, Servers
from tests.gateway.serving import serving

BEYOND_AWS = {
    "queues/test_namespaces": "namespaces; AWS has accounts and regions",
    "streams/test_faults": "faults of the library's own connections",
    "streams/test_following": "records as they are put, of all shards",
    "streams/test_half_done": "plans carried out by hand",
    "streams/test_numbers": "figures of the library",
    "streams/test_on_demand": "samples of the load",
    "streams/test_subscribing": "events of a plan; tests/gateway/kinesis has SubscribeToShard's",
}
"""Modules about what no AWS client can see."""


@dataclass(frozen=True)
class BotoBackend:
    """boto3, and how it comes to the endpoint."""

    served: Served | None
    """The process; None where there is none."""
    colour: str = "boto3"
    has_totals = False

    @property
    def place(self) -> str:
        """On what server the endpoint's queues are."""
        return "memory" if self.served is None else "endpoint"

    def connect(self, target: Any = None, **options: Any) -> BotoClient:
        """A client with the face of the async one."""
        if self.served is None:
            return BotoClient(InProcessDoor(**options))
        return BotoClient(HttpDoor(self.served, **options))

    def beyond_aws(self, what: str) -> None:
        """Skip the rest of a test: it looks at *what*."""
        raise NotInAws(what)

    def clock(self) -> HeldClock:
        return whole_second_clock() if self.served is None else ServedClock(self.served)

    def namespace(self) -> str:
        return private_namespace() if self.served is None else self.served.namespace()


@pytest.fixture(scope="session")
def served(servers: Servers) -> Iterator[Served]:
    """An endpoint without AWS's 60-second rules: they have tests of their own."""
    with serving("--testing", "--no-cooldowns", redis=servers.url("endpoint")) as process:
        made = Served(process)
        yield made
        made.close()


@pytest.fixture(params=[*BACKENDS, *BOTO])
def backend(request: pytest.FixtureRequest, servers: Servers) -> Backend | BotoBackend:
    return backend_of(request, servers)


def backend_of(request: pytest.FixtureRequest, servers: Servers) -> Backend | BotoBackend:
    """What a fixture's parameter names: `async-valkey`, `boto3-http`."""
    colour, _, place = request.param.partition("-")
    if colour != "boto3":
        return Backend(colour, place, servers.url(place))
    return BotoBackend(request.getfixturevalue("served") if place == "http" else None)


@pytest.fixture(autouse=True)
def beyond_aws(request: pytest.FixtureRequest) -> None:
    what = BEYOND_AWS.get(f"{request.path.parent.name}/{request.path.stem}")
    if what is not None and _name(request) in BOTO:
        raise NotInAws(what)


@pytest.fixture
def clock(request: pytest.FixtureRequest) -> Iterator[HeldClock]:
    backend = _boto(request)
    held = backend.clock() if backend else HeldClock()
    yield held
    if isinstance(held, ServedClock):
        held.release()


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> str:
    backend = _boto(request)
    return backend.namespace() if backend else private_namespace()


def _boto(request: pytest.FixtureRequest) -> BotoBackend | None:
    """The test's backend, if it is one through boto3."""
    found = request.getfixturevalue("backend") if _name(request) in BOTO else None
    return found if isinstance(found, BotoBackend) else None


def _name(request: pytest.FixtureRequest) -> str:
    """The name of the test's backend; empty for a test that has none."""
    spec = getattr(request.node, "callspec", None)
    return str(spec.params.get("backend", "")) if spec else ""
