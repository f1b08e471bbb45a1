"""When a schedule is due, and what becomes of the moments that were missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rmq.errors import InvalidParameter
from rmq.worker import moments
from rmq.worker.moments import due, read_when


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def shown(found: list[int]) -> list[str]:
    return [datetime.fromtimestamp(one / 1000, UTC).strftime("%d %H:%M:%S") for one in found]


NOON = at("2026-01-05 12:00")


def test_an_interval_has_the_same_moments_in_every_process():
    when = read_when("every 90s")
    assert when.after(NOON) == NOON + 90_000
    assert when.after(NOON + 1) == NOON + 90_000
    assert when.until(NOON + 89_999) == NOON
    assert read_when(moments.every(timedelta(minutes=5))) == read_when("every 5m")


def test_a_cron_expression_is_in_its_time_zone():
    when = read_when("30 9 * * mon-fri", "America/New_York")
    assert when.after(NOON) == at("2026-01-05 14:30")
    assert when.until(NOON) == at("2026-01-02 14:30")


def test_six_fields_begin_with_seconds():
    when = read_when("*/15 * * * * *")
    assert when.after(NOON) == NOON + 15_000


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-03-28 20:00", ["29 01:00:00", "30 00:30:00"]),  # 02:30 does not exist on the 29th
        ("2026-10-24 20:00", ["25 00:30:00", "26 01:30:00"]),  # 02:30 is there twice on the 25th
    ],
)
def test_when_clocks_change_a_daily_job_runs_once(day, expected):
    when = read_when("30 2 * * *", "Europe/Berlin")
    first = when.after(at(day))
    assert shown([first, when.after(first)]) == expected


@pytest.mark.parametrize("text", ["", "61 * * * *", "* * *", "every", "every 5x", "every 0.5s"])
def test_what_can_not_be_read_is_refused_by_name(text):
    with pytest.raises(InvalidParameter) as caught:
        read_when(text)
    assert caught.value.field == "when"


def test_an_unknown_time_zone_is_refused():
    with pytest.raises(InvalidParameter, match="timezone"):
        read_when("0 3 * * *", "Mars/Olympus")


HOURLY = read_when("0 * * * *")


def test_catching_up_with_all_fires_each_missed_moment():
    found, after = due(HOURLY, NOON, NOON + 3 * 3_600_000, "all")
    assert shown(found) == ["05 12:00:00", "05 13:00:00", "05 14:00:00", "05 15:00:00"]
    assert after == NOON + 4 * 3_600_000


def test_all_of_very_many_are_fired_in_steps():
    every = read_when("every 1s")
    found, after = due(every, NOON, NOON + 1_000_000, "all")
    assert len(found) == moments.MOST
    assert after == NOON + moments.MOST * 1000
    again, _ = due(every, after, NOON + 1_000_000, "all")
    assert again[0] == after


def test_catching_up_with_the_last_fires_one():
    found, after = due(HOURLY, NOON, NOON + 3 * 3_600_000 + 1_800_000, "last")
    assert shown(found) == ["05 15:00:00"]
    assert after == NOON + 4 * 3_600_000


def test_a_later_moment_makes_the_missed_ones_unneeded():
    found, _ = due(HOURLY, NOON, NOON + 3 * 3_600_000 + 5_000, "last")
    assert shown(found) == ["05 15:00:00"]


def test_without_catching_up_missed_moments_are_left_out():
    found, after = due(HOURLY, NOON, NOON + 3 * 3_600_000 + 1_800_000, "none")
    assert found == []
    assert after == NOON + 4 * 3_600_000


@pytest.mark.parametrize("policy", ["all", "last", "none"])
def test_what_is_merely_late_is_fired_whatever_the_policy(policy):
    every = read_when("every 10s")
    found, after = due(every, NOON, NOON + 30_000, policy)
    assert found == [NOON, NOON + 10_000, NOON + 20_000, NOON + 30_000]
    assert after == NOON + 40_000


def test_nothing_is_due_after_the_end():
    found, after = due(HOURLY, NOON, NOON + 7_200_000, "all", until_ms=NOON + 3_600_000)
    assert shown(found) == ["05 12:00:00", "05 13:00:00"]
    assert after is None
