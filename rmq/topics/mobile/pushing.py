"""Pushing: a message for one endpoint, what senders need to send it, and what they report. Plans.

A message waits in an inner queue, as all that is pushed does; a dispatcher takes it from there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import msgspec

from rmq.core.codec import Header
from rmq.core.script import Plan
from rmq.errors import (
    EndpointDisabled,
    EndpointDoesNotExist,
    InvalidParameter,
    PlatformApplicationDisabled,
    Words,
)
from rmq.queues.message import Sent
from rmq.topics import inner
from rmq.topics.inner import MOBILE, Target
from rmq.topics.message import Notification
from rmq.topics.mobile import commands, devices, happenings
from rmq.topics.mobile.application import is_enabled
from rmq.topics.mobile.endpoint import PlatformEndpoint, read_endpoint, unpacked
from rmq.topics.mobile.lifecycle import keys_of
from rmq.topics.outgoing import direct, texts_of
from rmq.topics.registry import TopicRegistry

LONGEST_TTL_S = {"GCM": 2_419_200, "ADM": 2_678_400, "BAIDU": 604_800}
"""Seconds for which a platform keeps a message for a device that is away; the others set no end.
Source: Using the Amazon SNS time to live message attribute (Developer Guide)."""
_WHOLE = re.compile("[0-9]{1,12}")
_SENDING = (
    "enabled",
    "principal",
    "credential",
    "apple_platform_team_id",
    "apple_platform_bundle_id",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """An endpoint, with what a sender needs to get there. Show it to nobody."""

    endpoint: PlatformEndpoint
    enabled: bool
    """Both the endpoint and its application."""
    principal: str
    credential: str = field(repr=False)
    apple_platform_team_id: str
    apple_platform_bundle_id: str


def publish(registry: TopicRegistry, given: str, notification: Notification) -> Plan[Sent]:
    """Put a message for one endpoint where a dispatcher finds it."""
    name, place = read_endpoint(registry.place, given), registry.place
    platform, arn = name.application.platform, place.arn("sns", name.resource)
    body, header = direct(registry.limits, notification)
    if notification.by_protocol:
        _check_payload(platform, body)
    _check_ttl(platform, header)
    stored, config = yield commands.read_endpoint(
        keys_of(registry, name.application), arn, name.key, ("enabled",)
    )
    if not stored:
        raise devices.missing(registry, name)
    if not is_enabled(config):
        application = place.arn("sns", name.application.resource)
        raise PlatformApplicationDisabled(
            f"platform application {application} is disabled; set its enabled to send",
            application=application,
        )
    if not unpacked(name, place, stored).enabled:
        raise EndpointDisabled(
            f"endpoint {arn} is disabled; set its token, and enabled", endpoint=arn
        )
    target = Target(protocol="application", endpoint=arn)
    return (yield from inner.send_direct(registry, MOBILE, body, header, target))


def _check_payload(platform: str, body: bytes) -> None:
    """What a message says to a platform in its own form must be that platform's JSON."""
    words = texts_of(body).get(platform)
    if words is None:
        return
    try:
        good = isinstance(msgspec.json.decode(words), dict)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        good = False
    if not good:
        raise InvalidParameter(
            f"message.{platform}", Words("no JSON object"), "the platform's JSON object, as text"
        )


def _check_ttl(platform: str, header: Header) -> None:
    name = f"AWS.SNS.MOBILE.{platform}.TTL"
    if name not in header.attributes:
        return
    value, most = str(header.attributes[name][1]), LONGEST_TTL_S.get(platform)
    if not _WHOLE.fullmatch(value) or (most is not None and int(value) > most):
        upto = f"0 to {most}" if most is not None else "0 or more"
        raise InvalidParameter(f"attributes[{name!r}]", value, f"a number of seconds, {upto}")


def recipient(registry: TopicRegistry, given: str) -> Plan[Recipient | None]:
    """What a sender needs for one endpoint; None where it is gone."""
    name, place = read_endpoint(registry.place, given), registry.place
    stored, config = yield commands.read_endpoint(
        keys_of(registry, name.application),
        place.arn("sns", name.resource),
        name.key,
        _SENDING,
    )
    if not stored:
        return None
    endpoint = unpacked(name, place, stored)
    return Recipient(
        endpoint=endpoint,
        enabled=endpoint.enabled and is_enabled(config),
        **{one: config[one] for one in _SENDING if one != "enabled"},
    )


def disable(registry: TopicRegistry, given: str, token: str | None) -> Plan[bool]:
    """Switch an endpoint off, while it has that token. Whether it is there, and off."""
    change = {"enabled": False}
    try:
        found = yield from devices.set_attributes(registry, given, change, if_token=token)
    except EndpointDoesNotExist:
        return False
    return not found.enabled


def report_failure(
    registry: TopicRegistry, given: str, reason: str, message_id: str, attempts: int
) -> Plan[None]:
    """Tell the application's topic for failures that a message will never be delivered."""
    name, place = read_endpoint(registry.place, given), registry.place
    event = "event_delivery_failure"
    stored, config = yield commands.read_endpoint(
        keys_of(registry, name.application), place.arn("sns", name.resource), name.key, (event,)
    )
    if stored:
        one = unpacked(name, place, stored)
        yield from happenings.failed(registry, config[event], one, reason, message_id, attempts)
