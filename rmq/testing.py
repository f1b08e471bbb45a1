"""For users' tests: a clock they hold, and a namespace of their own.

clock = HeldClock()
client = rmq.connect(clock=clock, namespace=private_namespace())
clock.move(31)
"""

from __future__ import annotations

import uuid

from rmq.core.clock import HeldClock


def private_namespace() -> str:
    """A namespace that nothing else uses, so that tests can share one Redis."""
    return f"test-{uuid.uuid4().hex[:16]}"


__all__ = ["HeldClock", "private_namespace"]
