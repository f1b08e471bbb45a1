"""Play: the whole demo, from the first send to the last delete, in queues of its own.

Three things go on at once: positions are sent, orders are sent, and consumers work and die. It
ends when all is sent and both queues are empty, or when nothing has moved for too long.
"""

from __future__ import annotations

import contextlib
import random
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import rmq
from rmq import Outgoing, QueueStats, RedrivePolicy, Sent
from rmq.cli.fleet import journal
from rmq.cli.fleet.crew import Crew
from rmq.cli.fleet.scenario import (
    DEAD,
    MAX_RECEIVES,
    ORDERS,
    POISON,
    POSITIONS,
    VISIBILITY,
    Scenario,
)
from rmq.cli.fleet.verdict import Outcome, judge
from rmq.errors import QueueDoesNotExist

LOOK_S = 0.05
"""How often the play looks how far it is."""
STUCK_S = 30.0
"""When nothing has moved for so long, the play is over, and what is missing is lost."""
ORDERS_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far the play is."""

    positions: int
    orders: int
    deaths: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How the play ended."""

    positions: Outcome
    orders: Outcome
    poison_found: bool
    """The poisoned order, with its id, is in the dead-letter queue, and came from the orders."""
    deaths: int
    are_processes: bool
    seconds: float
    troubles: tuple[str, ...]
    """Why consumers ended that nobody killed."""

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return self.positions.kept and self.orders.kept and self.poison_found and not self.troubles

    @property
    def per_second(self) -> float:
        """Messages a second through both queues, sent, received and deleted, with all deaths."""
        return (self.positions.sent + self.orders.sent) / max(self.seconds, 1e-6)


def play(client: rmq.Client, scenario: Scenario, progress: Callable[[Standing], None]) -> Result:
    """Play it, judge it, and remove its queues again, whatever happens.

    *client* has a namespace that nothing else uses. Raises what Redis refuses.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rmq-demo-")))
        stack.callback(_remove_queues, client)
        _create_queues(client)
        crew = Crew(client, folder)
        stack.callback(crew.dismiss)
        return Play(client, scenario, crew, progress).run()


def _create_queues(client: rmq.Client) -> None:
    client.create_queue(DEAD)
    client.create_queue(
        ORDERS,
        visibility_timeout=VISIBILITY,
        redrive_policy=RedrivePolicy(dead_letter_queue=DEAD, max_receive_count=MAX_RECEIVES),
    )
    client.create_queue(POSITIONS, visibility_timeout=VISIBILITY)


def _remove_queues(client: rmq.Client) -> None:
    for name in (POSITIONS, ORDERS, DEAD):
        with contextlib.suppress(QueueDoesNotExist):
            client.delete_queue(name)


class Sender(threading.Thread):
    """A thread that sends, and keeps what went wrong for the play to raise."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(daemon=True, name="rmq-demo-sender")
        self._work = work
        self._error: Exception | None = None

    def run(self) -> None:
        try:
            self._work()
        except Exception as error:
            self._error = error

    def is_done(self) -> bool:
        """Whether all is sent. Raises what went wrong."""
        if self._error is not None:
            raise self._error
        return not self.is_alive()


class Play:
    """One play under way."""

    def __init__(
        self,
        client: rmq.Client,
        scenario: Scenario,
        crew: Crew,
        progress: Callable[[Standing], None],
    ) -> None:
        self._scenario = scenario
        self._crew = crew
        self._progress = progress
        self._positions = client.queue(POSITIONS)
        self._orders = client.queue(ORDERS)
        self._dead = client.queue(DEAD)
        self._chance = random.Random(scenario.seed)
        self._marks = scenario.death_marks()
        self._deaths = 0
        self._repeats = 0
        self._order_ids: dict[bytes, str] = {}
        self._stop = threading.Event()

    def run(self) -> Result:
        """Send, work and die to the end; then judge."""
        self._crew.hire(self._scenario.consumers)
        senders = [Sender(self._send_positions), Sender(self._send_orders)]
        begun = time.monotonic()
        for sender in senders:
            sender.start()
        try:
            self._watch(senders)
        finally:
            self._stop.set()
            for sender in senders:
                sender.join()
        seconds = time.monotonic() - begun
        self._crew.dismiss()
        return self._judge(seconds)

    def _send_positions(self) -> None:
        for one_round in self._scenario.rounds():
            if self._stop.is_set():
                return
            sent = self._positions.send_many(
                Outgoing(body=body, message_group_id=group, deduplication_id=body.hex())
                for group, body in one_round
            )
            for one in sent.raise_for_failures():
                self._repeats += isinstance(one, Sent) and one.is_duplicate

    def _send_orders(self) -> None:
        bodies = self._scenario.order_bodies()
        for start in range(0, len(bodies), ORDERS_AT_ONCE):
            if self._stop.is_set():
                return
            part = bodies[start : start + ORDERS_AT_ONCE]
            sent = self._orders.send_many(part).raise_for_failures()
            for body, one in zip(part, sent, strict=True):
                assert isinstance(one, Sent)
                self._order_ids[body] = one.id

    def _watch(self, senders: list[Sender]) -> None:
        total = self._scenario.trucks * self._scenario.positions + self._scenario.orders
        moved_at, before = time.monotonic(), -1
        while True:
            sent = all(sender.is_done() for sender in senders)
            positions, orders = self._positions.stats(), self._orders.stats()
            done = positions.deleted + orders.deleted
            self._progress(
                Standing(positions=positions.deleted, orders=orders.deleted, deaths=self._deaths)
            )
            if sent and _is_empty(positions) and _is_empty(orders):
                return
            if done != before:
                moved_at, before = time.monotonic(), done
            elif time.monotonic() - moved_at > STUCK_S:
                return
            if any(self._crew.troubles()):
                return
            self._kill(done / total)
            time.sleep(LOOK_S)

    def _kill(self, share: float) -> None:
        """Let those die whose time has come, as long as there is somebody who has begun to work."""
        while self._marks and share >= self._marks[0]:
            candidates = self._crew.at_work()
            if not candidates:
                return
            self._marks.pop(0)
            self._crew.lose(self._chance.choice(candidates))
            self._deaths += 1

    def _judge(self, seconds: float) -> Result:
        notes = [note for path in self._crew.journals() for note in journal.read(path)]
        dead = self._dead.peek(1000)
        scenario = self._scenario
        return Result(
            positions=judge(
                list(dict.fromkeys(body for one in scenario.rounds() for _, body in one)),
                [note for note in notes if note.queue == POSITIONS],
                deleted=self._positions.stats().deleted,
                repeats=self._repeats,
                ordered=True,
            ),
            orders=judge(
                scenario.order_bodies(),
                [note for note in notes if note.queue == ORDERS],
                deleted=self._orders.stats().deleted,
                dead=[(message.body, message.receive_count) for message in dead],
            ),
            poison_found=[(self._order_ids.get(POISON), ORDERS)]
            == [(one.id, one.dead_letter_source) for one in dead if one.body == POISON],
            deaths=self._deaths,
            are_processes=self._crew.are_processes,
            seconds=seconds,
            troubles=tuple(self._crew.troubles()),
        )


def _is_empty(stats: QueueStats) -> bool:
    return stats.messages == 0 and stats.outbox == 0
