"""Event stream: an answer that goes on, as messages with headers, one after another.

    | length 4 | of the headers 4 | CRC-32 of these 4 | headers | payload | CRC-32 of all before 4 |
    a header:  | length 1 | name | type 1: 7 is text | length 2 | value |

The first message of an answer is its initial response. Source: Amazon Event Stream Specification
(Smithy documentation).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from zlib import crc32

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_TEXT = 7
_PRELUDE = struct.Struct(">II")
_CRC = struct.Struct(">I")
_OVERHEAD = _PRELUDE.size + 2 * _CRC.size


def event(kind: str, content_type: str, payload: bytes) -> bytes:
    """An event of a kind that the service's model names; or `initial-response`."""
    return message(_headers_of(kind, "event", content_type), payload)


def exception(kind: str, content_type: str, payload: bytes) -> bytes:
    """An error of the model, which ends the stream."""
    return message(_headers_of(kind, "exception", content_type), payload)


def error(code: str, why: str) -> bytes:
    """An error that the model does not have, which ends the stream."""
    return message({":error-code": code, ":error-message": why, ":message-type": "error"}, b"")


def message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message. Its headers are text."""
    head = b"".join(_header(name, value) for name, value in headers.items())
    prelude = _PRELUDE.pack(_OVERHEAD + len(head) + len(payload), len(head))
    begin = prelude + _CRC.pack(crc32(prelude)) + head
    return b"".join((begin, payload, _CRC.pack(crc32(payload, crc32(begin)))))


def _headers_of(kind: str, message_type: str, content_type: str) -> dict[str, str]:
    return {
        f":{message_type}-type": kind,
        ":content-type": content_type,
        ":message-type": message_type,
    }


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()[: (1 << 15) - 1]
    return struct.pack(f">B{len(key)}sBH{len(text)}s", len(key), key, _TEXT, len(text), text)
