"""The scene: trucks put their positions, consumers work them off, a judge looks at the order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta

from rmq import AsyncClient, AsyncQueue, AsyncStream, Outgoing, Record

STREAM, QUEUE = "positions", "positions.fifo"
MAX_WAIT_S = 120.0
"""After so long without the last position a run is over, and has lost some."""
SAMPLES = 60
"""Of how many were at work; each is the mean of its part of the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    trucks: int
    positions: int
    """Of each truck."""
    shards: int
    work_ms: float
    """That a consumer takes for one position."""

    @property
    def total(self) -> int:
        return self.trucks * self.positions

    def truck(self, number: int) -> str:
        return f"truck-{number + 1}"


@dataclass(slots=True)
class Outcome:
    """One way of working all positions off."""

    name: str
    consumers: int
    """That were there to work."""
    at_work: int = 0
    """How many worked at the same time at most."""
    seconds: float = 0.0
    done: int = 0
    out_of_order: int = 0
    """Positions that came after a later one of their truck."""
    repeated: int = 0
    timeline: list[float] = field(default_factory=list)
    """How many were at work, over the time."""

    def lost(self, scenario: Scenario) -> int:
        return scenario.total - self.done

    def kept(self, scenario: Scenario) -> bool:
        """Whether every position was worked off in order, and once."""
        return not (self.lost(scenario) or self.out_of_order or self.repeated)


@dataclass(frozen=True, slots=True)
class Result:
    scenario: Scenario
    trucks_by_shard: dict[str, int]
    outcomes: list[Outcome]

    @property
    def kept(self) -> bool:
        return all(one.kept(self.scenario) for one in self.outcomes)


class Yard:
    """Where positions are worked off: counts who is at work, and judges the order."""

    def __init__(self, scenario: Scenario, outcome: Outcome, tell: Callable[[int], None]) -> None:
        self.outcome = outcome
        self.all_done = asyncio.Event()
        self._scenario = scenario
        self._tell = tell
        self._at_work = 0
        self._last: dict[str, int] = {}
        self._changes: list[tuple[float, int]] = []
        self._begun = time.monotonic()

    async def work_off(self, truck: str, data: bytes) -> None:
        """Do what there is to do for one position."""
        self._change(1)
        try:
            await asyncio.sleep(self._scenario.work_ms / 1000)
        finally:
            self._change(-1)
        number, last = int(data), self._last.get(truck, -1)
        if number == last:
            self.outcome.repeated += 1
            return
        self.outcome.out_of_order += number < last
        self._last[truck] = max(number, last)
        self.outcome.done += 1
        self._tell(self.outcome.done)
        if self.outcome.done == self._scenario.total:
            self.all_done.set()

    async def close(self) -> None:
        """Wait for the last position."""
        try:
            async with asyncio.timeout(MAX_WAIT_S):
                await self.all_done.wait()
        except TimeoutError:
            pass
        self.outcome.seconds = time.monotonic() - self._begun
        self.outcome.timeline = self._timeline()

    def _change(self, by: int) -> None:
        self._at_work += by
        self.outcome.at_work = max(self.outcome.at_work, self._at_work)
        self._changes.append((time.monotonic(), self._at_work))

    def _timeline(self) -> list[float]:
        """The mean number at work in each of SAMPLES parts of the time."""
        width = self.outcome.seconds / SAMPLES
        sums = [0.0] * SAMPLES
        ends = [*self._changes[1:], (self._begun + self.outcome.seconds, 0)]
        for (since, count), (until, _) in zip(self._changes, ends, strict=True):
            at = since
            while at < until:
                place = min(int((at - self._begun) / width), SAMPLES - 1)
                end = (
                    min(self._begun + (place + 1) * width, until) if place < SAMPLES - 1 else until
                )
                sums[place] += count * (max(end, at) - at)
                at = max(end, at + 1e-9)
        return [one / width for one in sums]


async def play(client: AsyncClient, scenario: Scenario, tell: Callable[[str, int], None]) -> Result:
    """Put all positions on a stream and on a queue, and work them off in three ways. *tell* hears
    how far each is. All of it is in the client's namespace, and stays there."""
    stream = await client.create_stream(STREAM, scenario.shards)
    queue = await client.create_queue(QUEUE)
    await _put(stream, queue, scenario)
    trucks: dict[str, set[str | None]] = {one.id: set() for one in await stream.shards()}
    async for record in stream.records(start="TRIM_HORIZON", follow=False):
        trucks[record.shard_id].add(record.partition_key)
    result = Result(scenario, {shard: len(found) for shard, found in trucks.items()}, [])
    each = -(-scenario.trucks // scenario.shards)

    async def run(outcome: Outcome, work: Callable[[Yard], Awaitable[None]]) -> None:
        result.outcomes.append(outcome)
        await work(Yard(scenario, outcome, lambda done: tell(outcome.name, done)))

    await run(Outcome("stream", scenario.shards), lambda yard: _read(stream, "depot", yard, 1))
    await run(Outcome("FIFO queue", scenario.trucks), lambda yard: _receive(queue, yard))
    await run(
        Outcome(f"stream again, {each} keys at a time", scenario.shards),
        lambda yard: _read(stream, "customs", yard, each),
    )
    return result


async def _put(stream: AsyncStream, queue: AsyncQueue, scenario: Scenario) -> None:
    """Each position of every truck, the trucks by turns."""
    for number in range(scenario.positions):
        trucks = [scenario.truck(one) for one in range(scenario.trucks)]
        data = b"%d" % number
        put = await stream.put_many([Record(data, truck) for truck in trucks])
        put.raise_for_failures()
        sent = await queue.send_many(
            [
                Outgoing(data, message_group_id=truck, deduplication_id=f"{truck}-{number}")
                for truck in trucks
            ]
        )
        sent.raise_for_failures()


async def _read(stream: AsyncStream, group: str, yard: Yard, concurrency: int) -> None:
    """A worker for each shard."""

    async def handle(record: object) -> None:
        await yard.work_off(record.partition_key, record.data)  # type: ignore[attr-defined]

    async with AsyncExitStack() as workers:
        for _ in range(yard.outcome.consumers):
            worker = stream.consumer(
                group, handle, start="TRIM_HORIZON", max_shards=1, concurrency=concurrency
            )
            await workers.enter_async_context(worker)
        await yard.close()


async def _receive(queue: AsyncQueue, yard: Yard) -> None:
    """A consumer for each truck. Which it gets, chance decides."""

    async def consume() -> None:
        while True:
            for message in await queue.receive(1, wait=timedelta(seconds=20)):
                await yard.work_off(message.message_group_id or "", message.body)
                await message.delete()

    consumers = [asyncio.create_task(consume()) for _ in range(yard.outcome.consumers)]
    await yard.close()
    for one in consumers:
        one.cancel()
    await asyncio.wait(consumers)
