"""Messages: from SNS's form of a message to ours, and from what became of it to SNS's answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rmq.core.codec import MessageAttribute, attributes_size
from rmq.gateway.sns.errors import invalid, parameter_value
from rmq.topics.message import Notification, Published


def notification(given: Mapping[str, Any]) -> Notification:
    """What Publish, or one entry of a batch, asks to be published. Raises AwsError."""
    structure = given.get("MessageStructure")
    if structure not in (None, "", "json"):
        raise invalid("MessageStructure", "must be json, or left out")
    if not given["Message"]:
        raise invalid("Empty message")
    attributes = given.get("MessageAttributes")
    return Notification(
        given["Message"],
        given.get("Subject"),
        attributes_in(attributes) if attributes else None,
        structure == "json",
        given.get("MessageGroupId"),
        given.get("MessageDeduplicationId"),
    )


def attributes_in(given: Mapping[str, Any]) -> dict[str, MessageAttribute]:
    """Message attributes as ours. What is wrong in them beyond their form, the library says."""
    return {name: _attribute_in(name, one) for name, one in given.items()}


def _attribute_in(name: str, one: Mapping[str, Any]) -> MessageAttribute:
    _check_name(name)
    kind = one["DataType"]
    if not kind:
        raise parameter_value(
            f"The message attribute '{name}' must contain non-empty message attribute type."
        )
    base = kind.partition(".")[0]
    if base not in ("String", "Number", "Binary"):
        raise parameter_value(
            f"The message attribute '{name}' has an invalid message attribute type, the set of "
            "supported type prefixes is Binary, Number, and String."
        )
    text, raw = one.get("StringValue"), one.get("BinaryValue")
    wanted, other, field = (raw, text, "Binary") if base == "Binary" else (text, raw, "String")
    if not wanted and other:
        raise parameter_value(
            f"The message attribute '{name}' with type '{kind}' must use field '{field}'."
        )
    if not wanted:
        raise parameter_value(
            f"The message attribute '{name}' must contain non-empty message attribute value for "
            f"message attribute type '{kind}'."
        )
    if other:
        raise parameter_value(f"Message attribute '{name}' has multiple values.")
    return MessageAttribute(kind, wanted)


def _check_name(name: str) -> None:
    """The rules that the library has too, but SNS has a message for each."""
    if len(name) > 256:
        raise parameter_value("Length of message attribute name must be less than 256.")
    if name.startswith("."):
        raise parameter_value(
            "Invalid message attribute name starting with character '.' was found."
        )
    if name.endswith("."):
        raise parameter_value("Invalid message attribute name ending with character '.' was found.")
    if ".." in name:
        raise parameter_value("Message attribute name can not have successive '.' character.")


def size_of(message: Notification) -> int:
    """Bytes that count towards the limit of a batch."""
    attributes: Any = message.attributes or {}
    body = message.message.encode() if isinstance(message.message, str) else message.message
    return len(body) + attributes_size(attributes)


def published_out(published: Published) -> dict[str, Any]:
    """The answer to one message that was published."""
    found = {"MessageId": published.id}
    number = published.sequence_number
    if number is not None:
        found["SequenceNumber"] = number
    return found
