"""Limits that all workers share: how many in a time (Rate), and how many at once (Concurrency).

A limit lives in Redis under its name, in a slot of its own; whoever uses that name shares it,
whatever queue or task it is for. `limit.of(key)` is the same limit for one key: a customer, a host.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rmq.client.aio import AsyncClient
from rmq.core import script
from rmq.core.keys import LimitKeys
from rmq.core.lane import Lane
from rmq.core.limits import duration, ms, whole
from rmq.core.script import Block, Call, Plan, Sleep
from rmq.errors import InvalidParameter, ServerError

NAME = re.compile(r"[^{}\s]{1,200}")
LEASE = timedelta(seconds=30)
"""How long a dead worker's place stays taken."""
MOST_HOLDERS = 1000
"""In one call."""
MOST_PARTS = 1 << 50
"""The most that a bucket may count to and stay exact: burst times the ms of its time."""

_RATE = re.compile(r"(\d+) ?/ ?(\d+(?:\.\d+)?)? ?(ms|s|min|m|h|d)")
_UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in a time, as in `100/s`, `5/min`, `1/10s`."""

    count: int
    per_ms: int

    @classmethod
    def read(cls, rate: str | Rate) -> Rate:
        """Read a rate. Raises InvalidParameter."""
        if isinstance(rate, Rate):
            return rate
        found = _RATE.fullmatch(rate.strip()) if isinstance(rate, str) else None
        per_ms = round(float(found[2] or 1) * _UNIT_MS[found[3]]) if found else 0
        if not found or not int(found[1]) or per_ms < 1:
            raise InvalidParameter("rate", rate, "a count and a time: 100/s, 5/min, 1/10s, 1000/d")
        return cls(int(found[1]), per_ms)


@dataclass(frozen=True, slots=True)
class Taken:
    """What was had of a limit."""

    count: int
    wait: timedelta
    """Where nothing was: when it is worth asking again."""


class RateLimit:
    """A token bucket: *rate* in the long run, and up to *burst* at once (default: as many as the
    rate's count). Exact: in any time t no more than burst + rate * t are granted."""

    def __init__(
        self, client: AsyncClient, name: str, rate: str | Rate, *, burst: int | None = None
    ) -> None:
        """Raises InvalidParameter."""
        self.name = name
        self.rate, self.burst = check_rate(name, rate, burst)
        self._client = client
        self._executor = client._executor
        self._keys = LimitKeys(client.namespace, self.name)
        self._lanes: list[Lane] = []
        """Those that nobody uses now. A bucket remembers the last call of each."""

    def of(self, key: str) -> RateLimit:
        """The same limit, for one key. Nothing is kept of a key whose bucket is full, once its last
        call was a minute ago."""
        found = RateLimit(self._client, f"{self.name}/{key}", self.rate, burst=self.burst)
        found._lanes = self._lanes
        return found

    @property
    def apart(self) -> timedelta:
        """The time in which one token comes in."""
        return timedelta(milliseconds=self.rate.per_ms / self.rate.count)

    async def take(self, want: int = 1, *, least: int | None = None) -> Taken:
        """Take *want* tokens, or as many as are there where that is at least *least* (default: all
        or nothing). Raises InvalidParameter for more than the burst."""
        whole(want, "want", 1, None)
        least = want if least is None else whole(least, "least", 1, want)
        if least > self.burst:
            raise InvalidParameter("want", least, f"at most the burst, {self.burst}")
        return await self._executor.call(self._take(want, least))

    async def give_back(self, count: int) -> None:
        """Return tokens that were not needed."""
        if count > 0:
            await self._executor.call(self._take(-count, 0))

    async def acquire(self, want: int = 1) -> None:
        """Take *want* tokens, and wait for them. Nobody is served in turn: whoever asks first when
        there are some has them."""
        whole(want, "want", 1, self.burst)
        await self._executor.run(self._acquire(want))

    def _acquire(self, want: int) -> Plan[None]:
        while True:
            taken: Taken = yield self._take(want, want)
            if taken.count:
                return
            yield Sleep(taken.wait.total_seconds())

    def _take(self, want: int, least: int) -> Call[Taken]:
        lane = self._lanes.pop() if self._lanes else Lane()
        number = lane.seen + 1

        def parse(reply: Sequence[Any]) -> Taken:
            # A lane whose answer is never heard is not used again.
            if lane.seen < number:
                lane.seen = number
                self._lanes.append(lane)
            return Taken(int(reply[0]), timedelta(milliseconds=int(reply[1])))

        return script.load("worker/limit_take").call(
            self.name,
            parse,
            bucket=self._keys.bucket,
            lane=lane.id,
            number=number,
            count=self.rate.count,
            per_ms=self.rate.per_ms,
            burst=self.burst,
            want=want,
            least=least,
        )


@dataclass(frozen=True, slots=True)
class Held:
    """Which places were had."""

    holders: tuple[str, ...]
    """Those who hold one now."""
    wait: timedelta | None
    """When the first lease ends, ours or another's; None where nobody holds any."""


class ConcurrencyLimit:
    """At most *limit* at once in the whole fleet. A place is held under lease: it is kept while its
    holder says so, and free again *lease* (default 30 s) after a worker died."""

    def __init__(
        self,
        client: AsyncClient,
        name: str,
        limit: int,
        *,
        lease: timedelta | float = LEASE,
    ) -> None:
        """*limit*: 1 to 100,000. Raises InvalidParameter."""
        self.name = name
        self.limit, self.lease = check_places(name, limit, lease)
        self._client = client
        self._executor = client._executor
        self._keys = LimitKeys(client.namespace, self.name)

    def of(self, key: str) -> ConcurrencyLimit:
        """The same limit, for one key. Nothing is kept of a key that nobody works on."""
        return ConcurrencyLimit(self._client, f"{self.name}/{key}", self.limit, lease=self.lease)

    async def hold(self, *holders: str) -> Held:
        """Take a place for each of *holders* (names that are each used once; up to 1,000), as far
        as there are any, or renew the lease of those who have one."""
        return await self._executor.call(self._hold(holders))

    async def release(self, *holders: str) -> int:
        """Give places back. How many were held."""
        if not holders:
            return 0
        return await self._executor.call(self._release(holders))

    @asynccontextmanager
    async def place(self) -> AsyncIterator[str]:
        """Hold a place while the block runs, and wait for one first, without polling. Gives the
        holder's name. It is renewed from the event loop, so a block that keeps the loop from
        running for the whole lease loses it; the places that a worker takes are not so."""
        holder = uuid.uuid4().hex
        await self._executor.run(self._acquire(holder))
        keeping = asyncio.create_task(self._keep(holder), name="rmq-place")
        try:
            yield holder
        finally:
            keeping.cancel()
            await self._executor.call(self._release((holder,)))

    async def _keep(self, holder: str) -> None:
        while True:
            await asyncio.sleep(self.lease.total_seconds() / 3)
            try:
                await self.hold(holder)
            except ServerError:
                continue  # the lease lasts for two more

    def _acquire(self, holder: str) -> Plan[None]:
        while True:
            held: Held = yield self._hold((holder,))
            if held.holders:
                return
            wait = self.lease if held.wait is None else held.wait
            yield Block(self._keys.wake, max(ms(wait), 1))

    def _hold(self, holders: Sequence[str]) -> Call[Held]:
        def parse(reply: Sequence[Any]) -> Held:
            had = tuple(one for one, ok in zip(holders, reply, strict=False) if int(ok))
            left = int(reply[len(holders)])
            return Held(had, None if left < 0 else timedelta(milliseconds=left))

        return script.load("worker/limit_hold").call(
            self.name,
            parse,
            held=self._keys.held,
            wake=self._keys.wake,
            limit=self.limit,
            lease_ms=ms(self.lease),
            rest=list(holders),
        )

    def _release(self, holders: Sequence[str]) -> Call[int]:
        return script.load("worker/limit_release").call(
            self.name, int, held=self._keys.held, wake=self._keys.wake, rest=list(holders)
        )


def check_rate(name: str, rate: str | Rate, burst: int | None) -> tuple[Rate, int]:
    """A rate and its burst. Raises InvalidParameter."""
    _check_name(name)
    read = Rate.read(rate)
    most = whole(read.count if burst is None else burst, "burst", 1, None)
    if most * read.per_ms > MOST_PARTS or read.count > MOST_PARTS:
        raise InvalidParameter("burst", most, f"at most {MOST_PARTS // read.per_ms} at this rate")
    return read, most


def check_places(name: str, limit: int, lease: timedelta | float) -> tuple[int, timedelta]:
    """A limit and its lease. Raises InvalidParameter."""
    _check_name(name)
    return (
        whole(limit, "limit", 1, 100_000),
        duration(lease, "lease", timedelta(seconds=1), timedelta(days=1)),
    )


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InvalidParameter("name", name, "1 to 200 characters, no braces and no space")
