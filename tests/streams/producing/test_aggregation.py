"""KPL's aggregation: what we write the official package reads, and the reverse."""

from __future__ import annotations

import base64
import hashlib
import io
import warnings
from contextlib import redirect_stdout

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmq.streams.producing.aggregation import (
    MAGIC,
    OVERHEAD,
    Aggregate,
    aggregated,
    deaggregate,
    user_records,
)
from rmq.streams.producing.user_record import UserRecord
from rmq.streams.record import StreamRecord
from rmq.streams.shard import LAST_HASH_KEY

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what protobuf made for it long ago
    from aws_kinesis_agg import aggregator, deaggregator

HASH_KEYS = st.none() | st.integers(0, 2**128 - 1)
RECORDS = st.lists(
    st.builds(
        UserRecord,
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
        st.binary(max_size=300),
        HASH_KEYS,
    ),
    min_size=1,
    max_size=30,
)


def officially_read(data: bytes) -> list[tuple[str, bytes]]:
    record = {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "sequenceNumber": "1",
            "approximateArrivalTimestamp": 1.0,
            "partitionKey": "a",
            "data": base64.b64encode(data).decode(),
        }
    }
    with redirect_stdout(io.StringIO()) as said:
        found = deaggregator.deaggregate_records([record])
    assert said.getvalue() == ""
    return [
        (one["kinesis"]["partitionKey"], base64.b64decode(one["kinesis"]["data"])) for one in found
    ]


@given(RECORDS)
def test_what_was_aggregated_comes_apart_again(records):
    assert user_records(aggregated(records)) == records


@given(RECORDS)
def test_the_official_package_reads_what_we_write(records):
    # It takes the first explicit hash key for that of records that have none, and breaks on others.
    records = [one._replace(explicit_hash_key=None) for one in records]

    assert officially_read(aggregated(records)) == [(one[0], one[1]) for one in records]


@given(RECORDS)
def test_we_read_what_the_official_package_writes(records):
    writer = aggregator.RecordAggregator()
    for key, data, hash_key in records:
        assert (
            writer.add_user_record(key, data, None if hash_key is None else str(hash_key)) is None
        )
    *_, data = writer.clear_and_get().get_contents()

    assert user_records(data) == records


@given(RECORDS, st.data())
def test_an_aggregate_knows_its_size_before_it_is_made(records, data):
    most = data.draw(st.integers(OVERHEAD, 4000))
    aggregate = Aggregate()
    taken = [one for one in records if aggregate.add(one, most)]

    assert len(aggregate.data) == aggregate.size <= most
    assert len(aggregate) == len(taken)
    assert user_records(aggregate.data) == taken


def test_the_bytes_are_those_of_the_format():
    message = (
        b"\x0a\x01a"  # partition_key_table: a
        b"\x0a\x02\xc3\xa9"  # partition_key_table: é
        b"\x12\x0217"  # explicit_hash_key_table: 17
        b"\x1a\x06\x08\x00\x1a\x02hi"  # records: key 0, "hi"
        b"\x1a\x06\x08\x01\x10\x00\x1a\x00"  # records: key 1, explicit hash key 0, ""
        b"\x1a\x05\x08\x00\x1a\x01!"  # records: key 0, "!"
    )
    records = [UserRecord("a", b"hi"), UserRecord("é", b"", 17), UserRecord("a", b"!")]

    assert aggregated(records) == MAGIC + message + hashlib.md5(message).digest()


def sealed(message: bytes) -> bytes:
    return MAGIC + message + hashlib.md5(message).digest()


def test_tables_behind_the_records_tags_and_fields_of_later_times_are_read_over():
    tag = b"\x22\x05\x0a\x03new"
    record = b"\x08\x00\x18\x01" + b"\x1a\x02hi" + tag + b"\x29" + bytes(8) + b"\x35" + bytes(4)
    message = b"\x1a" + bytes((len(record),)) + record + b"\x0a\x01a" + b"\x98\x06\x01"

    assert user_records(sealed(message)) == [UserRecord("a", b"hi")]


WHOLE = aggregated([UserRecord("a", b"hi")])
NOT_AGGREGATED = {
    "nothing": b"",
    "text": b"hello",
    "the magic alone": MAGIC,
    "too short for a digest": MAGIC + b"x" * 15,
    "another digest": WHOLE[:-1] + bytes((WHOLE[-1] ^ 1,)),
    "a byte changed": WHOLE[:6] + b"?" + WHOLE[7:],
    "no data in a record": sealed(b"\x0a\x01a\x1a\x02\x08\x00"),
    "no key in a record": sealed(b"\x0a\x01a\x1a\x04\x1a\x02hi"),
    "an index beyond the table": sealed(b"\x0a\x01a\x1a\x06\x08\x01\x1a\x02hi"),
    "an index of 2**70": sealed(b"\x0a\x01a\x1a\x0f\x08" + b"\xff" * 10 + b"\x1a\x02hi"),
    "a hash key beyond the last": sealed(
        b"\x0a\x01a\x12\x27" + b"9" * 39 + b"\x1a\x08\x08\x00\x10\x00\x1a\x02hi"
    ),
    "a hash key that is no number": sealed(b"\x0a\x01a\x12\x01x\x1a\x08\x08\x00\x10\x00\x1a\x02hi"),
    "a key that is no text": sealed(b"\x0a\x01\xff\x1a\x06\x08\x00\x1a\x02hi"),
    "a field that is cut": sealed(b"\x0a\x09a"),
    "a record that is cut": sealed(b"\x0a\x01a\x1a\x05\x08\x00\x1a\x02hi"),
    "a group": sealed(b"\x0b"),
    "half a number": sealed(b"\x08\xff"),
}


@pytest.mark.parametrize("data", NOT_AGGREGATED.values(), ids=NOT_AGGREGATED)
def test_what_is_not_valid_aggregation_is_a_plain_record(data):
    assert user_records(data) is None


@given(st.binary(max_size=60))
def test_no_message_breaks_the_reader(message):
    found = user_records(sealed(message))

    assert found is None or all(isinstance(one, UserRecord) for one in found)


# --- taken apart as records of a stream ---

KEYS = [f"truck-{n}" for n in range(40)]
HASHES = {key: int.from_bytes(hashlib.md5(key.encode()).digest(), "big") for key in KEYS}
MIDDLE = 1 << 127


def stored(data: bytes) -> StreamRecord:
    return StreamRecord(data, "a", 3, 1_000_000, encryption_type="KMS")


def test_each_user_record_has_the_place_of_its_record_and_its_own_in_it():
    records = [UserRecord(key, b"%d" % n) for n, key in enumerate(KEYS)]

    found = deaggregate(stored(aggregated(records)))

    assert [(one.partition_key, one.data) for one in found] == [(r[0], r[1]) for r in records]
    assert [one.sub_sequence_number for one in found] == list(range(40))
    assert {one.sequence_number for one in found} == {stored(b"").sequence_number}
    assert {(one.shard_id, one.encryption_type) for one in found} == {
        ("shardId-000000000003", "KMS")
    }


def test_a_record_that_is_not_aggregated_stays_as_it_is():
    for data in NOT_AGGREGATED.values():
        record = stored(data)
        assert deaggregate(record) == deaggregate(record, (0, 1)) == [record]


def test_what_belongs_to_another_shard_is_left_out_and_the_others_keep_their_places():
    records = [UserRecord(key, b"%d" % n) for n, key in enumerate(KEYS)]
    whole = stored(aggregated(records))

    low = deaggregate(whole, (0, MIDDLE - 1))
    high = deaggregate(whole, (MIDDLE, LAST_HASH_KEY))

    assert [one.partition_key for one in low] == [key for key in KEYS if HASHES[key] < MIDDLE]
    both = sorted(low + high, key=lambda one: one.sub_sequence_number)
    assert both == deaggregate(whole)


def test_an_explicit_hash_key_decides_to_which_shard_a_record_belongs():
    records = [UserRecord("a", b"low", 0), UserRecord("a", b"high", LAST_HASH_KEY)]

    found = deaggregate(stored(aggregated(records)), (MIDDLE, LAST_HASH_KEY))

    assert [(one.data, one.sub_sequence_number) for one in found] == [(b"high", 1)]
