"""ListMessageMoveTasks: a queue's tasks, the newest first."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sqs.errors import invalid_value
from rmq.gateway.sqs.move_tasks import owner_of_tasks, queue_by_arn, task_out

MOST = 10


async def list_message_move_tasks(caller: Caller, given: Given) -> Answer:
    limit = given.get("MaxResults", 1)
    if not 1 <= limit <= MOST:
        raise invalid_value(limit, "MaxResults", f"Must be between 1 and {MOST}, if provided.")
    source = await queue_by_arn(caller, given["SourceArn"], "SourceArn")
    tasks = await source.redrive_tasks(limit)
    return {"Results": [task_out(one, owner_of_tasks(caller)) for one in tasks]}
