"""Happenings: what is told on the topics that an application names for its events.

They are told after the fact: where the topic is gone, or Redis goes away in between, nothing is
told, and what happened stands.

Source: Mobile app events (Amazon SNS Developer Guide).
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec

from rmq.core.place import read_arn
from rmq.core.script import Plan
from rmq.errors import RmqError
from rmq.topics import publishing
from rmq.topics.envelope import timestamp
from rmq.topics.mobile.endpoint import PlatformEndpoint
from rmq.topics.registry import TopicRegistry


def created(registry: TopicRegistry, topic: str, one: PlatformEndpoint) -> Plan[None]:
    yield from _tell(registry, topic, "EndpointCreated", one, {"Attributes": _attributes(one)})


def updated(registry: TopicRegistry, topic: str, one: PlatformEndpoint) -> Plan[None]:
    yield from _tell(registry, topic, "EndpointUpdated", one, {"Attributes": _attributes(one)})


def deleted(registry: TopicRegistry, topic: str, one: PlatformEndpoint) -> Plan[None]:
    yield from _tell(registry, topic, "EndpointDeleted", one, {})


def failed(
    registry: TopicRegistry,
    topic: str,
    one: PlatformEndpoint,
    reason: str,
    message_id: str,
    attempts: int,
) -> Plan[None]:
    kind = "DeliveryFailure"
    told = {
        "DeliveryAttempts": attempts,
        "FailureMessage": reason,
        "FailureType": kind,
        "MessageId": message_id,
    }
    yield from _tell(registry, topic, kind, one, told)


def _attributes(one: PlatformEndpoint) -> dict[str, str]:
    found = {"Enabled": str(one.enabled).lower(), "Token": one.token}
    if one.custom_user_data:
        found["CustomUserData"] = one.custom_user_data
    return found


def _tell(
    registry: TopicRegistry, topic: str, kind: str, one: PlatformEndpoint, more: dict[str, Any]
) -> Plan[None]:
    if not topic:
        return
    told = {
        **more,
        "EndpointArn": one.arn,
        "EventType": kind,
        "Resource": one.application_arn,
        "Service": "SNS",
        "Time": timestamp(registry.clock.now_ms()),
    }
    with suppress(RmqError):
        name = read_arn("topic", topic).resource
        yield from publishing.publish(registry, name, [msgspec.json.encode(told)])
