"""Attributes: between SNS's topic attributes, all of them text, and ours.

What may be set, and how far, is for the library to say (rmq.topics.attributes); here are the names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from rmq.gateway.errors import AwsError
from rmq.gateway.sns.errors import BadAttribute, invalid
from rmq.security.topic_policy import default_policy
from rmq.topics.attributes import FEEDBACK, TopicInfo
from rmq.topics.delivery_policy import effective_topic

FIELD_OF = {
    "ArchivePolicy": "archive_retention",
    "ContentBasedDeduplication": "content_based_deduplication",
    "DeliveryPolicy": "delivery_policy",
    "DisplayName": "display_name",
    "FifoThroughputScope": "fifo_throughput_scope",
    "KmsMasterKeyId": "kms_master_key_id",
    "MaximumMessageSize": "maximum_message_size",
    "Policy": "policy",
    "SignatureVersion": "signature_version",
    "TracingConfig": "tracing_config",
}
"""What can be set, by its name in SNS, and our name for it. The 15 of feedback are one field."""
NAME_OF = {field: name for name, field in FIELD_OF.items()} | {
    "data_protection_policy": "DataProtectionPolicy"
}
FIFO_ONLY = ("ArchivePolicy", "ContentBasedDeduplication", "FifoThroughputScope")
_SCOPES = {"Topic": "topic", "MessageGroup": "message_group"}
_WHOLE = re.compile(r"[0-9]{1,10}")


# --- in ------------------------------------------------------------------------------------------


def attributes_in(
    given: Mapping[str, str], *, is_fifo: bool, unknown: Callable[[str], AwsError]
) -> dict[str, Any]:
    """Attributes as the library takes them. Raises BadAttribute, and for a name that is not there
    the AwsError that *unknown* makes."""
    found: dict[str, Any] = {}
    feedback: dict[str, str] = {}
    for name, text in given.items():
        if FEEDBACK.fullmatch(name):
            feedback[name] = text
        elif name not in FIELD_OF or (name in FIFO_ONLY and not is_fifo):
            raise unknown(name)
        else:
            found[FIELD_OF[name]] = _value_in(name, text)
    return found | {"feedback": feedback} if feedback else found


def unknown_attribute(name: str) -> AwsError:
    return invalid("Attributes", f"Unknown attribute {name[:100]}")


def _value_in(name: str, text: str) -> Any:
    if name == "DisplayName":
        return text
    if name == "ContentBasedDeduplication":
        return boolean_in(name, text)
    if name == "FifoThroughputScope":
        if text not in _SCOPES:
            raise BadAttribute(name, "must be Topic or MessageGroup")
        return _SCOPES[text]
    if text == "":
        return None
    if name == "ArchivePolicy":
        return _archive_in(text)
    if name in ("MaximumMessageSize", "SignatureVersion"):
        if not _WHOLE.fullmatch(text):
            raise BadAttribute(name, "must be a whole number")
        return int(text)
    return text


def _archive_in(text: str) -> timedelta | None:
    policy = json_object("ArchivePolicy", text)
    if not policy:
        return None
    days = str(policy.get("MessageRetentionPeriod", ""))
    if set(policy) != {"MessageRetentionPeriod"} or not re.fullmatch(r"[0-9]{1,4}", days):
        raise BadAttribute("ArchivePolicy", "must be {} or have a MessageRetentionPeriod in days")
    return timedelta(days=int(days))


def boolean_in(name: str, text: str) -> bool:
    """A flag. Raises BadAttribute."""
    if text.lower() not in ("true", "false"):
        raise BadAttribute(name, "must be true or false")
    return text.lower() == "true"


def json_object(name: str, text: str) -> dict[str, Any]:
    """The object in a text. Raises BadAttribute."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        found = None
    if not isinstance(found, dict):
        raise BadAttribute(name, "failed to parse JSON.")
    return found


# --- out -----------------------------------------------------------------------------------------


def attributes_out(info: TopicInfo) -> dict[str, str]:
    """What a topic was told to be, by SNS's names. What is not set is left out."""
    one = info.attributes
    found = {
        "TopicArn": info.arn,
        "Owner": info.place.account,
        "DisplayName": one.display_name,
        "Policy": one.policy or default_policy(info.arn),
        "EffectiveDeliveryPolicy": effective_topic(one.delivery_policy),
    }
    optional = {
        "DeliveryPolicy": one.delivery_policy,
        "KmsMasterKeyId": one.kms_master_key_id,
        "MaximumMessageSize": one.maximum_message_size,
        "SignatureVersion": one.signature_version,
        "TracingConfig": one.tracing_config,
    }
    found |= {name: str(value) for name, value in optional.items() if value is not None}
    if info.is_fifo:
        found["FifoTopic"] = "true"
        found["ContentBasedDeduplication"] = boolean_out(one.content_based_deduplication)
        found["FifoThroughputScope"] = next(
            name for name, own in _SCOPES.items() if own == one.fifo_throughput_scope
        )
        if one.archive_retention is not None:
            days = max(one.archive_retention // timedelta(days=1), 1)
            found["ArchivePolicy"] = json_text({"MessageRetentionPeriod": str(days)})
    return {**found, **one.feedback}


def boolean_out(value: bool) -> str:
    return "true" if value else "false"


def json_text(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value).decode()


def moment(at: datetime) -> str:
    """A time as SNS writes it: in UTC, to the millisecond."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
