"""Words: between the library's and SQS's: values, attributes, and errors.

The errors are told apart by code and message, as an AWS client would have to: a message that is
not AWS's own leaves an error without a field, and the test that asks for one fails.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from rmq import MessageAttribute, Outgoing, QueueAttributes, RedriveAllowPolicy, RedrivePolicy
from rmq import errors as ours
from rmq.errors import RmqError, Words
from tests.boto_doors import REGION, NotInAws

FIELDS = {
    "AttributeName": "attribute",
    "ContentBasedDeduplication": "content_based_deduplication",
    "DeduplicationScope": "deduplication_scope",
    "DelaySeconds": "delay",
    "DestinationArn": "destination",
    "FifoThroughputLimit": "fifo_throughput_limit",
    "KmsDataKeyReusePeriodSeconds": "kms_data_key_reuse_period",
    "KmsMasterKeyId": "kms_master_key_id",
    "MaxNumberOfMessages": "max_messages",
    "MaxNumberOfMessagesPerSecond": "max_per_second",
    "MaxResults": "limit",
    "MaximumMessageSize": "maximum_message_size",
    "MessageAttributes": "attributes",
    "MessageBody": "body",
    "MessageDeduplicationId": "deduplication_id",
    "MessageGroupId": "message_group_id",
    "MessageRetentionPeriod": "message_retention_period",
    "MessageSystemAttributes": "trace_header",
    "NextToken": "token",
    "Policy": "policy",
    "QueueName": "queue name",
    "QueueNamePrefix": "prefix",
    "ReceiveMessageWaitTimeSeconds": "receive_message_wait_time",
    "ReceiveRequestAttemptId": "receive_request_attempt_id",
    "RedriveAllowPolicy": "redrive_allow_policy",
    "RedrivePolicy": "redrive_policy",
    "SqsManagedSseEnabled": "sqs_managed_sse_enabled",
    "TagKeys": "tags",
    "Tags": "tags",
    "TaskHandle": "id",
    "VisibilityTimeout": "visibility_timeout",
    "WaitTimeSeconds": "wait",
    "tags": "tags",
}
"""Our names of SQS's parameters and attributes."""
NAMES = {
    field: name
    for name, field in FIELDS.items()
    if field in {one.name for one in fields(QueueAttributes)}
}
"""SQS's names of our attributes."""
CHOICES = {
    "queue": "queue",
    "message_group": "messageGroup",
    "per_queue": "perQueue",
    "per_message_group_id": "perMessageGroupId",
    "allow_all": "allowAll",
    "deny_all": "denyAll",
    "by_queue": "byQueue",
}
_OWN = {theirs: own for own, theirs in CHOICES.items()}
_NOT_XML = re.compile("[^\x09\x0a\x0d\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Untold:
    """What the library tells and AWS's API does not. To use it is NotInAws."""

    def __init__(self, what: str) -> None:
        self._what = what

    def _use(self, *_: Any) -> Any:
        raise NotInAws(self._what)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise NotInAws(self._what)

    __eq__ = __bool__ = __len__ = __iter__ = __sub__ = __rsub__ = __lt__ = __gt__ = _use
    __hash__ = None  # type: ignore[assignment]


class _ShownAsOff(Untold):
    """Off is what AWS says, and on may be what was set."""

    def __eq__(self, other: object) -> Any:
        return True if other is False else self._use()

    __hash__ = None  # type: ignore[assignment]


BESIDE_A_KEY = _ShownAsOff("whether managed SSE is on, where a key is set: it is shown as off")
OF_ENDED_TASKS = Untold("which task it was, of one that has ended: it has no handle any more")


# --- values --------------------------------------------------------------------------------------


def seconds(value: Any) -> Any:
    """A duration as SQS takes it: whole seconds. What is no duration stays what it is."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, float) and math.isfinite(value):
        if value != int(value):
            raise NotInAws("parts of a second")
        return int(value)
    return value


def body(given: Any) -> Any:
    """A body as SQS takes it: text of the characters that XML has."""
    if not isinstance(given, bytes):
        return given
    try:
        text = given.decode()
    except UnicodeDecodeError:
        raise NotInAws("bodies that are not text") from None
    if _NOT_XML.search(text):
        raise NotInAws("bodies with characters that XML does not have")
    return text


def entry(message: Any) -> dict[str, Any]:
    """A message to be sent, as SendMessage takes it; what is not given is left out."""
    one = message if isinstance(message, Outgoing) else Outgoing(body=message)
    if one.sender_id is not None:
        raise NotInAws("a sender that the sender names")
    found: dict[str, Any] = {"MessageBody": body(one.body)}
    if one.attributes is not None:
        found["MessageAttributes"] = _attributes(one.attributes)
    if one.trace_header is not None:
        trace = {"DataType": "String", "StringValue": one.trace_header}
        found["MessageSystemAttributes"] = {"AWSTraceHeader": trace}
    others = {
        "DelaySeconds": seconds(one.delay),
        "MessageGroupId": one.message_group_id,
        "MessageDeduplicationId": one.deduplication_id,
    }
    return found | {name: value for name, value in others.items() if value is not None}


def _attributes(given: Any) -> Any:
    if not isinstance(given, Mapping):
        return given
    return {name: _attribute(value) for name, value in given.items()}


def _attribute(value: Any) -> dict[str, Any]:
    if isinstance(value, MessageAttribute):
        kind = "BinaryValue" if isinstance(value.value, bytes) else "StringValue"
        return {"DataType": value.type, kind: value.value}
    if isinstance(value, bytes):
        return {"DataType": "Binary", "BinaryValue": value}
    if isinstance(value, str):
        return {"DataType": "String", "StringValue": value}
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"DataType": "Number", "StringValue": repr(value)}
    raise NotInAws("an attribute that is neither text nor a number nor bytes")


def size(given: Mapping[str, Any]) -> int:
    """Bytes of an entry, as a batch counts them."""
    count = len(str(given["MessageBody"]).encode(errors="replace"))
    for name, one in given.get("MessageAttributes", {}).items():
        value = one.get("StringValue", one.get("BinaryValue"))
        count += len(name) + len(one["DataType"])
        count += len(value if isinstance(value, bytes) else str(value).encode(errors="replace"))
    return count


def received_attributes(given: Mapping[str, Any]) -> dict[str, MessageAttribute]:
    return {
        name: MessageAttribute(one["DataType"], one.get("BinaryValue", one.get("StringValue")))
        for name, one in given.items()
    }


def moment(milliseconds: str | int | None) -> datetime | None:
    """A time of a message."""
    if milliseconds is None:
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(milliseconds))


# --- attributes of a queue -----------------------------------------------------------------------


@dataclass(frozen=True)
class Info:
    """A queue, as GetQueueAttributes describes it."""

    name: str
    created_at: datetime
    modified_at: datetime
    attributes: QueueAttributes


def attributes_in(given: Mapping[str, Any], account: str, *, is_fifo: bool) -> dict[str, str]:
    """Queue attributes as SQS takes them: all of them text."""
    found = {}
    for field, value in given.items():
        if field == "deduplication_window":
            if is_fifo and len(given) > 1 and value == timedelta(minutes=5):
                continue  # as long as it always is
            raise NotInAws("how long a deduplication id is remembered")
        if field == "compression":
            raise NotInAws("compression")
        if field in FIELDS:
            raise NotInAws("SQS's names where ours are wanted")
        found[NAMES.get(field, field)] = _text(field, value, account)
    return found


def _text(field: str, value: Any, account: str) -> str:
    if field == "redrive_policy" and isinstance(value, (RedrivePolicy, Mapping)):
        return _redrive(value, account)
    if field == "redrive_allow_policy" and isinstance(value, (RedriveAllowPolicy, Mapping)):
        return _allow(value, account)
    if field in _DURATIONS:
        value = seconds(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        if field in _TEXTS:
            raise NotInAws("attributes that are no text")
        return str(value)
    if field in _CHOOSING:
        if value in _OWN and value not in CHOICES:
            raise NotInAws("SQS's words where ours are wanted")
        return CHOICES.get(value, value)
    if value == "" and field in _TEXTS:
        raise NotInAws("an empty text: it takes a policy or a key away")
    if field in _DURATIONS or field in _FLAGS or field == "maximum_message_size":
        raise NotInAws("numbers that are no text: all attributes are text")
    return value


_DURATIONS = tuple(
    one.name for one in fields(QueueAttributes) if isinstance(one.default, timedelta)
)
_CHOOSING = ("deduplication_scope", "fifo_throughput_limit")
_FLAGS = ("content_based_deduplication", "sqs_managed_sse_enabled")
_TEXTS = ("policy", "kms_master_key_id")


def arn(account: str, name: Any) -> str:
    return f"arn:aws:sqs:{REGION}:{account}:{name}"


def _redrive(value: Any, account: str) -> str:
    if isinstance(value, RedrivePolicy):
        value = {
            "dead_letter_queue": value.dead_letter_queue,
            "max_receive_count": value.max_receive_count,
        }
    made = dict(value)
    policy: dict[str, Any] = {}
    if "dead_letter_queue" in made:
        policy["deadLetterTargetArn"] = arn(account, made.pop("dead_letter_queue"))
        policy["maxReceiveCount"] = 10  # ours to leave out, not SQS's
    if "max_receive_count" in made:
        count = policy["maxReceiveCount"] = made.pop("max_receive_count")
        if isinstance(count, str):
            raise NotInAws("a count that is no text: it may be")
    return json.dumps(policy | made)


def _allow(value: Any, account: str) -> str:
    if isinstance(value, RedriveAllowPolicy):
        value = {"permission": value.permission, "source_queues": value.source_queues}
    made = dict(value)
    policy: dict[str, Any] = {}
    if "permission" in made:
        permission = made.pop("permission")
        policy["redrivePermission"] = CHOICES.get(str(permission), permission)
    names = made.pop("source_queues", None)
    if isinstance(names, (list, tuple)):
        if not all(isinstance(name, str) for name in names):
            raise NotInAws("names that are no text: an ARN makes them text")
        if names or policy.get("redrivePermission") == "byQueue":
            policy["sourceQueueArns"] = [arn(account, name) for name in names]
    elif names is not None:
        policy["sourceQueueArns"] = names
    return json.dumps(policy | made)


def info_out(given: Mapping[str, str]) -> Info:
    """What GetQueueAttributes said of one queue."""
    found: dict[str, Any] = {}
    for name, text in given.items():
        field = FIELDS.get(name)
        if field is None:
            continue
        if field == "redrive_policy":
            policy = json.loads(text)
            found[field] = RedrivePolicy(
                dead_letter_queue=_name(policy["deadLetterTargetArn"]),
                max_receive_count=policy["maxReceiveCount"],
            )
        elif field == "redrive_allow_policy":
            policy = json.loads(text)
            found[field] = RedriveAllowPolicy(
                permission=_OWN[policy["redrivePermission"]],  # type: ignore[arg-type]
                source_queues=tuple(map(_name, policy.get("sourceQueueArns", ()))),
            )
        elif field in _FLAGS:
            found[field] = {"true": True, "false": False}[text]
        elif field in _CHOOSING:
            found[field] = _OWN[text]
        elif field in _TEXTS:
            found[field] = text
        elif field == "maximum_message_size":
            found[field] = int(text)
        else:
            found[field] = timedelta(seconds=int(text))
    if "kms_master_key_id" in found:
        assert found["sqs_managed_sse_enabled"] is False
        found["sqs_managed_sse_enabled"] = BESIDE_A_KEY
    return Info(
        name=_name(given["QueueArn"]),
        created_at=_second(given["CreatedTimestamp"]),
        modified_at=_second(given["LastModifiedTimestamp"]),
        attributes=QueueAttributes(**found),
    )


def _name(arn: str) -> str:
    return arn.rpartition(":")[2]


def _second(text: str) -> datetime:
    return datetime.fromtimestamp(int(text), UTC)


# --- errors --------------------------------------------------------------------------------------


def error_of(code: str, message: str, queue: str, suspect: str = "") -> RmqError | None:
    """The library's error for one of AWS's; None for one that a test must not meet.

    *queue* is the name of the queue that was asked; *suspect* the parameter that was malformed, of
    which AWS does not always say which it was.
    """
    code = code.removeprefix("AWS.SimpleQueueService.")
    said = f"{queue}: {message}"
    match code:
        case "NonExistentQueue" | "QueueDoesNotExist":
            return ours.QueueDoesNotExist(said, queue=queue)
        case "QueueAlreadyExists":
            name = message.rpartition(" ")[2]
            field = FIELDS.get(name, name)
            return ours.QueueExists(f"{said} ({field})", queue=queue, attribute=field)
        case "QueueDeletedRecently":
            left = Untold("when a deleted queue's name is free")
            return ours.QueueDeletedRecently(said, queue=queue, retry_after=left)
        case "PurgeQueueInProgress":
            left = Untold("when a queue may be purged again")
            return ours.PurgeInProgress(said, queue=queue, retry_after=left)
        case "MessageNotInflight":
            return ours.MessageNotInFlight(said)
        case "OverLimit":
            return ours.OverLimit(said)
        case "ReceiptHandleIsInvalid":
            kind = ours.StaleReceipt if "has expired" in message else ours.InvalidReceipt
            return kind(said)
        case "ResourceNotFoundException":
            if "SourceArn" in message or "DestinationArn" in message:
                return ours.QueueDoesNotExist(said, queue=queue)
            return ours.RedriveNotFound(said)
        case "UnsupportedOperation":
            running = "There is already a task running." in message
            return ours.RedriveRunning(said) if running else ours.RedriveEnded(said)
        case "MissingParameter":
            name = message.removeprefix("The request must contain the parameter ").rstrip(".")
            return ours.MissingParameter(field_at(name.split(".")), message)
        case "InvalidMessageContents":
            found = re.search(r"attribute '([^']+)'", message)
            return _invalid(f"attributes[{found[1]!r}]" if found else "body", message)
        case "InvalidAttributeName":
            name = message.removeprefix("Unknown Attribute ").rstrip(".")
            return _invalid(FIELDS.get(name, "attribute"), message)
        case "InvalidAttributeValue":
            name = message.removeprefix("Invalid value for the parameter ").rstrip(".")
            return _invalid(FIELDS.get(name, ""), message)
        case "MalformedInput" | "SerializationException":
            found = re.search(r"\(at ([^)]+)\)", message)
            return _invalid(field_at((found[1] if found else suspect).split(".")), message)
        case "InvalidParameterValue":
            return _invalid_value(message, said)
        case "ServiceUnavailable":
            return ours.ServerError(said)
    return None


_REASONS = (
    (r"Message must be shorter than \d+ bytes", "message size"),
    (r"^Number of message attributes \[", "attributes"),
    (r"^The message attribute name ", "attribute name"),
    (r"^Too many tags added for queue |^Tag is invalid", "tags"),
    (r"^Invalid or expired next token", "token"),
    (r"alphanumeric characters, hyphens, or underscores", "queue name"),
    (r"^Source queue must be configured as a Dead Letter Queue", "dead-letter queue"),
    (r"^Destination queue must be", "destination"),
)
"""InvalidParameterValue's messages that do not name a parameter, and our name of what they mean."""


def _invalid_value(message: str, said: str) -> RmqError:
    if message.startswith("The queue should either have ContentBasedDeduplication enabled"):
        return ours.MissingParameter("deduplication_id", message)
    for pattern, field in _REASONS:
        if re.search(pattern, message):
            return _invalid(field, message)
    found = re.search(r"message (?:\(user\) )?attribute '([^']+)'", message)
    if found:
        named = found[1] == "AWSTraceHeader"
        return _invalid("trace_header" if named else f"attributes[{found[1]!r}]", message)
    found = re.match(r"Value (.*) for parameter (\S+) is invalid\. Reason: (.*)", message, re.S)
    if not found:
        return _invalid("", message)
    value, parameter, reason = found.groups()
    if parameter == "ReceiptHandle":
        gone = reason.startswith("Message does not exist")
        return ours.MessageDoesNotExist(said) if gone else ours.StaleReceipt(said)
    field = FIELDS.get(parameter, "")
    if reason.startswith(("Dead letter target", "Dead-letter queue must", "The dead-letter")):
        field = "redrive_policy.dead_letter_queue"
        reason = reason.replace("redrive allow policy", "redrive_allow_policy")
    if reason.startswith("Invalid value for maxReceiveCount"):
        field = "redrive_policy.max_receive_count"
    if "Total VisibilityTimeout" in reason:
        reason = "at most 43200 s since the message was received"
    between = re.search(r"between (\d+) and (\d+)|>= (\d+) and <= (\d+)", reason)
    if between:
        unit = " s" if field in ("delay", "visibility_timeout", "wait") else ""
        value += unit
        reason = " to ".join(f"{one}{unit}" for one in between.groups() if one)
    return ours.InvalidParameter(field, Words(value), reason)


def _invalid(field: str, message: str) -> RmqError:
    return ours.InvalidParameter(field, Words("refused"), message)


def field_at(path: list[str]) -> str:
    """Our name of a parameter, by its path in SQS's request."""
    name, *rest = path
    if name.endswith("RequestEntry") or name == "Entries":
        return field_at(rest[1:] if len(rest) > 1 else [""])
    if name == "MessageAttributes" and rest:
        return f"attributes[{rest[0]!r}]"
    if name == "Attributes" and rest:
        return FIELDS.get(rest[0], rest[0])
    return FIELDS.get(name, name)
