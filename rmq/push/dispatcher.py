"""Dispatcher: takes to their endpoints what topics have for everybody but queues.

    publisher ── inner queue of each subscription ── marked as ready
                                                        │ claim
    Dispatcher ── Desk of each account ── Line of each inner queue ── Job ── Sender ── endpoint

Start as many as you like, anywhere: they share the work by claims, and what one leaves when it dies
the others find when its claims and leases run out.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from rmq.client.aio import AsyncClient
from rmq.core.keys import PushKeys
from rmq.core.place import Place
from rmq.errors import InvalidParameter, ServerError
from rmq.push import commands
from rmq.push.breakers import Breakers
from rmq.push.counters import Counters
from rmq.push.desk import Desk
from rmq.push.job import Sender
from rmq.push.once import Once
from rmq.push.senders import Handlers, chosen
from rmq.push.settings import PushSettings, push_settings
from rmq.push.slots import Slots
from rmq.security.signature import SigningKey
from rmq.topics.envelope import Signature
from rmq.topics.ready import Work
from rmq.topics.signing import signing_key

log = logging.getLogger("rmq.push")

CONCURRENCY = 1_000
"""Messages that are sent at the same time."""
PER_ENDPOINT = 20
"""Of those, how many to one endpoint. A hundred hanging ones would still leave room."""
STOP_S = 20.0
"""How long deliveries that are under way may take when a dispatcher is stopped: longer than an
endpoint may take to answer."""
AWAY_S = 2.0
"""When a dispatcher is stopped, it does not wait longer than this for a Redis that is away."""
FLUSH_S = 1.0
"""How often counts are written down. Those of the last second are lost with a dispatcher."""
SWEEP_S = 5.0
"""How often it is looked for what publishers left, and for new accounts."""
SIGNATURES = 1_000
"""Signatures that are kept: of a message to a thousand endpoints one is made."""


class Dispatcher:
    """Pushes for one namespace, and for the accounts beside it. Give it senders by protocol.

    Either `run` it, or call `drain` from time to time.
    """

    def __init__(
        self,
        client: AsyncClient,
        senders: Mapping[str, Sender],
        *,
        concurrency: int = CONCURRENCY,
        per_endpoint: int = PER_ENDPOINT,
        random: Callable[[], float] = random.random,
    ) -> None:
        """*concurrency*: messages under way at a time, 1 to 100,000; *per_endpoint*: of those, of
        one subscription. *random* spreads retries; it gives numbers from 0 to 1.

        Raises InvalidParameter.
        """
        for name, value in (("concurrency", concurrency), ("per_endpoint", per_endpoint)):
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 100_000:
                raise InvalidParameter(name, value, "1 to 100000")
        self.client = client
        self.senders = senders
        self.random = random
        self.slots = Slots(concurrency)
        self.breakers = Breakers()
        self.signatures: Once[Signature] = Once(SIGNATURES)
        self._keys: Once[SigningKey] = Once(1)
        self._counters = Counters()
        self._per_endpoint = per_endpoint
        self._desks: dict[str, Desk] = {}
        self._running: dict[str, asyncio.Task[None]] | None = None
        self._stopped: float | None = None
        """When it has to be over, by the monotonic clock, once it is stopping."""
        self._open(client)

    @classmethod
    def of(
        cls,
        client: AsyncClient,
        settings: PushSettings | None = None,
        *,
        handlers: Handlers | None = None,
        **options: Any,
    ) -> Dispatcher:
        """One with senders as *settings* want them, by default those of the environment.
        *handlers* are functions of lambda subscriptions, beside those of the settings.

        Raises ConfigurationError, InvalidParameter.
        """
        found = push_settings() if settings is None else settings
        return cls(client, chosen(found, client._executor, handlers=handlers), **options)

    @property
    def counters(self) -> Counters:
        """What it has done so far, and what is under way."""
        self._counters.lines = sum(desk.lines for desk in self._desks.values())
        self._counters.open_breakers = self.breakers.open
        return self._counters

    @property
    def is_stopping(self) -> bool:
        """Whether nothing new is begun."""
        return self._stopped is not None

    async def run(self, stopping: asyncio.Event, *, deadline: float = STOP_S) -> None:
        """Push until *stopping* is set. Then nothing new is begun, what is under way may take
        another *deadline* seconds, and what has not ended then is given back.

        Trouble with Redis is waited out. Raises ConfigurationError where it refuses us.
        """
        self._stopped = None
        self.slots.open()
        self._running = {}
        stop = asyncio.create_task(stopping.wait())
        house = asyncio.create_task(self._keep_house(), name="rmq-house")
        try:
            for namespace in self._desks:
                self._start(namespace)
            while not stop.done():
                watched = {stop, house, *self._running.values()}
                done, _ = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
                for task in done - {stop}:
                    task.result()
        finally:
            self._stopped = time.monotonic() + deadline
            self.slots.close()
            desks, self._running = self._running, None
            for desk in self._desks.values():
                desk.wake()
            if desks:
                # A claim that is under way is answered in no time, or Redis is away.
                await asyncio.wait(desks.values(), timeout=min(deadline, AWAY_S))
            tasks = {stop, house, *desks.values()}
            while tasks:
                for task in tasks:
                    task.cancel()
                # asyncio.wait_for may lose a cancellation (CPython 86296), and redis-py writes by
                # it before Python 3.12.
                _, tasks = await asyncio.wait(tasks, timeout=0.1)
            await asyncio.gather(*(desk.end() for desk in self._desks.values()))
            with suppress(TimeoutError):
                async with asyncio.timeout(AWAY_S):
                    await self.flush()

    async def drain(self) -> int:
        """Send all that is due now, to the end, and return how many tries that were. For tests and
        for jobs that run now and then; not while it runs."""
        before = self._counters.tries
        leases = asyncio.create_task(self._keep_leases(), name="rmq-leases")
        try:
            while True:
                await self.find_places()
                worked = 0
                for desk in tuple(self._desks.values()):
                    worked += await desk.drain()
                if not worked:
                    break
        finally:
            leases.cancel()
        await self.flush()
        return self._counters.tries - before

    async def sweep(self) -> int:
        """Finish what publishers left, on some topics of each account. How many deliveries."""
        total = 0
        for desk in tuple(self._desks.values()):
            total += await desk.sweep()
        self._counters.finished += total
        return total

    async def flush(self) -> None:
        """Write down what was counted for each subscription."""
        for desk in tuple(self._desks.values()):
            await desk.flush()

    async def close(self) -> None:
        """Give back the senders' connections. The client stays open."""
        for sender in {id(one): one for one in self.senders.values()}.values():
            await sender.close()
        for desk in self._desks.values():
            await desk.close()

    # --- for desks and lines ---

    def room(self, work: Work) -> int:
        """How many messages of one inner queue may be under way. What has no subscription goes to
        many endpoints."""
        return self._per_endpoint if work.topic else max(self._per_endpoint, self.slots.count // 4)

    def patience(self) -> float | None:
        """Seconds that a delivery may still take."""
        return None if self._stopped is None else max(self._stopped - time.monotonic(), 0)

    async def signing_key(self) -> SigningKey:
        """The key of our namespace, got once however many ask."""
        registry = self.client._topics
        known = registry.site.signing_key
        if known is not None:
            return known
        return await self._keys.get("key", lambda: self.client._executor.run(signing_key(registry)))

    async def find_places(self) -> None:
        """Learn which accounts beside ours have something to push."""
        root = PushKeys(self.client._topics.places.root)
        for place in await self.client._executor.call(commands.places(root)):
            self._meet(place)

    def _meet(self, place: Place) -> None:
        if self.client._topics.places.namespace_of(place) not in self._desks:
            self._open(self.client.in_account(place.account, place.region))

    def _open(self, client: AsyncClient) -> None:
        self._desks[client.namespace] = Desk(self, client)
        if self._running is not None:
            self._start(client.namespace)

    def _start(self, namespace: str) -> None:
        assert self._running is not None
        if namespace not in self._running:
            desk = self._desks[namespace]
            self._running[namespace] = asyncio.create_task(desk.run(), name="rmq-desk")

    async def _keep_leases(self) -> None:
        """Renew the leases of what is being sent for long."""
        while True:
            await asyncio.sleep(FLUSH_S)
            for desk in tuple(self._desks.values()):
                await desk.extend()

    async def _keep_house(self) -> None:
        """What has to be done now and then."""
        # Others begin at the same moment.
        swept = time.monotonic() - SWEEP_S * random.random()
        with suppress(ServerError):  # they are looked for again below
            await self.find_places()
        while True:
            await asyncio.sleep(FLUSH_S)
            try:
                await self.flush()
                for desk in tuple(self._desks.values()):
                    await desk.extend()
                if time.monotonic() - swept >= SWEEP_S:
                    swept = time.monotonic()
                    await self.find_places()
                    await self.sweep()
            except ServerError as error:
                log.warning("%s", error)
