"""The server dies and comes back with its append-only file: what it acknowledged is still there."""

from __future__ import annotations

import pytest

from tests.servers import single_server
from tests.soak.crew import Crew, Size

DURABLE = {"appendonly": "yes", "appendfsync": "always"}
LEASE_S = 3.0


@pytest.mark.parametrize(
    ("size", "deaths"),
    [
        pytest.param(Size(producers=3, consumers=3, messages=1_500, deadline_s=100), 2, id="short"),
        pytest.param(
            Size(producers=8, consumers=8, messages=100_000, deadline_s=900),
            10,
            id="full",
            marks=[pytest.mark.soak, pytest.mark.timeout(1000)],
        ),
    ],
)
@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_what_was_acknowledged_survives_the_death_of_the_server(tmp_path, size, deaths, fifo):
    """Producers and consumers notice nothing but a pause, and no send is carried out twice."""
    with (
        single_server(options=DURABLE) as server,
        Crew(server.url, tmp_path, size, fifo=fifo, visibility_timeout=LEASE_S, batch=5) as crew,
    ):
        for death in range(1, deaths + 1):
            crew.wait_until_sent(death / (deaths + 1))
            server.kill()
            server.start()
        record = crew.finish()

    assert len(record.sent) == size.messages
    assert record.missing() == []
    assert record.unknown() == set()
    assert record.twins() == {}
    assert record.deleted_twice() == {}
    assert record.after_delete() == []
    if fifo:
        assert record.out_of_order() == []
        assert record.producers_out_of_order() == []
