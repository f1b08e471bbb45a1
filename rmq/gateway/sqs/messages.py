"""Messages: between SQS's form of a message and ours, on the way in and on the way out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from rmq.core.codec import MessageAttribute, attributes_size
from rmq.errors import BrokenEnvelope
from rmq.gateway.caller import Caller
from rmq.gateway.service import Given
from rmq.gateway.sqs import digests
from rmq.gateway.sqs.errors import invalid, invalid_value, unknown_attribute
from rmq.gateway.sqs.place import Owner, arn_of, owner_of
from rmq.queues.message import Sent, StoredMessage
from rmq.queues.outgoing import Outgoing

log = logging.getLogger("rmq.gateway")

TRACE = "AWSTraceHeader"
SYSTEM_ATTRIBUTES = (
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    TRACE,
    "DeadLetterQueueSourceArn",
)

# --- in ------------------------------------------------------------------------------------------


def outgoing(given: Mapping[str, Any], is_fifo: bool, sender_id: str | None) -> Outgoing:
    """What SendMessage, or one entry of a batch, asks to be sent. Raises AwsError."""
    delay = given.get("DelaySeconds")
    if delay == 0 and is_fifo:
        delay = None  # many clients say so; it can not mean anything else than the queue's own
    attributes, system = given.get("MessageAttributes"), given.get("MessageSystemAttributes")
    return Outgoing(
        given["MessageBody"],
        attributes_in(attributes) if attributes else None,
        delay,
        given.get("MessageGroupId"),
        given.get("MessageDeduplicationId"),
        _trace_header(system) if system else None,
        sender_id,
    )


def foreign_sender(caller: Caller, given: Given) -> str | None:
    """A sender that is not the queue's own account; that one need not be stored."""
    return caller.account if owner_of(caller, given).account != caller.account else None


def attributes_in(given: Mapping[str, Any]) -> dict[str, MessageAttribute]:
    """Message attributes as ours. What is wrong in them beyond their form, the library says."""
    return {name: _attribute_in(name, one) for name, one in given.items()}


def _attribute_in(name: str, one: Mapping[str, Any]) -> MessageAttribute:
    for listed in ("StringListValues", "BinaryListValues"):
        if one.get(listed):
            raise invalid(
                f"Message attribute list values in SendMessage operation are not supported: {name}."
            )
    kind = one["DataType"]
    if not kind:
        raise invalid(
            f"The message attribute '{name}' must contain a non-empty message attribute type."
        )
    text, raw = one.get("StringValue"), one.get("BinaryValue")
    if text is not None and raw is not None:
        raise invalid(f"Message attribute '{name}' has multiple values.")
    wanted = raw if kind.partition(".")[0] == "Binary" else text
    if wanted is None or len(wanted) == 0:
        base = kind.partition(".")[0]
        if base not in ("String", "Number", "Binary"):
            return MessageAttribute(kind, text or raw or "")  # the library names the type's fault
        raise invalid(
            f"The message attribute '{name}' must contain a non-empty message attribute value of "
            f"type '{'Binary' if base == 'Binary' else 'String'}'."
        )
    return MessageAttribute(kind, wanted)


def _trace_header(given: Mapping[str, Any]) -> str:
    one = attributes_in(given)[TRACE]
    if one.type != "String" or not isinstance(one.value, str):
        raise invalid_value(one.type, f"{TRACE}.DataType", "Must be String.")
    return one.value


def size_of(message: Outgoing) -> int:
    """Bytes that count towards the limit of a batch."""
    body = message.body.encode() if isinstance(message.body, str) else message.body
    attributes: Any = message.attributes or {}
    return len(body) + attributes_size(attributes)


def sent_out(sent: Sent, message: Outgoing) -> dict[str, Any]:
    """The answer to one message that was sent."""
    body = message.body.encode() if isinstance(message.body, str) else message.body
    found = {"MessageId": sent.id, "MD5OfMessageBody": digests.of_body(body)}
    attributes: Any = message.attributes
    if attributes:
        found["MD5OfMessageAttributes"] = digests.of_attributes(attributes)
    if message.trace_header is not None:
        trace = {TRACE: MessageAttribute("String", message.trace_header)}
        found["MD5OfMessageSystemAttributes"] = digests.of_attributes(trace)
    number = sent.sequence_number
    if number is not None:
        found["SequenceNumber"] = number
    return found


# --- out -----------------------------------------------------------------------------------------


class Selection:
    """Which attributes of a message were asked for."""

    def __init__(self, given: Given) -> None:
        names = (*given.get("AttributeNames", ()), *given.get("MessageSystemAttributeNames", ()))
        self.system = _system(names) if names else ()
        named = self._named = given.get("MessageAttributeNames", ())
        self._all = "All" in named or ".*" in named
        self._prefixes = [one[:-1] for one in named if one.endswith(".*")]

    def of(self, message: StoredMessage) -> dict[str, MessageAttribute]:
        """The message attributes that were asked for."""
        if not self._named:
            return {}
        found = message.attributes
        if self._all:
            return found
        return {
            name: one
            for name, one in found.items()
            if name in self._named
            or any(name.startswith(prefix) or name == prefix[:-1] for prefix in self._prefixes)
        }


@lru_cache(maxsize=256)
def _system(names: tuple[str, ...]) -> tuple[str, ...]:
    if "All" in names:
        return SYSTEM_ATTRIBUTES
    for name in names:
        if name not in SYSTEM_ATTRIBUTES:
            raise unknown_attribute(name)
    return tuple(name for name in SYSTEM_ATTRIBUTES if name in names)


M = TypeVar("M", bound=StoredMessage)


def all_out(
    owner: Owner, messages: Iterable[M], wanted: Selection, handle_of: Callable[[M], str]
) -> list[dict[str, Any]]:
    """Messages of a queue that *owner* has, without those whose bytes can not be read.

    One of those must not keep the others from their consumer. It stays where it is, as a message
    that nobody deletes does: the library can delete it, a redrive policy moves it away.
    """
    found = []
    for one in messages:
        try:
            found.append(stored_out(owner, one, wanted, handle_of(one)))
        except BrokenEnvelope as error:
            log.error("left out of an answer: %s", error)
    return found


def stored_out(
    owner: Owner, message: StoredMessage, wanted: Selection, handle: str
) -> dict[str, Any]:
    """A message of a queue that *owner* (account, region) has."""
    # What the library's own users send may be any bytes; on AWS's wires a body is text.
    raw = message.body
    body = raw.decode(errors="replace")
    found: dict[str, Any] = {
        "MessageId": message.id,
        "ReceiptHandle": handle,
        "MD5OfBody": digests.of_body(raw if "\ufffd" not in body else body.encode()),
        "Body": body,
    }
    if wanted.system:
        pairs = ((name, _SYSTEM[name](owner, message)) for name in wanted.system)
        found["Attributes"] = {name: value for name, value in pairs if value is not None}
    attributes = wanted.of(message)
    if attributes:
        found["MD5OfMessageAttributes"] = digests.of_attributes(attributes)
        found["MessageAttributes"] = {name: _out(one) for name, one in attributes.items()}
    return found


def _out(one: MessageAttribute) -> dict[str, Any]:
    kind = "BinaryValue" if isinstance(one.value, bytes) else "StringValue"
    return {kind: one.value, "DataType": one.type}


def milliseconds(at: datetime | None) -> str | None:
    """A moment as SQS writes it: ms since 1970, as text."""
    return str(round(at.timestamp() * 1000)) if at is not None else None


_SYSTEM: dict[str, Callable[[Owner, StoredMessage], str | None]] = {
    "SenderId": lambda owner, one: one.sender_id or owner[0],
    "SentTimestamp": lambda owner, one: milliseconds(one.sent_at),
    "ApproximateReceiveCount": lambda owner, one: str(one.receive_count),
    "ApproximateFirstReceiveTimestamp": lambda owner, one: milliseconds(one.first_received_at),
    "SequenceNumber": lambda owner, one: one.sequence_number,
    "MessageDeduplicationId": lambda owner, one: one.deduplication_id,
    "MessageGroupId": lambda owner, one: one.message_group_id,
    TRACE: lambda owner, one: one.trace_header,
    "DeadLetterQueueSourceArn": lambda owner, one: (
        arn_of(owner, one.dead_letter_source) if one.dead_letter_source else None
    ),
}
