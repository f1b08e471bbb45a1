"""Changes: attributes worked out from those that stand, with nobody's change lost between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rmq.errors import StaleConfig
from rmq.topics.aio import AsyncTopic
from rmq.topics.attributes import TopicInfo

TRIES = 20


async def change(topic: AsyncTopic, make: Callable[[TopicInfo], dict[str, Any]]) -> None:
    """Set what *make* makes of a topic as it is. Raises StaleConfig."""
    for _ in range(TRIES):
        info = await topic.info()
        try:
            await topic.set_attributes(if_version=info.version, **make(info))
        except StaleConfig:
            continue
        return
    raise StaleConfig(f"topic {topic.name!r} changes faster than it can be set")
