"""The clock that tests hold: frozen, moved, released, and what a wait makes of it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from rmq.core import clock as module
from rmq.core.clock import Clock, Stopwatch
from rmq.testing import HeldClock

NOON = datetime(2026, 3, 1, 12, 0, 0, 123_999, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Passing:
    """The time module, with hands that we turn."""

    def __init__(self) -> None:
        self.ns = 1_700_000_000_000_000_000

    def time_ns(self) -> int:
        return self.ns

    def monotonic(self) -> float:
        return self.ns / 1e9

    def let(self, seconds: float) -> None:
        self.ns += round(seconds * 1e9)


@pytest.fixture
def passing(monkeypatch):
    made = Passing()
    monkeypatch.setattr(module, "time", made)
    return made


def test_a_new_held_clock_is_frozen_at_the_present(passing):
    clock = HeldClock()
    passing.let(5)
    assert (clock.frozen, clock.held) == (True, True)
    assert clock.now_ms() == 1_700_000_000_000
    assert clock.argument() == "1700000000000"


def test_a_held_clock_begins_where_it_is_told_in_whole_milliseconds():
    clock = HeldClock(NOON)
    assert clock.now() == NOON.replace(microsecond=123_000)
    assert clock.now_ms() == int(NOON.replace(microsecond=0).timestamp()) * 1000 + 123


def test_a_moment_without_a_zone_is_local_time():
    assert HeldClock(NOON.astimezone().replace(tzinfo=None)).now_ms() == HeldClock(NOON).now_ms()


def test_a_released_clock_runs_with_real_time(passing):
    clock = HeldClock(NOON)
    clock.move(3600)

    clock.release()

    assert not clock.frozen
    assert clock.held
    assert clock.now_ms() == Clock().now_ms()
    passing.let(2.5)
    assert clock.now_ms() == Clock().now_ms() == 1_700_000_002_500
    assert clock.argument() == "1700000002500"


def test_a_running_clock_that_is_moved_stays_ahead_until_it_is_released(passing):
    clock = HeldClock()
    clock.release()
    clock.move(SECOND)
    clock.move(0.5)
    passing.let(1)
    assert clock.now_ms() - Clock().now_ms() == 1500

    clock.release()

    assert clock.now_ms() == Clock().now_ms()


def test_a_clock_freezes_at_its_own_present(passing):
    clock = HeldClock()
    clock.release()
    clock.move(60)

    clock.freeze()
    passing.let(5)

    assert clock.frozen
    assert clock.now_ms() == 1_700_000_060_000
    clock.move(1)
    assert clock.now_ms() == 1_700_000_061_000
    clock.release()
    assert clock.now_ms() == 1_700_000_005_000


def test_a_clock_freezes_at_any_moment_also_an_earlier_one(passing):
    clock = HeldClock()
    clock.freeze(NOON)
    assert clock.now() == NOON.replace(microsecond=123_000)
    clock.freeze(NOON - timedelta(days=1))
    assert clock.now() == NOON.replace(microsecond=123_000) - timedelta(days=1)


@pytest.mark.parametrize("running", [False, True])
def test_a_clock_is_not_moved_backwards(running):
    clock = HeldClock()
    if running:
        clock.release()
    with pytest.raises(ValueError, match="backwards"):
        clock.move(-1)


# --- a stopwatch --------------------------------------------------------------------------------


def test_a_stopwatch_shows_real_time(passing):
    watch = Stopwatch(Clock())
    passing.let(1.5)
    assert watch.passed_ms() == 1500


def test_a_stopwatch_of_a_held_clock_shows_whichever_is_more(passing):
    clock = HeldClock()
    watch = Stopwatch(clock)
    clock.move(2)
    passing.let(1)
    assert watch.passed_ms() == 2000
    passing.let(2)
    assert watch.passed_ms() == 3000


def test_a_stopwatch_of_a_clock_that_goes_back_shows_real_time(passing):
    clock = HeldClock()
    clock.move(3600)
    watch = Stopwatch(clock)
    clock.release()
    passing.let(1)
    assert watch.passed_ms() == 1000
    clock.freeze(NOON - timedelta(days=9999))
    assert watch.passed_ms() == 1000


def test_the_real_clock_is_the_systems():
    assert abs(Clock().now_ms() - time.time() * 1000) < 60_000
