"""Queues: what the twelve actions on queues on streams share.

Source: CreateQueue, QueueDescription (Amazon Kinesis Data Streams API Reference).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rmq import errors as ours
from rmq.core.place import Place
from rmq.errors import RmqError
from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.channels import moment
from rmq.gateway.kinesis.errors import not_valid
from rmq.gateway.kinesis.place import resource
from rmq.gateway.service import Answer, Given
from rmq.outlets.queues import QueueRecord, StreamQueue, StreamQueues, stream_queues

BUILT_IN = "BUILT_IN"


def queues_of(caller: Caller, place: Place | None = None) -> StreamQueues:
    """The queues of a place; the caller's own unless told."""
    return stream_queues(caller.client if place is None else caller.accounts.client(*place))


def queue_in(caller: Caller, given: Given) -> tuple[StreamQueues, str, Place]:
    """Where the queue that QueueARN names is, and its id. Raises AwsError."""
    found = resource(given["QueueARN"], "QueueARN", "queue")
    return queues_of(caller, found.place), found.name, found.place


def attributes_in(given: dict[str, Any]) -> dict[str, Any]:
    """QueueAttributes as the library takes them. Raises AwsError."""
    found: dict[str, Any] = {}
    if "VisibilityTimeoutSeconds" in given:
        found["visibility_timeout_s"] = given["VisibilityTimeoutSeconds"]
    letters = given.get("DeadLetterConfiguration")
    if letters is not None:
        most = letters.get("MaxReceiveCount")
        if letters["TargetType"] == BUILT_IN and most is None:
            raise not_valid("MaxReceiveCount is required when TargetType is BUILT_IN.")
        if letters["TargetType"] != BUILT_IN and most is not None:
            raise not_valid("MaxReceiveCount can only be specified when TargetType is BUILT_IN.")
        found["max_receives"] = most
    return found


def described(queue: StreamQueue, place: Place, status: str | None = None) -> dict[str, Any]:
    """A queue as DescribeQueue shows it."""
    letters: dict[str, Any] = {"TargetType": "NONE"}
    if queue.max_receives is not None:
        letters = {"TargetType": BUILT_IN, "MaxReceiveCount": queue.max_receives}
    start: dict[str, Any] = {"Type": queue.start}
    if (status or queue.status) != "CREATING" or queue.start == "AT_TIMESTAMP":
        start["Timestamp"] = moment(queue.start_ms)
    stream = {"StreamARN": _stream_arn(queue, place), "StartingPosition": start}
    return _begun(queue, place, status) | {
        "StreamConfigurationList": [stream],
        "QueueAttributes": {
            "VisibilityTimeoutSeconds": queue.visibility_timeout_s,
            "DeadLetterConfiguration": letters,
        },
    }


def summary(queue: StreamQueue, place: Place) -> dict[str, Any]:
    """A queue as ListQueues shows it."""
    stream = {
        "StreamARN": _stream_arn(queue, place),
        "StreamCreationTimestamp": moment(queue.stream_created_ms),
    }
    return _begun(queue, place, None) | {"Streams": [stream]}


def _begun(queue: StreamQueue, place: Place, status: str | None) -> dict[str, Any]:
    return {
        "QueueName": queue.name,
        "QueueARN": place.arn("kinesis", f"queue/{queue.id}"),
        "QueueStatus": status or queue.status,
        "QueueCreationTimestamp": moment(queue.created_ms),
    }


def _stream_arn(queue: StreamQueue, place: Place) -> str:
    return place.arn("kinesis", f"stream/{queue.stream}")


# --- records -------------------------------------------------------------------------------------


def received(records: Sequence[QueueRecord] | None) -> Answer:
    return {"QueueRecords": [_record(one) for one in records or ()]}


def _record(one: QueueRecord) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ReceiptHandle": one.receipt_handle,
        "RecordId": one.record_id,
        "Data": one.data,
        "ApproximateArrivalTimestamp": one.arrived_at,
        "FirstReceiveTimestamp": one.first_received_at,
        "ReceiveCount": one.receive_count,
    }
    if one.partition_key is not None:
        found["PartitionKey"] = one.partition_key
    return found


def asked(given: Given) -> dict[str, Any]:
    """How to receive, as the library takes it."""
    names = {
        "Limit": "limit",
        "WaitTimeSeconds": "wait_s",
        "VisibilityTimeoutSeconds": "visibility_timeout_s",
    }
    return {own: given[name] for name, own in names.items() if name in given}


def handles_in(given: Given) -> list[str]:
    return [str(one["ReceiptHandle"]) for one in given["Entries"]]


def answers(given: Given, results: Sequence[Any]) -> Answer:
    """What became of each entry."""
    done, failed = [], []
    for handle, result in zip(handles_in(given), results, strict=True):
        if result is False:
            result = ours.MessageDoesNotExist("The record is not in the queue any more.")
        if not isinstance(result, RmqError):
            done.append({"ReceiptHandle": handle})
            continue
        code, why = _failure(result)
        failed.append({"ReceiptHandle": handle, "ErrorCode": code, "ErrorMessage": why})
    return {"Successful": done, "Failed": failed}


def _failure(error: RmqError) -> tuple[str, str]:
    match error:
        case ours.InvalidReceipt():
            return "InvalidArgumentException", "The receipt handle is not one of this queue."
        case ours.InvalidParameter():
            return "InvalidArgumentException", str(error)
        case ours.StaleReceipt():
            return "InvalidArgumentException", "The receipt handle has expired."
        case ours.MessageNotInFlight():
            return "InvalidArgumentException", "The record is not in flight."
        case ours.MessageDoesNotExist():
            return "ResourceNotFoundException", "The record is not in the queue any more."
    return "InternalFailureException", "The record could not be changed; try again."
