"""Leases: what a worker holds for a time stays its own, however long a handler takes.

    messages    invisible to others                          hand.py
    places      of limits of the fleet                       gate.py
    the worker  its own place in the registry                presence.py

They are renewed from one thread, over a connection of its own: a handler that blocks the event loop
keeps them all. The tables are the loop's, the thread only reads them. It also sees what the loop
can not: that it is blocked, and which handler outlived its time limit by far because nothing could
interrupt it.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from rmq.client.sync import Client
from rmq.errors import RmqError, ServerError
from rmq.queues import plans
from rmq.worker.consuming.held import Held
from rmq.worker.fleet import ALIVE_MS
from rmq.worker.gate import Concurrency, Gate, Places
from rmq.worker.limits import ConcurrencyLimit
from rmq.worker.presence import Presence

if TYPE_CHECKING:
    from rmq.worker.consuming.consumer import Consumer

log = logging.getLogger("rmq.worker")

PART = 3
"""A lease is renewed when a third of it is over, so two renewals may fail."""
LONGEST_S = 5.0
SHORTEST_S = 0.02
"""Between two looks."""
STUCK_S = 5.0
"""How much longer than its limit a handler may take to notice that it is over."""
MOST_HOLDERS = 1000
"""Places of a limit in one call."""

Stuck = Callable[["Consumer", Held, str], None]


class Leases(threading.Thread):
    """Renews all leases of one worker."""

    def __init__(
        self,
        consumers: Sequence[Consumer],
        gate: Gate,
        presence: Presence,
        connect: Callable[[], Client],
        stuck: Stuck,
    ) -> None:
        super().__init__(name="rmq-leases", daemon=True)
        self._consumers = consumers
        self._gate = gate
        self._presence = presence
        self._connect = connect
        self._stuck = stuck
        self._ending = threading.Event()
        self._loop_thread = threading.get_ident()
        self._client: Client | None = None
        shortest = ALIVE_MS / 1000
        for one in consumers:
            places = (each for each in one.intake.limits if isinstance(each, Concurrency))
            shortest = min(
                shortest, one.options.visibility_timeout, *(each.lease_s for each in places)
            )
        self.interval = min(max(shortest / PART / 2, SHORTEST_S), LONGEST_S)

    def run(self) -> None:
        try:
            with _trouble("leases"):
                self._warm()
            while not self._ending.wait(self.interval):
                self.beat()
        finally:
            if self._client is not None:
                self._client.close()

    def _warm(self) -> None:
        """Connect, and learn of the queues, before the first lease is in a hurry."""
        client = self._connected()
        for one in self._consumers:
            with suppress(RmqError):
                client.queue(one.options.queue).info()

    def _connected(self) -> Client:
        if self._client is None:
            self._client = self._connect()
        return self._client

    def end(self) -> None:
        """Stop renewing."""
        self._ending.set()

    def beat(self, *, all: bool = False) -> int:
        """Renew the leases that are due, or *all*. How many messages' were renewed. Trouble with
        one keeps no other from it, and is logged."""
        count = 0
        for consumer in self._consumers:
            with _trouble(f"leases of queue {consumer.options.queue}"):
                count += self._renew_messages(consumer, all)
        for limit, places in list(self._gate.held.items()):
            with _trouble(f"places of {limit.name}"):
                self._renew_places(limit, places, all)
        with _trouble("this worker's place in the fleet"):
            self._renew_presence(all)
        return count

    def _renew_messages(self, consumer: Consumer, all: bool) -> int:
        lease_s, now = consumer.options.visibility_timeout, time.monotonic()
        # One C call that holds the GIL: the loop can not change the table in its midst.
        held = list(consumer.hand.values())
        for one in held:
            if one.deadline and not one.is_settled and now > one.deadline + STUCK_S:
                one.is_lost = True
                self._stuck(consumer, one, self._where(one))
        due = [
            one for one in held if not one.is_lost and (all or _is_due(one.extended, lease_s, now))
        ]
        return self._renew(consumer, due, lease_s) if due else 0

    def _renew(self, consumer: Consumer, due: list[Held], lease_s: float) -> int:
        client, name, begun = self._connected(), consumer.options.queue, time.monotonic()
        changes = [(one.message, lease_s) for one in due]
        answers = client._executor.run(plans.change_visibility(client._registry, name, changes))
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

    def _renew_places(self, limit: ConcurrencyLimit, places: Places, all: bool) -> None:
        begun = time.monotonic()
        if not all and not _is_due(places.renewed, limit.lease.total_seconds(), begun):
            return
        call, holders = self._connected()._executor.call, list(places.holders)
        lost = 0
        for start in range(0, len(holders), MOST_HOLDERS):
            some = holders[start : start + MOST_HOLDERS]
            had = call(limit._hold(some)).holders
            # The loop lets a place go, and then gives it back; we may have come in between, and
            # taken again what nobody would give back.
            left = [one for one in some if one not in places.holders]
            if left:
                call(limit._release(left))
            lost += len(set(some).difference(had, left))
        places.renewed = begun
        if lost:
            log.warning("%d places of %s were lost: more may run than it allows", lost, limit.name)

    def _renew_presence(self, all: bool) -> None:
        """The loop says by itself that we live, more often than we would, unless it is blocked.
        When it last asked for messages stands in what is said, so that a worker that is there and
        does nothing is seen as such."""
        presence, begun = self._presence, time.monotonic()
        if presence.has_left or self._ending.is_set():
            return
        if all or _is_due(presence.beaten, ALIVE_MS / 1000, begun):
            self._connected()._executor.call(presence.saying())
            presence.beaten = begun

    def _where(self, held: Held) -> str:
        """Where a handler is that does not end, as far as can be seen."""
        frame = sys._current_frames().get(held.thread or self._loop_thread)
        return "".join(traceback.format_stack(frame)) if frame is not None else ""


def _is_due(renewed: float, lease_s: float, now: float) -> bool:
    return now - renewed >= lease_s / PART


@contextmanager
def _trouble(what: str) -> Iterator[None]:
    """Whatever it is, the thread goes on: without it every message would be run twice."""
    try:
        yield
    except ServerError as error:
        log.warning("%s could not be renewed: %s", what, error)
    except Exception:
        log.exception("%s could not be renewed", what)
