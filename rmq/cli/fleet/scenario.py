"""Scenario: how much of what the demo sends, what its messages say, and who should get which.

Every position and every order has a text of its own, so a text that is worked off twice shows,
whatever ids the queue gave it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rmq import Notification

POSITIONS = "positions.fifo"
"""The topic."""
ALL, FAST, EUROPE = "all.fifo", "fast.fifo", "europe.fifo"
"""The queues that are subscribed to it."""
ORDERS = "orders"
DEAD = "orders-dead"

POISON = b"order of 1 unicorn"
"""No consumer can work this order off."""

MAX_RECEIVES = 5
"""How often an order is handed out. High enough that deaths of consumers alone do not use it up."""

VISIBILITY = timedelta(seconds=2)
"""How long a dead consumer's messages stay invisible: the demo should go on soon."""

REGIONS = ("eu-north", "us-east", "eu-south", "ap-west", "us-west")
LIMIT_KMH, TOP_KMH = 90, 110


@dataclass(frozen=True, slots=True)
class Position:
    """Where a truck is, for the n-th time."""

    truck: int
    n: int
    kmh: int

    @property
    def group(self) -> str:
        """The message group of its truck."""
        return f"truck-{self.truck}"

    @property
    def region(self) -> str:
        """Where its truck belongs."""
        return REGIONS[self.truck % len(REGIONS)]

    @property
    def body(self) -> bytes:
        """What the message says."""
        return position_body(self.truck, self.n)

    def notification(self) -> Notification:
        """The message."""
        return Notification(
            self.body,
            attributes={"kmh": self.kmh, "region": self.region},
            message_group_id=self.group,
            deduplication_id=self.body.hex(),
        )


FILTERS: dict[str, tuple[dict[str, Any] | None, Callable[[Position], bool]]] = {
    ALL: (None, lambda one: True),
    FAST: ({"kmh": [{"numeric": [">", LIMIT_KMH]}]}, lambda one: one.kmh > LIMIT_KMH),
    EUROPE: ({"region": [{"prefix": "eu-"}]}, lambda one: one.region.startswith("eu-")),
}
"""Of each subscribed queue the filter that rmq is given, and what it means, in plain Python."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """The size of the play. The same seed makes the same sends and deaths as far as time allows."""

    trucks: int
    positions: int
    """Positions that each truck sends."""
    orders: int
    """Orders beside the poisoned one."""
    publishers: int
    """Each publishes for its share of the trucks."""
    consumers: int
    publisher_deaths: int
    deaths: int
    """Consumers that die in mid-work, spread over the play."""
    seed: int

    def position(self, truck: int, n: int) -> Position:
        """A truck's n-th position."""
        kmh = random.Random(f"{self.seed} {truck} {n}").randint(0, TOP_KMH)
        return Position(truck, n, kmh)

    def rounds(self, share: int = 0, shares: int = 1, begin: int = 0) -> Iterator[list[Position]]:
        """Positions in the order of publishing, from round *begin* on: each round, each truck of
        a *share* publishes one.

        One in a hundred is published twice, as a radio does that missed the answer.
        """
        chance = random.Random(f"{self.seed} {share} {begin}")
        for n in range(begin, self.positions):
            one_round = []
            for truck in range(share, self.trucks, shares):
                one = self.position(truck, n)
                one_round += [one] * (2 if chance.random() < 0.01 else 1)
            yield one_round

    def all_positions(self) -> list[Position]:
        """Every position, once."""
        return [
            self.position(truck, n) for n in range(self.positions) for truck in range(self.trucks)
        ]

    def order_bodies(self) -> list[bytes]:
        """Orders in the order of sending, the poisoned one somewhere in the first half."""
        bodies = [b"order %d" % n for n in range(self.orders)]
        bodies.insert(random.Random(self.seed).randint(0, self.orders // 2), POISON)
        return bodies

    def death_marks(self) -> list[float]:
        """How much of the work is done when each consumer dies, from 0 to 1."""
        chance = random.Random(self.seed)
        return sorted(chance.uniform(0.03, 0.9) for _ in range(self.deaths))

    def publisher_death_marks(self) -> list[float]:
        """How much is published when each publisher dies, from 0 to 1."""
        chance = random.Random(self.seed)
        return sorted(chance.uniform(0.05, 0.7) for _ in range(self.publisher_deaths))


def position_body(truck: int, n: int) -> bytes:
    """The body of a truck's n-th position."""
    return b"truck-%d at %d" % (truck, n)


def read_position(body: bytes) -> tuple[str, int]:
    """Truck and number of a position."""
    truck, _, n = body.decode().partition(" at ")
    return truck, int(n)
