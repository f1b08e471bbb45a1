"""Handing over: a message for a number, left for a dispatcher with what the account says of it."""

from __future__ import annotations

from typing import Any

import msgspec

from rmq.core.codec import Header
from rmq.core.script import Plan
from rmq.topics import inner
from rmq.topics.inner import SMS, Target
from rmq.topics.registry import TopicRegistry
from rmq.topics.sms.attributes import SENDER, TYPE
from rmq.topics.sms.commands import Look


def hand_over(
    registry: TopicRegistry, number: str, words: str, header: Header, found: Look
) -> Plan[str]:
    """Leave a message for a dispatcher, with the account's defaults. The message id."""
    attributes = with_defaults(header.attributes, found)
    header = msgspec.structs.replace(header, attributes=attributes, by_protocol=False)
    target = Target(protocol="sms", endpoint=number)
    sent = yield from inner.send_direct(registry, SMS, words.encode(), header, target)
    return sent.id


def with_defaults(given: dict[str, tuple[str, Any]], found: Look) -> dict[str, tuple[str, Any]]:
    """A message's attributes, and the account's where it has none."""
    defaults: dict[str, tuple[str, Any]] = {}
    if found.attributes.get("default_sender_id"):
        defaults[SENDER] = ("String", found.attributes["default_sender_id"])
    defaults[TYPE] = ("String", found.attributes.get("default_sms_type") or "Promotional")
    return defaults | given
