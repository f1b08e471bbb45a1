"""Hand: what one consumer has received, until Redis has heard what became of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from rmq.queues.aio import AsyncMessage
from rmq.worker.blackbox import BlackBox
from rmq.worker.consuming.held import Held
from rmq.worker.gate import Gate


class Hand(dict[AsyncMessage, Held]):
    """What is held, by its message. Only the event loop writes it; the leases' thread reads it."""

    def __init__(self, queue: str, box: BlackBox | None, gate: Gate) -> None:
        self._queue = queue
        self._box = box
        self._gate = gate

    @property
    def buffered(self) -> int:
        """Messages that were received, and whose handler has not begun."""
        # One C call: the leases' thread asks as well, and must not see it change.
        return sum(1 for one in list(self.values()) if not one.started)

    def take(self, messages: Sequence[AsyncMessage]) -> list[Held]:
        """Hold what was just received."""
        now, box = time.monotonic(), self._box
        taken = [Held(message, now) for message in messages]
        for one in taken:
            self[one.message] = one
            if box is not None:
                one.slot = box.take(self._queue, one.message.receipt)
        return taken

    def drop(self, held: Held) -> None:
        """Redis knows what became of it."""
        self.pop(held.message, None)
        self._gate.leave(held.message)
        if self._box is not None:
            self._box.drop(held.slot)

    def lapse(self, held: Iterable[Held]) -> None:
        """Let leases end by themselves, of what we do not know how to end."""
        for one in held:
            if one.message in self and not one.is_settled:
                self.drop(one)
