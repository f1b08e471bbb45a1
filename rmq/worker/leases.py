"""Leases: what is in hand stays invisible to others, however long a handler takes.

They are renewed from a thread of their own, over a connection of its own: a handler that blocks the
event loop keeps its lease. The thread also sees what the loop can not: that it is blocked, and
which handler outlived its time limit by far because nothing could interrupt it.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rmq.client.sync import Client
from rmq.errors import RmqError, ServerError
from rmq.queues import plans
from rmq.worker.held import Held

if TYPE_CHECKING:
    from rmq.worker.consumer import Consumer

log = logging.getLogger("rmq.worker")

PART = 3
"""A lease is renewed when a third of it is over, so two renewals may fail."""
LONGEST_S = 5.0
SHORTEST_S = 0.02
"""Between two looks."""
STUCK_S = 5.0
"""How much longer than its limit a handler may take to notice that it is over."""

Stuck = Callable[["Consumer", Held, str], None]


class Leases(threading.Thread):
    """Renews the leases of all consumers of one worker."""

    def __init__(
        self, consumers: Sequence[Consumer], connect: Callable[[], Client], stuck: Stuck
    ) -> None:
        super().__init__(name="rmq-leases", daemon=True)
        self._consumers = consumers
        self._connect = connect
        self._stuck = stuck
        self._ending = threading.Event()
        self._loop_thread = threading.get_ident()
        self._client: Client | None = None
        shortest = min((one.options.visibility_timeout for one in consumers), default=30.0)
        self.interval = min(max(shortest / PART / 2, SHORTEST_S), LONGEST_S)

    def run(self) -> None:
        try:
            self._warm()
            while not self._ending.wait(self.interval):
                try:
                    self.beat()
                except ServerError as error:
                    log.warning("leases could not be renewed: %s", error)
                except Exception:
                    # Whatever it is: without this thread every message would be run twice.
                    log.exception("leases could not be renewed")
        finally:
            if self._client is not None:
                self._client.close()

    def _warm(self) -> None:
        """Connect, and learn of the queues, before the first lease is in a hurry."""
        self._client = self._connect()
        for one in self._consumers:
            with contextlib.suppress(RmqError):
                self._client.queue(one.options.queue).info()

    def end(self) -> None:
        """Stop renewing."""
        self._ending.set()

    def beat(self, *, all: bool = False) -> int:
        """Renew the leases that are due, or *all*. How many were renewed."""
        count, now = 0, time.monotonic()
        for consumer in self._consumers:
            lease_s = consumer.options.visibility_timeout
            # One C call that holds the GIL: the loop can not change the table in its midst.
            held = list(consumer.hand.values())
            due = [
                one
                for one in held
                if not one.is_lost and (all or now - one.extended >= lease_s / PART)
            ]
            if due:
                count += self._renew(consumer, due, lease_s)
            for one in held:
                if one.deadline and not one.is_settled and now > one.deadline + STUCK_S:
                    one.is_lost = True
                    self._stuck(consumer, one, self._where(one))
        return count

    def _renew(self, consumer: Consumer, due: list[Held], lease_s: float) -> int:
        if self._client is None:
            self._client = self._connect()
        name, begun = consumer.options.queue, time.monotonic()
        changes = [(one.message, lease_s) for one in due]
        answers = self._client._executor.run(
            plans.change_visibility(self._client._registry, name, changes)
        )
        count = 0
        for one, answer in zip(due, answers, strict=True):
            if not isinstance(answer, RmqError):
                one.extended = begun
                count += 1
            elif not isinstance(answer, ServerError) and one.message in consumer.hand:
                one.is_lost = True
                if not one.is_settled:
                    log.warning(
                        "the lease of message %s of queue %s was lost, it may run twice: %s",
                        one.message.id,
                        name,
                        answer,
                    )
        return count

    def _where(self, held: Held) -> str:
        """Where a handler is that does not end, as far as can be seen."""
        frame = sys._current_frames().get(held.thread or self._loop_thread)
        return "".join(traceback.format_stack(frame)) if frame is not None else ""
