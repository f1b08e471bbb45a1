"""ReceiveDeadLetterQueueRecords: up to 10 dead letters of a queue, waiting for a first one."""

from __future__ import annotations

from collections.abc import Sequence

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.queues import asked, queue_in, received
from rmq.gateway.service import Answer, Given
from rmq.outlets.queues import QueueRecord


async def receive_dead_letter_queue_records(caller: Caller, given: Given) -> Answer:
    queues, id, _ = queue_in(caller, given)

    async def give_back(records: Sequence[QueueRecord]) -> None:
        changes = [(one.receipt_handle, 0) for one in records]
        await queues.change_visibility(id, changes, dead=True)

    work = queues.receive_dead_letters(id, **asked(given))
    found = await caller.while_there(work, give_back)
    return received(found)
