"""Errors of SQS: their names and statuses, and how ours become theirs.

Source: Amazon SQS API Reference, Errors of each action and Common Errors.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from rmq import errors as ours
from rmq.gateway.caller import Caller
from rmq.gateway.errors import CORAL, AwsError, unavailable
from rmq.gateway.protocol.shapes import Problem
from rmq.gateway.service import Given

NAMESPACE = "com.amazonaws.sqs"
_LEGACY = "AWS.SimpleQueueService."

MODELLED: dict[str, tuple[str, int]] = {
    "BatchEntryIdsNotDistinct": (_LEGACY + "BatchEntryIdsNotDistinct", 400),
    "BatchRequestTooLong": (_LEGACY + "BatchRequestTooLong", 400),
    "EmptyBatchRequest": (_LEGACY + "EmptyBatchRequest", 400),
    "InvalidAddress": ("InvalidAddress", 400),
    "InvalidAttributeName": ("InvalidAttributeName", 400),
    "InvalidAttributeValue": ("InvalidAttributeValue", 400),
    "InvalidBatchEntryId": (_LEGACY + "InvalidBatchEntryId", 400),
    "InvalidIdFormat": ("InvalidIdFormat", 400),
    "InvalidMessageContents": ("InvalidMessageContents", 400),
    "InvalidSecurity": ("InvalidSecurity", 400),
    "KmsAccessDenied": ("KMS.AccessDeniedException", 400),
    "KmsDisabled": ("KMS.DisabledException", 400),
    "KmsInvalidKeyUsage": ("KMS.InvalidKeyUsageException", 400),
    "KmsInvalidState": ("KMS.InvalidStateException", 400),
    "KmsNotFound": ("KMS.NotFoundException", 400),
    "KmsOptInRequired": ("KMS.OptInRequired", 400),
    "KmsThrottled": ("KMS.ThrottlingException", 400),
    "MessageNotInflight": (_LEGACY + "MessageNotInflight", 400),
    "OverLimit": ("OverLimit", 403),
    "PurgeQueueInProgress": (_LEGACY + "PurgeQueueInProgress", 403),
    "QueueDeletedRecently": (_LEGACY + "QueueDeletedRecently", 400),
    "QueueDoesNotExist": (_LEGACY + "NonExistentQueue", 400),
    "QueueNameExists": ("QueueAlreadyExists", 400),
    "ReceiptHandleIsInvalid": ("ReceiptHandleIsInvalid", 404),
    "RequestThrottled": ("RequestThrottled", 400),
    "ResourceNotFoundException": ("ResourceNotFoundException", 404),
    "TooManyEntriesInBatchRequest": (_LEGACY + "TooManyEntriesInBatchRequest", 400),
    "UnsupportedOperation": (_LEGACY + "UnsupportedOperation", 400),
}
"""Each error of the model: its code and HTTP status in the query protocol. JSON's is 400."""


def error(shape: str, message: str, status: int | None = None) -> AwsError:
    """An error of the model, or one that it leaves out."""
    if shape not in MODELLED:
        return AwsError(shape, message, status=status or 400, namespace=CORAL)
    code, query_status = MODELLED[shape]
    return AwsError(
        shape,
        message,
        code=code,
        status=status or 400,
        query_status=status or query_status,
        namespace=NAMESPACE,
    )


def invalid(message: str) -> AwsError:
    """A parameter that breaks a rule."""
    return AwsError("InvalidParameterValueException", message, code="InvalidParameterValue")


def invalid_value(value: object, parameter: str, reason: str) -> AwsError:
    """A parameter whose value breaks a rule."""
    shown = value if isinstance(value, str) else str(value)
    if len(shown) > 200:
        shown = f"{shown[:180]}…"
    return invalid(f"Value {shown} for parameter {parameter} is invalid. Reason: {reason}")


def missing(parameter: str) -> AwsError:
    return AwsError(
        "MissingRequiredParameterException",
        f"The request must contain the parameter {parameter}.",
        code="MissingParameter",
    )


def unknown_attribute(name: str) -> AwsError:
    return error("InvalidAttributeName", f"Unknown Attribute {name}.")


def invalid_attribute(name: str) -> AwsError:
    return error("InvalidAttributeValue", f"Invalid value for the parameter {name}.")


def no_such_queue() -> AwsError:
    return error("QueueDoesNotExist", "The specified queue does not exist.")


def empty_batch(operation: str) -> AwsError:
    return error(
        "EmptyBatchRequest",
        f"There should be at least one {operation}RequestEntry in the request.",
    )


def refuse(problems: list[Problem], operation: str) -> AwsError | None:
    """What is wrong by the model: first what is missing, then what is unknown."""
    for problem in problems:
        if problem.kind == "required":
            if problem.path == ("Entries",):
                return empty_batch(operation)  # a form has no other way to say so
            return missing(_named(problem.path, operation))
    if operation == "ReceiveMessage":
        # Its AttributeNames are system attributes, but the model lists those of queues.
        return None
    first = problems[0]
    if first.shape == "MessageSystemAttributeNameForSends":
        return invalid_value(first.value, "MessageSystemAttributeName", "Must be AWSTraceHeader.")
    return unknown_attribute(str(first.value)[:100])


def _named(path: tuple[str | int, ...], operation: str) -> str:
    """Entries of a batch are called after it, as its old form has them."""
    if path[0] == "Entries" and len(path) > 1:
        path = (f"{operation}RequestEntry", *path[1:])
    return ".".join(map(str, path))


# --- from ours to theirs -------------------------------------------------------------------------

NOT_FOR_TYPE = "The request include parameter that is not valid for this queue type."
EXPIRED = "The receipt handle has expired."
STANDARD_NAME = (
    "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
)
FIFO_NAME = (
    "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, "
    "must end with .fifo suffix and be 1 to 80 in length."
)


def translate(error_: ours.RmqError, caller: Caller, given: Given) -> AwsError:
    """An error of the library as SQS says it."""
    match error_:
        case ours.QueueDoesNotExist():
            return no_such_queue()
        case ours.InvalidReceipt():
            handle = str(given.get("ReceiptHandle", ""))[:100]
            return error(
                "ReceiptHandleIsInvalid",
                f'The input receipt handle "{handle}" is not a valid receipt handle.',
            )
        case ours.StaleReceipt():
            return invalid_value(given.get("ReceiptHandle", ""), "ReceiptHandle", EXPIRED)
        case ours.MessageDoesNotExist():
            return invalid_value(
                given.get("ReceiptHandle", ""),
                "ReceiptHandle",
                "Message does not exist or is not available for visibility timeout change.",
            )
        case ours.MessageNotInFlight():
            return error("MessageNotInflight", "The specified message isn't in flight.")
        case ours.OverLimit():
            return error("OverLimit", "Too many messages are in flight in this queue.")
        case ours.PurgeInProgress():
            name = str(given.get("QueueUrl", "")).rpartition("/")[2]
            return error(
                "PurgeQueueInProgress",
                f"Only one PurgeQueue operation on {name} is allowed every 60 seconds.",
            )
        case ours.QueueDeletedRecently():
            return error(
                "QueueDeletedRecently",
                "You must wait 60 seconds after deleting a queue before you can create another "
                "with the same name.",
            )
        case ours.QueueExists():
            return error(
                "QueueNameExists",
                "A queue already exists with the same name and a different value for attribute "
                f"{_attribute_name(error_.attribute)}",
            )
        case ours.TooManyTags():
            return _too_many_tags(error_, given)
        case ours.RedriveRunning():
            return error(
                "UnsupportedOperation",
                "There is already a task running. Only one active task is allowed for a source "
                "queue arn at a given time.",
            )
        case ours.RedriveEnded():
            return error("UnsupportedOperation", "Only active tasks can be cancelled.")
        case ours.RedriveNotFound():
            return error("ResourceNotFoundException", "Task does not exist.")
        case ours.InvalidParameter():
            return _invalid_parameter(error_, given)
        case ours.OutOfMemory():
            return unavailable("The store behind this endpoint is full; delete or receive first.")
        case ours.ServerError():
            return unavailable("The store behind this endpoint does not answer.")
    return invalid(str(error_))


def _attribute_name(field: str) -> str:
    from rmq.gateway.sqs.attributes import NAME_OF

    return NAME_OF.get(field, field)


def _invalid_parameter(error_: ours.InvalidParameter, given: Given) -> AwsError:
    """A parameter that the library refused, by its name there."""
    field = error_.field
    make = _FIELDS.get(field)
    if make is not None:
        return make(error_, given)
    if field.startswith("attributes["):
        return _message_attribute(error_)
    if field.startswith(("tag", "tags[")):
        return invalid(f"Tag is invalid. Reason: {error_}")
    name = _attribute_name(field.partition(".")[0])
    if name != field.partition(".")[0]:
        return invalid_attribute(name)
    return invalid(str(error_))


def _body(error_: ours.InvalidParameter, given: Given) -> AwsError:
    found = re.search(r"#x[0-9a-f]+", error_.value)
    if found is None:
        return missing("MessageBody")
    return error(
        "InvalidMessageContents",
        f"Invalid binary character '{found[0]}' was found in the message body, the set of allowed "
        "characters is #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
    )


def _size(error_: ours.InvalidParameter, given: Given) -> AwsError:
    most = re.search(r"\d+", error_.limit)
    return invalid(
        "One or more parameters are invalid. Reason: Message must be shorter than "
        f"{most[0] if most else 'its limit'} bytes."
    )


def _id(parameter: str) -> Callable[[ours.InvalidParameter, Given], AwsError]:
    def make(error_: ours.InvalidParameter, given: Given) -> AwsError:
        if isinstance(error_, ours.MissingParameter):
            if parameter == "MessageDeduplicationId":
                return invalid(
                    "The queue should either have ContentBasedDeduplication enabled or "
                    "MessageDeduplicationId provided explicitly"
                )
            return missing(parameter)
        value = given.get(parameter, error_.value)
        if error_.limit.startswith("left out"):
            return invalid_value(value, parameter, NOT_FOR_TYPE)
        return invalid_value(
            value,
            parameter,
            f"{parameter} can only include alphanumeric and punctuation characters. 1 to 128 in "
            "length.",
        )

    return make


_BOUNDS = re.compile(r"([0-9]+)(?: s)? to ([0-9]+)(?: s)?")
"""How the library says that a number lies between two others."""


def _bounded(error_: ours.InvalidParameter, reason: str) -> str:
    """*reason* with the bounds that hold here; AWS's own may have been lifted or changed."""
    found = _BOUNDS.fullmatch(error_.limit)
    return reason.format(*found.groups()) if found else f"Must be {error_.limit}."


def _number(parameter: str, reason: str) -> Callable[[ours.InvalidParameter, Given], AwsError]:
    def make(error_: ours.InvalidParameter, given: Given) -> AwsError:
        value = given.get(parameter, error_.value)
        return invalid_value(value, parameter, _bounded(error_, reason))

    return make


def _delay(error_: ours.InvalidParameter, given: Given) -> AwsError:
    if "DelaySeconds" not in given and "QueueUrl" not in given:
        return invalid_attribute("DelaySeconds")  # CreateQueue's attribute of that name
    if error_.limit.startswith("left out"):
        return invalid_value(given.get("DelaySeconds", error_.value), "DelaySeconds", NOT_FOR_TYPE)
    if "Attributes" in given:
        return invalid_attribute("DelaySeconds")
    return invalid_value(
        given.get("DelaySeconds", error_.value),
        "DelaySeconds",
        _bounded(error_, "DelaySeconds must be >= {} and <= {}."),
    )


def _visibility(error_: ours.InvalidParameter, given: Given) -> AwsError:
    if "Attributes" in given:
        return invalid_attribute("VisibilityTimeout")
    value = given.get("VisibilityTimeout", error_.value)
    if "in total" in error_.value:
        reason = "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]"
    else:
        reason = _bounded(error_, "Must be >= {} and <= {}.")
    return invalid_value(value, "VisibilityTimeout", reason)


def _queue_name(error_: ours.InvalidParameter, given: Given) -> AwsError:
    return invalid(FIFO_NAME if error_.value.strip("'").endswith(".fifo") else STANDARD_NAME)


def _count(error_: ours.InvalidParameter, given: Given) -> AwsError:
    numbers = re.findall(r"\d+", f"{error_.value} {error_.limit}")
    return invalid(
        f"Number of message attributes [{numbers[0]}] exceeds the allowed maximum [{numbers[-1]}]."
    )


def _attribute_label(error_: ours.InvalidParameter, given: Given) -> AwsError:
    return invalid(
        f"The message attribute name {error_.value} is invalid. It can have {error_.limit}."
    )


def _message_attribute(error_: ours.InvalidParameter) -> AwsError:
    found = re.fullmatch(r"attributes\[(.*)\]\.(type|value)", error_.field, re.DOTALL)
    name = found[1].strip("'\"") if found else error_.field
    if "character #x" in error_.value:
        return error(
            "InvalidMessageContents",
            f"Invalid binary character in message attribute '{name}': {error_.value}.",
        )
    if found is None or found[2] == "type":
        return invalid(
            f"The type of message (user) attribute '{name}' is invalid. You must use only the "
            "following supported type prefixes: Binary, Number, String."
        )
    if "number" in error_.limit:
        return invalid(f"Can't cast the value of message (user) attribute '{name}' to a number.")
    return invalid(
        f"The message attribute '{name}' must contain a non-empty message attribute value."
    )


def _too_many_tags(error_: ours.InvalidParameter, given: Given) -> AwsError:
    name = str(given.get("QueueUrl", given.get("QueueName", ""))).rpartition("/")[2]
    return invalid(f"Too many tags added for queue {name}.")


def _token(error_: ours.InvalidParameter, given: Given) -> AwsError:
    return invalid("Invalid or expired next token.")


_FIELDS: dict[str, Callable[[Any, Given], AwsError]] = {
    "body": _body,
    "message size": _size,
    "message_group_id": _id("MessageGroupId"),
    "deduplication_id": _id("MessageDeduplicationId"),
    "receive_request_attempt_id": _id("ReceiveRequestAttemptId"),
    "max_messages": _number("MaxNumberOfMessages", "Must be between {} and {}, if provided."),
    "wait": _number("WaitTimeSeconds", "Must be >= {} and <= {}, if provided."),
    "max_per_second": _number(
        "MaxNumberOfMessagesPerSecond", "Must be between {} and {}, if provided."
    ),
    "delay": _delay,
    "visibility_timeout": _visibility,
    "queue name": _queue_name,
    "attributes": _count,
    "attribute name": _attribute_label,
    "tags": _too_many_tags,
    "token": _token,
}
"""By the library's names of parameters."""
