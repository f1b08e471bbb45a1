"""Many processes on one queue: every message once; and at least once when consumers are killed."""

from __future__ import annotations

import pytest

from tests.servers import single_server
from tests.soak.crew import Crew, Size

sizes = pytest.mark.parametrize(
    "size",
    [
        pytest.param(
            Size(producers=3, consumers=3, messages=6_000, kills=4, deadline_s=100), id="short"
        ),
        pytest.param(
            Size(producers=8, consumers=8, messages=200_000, kills=40, groups=1000, deadline_s=600),
            id="full",
            marks=[pytest.mark.soak, pytest.mark.timeout(700)],
        ),
    ],
)
kinds = pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])

LONG = 600.0
"""A lease that outlasts the test, in seconds."""
SHORT = 3.0
"""A lease that the test can wait for, and that a worker does not outlast on a busy machine."""


@pytest.fixture(scope="module")
def server():
    with single_server() as made:
        yield made


@kinds
@sizes
def test_every_message_is_processed_exactly_once(server, tmp_path, size, fifo):
    with Crew(server.url, tmp_path, size, fifo=fifo, visibility_timeout=LONG) as crew:
        record = crew.finish()

    assert len(record.sent) == size.messages
    assert record.missing() == []
    assert record.unknown() == set()
    assert record.redelivered() == {}
    assert [done for done in record.done if done.outcome != "True"] == []
    assert len(record.done) == size.messages
    if fifo:
        assert record.out_of_order() == []
        assert record.producers_out_of_order() == []


@kinds
@sizes
def test_no_message_is_lost_when_consumers_are_killed(server, tmp_path, size, fifo):
    """A redelivery repeats what was not deleted, and on FIFO it keeps its place in the group."""
    with Crew(server.url, tmp_path, size, fifo=fifo, visibility_timeout=SHORT, work_s=0.01) as crew:
        crew.kill_consumers()
        record = crew.finish()

    assert len(record.sent) == size.messages
    assert len(record.killed) == size.kills
    assert record.redelivered(), "no kill hit a consumer at work: this test showed nothing"
    assert record.missing() == []
    assert record.unknown() == set()
    assert record.twins() == {}
    assert record.deleted_twice() == {}
    assert record.after_delete() == []
    if fifo:
        assert record.out_of_order() == []
        assert record.producers_out_of_order() == []
