"""Errors: each that SQS's model lists, and those that it leaves out, in both protocols.

    shape    JSON's __type, with its namespace
    code     the query protocol's name of it, which JSON has in x-amzn-query-error
    status   400 in JSON; the query protocol has others for some

The form around them (Type, Detail, request id) is looked at by the Sdk, for every refusal of every
test. Each error has its natural cause, or where an endpoint like this has none, a fault that
/_rmq/faults was asked for. Source: Errors (Amazon SQS API Reference); sqs.md, section 11.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

import rmq
from rmq import Limits
from rmq.gateway.app import Endpoint
from rmq.gateway.http import Request
from rmq.testing import HeldClock
from tests.colours import until
from tests.gateway.sdk import MODEL, PROTOCOLS, Refused, Sdk, authorization, refusal, refused_in
from tests.servers import single_server

LEGACY = "AWS.SimpleQueueService."
SQS = "com.amazonaws.sqs#"
CORAL = "com.amazon.coral.service#"

Cause = Callable[[Sdk, HeldClock], Awaitable[Refused]]


@dataclass(frozen=True)
class Error:
    """An error, what it says, and how to come by it."""

    shape: str
    code: str
    message: str
    """With * for what differs from one time to the next."""
    cause: Cause
    why: str
    query_status: int = 400
    json_status: int = 400
    protocols: tuple[str, ...] = PROTOCOLS

    @property
    def is_modelled(self) -> bool:
        return self.shape.startswith(SQS)


ERRORS: list[Error] = []


def error(shape: str, code: str, message: str, **rest: Any) -> Callable[[Cause], Cause]:
    """Note what the function below causes."""

    def note(cause: Cause) -> Cause:
        why = cause.__name__.strip("_").replace("_", " ")
        ERRORS.append(Error(shape, code, message, cause, why, **rest))
        return cause

    return note


def invalid(message: str) -> Callable[[Cause], Cause]:
    return error(f"{CORAL}InvalidParameterValueException", "InvalidParameterValue", message)


def missing(parameter: str) -> Callable[[Cause], Cause]:
    return error(
        f"{CORAL}MissingRequiredParameterException",
        "MissingParameter",
        f"The request must contain the parameter {parameter}.",
    )


def malformed(message: str, **rest: Any) -> Callable[[Cause], Cause]:
    return error(f"{CORAL}SerializationException", "MalformedInput", message, **rest)


def incomplete(message: str) -> Callable[[Cause], Cause]:
    return error(f"{CORAL}IncompleteSignatureException", "IncompleteSignature", message)


async def _queue(sqs: Sdk) -> str:
    return await sqs.queue("orders")


async def _fifo(sqs: Sdk, **attributes: str) -> str:
    return await sqs.queue("orders.fifo", FifoQueue="true", **attributes)


async def _received(sqs: Sdk, url: str, body: str = "x", **sent: str) -> str:
    """The receipt handle of a message that was sent and received."""
    await sqs.send_message(QueueUrl=url, MessageBody=body, **sent)
    found = await sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)
    return str(found["Messages"][0]["ReceiptHandle"])


# --- queues --------------------------------------------------------------------------------------

no_queue = error(
    f"{SQS}QueueDoesNotExist", f"{LEGACY}NonExistentQueue", "The specified queue does not exist."
)


@no_queue
async def _the_queue_is_not_there(sqs: Sdk, clock: HeldClock) -> Refused:
    return await refusal(sqs.send_message(QueueUrl=f"https://x/{sqs.account}/no", MessageBody="x"))


@no_queue
async def _the_queue_is_not_there_and_the_parameters_are_wrong(
    sqs: Sdk, clock: HeldClock
) -> Refused:
    url = f"https://x/{sqs.account}/no"
    return await refusal(sqs.send_message(QueueUrl=url, MessageBody="x", DelaySeconds=901))


@no_queue
async def _the_queue_is_not_there_and_an_entry_has_a_bad_id(sqs: Sdk, clock: HeldClock) -> Refused:
    url = f"https://x/{sqs.account}/no"
    return await refusal(
        sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "!", "MessageBody": "x"}])
    )


@no_queue
async def _the_name_is_not_there(sqs: Sdk, clock: HeldClock) -> Refused:
    return await refusal(sqs.get_queue_url(QueueName="no"))


@no_queue
async def _the_name_could_not_be_one(sqs: Sdk, clock: HeldClock) -> Refused:
    return await refusal(sqs.get_queue_url(QueueName="no/such:queue"))


@error(
    f"{SQS}QueueNameExists",
    "QueueAlreadyExists",
    "A queue already exists with the same name and a different value for attribute DelaySeconds",
)
async def _the_name_is_taken(sqs: Sdk, clock: HeldClock) -> Refused:
    await _queue(sqs)
    return await refusal(sqs.create_queue(QueueName="orders", Attributes={"DelaySeconds": "1"}))


@error(
    f"{SQS}QueueDeletedRecently",
    f"{LEGACY}QueueDeletedRecently",
    "You must wait 60 seconds after deleting a queue before you can create another with the same "
    "name.",
)
async def _the_name_is_not_free_yet(sqs: Sdk, clock: HeldClock) -> Refused:
    await sqs.delete_queue(QueueUrl=await _queue(sqs))
    clock.move(59)
    return await refusal(sqs.create_queue(QueueName="orders"))


@error(
    f"{SQS}PurgeQueueInProgress",
    f"{LEGACY}PurgeQueueInProgress",
    "Only one PurgeQueue operation on orders is allowed every 60 seconds.",
    query_status=403,
)
async def _the_queue_was_purged_a_moment_ago(sqs: Sdk, clock: HeldClock) -> Refused:
    url = await _queue(sqs)
    await sqs.purge_queue(QueueUrl=url)
    clock.move(59)
    return await refusal(sqs.purge_queue(QueueUrl=url))


@error(
    f"{SQS}InvalidAddress",
    "InvalidAddress",
    "The address orders is not valid for this endpoint.",
)
async def _the_url_is_none(sqs: Sdk, clock: HeldClock) -> Refused:
    return await refusal(sqs.send_message(QueueUrl="orders", MessageBody="x"))


@invalid("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
async def _a_standard_queue_has_a_bad_name(sqs: Sdk, clock: HeldClock) -> Refused:
    return await refusal(sqs.create_queue(QueueName="a b"))


@invalid("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
async def _a_standard_queue_has_a_long_name(sqs: Sdk, clock: HeldClock) -> Refused:
    return await refusal(sqs.create_queue(QueueName="a" * 81))


FIFO_NAME = (
    "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, "
    "must end with .fifo suffix and be 1 to 80 in length."
)


@invalid(FIFO_NAME)
async def _a_fifo_queue_lacks_its_suffix(sqs: Sdk, clock: HeldClock) -> Refused:
    return await refusal(sqs.create_queue(QueueName="a", Attributes={"FifoQueue": "true"}))


@invalid(FIFO_NAME)
async def _a_fifo_queue_has_a_long_name(sqs: Sdk, clock: HeldClock) -> Refused:
    name = "a" * 76 + ".fifo"
    return await refusal(sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"}))


@error(f"{SQS}InvalidAttributeName", "InvalidAttributeName", "Unknown Attribute FifoQueue.")
async def _a_standard_queue_says_that_it_is_one(sqs: Sdk, clock: HeldClock) -> Refused:
    return await refusal(sqs.create_queue(QueueName="a", Attributes={"FifoQueue": "false"}))


@error(f"{SQS}InvalidAttributeName", "InvalidAttributeName", "Unknown Attribute Colour.")
async def _an_attribute_is_unknown(sqs: Sdk, clock: HeldClock) -> Refused:
    return await refusal(
        sqs.get_queue_attributes(QueueUrl=await _queue(sqs), AttributeNames=["Colour"])
    )


@error(
    f"{SQS}InvalidAttributeName",
    "InvalidAttributeName",
    "Unknown Attribute ContentBasedDeduplication.",
)
async def _an_attribute_is_for_fifo_queues(sqs: Sdk, clock: HeldClock) -> Refused:
    changed = {"ContentBasedDeduplication": "true"}
    return await refusal(sqs.set_queue_attributes(QueueUrl=await _queue(sqs), Attributes=changed))


@error(
    f"{SQS}InvalidAttributeValue",
    "InvalidAttributeValue",
    "Invalid value for the parameter VisibilityTimeout.",
)
async def _an_attribute_has_a_bad_value(sqs: Sdk, clock: HeldClock) -> Refused:
    changed = {"VisibilityTimeout": "43201"}
    return await refusal(sqs.set_queue_attributes(QueueUrl=await _queue(sqs), Attributes=changed))


@invalid("Too many tags added for queue orders.")
async def _a_queue_has_too_many_tags(sqs: Sdk, clock: HeldClock) -> Refused:
    tags = {f"key-{i}": "" for i in range(51)}
    return await refusal(sqs.tag_queue(QueueUrl=await _queue(sqs), Tags=tags))


@error(
    f"{SQS}OverLimit",
    "OverLimit",
    "8 Actions were found, maximum allowed is 7.",
    query_status=403,
)
async def _a_permission_is_for_too_many_actions(sqs: Sdk, clock: HeldClock) -> Refused:
    return await refusal(
        sqs.add_permission(
            QueueUrl=await _queue(sqs),
            Label="l",
            AWSAccountIds=["1" * 12],
            Actions=["SendMessage"] * 8,
        )
    )


# --- messages ------------------------------------------------------------------------------------


@missing("MessageBody")
async def _a_message_has_no_body(sqs: Sdk, clock: HeldClock) -> Refused:
    return await refusal(sqs.send_message(QueueUrl=await _queue(sqs)))


@missing("MessageBody")
async def _a_message_has_an_empty_body(sqs: Sdk, clock: HeldClock) -> Refused:
    return await refusal(sqs.send_message(QueueUrl=await _queue(sqs), MessageBody=""))


@missing("QueueUrl")
async def _nobody_says_which_queue(sqs: Sdk, clock: HeldClock) -> Refused:
    return await refusal(sqs.send_message(MessageBody="x"))


@missing("MessageGroupId")
async def _a_message_of_a_fifo_queue_has_no_group(sqs: Sdk, clock: HeldClock) -> Refused:
    url = await _fifo(sqs)
    return await refusal(
        sqs.send_message(QueueUrl=url, MessageBody="x", MessageDeduplicationId="d")
    )


@missing("SendMessageBatchRequestEntry.1.MessageBody")
async def _an_entry_has_no_body(sqs: Sdk, clock: HeldClock) -> Refused:
    return await refusal(sqs.send_message_batch(QueueUrl=await _queue(sqs), Entries=[{"Id": "a"}]))


@error(
    f"{SQS}InvalidMessageContents",
    "InvalidMessageContents",
    "Invalid binary character '#x8' was found in the message body, the set of allowed characters "
    "is #x9 | #xA | #xD | *",
)
async def _a_body_has_a_forbidden_character(sqs: Sdk, clock: HeldClock) -> Refused:
    return await refusal(sqs.send_message(QueueUrl=await _queue(sqs), MessageBody="a\x08b"))


@invalid("One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.")
async def _a_message_is_too_long_for_its_queue(sqs: Sdk, clock: HeldClock) -> Refused:
    url = await sqs.queue("small", MaximumMessageSize="1024")
    return await refusal(sqs.send_message(QueueUrl=url, MessageBody="x" * 1025))


@invalid("One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.")
async def _a_message_is_too_long(sqs: Sdk, clock: HeldClock) -> Refused:
    url = await _queue(sqs)
    return await refusal(sqs.send_message(QueueUrl=url, MessageBody="x" * (1048576 + 1)))


@invalid(
    "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."
)
async def _a_delay_is_too_long(sqs: Sdk, clock: HeldClock) -> Refused:
    url = await _queue(sqs)
    return await refusal(sqs.send_message(QueueUrl=url, MessageBody="x", DelaySeconds=901))


NOT_FOR_TYPE = "The request include parameter that is not valid for this queue type."


@invalid(f"Value 1 for parameter DelaySeconds is invalid. Reason: {NOT_FOR_TYPE}")
async def _a_message_of_a_fifo_queue_has_its_own_delay(sqs: Sdk, clock: HeldClock) -> Refused:
    url = await _fifo(sqs, ContentBasedDeduplication="true")
    return await refusal(
        sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="g", DelaySeconds=1)
    )


@invalid(f"Value d for parameter MessageDeduplicationId is invalid. Reason: {NOT_FOR_TYPE}")
async def _a_message_of_a_standard_queue_has_a_deduplication_id(
    sqs: Sdk, clock: HeldClock
) -> Refused:
    url = await _queue(sqs)
    return await refusal(
        sqs.send_message(QueueUrl=url, MessageBody="x", MessageDeduplicationId="d")
    )


@invalid(
    "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId "
    "provided explicitly"
)
async def _a_message_of_a_fifo_queue_has_no_deduplication_id(sqs: Sdk, clock: HeldClock) -> Refused:
    url = await _fifo(sqs)
    return await refusal(sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="g"))


def _punctuation(parameter: str, value: str) -> str:
    return (
        f"Value {value} for parameter {parameter} is invalid. Reason: {parameter} can only include "
        "alphanumeric and punctuation characters. 1 to 128 in length."
    )


@invalid(_punctuation("MessageGroupId", "a b"))
async def _a_group_id_has_a_space(sqs: Sdk, clock: HeldClock) -> Refused:
    url = await _queue(sqs)
    return await refusal(sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="a b"))


@invalid(_punctuation("MessageDeduplicationId", "d" * 129))
async def _a_deduplication_id_is_too_long(sqs: Sdk, clock: HeldClock) -> Refused:
    url = await _fifo(sqs)
    return await refusal(
        sqs.send_message(
            QueueUrl=url, MessageBody="x", MessageGroupId="g", MessageDeduplicationId="d" * 129
        )
    )


@invalid(
    "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if "
    "provided."
)
async def _too_many_messages_are_wanted(sqs: Sdk, clock: HeldClock) -> Refused:
    url = await _queue(sqs)
    return await refusal(sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=11))


@invalid(
    "Value 0 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if "
    "provided."
)
async def _no_messages_are_wanted(sqs: Sdk, clock: HeldClock) -> Refused:
    url = await _queue(sqs)
    return await refusal(sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=0))


@invalid(
    "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if "
    "provided."
)
async def _a_receive_would_wait_too_long(sqs: Sdk, clock: HeldClock) -> Refused:
    url = await _queue(sqs)
    return await refusal(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=21))


@invalid(
    "Value 43201 for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200*"
)
async def _a_visibility_timeout_is_too_long(sqs: Sdk, clock: HeldClock) -> Refused:
    url = await _queue(sqs)
    return await refusal(sqs.receive_message(QueueUrl=url, VisibilityTimeout=43201))


def _attribute(**value: Any) -> dict[str, Any]:
    return {"MessageBody": "x", "MessageAttributes": {"N": value}}


@invalid("The message attribute 'N' must contain a non-empty message attribute value of type *")
async def _an_attribute_of_a_message_is_empty(sqs: Sdk, clock: HeldClock) -> Refused:
    message = _attribute(DataType="String", StringValue="")
    return await refusal(sqs.send_message(QueueUrl=await _queue(sqs), **message))


@invalid(
    "The type of message (user) attribute 'N' is invalid. You must use only the following "
    "supported type prefixes: Binary, Number, String."
)
async def _an_attribute_of_a_message_has_an_unknown_type(sqs: Sdk, clock: HeldClock) -> Refused:
    message = _attribute(DataType="Date", StringValue="2026")
    return await refusal(sqs.send_message(QueueUrl=await _queue(sqs), **message))


@invalid("Can't cast the value of message (user) attribute 'N' to a number.")
async def _an_attribute_of_a_message_is_not_a_number(sqs: Sdk, clock: HeldClock) -> Refused:
    message = _attribute(DataType="Number", StringValue="ten")
    return await refusal(sqs.send_message(QueueUrl=await _queue(sqs), **message))


@invalid("Number of message attributes [11] exceeds the allowed maximum [10].")
async def _a_message_has_too_many_attributes(sqs: Sdk, clock: HeldClock) -> Refused:
    given = {f"N{i}": {"DataType": "String", "StringValue": "v"} for i in range(11)}
    url = await _queue(sqs)
    return await refusal(sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes=given))


# --- receipts ------------------------------------------------------------------------------------

bad_handle = error(
    f"{SQS}ReceiptHandleIsInvalid",
    "ReceiptHandleIsInvalid",
    'The input receipt handle "nonsense" is not a valid receipt handle.',
    query_status=404,
)


@bad_handle
async def _a_handle_to_delete_is_malformed(sqs: Sdk, clock: HeldClock) -> Refused:
    url = await _queue(sqs)
    return await refusal(sqs.delete_message(QueueUrl=url, ReceiptHandle="nonsense"))


@bad_handle
async def _a_handle_to_prolong_is_malformed(sqs: Sdk, clock: HeldClock) -> Refused:
    return await refusal(
        sqs.change_message_visibility(
            QueueUrl=await _queue(sqs), ReceiptHandle="nonsense", VisibilityTimeout=1
        )
    )


@error(
    f"{SQS}ReceiptHandleIsInvalid",
    "ReceiptHandleIsInvalid",
    'The input receipt handle "*" is not a valid receipt handle.',
    query_status=404,
)
async def _a_handle_is_another_queues(sqs: Sdk, clock: HeldClock) -> Refused:
    handle = await _received(sqs, await _queue(sqs))
    other = await sqs.queue("other")
    return await refusal(sqs.delete_message(QueueUrl=other, ReceiptHandle=handle))


@error(f"{SQS}MessageNotInflight", f"{LEGACY}MessageNotInflight", "*")
async def _a_message_is_visible_again(sqs: Sdk, clock: HeldClock) -> Refused:
    url = await _queue(sqs)
    handle = await _received(sqs, url)
    clock.move(31)
    return await refusal(
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=1)
    )


@invalid("Value * for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.")
async def _a_handle_of_a_fifo_queue_has_expired(sqs: Sdk, clock: HeldClock) -> Refused:
    url = await _fifo(sqs, ContentBasedDeduplication="true")
    handle = await _received(sqs, url, MessageGroupId="g")
    clock.move(31)
    return await refusal(sqs.delete_message(QueueUrl=url, ReceiptHandle=handle))


@invalid(
    "Value * for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not "
    "available for visibility timeout change."
)
async def _a_message_to_prolong_is_gone(sqs: Sdk, clock: HeldClock) -> Refused:
    url = await _queue(sqs)
    handle = await _received(sqs, url)
    await sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)
    return await refusal(
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=1)
    )


@invalid(
    "Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for "
    "the message is beyond the limit [43200 seconds]"
)
async def _a_message_would_be_invisible_for_too_long(sqs: Sdk, clock: HeldClock) -> Refused:
    url = await _queue(sqs)
    handle = await _received(sqs, url)
    clock.move(10)
    return await refusal(
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=43200)
    )


# --- batches -------------------------------------------------------------------------------------


def _entries(*ids: str) -> list[dict[str, str]]:
    return [{"Id": one, "MessageBody": "x"} for one in ids]


async def _batch(sqs: Sdk, entries: list[dict[str, str]]) -> Refused:
    return await refusal(sqs.send_message_batch(QueueUrl=await _queue(sqs), Entries=entries))


@error(
    f"{SQS}EmptyBatchRequest",
    f"{LEGACY}EmptyBatchRequest",
    "There should be at least one SendMessageBatchRequestEntry in the request.",
)
async def _a_batch_is_empty(sqs: Sdk, clock: HeldClock) -> Refused:
    return await _batch(sqs, [])


@error(
    f"{SQS}EmptyBatchRequest",
    f"{LEGACY}EmptyBatchRequest",
    "There should be at least one DeleteMessageBatchRequestEntry in the request.",
)
async def _a_batch_to_delete_is_empty(sqs: Sdk, clock: HeldClock) -> Refused:
    return await refusal(sqs.delete_message_batch(QueueUrl=await _queue(sqs), Entries=[]))


@error(
    f"{SQS}EmptyBatchRequest",
    f"{LEGACY}EmptyBatchRequest",
    "There should be at least one ChangeMessageVisibilityBatchRequestEntry in the request.",
)
async def _a_batch_to_prolong_is_empty(sqs: Sdk, clock: HeldClock) -> Refused:
    return await refusal(
        sqs.change_message_visibility_batch(QueueUrl=await _queue(sqs), Entries=[])
    )


@error(
    f"{SQS}TooManyEntriesInBatchRequest",
    f"{LEGACY}TooManyEntriesInBatchRequest",
    "Maximum number of entries per request are 10. You have sent 11.",
)
async def _a_batch_is_too_large(sqs: Sdk, clock: HeldClock) -> Refused:
    return await _batch(sqs, _entries(*map(str, range(11))))


@error(
    f"{SQS}BatchEntryIdsNotDistinct",
    f"{LEGACY}BatchEntryIdsNotDistinct",
    "Id twice repeated.",
)
async def _two_entries_have_one_id(sqs: Sdk, clock: HeldClock) -> Refused:
    return await _batch(sqs, _entries("once", "twice", "twice"))


@error(
    f"{SQS}InvalidBatchEntryId",
    f"{LEGACY}InvalidBatchEntryId",
    "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be "
    "at most 80 letters long.",
)
async def _an_entry_has_a_bad_id(sqs: Sdk, clock: HeldClock) -> Refused:
    return await _batch(sqs, _entries("good", "not good"))


@error(
    f"{SQS}BatchRequestTooLong",
    f"{LEGACY}BatchRequestTooLong",
    "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.",
)
async def _a_batch_is_too_long(sqs: Sdk, clock: HeldClock) -> Refused:
    half = "x" * (1048576 // 2)
    entries = [{"Id": "a", "MessageBody": half}, {"Id": "b", "MessageBody": half + "x"}]
    return await _batch(sqs, entries)


# --- move tasks ----------------------------------------------------------------------------------


async def _dead(sqs: Sdk, clock: HeldClock) -> str:
    """The ARN of a dead-letter queue with three messages."""
    arn = await sqs.arn(await sqs.queue("dead"))
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    url = await sqs.queue("orders", RedrivePolicy=policy)
    for _ in range(3):
        await sqs.send_message(QueueUrl=url, MessageBody="x")
    await sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    clock.move(31)
    await sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return arn


def no_resource(parameter: str) -> Callable[[Cause], Cause]:
    return error(
        f"{SQS}ResourceNotFoundException",
        "ResourceNotFoundException",
        f"The resource that you specified for the {parameter} parameter doesn't exist.",
        query_status=404,
    )


@no_resource("SourceArn")
async def _the_source_of_a_task_is_not_there(sqs: Sdk, clock: HeldClock) -> Refused:
    arn = f"arn:aws:sqs:us-east-1:{sqs.account}:no"
    return await refusal(sqs.start_message_move_task(SourceArn=arn))


@no_resource("SourceArn")
async def _the_source_of_a_task_is_no_arn(sqs: Sdk, clock: HeldClock) -> Refused:
    return await refusal(sqs.list_message_move_tasks(SourceArn="no"))


@no_resource("DestinationArn")
async def _the_destination_of_a_task_is_not_there(sqs: Sdk, clock: HeldClock) -> Refused:
    source = await _dead(sqs, clock)
    return await refusal(
        sqs.start_message_move_task(SourceArn=source, DestinationArn=f"{source}-not")
    )


@error(f"{SQS}ResourceNotFoundException", "ResourceNotFoundException", "*", query_status=404)
async def _a_task_is_not_there(sqs: Sdk, clock: HeldClock) -> Refused:
    return await refusal(sqs.cancel_message_move_task(TaskHandle="nonsense"))


@error(
    f"{SQS}UnsupportedOperation",
    f"{LEGACY}UnsupportedOperation",
    "There is already a task running. Only one active task is allowed for a source queue arn at a "
    "given time.",
)
async def _a_task_is_running_already(sqs: Sdk, clock: HeldClock) -> Refused:
    arn = await _dead(sqs, clock)
    await sqs.start_message_move_task(SourceArn=arn, MaxNumberOfMessagesPerSecond=1)
    return await refusal(sqs.start_message_move_task(SourceArn=arn))


@error(
    f"{SQS}UnsupportedOperation",
    f"{LEGACY}UnsupportedOperation",
    "Only active tasks can be cancelled.",
)
async def _a_task_was_cancelled_already(sqs: Sdk, clock: HeldClock) -> Refused:
    arn = await _dead(sqs, clock)
    started = await sqs.start_message_move_task(SourceArn=arn, MaxNumberOfMessagesPerSecond=1)
    await sqs.cancel_message_move_task(TaskHandle=started["TaskHandle"])

    async def cancelled() -> bool:
        (task,) = (await sqs.list_message_move_tasks(SourceArn=arn))["Results"]
        return bool(task["Status"] == "CANCELLED")

    clock.move(1)
    await until(cancelled)
    return await refusal(sqs.cancel_message_move_task(TaskHandle=started["TaskHandle"]))


@invalid("Source queue must be configured as a Dead Letter Queue.")
async def _the_source_of_a_task_gets_no_dead_letters(sqs: Sdk, clock: HeldClock) -> Refused:
    arn = await sqs.arn(await _queue(sqs))
    return await refusal(sqs.start_message_move_task(SourceArn=arn))


# --- requests ------------------------------------------------------------------------------------


async def _changed(sqs: Sdk, **changes: Any) -> Refused:
    """What becomes of a good request with one thing changed."""
    request = sqs.request("ListQueues", {})
    headers = {**request.headers, **changes.pop("headers", {})}
    for name, value in changes.items():
        setattr(request, name, value)
    request.headers = {name: value for name, value in headers.items() if value is not None}
    return refused_in(sqs.protocol, await sqs.carry(request))


unknown_action = error(
    f"{CORAL}UnknownOperationException",
    "InvalidAction",
    "The action * is not valid for this endpoint.",
)


@unknown_action
async def _an_operation_is_unknown(sqs: Sdk, clock: HeldClock) -> Refused:
    if sqs.protocol == "json":
        return await _changed(sqs, headers={"x-amz-target": "AmazonSQS.MakeTea"})
    return await _changed(sqs, body=b"Action=MakeTea&Version=2012-11-05")


@error(
    f"{CORAL}UnknownOperationException",
    "InvalidAction",
    "The action * is not valid for this endpoint.",
    protocols=("json",),
)
async def _a_target_is_another_services(sqs: Sdk, clock: HeldClock) -> Refused:
    return await _changed(sqs, headers={"x-amz-target": "DynamoDB_20120810.ListTables"})


@error(
    f"{CORAL}UnknownOperationException",
    "InvalidAction",
    "The action * is not valid for this endpoint.",
    protocols=("json",),
)
async def _a_target_is_missing(sqs: Sdk, clock: HeldClock) -> Refused:
    return await _changed(sqs, headers={"x-amz-target": None})


@error(
    f"{CORAL}MissingAction",
    "MissingAction",
    "The request must contain the parameter Action.",
    protocols=("query",),
)
async def _an_action_is_missing(sqs: Sdk, clock: HeldClock) -> Refused:
    return await _changed(sqs, body=b"Version=2012-11-05")


@error(
    f"{CORAL}AccessDeniedException",
    "AccessDenied",
    "The web page's origin 'https://evil.example' is not allowed; *",
    query_status=403,
    json_status=403,
)
async def _a_web_page_is_strange(sqs: Sdk, clock: HeldClock) -> Refused:
    return await _changed(sqs, headers={"origin": "https://evil.example"})


@malformed("The body is not JSON that can be read: *", protocols=("json",))
async def _a_body_is_not_json(sqs: Sdk, clock: HeldClock) -> Refused:
    return await _changed(sqs, body=b"{")


@malformed(
    "NUMBER_VALUE can not be converted to a String (at QueueNamePrefix)", protocols=("json",)
)
async def _a_parameter_is_of_a_wrong_type(sqs: Sdk, clock: HeldClock) -> Refused:
    return await _changed(sqs, body=b'{"QueueNamePrefix":1}')


@malformed("The form is not UTF-8.", protocols=("query",))
async def _a_form_is_not_utf_8(sqs: Sdk, clock: HeldClock) -> Refused:
    return await _changed(sqs, body=b"Action=ListQueues&QueueNamePrefix=%ff")


@error(
    "",
    "InvalidParameterValue",
    "Value ten for parameter MaxResults is invalid. Reason: Must be an integer.",
    protocols=("query",),
)
async def _a_field_is_of_a_wrong_type(sqs: Sdk, clock: HeldClock) -> Refused:
    return await _changed(sqs, body=b"Action=ListQueues&MaxResults=ten")


@malformed("The body is not gzip that can be read.")
async def _a_body_is_not_gzip(sqs: Sdk, clock: HeldClock) -> Refused:
    return await _changed(sqs, headers={"content-encoding": "gzip"}, body=b"{}")


@malformed("The content encoding 'br' is not known here; use gzip.")
async def _a_body_is_encoded_in_a_way_that_is_unknown(sqs: Sdk, clock: HeldClock) -> Refused:
    return await _changed(sqs, headers={"content-encoding": "br"})


@incomplete("Authorization header requires 'Signature' parameter.")
async def _a_signature_is_missing(sqs: Sdk, clock: HeldClock) -> Refused:
    header = "AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host"
    return await _changed(sqs, headers={"authorization": header})


@incomplete("'Basic' is not a signing algorithm that is known here; *")
async def _a_request_is_signed_in_another_way(sqs: Sdk, clock: HeldClock) -> Refused:
    return await _changed(sqs, headers={"authorization": "Basic dXNlcjpwYXNz"})


@error(
    f"{CORAL}InvalidSignatureException",
    "SignatureDoesNotMatch",
    "Credential should be scoped to a valid region*",
    query_status=403,
    json_status=403,
)
async def _a_region_could_not_be_one(sqs: Sdk, clock: HeldClock) -> Refused:
    return await _changed(sqs, headers={"authorization": authorization("key", "EU!")})


# --- faults that a test asks for -----------------------------------------------------------------


def by_fault(shape: str, code: str, operation: str) -> None:
    """Note an error that nothing here causes by itself."""

    async def cause(sqs: Sdk, clock: HeldClock) -> Refused:
        asked = {"operation": operation, "error": shape, "message": "Asked for."}
        request = Request("POST", "/_rmq/faults", "", {}, json.dumps(asked).encode())
        assert (await sqs.carry(request)).status == 200
        parameters = {"QueueUrl": "x", "MessageBody": "x", "ReceiptHandle": "x"}
        wanted = MODEL.operation_model(operation).input_shape.required_members
        return await refusal(sqs.ask(operation, {one: parameters[one] for one in wanted}))

    listed = MODEL.operation_model(operation).error_shapes
    assert shape in {one.name for one in listed}
    ERRORS.append(Error(f"{SQS}{shape}", code, "Asked for.", cause, f"asked of {operation}"))


by_fault("InvalidIdFormat", "InvalidIdFormat", "DeleteMessage")
by_fault("InvalidSecurity", "InvalidSecurity", "ListQueues")
by_fault("RequestThrottled", "RequestThrottled", "SendMessage")
for _shape, _code in (
    ("KmsAccessDenied", "KMS.AccessDeniedException"),
    ("KmsDisabled", "KMS.DisabledException"),
    ("KmsInvalidKeyUsage", "KMS.InvalidKeyUsageException"),
    ("KmsInvalidState", "KMS.InvalidStateException"),
    ("KmsNotFound", "KMS.NotFoundException"),
    ("KmsOptInRequired", "KMS.OptInRequired"),
    ("KmsThrottled", "KMS.ThrottlingException"),
):
    by_fault(_shape, _code, "SendMessage")
    by_fault(_shape, _code, "ReceiveMessage")


# --- the tests -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("protocol", "error"),
    [
        pytest.param(protocol, one, id=f"{one.code}, {one.why}, in {protocol}")
        for one in ERRORS
        for protocol in one.protocols
    ],
)
async def test_each_error_has_its_code_status_and_words(
    error: Error, protocol: str, sqs: Sdk, clock: HeldClock
):
    found = await error.cause(sqs, clock)

    assert _is_like(found.message, error.message), found.message
    assert found.code == error.code
    assert found.side == "Sender"
    assert found.status == (error.json_status if protocol == "json" else error.query_status)
    assert found.shape == (error.shape if protocol == "json" else "")


def _is_like(text: str, pattern: str) -> bool:
    """Whether the text is that pattern, in which * stands for any."""
    parts = pattern.split("*")
    return re.fullmatch(".*".join(map(re.escape, parts)), text, re.DOTALL) is not None


def test_the_table_has_every_error_of_the_model():
    ours = {one.shape.removeprefix(SQS) for one in ERRORS if one.is_modelled}
    theirs = {
        one.name
        for name in MODEL.operation_names
        for one in MODEL.operation_model(name).error_shapes
    }

    assert ours == theirs
    assert theirs == {
        name for name in MODEL.shape_names if MODEL.shape_for(name).metadata.get("exception")
    }


async def test_too_many_messages_in_flight_are_over_the_limit_on_a_short_poll(
    protocol: str, namespace: str, clock: HeldClock
):
    """120,000 on AWS; a long poll answers without messages."""
    client = rmq.connect_async(
        "memory://", namespace=namespace, clock=clock, limits=Limits.aws(max_in_flight=1)
    )
    sqs = Sdk(protocol, Endpoint(client, account="0" * 12, region="us-east-1"))
    url = await _queue(sqs)
    await sqs.send_message(QueueUrl=url, MessageBody="x")
    await _received(sqs, url)

    found = await refusal(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=0))

    assert found.code == "OverLimit"
    assert found.status == (403 if protocol == "query" else 400)
    await client.close()


async def test_our_own_mistake_is_the_receivers_fault_and_tells_nothing(
    sqs: Sdk, queue: str, gateway: Endpoint, monkeypatch: pytest.MonkeyPatch
):
    async def fail(*_: Any) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(gateway._services[0].table["SendMessage"], "handler", fail)

    found = await refusal(sqs.send_message(QueueUrl=queue, MessageBody="x"))

    assert (found.status, found.code, found.side) == (500, "InternalFailure", "Receiver")
    assert b"secret" not in found.response.body


async def test_a_redis_that_is_gone_is_the_receivers_fault_for_now(protocol: str, namespace: str):
    """SDKs try again after 503."""
    with single_server() as server:
        client = rmq.connect_async(server.url, namespace=namespace, retry_timeout=0.05)
        sqs = Sdk(protocol, Endpoint(client, account="0" * 12, region="us-east-1"))
        url = await _queue(sqs)
        server.kill()

        found = await refusal(sqs.send_message(QueueUrl=url, MessageBody="x"))

        assert (found.status, found.code, found.side) == (503, "ServiceUnavailable", "Receiver")
        await client.close()
