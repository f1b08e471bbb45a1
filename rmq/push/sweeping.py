"""Sweeping: topics that nobody publishes on any more, where a publisher left something undone.

Each dispatcher goes round all topics, a page at a time and from a place of its own, so that many of
them share the work without knowing of each other. One write asks a whole page who needs somebody.
"""

from __future__ import annotations

import random

from rmq.core.script import Plan, Several
from rmq.errors import RmqError, ServerError
from rmq.push import commands
from rmq.topics import publishing
from rmq.topics.lifecycle import list_topics
from rmq.topics.publishing import LEFT_MS
from rmq.topics.registry import TopicRegistry

PAGE = 100
"""Topics that one step looks at."""


def sweep_some(registry: TopicRegistry, after: str | None) -> Plan[tuple[int, str | None]]:
    """Finish what was left on a page of topics. How many deliveries that were, and where to go
    on; None stands for the beginning, and for the first time."""
    page = yield from list_topics(registry, "", PAGE, after)
    names = list(page)
    if not names:
        return 0, None
    # Others begin at the same moment with the same page.
    random.shuffle(names)
    answers = yield Several([commands.left(registry.keys(name), name, LEFT_MS) for name in names])
    total = 0
    for name, waits in zip(names, answers, strict=True):
        if isinstance(waits, RmqError) or not waits:
            continue
        try:
            total += yield from publishing.sweep(registry, name)
        except ServerError:
            raise
        except RmqError:
            continue  # deleted meanwhile
    return total, page.next_token
