"""Autoscale: how many workers are wanted, by target tracking as an Auto Scaling group does it.
Pure.

    for the backlog   ceil(backlog / target)
    for the traffic   ceil(done a second / what one worker can do a second / 0.8)

    more     as many as the backlog needs, at once, when the last step up is out_cooldown ago
    fewer    as many as were needed at most, for backlog and for traffic, in the last in_cooldown,
             when no step was made in that time

A backlog alone does not tell how many are needed: with enough workers there is none, and who went
by it would take them all away and start them anew. What one worker can do is seen while there is a
backlog, when all are busy. As long as that was not seen, one worker at a time is taken away, until
it is.

Source: Target tracking scaling policies; Scaling policy based on Amazon SQS (Amazon EC2 Auto
Scaling User Guide): of several metrics the one that wants most counts.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from rmq.core.limits import whole
from rmq.errors import InvalidParameter

BUSY = 0.8
"""How much of what it can do a worker should have to do."""
SMOOTH_S = 60.0
"""Over what time the traffic is averaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is wanted of an autoscaler."""

    min: int = 1
    max: int = 10
    target: float = 100.0
    """Messages of the backlog for each worker: as many as one does in the time that a message may
    wait. 100 a second each and 5 seconds to wait: 500."""
    out_cooldown: float = 15.0
    """Seconds between two steps up: new workers have to begin before it is seen what they do."""
    in_cooldown: float = 900.0
    """Seconds without a step before one down, and for which the most wanted counts."""
    step_out: int | None = None
    """The most workers that one step adds; None for no limit."""
    step_in: int | None = None
    """The most that one step takes away; None for no limit."""

    def __post_init__(self) -> None:
        whole(self.min, "min", 0, None)
        whole(self.max, "max", 1, 10_000)
        if self.max < self.min:
            raise InvalidParameter("max", self.max, f"at least min, {self.min}")
        if not self.target > 0:
            raise InvalidParameter("target", self.target, "more than 0 messages")
        for name in ("out_cooldown", "in_cooldown"):
            if not getattr(self, name) >= 0:
                raise InvalidParameter(name, getattr(self, name), "0 s or more")
        for name in ("step_out", "step_in"):
            if getattr(self, name) is not None:
                whole(getattr(self, name), name, 1, None)

    def within(self, workers: int) -> int:
        """The nearest number that is allowed."""
        return min(max(workers, self.min), self.max)


@dataclass(frozen=True, slots=True)
class Decision:
    """What an autoscaler wants."""

    workers: int
    why: str


class Autoscaler:
    """Decides again and again. It remembers what was needed lately, when it last stepped, and what
    a worker can do."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.capacity: float | None = None
        """Messages a second that one worker can do, as far as was seen."""
        self._needed: deque[tuple[float, int]] = deque()
        """When, and how many: the most first, behind it what was less and later."""
        self._before: tuple[float, int] | None = None
        """When it last decided, and what the backlog was."""
        self._traffic = 0.0
        """Messages a second, averaged."""
        self._began = self._stepped = self._stepped_out = -math.inf

    def decide(self, now: float, backlog: int, done: float, workers: int) -> Decision:
        """How many there should be, where there are *workers*, a *backlog* (messages that wait or
        are in flight), and so many messages *done* a second since the last time. *now* is in
        seconds, and does not go back."""
        policy = self.policy
        self._learn(now, backlog, done, workers)
        for_backlog = math.ceil(backlog / policy.target)
        needed = policy.within(max(for_backlog, self._for_traffic(workers)))
        while self._needed and self._needed[-1][1] <= needed:
            self._needed.pop()
        self._needed.append((now, needed))
        while self._needed[0][0] <= now - policy.in_cooldown:
            self._needed.popleft()
        if policy.within(workers) != workers:
            return self._step(now, policy.within(workers), workers, "min and max")
        wanted = policy.within(for_backlog)
        if wanted > workers:
            if now - self._stepped_out < policy.out_cooldown:
                return Decision(workers, f"{wanted} are needed; the last step has yet to show")
            if policy.step_out is not None:
                wanted = min(wanted, workers + policy.step_out)
            return self._step(now, wanted, workers, f"a backlog of {backlog}")
        most = self._needed[0][1]
        if most >= workers:
            return Decision(workers, "as many as are needed")
        if now - max(self._stepped, self._began) < policy.in_cooldown:
            return Decision(workers, f"{most} would do; it is waited whether that lasts")
        if policy.step_in is not None:
            most = max(most, workers - policy.step_in)
        return self._step(now, most, workers, f"{self._traffic:.3g} messages a second")

    def _learn(self, now: float, backlog: int, done: float, workers: int) -> None:
        """See what the traffic is, and what a worker can do."""
        if self._before is None:
            self._began, self._traffic = now, done
        else:
            then, was = self._before
            part = 1 - math.exp(-(now - then) / SMOOTH_S)
            self._traffic += (done - self._traffic) * part
            each = done / workers if workers else 0.0
            # All are busy where a good part of a backlog was left all the time. New ones have yet
            # to begin.
            is_busy = min(was, backlog) > self.policy.target * workers / 4
            if is_busy and each and now - self._stepped_out > self.policy.out_cooldown:
                self.capacity = (
                    each
                    if self.capacity is None
                    else self.capacity + (each - self.capacity) * max(part, 0.2)
                )
            if self.capacity is not None:
                self.capacity = max(self.capacity, self._traffic / max(workers, 1))
        self._before = (now, backlog)

    def _for_traffic(self, workers: int) -> int:
        if self._traffic < 1e-9:
            return 0
        if self.capacity is None:
            return max(workers - 1, 1)
        return math.ceil(self._traffic / (self.capacity * BUSY))

    def _step(self, now: float, to: int, workers: int, why: str) -> Decision:
        if to != workers:
            self._stepped = now
            if to > workers:
                self._stepped_out = now
        return Decision(to, why)
