"""OneByOne: a run for each message, as many at a time as there are slots.

On a FIFO queue the messages of a group that one receive brought run one after the other.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rmq.queues.aio import AsyncMessage
from rmq.worker.consuming.held import Held
from rmq.worker.consuming.parts import Parts
from rmq.worker.consuming.plain import Plain
from rmq.worker.consuming.receiver import WAIT_S
from rmq.worker.consuming.runner import Runner
from rmq.worker.trouble import pause

if TYPE_CHECKING:
    pass

log = logging.getLogger("rmq.worker")


class OneByOne:
    """How a queue's messages are worked on, where its handler takes no batches."""

    most = 1
    """What `work` is given at a time."""

    def __init__(self, parts: Parts) -> None:
        self._worker = parts.worker
        self._name = parts.intake.options.queue
        self._is_fifo = parts.intake.options.is_fifo
        self._hand = parts.hand
        self._slots = parts.slots
        self._crew = parts.crew
        self._receiver = parts.receiver
        self._returns = parts.returns
        self._runner = Runner(parts)
        self._plain = Plain(parts)

    @property
    def running(self) -> int:
        """Handlers that run without a task."""
        return self._plain.running

    async def receive(self) -> None:
        """Receive and begin, until the worker stops."""
        while not self._worker.is_stopping:
            try:
                messages = await self._receiver.some(None, WAIT_S)
                if messages:
                    await self._begin(messages)
            except Exception:
                # A receiver that ended here would be a worker that is silent for ever.
                log.exception("queue %s: a receive failed", self._name)
                await pause(self._worker)

    async def work(self, held: Sequence[Held]) -> None:
        """Run what is held, to its end."""
        for one in held:
            await self._work(one)

    def stop(self) -> None:
        """Begin nothing more: here nobody waits but receives."""

    async def ended(self) -> None:
        """Wait until no handler runs without a task."""
        await self._plain.ended()

    async def _begin(self, messages: Sequence[AsyncMessage]) -> None:
        taken = await self._receiver.hold(messages)
        spawn = self._crew.spawn
        if self._is_fifo:
            groups: dict[str | None, list[Held]] = {}
            for one in taken:
                groups.setdefault(one.message.message_group_id, []).append(one)
            for chain in groups.values():
                spawn(self._work_in_order(chain))
            return
        for one in self._plain.begin(taken):
            spawn(self._work(one))

    async def _work(self, held: Held) -> None:
        try:
            await self._runner.work(held)
        except Exception:
            log.exception("message %s: it is back when its lease ends", held.message._name)
            self._hand.lapse([held])
        finally:
            self._slots.free(1)

    async def _work_in_order(self, chain: Sequence[Held]) -> None:
        """Messages of one group. Behind one that is not done none is begun."""
        left = len(chain)
        try:
            for place, one in enumerate(chain):
                is_done = False if self._worker.is_stopping else await self._runner.work(one)
                if not is_done:
                    await self._returns.now(chain[place:])
                    return
                left -= 1
                self._slots.free(1)
        except Exception:
            log.exception("a message group of %s is back when its leases end", self._name)
            self._hand.lapse(chain)
        finally:
            self._slots.free(left)
