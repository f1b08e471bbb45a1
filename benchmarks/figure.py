"""A figure: one number that we promise, and how it is taken from a machine that is not quiet.

Two sides do the same fixed work in short rounds by turns, ours and the floor:

    floor ours | ours floor | floor ours | ..

Each pair of rounds gives one ratio, and the figure is the median of the ratios. Whatever slows the
machine down for longer than a round slows both sides; what hits one round alone is an outlier that
the median drops. The rate shown beside it is the best round's: capacity, not the neighbours' mood.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.bench import Bench

Meter = Callable[[], float]
"""Seconds so far: of the clock on the wall, or of a server's processor."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a measurement is held against."""

    bound: float
    at_most: bool = False
    unit: str = "x"

    def holds(self, measured: float) -> bool:
        return measured <= self.bound if self.at_most else measured >= self.bound

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.bound:g} {self.unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measurement of a figure."""

    case: str
    """What tells it from the figure's other rows: 100 B, in tens, 1 ms."""
    measured: float
    """The number that the target is about, in the target's unit."""
    target: Target | None
    """None shows the number without judging it."""
    ours: str = ""
    floor: str = ""
    spread: tuple[float, float] | None = None
    """The quartiles of the rounds."""
    note: str = ""

    @property
    def holds(self) -> bool | None:
        return None if self.target is None else self.target.holds(self.measured)


@dataclass(frozen=True, slots=True)
class Figure:
    """One promise: a name for the command line, a sentence, and what measures it."""

    name: str
    title: str
    run: Callable[[Bench], Iterator[Row]]
    feels_latency: bool = False
    """Measured again with 1 ms on the way: it is about round trips."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of two that do the same work."""

    work: Callable[[], int]
    """Does a round of it and returns how many messages that was. Timed."""
    prepare: Callable[[], None] = field(default=lambda: None)
    """What has to be there before a round. Not timed."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the rounds came to, in seconds a message."""

    ours: tuple[float, ...]
    floor: tuple[float, ...]

    @property
    def costs(self) -> list[float]:
        """Ours against the floor, round by round: 2 is twice the time."""
        return [ours / floor for ours, floor in zip(self.ours, self.floor, strict=True)]

    def speed(self, case: str, target: Target | None, note: str = "") -> Row:
        """A row about rates: 0.5 is half as many messages a second as the floor."""
        ratios = [1 / cost for cost in self.costs]
        return Row(
            case=case,
            measured=statistics.median(ratios),
            target=target,
            ours=f"{1 / min(self.ours):,.0f}/s",
            floor=f"{1 / min(self.floor):,.0f}/s",
            spread=quartiles(ratios),
            note=note,
        )

    def cost(self, case: str, target: Target | None, note: str = "") -> Row:
        """A row about costs: 2 is twice as much as the floor."""
        return Row(
            case=case,
            measured=statistics.median(self.costs),
            target=target,
            ours=f"{statistics.median(self.ours) * 1e6:.1f} µs",
            floor=f"{statistics.median(self.floor) * 1e6:.1f} µs",
            spread=quartiles(self.costs),
            note=note,
        )


def compare(
    ours: Side, floor: Side, *, rounds: int, meter: Meter = time.perf_counter
) -> Comparison:
    """Let both do their work by turns, *rounds* times, after one round each that does not count."""
    for side in (ours, floor):
        _round(side, meter)
    times: dict[Side, list[float]] = {ours: [], floor: []}
    for number in range(rounds):
        for side in (ours, floor) if number % 2 else (floor, ours):
            times[side].append(_round(side, meter))
    return Comparison(tuple(times[ours]), tuple(times[floor]))


def _round(side: Side, meter: Meter) -> float:
    side.prepare()
    gc.collect()
    # A collection takes as long as some rounds do, and hits whichever side happens to be at work.
    gc.disable()
    try:
        begun = meter()
        messages = side.work()
        return (meter() - begun) / messages
    finally:
        gc.enable()


def quartiles(values: list[float]) -> tuple[float, float]:
    low, _, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return low, high
