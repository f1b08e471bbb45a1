"""Messages: what goes in, what comes out, and the two names it has: its id and its receipt.

Neither name is stored. Both are computed from the queue's incarnation and the message's seq:

    id        | incarnation 8 | seq 8 |                                             a UUID
    receipt   | version 1 | incarnation 8 | seq 8 | count 2 | received_ms 6 | mac 8 |   base64url

The receipt is signed with the queue's secret: who may only send can not guess one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from rmq.core.codec import PLAIN, Header, MessageAttribute, unpack
from rmq.errors import BrokenEnvelope, InvalidParameter, InvalidReceipt
from rmq.queues.attributes import QueueInfo
from rmq.queues.limits import Limits

RECEIPT_VERSION = 1
_RECEIPT_BYTES = 33
_SEQUENCE_SCALE = 10_000
"""A seq has 16 digits, a sequence number 20 (Amazon SQS: SequenceNumber)."""

_BAD_TEXT = re.compile("[^\x09\x0a\x0d\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ID = re.compile(r"[A-Za-z0-9!-/:-@\[-`{-~]+")
_ATTRIBUTE_NAME = re.compile(r"(?!(?i:aws|amazon)\.)(?!\.)(?!.*\.\.)[A-Za-z0-9_.-]{1,256}(?<!\.)")
_ATTRIBUTE_TYPE = re.compile(r"(String|Number|Binary)(\..{1,249})?")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?")

Body = bytes | str


@dataclass(slots=True, kw_only=True)
class Outgoing:
    """One message to be sent, with all that may go with it."""

    body: Body
    """Bytes, or text that is stored as UTF-8. At least one byte."""
    attributes: Mapping[str, MessageAttribute | str | bytes | int | float] | None = None
    """Up to 10. A str stands for String, an int or float for Number, bytes for Binary."""
    delay: timedelta | float | None = None
    """Overrides the queue's delay; standard queues only. 0 s to 15 min."""
    message_group_id: str | None = None
    """Needed on a FIFO queue, allowed on a standard one. 1 to 128 characters."""
    deduplication_id: str | None = None
    """FIFO only. 1 to 128 characters."""
    trace_header: str | None = None
    """The system attribute AWSTraceHeader. Not counted in the size."""
    sender_id: str | None = None
    """The system attribute SenderId, for who knows one."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a send is answered with."""

    id: str
    sequence_number: str | None = None
    """FIFO only: 20 digits, growing."""
    is_duplicate: bool = False
    """FIFO only: the message was sent before; id and number are the first one's."""


def message_id(incarnation: bytes, seq: int) -> str:
    """The id of a message: a UUID of version 8 (RFC 9562), made of all that makes it unique."""
    number = int.from_bytes(incarnation, "big") << 58 | (seq & ((1 << 58) - 1))
    high, mid, low = number >> 74, (number >> 62) & 0xFFF, number & ((1 << 62) - 1)
    return str(uuid.UUID(int=(high & ((1 << 48) - 1)) << 80 | 8 << 76 | mid << 64 | 2 << 62 | low))


def sequence_number(seq: int) -> str:
    """20 digits that grow with every message of a queue."""
    return f"{seq * _SEQUENCE_SCALE:020d}"


@dataclass(frozen=True, slots=True)
class Receipt:
    """One receive of one message: the right to delete it or to change its visibility."""

    seq: int
    receive_count: int
    received_ms: int


def receipt_handle(info: QueueInfo, receipt: Receipt) -> str:
    """A receipt as text, signed."""
    head = b"".join(
        (
            bytes((RECEIPT_VERSION,)),
            info.incarnation,
            receipt.seq.to_bytes(8, "big"),
            receipt.receive_count.to_bytes(2, "big"),
            receipt.received_ms.to_bytes(6, "big"),
        )
    )
    return base64.urlsafe_b64encode(head + _mac(info, head)).decode()


def read_receipt(info: QueueInfo, handle: str) -> Receipt:
    """The receipt behind a handle. Raises InvalidReceipt when it is not one of this queue's."""
    if not isinstance(handle, str):
        raise InvalidReceipt(f"receipt handle is {type(handle).__name__}; it must be str")
    try:
        raw = base64.b64decode(handle, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidReceipt(f"receipt handle {handle[:20]!r} is malformed") from None
    if len(raw) != _RECEIPT_BYTES or raw[0] != RECEIPT_VERSION:
        raise InvalidReceipt(f"receipt handle {handle[:20]!r} is malformed")
    head, mac = raw[:-8], raw[-8:]
    if raw[1:9] != info.incarnation or _mac(info, head) != mac:
        raise InvalidReceipt(f"receipt handle {handle[:20]!r} is not one of queue {info.name!r}")
    return Receipt(
        int.from_bytes(raw[9:17], "big"),
        int.from_bytes(raw[17:19], "big"),
        int.from_bytes(raw[19:25], "big"),
    )


def _mac(info: QueueInfo, head: bytes) -> bytes:
    return hashlib.blake2b(head, key=info.secret, digest_size=8).digest()


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
                self._header = unpack(self._packed)[0]
            except BrokenEnvelope as error:
                own = message_id(self._info.incarnation, self._seq)
                raise BrokenEnvelope(
                    f"message {own} of queue {self._info.name!r}: {error}"
                ) from error
        return self._header

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
        return unpack(packed)[1]

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
    def size(self) -> int:
        """Bytes of body and attributes, as maximum_message_size counts them."""
        attributes = {name: MessageAttribute(*pair) for name, pair in self._head.attributes.items()}
        return len(self.body) + _attributes_size(attributes)


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
        super().__init__(info, seq, receives, first_ms, packed, group)
        self.received_ms = received_ms

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
        return f"<message {self.id} of {self._info.name!r}, receive {self._receives}>"


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
        return f"<message {self.id} of {self._info.name!r}, {self.state}>"


_FAR_MS = 4398046511103
"""The lease of a message on its way out; see lua/lib/lease.lua."""


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


# --- checking what goes in ----------------------------------------------------------------------


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
        raise InvalidParameter("body", type(body).__name__, "bytes or str")
    if not raw and limits.nonempty_body:
        raise InvalidParameter("body", "empty", "at least 1 byte long")
    return raw


def check_text(field: str, text: str) -> None:
    """Only characters of XML 1.0. Raises InvalidParameter. Source: SendMessage."""
    found = _BAD_TEXT.search(text)
    if found:
        raise InvalidParameter(
            field,
            f"text with the character #x{ord(found[0]):x}",
            "of #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
        )


def check_id(field: str, value: str, limits: Limits) -> str:
    """A group, deduplication or attempt id. Raises InvalidParameter."""
    if not isinstance(value, str):
        raise InvalidParameter(field, type(value).__name__, "str")
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
    given: Mapping[str, MessageAttribute | str | bytes | int | float], limits: Limits
) -> _Checked:
    """Message attributes ready to be stored. Raises InvalidParameter naming the attribute."""
    if not isinstance(given, Mapping):
        raise InvalidParameter("attributes", type(given).__name__, "a mapping from name to value")
    high = limits.max_message_attributes
    if high is not None and len(given) > high:
        raise InvalidParameter("attributes", f"{len(given)} attributes", f"at most {high} of them")
    found = {name: _attribute(name, value, limits) for name, value in given.items()}
    pairs = {name: (one.type, one.value) for name, one in found.items()}
    return _Checked(pairs, _attributes_size(found))


def _attributes_size(attributes: Mapping[str, MessageAttribute]) -> int:
    size = 0
    for name, one in attributes.items():
        value = one.value if isinstance(one.value, bytes) else one.value.encode()
        size += len(name.encode()) + len(one.type.encode()) + len(value)
    return size


def _attribute(name: str, value: object, limits: Limits) -> MessageAttribute:
    if not isinstance(name, str) or not _ATTRIBUTE_NAME.fullmatch(name):
        raise InvalidParameter(
            "attribute name",
            name,
            "1 to 256 of A-Z a-z 0-9 _ . -, not beginning with AWS. or Amazon., no dot at an end or "
            "beside another",
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
    if not isinstance(one.value, str) or not one.value:
        raise InvalidParameter(f"{where}.value", one.value, "a text of at least 1 character")
    if limits.text_characters:
        check_text(f"{where}.value", one.value)
    if base == "Number":
        _check_number(f"{where}.value", one.value)
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


__all__ = [
    "PLAIN",
    "MessageAttribute",
    "Outgoing",
    "PeekedMessage",
    "Receipt",
    "ReceivedMessage",
    "Sent",
]
