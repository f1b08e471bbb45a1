"""Shapes: what a topic, a subscription and what is published look like as JSON."""

from __future__ import annotations

import base64
from dataclasses import fields
from typing import Any

from rmq import (
    Heard,
    MessageAttribute,
    Published,
    Subscription,
    SubscriptionStats,
    TopicInfo,
    TopicStats,
    Verdict,
)
from rmq.cli.output import bytes_field

SUBSCRIBED = ("subscriptions", "pending")
TOTALS = ("published", "bytes")


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value)}


def info_shape(info: TopicInfo) -> dict[str, Any]:
    """What a topic was told to be."""
    return {
        "name": info.name,
        "arn": info.arn,
        "created_at": info.created_at,
        "modified_at": info.modified_at,
        "archived_since": info.archived_since,
        "attributes": _fields(info.attributes),
    }


def stats_shape(stats: TopicStats) -> dict[str, Any]:
    """What ever happened to a topic, and what is under way."""
    return _fields(stats)


def subscription_shape(one: Subscription) -> dict[str, Any]:
    """A subscription. Its token is not shown: who has it may confirm."""
    replay = None
    if one.replay is not None:
        replay = {"start": one.replay.start, "end": one.replay.end, "stopped": one.replay.stopped}
    return {
        "id": one.id,
        "arn": one.arn,
        "topic": one.topic,
        "protocol": one.protocol,
        "endpoint": one.endpoint,
        "account": one.account,
        "confirmed": one.confirmed,
        "created_at": one.created_at,
        "attributes": _fields(one.attributes),
        "replay": replay,
    }


def subscription_stats_shape(stats: SubscriptionStats) -> dict[str, Any]:
    """What became of messages at a subscription. filtered_out is by kind."""
    return _fields(stats)


def published_shape(published: Published) -> dict[str, Any]:
    """The answer to a publish. matched is how many subscriptions it is for."""
    return {
        "id": published.id,
        "sequence_number": published.sequence_number,
        "is_duplicate": published.is_duplicate,
        "matched": published.matched,
    }


def attribute_shape(one: MessageAttribute) -> dict[str, str]:
    """An attribute of a message."""
    if isinstance(one.value, str):
        return {"type": one.type, "value": one.value}
    return {"type": one.type, "value_base64": base64.b64encode(one.value).decode()}


def heard_shape(message: Heard) -> dict[str, Any]:
    """A message that was heard. What it does not have is left out, so that it can be published
    again as it is."""
    found: dict[str, Any] = {"id": message.id}
    found |= bytes_field("message", message.body)
    if message.attributes:
        found["attributes"] = {
            name: attribute_shape(one) for name, one in message.attributes.items()
        }
    found |= {
        "subject": message.subject,
        "message_group_id": message.message_group_id,
        "sequence_number": message.sequence_number,
        "published_at": message.published_at,
    }
    return {name: value for name, value in found.items() if value is not None}


HEARD_ONLY = ("id", "sequence_number", "published_at")
"""Fields of heard_shape that a message has only once it was published."""


def verdict_shape(verdict: Verdict) -> dict[str, Any]:
    """Whether a subscription gets a message, and why not."""
    return {
        "subscription": verdict.subscription.id,
        "protocol": verdict.subscription.protocol,
        "endpoint": verdict.subscription.endpoint,
        "matched": bool(verdict),
        "outcome": verdict.outcome,
        "reason": verdict.reason,
    }
