"""Lines: messages read from a stream, one a line, as they come.

What has arrived is handed on at once, so a slow writer's line is sent when it is complete, and a
file goes through in large pieces. A line that can not be read is a failure with its number; the
others go on.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any, Protocol

import msgspec

from rmq import MessageAttribute, Outgoing, RmqError
from rmq.cli.queue.shapes import SEEN_ONLY
from rmq.errors import InvalidParameter

PIECE = 1 << 20
"""Bytes asked for at once. A pipe gives up to 64 KiB, a file all of it."""

NAMES = {
    "body": "body",
    "body_base64": "body_base64",
    "attributes": "attributes",
    "delay": "delay",
    "message_group_id": "message_group_id",
    "group": "message_group_id",
    "deduplication_id": "deduplication_id",
    "dedup_id": "deduplication_id",
    "trace_header": "trace_header",
    "sender_id": "sender_id",
}
"""Fields of a JSON line, and what they are called in Outgoing."""


class ByteStream(Protocol):
    """What a stream must do: give what is there, wait only for the first byte."""

    def read1(self, size: int, /) -> bytes: ...


def pieces(stream: ByteStream) -> Iterator[list[bytes]]:
    """Complete lines without their line breaks, as many as have arrived."""
    begun: list[bytes] = []
    while data := stream.read1(PIECE):
        first, *rest = data.split(b"\n")
        begun.append(first)
        if rest:
            lines = [b"".join(begun), *rest]
            begun = [lines.pop()]
            yield lines
    last = b"".join(begun)
    if last:
        yield [last]


def from_json(line: bytes) -> Outgoing:
    """One message from one JSON object. Raises InvalidParameter.

    {"body": "..", "attributes": {"weight": 7}, "delay": 5, "group": "..", "dedup_id": ".."}
    """
    try:
        given = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidParameter("line", line, f"one JSON object ({error})") from None
    if not isinstance(given, dict):
        raise InvalidParameter("line", type(given).__name__, "one JSON object")
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name in SEEN_ONLY:
            continue
        if name not in NAMES:
            raise InvalidParameter("field", name, f"one of {', '.join(NAMES)}")
        found[NAMES[name]] = value
    encoded = found.pop("body_base64", None)
    if encoded is not None:
        found["body"] = _decoded("body_base64", encoded)
    if "body" not in found:
        raise InvalidParameter("body", "missing", "given, as body or as body_base64")
    if found.get("attributes") is not None:
        found["attributes"] = _attributes(found["attributes"])
    return Outgoing(**found)


def _attributes(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise InvalidParameter("attributes", type(given).__name__, "an object of name and value")
    return {name: _attribute(name, value) for name, value in given.items()}


def _attribute(name: str, value: Any) -> Any:
    if not isinstance(value, dict):
        return value  # text or a number, which the library types by itself
    kind = value.get("type", "String")
    if "value_base64" in value:
        return MessageAttribute(kind, _decoded(f"attributes[{name!r}]", value["value_base64"]))
    return MessageAttribute(kind, value.get("value", ""))


def _decoded(field: str, text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise InvalidParameter(field, text, "base64") from None


class Failures:
    """Lines that could not be sent: how many, and the first of them in full."""

    KEPT = 1000
    """A file of the wrong kind fails at every line; nobody reads more than these."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[tuple[int, RmqError]] = []

    def add(self, line: int, error: RmqError) -> bool:
        """Count one. Returns whether it is among those that are kept."""
        self.count += 1
        if len(self.first) == self.KEPT:
            return False
        self.first.append((line, error))
        return True
