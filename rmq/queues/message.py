"""Messages: what comes out of a queue, and the two names it has: its id and its receipt.

Neither name is stored. Both are computed from the queue's incarnation and the message's seq:

    id        | incarnation 8 | seq 8 |                                             a UUID
    receipt   | version 1 | incarnation 8 | seq 8 | count 2 | received_ms 6 | mac 8 |   base64url

The receipt is signed with the queue's secret: who may only send can not guess one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
import uuid
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from rmq.core.codec import Failure, Header, MessageAttribute, attributes_size, unpack
from rmq.core.compression import expand
from rmq.errors import BrokenEnvelope, InvalidReceipt
from rmq.queues.attributes import QueueInfo

RECEIPT_VERSION = 1
_HEAD = struct.Struct(">B8sQHHI")
"""What is signed of a receipt; the 6 bytes of received_ms are an H and an I."""
_MAC_BYTES = 8
_SEQUENCE_SCALE = 10_000
"""A seq has 16 digits, a sequence number 20 (Amazon SQS: SequenceNumber)."""


def message_id(incarnation: bytes, seq: int) -> str:
    """The id of a message: a UUID of version 8 (RFC 9562), made of all that makes it unique."""
    begin, high = _id_begin(incarnation)
    low = f"{high | (seq & ((1 << 58) - 1)):016x}"
    return f"{begin}{low[:4]}-{low[4:]}"


@lru_cache(maxsize=4096)
def _id_begin(incarnation: bytes) -> tuple[str, int]:
    """What all ids of a queue begin with, and the bits above the seq."""
    number = int.from_bytes(incarnation, "big")
    text = f"{number >> 16:012x}"
    return f"{text[:8]}-{text[8:]}-8{number >> 4 & 0xFFF:03x}-", 2 << 62 | (number & 0xF) << 58


def sequence_number(seq: int) -> str:
    """20 digits that grow with every message of a queue."""
    return f"{seq * _SEQUENCE_SCALE:020d}"


class Sent(msgspec.Struct, eq=False):
    """What a send is answered with. Names are worked out when asked for: many senders never ask."""

    _info: QueueInfo
    _seq: int
    is_duplicate: bool = False
    """FIFO only: the message was sent before; id and number are the first one's."""

    @property
    def id(self) -> str:
        """The message id: a UUID."""
        return message_id(self._info.incarnation, self._seq)

    @property
    def sequence_number(self) -> str | None:
        """FIFO only: 20 digits, growing."""
        return sequence_number(self._seq) if self._info.is_fifo else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sent) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<sent {self.id}{', a duplicate' if self.is_duplicate else ''}>"


class Receipt(NamedTuple):
    """One receive of one message: the right to delete it or to change its visibility."""

    seq: int
    receive_count: int
    received_ms: int


def receipt_handle(info: QueueInfo, receipt: Receipt) -> str:
    """A receipt as text, signed."""
    seq, count, received_ms = receipt
    head = _HEAD.pack(
        RECEIPT_VERSION, info.incarnation, seq, count, received_ms >> 32, received_ms & 0xFFFFFFFF
    )
    return base64.urlsafe_b64encode(head + _mac(info, head)).decode()


def read_receipt(info: QueueInfo, handle: str) -> Receipt:
    """The receipt behind a handle. Raises InvalidReceipt when it is not one of this queue's."""
    if not isinstance(handle, str):
        raise InvalidReceipt(f"receipt handle is {type(handle).__name__}; it must be str")
    try:
        plain = handle.replace("-", "+").replace("_", "/")
        raw = binascii.a2b_base64(plain, strict_mode=True)
    except ValueError:  # binascii.Error is one
        raise InvalidReceipt(f"receipt handle {handle[:20]!r} is malformed") from None
    if len(raw) != _HEAD.size + _MAC_BYTES or raw[0] != RECEIPT_VERSION:
        raise InvalidReceipt(f"receipt handle {handle[:20]!r} is malformed")
    head = raw[:-_MAC_BYTES]
    _, incarnation, seq, count, high, low = _HEAD.unpack(head)
    if incarnation != info.incarnation or _mac(info, head) != raw[-_MAC_BYTES:]:
        raise InvalidReceipt(f"receipt handle {handle[:20]!r} is not one of queue {info.name!r}")
    return Receipt(seq, count, high << 32 | low)


def _mac(info: QueueInfo, head: bytes) -> bytes:
    return hashlib.blake2b(head, key=info.secret, digest_size=_MAC_BYTES).digest()


class StoredMessage:
    """A message as it was found in a queue. What is seldom asked for is worked out when asked."""

    __slots__ = (
        "_first_received_ms",
        "_group",
        "_header",
        "_info",
        "_packed",
        "_receives",
        "_seq",
    )

    def __init__(
        self,
        info: QueueInfo,
        seq: int,
        receives: int,
        first_ms: int | None,
        packed: bytes,
        group: bytes,
    ) -> None:
        self._info = info
        self._seq = seq
        self._receives = receives
        self._first_received_ms = first_ms
        self._packed = packed
        self._group = group
        self._header: Header | None = None

    @property
    def _head(self) -> Header:
        if self._header is None:
            try:
                self._packed = expand(self._packed, self._info.dictionaries)
                self._header = unpack(self._packed)[0]
            except BrokenEnvelope as error:
                own = message_id(self._info.incarnation, self._seq)
                raise BrokenEnvelope(
                    f"message {own} of queue {self._info.name!r}: {error}"
                ) from error
        return self._header

    @property
    def _name(self) -> str:
        """Its id for people, also where the envelope can not be read."""
        try:
            return self.id
        except BrokenEnvelope:
            return message_id(self._info.incarnation, self._seq)

    @property
    def queue_name(self) -> str:
        """The queue it was found in."""
        return self._info.name

    @property
    def id(self) -> str:
        """The id its sender was given. A dead letter keeps it."""
        moved = self._head.id
        return (
            str(uuid.UUID(bytes=moved)) if moved else message_id(self._info.incarnation, self._seq)
        )

    @property
    def body(self) -> bytes:
        """The body, as bytes. Raises BrokenEnvelope."""
        packed = self._packed
        if packed[:1] == b"\x01":
            return packed[1:]
        _ = self._head
        return unpack(self._packed)[1]

    @property
    def text(self) -> str:
        """The body as text (UTF-8). Raises UnicodeDecodeError when it is not."""
        return self.body.decode()

    def json(self, type: Any = Any) -> Any:
        """The body read as JSON, into *type* where one is given. Raises msgspec.DecodeError."""
        return msgspec.json.decode(self.body, type=type)

    @property
    def attributes(self) -> dict[str, MessageAttribute]:
        """The message attributes, by name."""
        return {name: MessageAttribute(*pair) for name, pair in self._head.attributes.items()}

    @property
    def sent_at(self) -> datetime:
        """When it was sent (SentTimestamp). A standard queue's dead letter keeps the first time; a
        FIFO queue's begins anew."""
        first = None if self._info.is_fifo else self._head.sent_ms
        return _moment(first if first is not None else self._seq // 1000)

    @property
    def first_sent_at(self) -> datetime:
        """When it was first sent, also where a move to a dead-letter queue set sent_at anew."""
        first = self._head.sent_ms
        return _moment(first if first is not None else self._seq // 1000)

    @property
    def receive_count(self) -> int:
        """How often it was received, in all queues it was in (ApproximateReceiveCount)."""
        return self._receives + self._head.receives

    @property
    def first_received_at(self) -> datetime | None:
        """When it was first received; None if it never was."""
        first = self._head.first_received_ms or self._first_received_ms
        return _moment(first) if first else None

    @property
    def sequence_number(self) -> str | None:
        """FIFO only: 20 digits, growing."""
        return sequence_number(self._seq) if self._info.is_fifo else None

    @property
    def is_grouped(self) -> bool:
        """Whether it lies in a group of its queue; without opening its envelope."""
        return bool(self._group)

    @property
    def message_group_id(self) -> str | None:
        return self._group.decode() if self._group else self._head.group_id

    @property
    def deduplication_id(self) -> str | None:
        """FIFO only: as given, else the SHA-256 of the body; a moved message's is its id."""
        if not self._info.is_fifo:
            return None
        head = self._head
        if head.id is not None:
            return self.id
        return head.deduplication_id or hashlib.sha256(self.body).hexdigest()

    @property
    def trace_header(self) -> str | None:
        """The system attribute AWSTraceHeader."""
        return self._head.trace_header

    @property
    def sender_id(self) -> str | None:
        """The system attribute SenderId, where the sender gave one."""
        return self._head.sender_id

    @property
    def dead_letter_source(self) -> str | None:
        """The queue it was in before it was moved here as a dead letter."""
        return self._head.source

    @property
    def failure(self) -> Failure | None:
        """Why a worker gave it up, with error and traceback; None where none said so."""
        return self._head.failure

    @property
    def size(self) -> int:
        """Bytes of body and attributes, as maximum_message_size counts them."""
        attributes = {name: MessageAttribute(*pair) for name, pair in self._head.attributes.items()}
        return len(self.body) + attributes_size(attributes)


class ReceivedMessage(StoredMessage):
    """A message under lease."""

    __slots__ = ("received_ms",)

    def __init__(
        self,
        info: QueueInfo,
        seq: int,
        receives: int,
        first_ms: int | None,
        received_ms: int,
        packed: bytes,
        group: bytes,
    ) -> None:
        # Flat, without super(): this runs for every message that is received.
        self._info = info
        self._seq = seq
        self._receives = receives
        self._first_received_ms = first_ms
        self._packed = packed
        self._group = group
        self._header = None
        self.received_ms = received_ms

    def is_of(self, info: QueueInfo) -> bool:
        """Whether it was received from this very queue, not from one that bore the name before."""
        return self._info is info or (
            self._info.incarnation == info.incarnation and self._info.name == info.name
        )

    @property
    def receipt(self) -> Receipt:
        """What delete and change_visibility need."""
        return Receipt(self._seq, self._receives, self.received_ms)

    @property
    def receipt_handle(self) -> str:
        """The receipt as text, for another process or language."""
        return receipt_handle(self._info, self.receipt)

    @property
    def received_at(self) -> datetime:
        """When this receive was."""
        return _moment(self.received_ms)

    def __repr__(self) -> str:
        return f"<message {self._name} of {self._info.name!r}, receive {self._receives}>"


class PeekedMessage(StoredMessage):
    """A message that was looked at. It is not leased, so it can not be deleted."""

    __slots__ = ("visible_at",)

    def __init__(
        self,
        info: QueueInfo,
        seq: int,
        receives: int,
        first_ms: int | None,
        due_ms: int,
        packed: bytes,
        group: bytes,
    ) -> None:
        super().__init__(info, seq, receives, first_ms, packed, group)
        self.visible_at = _moment(due_ms) if 0 < due_ms < _FAR_MS else None
        """When it becomes visible, if it is delayed or in flight; None where it is visible."""

    @property
    def position(self) -> str:
        """Hand this to the next peek as *after*."""
        return str(self._seq)

    @property
    def state(self) -> str:
        """visible, delayed or in flight."""
        if self.visible_at is None:
            return "visible"
        return "in flight" if self._receives else "delayed"

    def __repr__(self) -> str:
        return f"<message {self._name} of {self._info.name!r}, {self.state}>"


_FAR_MS = 4398046511103
"""The lease of a message on its way out; see lua/lib/lease.lua."""


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
