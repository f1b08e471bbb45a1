"""A rolling restart under load: each worker is replaced, and only who looks at it notices."""

from __future__ import annotations

import pytest

from tests.servers import single_server
from tests.soak.rollout import Rollout
from tests.soak.runs import Runs


@pytest.mark.parametrize(
    ("crews", "processes", "ends"),
    [
        pytest.param(2, 1, [Rollout.terminate, Rollout.drain], id="short"),
        pytest.param(
            3,
            2,
            [Rollout.terminate, Rollout.drain, Rollout.stop] * 10,
            id="full",
            marks=[pytest.mark.soak, pytest.mark.timeout(700)],
        ),
    ],
)
def test_a_rolling_restart_under_load_loses_and_repeats_nothing(tmp_path, crews, processes, ends):
    """Each job is run to its end, and none again that was; message groups keep their order. No
    run is cut either: each ends well within the time that a stop gives it."""
    with (
        single_server() as server,
        Rollout(
            server.url, tmp_path, crews=crews, processes=processes, deadline_s=30 + 20 * len(ends)
        ) as rollout,
    ):
        for end in ends[:-1]:
            rollout.replace(end)
        rollout.end(ends[-1])
        runs = rollout.finish()

    assert min(rollout.sent.values()) > 0
    assert runs.problems(rollout.sent) == []
    assert runs.cut() == []


def test_the_check_of_runs_sees_what_is_lost_repeated_and_out_of_order():
    runs = Runs()
    runs.jobs |= {
        ("q", 0): ["began", "ended"],
        ("q", 1): ["began", "began", "ended"],
        ("q", 2): ["began", "ended", "began"],
        ("q", 3): ["began"],
        ("q", 9): ["began", "ended"],
    }
    runs.groups["fine"] = [("began", 1), ("began", 1), ("ended", 1), ("began", 3), ("ended", 3)]
    runs.groups["odd"] = [("began", 1), ("began", 2), ("ended", 1), ("ended", 2)]
    assert runs.problems({"q": 5}) == [
        "('q', 2) was finished and ran again: ['began', 'ended', 'began']",
        "('q', 3) was lost: ['began']",
        "('q', 4) was lost: []",
        "('q', 9) was never sent",
        "odd: 2 began before 1 had ended",
    ]
    assert runs.cut() == [("q", 1), ("q", 2), ("q", 3)]
