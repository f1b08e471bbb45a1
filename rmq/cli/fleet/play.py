"""Play: the whole demo, from the first publish to the last delete, in a namespace of its own.

Three things go on at once: publishers publish and die, orders are sent, and consumers work and
die. It ends when all is published and sent, the topic's outbox and every queue are empty, or when
nothing has moved for too long.
"""

from __future__ import annotations

import contextlib
import random
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import rmq
from rmq import QueueStats, RedrivePolicy, Sent
from rmq.cli.fleet import journal
from rmq.cli.fleet.crew import Crew
from rmq.cli.fleet.journal import Note
from rmq.cli.fleet.scenario import (
    DEAD,
    FILTERS,
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

    published: int
    deliveries: int
    """Positions that were worked off, in all queues together."""
    orders: int
    publisher_deaths: int
    consumer_deaths: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How the play ended."""

    published: int
    """Positions that the topic took, by its own count."""
    repeats: int
    """Publishes that the topic knew to be repeats, and dropped."""
    outcomes: Mapping[str, Outcome]
    """Of each queue."""
    poison_found: bool
    """The poisoned order, with its id, is in the dead-letter queue, and came from the orders."""
    publisher_deaths: int
    consumer_deaths: int
    are_processes: bool
    seconds: float
    troubles: tuple[str, ...]
    """Why workers ended that nobody killed."""

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return (
            all(one.kept for one in self.outcomes.values())
            and self.poison_found
            and not self.troubles
        )

    @property
    def per_second(self) -> float:
        """Messages a second through all queues, published or sent, received and deleted, with all
        deaths."""
        return sum(one.expected for one in self.outcomes.values()) / max(self.seconds, 1e-6)


def play(client: rmq.Client, scenario: Scenario, progress: Callable[[Standing], None]) -> Result:
    """Play it, judge it, and remove its topic and queues again, whatever happens.

    *client* has a namespace that nothing else uses. Raises what Redis refuses.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rmq-demo-")))
        stack.callback(_remove, client)
        _create(client)
        crews = (
            Crew(client, folder, scenario, "publisher", scenario.publishers),
            Crew(client, folder, scenario, "consumer", scenario.consumers),
        )
        for crew in crews:
            stack.callback(crew.dismiss)
        return Play(client, scenario, *crews, progress).run()


def _create(client: rmq.Client) -> None:
    client.create_queue(DEAD)
    client.create_queue(
        ORDERS,
        visibility_timeout=VISIBILITY,
        redrive_policy=RedrivePolicy(dead_letter_queue=DEAD, max_receive_count=MAX_RECEIVES),
    )
    topic = client.create_topic(POSITIONS)
    for name, (policy, _) in FILTERS.items():
        client.create_queue(name, visibility_timeout=VISIBILITY)
        topic.subscribe(name, raw_message_delivery=True, filter_policy=policy)


def _remove(client: rmq.Client) -> None:
    client.delete_topic(POSITIONS)
    for name in (*FILTERS, ORDERS, DEAD):
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


class Deaths:
    """Who is still to die in a crew, and when."""

    def __init__(self, crew: Crew, marks: list[float], chance: random.Random) -> None:
        self.count = 0
        self._crew = crew
        self._marks = marks
        self._chance = chance

    def come(self, share: float) -> None:
        """Let those die whose time has come, as long as there is somebody who has begun to work."""
        while self._marks and share >= self._marks[0]:
            candidates = self._crew.at_work()
            if not candidates:
                return
            self._marks.pop(0)
            self._crew.lose(self._chance.choice(candidates))
            self.count += 1


class Play:
    """One play under way."""

    def __init__(
        self,
        client: rmq.Client,
        scenario: Scenario,
        publishers: Crew,
        consumers: Crew,
        progress: Callable[[Standing], None],
    ) -> None:
        self._scenario = scenario
        self._publishers = publishers
        self._consumers = consumers
        self._progress = progress
        self._topic = client.topic(POSITIONS)
        self._queues = {name: client.queue(name) for name in (*FILTERS, ORDERS)}
        self._dead = client.queue(DEAD)
        positions = scenario.all_positions()
        self._expected = {
            name: [one.body for one in positions if lets_through(one)]
            for name, (_, lets_through) in FILTERS.items()
        }
        self._expected[ORDERS] = scenario.order_bodies()
        chance = random.Random(scenario.seed)
        self._publisher_deaths = Deaths(publishers, scenario.publisher_death_marks(), chance)
        self._consumer_deaths = Deaths(consumers, scenario.death_marks(), chance)
        self._order_ids: dict[bytes, str] = {}
        self._stop = threading.Event()

    def run(self) -> Result:
        """Publish, send, work and die to the end; then judge."""
        self._consumers.hire()
        self._publishers.hire()
        sender = Sender(self._send_orders)
        begun = time.monotonic()
        sender.start()
        try:
            self._watch(sender)
        finally:
            self._stop.set()
            sender.join()
        seconds = time.monotonic() - begun
        self._publishers.dismiss()
        self._consumers.dismiss()
        return self._judge(seconds)

    def _send_orders(self) -> None:
        bodies = self._expected[ORDERS]
        for start in range(0, len(bodies), ORDERS_AT_ONCE):
            if self._stop.is_set():
                return
            part = bodies[start : start + ORDERS_AT_ONCE]
            sent = self._queues[ORDERS].send_many(part).raise_for_failures()
            for body, one in zip(part, sent, strict=True):
                assert isinstance(one, Sent)
                self._order_ids[body] = one.id

    def _watch(self, sender: Sender) -> None:
        total = sum(map(len, self._expected.values()))
        positions = self._scenario.trucks * self._scenario.positions
        moved_at, before = time.monotonic(), (-1, -1)
        while True:
            # In this order: what is published is seen in the outbox or in a queue.
            published = self._publishers.are_done() and sender.is_done()
            topic = self._topic.stats()
            seen = {name: queue.stats() for name, queue in self._queues.items()}
            deleted = sum(one.deleted for one in seen.values())
            self._progress(
                Standing(
                    published=topic.published,
                    deliveries=deleted - seen[ORDERS].deleted,
                    orders=seen[ORDERS].deleted,
                    publisher_deaths=self._publisher_deaths.count,
                    consumer_deaths=self._consumer_deaths.count,
                )
            )
            if published and topic.outbox == 0 and all(map(_is_empty, seen.values())):
                return
            if published and topic.outbox:
                # The last publisher died as it delivered for all: nobody comes by any more.
                self._topic.sweep()
            if (topic.published, deleted) != before:
                moved_at, before = time.monotonic(), (topic.published, deleted)
            elif time.monotonic() - moved_at > STUCK_S:
                return
            if any(self._troubles()):
                return
            self._publisher_deaths.come(topic.published / positions)
            self._consumer_deaths.come(deleted / total)
            time.sleep(LOOK_S)

    def _troubles(self) -> list[str]:
        return [*self._publishers.troubles(), *self._consumers.troubles()]

    def _judge(self, seconds: float) -> Result:
        published = _notes(self._publishers)
        worked = _notes(self._consumers)
        dead = self._dead.peek(1000)
        return Result(
            published=self._topic.stats().published,
            repeats=sum(note.kind == "kept" for note in published),
            outcomes={
                name: judge(
                    self._expected[name],
                    [note for note in worked if note.queue == name],
                    deleted=queue.stats().deleted,
                    dead=[(one.body, one.receive_count) for one in dead if name == ORDERS],
                    ordered=name in FILTERS,
                )
                for name, queue in self._queues.items()
            },
            poison_found=[(self._order_ids.get(POISON), ORDERS)]
            == [(one.id, one.dead_letter_source) for one in dead if one.body == POISON],
            publisher_deaths=self._publisher_deaths.count,
            consumer_deaths=self._consumer_deaths.count,
            are_processes=self._consumers.are_processes,
            seconds=seconds,
            troubles=tuple(self._troubles()),
        )


def _notes(crew: Crew) -> list[Note]:
    return [note for path in crew.journals() for note in journal.read(path)]


def _is_empty(stats: QueueStats) -> bool:
    return stats.messages == 0 and stats.outbox == 0
