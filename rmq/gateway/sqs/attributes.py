"""Attributes: between SQS's queue attributes, all of them text, and ours.

What may be set, and how far, is for the library to say (rmq.queues.attributes); here are the names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from rmq.core.limits import Limits
from rmq.errors import InvalidParameter
from rmq.gateway.sqs.errors import invalid, invalid_attribute, invalid_value, unknown_attribute
from rmq.gateway.sqs.place import Owner, arn_of, name_in
from rmq.queues.attributes import QueueAttributes, RedriveAllowPolicy, RedrivePolicy
from rmq.queues.attributes import checked as checked_attributes

FIELD_OF = {
    "DelaySeconds": "delay",
    "MaximumMessageSize": "maximum_message_size",
    "MessageRetentionPeriod": "message_retention_period",
    "ReceiveMessageWaitTimeSeconds": "receive_message_wait_time",
    "VisibilityTimeout": "visibility_timeout",
    "Policy": "policy",
    "RedrivePolicy": "redrive_policy",
    "RedriveAllowPolicy": "redrive_allow_policy",
    "KmsMasterKeyId": "kms_master_key_id",
    "KmsDataKeyReusePeriodSeconds": "kms_data_key_reuse_period",
    "SqsManagedSseEnabled": "sqs_managed_sse_enabled",
    "ContentBasedDeduplication": "content_based_deduplication",
    "DeduplicationScope": "deduplication_scope",
    "FifoThroughputLimit": "fifo_throughput_limit",
}
"""What can be set, by its name in SQS, and our name for it."""
NAME_OF = {field: name for name, field in FIELD_OF.items()}
FIFO_ONLY = ("ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit")
COUNTS = {
    "ApproximateNumberOfMessages": "visible",
    "ApproximateNumberOfMessagesNotVisible": "in_flight",
    "ApproximateNumberOfMessagesDelayed": "delayed",
}
"""What is counted when asked for, and our name for it."""

_WORDS = {
    "DeduplicationScope": {"queue": "queue", "messageGroup": "message_group"},
    "FifoThroughputLimit": {
        "perQueue": "per_queue",
        "perMessageGroupId": "per_message_group_id",
    },
    "redrivePermission": {
        "allowAll": "allow_all",
        "denyAll": "deny_all",
        "byQueue": "by_queue",
    },
}
_WHOLE = re.compile(r"[0-9]{1,10}")


# --- in ------------------------------------------------------------------------------------------


def attributes_in(
    given: Mapping[str, str], owner: Owner, limits: Limits, *, is_fifo: bool
) -> dict[str, Any]:
    """Attributes as the library takes them. Raises AwsError."""
    found: dict[str, Any] = {}
    for name, text in given.items():
        if name not in FIELD_OF or (name in FIFO_ONLY and not is_fifo):
            raise unknown_attribute(name)
        found[FIELD_OF[name]] = _value_in(name, text, owner, limits)
    _check(found, limits, is_fifo=is_fifo)
    return found


def _value_in(name: str, text: str, owner: Owner, limits: Limits) -> Any:
    if name in ("Policy", "KmsMasterKeyId"):
        return text or None
    if name == "RedrivePolicy":
        return _redrive_in(text, owner, limits) if text else None
    if name == "RedriveAllowPolicy":
        return _allow_in(text, owner, limits) if text else None
    if name in _WORDS:
        if text not in _WORDS[name]:
            raise invalid_attribute(name)
        return _WORDS[name][text]
    if name in ("SqsManagedSseEnabled", "ContentBasedDeduplication"):
        if text.lower() not in ("true", "false"):
            raise invalid_attribute(name)
        return text.lower() == "true"
    if not _WHOLE.fullmatch(text):
        raise invalid_attribute(name)
    return int(text) if name == "MaximumMessageSize" else timedelta(seconds=int(text))


def _check(found: dict[str, Any], limits: Limits, *, is_fifo: bool) -> None:
    """Each by itself, so that the error names the right one; together is the library's."""
    for field, value in found.items():
        if field == "fifo_throughput_limit":
            continue  # may need the scope that is given, or set, beside it
        try:
            checked_attributes({field: value}, limits, is_fifo=is_fifo)
        except InvalidParameter:
            raise invalid_attribute(NAME_OF[field]) from None


def _redrive_in(text: str, owner: Owner, limits: Limits) -> RedrivePolicy:
    def wrong(why: str) -> Exception:
        return invalid_value(text, "RedrivePolicy", why)

    policy = _json_object(text)
    if policy is None:
        raise wrong("Redrive policy is not a valid JSON map.")
    unknown = set(policy) - {"deadLetterTargetArn", "maxReceiveCount"}
    if unknown:
        raise wrong(f"Redrive policy contains unknown attribute: {min(unknown)}.")
    arn = policy.get("deadLetterTargetArn")
    if arn is None:
        raise wrong("Redrive policy does not contain mandatory attribute: deadLetterTargetArn.")
    if policy.get("maxReceiveCount") is None:
        raise wrong("Redrive policy does not contain mandatory attribute: maxReceiveCount.")
    count = policy["maxReceiveCount"]
    whole = int(count) if isinstance(count, str) and _WHOLE.fullmatch(count) else count
    high = limits.max_receive_count or 2046
    if type(whole) is not int or not 1 <= whole <= high:
        raise wrong(
            f"Invalid value for maxReceiveCount: {count}, valid values are from 1 to {high} both "
            "inclusive."
        )
    name = name_in(arn, owner)
    if name is None:
        raise wrong("Dead letter target does not exist.")
    return RedrivePolicy(dead_letter_queue=name, max_receive_count=whole)


def _allow_in(text: str, owner: Owner, limits: Limits) -> RedriveAllowPolicy:
    def wrong(why: str) -> Exception:
        return invalid_value(text, "RedriveAllowPolicy", why)

    policy = _json_object(text)
    if policy is None:
        raise wrong("Redrive allow policy is not a valid JSON map.")
    permission = _WORDS["redrivePermission"].get(str(policy.get("redrivePermission")))
    if permission is None or set(policy) - {"redrivePermission", "sourceQueueArns"}:
        raise wrong("redrivePermission must be allowAll, denyAll or byQueue.")
    arns = policy.get("sourceQueueArns", [])
    if not isinstance(arns, list):
        raise wrong("sourceQueueArns must be a list.")
    if (permission == "by_queue") != bool(arns):
        raise wrong("sourceQueueArns must be given with byQueue, and with nothing else.")
    most = limits.max_redrive_sources
    if most is not None and len(arns) > most:
        raise wrong(f"sourceQueueArns may name {most} queues at most, not {len(arns)}.")
    names = [name_in(arn, owner) for arn in arns]
    if None in names:
        raise wrong("sourceQueueArns must be ARNs of queues of this account and region.")
    return RedriveAllowPolicy(
        permission=permission,  # type: ignore[arg-type]
        source_queues=tuple(name for name in names if name is not None),
    )


def _json_object(text: str) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return None
    return found if isinstance(found, dict) else None


def pointing_trouble(error: InvalidParameter, given: Mapping[str, str]) -> Exception | None:
    """What the library found when it looked for the dead-letter queue, in SQS's words."""
    if error.field != "redrive_policy.dead_letter_queue":
        return None
    text = given.get("RedrivePolicy", "")
    if "FIFO queue" in error.limit or "standard queue" in error.limit:
        why = "Dead-letter queue must be same type of queue as the source."
    elif "existing" in error.limit:
        why = "Dead letter target does not exist."
    elif "allow" in error.limit:
        why = "The dead-letter queue's redrive allow policy does not allow this queue."
    else:
        why = "Dead letter target must be another queue."
    return invalid_value(text, "RedrivePolicy", why)


# --- out -----------------------------------------------------------------------------------------


def _seconds(value: timedelta) -> str:
    return str(value // timedelta(seconds=1))


def _word(kind: str, value: str) -> str:
    return next(name for name, own in _WORDS[kind].items() if own == value)


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def attributes_out(attributes: QueueAttributes, owner: Owner, *, is_fifo: bool) -> dict[str, str]:
    """What a queue was told to be, by SQS's names. What is not set is left out."""
    one = attributes
    found = {
        "VisibilityTimeout": _seconds(one.visibility_timeout),
        "DelaySeconds": _seconds(one.delay),
        "ReceiveMessageWaitTimeSeconds": _seconds(one.receive_message_wait_time),
        "MessageRetentionPeriod": _seconds(one.message_retention_period),
        "MaximumMessageSize": str(one.maximum_message_size),
    }
    if one.policy is not None:
        found["Policy"] = one.policy
    if one.redrive_policy is not None:
        found["RedrivePolicy"] = _json(
            {
                "deadLetterTargetArn": arn_of(owner, one.redrive_policy.dead_letter_queue),
                "maxReceiveCount": one.redrive_policy.max_receive_count,
            }
        )
    if one.redrive_allow_policy is not None:
        allow = one.redrive_allow_policy
        policy: dict[str, Any] = {"redrivePermission": _word("redrivePermission", allow.permission)}
        if allow.source_queues:
            policy["sourceQueueArns"] = [arn_of(owner, name) for name in allow.source_queues]
        found["RedriveAllowPolicy"] = _json(policy)
    if one.kms_master_key_id is not None:
        found["KmsMasterKeyId"] = one.kms_master_key_id
        found["KmsDataKeyReusePeriodSeconds"] = _seconds(one.kms_data_key_reuse_period)
        found["SqsManagedSseEnabled"] = "false"
    else:
        found["SqsManagedSseEnabled"] = _boolean(one.sqs_managed_sse_enabled)
    if is_fifo:
        found["FifoQueue"] = "true"
        found["ContentBasedDeduplication"] = _boolean(one.content_based_deduplication)
        found["DeduplicationScope"] = _word("DeduplicationScope", one.deduplication_scope)
        found["FifoThroughputLimit"] = _word("FifoThroughputLimit", one.fifo_throughput_limit)
    return found


def _json(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value).decode()


def refused(error: InvalidParameter, given: Mapping[str, str]) -> Exception:
    """What the library refused of attributes, in SQS's words."""
    pointing = pointing_trouble(error, given)
    if pointing is not None:
        return pointing
    name = NAME_OF.get(error.field.partition(".")[0])
    return invalid_attribute(name) if name else invalid(str(error))
