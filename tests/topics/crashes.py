"""Crashes: publishers and relayers that a test carries out step by step, and then leaves."""

from __future__ import annotations

from typing import Any

from rmq.topics import publishing, relaying
from tests.colours import ByHand, bare


def publisher(client: Any, *messages: Any, topic: str = "news") -> ByHand:
    """A publish that goes on only as far as the test takes it."""
    return ByHand(client, publishing.publish(bare(client)._topics, topic, messages))


def relayer(client: Any, topic: str = "news.fifo") -> ByHand:
    """The same of a relay."""
    return ByHand(client, relaying.relay(bare(client)._topics, topic))
