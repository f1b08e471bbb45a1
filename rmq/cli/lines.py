"""Lines: messages read from a stream, one a line, as they come.

What has arrived is handed on at once, so a slow writer's line is sent when it is complete, and a
file goes through in large pieces. A line that can not be read is a failure with its number; the
others go on. What a line of JSON may say, each noun's own lines.py knows.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Protocol

import msgspec

from rmq import MessageAttribute, RmqError
from rmq.errors import InvalidParameter

PIECE = 1 << 20
"""Bytes asked for at once. A pipe gives up to 64 KiB, a file all of it."""


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


def read_object(
    line: bytes, names: Mapping[str, str], ignored: Collection[str] = ()
) -> dict[str, Any]:
    """The fields of one JSON object, by what *names* calls them, those *ignored* left out.

    Raises InvalidParameter.
    """
    try:
        given = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidParameter("line", line, f"one JSON object ({error})") from None
    if not isinstance(given, dict):
        raise InvalidParameter("line", type(given).__name__, "one JSON object")
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name in ignored:
            continue
        if name not in names:
            raise InvalidParameter("field", name, f"one of {', '.join(names)}")
        found[names[name]] = value
    if found.get("attributes") is not None:
        found["attributes"] = _attributes(found["attributes"])
    return found


def _attributes(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise InvalidParameter("attributes", type(given).__name__, "an object of name and value")
    return {name: _attribute(name, value) for name, value in given.items()}


def _attribute(name: str, value: Any) -> Any:
    if not isinstance(value, dict):
        return value  # text or a number, which the library types by itself
    kind = value.get("type", "String")
    if "value_base64" in value:
        return MessageAttribute(kind, decoded(f"attributes[{name!r}]", value["value_base64"]))
    return MessageAttribute(kind, value.get("value", ""))


def decoded(field: str, text: Any) -> bytes:
    """Bytes from base64. Raises InvalidParameter."""
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
