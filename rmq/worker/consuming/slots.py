"""Slots: how many messages one consumer may have in hand, and which receive may ask for how many.

A slot is taken when a receive asks for a message, and free again when that message was not there,
or when its handler has ended.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rmq.worker.handler import QueueOptions

if TYPE_CHECKING:
    from rmq.worker.worker import Worker

MOST = 1000
"""The most that one receive takes."""
PIPELINED = 32
"""From so many slots on there are two receives, each for half of them: while Redis answers the one,
we work on what the other brought."""


class Slots:
    """Those of one consumer. The worker may have fewer, for all of its consumers together."""

    def __init__(self, worker: Worker, options: QueueOptions) -> None:
        self.capacity = options.capacity
        """Messages that may be in hand."""
        self.used = 0
        """Taken by messages, and by receives that ask for some."""
        self.asked = 0
        """Those of receives."""
        self.receives = 2 if options.batch is None and self.capacity >= PIPELINED else 1
        """Receives at the same time."""
        most = min(MOST, worker.client.limits.max_receive or MOST)
        self.share = min(-(-self.capacity // self.receives), most)
        """The most that one receive asks for."""
        self._worker = worker
        self._freed = asyncio.Event()

    @property
    def has_room(self) -> bool:
        """Whether there could be more in hand than there is."""
        return self.used - self.asked < self.capacity

    def ask(self, most: int | None) -> int:
        """Take slots for a receive, of *most* or as many as its share is. How many it got."""
        room = min(self.capacity - self.used, most or self.share, self.share)
        room = self._worker.take_room(room)
        if room <= 0:
            return 0
        self.used += room
        self.asked += room
        return room

    def answered(self, asked: int) -> None:
        """A receive has ended: give back what it had asked for."""
        self.asked -= asked
        self.free(asked)

    def fill(self, count: int) -> None:
        """Take slots for what a receive brought, of those that it has just given back."""
        self.used += count
        self._worker.keep_room(count)

    def free(self, count: int) -> None:
        """Messages have left their slots."""
        self.used -= count
        self._worker.give_room(count)
        self._freed.set()

    async def freed(self) -> None:
        """Wait until one may be free."""
        self._freed.clear()
        await self._freed.wait()

    def wake(self) -> None:
        """Let who waits look again: another consumer freed some that all share."""
        self._freed.set()
