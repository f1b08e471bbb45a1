"""Acknowledger: deletes what is done, together with whatever else is done at that time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rmq.core.waiting import end, settled, told
from rmq.errors import RmqError, ServerError
from rmq.queues import plans
from rmq.worker import trials as trial
from rmq.worker.blackbox import DONE
from rmq.worker.consuming.hand import Hand
from rmq.worker.consuming.held import Held
from rmq.worker.trouble import pause

if TYPE_CHECKING:
    from rmq.worker.worker import Worker

log = logging.getLogger("rmq.worker")

AWAY_S = 2.0
"""When a worker ends, it does not wait longer than this for a Redis that is away."""
CANCEL_S = 0.1
"""Between two cancels of what does not end by itself."""


class Acknowledger:
    """Of one queue: one call at a time, for all that was done during the one before."""

    def __init__(self, worker: Worker, queue: str, hand: Hand) -> None:
        self._worker = worker
        self._name = queue
        self._hand = hand
        self._box = worker.box
        self._gate = worker.gate
        self._registry = worker.client._registry
        self._executor = worker.client._executor
        self._done: list[Held] = []
        self._done_some = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_ending = False

    def settle(self, held: Held) -> None:
        """It is done: delete it, with others."""
        held.is_settled = True
        if self._box is not None:
            self._box.mark(held.slot, DONE)
        self._gate.leave(held.message)
        self._done.append(held)
        self._done_some.set()

    def start(self) -> None:
        """Delete as messages are done, until `finish`."""
        self._task = asyncio.create_task(self._run(), name="rmq-acknowledge")

    async def finish(self) -> None:
        """Tell Redis of all that is done, once more at least."""
        self._is_ending = True
        self._done_some.set()
        tasks = set() if self._task is None else {self._task}
        if tasks:
            # It ends by itself, unless Redis is away. A cancel alone could be lost in the midst of
            # a call (CPython issue 86296).
            await end(await settled(tasks, AWAY_S), CANCEL_S)
        self._task = None
        await told(self.flush(insist=False), AWAY_S)

    async def flush(self, *, insist: bool) -> None:
        """Delete what is done. What is done meanwhile goes with the next ones. *insist*: until
        Redis has heard of all."""
        while self._done:
            self._done_some.clear()
            done, self._done = self._done, []
            try:
                answers = await self._executor.run(
                    plans.delete(self._registry, self._name, [one.message for one in done])
                )
            except RmqError as error:
                answers = [error] * len(done)
            except BaseException:
                self._done = done + self._done  # whoever ended us sees to them
                raise
            left = [
                one
                for one, answer in zip(done, answers, strict=True)
                if isinstance(answer, ServerError)
            ]
            tried = [one for one in done if one.message._receives > 1]
            if tried and not left:
                await self._forget(tried)
            if left:
                log.warning(
                    "%d messages of queue %s are done and could not be deleted yet: %s",
                    len(left),
                    self._name,
                    next(one for one in answers if isinstance(one, ServerError)),
                )
                # Their leases are still renewed, so nobody does them again.
                self._done = left + self._done
                kept = set(map(id, left))
                done = [one for one in done if id(one) not in kept]
            for one in done:
                self._hand.drop(one)
            if left:
                if not insist or self._is_ending:
                    return
                await pause(self._worker)

    async def _run(self) -> None:
        while not self._is_ending:
            await self._done_some.wait()
            try:
                await self.flush(insist=True)
            except Exception:
                log.exception("queue %s: a delete failed", self._name)
                await pause(self._worker)

    async def _forget(self, held: Sequence[Held]) -> None:
        """Of what is deleted nobody asks any more how often it was tried."""
        keys = self._registry.keys(self._name)
        try:
            await self._executor.call(
                trial.forget(keys, self._name, [one.message.receipt for one in held])
            )
        except RmqError as error:
            log.debug("trials of queue %s are forgotten later: %s", self._name, error)
