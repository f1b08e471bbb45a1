"""The clock. In production it is the server's; a test can hold one of its own and move it.

A held clock stands still (frozen) or runs with real time, ahead of it by what it was moved:

    HeldClock() ──> frozen ── release() ──> running, at real time
                      ^  move()               |  move(): ahead, until the next release()
                      └───────  freeze()  <───┘
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


class Clock:
    """Real time: scripts ask Redis for it, so all clients agree."""

    held = False

    def argument(self) -> str:
        """What a script gets as now_ms: '' lets it read the server's TIME."""
        return ""

    def now_ms(self) -> int:
        """This process's own idea of the time, in ms since 1970."""
        return time.time_ns() // 1_000_000


class HeldClock(Clock):
    """Time that is ours: frozen until it is moved or released.

    Scripts get this clock's time in both states, so whoever shares it agrees, and nobody else does.
    """

    held = True

    def __init__(self, start: datetime | None = None) -> None:
        self._frozen_at: int | None = super().now_ms() if start is None else _ms(start)
        self._ahead_ms = 0

    def argument(self) -> str:
        return str(self.now_ms())

    def now_ms(self) -> int:
        # Read once: another thread may release the clock between two looks.
        frozen_at = self._frozen_at
        return super().now_ms() + self._ahead_ms if frozen_at is None else frozen_at

    def now(self) -> datetime:
        """The clock's moment, in UTC."""
        return _EPOCH + timedelta(milliseconds=self.now_ms())

    @property
    def frozen(self) -> bool:
        """Whether it stands still."""
        return self._frozen_at is not None

    def freeze(self, at: datetime | None = None) -> None:
        """Stand still, at *at* or at the clock's present moment."""
        self._frozen_at = self.now_ms() if at is None else _ms(at)

    def release(self) -> None:
        """Run on, with real time and no offset. That may be a step back."""
        self._ahead_ms = 0
        self._frozen_at = None

    def move(self, by: timedelta | float) -> None:
        """Let *by* (a timedelta, or seconds) pass. Waiting consumers notice.

        A frozen clock stands still again afterwards; a running one runs on from there.
        """
        seconds = by.total_seconds() if isinstance(by, timedelta) else by
        if seconds < 0:
            raise ValueError("time does not go backwards; move() takes 0 or more seconds")
        if self._frozen_at is None:
            self._ahead_ms += round(seconds * 1000)
        else:
            self._frozen_at += round(seconds * 1000)


class Stopwatch:
    """How much of a wait is over: what the clock says or what really passed, whichever is more.

    So a wait under a frozen clock ends as well, and a clock that is set back prolongs none.
    """

    __slots__ = ("_begun_ms", "_clock", "_started")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun_ms = clock.now_ms() if clock.held else 0
        self._started = time.monotonic()

    def passed_ms(self) -> int:
        really = int((time.monotonic() - self._started) * 1000)
        if not self._clock.held:
            return really
        return max(really, self._clock.now_ms() - self._begun_ms)


def _ms(moment: datetime) -> int:
    """Whole milliseconds since 1970; a moment without a zone is local time."""
    return (moment.astimezone(UTC) - _EPOCH) // _MS
