"""A consumer group keeps its promises while its workers are killed, stand still and come, and its
stream is resharded."""

from __future__ import annotations

import os

import pytest

from tests.servers import single_server
from tests.soak.group_crew import SHARDS, Crew, Size

SEED = int(os.environ.get("RMQ_SOAK_SEED", "1"))

sizes = pytest.mark.parametrize(
    "size",
    [
        pytest.param(
            Size(
                producers=2,
                consumers=(3, 4),
                records=2_000,
                reshards=4,
                kills=6,
                pauses=1,
                lease_s=0.5,
                work_s=0.02,
                pace_s=0.05,
                deadline_s=100,
                slack_s=20.0,
            ),
            id="short",
        ),
        pytest.param(
            Size(
                producers=4,
                consumers=(4, 8),
                records=200_000,
                reshards=20,
                kills=40,
                pauses=8,
                lease_s=2.0,
                work_s=0.001,
                pace_s=0.08,
                deadline_s=900,
                slack_s=3.0,
            ),
            id="full",
            marks=[pytest.mark.soak, pytest.mark.timeout(1000)],
        ),
    ],
)


@pytest.fixture(scope="module")
def server():
    with single_server() as made:
        yield made


@sizes
def test_a_group_keeps_its_promises_whoever_dies(server, tmp_path, size):
    with Crew(server.url, tmp_path, size, SEED) as crew:
        crew.trouble()
        history = crew.finish()

    assert len(history.puts) == size.records
    assert history.repeats > 0, "no kill hit a consumer at work: this test showed nothing"
    assert len({one.shard for one in history.begun}) >= SHARDS + size.reshards
    assert history.problems() == []
    hand_overs = [ns / 1e9 for ns in history.hand_overs()]
    take_overs = [ns / 1e9 for ns in history.take_overs()]
    assert hand_overs, "no shard was handed over: this test showed nothing"
    assert take_overs, "no shard was taken over: this test showed nothing"
    print(
        f"{len(history.begun)} readings, {history.repeats} records again; "
        f"{len(hand_overs)} hand-overs in {max(hand_overs):.2f} s at most, {len(take_overs)} "
        f"take-overs from who was killed in {max(take_overs):.2f} s at most"
    )
    assert max(hand_overs) <= size.lease_s + size.slack_s
    # A lease ends when its time is over, and others look three times in a lease.
    assert max(take_overs) <= size.lease_s * 4 / 3 + size.slack_s
