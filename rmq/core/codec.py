"""The envelope: a message as it lies in Redis, body and everything that is known of it, in one
string.

    | 1 | body                                       nothing but a body: one byte of overhead
    | 2 | header length 1 | header | body            MessagePack, short names, defaults left out
    | 3 | header length 4, big endian | header | body

A queue may have them compressed as a whole; see compression.py.
A header field that we do not know is ignored, so that releases can share a queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from rmq.errors import BrokenEnvelope


@dataclass(frozen=True, slots=True)
class MessageAttribute:
    """A typed attribute beside the body (Amazon SQS: message metadata).

    `type` is String, Number or Binary, with an optional label: `Number.float`.
    `value` is str for String and Number, bytes for Binary.
    """

    type: str
    value: str | bytes


class Crash(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One worker that was lost while it had a message."""

    worker: str
    """Host and process id."""
    at_ms: int
    what: str
    """How it ended, as far as anybody knows: `killed by SIGKILL`, `its lease ended`."""
    log: str = ""
    """The last lines that it logged, if they were kept."""


class Failure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a message is a dead letter, where a worker could say so."""

    reason: str
    """failed, rejected, unreadable or crashed."""
    error: str = ""
    """The class of the error, with its module: `httpx.ConnectTimeout`."""
    text: str = ""
    traceback: str = ""
    worker: str = ""
    """Host and process id of the one that gave it up."""
    at_ms: int = 0
    failures: int = 0
    """How often it was tried and failed."""
    task: str = ""
    """The task's name, of a message that is a task's."""
    crashes: tuple[Crash, ...] = ()
    """The workers that were lost with it."""


class Header(msgspec.Struct, omit_defaults=True, frozen=True):
    """All but the body. The short names are what is stored."""

    attributes: dict[str, tuple[str, Any]] = msgspec.field(name="a", default_factory=dict)
    trace_header: str | None = msgspec.field(name="t", default=None)
    sender_id: str | None = msgspec.field(name="u", default=None)
    group_id: str | None = msgspec.field(name="g", default=None)
    """Only in messages of releases before fair queues: the group stands beside the envelope."""
    deduplication_id: str | None = msgspec.field(name="d", default=None)
    """Where it was given; one made from the body is made again when asked for."""
    id: bytes | None = msgspec.field(name="i", default=None)
    """The first message id of a message that was moved here."""
    sent_ms: int | None = msgspec.field(name="s", default=None)
    """When a message that was moved here was first sent."""
    receives: int = msgspec.field(name="c", default=0)
    """How often it was received before it was moved here."""
    first_received_ms: int | None = msgspec.field(name="f", default=None)
    source: str | None = msgspec.field(name="q", default=None)
    """The queue that a dead letter comes from."""
    failure: Failure | None = msgspec.field(name="x", default=None)
    subject: str | None = msgspec.field(name="j", default=None)
    """Topics only, as all from here on; in an outbox or an inner queue."""
    by_protocol: bool = msgspec.field(name="p", default=False)
    """The body is a JSON object with a text for each protocol."""
    signed: int = msgspec.field(name="v", default=0)
    """The signature version by which envelopes for queues are signed; 0 for not."""
    target: str | None = msgspec.field(name="e", default=None)
    """Where a message without a subscription goes: JSON, see rmq/topics/inner.py."""


PLAIN = Header()
PLAIN_ENVELOPE = b"\x01"
"""What stands before a body that is nothing but a body."""
_LAST_MS = 1 << 43
"""The year 2248."""
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Header)
_failure_decoder = msgspec.msgpack.Decoder(Failure)


def pack(body: bytes, header: Header = PLAIN) -> bytes:
    """Make an envelope."""
    if header is PLAIN:
        return PLAIN_ENVELOPE + body
    head = _encoder.encode(header)
    if len(head) < 256:
        return b"\x02" + bytes((len(head),)) + head + body
    return b"\x03" + len(head).to_bytes(4, "big") + head + body


def unpack(packed: bytes) -> tuple[Header, bytes]:
    """Open an envelope. Raises BrokenEnvelope."""
    kind = packed[:1]
    if kind == b"\x01":
        return PLAIN, packed[1:]
    width = {b"\x02": 1, b"\x03": 4}.get(kind)
    if width is None:
        raise BrokenEnvelope(
            f"an envelope begins with 1, 2 or 3, this one with {kind.hex() or 'nothing'}"
        )
    start = 1 + width
    end = start + int.from_bytes(packed[1:start], "big")
    if len(packed) < start or end > len(packed):
        raise BrokenEnvelope(f"an envelope of {len(packed)} bytes ends inside its header")
    try:
        header = _decoder.decode(packed[start:end])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenEnvelope(f"an envelope's header can not be read: {error}") from error
    for name, (_, value) in header.attributes.items():
        if not isinstance(value, (str, bytes)):
            raise BrokenEnvelope(f"an envelope's attribute {name[:40]!r} is neither text nor bytes")
    if header.id is not None and len(header.id) != 16:
        raise BrokenEnvelope(f"an envelope's id has {len(header.id)} bytes, not 16")
    for at in (header.sent_ms, header.first_received_ms):
        if at is not None and not 0 <= at < _LAST_MS:
            raise BrokenEnvelope(f"an envelope's time, {at} ms, is out of all times")
    return header, packed[end:]


def write_failure(failure: Failure) -> bytes:
    """A failure as it travels through an outbox."""
    return _encoder.encode(failure)


def read_failure(stored: bytes) -> Failure | None:
    """What write_failure wrote; None for nothing, or for what can not be read."""
    try:
        return _failure_decoder.decode(stored) if stored else None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def attributes_size(attributes: Mapping[str, MessageAttribute]) -> int:
    """Bytes of names, types and values together, as Amazon SQS counts them."""
    size = 0
    for name, one in attributes.items():
        value = one.value if isinstance(one.value, bytes) else one.value.encode()
        size += len(name.encode()) + len(one.type.encode()) + len(value)
    return size
