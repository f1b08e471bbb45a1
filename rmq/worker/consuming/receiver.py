"""Receiver: asks for messages of one queue, once there is room and the fleet allows it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from rmq.errors import QueueDoesNotExist, RmqError
from rmq.queues import plans
from rmq.queues.aio import AsyncMessage
from rmq.worker import trials as trial
from rmq.worker.consuming.hand import Hand
from rmq.worker.consuming.held import Held
from rmq.worker.consuming.returns import Returns
from rmq.worker.consuming.slots import Slots
from rmq.worker.handler import QueueOptions
from rmq.worker.queues import make_queue
from rmq.worker.trouble import answered, pause

if TYPE_CHECKING:
    from rmq.worker.worker import Worker

T = TypeVar("T")
log = logging.getLogger("rmq.worker")

WAIT_S = 20.0
"""How long one receive waits for a first message."""


class Receiver:
    """Each of its callers is a task that does nothing else: it is cancelled by a stop or a pause
    while it waits."""

    def __init__(
        self, worker: Worker, options: QueueOptions, hand: Hand, slots: Slots, returns: Returns
    ) -> None:
        self.polled = time.monotonic()
        """When it last asked for messages, or had no room for any."""
        self._worker = worker
        self._options = options
        self._hand = hand
        self._slots = slots
        self._returns = returns
        self._registry = worker.client._registry
        self._executor = worker.client._executor
        self._queue = worker.client.queue(options.queue)
        self._limits = tuple(one for one in options.limits if one.by is None)
        """Asked before messages are received."""
        self._idle: set[asyncio.Task[Any]] = set()
        """Callers that wait for room or for messages."""
        self._interrupted: set[asyncio.Task[Any]] = set()
        """Callers that are to look again whether they may."""
        self._held_up = 0
        """Callers that a pause or a limit of the fleet holds up."""

    @property
    def is_held_up(self) -> bool:
        """Whether the fleet does not let it ask."""
        return self._held_up > 0

    def stop(self) -> None:
        """Take nothing more."""
        for one in tuple(self._idle):
            one.cancel()

    def interrupt(self) -> None:
        """End receives that wait, because the queue was paused."""
        for one in self._idle - self._interrupted:
            self._interrupted.add(one)
            one.cancel()

    async def some(self, most: int | None, wait: float) -> list[AsyncMessage]:
        """One receive, of *most* or as many as its share is, once there is room. Nothing when there
        was nothing, or trouble, or a stop. *wait*: seconds for a first message."""
        caller: Any = asyncio.current_task()
        asked = 0
        try:
            self._idle.add(caller)
            if self._options.queue in self._worker.presence.paused:
                await self._allowed(self._worker.unpaused(self._options.queue))
            asked = await self._room(most)
            if self._limits:
                return await self._receive_allowed(asked, wait)
            return await self.receive(asked, wait)
        except asyncio.CancelledError:
            if not self._worker.is_stopping:
                if caller not in self._interrupted:
                    raise
                caller.uncancel()
        except QueueDoesNotExist as error:
            log.warning("%s", error)
            await self._remake()
        except RmqError as error:
            log.warning("queue %s: %s", self._options.queue, error)
            await pause(self._worker)
        finally:
            self._idle.discard(caller)
            self._interrupted.discard(caller)
            self._slots.answered(asked)
        return []

    async def receive(self, most: int, wait: float) -> list[AsyncMessage]:
        """Lease messages. Who is cancelled meanwhile gives back what comes, and says so."""
        self.polled = time.monotonic()
        found = await self._executor.lease(
            plans.receive(
                self._registry,
                self._options.queue,
                self._queue._message,
                max_messages=most,
                visibility_timeout=self._options.visibility_timeout,
                wait=wait,
                stands=True,
            ),
            self._returns.plan,
        )
        self.polled = time.monotonic()
        return found

    async def hold(self, messages: Sequence[AsyncMessage]) -> list[Held]:
        """Take what was received into hand, and look at what was received before."""
        taken = self._hand.take(messages)
        self._slots.fill(len(taken))
        again = [one for one in taken if one.message._receives > 1]
        if again:
            try:
                await self._look(again)
            except Exception:
                self._hand.lapse(taken)
                self._slots.free(len(taken))
                raise
        return taken

    async def _look(self, held: Sequence[Held]) -> None:
        """What became of the receives before this one."""
        receipts = [one.message.receipt for one in held]
        keys, name = self._registry.keys(self._options.queue), self._options.queue
        found = await answered(
            name, lambda: self._executor.call(trial.look(keys, name, self._worker.name, receipts))
        )
        for one, before in zip(held, found, strict=True):
            one.trials = before

    async def _room(self, most: int | None) -> int:
        """Take slots: wait until there is one."""
        while not (room := self._slots.ask(most)):
            self.polled = time.monotonic()
            await self._slots.freed()
        return room

    async def _allowed(self, allowed: Awaitable[T]) -> T:
        """Wait until the fleet allows what we would do. It is no silence: it is not ours to end."""
        self._held_up += 1
        try:
            return await allowed
        finally:
            self._held_up -= 1
            self.polled = time.monotonic()

    async def _receive_allowed(self, room: int, wait: float) -> list[AsyncMessage]:
        """Receive as many as the fleet's limits allow."""
        messages: list[AsyncMessage] = []
        asked = await self._allowed(self._worker.gate.ask(self._limits, room))
        try:
            # Only one message's share is kept for long.
            messages = await self.receive(asked.count, wait if asked.count == 1 else 0)
        finally:
            await asked.received(messages)
        if messages or self._worker.is_stopping or wait <= 0:
            return messages
        asked = await self._allowed(self._worker.gate.ask(self._limits, 1))
        try:
            messages = await self.receive(1, wait)
        finally:
            await asked.received(messages)
        return messages

    async def _remake(self) -> None:
        """The queue is gone: make it anew, if that is ours to do, or wait for it."""
        try:
            if self._worker.app.create_queues:
                await make_queue(self._worker.client, self._options)
                return
        except RmqError as error:
            log.warning("queue %s: %s", self._options.queue, error)
        await pause(self._worker)
