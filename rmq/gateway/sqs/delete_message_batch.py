"""DeleteMessageBatch: up to ten received messages are done."""

from __future__ import annotations

from typing import Any

from rmq.errors import StaleReceipt
from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sqs.batch import answered, entries_of
from rmq.gateway.sqs.errors import error
from rmq.gateway.sqs.place import queue_of


async def delete_message_batch(caller: Caller, given: Given) -> Answer:
    queue = queue_of(caller, given)
    entries = entries_of(given, "DeleteMessageBatch")
    results: list[Any] = [
        error("ReceiptHandleIsInvalid", "The receipt handle has expired")
        if isinstance(one, StaleReceipt)
        else one
        for one in await queue.delete_many(entry["ReceiptHandle"] for entry in entries)
    ]
    return answered(caller, entries, results, lambda place, one: {})
