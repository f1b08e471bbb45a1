"""Outgoing: a message before it is published. What may be in it, and how it lies in the outbox.

Source of the rules: Publish (Amazon SNS API Reference), Message attributes (Amazon SNS).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgspec

from rmq.core.codec import PLAIN, PLAIN_ENVELOPE, Header, MessageAttribute, pack, unpack
from rmq.core.limits import Limits, text
from rmq.errors import BrokenEnvelope, InvalidParameter, MissingParameter, Words, brief
from rmq.queues.outgoing import check_id, checked_attributes, content_id, deduplication_key
from rmq.topics.attributes import DEFAULT_MESSAGE_SIZE, TopicInfo
from rmq.topics.filters.view import MessageView
from rmq.topics.message import Notification

RESERVED = re.compile(r"(?=.{1,256}\Z)AWS\.(SNS|MM)(\.[A-Za-z0-9_-]+)+")
"""Names of attributes by which SNS itself is told things (mobile push, SMS)."""
STRING_ARRAY = "String.Array"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_encode_batch = msgspec.msgpack.Encoder().encode
_decode_batch = msgspec.msgpack.Decoder(list[bytes]).decode
_NO_COUNT = {"max_message_attributes": None}


class Item(msgspec.Struct, eq=False):
    """A message that is checked and packed; with its seq, once it is published.

    A Struct because it is made several times as fast as a dataclass, and one is made of each
    message.
    """

    body: bytes
    header: Header
    packed: bytes
    """As it lies in the outbox."""
    group: str = ""
    key: bytes = b""
    """FIFO: what stands for the deduplication id in its scope."""
    seq: int = 0
    replay: int = 0
    """The line on which it is delivered again; 0 where it is not."""
    rendered: Any = None
    """Its envelope, made when it is first needed; see envelope.py."""

    @property
    def attributes(self) -> dict[str, MessageAttribute]:
        return {name: MessageAttribute(*pair) for name, pair in self.header.attributes.items()}

    def view(self) -> MessageView:
        """What filter policies are held against. Of a message with a text for each protocol, that
        is the default one."""
        body: str | bytes = self.body
        if self.header.by_protocol:
            body = default_text(self.body)
        return MessageView(self.attributes, body)


def pack_batch(items: Sequence[Item]) -> bytes:
    """Messages that are published together, as they lie in the outbox: MessagePack."""
    return _encode_batch([item.packed for item in items])


def unpack_batch(first: int, batch: bytes) -> list[Item]:
    """Back from that; what is not a message of ours is left out. Raises BrokenEnvelope."""
    try:
        packed = _decode_batch(batch)
    except msgspec.MsgspecError as error:
        raise BrokenEnvelope(f"a batch of {len(batch)} bytes can not be read: {error}") from error
    items = []
    for number, one in enumerate(packed):
        with suppress(BrokenEnvelope):
            items.append(unpacked(first + number, one))
    return items


def unpacked(seq: int, packed: bytes, group: str = "") -> Item:
    """A message from the outbox. Raises BrokenEnvelope."""
    header, body = unpack(packed)
    return Item(body, header, packed, group or header.group_id or "", seq=seq)


def prepare(
    info: TopicInfo, limits: Limits, given: Notification | str | bytes, signed: int
) -> Item:
    """Check one message and pack it. *signed* is the signature version for queues, 0 for none.

    Raises InvalidParameter.
    """
    if isinstance(given, Notification):
        notification, body = given, _body(given.message)
    else:
        body = _body(given)
        if not signed and len(body) <= info.plain_size:
            return Item(body, PLAIN, PLAIN_ENVELOPE + body)
        notification = Notification(given)
    group, given_id = notification.message_group_id, notification.deduplication_id
    if group is not None:
        check_id("message_group_id", group, limits)
    if given_id is not None:
        check_id("deduplication_id", given_id, limits)
    key = b""
    if info.is_fifo:
        if group is None:
            raise MissingParameter("message_group_id", "a FIFO topic orders messages by it")
        given_id = given_id or content_id(info.attributes, body)
        key = deduplication_key(info.attributes.fifo_throughput_scope, group, given_id)
    elif given_id is not None:
        raise InvalidParameter("deduplication_id", given_id, "left out: it is for FIFO topics")
    subject = notification.subject
    if subject is not None:
        _check_subject(subject, limits)
    if notification.by_protocol:
        default_text(body)
    pairs, size = _attributes(notification.attributes or {}, limits)
    size += len(body)
    if size > info.attributes.largest_message:
        raise InvalidParameter(
            "message size",
            Words(f"{size} bytes"),
            f"at most {info.attributes.largest_message} bytes, message and attributes together",
        )
    if subject is None and group is None and not (pairs or notification.by_protocol or signed):
        return Item(body, PLAIN, PLAIN_ENVELOPE + body)
    header = Header(
        attributes=pairs,
        group_id=None if info.is_fifo else group,
        deduplication_id=given_id,
        subject=subject,
        by_protocol=notification.by_protocol,
        signed=signed,
    )
    return Item(body, header, pack(body, header), group or "", key)


def direct(limits: Limits, notification: Notification) -> tuple[bytes, Header]:
    """Check a message that is for one device or number, and not for a topic; its body and header.

    Raises InvalidParameter.
    """
    body, subject = _body(notification.message), notification.subject
    if subject is not None:
        _check_subject(subject, limits)
    if notification.by_protocol:
        default_text(body)
    pairs, size = _attributes(notification.attributes or {}, limits)
    size += len(body)
    if size > DEFAULT_MESSAGE_SIZE:
        raise InvalidParameter(
            "message size",
            Words(f"{size} bytes"),
            f"at most {DEFAULT_MESSAGE_SIZE} bytes, message and attributes together",
        )
    return body, Header(attributes=pairs, subject=subject, by_protocol=notification.by_protocol)


def _body(message: object) -> bytes:
    if isinstance(message, str):
        try:
            raw = message.encode()
        except UnicodeEncodeError:
            raise InvalidParameter("message", message, "text that UTF-8 can express") from None
    elif isinstance(message, (bytes, bytearray, memoryview)):
        raw = bytes(message)
        try:
            raw.isascii() or raw.decode()
        except UnicodeDecodeError:
            raise InvalidParameter("message", raw, "text in UTF-8") from None
    else:
        raise InvalidParameter("message", Words(type(message).__name__), "str or bytes")
    if not raw:
        raise InvalidParameter("message", Words("empty"), "at least 1 character long")
    return raw


def _check_subject(subject: str, limits: Limits) -> None:
    text(subject, "subject", 1, limits.max_subject)
    found = _CONTROL.search(subject)
    if found:
        raise InvalidParameter(
            "subject",
            Words(f"text with the character #x{ord(found[0]):x}"),
            "text without line breaks and control characters",
        )


class _Duplicate(Exception):
    """A key stands twice."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Duplicate
    return found


def texts_of(body: bytes) -> dict[str, str]:
    """The texts of a message that has one for each protocol; what is no text is left out.

    Raises InvalidParameter: field `message` where it is no JSON object, `message.default` where
    that has no default.
    """
    try:  # not with msgspec, which does not tell that a key stands twice
        found = json.loads(body, object_pairs_hook=_once)
    except _Duplicate:
        raise InvalidParameter(
            "message", Words("JSON with a key twice"), "JSON with each key once"
        ) from None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidParameter(
            "message", Words("no JSON object"), "a JSON object with a text for each protocol"
        )
    if not isinstance(found.get("default"), str):
        raise InvalidParameter(
            "message.default", Words("missing"), "a text, for protocols that have none"
        )
    return {name: value for name, value in found.items() if isinstance(value, str)}


def default_text(body: bytes) -> str:
    """The text for protocols that have none of their own."""
    return texts_of(body)["default"]


def _attributes(given: Mapping[str, Any], limits: Limits) -> tuple[dict[str, Any], int]:
    """Attributes as a header has them, and their size. Raises InvalidParameter."""
    if not given:
        return {}, 0
    if not isinstance(given, Mapping):
        raise InvalidParameter(
            "attributes", Words(type(given).__name__), "a mapping from name to value"
        )
    listed = {
        name: MessageAttribute(STRING_ARRAY, _array(name, value))
        if isinstance(value, (list, tuple))
        else value
        for name, value in given.items()
    }
    checked = checked_attributes(listed, replace(limits, **_NO_COUNT), RESERVED)
    return checked.pairs, checked.size


def _array(name: object, values: Sequence[object]) -> str:
    """The value of a String.Array (Amazon SNS: Message attribute data types)."""
    field = f"attributes[{brief(name)}]"
    for one in values:
        if not (one is None or isinstance(one, (str, bool, int, float))):
            raise InvalidParameter(
                field, Words(type(one).__name__), "a list of str, int, float, bool and None"
            )
        if isinstance(one, float) and not math.isfinite(one):
            raise InvalidParameter(field, one, "a finite number")
    try:
        return json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    except ValueError as error:
        raise InvalidParameter(field, Words(str(error)), "a list that JSON can express") from None
