"""Reading: what arrived at a queue, as the tests compare it."""

from __future__ import annotations

import json
from typing import Any

from tests.colours import until

STEP = 10


async def received(queue: Any) -> list[Any]:
    """All that can be received now, in the order in which it comes. It is deleted, because a group
    of a FIFO queue goes on only then."""
    found: list[Any] = []
    while batch := await queue.receive(STEP):
        found += batch
        await queue.delete_many(batch)
    return found


async def texts(queue: Any) -> list[str]:
    """The bodies of all that can be received: of what was delivered raw."""
    return [one.text for one in await received(queue)]


async def envelopes(queue: Any) -> list[dict[str, Any]]:
    """The envelopes of all that can be received."""
    return [json.loads(one.body) for one in await received(queue)]


async def told(queue: Any) -> list[str]:
    """The messages in the envelopes of all that can be received."""
    return [one["Message"] for one in await envelopes(queue)]


async def settled(topic: Any) -> None:
    """Wait until nothing of a standard topic is in its outbox: its books are closed in the
    background."""

    async def is_empty() -> bool:
        return bool((await topic.stats()).outbox == 0)

    await until(is_empty)
