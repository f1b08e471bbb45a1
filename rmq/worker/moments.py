"""Moments: when a schedule is due, and what becomes of moments that were missed. Pure.

    0 3 * * *      cron: minute, hour, day, month, weekday, in a time zone
    */10 * * * * * the same with seconds before them
    every 5m       an interval; its moments are its multiples since 1970, the same for everybody

Where clocks are set forward or back, a cron expression at a fixed hour behaves as Debian's cron
does: it runs once, and is neither left out nor repeated (cronsim, which reads the expressions).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from rmq.core.limits import ms
from rmq.errors import ConfigurationError, InvalidParameter

CatchUp = Literal["all", "last", "none"]
"""What becomes of moments that were missed: each is fired, the last one is, or none."""
LATE_MS = 60_000
"""A moment that is found later than this was missed; what is sooner is merely late. Longer than
another scheduler takes to notice that the one before it died."""
MOST = 100
"""Moments of one schedule that are fired in one step; what is more follows in the next."""

_EVERY = re.compile(r"every (\d+(?:\.\d+)?) ?(ms|s|m|h|d)")
_UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression in a time zone."""

    expression: str
    timezone: str

    def after(self, at_ms: int) -> int | None:
        """The first moment after *at_ms*; None where there is none in the next 50 years."""
        return next(self._moments(at_ms, False), None)

    def until(self, at_ms: int) -> int | None:
        """The last moment that is not after *at_ms*."""
        return next(self._moments(at_ms + 1000, True), None)

    def _moments(self, at_ms: int, reverse: bool) -> Iterator[int]:
        zone = UTC if self.timezone == "UTC" else ZoneInfo(self.timezone)
        start = (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone)
        for moment in _cronsim().CronSim(self.expression, start, reverse):
            found = (moment - _EPOCH) // timedelta(milliseconds=1)
            # Within the step that the library drops (it works in whole seconds) look again.
            if (found <= at_ms - 1000) if reverse else (found > at_ms):
                yield found


@dataclass(frozen=True, slots=True)
class Every:
    """An interval."""

    interval_ms: int

    def after(self, at_ms: int) -> int | None:
        """The first moment after *at_ms*."""
        return (at_ms // self.interval_ms + 1) * self.interval_ms

    def until(self, at_ms: int) -> int | None:
        """The last moment that is not after *at_ms*."""
        return at_ms // self.interval_ms * self.interval_ms


When = Cron | Every


def read_when(text: str, timezone: str = "UTC") -> When:
    """Read a cron expression, or `every` with a duration of at least 1 s (90s, 15m, 12h, 4d).

    Raises InvalidParameter, and ConfigurationError without `cronsim`.
    """
    if not isinstance(text, str):
        raise InvalidParameter("when", text, "a cron expression, or: every 5m")
    text = " ".join(text.split())
    found = _EVERY.fullmatch(text)
    if found:
        interval_ms = round(float(found[1]) * _UNIT_MS[found[2]])
        if interval_ms < 1000:
            raise InvalidParameter("when", text, "at least: every 1s")
        return Every(interval_ms)
    if text.startswith("every"):
        raise InvalidParameter("when", text, "a duration behind every: 90s, 15m, 12h, 4d")
    try:
        if timezone != "UTC":
            ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise InvalidParameter("timezone", timezone, "a name such as Europe/Berlin") from None
    library = _cronsim()
    try:
        library.CronSim(text, _EPOCH)
    except library.CronSimError as error:
        raise InvalidParameter("when", text, f"a cron expression ({error})") from None
    return Cron(text, timezone)


def every(interval: timedelta) -> str:
    """The text of an interval."""
    return f"every {ms(interval)}ms"


def due(
    when: When,
    next_ms: int,
    now_ms: int,
    catch_up: CatchUp,
    until_ms: int | None = None,
    late_ms: int = LATE_MS,
) -> tuple[list[int], int | None]:
    """The moments to fire of a schedule whose next one is *next_ms*, and the one after them.

    None stands for no further moment. Of `all` up to MOST are fired at once: the one after them is
    past as well then, and found the next time.
    """
    first: int | None = next_ms
    moments: list[int] = []
    last_ms = now_ms if until_ms is None else min(now_ms, until_ms)
    if catch_up != "all" and next_ms < now_ms - late_ms:
        missed = when.until(min(now_ms - late_ms, last_ms))
        if catch_up == "last" and missed is not None and missed >= next_ms:
            moments.append(missed)
        first = when.after(now_ms - late_ms)
    while first is not None and first <= last_ms and len(moments) < MOST:
        moments.append(first)
        first = when.after(first)
    if catch_up == "last" and len(moments) > 1 and moments[0] < now_ms - late_ms:
        moments.pop(0)  # a later one was not missed
    if first is not None and until_ms is not None and first > until_ms:
        first = None
    return moments, first


def check_catch_up(value: str) -> CatchUp:
    """Raises InvalidParameter."""
    for one in get_args(CatchUp):
        if one == value:
            return one  # type: ignore[no-any-return]
    raise InvalidParameter("catch_up", value, "all, last or none")


def _cronsim() -> ModuleType:
    try:
        import cronsim
    except ImportError:
        raise ConfigurationError(
            "cron expressions need cronsim, which is not installed; pip install 'rmq[worker]'"
        ) from None
    return cronsim
