"""Hypothesis plays with a real stream and with a plain model beside it, and looks for a difference.

Records come and are read from every kind of place, shards are split, merged and counted anew, time
passes and retention changes; who reshards dies in the middle, and may come back much later.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import rmq
from rmq import Limits, Record
from rmq.errors import ShardDoesNotExist
from rmq.streams import resharding
from rmq.streams.following import Following
from rmq.streams.ranges import Open, steps
from rmq.streams.resharding import WAVE
from rmq.streams.sequence import sequence_number, shard_id
from rmq.streams.shard import LAST_HASH_KEY, even_ranges, hash_key
from rmq.testing import HeldClock, private_namespace
from tests.properties.hand import Hand
from tests.servers import single_server

HOUR_US = 3600 * 1_000_000
KEYS = [f"key {n}" for n in range(6)]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

keys = st.lists(st.sampled_from(KEYS), min_size=1, max_size=6)
choices = st.integers(0, 1_000)


@dataclass
class Kept:
    """A record in the model."""

    text: str
    key: str
    shard: int
    position: int
    is_lost: bool = False
    """It was too old when the retention changed, and stays so."""


@dataclass
class Part:
    """A shard in the model."""

    number: int
    first: int
    last: int
    parents: tuple[int, ...] = ()
    closed_us: int | None = None


@dataclass
class Follower:
    """Somebody who reads all shards, parents before children."""

    following: Following
    reader: Any
    seen: set[str] = field(default_factory=set)


class StreamMachine(RuleBasedStateMachine):
    url = "memory://"

    def __init__(self) -> None:
        super().__init__()
        self.clock = HeldClock()
        self.namespace = private_namespace()
        self.clients = [self.connect() for _ in range(2)]
        self.hands: list[Hand] = []
        self.records: list[Kept] = []
        self.parts: dict[int, Part] = {}
        self.followers: list[Follower] = []
        self.hours = 24
        self.count = 0
        self.is_pending = False
        """Whether somebody died while resharding, and parents may still take records."""

    @initialize(count=st.integers(1, 4))
    def create(self, count: int) -> None:
        self.clients[0].create_stream("orders", count)
        for number, (first, last) in enumerate(even_ranges(count)):
            self.parts[number] = Part(number, first, last)

    def connect(self) -> Any:
        return rmq.connect(
            self.url,
            namespace=self.namespace,
            clock=self.clock,
            limits=Limits(max_shard_count_updates=None, shard_count_steps=None),
        )

    def teardown(self) -> None:
        for follower in self.followers:
            follower.reader.close()
        self.clients[0].wipe()
        for client in self.clients:
            client.close()

    # --- the model ---

    @property
    def now(self) -> int:
        return self.clock.now_ms() * 1000

    @property
    def stream(self) -> Any:
        return self.clients[0].stream("orders")

    @property
    def oldest(self) -> int:
        return self.now - self.hours * HOUR_US

    def is_kept(self, record: Kept) -> bool:
        return record.position >= self.oldest and not record.is_lost

    def kept(self, shard: int) -> list[Kept]:
        found = [one for one in self.records if one.shard == shard and self.is_kept(one)]
        return sorted(found, key=lambda one: one.position)

    def open_parts(self) -> list[Part]:
        found = [one for one in self.parts.values() if one.closed_us is None]
        return sorted(found, key=lambda one: one.first)

    def there(self) -> list[Part]:
        """Those that have not expired."""
        return [one for one in self.parts.values() if not self.is_over(one)]

    def is_over(self, part: Part) -> bool:
        # Shards know the millisecond at which they were closed.
        return part.closed_us is not None and part.closed_us // 1000 < self.oldest // 1000

    def change(self, parents: tuple[int, ...], ranges: list[tuple[int, int]]) -> None:
        for parent in parents:
            self.parts[parent].closed_us = self.now
        for first, last in ranges:
            number = len(self.parts)
            self.parts[number] = Part(number, first, last, parents)

    def settle(self) -> None:
        """Whoever looks ends what somebody began."""
        self.stream.info()
        self.is_pending = False

    # --- puts ---

    @rule(found=keys, who=st.integers(0, 1), explicit=st.none() | st.integers(0, LAST_HASH_KEY))
    def put(self, found: list[str], who: int, explicit: int | None) -> None:
        self.put_all(found, who, explicit)

    def put_all(self, found: list[str] = KEYS, who: int = 0, explicit: int | None = None) -> None:
        given = []
        for key in found:
            self.count += 1
            given.append(Record(f"{self.count}", key, explicit))
        results = self.clients[who].stream("orders").put_many(given).raise_for_failures()
        for record, result in zip(given, results, strict=True):
            place = explicit
            if place is None:
                place = int.from_bytes(hash_key(record.partition_key.encode()), "big")
            (taker,) = [one for one in self.open_parts() if one.first <= place <= one.last]
            takers = {taker.number, *(taker.parents if self.is_pending else ())}
            assert result.shard in takers
            above = [one.position for one in self.records if one.shard in takers]
            assert result.position > max(above, default=0)
            assert result.position >= self.now
            self.records.append(
                Kept(record.data, record.partition_key, result.shard, result.position)
            )

    # --- reads ---

    @precondition(lambda self: self.records)
    @rule(
        kind=st.sampled_from(
            ["TRIM_HORIZON", "LATEST", "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"]
        ),
        which=choices,
        limit=st.integers(1, 12),
    )
    def read(self, kind: str, which: int, limit: int) -> None:
        record = self.records[which % len(self.records)]
        self.read_from(record, kind, limit)

    @precondition(lambda self: self.records)
    @rule(which=choices, off=st.sampled_from([-1_000_000, -1, 0, 1]), limit=st.integers(1, 12))
    def read_at_time(self, which: int, off: int, limit: int) -> None:
        record = self.records[which % len(self.records)]
        at = min(record.position + off, self.now)
        self.read_from(record, "AT_TIMESTAMP", limit, at)

    def read_from(self, record: Kept, kind: str, limit: int, at: int = 0) -> None:
        if self.is_over(self.parts[record.shard]):
            return
        expected = self.kept(record.shard)
        options: dict[str, Any] = {}
        if kind == "LATEST":
            expected = []
        elif kind == "AT_TIMESTAMP":
            options["timestamp"] = EPOCH + timedelta(microseconds=at)
            expected = [one for one in expected if one.position >= at]
        elif kind != "TRIM_HORIZON":
            options["sequence_number"] = sequence_number(record.position, record.shard)
            start = record.position + (kind == "AFTER_SEQUENCE_NUMBER")
            expected = [one for one in expected if one.position >= start]
        iterator = self.stream.iterator(shard_id(record.shard), kind, **options)
        found: list[Any] = []
        while True:
            batch = self.stream.get(iterator, limit)
            assert len(batch.records) <= limit
            found += batch.records
            if batch.next_iterator is None:
                part = self.parts[record.shard]
                assert part.closed_us is not None
                children = [one.number for one in self.there() if part.number in one.parents]
                assert [one.shard_id for one in batch.child_shards] == [
                    shard_id(one) for one in children
                ]
                break
            if not batch.records:
                break
            iterator = batch.next_iterator
        assert [one.data.decode() for one in found] == [one.text for one in expected]
        assert [one.position for one in found] == [one.position for one in expected]
        numbers = [one.sequence_number for one in found]
        assert numbers == sorted(set(numbers))

    @rule(start=st.sampled_from(["LATEST", "TRIM_HORIZON"]), who=st.integers(0, 1))
    def begin_to_follow(self, start: Any, who: int) -> None:
        if len(self.followers) == 3:
            return
        self.settle()
        client = self.clients[who]
        following = Following(client._streams, "orders", start, None)
        client._executor.run(following.begin())
        follower = Follower(following, client.stream("orders").reader())
        if start == "LATEST":
            follower.seen = {one.text for one in self.records}
        self.followers.append(follower)

    @precondition(lambda self: self.followers)
    @rule(which=choices, limit=st.integers(1, 20))
    def follow(self, which: int, limit: int) -> None:
        """Read on to the end of all there is."""
        self.settle()
        follower = self.followers[which % len(self.followers)]
        run = self.clients[0]._executor.run
        found = []
        empty = 0
        # The first may only find that what it waited for is not there, the second looks.
        while follower.following.positions and empty < 2:
            batches = follower.reader.read(follower.following.positions, limit=limit, timeout=0.001)
            empty = 0 if batches else empty + 1
            for batch in batches:
                found += [(one.partition_key, one.data.decode()) for one in batch.records]
                follower.following.positions[batch.shard_id] = batch.next_position
                if batch.next_position is None:
                    run(follower.following.ended(batch.shard_id))
        wanted = [
            one for one in self.records if self.is_kept(one) and one.text not in follower.seen
        ]
        for key in KEYS:
            has = [text for one, text in found if one == key]
            # Not for those with an explicit hash key: one key then has several shards.
            assert sorted(has, key=int) == [one.text for one in wanted if one.key == key]
        by_shard: dict[int, list[int]] = {}
        of = {one.text: one for one in self.records}
        for _, text in found:
            by_shard.setdefault(of[text].shard, []).append(of[text].position)
        for positions in by_shard.values():
            assert positions == sorted(set(positions))
        order = {text: place for place, (_, text) in enumerate(found)}
        for _, text in found:
            for parent in self.parts[of[text].shard].parents:
                for one in self.kept(parent):
                    assert one.text not in order or order[one.text] < order[text]
        follower.seen |= {one.text for one in self.records}

    # --- resharding ---

    @rule(which=choices, part=st.none() | st.floats(0.01, 0.99))
    def split(self, which: int, part: float | None) -> None:
        self.settle()
        shards = self.open_parts()
        if len(shards) > 8:
            return
        one = shards[which % len(shards)]
        if one.last - one.first < 1 << 100:
            return
        at = None if part is None else one.first + int((one.last - one.first) * part)
        self.put_all()
        lower, upper = self.stream.split(shard_id(one.number), at)
        self.change(
            (one.number,), [(one.first, lower.ending_hash_key), (upper.starting_hash_key, one.last)]
        )
        assert [lower.number, upper.number] == list(self.parts)[-2:]
        assert at is None or upper.starting_hash_key == at
        self.put_all(who=1)

    @precondition(lambda self: len(self.open_parts()) > 1)
    @rule(which=choices, swap=st.booleans())
    def merge(self, which: int, swap: bool) -> None:
        self.settle()
        shards = self.open_parts()
        at = which % (len(shards) - 1)
        pair = shards[at : at + 2]
        merged = self.stream.merge(
            *(shard_id(one.number) for one in (pair[::-1] if swap else pair))
        )
        named = tuple(one.number for one in (pair[::-1] if swap else pair))
        self.change(named, [(pair[0].first, pair[1].last)])
        assert merged.number == list(self.parts)[-1]

    @rule(count=st.integers(1, 7))
    def update_shard_count(self, count: int) -> None:
        self.settle()
        before = [Open(one.number, one.first, one.last) for one in self.open_parts()]
        self.stream.update_shard_count(count)
        number = len(self.parts)
        for wave in steps(before, count, WAVE, number):
            for change in wave:
                self.change(change.parents, list(change.children))
        assert len(self.open_parts()) == count

    @rule(which=choices, after=st.integers(1, 4), who=st.integers(0, 1))
    def split_and_die(self, which: int, after: int, who: int) -> None:
        """After the operation was written down, parents are closed, children open, the map is."""
        self.settle()
        shards = self.open_parts()
        one = shards[which % len(shards)]
        if len(shards) > 8 or one.last - one.first < 1 << 100:
            return
        client = self.clients[who]
        hand = Hand(
            client, resharding.split_shard(client._streams, "orders", shard_id(one.number), None)
        )
        hand.through("streams.reshard_begin")
        for _ in range(after):
            hand.step()
        middle = (one.first + one.last + 1) // 2
        self.change((one.number,), [(one.first, middle - 1), (middle, one.last)])
        self.is_pending = True
        self.hands.append(hand)
        self.put_all(who=1 - who)

    @precondition(lambda self: self.hands)
    @rule(which=choices)
    def a_dead_resharder_comes_back(self, which: int) -> None:
        hand = self.hands.pop(which % len(self.hands))
        with suppress(ShardDoesNotExist):  # what it made has expired
            hand.finish()
        self.is_pending = False

    # --- time ---

    @rule(by=st.sampled_from([0.001, 1, 61, 3600, 13 * 3600, 23 * 3600, 30 * 3600]))
    def time_passes(self, by: float) -> None:
        if self.is_pending:
            self.settle()  # a shard is closed when somebody does it
        self.clock.move(by)

    @rule(hours=st.sampled_from([24, 36, 48]))
    def set_retention(self, hours: int) -> None:
        self.settle()
        if hours == self.hours:
            return
        for one in self.records:
            one.is_lost |= one.position < self.oldest
        for part in list(self.parts.values()):
            if self.is_over(part):
                part.closed_us = 0
        self.stream.set_attributes(retention_hours=hours)
        self.hours = hours

    @rule()
    def sweep(self) -> None:
        self.stream.sweep()
        self.is_pending = False

    # --- what must hold after each ---

    @invariant()
    def the_map_is_as_the_model_has_it(self) -> None:
        if not self.parts or self.is_pending:
            return
        info = self.stream.info()
        assert info.status == "ACTIVE"
        assert [one.number for one in info.shards.open] == sorted(
            one.number for one in self.open_parts()
        )
        for one in info.shards.values():
            part = self.parts[one.number]
            assert (one.starting_hash_key, one.ending_hash_key) == (part.first, part.last)
            assert one.parents == part.parents
            assert one.is_open == (part.closed_us is None)
            for parent in one.parents:
                if parent in info.shards:
                    before = info.shards[parent].ending_sequence_number
                    assert before < one.starting_sequence_number

    @invariant()
    def every_shard_has_what_the_model_has(self) -> None:
        if self.is_pending:
            return
        for part in self.there():
            found = self.stream.read(shard_id(part.number)).records
            assert [one.data.decode() for one in found] == [
                one.text for one in self.kept(part.number)
            ]


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    with single_server() as server:
        yield server.url


def play(url: str, examples: int, count: int, *, derandomize: bool = True) -> None:
    run_state_machine_as_test(
        type("Machine", (StreamMachine,), {"url": url}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=count,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=derandomize,
            database=None,
            report_multiple_bugs=False,
            phases=[Phase.explicit, Phase.generate, Phase.shrink],
        ),
    )


@pytest.mark.parametrize("place", ["memory", "single"])
def test_a_stream_behaves_like_its_model(place: str, request: pytest.FixtureRequest) -> None:
    """Puts, reads, splits, merges, counts, crashes, retention, time."""
    if place == "memory":
        play("memory://", 5, 30)
    else:
        play(request.getfixturevalue("server_url"), 30, 40)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_stream_behaves_like_its_model_for_a_long_time(server_url: str) -> None:
    play(server_url, 1_000, 80, derandomize=False)
