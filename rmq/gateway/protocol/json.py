"""AWS JSON 1.0 and 1.1: an object in, an object out; the operation is in a header.

Blobs are base64, timestamps are seconds since 1970 as a number. Source: AWS JSON protocols
(Smithy documentation).
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from rmq.gateway.errors import AwsError, malformed
from rmq.gateway.protocol.shapes import Problems, Reader, Scalars, WrongType, kind_of

INT32 = 1 << 31
INT64 = 1 << 63
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def _string(value: Any) -> str:
    if type(value) is not str:
        raise WrongType(kind_of(value), "a String")
    return value


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise WrongType(kind_of(value), "a Boolean")
    return value


def integer(value: Any) -> int:
    if type(value) is not int or not -INT32 <= value < INT32:
        raise WrongType(kind_of(value), "an Integer")
    return value


def long(value: Any) -> int:
    if type(value) is not int or not -INT64 <= value < INT64:
        raise WrongType(kind_of(value), "a Long")
    return value


def _float(value: Any) -> float:
    if type(value) not in (int, float):
        raise WrongType(kind_of(value), "a Double")
    return float(value)


def _blob(value: Any) -> bytes:
    try:
        return base64.b64decode(_string(value), validate=True)
    except ValueError:  # binascii's own is one; text that is not ASCII is another
        raise WrongType("Text that is not base64", "a Blob") from None


def timestamp(value: Any) -> datetime:
    try:
        return datetime.fromtimestamp(_float(value), UTC)
    except (ValueError, OverflowError, OSError):
        raise WrongType(kind_of(value), "a Timestamp") from None


SCALARS: Scalars = {
    "string": _string,
    "character": _string,
    "boolean": _boolean,
    "integer": integer,
    "long": long,
    "float": _float,
    "double": _float,
    "blob": _blob,
    "timestamp": timestamp,
}


def read(read_input: Reader, body: bytes, problems: Problems) -> dict[str, Any]:
    """The parameters in a body; an empty one holds none. Raises AwsError."""
    try:
        value = _decode(body) if body else {}
        found: dict[str, Any] = read_input(value, problems)
    except WrongType as error:
        raise malformed(f"{error} (at {error.where or 'the top'})") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(f"The body is not JSON that can be read: {error}"[:200]) from None
    return found


def with_seconds(shape: Any) -> Callable[[Any], Any] | None:
    """A function that makes the timestamps in a value of *shape* numbers; None where there are
    none, as in most."""
    if shape.type_name == "timestamp":
        return lambda value: value.timestamp()
    if shape.type_name == "list":
        change = with_seconds(shape.member)
        return None if change is None else lambda value: [change(one) for one in value]
    if shape.type_name != "structure":
        return None
    changes = {name: with_seconds(member) for name, member in shape.members.items()}
    found = {name: change for name, change in changes.items() if change is not None}
    if not found:
        return None
    return lambda value: value | {name: found[name](value[name]) for name in found if name in value}


def write(output: dict[str, Any] | None) -> bytes:
    """An answer. None is an operation that has none, and an empty body."""
    return b"" if output is None else _encode(output)


def write_error(error: AwsError) -> bytes:
    """The body of a refusal."""
    return _encode({"__type": error.kind, "message": error.message, **error.members})
