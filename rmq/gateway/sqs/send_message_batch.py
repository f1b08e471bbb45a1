"""SendMessageBatch: up to ten messages, in their order; what is wrong with one fails that one."""

from __future__ import annotations

from typing import Any

from rmq.gateway.caller import Caller
from rmq.gateway.errors import AwsError
from rmq.gateway.service import Answer, Given
from rmq.gateway.sqs.batch import answered, entries_of
from rmq.gateway.sqs.errors import error
from rmq.gateway.sqs.messages import foreign_sender, outgoing, sent_out, size_of
from rmq.gateway.sqs.place import queue_of


async def send_message_batch(caller: Caller, given: Given) -> Answer:
    queue = queue_of(caller, given)
    entries = entries_of(given, "SendMessageBatch")
    sender = foreign_sender(caller, given)
    results: list[Any] = []
    for entry in entries:
        try:
            message = outgoing(entry, queue.is_fifo, sender)
        except AwsError as refused:
            results.append(refused)
        else:
            results.append(message)
    messages = [one for one in results if not isinstance(one, AwsError)]
    most, size = caller.client.limits.max_message_size, sum(map(size_of, messages))
    if most is not None and size > most:
        raise error(
            "BatchRequestTooLong",
            f"Batch requests cannot be longer than {most} bytes. You have sent {size} bytes.",
        )
    sent = iter(await queue.send_many(messages))
    outcome = [one if isinstance(one, AwsError) else next(sent) for one in results]
    return answered(caller, entries, outcome, lambda place, one: sent_out(one, results[place]))
