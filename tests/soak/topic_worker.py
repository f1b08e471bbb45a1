"""A worker on a FIFO topic: one process that publishes, or that does nothing but relay.

A publisher's journal, in whole lines as in `worker`:

    try  <text> <group>                      it is about to be published
    ack  <text> <sequence number>            the topic has acknowledged it
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path

import rmq
from rmq.topics import commands
from tests.soak.worker import _Journal

MOST = 10
"""In one publish."""
PAUSE_S = 0.01
"""Of a relayer that found nothing to do."""


@dataclass(frozen=True, kw_only=True)
class TopicOrders:
    """What a worker has to know."""

    url: str
    namespace: str
    topic: str
    journal: Path
    stop: Path
    """Appears when relayers should go home."""
    deadline_s: float
    lease_ms: int
    groups: int
    name: str = ""
    messages: int = 0
    """A publisher's share."""


def publish(orders: TopicOrders) -> None:
    """Publish this publisher's share, in batches of any size, and note what was acknowledged."""
    commands.LEASE_MS = orders.lease_ms
    chance = random.Random(orders.name)
    journal = _Journal(orders.journal)
    with rmq.connect(orders.url, namespace=orders.namespace) as client:
        topic = client.topic(orders.topic)
        done = 0
        while done < orders.messages:
            count = min(chance.randint(1, MOST), orders.messages - done)
            batch = []
            for number in range(done, done + count):
                text = f"{orders.name}-{number}"
                group = f"g{chance.randrange(orders.groups)}"
                batch.append(rmq.Notification(text, message_group_id=group, deduplication_id=text))
            journal.write(f"try {one.message} {one.message_group_id}" for one in batch)
            results = topic.publish_many(batch).raise_for_failures()
            journal.write(
                f"ack {one.message} {published.sequence_number}"
                for one, published in zip(batch, results, strict=True)
            )
            done += count


def relay(orders: TopicOrders) -> None:
    """Relay what there is, again and again, until told to stop."""
    commands.LEASE_MS = orders.lease_ms
    journal = _Journal(orders.journal)
    deadline = time.monotonic() + orders.deadline_s
    with rmq.connect(orders.url, namespace=orders.namespace) as client:
        topic = client.topic(orders.topic)
        while not orders.stop.exists() and time.monotonic() < deadline:
            given = topic.sweep()
            journal.write([f"relayed {given}"])
            if not given:
                time.sleep(PAUSE_S)
