"""Desk: one account in one region at work. It claims the inner queues that are due there, has each
drained by a Line, and waits for more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from rmq.core.codec import PLAIN, Header, pack
from rmq.core.executor import TogetherExecutor
from rmq.core.place import read_arn
from rmq.core.script import Block, Plan
from rmq.errors import CallerError, ServerError
from rmq.push import commands
from rmq.push.line import Line
from rmq.push.subjects import Subjects
from rmq.push.sweeping import sweep_some
from rmq.queues import plans
from rmq.queues.registry import described
from rmq.topics import ready
from rmq.topics.fanout import refused
from rmq.topics.inner import PLACES
from rmq.topics.ready import CLAIM_MS, OFFERED, Claimed, Work
from rmq.topics.registry import known

if TYPE_CHECKING:
    from rmq.client.aio import AsyncClient
    from rmq.push.dispatcher import Dispatcher

log = logging.getLogger("rmq.push")

RENEW_MS = CLAIM_MS // 3
"""How often claims are renewed, at the least."""
CLAIM_STEP = 100
"""Inner queues that one call claims."""
OFFER_S = 0.05
"""For how long others may take what a line of ours offers, once they were told."""
TROUBLE_S = 1.0
"""How soon a desk goes on that met trouble with Redis."""


class Desk:
    """What one namespace's dispatching needs."""

    def __init__(self, dispatcher: Dispatcher, client: AsyncClient) -> None:
        self.dispatcher = dispatcher
        self.client = client
        self.registry = client._topics
        self.executor = client._executor
        self.together = TogetherExecutor(client._executor)
        """For lines, of which many are at work."""
        self.subjects = Subjects(self.registry, self.executor)
        self._lines: dict[Work, Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._begun = 0
        self._room = asyncio.Event()
        """A line has ended."""
        self._resting: asyncio.Task[Any] | None = None
        self._counts: dict[str, dict[str, commands.Count]] = {}
        self._swept_to: str | None = None

    @property
    def is_stopping(self) -> bool:
        return self.dispatcher.is_stopping

    @property
    def lines(self) -> int:
        """Inner queues at work now."""
        return len(self._lines)

    # --- claiming ---

    async def run(self) -> None:
        """Claim and drain until the dispatcher is stopping."""
        while not self.is_stopping:
            try:
                sleep_ms = await self._claim(RENEW_MS)
                if self.is_stopping:
                    return
                if sleep_ms == OFFERED:
                    # Another dispatcher has this long to take it. Then it is ours again.
                    await self._rest(asyncio.sleep(OFFER_S))
                    await self._claim(RENEW_MS, takes_all=True)
                elif sleep_ms:
                    wait_ms = RENEW_MS if sleep_ms < 0 else min(sleep_ms, RENEW_MS)
                    await self._rest(self.executor.run(_block(self.registry.push.wake, wait_ms)))
                elif len(self._lines) >= self.dispatcher.slots.count:
                    # More is due than we have hands for: others may take it.
                    self._room.clear()
                    await self._rest(asyncio.wait_for(self._room.wait(), RENEW_MS / 1000))
            except ServerError as error:
                log.warning("namespace %s: %s", self.registry.namespace, error)
                await self._rest(asyncio.sleep(TROUBLE_S))

    async def _rest(self, rest: Coroutine[Any, Any, Any]) -> None:
        """Wait, and be woken when the dispatcher stops. A claim is never broken off: it would be
        nobody's until it runs out."""
        self._resting = asyncio.create_task(rest, name="rmq-rest")
        try:
            await self._resting
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            self._resting.cancel()
            if not self.is_stopping or asyncio.current_task().cancelling():  # type: ignore[union-attr]
                raise

    def wake(self) -> None:
        """Look whether the dispatcher is stopping."""
        if self._resting is not None:
            self._resting.cancel()
        for line in self._lines.values():
            line.wake()

    async def drain(self) -> int:
        """Drain all that is due now, to the end. How many inner queues that were."""
        begun = self._begun
        while True:
            await self._claim(0, takes_all=True)
            if not self._tasks:
                return self._begun - begun
            await asyncio.wait(self._tasks)

    async def end(self) -> None:
        """Wait for the lines to end; the dispatcher is stopping, so they do."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def extend(self) -> None:
        """Renew the leases of all that is being sent for long."""
        await asyncio.gather(*(line.extend() for line in tuple(self._lines.values())))

    async def _claim(self, wait_ms: int, *, takes_all: bool = False) -> int:
        """Claim once, and begin with what was found. For how long there is nothing else (ms), or
        OFFERED. What lines offer is left to others, unless it *takes_all*."""
        held = {work: line for work, line in self._lines.items() if not line.is_offered}
        offered = () if takes_all else [one for one in self._lines if one not in held]
        most = max(min(CLAIM_STEP, self.dispatcher.slots.count - len(self._lines)), 1)
        got = await self.executor.call(
            ready.claim(
                self.registry.push,
                most,
                wait_ms,
                [line.claimed for line in held.values()],
                offered,
            )
        )
        for work, line in held.items():
            if line.claimed.until_ms < got.until_ms and not line.is_offered:
                line.claimed = Claimed(work, got.until_ms)
        await self.subjects.look(one.work.topic for one in got.found if one.work.topic)
        for one in got.found:
            line_of = self._lines.get(one.work)
            if line_of is not None:
                line_of.nudge(one)
            elif one.work.queue == PLACES:
                await self.dispatcher.find_places()
                await self.executor.call(ready.done(self.registry.push, one))
            else:
                self._begin(one)
        return got.sleep_ms

    def _begin(self, claimed: Claimed) -> None:
        self._begun += 1
        line = self._lines[claimed.work] = Line(self, claimed)
        task = asyncio.create_task(self._work(line), name="rmq-line")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, line: Line) -> None:
        try:
            await line.work()
        except Exception:
            # The claim runs out, and somebody looks again.
            log.exception("inner queue %s", line.claimed.work.queue)
        finally:
            self._lines.pop(line.claimed.work, None)
            self._room.set()

    # --- what lines need ---

    async def to_queue(self, arn: str, body: bytes, header: Header = PLAIN) -> None:
        """Send to a queue. Raises CallerError, ServerError."""
        found = read_arn("queue", arn)
        queues = self.registry.queues_of(self.registry.places.namespace_of(found.place))
        packed = pack(body, header) if header.attributes else pack(body)
        await self.executor.run(plans.send_packed(queues, found.resource, packed))

    async def ask_queue(self, arn: str, topic_arn: str, body: bytes) -> None:
        """Ask a queue of another account to confirm, if its policy lets the topic send there.

        Raises CallerError, ServerError.
        """
        topic, found = read_arn("topic", topic_arn), read_arn("queue", arn)
        queues = self.registry.queues_of(self.registry.places.namespace_of(found.place))
        info = await self.executor.run(known(self.registry, topic.resource))
        queue = await self.executor.run(described(queues, found.resource))
        why = refused(self.registry, info, arn, queue)
        if why:
            raise CallerError(why)
        await self.to_queue(arn, body)

    def count(self, work: Work, is_delivered: bool, latency_ms: int) -> None:
        """Note what became of a message."""
        counts = self._counts.setdefault(work.topic, {})
        delivered, failed, total_ms = counts.get(work.queue, (0, 0, 0))
        if is_delivered:
            counts[work.queue] = delivered + 1, failed, total_ms + latency_ms
        else:
            counts[work.queue] = delivered, failed + 1, total_ms

    async def close(self) -> None:
        """Give back connections."""
        await self.together.close()

    async def flush(self) -> None:
        """Write down what was counted."""
        counts, self._counts = self._counts, {}
        for topic, by_id in counts.items():
            try:
                await self.executor.call(commands.count(self.registry.keys(topic), topic, by_id))
            except ServerError as error:
                log.warning("counts of topic %s are lost: %s", topic, error)

    # --- what publishers left ---

    async def sweep(self) -> int:
        """Look at some topics, others each time, and finish what was left there. How many
        deliveries that were."""
        total, self._swept_to = await self.executor.run(sweep_some(self.registry, self._swept_to))
        return total


def _block(key: str, wait_ms: int) -> Plan[None]:
    yield Block(key, wait_ms)
