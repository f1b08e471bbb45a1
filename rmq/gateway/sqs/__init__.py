"""SQS: the table of its actions. Each is a module; the others here are what they share."""

from __future__ import annotations

from rmq.errors import QueueDoesNotExist, RmqError
from rmq.gateway.caller import Caller
from rmq.gateway.service import Given, Service
from rmq.gateway.sqs import errors, overlay, place
from rmq.gateway.sqs.add_permission import add_permission
from rmq.gateway.sqs.cancel_message_move_task import cancel_message_move_task
from rmq.gateway.sqs.change_message_visibility import change_message_visibility
from rmq.gateway.sqs.change_message_visibility_batch import change_message_visibility_batch
from rmq.gateway.sqs.create_queue import create_queue
from rmq.gateway.sqs.delete_message import delete_message
from rmq.gateway.sqs.delete_message_batch import delete_message_batch
from rmq.gateway.sqs.delete_queue import delete_queue
from rmq.gateway.sqs.get_queue_attributes import get_queue_attributes
from rmq.gateway.sqs.get_queue_url import get_queue_url
from rmq.gateway.sqs.list_dead_letter_source_queues import list_dead_letter_source_queues
from rmq.gateway.sqs.list_message_move_tasks import list_message_move_tasks
from rmq.gateway.sqs.list_queue_tags import list_queue_tags
from rmq.gateway.sqs.list_queues import list_queues
from rmq.gateway.sqs.purge_queue import purge_queue
from rmq.gateway.sqs.receive_message import receive_message
from rmq.gateway.sqs.remove_permission import remove_permission
from rmq.gateway.sqs.send_message import send_message
from rmq.gateway.sqs.send_message_batch import send_message_batch
from rmq.gateway.sqs.set_queue_attributes import set_queue_attributes
from rmq.gateway.sqs.start_message_move_task import start_message_move_task
from rmq.gateway.sqs.tag_queue import tag_queue
from rmq.gateway.sqs.untag_queue import untag_queue


async def _confirm(caller: Caller, given: Given) -> None:
    """AWS looks for the queue before it looks at what is wanted of it."""
    if "QueueUrl" in given:
        try:
            await place.queue_of(caller, given).info()
        except QueueDoesNotExist:
            raise errors.no_such_queue() from None
        except RmqError:
            return


SERVICE = Service(
    name="sqs",
    model_name="sqs",
    operations={
        "AddPermission": add_permission,
        "CancelMessageMoveTask": cancel_message_move_task,
        "ChangeMessageVisibility": change_message_visibility,
        "ChangeMessageVisibilityBatch": change_message_visibility_batch,
        "CreateQueue": create_queue,
        "DeleteMessage": delete_message,
        "DeleteMessageBatch": delete_message_batch,
        "DeleteQueue": delete_queue,
        "GetQueueAttributes": get_queue_attributes,
        "GetQueueUrl": get_queue_url,
        "ListDeadLetterSourceQueues": list_dead_letter_source_queues,
        "ListMessageMoveTasks": list_message_move_tasks,
        "ListQueueTags": list_queue_tags,
        "ListQueues": list_queues,
        "PurgeQueue": purge_queue,
        "ReceiveMessage": receive_message,
        "RemovePermission": remove_permission,
        "SendMessage": send_message,
        "SendMessageBatch": send_message_batch,
        "SetQueueAttributes": set_queue_attributes,
        "StartMessageMoveTask": start_message_move_task,
        "TagQueue": tag_queue,
        "UntagQueue": untag_queue,
    },
    error=errors.error,
    refuse=errors.refuse,
    translate=errors.translate,
    confirm=_confirm,
    adopt=place.adopt,
    overlay=overlay.apply,
    error_detail="<Detail/>",
)
