"""`rmq serve` under the load of boto3 while its parts die and come back; the short form is in
tests/gateway/test_faults.py.

What was acknowledged is there, in its order on a FIFO queue, and clients see no more than what
their own retries hide. Those may send twice, which a FIFO queue notices by the deduplication id.
"""

from __future__ import annotations

import signal

import pytest

from tests.servers import single_server
from tests.soak.boto_crew import PATIENT, BotoCrew, nothing_is_lost
from tests.soak.crew import Size

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]

SIZE = Size(producers=4, consumers=3, messages=3_000, groups=100, deadline_s=200)
LEASE_S = 3.0
"""What an answer that never came had leased is there again after this."""
DURABLE = {"appendonly": "yes", "appendfsync": "always"}

kinds = pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])


@pytest.fixture(scope="module")
def server():
    with single_server() as made:
        yield made


@kinds
def test_workers_that_are_killed_are_replaced_and_take_nothing_with_them(server, tmp_path, fifo):
    with BotoCrew(
        server.url, tmp_path, SIZE, "--workers", "3", fifo=fifo, visibility_timeout=LEASE_S
    ) as crew:
        crew.kill_workers(6)
        record = crew.finish()
    nothing_is_lost(record, SIZE.messages, fifo=fifo)


@kinds
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_an_endpoint_that_is_started_again_goes_on(server, tmp_path, number, fifo):
    with BotoCrew(
        server.url,
        tmp_path,
        SIZE,
        *("--workers", "3"),
        fifo=fifo,
        visibility_timeout=LEASE_S,
        attempts=PATIENT,
    ) as crew:
        for share in (0.25, 0.5, 0.75):
            crew.wait_until_sent(share)
            crew.restart(number)
        record = crew.finish()
    nothing_is_lost(record, SIZE.messages, fifo=fifo)
    if number == signal.SIGTERM:
        assert record.twins() == {}, "what was under way was not finished in good order"


@kinds
def test_a_redis_that_dies_and_comes_back_is_only_a_pause(tmp_path, fifo):
    """Nobody sends twice, the endpoint least of all: it knows what it repeats."""
    with (
        single_server(options=DURABLE) as server,
        BotoCrew(
            server.url, tmp_path, SIZE, "--workers", "2", fifo=fifo, visibility_timeout=LEASE_S
        ) as crew,
    ):
        for share in (0.2, 0.4, 0.6, 0.8):
            crew.wait_until_sent(share)
            server.kill()
            server.start()
        record = crew.finish()
    nothing_is_lost(record, SIZE.messages, fifo=fifo)
    assert record.twins() == {}
