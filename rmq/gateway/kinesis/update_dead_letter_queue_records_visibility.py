"""UpdateDeadLetterQueueRecordsVisibility: let up to 10 stay invisible."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.queues import answers, queue_in
from rmq.gateway.service import Answer, Given


async def update_dead_letter_queue_records_visibility(caller: Caller, given: Given) -> Answer:
    queues, id, _ = queue_in(caller, given)
    changes = [(one["ReceiptHandle"], one["VisibilityTimeoutSeconds"]) for one in given["Entries"]]
    return answers(given, await queues.change_visibility(id, changes, dead=True))
