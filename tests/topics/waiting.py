"""What waits for a dispatcher: the messages of an inner queue, for tests to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from rmq.errors import QueueDoesNotExist
from rmq.queues import plans
from rmq.topics.inner import Target
from tests.colours import ByHand, bare


@dataclass(frozen=True)
class Waiting:
    """One message that waits."""

    id: str
    text: str
    attributes: dict[str, tuple[str, Any]]
    subject: str | None
    by_protocol: bool
    target: Target


async def waiting(client: Any, name: str) -> list[Waiting]:
    """The messages of the inner queue *name*."""
    inner = bare(client)._topics.inner
    try:
        found = await ByHand(client, plans.peek(inner, name, 1000, None)).finish()
    except QueueDoesNotExist:
        return []
    return [
        Waiting(
            one.id,
            one.text,
            one._head.attributes,
            one._head.subject,
            one._head.by_protocol,
            msgspec.json.decode(one._head.target, type=Target),
        )
        for one in found
    ]


async def is_marked(client: Any, raw: Any, name: str) -> bool:
    """Whether a dispatcher finds the inner queue *name*."""
    key = bare(client)._topics.push.ready
    return raw.zscore(key, f"{name} ") is not None
