"""ChangeMessageVisibilityBatch: move the ends of up to ten leases, each to its own time."""

from __future__ import annotations

from typing import Any

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sqs.batch import answered, entries_of
from rmq.gateway.sqs.errors import missing
from rmq.gateway.sqs.place import queue_of


async def change_message_visibility_batch(caller: Caller, given: Given) -> Answer:
    queue = queue_of(caller, given)
    entries = entries_of(given, "ChangeMessageVisibilityBatch")
    # The model lets an entry come without a timeout; there is none that it could mean.
    timed = [one for one in entries if "VisibilityTimeout" in one]
    changed = iter(
        await queue.change_visibility_many(
            (one["ReceiptHandle"], one["VisibilityTimeout"]) for one in timed
        )
    )
    results: list[Any] = [
        next(changed) if "VisibilityTimeout" in one else missing("VisibilityTimeout")
        for one in entries
    ]
    return answered(caller, entries, results, lambda place, one: {})
