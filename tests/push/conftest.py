"""What tests of pushing get: a dispatcher that they drain, on each kind of server; a subscriber.

The dispatcher is asyncio only, so these run in one colour.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from rmq.push.dispatcher import Dispatcher
from rmq.push.senders import Handlers, chosen
from rmq.push.settings import PushSettings
from rmq.security.signature import SigningKey
from tests.push.listener import Listener

PLACES = ["async-memory", "async-valkey", "async-cluster", "async-redis"]


@pytest.fixture(params=PLACES)
def backend(request: pytest.FixtureRequest, servers: Any) -> Any:
    from tests.conftest import Backend

    colour, _, place = request.param.partition("-")
    return Backend(colour, place, servers.url(place))


@pytest.fixture(scope="session")
def key() -> SigningKey:
    """A key takes some time to make, and tests need no new ones."""
    return SigningKey.create()


@pytest.fixture
async def dispatch(client: Any, key: SigningKey) -> AsyncIterator[Callable[..., Dispatcher]]:
    """Makes dispatchers that may call this machine, and whose retries are not spread."""
    made: list[Dispatcher] = []

    def dispatch(
        client_of: Any = None, *, handlers: Handlers | None = None, **options: Any
    ) -> Dispatcher:
        of = client_of or client
        of._site.signing_key = key
        settings = options.pop("settings", None) or PushSettings(allow_addresses=("loopback",))
        senders = chosen(settings, of._executor, handlers=handlers)
        senders |= options.pop("senders", {})
        made.append(Dispatcher(of, senders, random=lambda: 0.5, **options))
        return made[-1]

    yield dispatch
    for one in made:
        await one.close()


@pytest.fixture
def dispatcher(dispatch: Callable[..., Dispatcher]) -> Dispatcher:
    return dispatch()


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    made = await Listener.start()
    yield made
    await made.close()


@pytest.fixture
async def topic(client: Any) -> Any:
    """A standard topic."""
    return await client.create_topic("orders")
