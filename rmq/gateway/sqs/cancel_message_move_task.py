"""CancelMessageMoveTask: stop a running task; what it moved stays moved."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sqs.move_tasks import queue_by_arn, read_handle


async def cancel_message_move_task(caller: Caller, given: Given) -> Answer:
    handle = read_handle(given["TaskHandle"])
    source = await queue_by_arn(caller, handle.sourceArn, "TaskHandle")
    task = await source.cancel_redrive(handle.taskId)
    return {"ApproximateNumberOfMessagesMoved": task.moved}
