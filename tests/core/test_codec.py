"""The envelope, the receipt handle and the message id: what is packed comes back, and bytes from
anywhere else are refused by name."""

from __future__ import annotations

import base64
import contextlib
import pickle
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from rmq.core.codec import PLAIN, Header, pack, unpack
from rmq.errors import BrokenEnvelope, InvalidReceipt
from rmq.queues.attributes import QueueAttributes, QueueInfo
from rmq.queues.message import (
    Receipt,
    message_id,
    read_receipt,
    receipt_handle,
    sequence_number,
)

TEXT = some.none() | some.text(some.characters(exclude_categories=["Cs"]), min_size=1)
HEADERS = some.builds(
    Header,
    attributes=some.dictionaries(
        some.text(some.characters(exclude_categories=["Cs"]), min_size=1),
        some.tuples(
            some.sampled_from(["String", "Number", "Binary.png"]),
            some.text(some.characters(exclude_categories=["Cs"])) | some.binary(),
        ),
        max_size=10,
    ),
    trace_header=TEXT,
    sender_id=TEXT,
    group_id=TEXT,
    deduplication_id=TEXT,
    id=some.none() | some.binary(min_size=16, max_size=16),
    sent_ms=some.none() | some.integers(0, 1 << 42),
    receives=some.integers(0, 1 << 31),
    first_received_ms=some.none() | some.integers(0, 1 << 42),
    source=TEXT,
)
SEQS = some.integers(0, (1 << 58) - 1)
RECEIPTS = some.builds(
    Receipt,
    seq=SEQS,
    receive_count=some.integers(1, 2047),
    received_ms=some.integers(0, (1 << 48) - 1),
)


def info(incarnation=b"12345678", secret=b"0123456789abcdef", name="orders"):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return QueueInfo(
        name=name,
        version="3132333435363738:1",
        incarnation=incarnation,
        secret=secret,
        created_at=now,
        modified_at=now,
        attributes=QueueAttributes(),
    )


# --- the envelope -------------------------------------------------------------------------------


@given(some.binary(), HEADERS)
def test_what_is_packed_comes_back(body, header):
    assert unpack(pack(body, header)) == (header, body)


@given(some.binary())
def test_a_plain_body_costs_one_byte(body):
    packed = pack(body)
    assert packed == b"\x01" + body
    assert unpack(packed) == (PLAIN, body)


def test_a_header_that_says_nothing_is_one_byte_long():
    assert pack(b"body", Header()) == b"\x02\x01\x80body"


@pytest.mark.parametrize("length", [200, 240, 250, 260, 70_000])
def test_a_header_may_have_any_length(length):
    header = Header(trace_header="x" * length)
    assert unpack(pack(b"body", header)) == (header, b"body")


def test_a_field_of_a_later_release_is_ignored():
    head = b"\x82\xa1t\xa1x\xa2zz\xc3"
    assert unpack(b"\x02" + bytes((len(head),)) + head + b"body") == (
        Header(trace_header="x"),
        b"body",
    )


@given(some.binary())
def test_random_bytes_are_a_message_or_a_broken_envelope(packed):
    with contextlib.suppress(BrokenEnvelope):
        unpack(packed)


@given(some.sampled_from([b"\x02", b"\x03\0\0\0"]), some.binary(max_size=255), some.binary())
def test_random_headers_are_a_message_or_a_broken_envelope(kind, head, body):
    try:
        header, found = unpack(kind + bytes((len(head),)) + head + body)
    except BrokenEnvelope:
        return
    assert isinstance(header, Header)
    assert found == body


@given(some.binary(), HEADERS, some.data())
def test_an_envelope_that_was_cut_or_changed_is_a_message_or_broken(body, header, data):
    packed = bytearray(pack(body, header))
    place = data.draw(some.integers(0, len(packed) - 1))
    packed[place] = data.draw(some.integers(0, 255))
    for one in (bytes(packed), bytes(packed[:place])):
        with contextlib.suppress(BrokenEnvelope):
            unpack(one)


@pytest.mark.parametrize("levels", [1000, 5000, 100_000])
def test_a_header_nested_without_end_is_broken(levels):
    head = b"\x81\xa1a\x81\xa1x\x92\xa6String" + b"\x91" * levels + b"\xc0"
    with pytest.raises(BrokenEnvelope):
        unpack(b"\x03" + len(head).to_bytes(4, "big") + head)


# --- the receipt handle -------------------------------------------------------------------------


@given(RECEIPTS)
def test_a_receipt_comes_back_from_its_handle(receipt):
    handle = receipt_handle(info(), receipt)
    assert read_receipt(info(), handle) == receipt
    assert len(handle) == 44


@given(some.text() | some.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_random_text_is_no_handle(handle):
    with pytest.raises(InvalidReceipt):
        read_receipt(info(), handle)


@given(RECEIPTS, some.data())
def test_a_handle_that_was_changed_anywhere_is_refused(receipt, data):
    raw = bytearray(base64.urlsafe_b64decode(receipt_handle(info(), receipt)))
    place = data.draw(some.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(some.integers(1, 255))
    with pytest.raises(InvalidReceipt):
        read_receipt(info(), base64.urlsafe_b64encode(raw).decode())


@pytest.mark.parametrize(
    "other",
    [info(incarnation=b"87654321"), info(secret=b"another secret!!")],
    ids=["another incarnation", "another secret"],
)
@given(receipt=RECEIPTS)
def test_a_handle_is_good_for_its_own_queue_only(other, receipt):
    with pytest.raises(InvalidReceipt):
        read_receipt(other, receipt_handle(info(), receipt))


@pytest.mark.parametrize("handle", [None, 5, b"A" * 44, ["A" * 44]])
def test_what_is_no_text_is_no_handle(handle):
    with pytest.raises(InvalidReceipt):
        read_receipt(info(), handle)


# --- ids ----------------------------------------------------------------------------------------


@given(some.binary(min_size=8, max_size=8), SEQS)
def test_a_message_id_is_a_valid_uuid(incarnation, seq):
    found = uuid.UUID(message_id(incarnation, seq))
    assert (found.version, found.variant) == (8, uuid.RFC_4122)


@given(
    some.tuples(some.binary(min_size=8, max_size=8), SEQS),
    some.tuples(some.binary(min_size=8, max_size=8), SEQS),
)
def test_different_messages_have_different_ids(one, other):
    assert (message_id(*one) == message_id(*other)) == (one == other)


@given(some.integers(0, 9_999_999_999_999_999), some.integers(0, 9_999_999_999_999_999))
def test_sequence_numbers_have_20_digits_and_grow_with_the_messages(one, other):
    assert len(sequence_number(one)) == 20
    assert (sequence_number(one) < sequence_number(other)) == (one < other)


def test_attributes_and_infos_pickle():
    assert pickle.loads(pickle.dumps(info())) == info()
