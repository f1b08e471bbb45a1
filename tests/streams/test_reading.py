"""Reading: iterators, what a read brings, and where it ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rmq import Limits, Record
from rmq.errors import (
    ExpiredIterator,
    InvalidIterator,
    InvalidParameter,
    MissingParameter,
    RateExceeded,
    ShardDoesNotExist,
    StreamDoesNotExist,
)
from rmq.streams.sequence import shard_id
from tests.streams.reading import SHARD, everything, texts

MIB = 1 << 20


@pytest.fixture
async def ten(stream, clock):
    """A stream of one shard with the records 0 to 9: 0 to 4 in one block, the others one by one, a
    second apart. Their sequence numbers."""
    clock.move(1)
    puts = list(await stream.put_many([Record(str(n), "a") for n in range(5)]))
    for n in range(5, 10):
        clock.move(1)
        puts.append(await stream.put(str(n), "a"))
    clock.move(1)
    stream.numbers = [one.sequence_number for one in puts]
    return stream


# --- where an iterator begins ---


async def test_trim_horizon_is_the_oldest_record(ten):
    assert await texts(ten, type="TRIM_HORIZON") == [str(n) for n in range(10)]


async def test_latest_is_what_is_put_from_now_on(ten):
    iterator = await ten.iterator(SHARD, "LATEST")
    assert list(await ten.get(iterator)) == []
    await ten.put("10", "a")
    assert [one.data for one in await ten.get(iterator)] == [b"10"]


async def test_a_sequence_number_is_exact_to_the_record(ten):
    """Also inside a block."""
    for n in (0, 2, 4, 5, 9):
        number = ten.numbers[n]
        found = [str(m) for m in range(n, 10)]
        assert await texts(ten, type="AT_SEQUENCE_NUMBER", sequence_number=number) == found
        assert await texts(ten, type="AFTER_SEQUENCE_NUMBER", sequence_number=number) == found[1:]


async def test_the_shards_own_starting_sequence_number_is_its_beginning(ten):
    (shard,) = await ten.shards()
    number = shard.starting_sequence_number
    for type in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
        assert len(await texts(ten, type=type, sequence_number=number)) == 10


async def test_a_timestamp_is_the_first_record_then_or_later(ten, clock):
    now = clock.now()
    for seconds, first in ((0, 10), (1, 9), (1.001, 9), (0.999, 10), (3.5, 7), (6, 0), (99, 0)):
        found = await texts(ten, type="AT_TIMESTAMP", timestamp=now - timedelta(seconds=seconds))
        assert found == [str(n) for n in range(first, 10)], seconds


async def test_a_timestamp_in_the_future_is_refused(ten, clock):
    with pytest.raises(InvalidParameter, match="timestamp"):
        await ten.iterator(SHARD, "AT_TIMESTAMP", timestamp=clock.now() + timedelta(milliseconds=2))


async def test_what_a_type_needs_has_to_be_given(ten):
    with pytest.raises(MissingParameter, match="timestamp"):
        await ten.iterator(SHARD, "AT_TIMESTAMP")
    for type in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
        with pytest.raises(MissingParameter, match="sequence_number"):
            await ten.iterator(SHARD, type)


async def test_another_type_is_refused(ten):
    with pytest.raises(InvalidParameter, match="SOMEWHERE"):
        await ten.iterator(SHARD, "SOMEWHERE")


async def test_an_alien_sequence_number_is_refused(ten, wide):
    last = int(ten.numbers[-1])
    other = await wide.put("x", "a", explicit_hash_key=(1 << 128) - 1)
    strange = ["0", "1", "9" * 56, ten.numbers[0] + "0", other.sequence_number]
    strange += [str(last + (1 << 60)), str(int(ten.numbers[0]) - (1 << 60))]
    for number in strange:
        with pytest.raises(InvalidParameter, match="sequence_number"):
            await ten.iterator(SHARD, "AT_SEQUENCE_NUMBER", sequence_number=number)


async def test_a_number_of_another_stream_is_refused_also_when_it_is_of_the_same_time(
    client, stream, clock
):
    other = await client.create_stream("others")
    puts = []
    for at in (stream, other, stream):
        puts.append((await at.put("x", "a")).sequence_number)
        clock.move(1)
    for kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
        with pytest.raises(InvalidParameter, match="sequence_number"):
            await stream.iterator(SHARD, kind, sequence_number=puts[1])
        for number in (puts[0], puts[2]):
            assert await stream.iterator(SHARD, kind, sequence_number=number)


async def test_only_shards_that_are_there_are_read(stream):
    with pytest.raises(ShardDoesNotExist, match="shardId-000000000001"):
        await stream.iterator(shard_id(1))


async def test_a_shard_has_a_proper_name(stream, backend):
    backend.beyond_aws("ids that are no ids: any text may be one")
    for wrong in ("", "0", "shard-000000000000", "shardId-0", "shardId-00000000000x", None):
        with pytest.raises(InvalidParameter, match="shard_id"):
            await stream.iterator(wrong)


async def test_a_stream_that_is_not_there_has_no_iterator(client):
    with pytest.raises(StreamDoesNotExist):
        await client.stream("nowhere").iterator(SHARD)


# --- what an iterator is ---


async def test_an_iterator_is_short_even_of_the_longest_name(client):
    stream = await client.create_stream("x" * 128)
    iterator = await stream.iterator(SHARD)
    assert len(iterator) <= 512
    await stream.put("0", "a")
    assert [one.data for one in await stream.get(iterator)] == [b"0"]


async def test_an_iterator_may_be_used_again_and_by_others(connect, ten):
    iterator = await ten.iterator(SHARD)
    first = await ten.get(iterator, 3)
    other = connect().stream(ten.name)
    for stream in (ten, other):
        again = await stream.get(iterator, 3)
        assert again.records == first.records
        assert [one.data for one in await stream.get(first.next_iterator, 2)] == [b"3", b"4"]


async def test_an_iterator_is_good_for_five_minutes(ten, clock):
    iterator = await ten.iterator(SHARD)
    clock.move(300)
    following = (await ten.get(iterator, 1)).next_iterator
    clock.move(1)
    with pytest.raises(ExpiredIterator):
        await ten.get(iterator)
    assert len(await ten.get(following)) == 9


async def test_an_iterator_that_never_expires_is_a_limit_lifted(connect, stream, clock, backend):
    backend.beyond_aws("limits")
    free = connect(limits=Limits(iterator_lifetime=None)).stream(stream.name)
    iterator = await free.iterator(SHARD)
    clock.move(7200)
    assert list(await free.get(iterator)) == []


async def test_an_iterator_that_nobody_gave_out_is_refused(client, stream, wide):
    good = await stream.iterator(SHARD)
    forged = good[:40] + ("A" if good[40] != "A" else "B") + good[41:]
    other = await wide.iterator(SHARD)
    for wrong in ("", "x", "AAAA", good[:-1], good + "A", forged, other, "ü", good.swapcase()):
        with pytest.raises(InvalidIterator):
            await stream.get(wrong)
    await client.delete_stream(stream.name)
    again = await client.create_stream(stream.name)
    with pytest.raises(InvalidIterator):
        await again.get(good)


async def test_a_client_that_knew_the_stream_before_takes_iterators_of_the_new_one(connect, stream):
    await stream.put("old", "a")
    other = connect()
    await other.delete_stream(stream.name)
    again = await other.create_stream(stream.name)
    await again.put("new", "a")
    assert [one.data for one in await stream.get(await again.iterator(SHARD))] == [b"new"]


# --- what a read brings ---


async def test_a_read_brings_as_many_as_are_asked_for(ten):
    iterator, found, sizes = await ten.iterator(SHARD), [], []
    for limit in (1, 3, 2, 10):
        got = await ten.get(iterator, limit)
        found += [int(one.data) for one in got]
        sizes.append(len(got))
        iterator = got.next_iterator
    assert found == list(range(10))
    assert sizes == [1, 3, 2, 4]


async def test_a_read_brings_1_to_10000(stream):
    iterator = await stream.iterator(SHARD)
    for limit in (0, -1, 10_001):
        with pytest.raises(InvalidParameter, match="limit"):
            await stream.get(iterator, limit)


async def test_a_read_brings_up_to_10000_of_many_blocks(stream):
    for n in range(3):
        await stream.put_many([Record(str(m), "a") for m in range(n * 4_000, (n + 1) * 4_000)])
    got = await stream.get(await stream.iterator(SHARD))
    rest = await stream.get(got.next_iterator)
    assert (len(got), len(rest)) == (10_000, 2_000)
    assert [int(one.data) for one in (*got, *rest)] == list(range(12_000))


async def test_a_read_brings_up_to_10_mib(client):
    stream = await client.create_stream("large", max_record_size=10 * MIB)
    await stream.put_many([Record(b"x" * 999_999, "a")] * 12)
    got = await stream.get(await stream.iterator(SHARD))
    rest = await stream.get(got.next_iterator)
    assert (len(got), len(rest)) == (10, 2)
    await stream.put(b"y" * (10 * MIB - 1), "a")
    last = await stream.get(rest.next_iterator)
    assert [len(one.data) for one in last] == [10 * MIB - 1]


async def test_10_mib_may_end_inside_a_block(stream):
    await stream.put_many([Record(b"x" * 9_999, "a")] * 1_060)
    got = await stream.get(await stream.iterator(SHARD))
    assert len(got) == 10 * MIB // 10_000
    assert len(await stream.get(got.next_iterator)) == 1_060 - len(got)


async def test_a_read_says_how_far_behind_it_is(ten, clock):
    got = await ten.get(await ten.iterator(SHARD), 5)
    assert got.millis_behind_latest == 6_000
    got = await ten.get(got.next_iterator, 4)
    assert got.millis_behind_latest == 2_000
    got = await ten.get(got.next_iterator)
    assert got.millis_behind_latest == 0
    clock.move(5)
    got = await ten.get(got.next_iterator)
    assert (got.millis_behind_latest, got.records) == (0, [])


async def test_positions_read_the_same_without_iterators(ten, backend):
    backend.beyond_aws("reading by position")
    position, found = await ten.position(SHARD), []
    while len(found) < 10:
        batch = await ten.read(SHARD, position, 4)
        found += [int(one.data) for one in batch]
        position = batch.next_position
    assert found == list(range(10))
    batch = await ten.read(SHARD, batch.records[0].position + 1, 1)
    assert [one.data for one in batch] == [b"9"]


# --- retention ---


async def test_records_are_hidden_when_they_are_too_old(ten, clock):
    """To the record, also inside a block, whatever is still stored."""
    iterator = await ten.iterator(SHARD, "AT_SEQUENCE_NUMBER", sequence_number=ten.numbers[0])
    clock.move(86_400 - 6)
    assert len(await texts(ten)) == 10
    clock.move(0.001)
    assert await texts(ten) == [str(n) for n in range(5, 10)]
    clock.move(2.5)
    assert await texts(ten) == ["7", "8", "9"]
    with pytest.raises(ExpiredIterator):
        await ten.get(iterator)


async def test_a_block_may_expire_in_part(stream, clock, backend):
    backend.beyond_aws("the clock by the microsecond")
    clock.move(1)
    await stream.put_many([Record(str(n), "a") for n in range(1500)])
    clock.move(86_400)
    assert len(await texts(stream)) == 1500
    clock.move(0.001)
    assert (await texts(stream))[0] == "1000"


async def test_an_older_sequence_number_begins_with_the_oldest_record(ten, clock):
    clock.move(86_400 - 2.5)
    for type in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
        found = await texts(ten, type=type, sequence_number=ten.numbers[1])
        assert found == [str(n) for n in range(8, 10)]
    old = clock.now() - timedelta(days=30)
    assert await texts(ten, type="AT_TIMESTAMP", timestamp=old) == ["8", "9"]


# --- where a shard ends ---


async def test_a_closed_shard_ends_with_those_that_took_over(stream):
    await stream.put("0", "a")
    await stream.split(SHARD)
    got = await stream.get(await stream.iterator(SHARD))
    assert [one.data for one in got] == [b"0"]
    assert got.next_iterator is None
    assert got.millis_behind_latest == 0
    assert [(one.shard_id, one.parent_shards) for one in got.child_shards] == [
        (shard_id(1), (SHARD,)),
        (shard_id(2), (SHARD,)),
    ]
    assert got.child_shards[0].starting_hash_key == 0
    assert got.child_shards[0].ending_hash_key + 1 == got.child_shards[1].starting_hash_key


async def test_a_limit_may_end_with_the_last_record_of_a_closed_shard(stream):
    await stream.put_many([Record(str(n), "a") for n in range(4)])
    await stream.split(SHARD)
    got = await stream.get(await stream.iterator(SHARD), 2)
    assert got.next_iterator is not None
    assert got.child_shards == ()
    got = await stream.get(got.next_iterator, 2)
    assert (len(got), got.next_iterator) == (2, None)
    assert len(got.child_shards) == 2


async def test_latest_of_a_closed_shard_is_its_end(stream):
    await stream.put("0", "a")
    await stream.split(SHARD)
    got = await stream.get(await stream.iterator(SHARD, "LATEST"))
    assert (got.records, got.next_iterator, len(got.child_shards)) == ([], None, 2)


async def test_an_empty_shard_ends_as_well(stream):
    iterator = await stream.iterator(SHARD)
    assert (await stream.get(iterator)).next_iterator is not None
    await stream.split(SHARD)
    assert (await stream.get(iterator)).next_iterator is None


async def test_the_end_of_a_closed_shard_has_a_sequence_number(stream):
    await stream.put("0", "a")
    await stream.split(SHARD)
    shard = next(iter(await stream.shards()))
    end = shard.ending_sequence_number
    for type in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
        got = await stream.get(await stream.iterator(SHARD, type, sequence_number=end))
        assert (got.records, got.next_iterator) == ([], None)


async def test_a_put_that_meets_a_closed_shard_goes_to_its_child(connect, stream):
    """Its client does not know yet."""
    await stream.put("0", "a")
    await connect().stream(stream.name).split(SHARD)
    put = await stream.put("1", "a")
    assert put.shard_id in (shard_id(1), shard_id(2))
    result = await stream.put_many([Record(str(n), f"key-{n}") for n in range(50)])
    assert {one.shard_id for one in result} == {shard_id(1), shard_id(2)}


async def test_many_records_that_meet_a_closed_shard_keep_their_order(connect, stream):
    await stream.put("0", "a")
    await connect().stream(stream.name).split(SHARD)
    await stream.put_many([Record(str(n), f"key-{n}") for n in range(1_200)])
    for number in (1, 2):
        found = await texts(stream, shard_id(number))
        assert found == sorted(found, key=int)


# --- as much as a shard gives ---


async def test_read_limits_are_there_for_who_asks(connect, stream, clock, backend):
    backend.beyond_aws("limits")
    limits = Limits.aws(shard_reads=5, shard_read_bytes=2 * MIB)
    limited = connect(limits=limits).stream(stream.name)
    iterator = await limited.iterator(SHARD)
    for _ in range(5):
        await limited.get(iterator)
    with pytest.raises(RateExceeded, match=SHARD):
        await limited.get(iterator)
    assert list(await stream.get(iterator)) == []  # who did not ask
    clock.move(0.2)
    await limited.get(iterator)


async def test_a_read_of_10_mib_keeps_others_out_for_5_seconds(connect, stream, clock, backend):
    backend.beyond_aws("limits")
    limited = connect(limits=Limits(shard_read_bytes=2 * MIB)).stream(stream.name)
    await stream.put_many([Record(b"x" * (MIB // 4 - 1), "a")] * 41)
    iterator = await limited.iterator(SHARD)
    assert len(await limited.get(iterator)) == 40
    clock.move(4.999)
    with pytest.raises(RateExceeded):
        await limited.get(iterator, 1)
    clock.move(0.002)
    assert len(await limited.get(iterator, 1)) == 1


async def test_records_of_an_encrypted_stream_say_so(client, stream):
    before = await stream.put("0", "a")
    await stream.set_attributes(encryption_type="KMS", kms_key_id="alias/orders")
    during = await stream.put("1", "a")
    await stream.set_attributes(encryption_type="NONE")
    await stream.put("2", "a")
    assert (before.encryption_type, during.encryption_type) == (None, "KMS")
    assert [one.encryption_type for one in await everything(stream)] == [None, "KMS", None]
