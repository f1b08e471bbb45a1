"""Gate: which limits of the fleet a message has to pass before its handler runs.

    api = Throttle("api", "100/s")               so many in a time, wherever it is named
    db = Concurrency("db", 5, by="customer")     so many at once, for each customer

    @app.task(limits=[api, db])

A limit of a whole queue is asked before its messages are received, for as many as may run; one of a
task, or one that goes by a key, when the message is there. What may not run yet goes back to the
queue until it is worth asking again, and that is no failure.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rmq.client.aio import AsyncClient
from rmq.core.limits import listed, ms, seconds
from rmq.core.script import Block, Plan, Sleep
from rmq.errors import CallerError, ConfigurationError, InvalidParameter, RmqError
from rmq.queues.aio import AsyncMessage
from rmq.worker.callee import Callee
from rmq.worker.limits import (
    LEASE,
    ConcurrencyLimit,
    Rate,
    RateLimit,
    check_places,
    check_rate,
)

log = logging.getLogger("rmq.worker")

By = str | Callable[..., str] | None
"""Whose limit it is: None for everybody together; `group` for each message group; the name of an
argument (or of a field of a handler's payload); or a function of the same arguments."""
LONGEST_S = 300.0
"""A message that may not run yet is looked at again after this at the latest."""


@dataclass(frozen=True, slots=True)
class Throttle:
    """So many runs in a time in the whole fleet."""

    name: str
    """Whoever uses the same name shares it."""
    rate: str | Rate
    """`100/s`, `5/min`, `1/10s`."""
    burst: int | None = None
    """How many at once after a quiet time; default the rate's count."""
    by: By = None

    def made(self, client: AsyncClient) -> RateLimit:
        """Raises InvalidParameter."""
        return RateLimit(client, self.name, self.rate, burst=self.burst)


@dataclass(frozen=True, slots=True)
class Concurrency:
    """So many runs at once in the whole fleet. Those of a worker that died count for another
    *lease*."""

    name: str
    limit: int
    by: By = None
    lease: timedelta | float = LEASE

    @property
    def lease_s(self) -> float:
        """For how long a place is held without being renewed."""
        return seconds(self.lease, "lease").total_seconds()

    def made(self, client: AsyncClient) -> ConcurrencyLimit:
        """Raises InvalidParameter."""
        return ConcurrencyLimit(client, self.name, self.limit, lease=self.lease)


Limit = Throttle | Concurrency


def checked_limits(limits: Sequence[Limit]) -> tuple[Limit, ...]:
    """Raises InvalidParameter."""
    found = listed(limits, "limits", "Throttle and Concurrency objects")
    for one in found:
        if not isinstance(one, (Throttle, Concurrency)):
            raise InvalidParameter("limits", one, "Throttle and Concurrency objects")
        if not (one.by is None or isinstance(one.by, str) or callable(one.by)):
            raise InvalidParameter(f"by of limit {one.name!r}", one.by, "a name or a function")
        if isinstance(one, Throttle):
            check_rate(one.name, one.rate, one.burst)
        else:
            check_places(one.name, one.limit, one.lease)
    return tuple(found)


def check_by(limits: Sequence[Limit], names: Sequence[str], whose: str) -> None:
    """Whether limits go by arguments that there are. With a name that is none, all messages would
    share one place. Raises ConfigurationError."""
    for one in limits:
        if isinstance(one.by, str) and one.by != "group" and one.by not in names:
            raise ConfigurationError(
                f"limit {one.name!r} of {whose} goes by {one.by!r}; it has "
                f"{', '.join(names) or 'no arguments'}, or `group`"
            )


class Places:
    """Those of one limit that are held here. The event loop takes and leaves them, the leases'
    thread renews them."""

    __slots__ = ("holders", "renewed")

    def __init__(self) -> None:
        self.holders: dict[str, None] = {}
        self.renewed = time.monotonic()
        """When all that were held then were renewed last, of the monotonic clock."""


class Gate:
    """The limits that one worker keeps to, and the places that it holds."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._executor = client._executor
        self._made: dict[Limit, Any] = {}
        self.held: dict[ConcurrencyLimit, Places] = {}
        """Limits by key among them; only as long as a place is held. See leases.py."""
        self._places: dict[AsyncMessage, list[tuple[ConcurrencyLimit, str]]] = {}
        self._keyed: dict[str, ConcurrencyLimit] = {}
        self._leaving: set[asyncio.Task[Any]] = set()

    # --- before messages are received ---

    async def ask(self, limits: Sequence[Limit], want: int) -> Asked:
        """Wait until at least one message may run, and take what is needed for up to *want*."""
        asked = Asked(self, want)
        try:
            await self._executor.lease(self._asking(limits, asked), lambda _: asked.returning())
        except BaseException:
            # Who is cancelled does not wait; a call that is under way gives back what it takes.
            self._executor.start(asked.returning())
            raise
        return asked

    def _asking(self, limits: Sequence[Limit], asked: Asked) -> Plan[None]:
        for one in limits:
            limit = self._of(one)
            yield from (_some if isinstance(limit, RateLimit) else _places)(limit, asked)

    # --- when a message is there ---

    async def enter(
        self,
        limits: Sequence[Limit],
        message: AsyncMessage,
        callee: Callee,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> timedelta | None:
        """Take what a message needs to run. Where it may not: when to look again."""
        taken: list[tuple[RateLimit, int]] = []
        for one in limits:
            limit = self._of(one)
            if one.by is not None:
                limit = self._for_key(limit, one.by, message, callee, args, kwargs)
            wait = None
            if isinstance(limit, RateLimit):
                had = await limit.take()
                if had.count:
                    taken.append((limit, 1))
                else:
                    wait = had.wait
            else:
                holder = uuid.uuid4().hex
                held = await limit.hold(holder)
                if held.holders:
                    self.hold(limit, message, holder)
                else:
                    # Nobody tells when a place is given back: a message waits in Redis, not here.
                    wait = min(held.wait or limit.lease, timedelta(seconds=1))
            if wait is not None:
                for other, count in taken:
                    await other.give_back(count)
                self.leave(message)
                spread = 1 + random.random() / 4
                return min(wait * spread, timedelta(seconds=LONGEST_S))
        return None

    def hold(self, limit: ConcurrencyLimit, message: AsyncMessage, holder: str) -> None:
        """A message runs on a place that was taken."""
        limit = self.keep(limit, (holder,))
        self._places.setdefault(message, []).append((limit, holder))

    def keep(self, limit: ConcurrencyLimit, holders: Sequence[str]) -> ConcurrencyLimit:
        """Have places renewed, until they are let go. The limit under which they are held."""
        limit = self._keyed.setdefault(limit.name, limit)
        places = self.held.get(limit)
        if places is None:
            places = self.held[limit] = Places()
        places.holders.update(dict.fromkeys(holders))
        return limit

    def let_go(self, limit: ConcurrencyLimit, holders: Sequence[str]) -> None:
        """Renew them no longer. Before they are given back: a renewal that is under way then looks
        whether they are still wanted, and gives back what it took again."""
        limit = self._keyed.get(limit.name, limit)
        places = self.held.get(limit)
        if places is None:
            return
        for one in holders:
            places.holders.pop(one, None)
        if not places.holders:
            del self.held[limit]
            del self._keyed[limit.name]

    def leave(self, message: AsyncMessage) -> None:
        """A message does not run any more: give its places back."""
        if not self._places:
            return
        for limit, holder in self._places.pop(message, ()):
            self._free(limit, (holder,))

    def _free(self, limit: ConcurrencyLimit, holders: Sequence[str]) -> None:
        self.let_go(limit, holders)
        task = asyncio.create_task(self._release(limit, holders), name="rmq-place")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _release(self, limit: ConcurrencyLimit, holders: Sequence[str]) -> None:
        try:
            await limit.release(*holders)
        except RmqError as error:
            log.warning("places of %s are free when their lease ends: %s", limit.name, error)

    async def close(self) -> None:
        """Give back all that is held."""
        for message in list(self._places):
            self.leave(message)
        if self._leaving:
            await asyncio.wait(self._leaving, timeout=1.0)

    def _of(self, one: Limit) -> Any:
        made = self._made.get(one)
        if made is None:
            made = self._made[one] = one.made(self._client)
        return made

    def _for_key(
        self,
        limit: Any,
        by: str | Callable[..., str],
        message: AsyncMessage,
        callee: Callee,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Any:
        if by == "group":
            key: Any = message.message_group_id or ""
        elif callable(by):
            key = by(*args, **kwargs)
        elif by in kwargs:
            key = kwargs[by]
        else:
            names = list(callee.parameters)
            place = names.index(by) if by in names else len(args)
            if place < len(args):
                key = args[place]
            elif len(args) == 1:
                payload = args[0]
                key = (
                    payload.get(by) if isinstance(payload, Mapping) else getattr(payload, by, None)
                )
            else:
                key = None
        try:
            return limit.of(str(key))
        except CallerError:
            # Braces or spaces: still a key of its own.
            return limit.of(uuid.uuid5(uuid.NAMESPACE_OID, str(key)).hex)


class Asked:
    """What was taken for messages that are not there yet."""

    def __init__(self, gate: Gate, count: int) -> None:
        self.count = count
        """Messages that may be received."""
        self._gate = gate
        self._rates: list[tuple[RateLimit, int]] = []
        self._holders: list[tuple[ConcurrencyLimit, list[str]]] = []

    def took(self, limit: RateLimit, count: int) -> None:
        self._rates.append((limit, count))
        self.count = min(self.count, count)

    def holds(self, limit: ConcurrencyLimit, holders: list[str]) -> None:
        self._gate.keep(limit, holders)
        self._holders.append((limit, holders))
        self.count = min(self.count, len(holders))

    async def received(self, messages: Sequence[AsyncMessage]) -> None:
        """These came: each has its places. What is left goes back."""
        for limit, holders in self._holders:
            for message in messages:
                self._gate.hold(limit, message, holders.pop())
        for place, (rate, count) in enumerate(self._rates):
            self._rates[place] = (rate, count - len(messages))
        await self._gate._executor.run(self.returning())

    def returning(self) -> Plan[None]:
        """Give back what was not needed."""
        rates, self._rates = self._rates, []
        places, self._holders = self._holders, []
        for rate, count in rates:
            if count > 0:
                yield rate._take(-count, 0)
        for limit, holders in places:
            if holders:
                self._gate.let_go(limit, holders)
                yield limit._release(holders)


def _some(limit: RateLimit, asked: Asked) -> Plan[None]:
    while True:
        want = min(asked.count, limit.burst)
        taken = yield limit._take(want, 1)
        if taken.count:
            asked.took(limit, taken.count)
            return
        yield Sleep(taken.wait.total_seconds())


def _places(limit: ConcurrencyLimit, asked: Asked) -> Plan[None]:
    while True:
        names = [uuid.uuid4().hex for _ in range(min(asked.count, limit.limit))]
        held = yield limit._hold(names)
        if held.holders:
            asked.holds(limit, list(held.holders))
            return
        yield Block(limit._keys.wake, max(ms(held.wait or limit.lease), 1))
