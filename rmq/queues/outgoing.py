"""Outgoing: a message before it is sent. What may be in it, and how it is packed for its queue.

Source of the rules: SendMessage (Amazon SQS API Reference), Amazon SQS message attributes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from rmq.core.codec import PLAIN, Header, MessageAttribute, attributes_size, pack
from rmq.core.limits import Limits, duration, ms, text
from rmq.errors import InvalidParameter, MissingParameter, Words
from rmq.queues.attributes import QueueInfo

_BAD_TEXT = re.compile("[^\x09\x0a\x0d\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ID = re.compile(r"[A-Za-z0-9!-/:-@\[-`{-~]+")
_ATTRIBUTE_NAME = re.compile(r"(?!(?i:aws|amazon)\.)(?!\.)(?!.*\.\.)[A-Za-z0-9_.-]{1,256}(?<!\.)")
_ATTRIBUTE_TYPE = re.compile(r"(String|Number|Binary)(\..{1,249})?")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")

Body = bytes | str


@dataclass(slots=True)
class Outgoing:
    """One message to be sent, with all that may go with it."""

    body: Body
    """Bytes, or text that is stored as UTF-8. At least one byte."""
    attributes: Mapping[str, MessageAttribute | str | bytes | int | float] | None = None
    """Up to 10. A str stands for String, an int or float for Number, bytes for Binary."""
    delay: timedelta | float | None = None
    """Overrides the queue's delay; standard queues only. 0 s to 15 min."""
    message_group_id: str | None = None
    """Needed on a FIFO queue, which keeps the order within it; on a standard one a tenant, who then
    waits for no other's backlog (Amazon SQS fair queues). 1 to 128 characters."""
    deduplication_id: str | None = None
    """FIFO only. 1 to 128 characters."""
    trace_header: str | None = None
    """The system attribute AWSTraceHeader. Not counted in the size."""
    sender_id: str | None = None
    """The system attribute SenderId, for who knows one."""


Prepared = tuple[Any, ...]
"""A message as its script takes it. Standard: packed, delay_ms with the group, if there is one,
behind it. FIFO: deduplication key, group, packed."""


def prepare(info: QueueInfo, limits: Limits, message: Outgoing | Body) -> Prepared:
    """Check one message and pack it for its queue. Raises InvalidParameter."""
    attributes = info.attributes
    if not isinstance(message, Outgoing):
        message = Outgoing(body=message)
    body = body_bytes(message.body, limits)
    group, given_key = message.message_group_id, message.deduplication_id
    size, header, key = len(body), PLAIN, b""
    if group is not None:
        check_id("message_group_id", group, limits)
    if given_key is not None:
        check_id("deduplication_id", given_key, limits)
    delay_ms = info.delay_ms
    if info.is_fifo:
        if group is None:
            raise MissingParameter("message_group_id", "a FIFO queue orders messages by it")
        if message.delay is not None:
            raise InvalidParameter(
                "delay", message.delay, "left out: a FIFO queue has one delay for all messages"
            )
        key = deduplication_key(
            attributes.deduplication_scope, group, given_key or content_id(attributes, body)
        )
    else:
        if given_key is not None:
            raise InvalidParameter("deduplication_id", given_key, "left out: it is for FIFO queues")
        if message.delay is not None:
            delay_ms = ms(duration(message.delay, "delay", None, limits.max_delay))
    if (
        message.attributes
        or given_key is not None
        or message.trace_header is not None
        or message.sender_id is not None
    ):
        extra = checked_attributes(message.attributes or {}, limits)
        size += extra.size
        for field, value in (
            ("trace_header", message.trace_header),
            ("sender_id", message.sender_id),
        ):
            if value is not None:
                text(value, field)
        header = Header(
            attributes=extra.pairs,
            trace_header=message.trace_header,
            sender_id=message.sender_id,
            deduplication_id=given_key,
        )
    if size > attributes.maximum_message_size:
        raise InvalidParameter(
            "message size",
            Words(f"{size} bytes"),
            f"at most {attributes.maximum_message_size} bytes, body and attributes together",
        )
    packed = pack(body, header)
    if info.is_fifo:
        return key, group, packed
    return packed, delay_ms if group is None else f"{delay_ms} {group}"


def content_id(attributes: Any, body: bytes) -> str:
    """The deduplication id of a message without one: what is in it. Raises MissingParameter."""
    if not attributes.content_based_deduplication:
        raise MissingParameter(
            "deduplication_id", "give one, or switch content_based_deduplication on"
        )
    return hashlib.sha256(body).hexdigest()


def deduplication_key(scope: str, group: str, id: str) -> bytes:
    """16 bytes that stand for a deduplication id within its scope: `message_group`, or all."""
    within = group if scope == "message_group" else ""
    return hashlib.blake2b(f"{within}\0{id}".encode(), digest_size=16).digest()


def body_bytes(body: Body, limits: Limits) -> bytes:
    """The body as bytes. Raises InvalidParameter."""
    if isinstance(body, str):
        if limits.text_characters:
            check_text("body", body)
        try:
            raw = body.encode()
        except UnicodeEncodeError:
            raise InvalidParameter("body", body, "text that UTF-8 can express") from None
    elif isinstance(body, (bytes, bytearray, memoryview)):
        raw = bytes(body)
    else:
        raise InvalidParameter("body", Words(type(body).__name__), "bytes or str")
    if not raw and limits.nonempty_body:
        raise InvalidParameter("body", Words("empty"), "at least 1 byte long")
    return raw


def check_text(field: str, text: str) -> None:
    """Only characters of XML 1.0. Raises InvalidParameter. Source: SendMessage."""
    # What can be printed is all allowed, and quicker to tell.
    found = None if text.isprintable() else _BAD_TEXT.search(text)
    if found:
        raise InvalidParameter(
            field,
            Words(f"text with the character #x{ord(found[0]):x}"),
            "of #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
        )


def check_id(field: str, value: str, limits: Limits) -> str:
    """A group, deduplication or attempt id. Raises InvalidParameter."""
    if not isinstance(value, str):
        raise InvalidParameter(field, Words(type(value).__name__), "str")
    high = limits.max_id_length
    if high is None:
        # NUL and SOH frame the group in the order key.
        if not value or "\0" in value or "\1" in value:
            raise InvalidParameter(field, value, "1 or more characters without #x0 and #x1")
        return value
    if len(value) > high or not _ID.fullmatch(value):
        raise InvalidParameter(
            field, value, f"1 to {high} letters, digits and punctuation of ASCII"
        )
    return value


@dataclass(frozen=True, slots=True)
class _Checked:
    """Attributes ready for an envelope, and their size."""

    pairs: dict[str, tuple[str, str | bytes]] = field(default_factory=dict)
    size: int = 0


def checked_attributes(
    given: Mapping[str, MessageAttribute | str | bytes | int | float],
    limits: Limits,
    reserved: re.Pattern[str] | None = None,
) -> _Checked:
    """Message attributes ready to be stored. Names of AWS's own are refused, but for those that
    *reserved* matches. Raises InvalidParameter naming the attribute."""
    if not isinstance(given, Mapping):
        raise InvalidParameter(
            "attributes", Words(type(given).__name__), "a mapping from name to value"
        )
    high = limits.max_message_attributes
    if high is not None and len(given) > high:
        raise InvalidParameter(
            "attributes", Words(f"{len(given)} attributes"), f"at most {high} of them"
        )
    found = {name: _attribute(name, value, limits, reserved) for name, value in given.items()}
    pairs = {name: (one.type, one.value) for name, one in found.items()}
    return _Checked(pairs, attributes_size(found))


def _attribute(
    name: str, value: object, limits: Limits, reserved: re.Pattern[str] | None
) -> MessageAttribute:
    if not isinstance(name, str) or not (
        _ATTRIBUTE_NAME.fullmatch(name) or (reserved is not None and reserved.fullmatch(name))
    ):
        raise InvalidParameter(
            "attribute name",
            name,
            "1 to 256 of A-Z a-z 0-9 _ . -, not beginning with AWS. or Amazon., no dot at an end "
            "or beside another",
        )
    where = f"attributes[{name!r}]"
    if isinstance(value, MessageAttribute):
        one = value
    elif isinstance(value, str):
        one = MessageAttribute("String", value)
    elif isinstance(value, (bytes, bytearray, memoryview)):
        one = MessageAttribute("Binary", bytes(value))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        one = MessageAttribute("Number", repr(value))
    else:
        raise InvalidParameter(
            where, type(value).__name__, "str, int, float, bytes or MessageAttribute"
        )
    if (
        not isinstance(one.type, str)
        or len(one.type) > 256
        or not _ATTRIBUTE_TYPE.fullmatch(one.type)
    ):
        raise InvalidParameter(
            f"{where}.type",
            one.type,
            "String, Number or Binary with an optional .label, 256 characters in all",
        )
    base = one.type.partition(".")[0]
    if limits.text_characters:
        check_text(f"{where}.type", one.type)
    if base == "Binary":
        if not isinstance(one.value, bytes) or not one.value:
            raise InvalidParameter(f"{where}.value", one.value, "at least 1 byte, as bytes")
        return one
    words = text(one.value, f"{where}.value")
    if limits.text_characters:
        check_text(f"{where}.value", words)
    if base == "Number":
        _check_number(f"{where}.value", words)
    return one


def _check_number(where: str, text: str) -> None:
    """Up to 38 digits, 10^-128 to 10^126. Source: Amazon SQS message attributes."""
    found = _NUMBER.fullmatch(text)
    limit = "a number of up to 38 digits, 10^-128 to 10^126"
    if not found:
        raise InvalidParameter(where, text, limit)
    whole, _, fraction = found[1].partition(".")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return
    exponent = int((found[2] or "e0")[1:]) + len(whole.lstrip("0") or "")
    if not whole.strip("0"):
        exponent -= len(fraction) - len(fraction.lstrip("0"))
    if len(digits.rstrip("0")) > 38 or not -128 <= exponent - 1 <= 126:
        raise InvalidParameter(where, text, limit)
