"""Shapes: what a queue, a message and a redrive task look like as JSON."""

from __future__ import annotations

import base64
from dataclasses import fields
from typing import Any

from rmq import (
    Message,
    PeekedMessage,
    QueueAttributes,
    QueueInfo,
    QueueStats,
    RedriveTask,
    Sent,
)
from rmq.cli.output import bytes_field

COUNTS = ("visible", "in_flight", "delayed")
TOTALS = ("sent", "received", "deleted", "moved", "expired", "bytes")


def attributes_shape(attributes: QueueAttributes) -> dict[str, Any]:
    """All attributes of a queue; policies as objects, null where there is none."""
    found: dict[str, Any] = {
        field.name: getattr(attributes, field.name) for field in fields(attributes)
    }
    for name in ("redrive_policy", "redrive_allow_policy"):
        policy = found[name]
        if policy is not None:
            found[name] = {field.name: getattr(policy, field.name) for field in fields(policy)}
    return found


def info_shape(info: QueueInfo) -> dict[str, Any]:
    """What a queue was told to be."""
    return {
        "name": info.name,
        "created_at": info.created_at,
        "modified_at": info.modified_at,
        "dictionary_bytes": len(info.dictionary),
        "attributes": attributes_shape(info.attributes),
    }


def counts_shape(stats: QueueStats) -> dict[str, Any]:
    """What is in a queue now."""
    return {name: getattr(stats, name) for name in COUNTS} | {
        "oldest_sent_at": stats.oldest_sent_at
    }


def totals_shape(stats: QueueStats) -> dict[str, int]:
    """What ever happened to it."""
    return {name: getattr(stats, name) for name in TOTALS}


def sent_shape(sent: Sent) -> dict[str, Any]:
    """The answer to a send."""
    return {
        "id": sent.id,
        "sequence_number": sent.sequence_number,
        "is_duplicate": sent.is_duplicate,
    }


def message_shape(message: Message | PeekedMessage) -> dict[str, Any]:
    """A message. What it does not have is left out, so that it can be sent again as it is."""
    found: dict[str, Any] = {"id": message.id}
    found |= bytes_field("body", message.body)
    if message.attributes:
        found["attributes"] = {
            name: {
                "type": one.type,
                **(
                    {"value": one.value}
                    if isinstance(one.value, str)
                    else {"value_base64": base64.b64encode(one.value).decode()}
                ),
            }
            for name, one in message.attributes.items()
        }
    found |= {
        "message_group_id": message.message_group_id,
        "deduplication_id": message.deduplication_id,
        "sequence_number": message.sequence_number,
        "trace_header": message.trace_header,
        "sender_id": message.sender_id,
        "dead_letter_source": message.dead_letter_source,
        "sent_at": message.sent_at,
        "first_received_at": message.first_received_at,
        "receive_count": message.receive_count,
    }
    if isinstance(message, Message):
        found["receipt_handle"] = message.receipt_handle
    if isinstance(message, PeekedMessage):
        found |= {
            "position": message.position,
            "state": message.state,
            "visible_at": message.visible_at,
        }
    return {name: value for name, value in found.items() if value is not None}


SEEN_ONLY = (
    "id",
    "sequence_number",
    "dead_letter_source",
    "sent_at",
    "first_received_at",
    "receive_count",
    "receipt_handle",
    "position",
    "state",
    "visible_at",
)
"""Fields of message_shape that a message has only once it was sent."""


def task_shape(task: RedriveTask) -> dict[str, Any]:
    """A redrive task."""
    return {field.name: getattr(task, field.name) for field in fields(task)}
