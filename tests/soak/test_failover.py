"""A primary of a cluster dies and its replica takes over, while everybody is at work.

Redis replicates after it answers. What it had acknowledged and not yet passed on is gone: that loss
is Redis's own, and here it may only be of the last moments before the death. Deletes may be lost in
the same way, so a message can come back; it comes under its own id, never as a second one.
"""

from __future__ import annotations

import time

import pytest

from tests.servers import cluster
from tests.soak.crew import Crew, Size

UNREPLICATED_NS = 2 * 10**9
"""The longest that a busy machine may take to pass a write on to a replica."""


@pytest.mark.soak
@pytest.mark.timeout(400)
@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_work_goes_on_when_a_replica_takes_over(tmp_path, fifo):
    size = Size(producers=4, consumers=4, messages=20_000, deadline_s=240)
    with (
        cluster() as nodes,
        Crew(nodes.url, tmp_path, size, fifo=fifo, visibility_timeout=5.0, batch=5) as crew,
    ):
        crew.wait_until_sent(0.3)
        primary = _primary_of(nodes, crew)
        killed_at = time.monotonic_ns()
        primary.kill()
        nodes.wait_until_settled()
        crew.wait_until_sent(0.6)
        record = crew.finish()

    assert len(record.sent) == size.messages
    assert [one for one in record.missing() if one.at < killed_at - UNREPLICATED_NS] == []
    assert [one for one in record.missing() if one.at > killed_at] == []
    assert record.unknown() == set()
    assert record.twins() == {}
    if fifo:
        assert record.out_of_order() == []


def _primary_of(nodes, crew):
    """The server that holds the crew's queue."""
    client = nodes.client()
    try:
        key = f"{crew.client.namespace}:{{q:{crew.queue.name}}}:state"
        port = client.get_node_from_key(key).port
    finally:
        client.close()
    return next(node for node in nodes.nodes if node.port == port)
