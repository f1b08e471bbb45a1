"""AWS CBOR 1.1: JSON's members in binary. Blobs are byte strings, timestamps are milliseconds.

Source: RFC 8949; the wire form of Amazon Kinesis's Java SDK.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import cbor2

from rmq.gateway.errors import AwsError, malformed
from rmq.gateway.protocol import json
from rmq.gateway.protocol.shapes import Problems, Reader, Scalars, WrongType, kind_of

CONTENT_TYPE = "application/x-amz-cbor-1.1"
MAX_DEPTH = 64


def _blob(value: Any) -> bytes:
    if type(value) is not bytes:
        raise WrongType(kind_of(value), "a Blob")
    return value


def _timestamp(value: Any) -> datetime:
    """Tagged, it is a datetime already; a bare number is in seconds."""
    if type(value) is datetime:
        return value
    return json.timestamp(value)


SCALARS: Scalars = {**json.SCALARS, "blob": _blob, "timestamp": _timestamp}


def _moment(value: Any, immutable: bool) -> datetime:
    """Tag 1 holds whole milliseconds here, where RFC 8949 has seconds."""
    return datetime.fromtimestamp(value / 1000, UTC)


def read(read_input: Reader, body: bytes, problems: Problems) -> dict[str, Any]:
    """The parameters in a body; an empty one holds none. Raises AwsError."""
    try:
        value = (
            cbor2.loads(
                body,
                semantic_decoders={1: _moment},
                max_depth=MAX_DEPTH,
                strict_hashable_types=True,
            )
            if body
            else {}
        )
        found: dict[str, Any] = read_input(value, problems)
    except WrongType as error:
        raise malformed(f"{error} (at {error.where or 'the top'})") from None
    except Exception as error:  # tags of all kinds lead into code that raises what it likes
        raise malformed(f"The body is not CBOR that can be read: {error}"[:200]) from None
    return found


def write(output: dict[str, Any] | None) -> bytes:
    """An answer. None is an operation that has none, and an empty body."""
    return b"" if output is None else _encode(output)


def write_error(error: AwsError) -> bytes:
    """The body of a refusal."""
    return _encode({"__type": error.kind, "message": error.message, **error.members})


def _encode(value: dict[str, Any]) -> bytes:
    return cbor2.dumps(value, encoders={datetime: _write_moment}, timezone=UTC)


def _write_moment(encoder: Any, value: datetime) -> None:
    encoder.encode(cbor2.CBORTag(1, round(value.timestamp() * 1000)))
