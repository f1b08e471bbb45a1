"""Scenario: how much of what the demo sends, and what its messages say.

Every position and every order has a text of its own, so a text that is worked off twice shows,
whatever ids the queue gave it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

POSITIONS = "positions.fifo"
ORDERS = "orders"
DEAD = "orders-dead"

POISON = b"order of 1 unicorn"
"""No consumer can work this order off."""

MAX_RECEIVES = 5
"""How often an order is handed out. High enough that deaths of consumers alone do not use it up."""

VISIBILITY = timedelta(seconds=2)
"""How long a dead consumer's messages stay invisible: the demo should go on soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """The size of the play. The same seed makes the same sends and deaths as far as time allows."""

    trucks: int
    positions: int
    """Positions that each truck sends."""
    orders: int
    """Orders beside the poisoned one."""
    consumers: int
    deaths: int
    """Consumers that die in mid-work, spread over the play."""
    seed: int

    def rounds(self) -> list[list[tuple[str, bytes]]]:
        """Positions in the order of sending, as group and body: each round, each truck sends one.

        One in a hundred is sent twice, as a radio does that missed the answer.
        """
        chance = random.Random(self.seed)
        found = []
        for n in range(self.positions):
            one_round = []
            for truck in range(self.trucks):
                position = (group(truck), position_body(truck, n))
                one_round += [position] * (2 if chance.random() < 0.01 else 1)
            found.append(one_round)
        return found

    def order_bodies(self) -> list[bytes]:
        """Orders in the order of sending, the poisoned one somewhere in the first half."""
        bodies = [b"order %d" % n for n in range(self.orders)]
        bodies.insert(random.Random(self.seed).randint(0, self.orders // 2), POISON)
        return bodies

    def death_marks(self) -> list[float]:
        """How much of the work is done when each consumer dies, from 0 to 1."""
        chance = random.Random(self.seed)
        return sorted(chance.uniform(0.03, 0.9) for _ in range(self.deaths))


def group(truck: int) -> str:
    """The message group of a truck."""
    return f"truck-{truck}"


def position_body(truck: int, n: int) -> bytes:
    """The body of a truck's n-th position."""
    return b"truck-%d at %d" % (truck, n)


def read_position(body: bytes) -> tuple[str, int]:
    """Truck and number of a position."""
    truck, _, n = body.decode().partition(" at ")
    return truck, int(n)
