"""Settings: reading and changing an account's attributes for SMS. Plans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rmq.core.keys import SmsKeys
from rmq.core.script import Plan
from rmq.topics.registry import TopicRegistry
from rmq.topics.sms import commands
from rmq.topics.sms.attributes import SmsAttributes, checked, from_text


def read(registry: TopicRegistry) -> Plan[SmsAttributes]:
    """The attributes as they are now."""
    return from_text((yield commands.read_attributes(SmsKeys(registry.namespace))))


def change(registry: TopicRegistry, given: Mapping[str, Any]) -> Plan[SmsAttributes]:
    """Change attributes, all of them or none."""
    changes = checked(given)
    if changes:
        yield commands.set_attributes(SmsKeys(registry.namespace), changes)
    return (yield from read(registry))
