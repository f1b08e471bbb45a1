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
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rmq.client.aio import AsyncClient
from rmq.core.limits import listed, ms, seconds
from rmq.core.script import Block, Call, Plan, Several, Sleep
from rmq.core.waiting import settled
from rmq.errors import (
    CallerError,
    ConfigurationError,
    InvalidParameter,
    RmqError,
    ServerError,
)
from rmq.queues.aio import AsyncMessage
from rmq.worker import trouble
from rmq.worker.callee import Callee
from rmq.worker.limits import (
    LEASE,
    MOST_HOLDERS,
    ConcurrencyLimit,
    Held,
    Rate,
    RateLimit,
    Taken,
    check_places,
    check_rate,
)

log = logging.getLogger("rmq.worker")

By = str | Callable[..., str] | None
"""Whose limit it is: None for everybody together; `group` for each message group; the name of an
argument (or of a field of a handler's payload); or a function of the same arguments."""
LONGEST_S = 300.0
"""A message that may not run yet is looked at again after this at the latest."""
CLOSE_S = 1.0
"""How long a worker that ends waits for a server that does not take its places back."""
IN_ONE_TRIP = 100
"""Keys that are asked about at once."""


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
            why = await self._executor.lease(
                self._asking(limits, asked), lambda _: asked.returning()
            )
            if why is not None:
                raise why
        except BaseException:
            # Who is cancelled does not wait; a call that is under way gives back what it takes.
            self._go_back(asked)
            raise
        return asked

    def _asking(self, limits: Sequence[Limit], asked: Asked) -> Plan[RmqError | None]:
        """Returns its trouble: what raises takes nothing, so nothing would be given back of what
        the limits before have given. A cancel between two limits is such trouble."""
        for one in limits:
            limit = self._of(one)
            try:
                yield from (_some if isinstance(limit, RateLimit) else _places)(limit, asked)
            except RmqError as error:
                return error
        return None

    # --- when a message is there ---

    async def enter(self, limits: Sequence[Limit], entrants: Sequence[Entrant]) -> list[Waiting]:
        """Take what messages need to run, for as many of them as there is. For each of them None,
        or when to look again, or the error of the function that makes its key."""
        entry = _Entry(self, entrants)
        try:
            await self._executor.run(entry.entering(limits))
        except BaseException:
            # What was taken, or may have been, goes back; who asks again begins anew.
            entry.refuse_all()
            self._go_back(entry)
            raise
        if entry.has_more:
            await asyncio.shield(self._go_back(entry))
        return entry.waits

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
        self._begin(self._release(limit, holders))

    def _go_back(self, taken: Asked | _Entry) -> asyncio.Task[None]:
        """Give back what was not needed, to the end, whoever is cancelled meanwhile."""

        async def work() -> None:
            try:
                await self._executor.run(taken.returning())
            except RmqError as error:
                log.warning("what was not needed of a limit comes back by itself: %s", error)

        return self._begin(work())

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name="rmq-place")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        return task

    async def _release(self, limit: ConcurrencyLimit, holders: Sequence[str]) -> None:
        until = time.monotonic() + limit.lease.total_seconds()
        while time.monotonic() < until:
            try:
                await limit.release(*holders)
                return
            except ServerError as error:
                log.warning("places of %s are not given back yet: %s", limit.name, error)
                await asyncio.sleep(trouble.TROUBLE_S)

    async def left(self) -> set[asyncio.Task[Any]]:
        """Wait until the server has back what is on its way there. What it does not take."""
        return await settled(self._leaving, CLOSE_S)

    async def close(self) -> None:
        """Give back all that is held."""
        for message in list(self._places):
            self.leave(message)
        await self._executor.returned()  # of calls that were under way when they were cancelled
        for one in (left := await self.left()):
            one.cancel()
        if left:
            await asyncio.wait(left)

    def _of(self, one: Limit) -> Any:
        made = self._made.get(one)
        if made is None:
            made = self._made[one] = one.made(self._client)
        return made

    def _for_key(self, limit: Any, by: str | Callable[..., str], entrant: Entrant) -> Any:
        message, callee = entrant.message, entrant.callee
        args, kwargs = entrant.args, entrant.kwargs
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


@dataclass(frozen=True, slots=True)
class Entrant:
    """A message that is there, and what its handler would be called with."""

    message: AsyncMessage
    callee: Callee
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    group: str | None = None
    """Of one group on a FIFO queue none may run before one that may not."""


Waiting = timedelta | Exception | None


class _Entry:
    """Messages before the gate, with what each was given so far. They pass one limit after the
    other, all with the same key in one call."""

    def __init__(self, gate: Gate, entrants: Sequence[Entrant]) -> None:
        self.waits: list[Waiting] = [None] * len(entrants)
        self._gate = gate
        self._entrants = entrants
        self._tokens: list[list[RateLimit]] = [[] for _ in entrants]
        self._asked: dict[str, tuple[ConcurrencyLimit, list[str]]] = {}
        """Places of which it is not known whether they were had."""
        self._back: dict[str, tuple[RateLimit, int]] = {}

    def entering(self, limits: Sequence[Limit]) -> Plan[None]:
        for one in limits:
            keyed: dict[str, tuple[Any, list[int]]] = {}
            for place, entrant in enumerate(self._entrants):
                if self.waits[place] is None:
                    limit = self._gate._of(one)
                    if one.by is not None:
                        try:
                            limit = self._gate._for_key(limit, one.by, entrant)
                        except Exception as error:  # a function that somebody handed in
                            self._refuse(place, error)
                            continue
                    keyed.setdefault(limit.name, (limit, []))[1].append(place)
            calls = [
                call
                for limit, places in keyed.values()
                for at in range(0, len(places), MOST_HOLDERS)
                for call in [self._ask(limit, places[at : at + MOST_HOLDERS])]
            ]
            for at in range(0, len(calls), IN_ONE_TRIP):
                some = calls[at : at + IN_ONE_TRIP]
                answers = yield from _answers([call for call, _ in some])
                for (_, take_in), answer in zip(some, answers, strict=True):
                    take_in(answer)
            self._hold_back()

    def _ask(self, limit: Any, places: Sequence[int]) -> tuple[Call[Any], Callable[[Any], None]]:
        """The call, and what its answer means."""
        if isinstance(limit, RateLimit):
            want = min(len(places), limit.burst)

            def took(taken: Taken) -> None:
                for place in places[: taken.count]:
                    self._tokens[place].append(limit)
                # The others come one after the other, as tokens do, and not all for the next one.
                wait = taken.wait or limit.apart
                for place in places[taken.count :]:
                    self._refuse(place, self._spread(wait))
                    wait += limit.apart

            return limit._take(want, 1), took

        names = [uuid.uuid4().hex for _ in places]
        self._asked[names[0]] = (limit, names)

        def held(answer: Held) -> None:
            del self._asked[names[0]]
            had = set(answer.holders)
            for name, place in zip(names, places, strict=True):
                if name in had:
                    self._gate.hold(limit, self._entrants[place].message, name)
                else:
                    # Nobody tells when a place is given back: a message waits in Redis, not here.
                    soon = timedelta(seconds=1)
                    self._refuse(place, self._spread(min(answer.wait or limit.lease, soon)))

        return limit._hold(names), held

    def _hold_back(self) -> None:
        """Refuse what stands behind one of its group that may not run."""
        broken: set[str] = set()
        for place, entrant in enumerate(self._entrants):
            if entrant.group is None:
                continue
            if self.waits[place] is not None:
                broken.add(entrant.group)
            elif entrant.group in broken:
                self._refuse(place, timedelta(0))

    def _spread(self, wait: timedelta) -> timedelta:
        return min(wait * (1 + random.random() / 4), timedelta(seconds=LONGEST_S))

    def _refuse(self, place: int, why: timedelta | Exception) -> None:
        self.waits[place] = why
        for limit in self._tokens[place]:
            _, count = self._back.get(limit.name, (limit, 0))
            self._back[limit.name] = (limit, count + 1)
        self._tokens[place].clear()
        self._gate.leave(self._entrants[place].message)

    def refuse_all(self) -> None:
        for place in range(len(self._entrants)):
            self._refuse(place, timedelta(0))
        for limit, names in self._asked.values():
            self._gate._free(limit, names)

    @property
    def has_more(self) -> bool:
        """Whether tokens were taken that are not needed."""
        return bool(self._back)

    def returning(self) -> Plan[None]:
        """Give back the tokens of those that may not run for another reason."""
        for limit, count in self._back.values():
            yield limit._take(-count, 0)


def _answers(calls: Sequence[Call[Any]]) -> Plan[list[Any]]:
    if len(calls) == 1:
        return [(yield calls[0])]
    answers: list[Any] = yield Several(calls)
    for place, answer in enumerate(answers):
        if isinstance(answer, RmqError):
            answers[place] = yield calls[place]  # by itself it is tried for longer
    return answers


class Asked:
    """What was taken for messages that are not there yet."""

    def __init__(self, gate: Gate, count: int) -> None:
        self.count = count
        """Messages that may be received."""
        self._gate = gate
        self._rates: list[tuple[RateLimit, int]] = []
        self._holders: list[tuple[ConcurrencyLimit, list[str]]] = []
        self._unheard: tuple[ConcurrencyLimit, list[str]] | None = None
        """Places of which it is not known whether they were had."""

    def took(self, limit: RateLimit, count: int) -> None:
        self._rates.append((limit, count))
        self.count = min(self.count, count)

    def asks(self, limit: ConcurrencyLimit, holders: list[str]) -> None:
        self._unheard = limit, holders

    def heard(self) -> None:
        self._unheard = None

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
        if any(holders for _, holders in self._holders) or any(left > 0 for _, left in self._rates):
            await asyncio.shield(self._gate._go_back(self))

    def returning(self) -> Plan[None]:
        """Give back what was not needed."""
        rates, self._rates = self._rates, []
        places, self._holders = self._holders, []
        if self._unheard is not None:
            places.append(self._unheard)
        for limit, holders in places:
            if holders:
                self._gate.let_go(limit, holders)
                try:
                    yield limit._release(holders)
                except ServerError:
                    self._gate._free(limit, holders)  # it goes on trying
        for rate, count in rates:
            if count > 0:
                yield rate._take(-count, 0)


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
        asked.asks(limit, names)
        held = yield limit._hold(names)
        asked.heard()
        if held.holders:
            asked.holds(limit, list(held.holders))
            return
        yield Block(limit._keys.wake, max(ms(held.wait or limit.lease), 1))
