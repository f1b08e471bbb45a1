"""Faults: parts of an endpoint under load die and come back. The long form is in tests/soak.

What was acknowledged is there. A client's own retries may send twice, which a FIFO queue notices.
"""

from __future__ import annotations

import signal

import pytest

from tests.servers import single_server
from tests.soak.boto_crew import PATIENT, BotoCrew, nothing_is_lost
from tests.soak.crew import Size

SIZE = Size(producers=2, consumers=2, messages=300, groups=20, deadline_s=90)
LEASE_S = 2.0
"""What an answer that never came had leased is there again after this."""
DURABLE = {"appendonly": "yes", "appendfsync": "always"}


@pytest.fixture(scope="module")
def server():
    with single_server() as made:
        yield made


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_workers_that_are_killed_are_replaced_and_take_nothing_with_them(server, tmp_path, fifo):
    with BotoCrew(
        server.url, tmp_path, SIZE, "--workers", "3", fifo=fifo, visibility_timeout=LEASE_S
    ) as crew:
        crew.kill_workers(2)
        record = crew.finish()
    nothing_is_lost(record, SIZE.messages, fifo=fifo)


@pytest.mark.parametrize(
    ("number", "fifo"), [(signal.SIGTERM, False), (signal.SIGKILL, True)], ids=["stopped", "killed"]
)
def test_an_endpoint_that_is_started_again_goes_on(server, tmp_path, number, fifo):
    with BotoCrew(
        server.url,
        tmp_path,
        SIZE,
        *("--workers", "2"),
        fifo=fifo,
        visibility_timeout=LEASE_S,
        attempts=PATIENT,
    ) as crew:
        crew.wait_until_sent(0.4)
        crew.restart(number)
        record = crew.finish()
    nothing_is_lost(record, SIZE.messages, fifo=fifo)
    if number == signal.SIGTERM:
        assert record.twins() == {}, "what was under way was not finished in good order"


def test_a_redis_that_dies_and_comes_back_is_only_a_pause(tmp_path):
    """Nobody sends twice, the endpoint least of all: it knows what it repeats."""
    with (
        single_server(options=DURABLE) as server,
        BotoCrew(server.url, tmp_path, SIZE, fifo=False, visibility_timeout=LEASE_S) as crew,
    ):
        for share in (0.3, 0.6):
            crew.wait_until_sent(share)
            server.kill()
            server.start()
        record = crew.finish()
    nothing_is_lost(record, SIZE.messages, fifo=False)
    assert record.twins() == {}
