"""Which records go out together, and what becomes of those that did not arrive. Nothing is sent:
the flights are in the hands of the test, and so is the time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmq.errors import (
    ConnectionLost,
    InvalidParameter,
    RateExceeded,
    StaleConfig,
    StreamDoesNotExist,
)
from rmq.streams.producing.aggregation import deaggregate, user_records
from rmq.streams.producing.collecting import LINE_BYTES, Collector, Produced
from rmq.streams.producing.metrics import ProducerMetrics
from rmq.streams.producing.settings import producer_settings
from rmq.streams.producing.user_record import UserRecord
from rmq.streams.record import Put, StreamRecord
from rmq.streams.shard import LAST_HASH_KEY, Shard, ShardMap, even_ranges

NOW = datetime(2026, 1, 31, tzinfo=UTC)
RATE = RateExceeded("too much", stream="s", shard="x")
LOST = ConnectionLost("gone")


def shard(number, low, high, parents=(), last=None):
    return Shard(number, low, high, parents, 0, last, NOW, None if last is None else NOW)


def shards(count):
    return ShardMap(shard(n, low, high) for n, (low, high) in enumerate(even_ranges(count)))


def split(found, number):
    """The map after a split in the middle."""
    one, first = found[number], max(found) + 1
    middle = (one.starting_hash_key + one.ending_hash_key) // 2
    closed = shard(number, one.starting_hash_key, one.ending_hash_key, one.parents, last=1)
    return ShardMap(
        [
            *(other for other in found.values() if other.number != number),
            closed,
            shard(first, one.starting_hash_key, middle, (number,)),
            shard(first + 1, middle + 1, one.ending_hash_key, (number,)),
        ]
    )


class Desk:
    """A collector, a clock, and a stream that keeps what arrives by shard."""

    def __init__(self, found, **given):
        self.collector = Collector(producer_settings(given), found, ProducerMetrics())
        self.shards = found
        self.now = 100.0
        self.position = 0
        self.kept: dict[int, list[StreamRecord]] = {}
        self.outcomes = []

    def add(self, data, key="a", hash_key=None):
        return self.collector.add(UserRecord(key, data, hash_key), None, self.now)

    def depart(self):
        return self.collector.depart(self.now)

    def take(self, parcel):
        """Store a parcel as the stream would: in its shard, while that is open."""
        number = parcel.line.shard
        if not self.shards[number].is_open:
            return None
        self.position += 1
        data, key = parcel.record.data, parcel.record.partition_key
        stored = StreamRecord(data, key, number, self.position)
        self.kept.setdefault(number, []).append(stored)
        return Put(number, self.position)

    def land(self, flight, answer=None):
        """Bring a flight down, with *answer* or what the stream says."""
        results = [self.take(one) if answer is None else answer for one in flight]
        outcomes = self.collector.land(flight, results, self.shards, self.now)
        self.outcomes += outcomes
        return outcomes

    def work(self):
        """Fly until nothing is due, and then for as long as something waits."""
        while not self.collector.is_empty:
            self.outcomes += self.collector.expired(self.now)
            while flight := self.depart():
                self.land(flight)
            self.now += self.collector.due(self.now) or 0

    def read(self):
        """What a reader gets of each shard: data, by shard."""
        found = {}
        for number, records in self.kept.items():
            one = self.shards[number]
            ends = one.starting_hash_key, one.ending_hash_key
            found[number] = [part.data for record in records for part in deaggregate(record, ends)]
            # A reader that does not look at hash keys gets the same.
            assert found[number] == [p.data for record in records for p in deaggregate(record)]
        return found


@pytest.fixture
def desk():
    return Desk(shards(1))


# --- when something leaves ---


def test_a_record_waits_for_others_for_its_time(desk):
    assert desk.add(b"1") is True
    assert desk.collector.due(desk.now) == pytest.approx(0.1)
    assert desk.depart() == []
    desk.now += 0.06
    assert desk.add(b"2") is False
    assert desk.collector.due(desk.now) == pytest.approx(0.04)
    desk.now += 0.04

    [parcel] = desk.depart()

    assert [one.data for one in user_records(parcel.record.data)] == [b"1", b"2"]
    assert desk.collector.due(desk.now) is None


def test_one_record_alone_is_not_aggregated(desk):
    desk.add(b"1", "truck", 17)
    desk.now += 0.1

    [parcel] = desk.depart()

    assert (parcel.record.data, parcel.record.partition_key) == (b"1", "truck")
    assert parcel.record.explicit_hash_key == 17


def test_a_call_worth_of_records_leaves_at_once(desk):
    count = LINE_BYTES // 1001
    assert not any([desk.add(b"x" * 1000) for _ in range(count)][1:])

    assert desk.add(b"x" * 1000) is True

    flight = desk.depart()
    assert sum(len(one.record.data) for one in flight) > LINE_BYTES * 0.9
    assert all(len(one.record.data) <= 51_200 for one in flight)


def test_of_one_shard_leaves_no_more_than_one_call_takes():
    """Of that a shard takes the first so many, or none: so the order is kept."""
    desk = Desk(shards(2))
    for n in range(2000):
        desk.add(b"x" * 1000, hash_key=LAST_HASH_KEY * (n % 2))

    flight = desk.depart()

    for number in (0, 1):
        sizes = [len(one.record.data) for one in flight if one.line.shard == number]
        assert LINE_BYTES * 0.9 < sum(sizes) < LINE_BYTES * 1.1


def test_a_flush_lets_everything_leave_at_once(desk):
    desk.add(b"1")
    epoch = desk.collector.flush()
    desk.add(b"2")

    assert desk.collector.due(desk.now) == 0
    flight = desk.depart()
    assert not desk.collector.is_over(epoch)
    desk.land(flight)
    assert desk.collector.is_over(epoch)


def test_what_is_larger_than_an_aggregate_goes_alone_in_its_turn():
    desk = Desk(shards(1), max_aggregate_bytes=1000)
    for data in (b"1", b"2", b"x" * 5000, b"3", b"4"):
        desk.add(data)
    desk.now += 1

    assert [len(one.pending) for one in desk.depart()] == [2, 1, 2]


def test_without_aggregation_each_record_is_one_of_the_stream():
    desk = Desk(shards(1), aggregation=False, max_collected_records=3)
    assert [desk.add(b"%d" % n) for n in range(3)] == [True, False, True]

    assert [one.record.data for one in desk.depart()] == [b"0", b"1", b"2"]


def test_the_outer_record_goes_to_the_shard_of_those_in_it():
    desk = Desk(shards(4))
    for n in range(200):
        desk.add(b"%d" % n, f"truck-{n}")
    desk.work()

    assert len(desk.kept) == 4
    assert all(len(one) == 1 for one in desk.kept.values())
    assert sorted(int(one) for found in desk.read().values() for one in found) == list(range(200))


def test_a_line_has_one_flight_under_way():
    desk = Desk(shards(1), max_buffered_time=0)
    desk.add(b"1")
    first = desk.depart()
    desk.add(b"2")
    assert desk.depart() == []
    assert desk.collector.due(desk.now) is None
    desk.land(first)

    assert [one.record.data for one in desk.depart()] == [b"2"]


def test_the_buffer_is_full_by_records_and_by_bytes():
    by_records, by_bytes = (
        Desk(shards(1), max_buffered_records=2),
        Desk(shards(1), max_buffered_bytes=10),
    )
    for desk in (by_records, by_bytes):
        desk.add(b"1234")
        assert not desk.collector.is_full
        assert desk.add(b"5678") is True
        assert desk.collector.is_full
        desk.land(desk.depart())
        assert not desk.collector.is_full


# --- what becomes of it ---


def test_every_record_is_told_where_it_is(desk):
    desk.add(b"1")
    desk.add(b"2")
    desk.work()

    assert [result for _, result in desk.outcomes] == [Produced(0, 1, 0, 1), Produced(0, 1, 1, 1)]
    assert desk.outcomes[0][1].shard_id == "shardId-000000000000"


@pytest.mark.parametrize("error", [RATE, LOST])
def test_what_did_not_arrive_is_tried_again_in_front_and_a_little_later(desk, error):
    desk.add(b"1")
    desk.add(b"2")
    desk.now += 0.1
    flight = desk.depart()
    desk.add(b"3")

    assert desk.land(flight, error) == []
    assert desk.depart() == []
    assert 0.02 <= desk.collector.due(desk.now) <= 0.05
    desk.work()

    assert desk.read() == {0: [b"1", b"2", b"3"]}
    assert [result.attempts for _, result in desk.outcomes] == [2, 2, 1]
    assert desk.collector.metrics.retries == 2
    assert desk.collector.metrics.errors == {error.code: 1}


def test_only_what_failed_is_tried_again():
    desk = Desk(shards(1), aggregation=False)
    for n in range(3):
        desk.add(b"%d" % n)
    desk.now += 0.1
    flight = desk.depart()
    results = [desk.take(flight[0]), RATE, RATE]
    desk.outcomes += desk.collector.land(flight, results, desk.shards, desk.now)
    desk.now += 0.1

    assert [one.record.data for one in desk.depart()] == [b"1", b"2"]


def test_the_pause_grows_and_ends_with_success(desk):
    desk.add(b"1")
    pauses = []
    for _ in range(8):
        desk.now += desk.collector.due(desk.now)
        desk.land(desk.depart(), RATE)
        pauses.append(desk.collector.due(desk.now))

    assert 1.0 <= pauses[-1] <= 2.0
    assert pauses[0] < 0.06
    desk.now += 2
    desk.land(desk.depart())
    desk.add(b"2")
    desk.now += 0.1
    desk.land(desk.depart(), RATE)
    assert desk.collector.due(desk.now) <= 0.05


def test_a_shard_that_takes_nothing_keeps_no_other_back():
    desk = Desk(shards(2))
    desk.add(b"low", hash_key=0)
    desk.add(b"high", hash_key=LAST_HASH_KEY)
    desk.now += 0.1
    flight = desk.depart()
    results = [RATE if one.line.shard == 0 else desk.take(one) for one in flight]
    desk.collector.land(flight, results, desk.shards, desk.now)
    desk.add(b"higher", hash_key=LAST_HASH_KEY)
    desk.collector.flush()

    assert [one.record.data for one in desk.depart()] == [b"higher"]


def test_what_was_tried_for_too_long_ends_with_its_last_error():
    desk = Desk(shards(1), record_ttl=5)
    desk.add(b"1")
    desk.now += 0.1
    desk.land(desk.depart(), RATE)
    desk.now += 2
    desk.add(b"2")
    assert desk.collector.expired(desk.now) == []
    desk.land(desk.depart(), LOST)
    desk.now += 3

    [(pending, error)] = desk.collector.expired(desk.now)

    assert (pending.record.data, error) == (b"1", LOST)
    assert desk.collector.metrics.user_records_failed == 1
    assert desk.collector.metrics.buffered_records == 1


def test_what_was_never_tried_does_not_expire():
    desk = Desk(shards(1), record_ttl=1)
    desk.add(b"1")
    desk.now += 60

    assert desk.collector.expired(desk.now) == []
    assert len(desk.depart()) == 1


@pytest.mark.parametrize("error", [StreamDoesNotExist("no"), InvalidParameter("data", 1, "2")])
def test_what_can_not_succeed_is_not_tried_again(desk, error):
    desk.add(b"1")
    desk.now += 0.1

    [(_, result)] = desk.land(desk.depart(), error)

    assert result is error
    assert desk.collector.is_empty


def test_giving_up_ends_all_that_waits_and_nothing_that_is_under_way(desk):
    desk.add(b"1")
    desk.now += 0.1
    flight = desk.depart()
    desk.add(b"2")

    [(pending, error)] = desk.collector.give_up(LOST)

    assert (pending.record.data, error) == (b"2", LOST)
    desk.land(flight)
    assert desk.collector.is_empty


# --- shards that are split and merged ---


def test_what_was_packed_for_a_shard_that_was_split_is_packed_anew():
    desk = Desk(shards(1))
    for n in range(100):
        desk.add(b"%d" % n, f"truck-{n % 10}")
    desk.now += 0.1
    desk.shards = split(desk.shards, 0)
    desk.work()

    found = desk.read()
    assert set(found) == {1, 2}
    assert sorted(int(one) for data in found.values() for one in data) == list(range(100))
    assert {result.attempts for _, result in desk.outcomes} == {1}
    for data in found.values():
        assert data == sorted(data, key=int)


def test_a_closed_shard_in_whose_place_there_is_none_is_asked_again_later(desk):
    desk.add(b"1")
    desk.now += 0.1
    flight = desk.depart()

    assert desk.collector.land(flight, [None], desk.shards, desk.now) == []
    assert desk.depart() == []
    desk.now += 60

    [(_, error)] = desk.collector.expired(desk.now)
    assert isinstance(error, StaleConfig)


def test_lines_are_dealt_out_anew_only_when_all_have_landed():
    """Else a new record of a key could overtake an older one that is still under way."""
    desk = Desk(shards(2), max_buffered_time=0)
    desk.add(b"low", hash_key=0)
    low = desk.depart()
    desk.add(b"high", hash_key=LAST_HASH_KEY)
    high = desk.depart()
    desk.shards = split(desk.shards, 0)
    desk.land(low)
    desk.add(b"low again", hash_key=0)

    assert desk.depart() == []
    assert desk.collector.due(desk.now) is None
    desk.land(high)
    [parcel] = desk.depart()
    assert parcel.line.shard == 2
    assert [one.data for one in user_records(parcel.record.data)] == [b"low", b"low again"]


def test_the_lines_of_shards_that_were_merged_become_one_in_the_order_of_coming():
    desk = Desk(shards(2))
    desk.add(b"0", hash_key=0)
    desk.now += 0.1
    flight = desk.depart()
    for n in range(1, 6):
        desk.add(b"%d" % n, hash_key=LAST_HASH_KEY * (n % 2))
    closed = [
        shard(one.number, one.starting_hash_key, one.ending_hash_key, last=1)
        for one in desk.shards.values()
    ]
    desk.shards = ShardMap([*closed, shard(2, 0, LAST_HASH_KEY, (0, 1))])
    desk.land(flight)
    desk.work()

    assert desk.read() == {2: [b"%d" % n for n in range(6)]}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_happens_every_record_is_read_once_and_keys_keep_their_order(data):
    """Random puts, refusals, lost connections (before they did anything) and splits."""
    desk = Desk(
        shards(data.draw(st.integers(1, 3))),
        aggregation=data.draw(st.booleans()),
        max_aggregate_bytes=data.draw(st.sampled_from([64, 300, 51_200])),
        max_collected_records=data.draw(st.sampled_from([3, 500])),
    )
    count, flights = 0, []
    for step in data.draw(st.lists(st.sampled_from("pppptdlrs"), max_size=60)):
        if step == "p":
            for _ in range(data.draw(st.integers(1, 5))):
                desk.add(b"%d" % count, f"truck-{count % 7}")
                count += 1
        elif step == "t":
            desk.now += data.draw(st.sampled_from([0.02, 0.2]))
        elif step == "d":
            flights += [one for one in [desk.depart()] if one]
        elif step == "s" and len(desk.shards) < 9:
            numbers = [one.number for one in desk.shards.open]
            desk.shards = split(desk.shards, data.draw(st.sampled_from(numbers)))
        elif flights:
            flight = flights.pop(data.draw(st.integers(0, len(flights) - 1)))
            if step == "l":
                desk.land(flight)
            else:
                # As a shard does: it takes the first so many of what one call brings.
                taken = data.draw(st.integers(0, 3))
                seen: dict[int, int] = {}
                results = []
                for one in flight:
                    number = one.line.shard
                    seen[number] = seen.get(number, 0) + 1
                    fits = seen[number] <= taken or not desk.shards[number].is_open
                    results.append(desk.take(one) if fits else RATE)
                desk.outcomes += desk.collector.land(flight, results, desk.shards, desk.now)
    for flight in flights:
        desk.land(flight)
    desk.collector.flush()
    desk.work()

    by_key: dict[int, list[int]] = {}
    parents_first = sorted(desk.read().items())
    for _, found in parents_first:
        for one in found:
            by_key.setdefault(int(one) % 7, []).append(int(one))
    assert sorted(one for found in by_key.values() for one in found) == list(range(count))
    assert all(found == sorted(found) for found in by_key.values())
    assert len(desk.outcomes) == count
    assert desk.collector.metrics.user_records_put == count
