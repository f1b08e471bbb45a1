"""Shard iterators: where a reader is, signed, so that nothing about it need be kept.

    | version 1 | incarnation 8 | shard 4 | position 8 | issued, ms 8 | stream's name | mac 16 |

in base64url, at most 232 characters. The MAC is made with a secret of the stream's, so nobody can
make one up, and one of a stream that was deleted is refused by the next of that name.

Source: GetShardIterator (Amazon Kinesis Data Streams API Reference): valid for 5 minutes, at most
512 characters.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from dataclasses import dataclass

from rmq.errors import InvalidIterator
from rmq.streams.attributes import StreamInfo

_HEAD = struct.Struct(">B8sIQQ")
_VERSION = 1
_MAC = 16


@dataclass(frozen=True, slots=True)
class Place:
    """What an iterator says."""

    incarnation: bytes
    shard: int
    position: int
    issued_ms: int
    stream: str


def make_iterator(info: StreamInfo, shard: int, position: int, issued_ms: int) -> str:
    """An iterator that begins at *position*."""
    head = _HEAD.pack(_VERSION, info.incarnation, shard, position, issued_ms)
    body = head + info.name.encode()
    return base64.urlsafe_b64encode(body + _mac(info, body)).decode().rstrip("=")


def read_iterator(info: StreamInfo, text: str) -> Place:
    """What an iterator of this stream says. Raises InvalidIterator."""
    raw = _raw(text)
    body, mac = raw[:-_MAC], raw[-_MAC:]
    if not hmac.compare_digest(mac, _mac(info, body)):
        raise InvalidIterator(f"the shard iterator is not one of stream {info.name!r}")
    _, incarnation, shard, position, issued_ms = _HEAD.unpack(body[: _HEAD.size])
    return Place(incarnation, shard, position, issued_ms, info.name)


def stream_of(text: str) -> str:
    """The name of the stream that an iterator says it is of; nothing is proven yet. Raises
    InvalidIterator."""
    try:
        return _raw(text)[_HEAD.size : -_MAC].decode("ascii")
    except UnicodeDecodeError:
        raise InvalidIterator("the shard iterator is malformed") from None


def _raw(text: str) -> bytes:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except (TypeError, ValueError, binascii.Error):
        raw = b""
    if len(raw) <= _HEAD.size + _MAC or raw[0] != _VERSION:
        raise InvalidIterator("the shard iterator is malformed")
    return raw


def _mac(info: StreamInfo, body: bytes) -> bytes:
    return hmac.digest(info.secret, body, "sha256")[:_MAC]
