"""Move tasks: what the three actions on them share: their queues by ARN, and a task's handle."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec

from rmq.errors import QueueDoesNotExist
from rmq.gateway.caller import Caller
from rmq.gateway.errors import AwsError
from rmq.gateway.sqs.errors import error
from rmq.gateway.sqs.place import Owner, arn_of, name_in
from rmq.queues.aio import AsyncQueue
from rmq.queues.outbox import RedriveTask


class Handle(msgspec.Struct):
    """What a task handle holds."""

    taskId: str
    sourceArn: str


def owner_of_tasks(caller: Caller) -> Owner:
    """Tasks can not be another account's."""
    return Owner(caller.account, caller.region)


async def queue_by_arn(caller: Caller, arn: str, parameter: str) -> AsyncQueue:
    """The caller's queue of that ARN. Raises AwsError."""
    name = name_in(arn, owner_of_tasks(caller))
    if name is not None:
        queue = caller.client.queue(name)
        try:
            await queue.info()
        except QueueDoesNotExist:
            pass
        else:
            return queue
    raise no_resource(parameter)


def no_resource(parameter: str) -> AwsError:
    return error(
        "ResourceNotFoundException",
        f"The resource that you specified for the {parameter} parameter doesn't exist.",
    )


def handle_of(task_id: str, source_arn: str) -> str:
    raw = msgspec.json.encode(Handle(task_id, source_arn))
    return base64.b64encode(raw).decode()


def read_handle(text: str) -> Handle:
    """What a handle holds. Raises AwsError."""
    try:
        return msgspec.json.decode(base64.b64decode(text, validate=True), type=Handle)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise no_resource("TaskHandle") from None


def task_out(task: RedriveTask, owner: Owner) -> dict[str, Any]:
    """A task as ListMessageMoveTasks answers it."""
    source = arn_of(owner, task.source)
    found: dict[str, Any] = {
        "Status": task.status,
        "SourceArn": source,
        "ApproximateNumberOfMessagesMoved": task.moved,
        "ApproximateNumberOfMessagesToMove": task.to_move,
        "StartedTimestamp": round(task.started_at.timestamp() * 1000),
    }
    if task.status == "RUNNING":
        found["TaskHandle"] = handle_of(task.id, source)
    if task.destination is not None:
        found["DestinationArn"] = arn_of(owner, task.destination)
    if task.max_per_second is not None:
        found["MaxNumberOfMessagesPerSecond"] = task.max_per_second
    if task.failure is not None:
        found["FailureReason"] = task.failure
    return found
