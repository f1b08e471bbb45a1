"""Queues: what a worker needs before it begins: its queue, and where dead letters go."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from rmq.client.aio import AsyncClient
from rmq.errors import QueueDoesNotExist, QueueExists
from rmq.queues.aio import AsyncQueue
from rmq.queues.attributes import RedrivePolicy
from rmq.worker.handler import QueueOptions

log = logging.getLogger("rmq.worker")

RECEIVES = 1000
"""The receive limit of a queue that a worker makes, the highest there is: the worker counts by
itself, and better, what failed and what crashed. This is for who receives without counting."""

KEPT = timedelta(days=3650)
"""How long a queue that a worker makes keeps a message, where the limits allow it: SQS's 4 days are
too short for a call that is sent for next year, and a backlog must not vanish by itself."""


async def make_queue(client: AsyncClient, options: QueueOptions) -> None:
    """Make a queue that is missing, and a dead-letter queue for one that has none; have it compress
    as is wanted."""
    queue = client.queue(options.queue)
    dead, wanted = options.usual_dead_letter_queue, options.compression
    compression = {} if wanted is None else {"compression": wanted}
    try:
        info = await queue.info()
    except QueueDoesNotExist:
        await _make(client, dead, **compression)
        policy = RedrivePolicy(dead_letter_queue=dead, max_receive_count=RECEIVES)
        await _make(
            client,
            options.queue,
            redrive_policy=policy,
            visibility_timeout=options.visibility_timeout,
            **compression,
        )
        return
    if wanted is not None and info.attributes.compression != wanted:
        await queue.set_attributes(compression=wanted)
        log.info("queue %s: compression is %s now", options.queue, wanted)
    if info.attributes.redrive_policy is None:
        await _make(client, dead, **compression)
        policy = RedrivePolicy(dead_letter_queue=dead, max_receive_count=RECEIVES)
        await queue.set_attributes(redrive_policy=policy)
        log.info("queue %s had no dead-letter queue; it has %s now", options.queue, dead)
    elif options.dead_letter_queue is not None:
        await _make(client, dead, **compression)


async def make_dead_letter_queue(client: AsyncClient, name: str) -> None:
    """Make one that is missing, whoever else makes it now."""
    await _make(client, name)


async def _make(client: AsyncClient, name: str, **attributes: Any) -> AsyncQueue:
    most = client.limits.max_retention
    kept = KEPT if most is None else min(KEPT, most)
    try:
        return await client.create_queue(name, message_retention_period=kept, **attributes)
    except QueueExists:  # somebody else was first, with attributes of theirs
        return client.queue(name)


async def dead_letter_queue(client: AsyncClient, options: QueueOptions) -> str | None:
    """Where a queue's dead letters go; None where nobody said, and none was made."""
    if options.dead_letter_queue is not None:
        return options.dead_letter_queue
    queue = client.queue(options.queue)
    known = queue.known or await queue.info()
    policy = known.attributes.redrive_policy
    return None if policy is None else policy.dead_letter_queue
