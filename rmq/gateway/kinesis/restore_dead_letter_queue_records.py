"""RestoreDeadLetterQueueRecords: let up to 10 dead letters be records again, never received."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.queues import answers, handles_in, queue_in
from rmq.gateway.service import Answer, Given


async def restore_dead_letter_queue_records(caller: Caller, given: Given) -> Answer:
    queues, id, _ = queue_in(caller, given)
    return answers(given, await queues.restore(id, handles_in(given)))
