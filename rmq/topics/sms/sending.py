"""Sending: a message for one phone number. A plan.

It waits in an inner queue for a dispatcher, whose sender knows a provider.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from rmq.core.keys import SmsKeys
from rmq.core.script import Plan
from rmq.errors import InvalidParameter, Words
from rmq.topics.message import Notification
from rmq.topics.outgoing import direct, texts_of
from rmq.topics.registry import TopicRegistry
from rmq.topics.sms import commands
from rmq.topics.sms.attributes import check_message
from rmq.topics.sms.commands import Look
from rmq.topics.sms.handing import hand_over
from rmq.topics.sms.number import phone_number
from rmq.topics.sms.parts import Encoding, parts_of
from rmq.topics.sms.sandbox import is_verified


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsPublished:
    """What a publisher is answered with."""

    id: str
    """The message id: a UUID."""
    number: str
    """In E.164."""
    parts: int
    """SMS that it takes."""
    encoding: Encoding
    """GSM-7 or UCS-2."""
    is_opted_out: bool
    """The number wants no SMS: nothing is sent to it."""


def publish(registry: TopicRegistry, given: str, notification: Notification) -> Plan[SmsPublished]:
    """Put a message for one number where a dispatcher finds it."""
    number = phone_number("number", given)
    body, header = direct(registry.limits, notification)
    text = texts_of(body) if notification.by_protocol else {"default": body.decode()}
    words = text.get("sms", text["default"])
    most = registry.limits.max_sms_characters
    if not words or (most is not None and len(words) > most):
        raise InvalidParameter(
            "message",
            Words(f"{len(words)} characters"),
            "1 or more characters" if most is None else f"1 to {most} characters",
        )
    check_message(header.attributes)
    parts = parts_of(words)
    found: Look = yield commands.look(SmsKeys(registry.namespace), number)
    if found.is_in_sandbox and not is_verified(found.record):
        raise InvalidParameter(
            "number", number, "verified, while the account is in the SMS sandbox (rmq sms sandbox)"
        )
    if found.is_opted_out:
        id = str(uuid.uuid4())
    else:
        id = yield from hand_over(registry, number, words, header, found)
    return SmsPublished(
        id=id,
        number=number,
        parts=parts.count,
        encoding=parts.encoding,
        is_opted_out=found.is_opted_out,
    )
