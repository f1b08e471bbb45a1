"""The clock. In production it is the server's; a test can hold one of its own and move it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Real time: scripts ask Redis for it, so all clients agree."""

    held = False

    def argument(self) -> str:
        """What a script gets as now_ms: '' lets it read the server's TIME."""
        return ""

    def now_ms(self) -> int:
        """This process's own idea of the time, in ms since 1970."""
        return int(datetime.now(UTC).timestamp() * 1000)


class HeldClock(Clock):
    """Time that stands still until it is moved."""

    held = True

    def __init__(self, start: datetime | None = None) -> None:
        self._now_ms = int((start or datetime.now(UTC)).timestamp() * 1000)

    def argument(self) -> str:
        return str(self._now_ms)

    def now_ms(self) -> int:
        return self._now_ms

    def now(self) -> datetime:
        """The held moment, in UTC."""
        return datetime.fromtimestamp(self._now_ms / 1000, UTC)

    def move(self, by: timedelta | float) -> None:
        """Let *by* (a timedelta, or seconds) pass. Waiting consumers notice."""
        seconds = by.total_seconds() if isinstance(by, timedelta) else by
        if seconds < 0:
            raise ValueError("time does not go backwards; move() takes 0 or more seconds")
        self._now_ms += round(seconds * 1000)
