"""StartMessageMoveTask: move a dead-letter queue's messages back, or to another queue."""

from __future__ import annotations

from rmq.errors import InvalidParameter
from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sqs.errors import invalid
from rmq.gateway.sqs.move_tasks import handle_of, queue_by_arn


async def start_message_move_task(caller: Caller, given: Given) -> Answer:
    source = await queue_by_arn(caller, given["SourceArn"], "SourceArn")
    destination = None
    if "DestinationArn" in given:
        queue = await queue_by_arn(caller, given["DestinationArn"], "DestinationArn")
        destination = queue.name
    try:
        task = await source.start_redrive(
            destination, max_per_second=given.get("MaxNumberOfMessagesPerSecond")
        )
    except InvalidParameter as error:
        if error.field == "source queue":
            raise invalid("Source queue must be configured as a Dead Letter Queue.") from error
        if error.field == "destination":
            raise invalid(
                "Destination queue must be another queue of the same type as the source."
            ) from error
        raise
    return {"TaskHandle": handle_of(task.id, given["SourceArn"])}
