"""Streams: records in and out, what one takes while it lies there, who waits, and a long log."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import redis
from redis.cluster import RedisCluster

import rmq
from benchmarks.bench import BODIES, Bench
from benchmarks.figure import Figure, Row, Side, Target, compare
from benchmarks.slowlog import BOUND_US, Slowlog, Step
from rmq.core.keys import ShardKeys
from rmq.streams.block import pack_block
from rmq.streams.sequence import shard_id
from rmq.testing import HeldClock, private_namespace
from tests.servers import cluster

BATCH = 500
"""Records in one put_records, as many as AWS takes."""
KEYS = 100
"""Partition keys."""
READ = 10_000
"""Records in one get_records, as many as AWS gives."""
SHARD = shard_id(0)


def records(size: str = "1 KiB", count: int = BATCH) -> list[rmq.Record]:
    """Records of so many bytes, each with a key."""
    return [rmq.Record(BODIES[size], f"truck-{n % KEYS}") for n in range(count)]


def putting(bench: Bench) -> Iterator[Row]:
    """Records put by put_many of 500, beside bare redis-py: a pipeline of 500 XADD with the same
    key and data in two fields.

    Fair: both send the same bytes in one write and wait for one answer. What we add is the MD5 of
    each key, checks, and lanes; what we save is a command and an entry for each record.
    """
    batches = 3 if bench.quick else 8
    with bench.client(**_NO_RATE) as client, bench.floor() as floor:
        for size in BODIES:
            given = records(size)
            for shards in (1, 5):
                stream = client.create_stream(bench.name(), shards)

                def ours(stream: rmq.Stream = stream, given: list[rmq.Record] = given) -> int:
                    for _ in range(batches):
                        stream.put_many(given).raise_for_failures()
                    return batches * BATCH

                def bare(given: list[rmq.Record] = given) -> int:
                    for _ in range(batches):
                        with floor.client.pipeline(transaction=False) as pipe:
                            for one in given:
                                pipe.xadd(floor.key, {"k": one.partition_key, "d": one.data})
                            pipe.execute()
                    return batches * BATCH

                def clean() -> None:
                    floor.client.xtrim(floor.key, maxlen=0)

                result = compare(Side(ours), Side(bare, clean), rounds=bench.rounds())
                client.delete_stream(stream.name)
                yield result.speed(
                    bench.case(f"{size}, {shards} shard{'s' if shards > 1 else ''}"), Target(0.6)
                )


def reading(bench: Bench) -> Iterator[Row]:
    """Records read by get with an iterator, 10,000 at a time, beside bare redis-py: one XRANGE of
    10,000 entries with the same key and data in two fields."""
    with bench.client(**_NO_RATE) as client, bench.floor() as floor:
        for size in BODIES:
            stream, key = client.create_stream(bench.name()), f"{floor.key}:{size}"
            for _ in range(READ // BATCH):
                given = records(size)
                stream.put_many(given)
                with floor.client.pipeline(transaction=False) as pipe:
                    for one in given:
                        pipe.xadd(key, {"k": one.partition_key, "d": one.data})
                    pipe.execute()
            found: list[int] = []

            def ours(stream: rmq.Stream = stream, found: list[int] = found) -> int:
                # The limit of 10 MiB is lifted: 10,000 of 1 KiB are a little more.
                found.append(len(stream.get(stream.iterator(SHARD))))
                return READ

            def bare(key: str = key) -> int:
                assert len(floor.client.xrange(key, count=READ)) == READ
                return READ

            result = compare(Side(ours), Side(bare), rounds=bench.rounds())
            assert set(found) == {READ}
            client.delete_stream(stream.name)
            floor.client.unlink(key)
            yield result.speed(bench.case(size), Target(0.6))


def memory(bench: Bench) -> Iterator[Row]:
    """Bytes that the log takes for a record beyond its data and key, by MEMORY USAGE.

    In batches of 500 over 1 and over 5 shards, and one by one: an entry of its own for each. The
    floor is bare XADD with key and data in two fields.
    """
    count = 10_000
    with bench.client(**_NO_RATE) as client, bench.floor() as floor:
        for size in BODIES:
            given = records(size)
            payload = sum(len(one.data) + len(one.partition_key or "") for one in given) / BATCH
            with floor.client.pipeline(transaction=False) as pipe:
                for one in given * (count // BATCH):
                    pipe.xadd(f"{floor.key}:{size}", {"k": one.partition_key, "d": one.data})
                pipe.execute()
            bare = bench.admin.memory_usage(f"{floor.key}:{size}", samples=0) / count - payload
            bench.admin.unlink(f"{floor.key}:{size}")
            for shards, batch in ((1, BATCH), (5, BATCH), (1, 1)):
                stream = client.create_stream(bench.name(), shards)
                total = count if batch > 1 else count // 5
                for at in range(0, total, batch):
                    stream.put_many(given[at % BATCH : at % BATCH + batch])
                used = sum(
                    bench.admin.memory_usage(_log(bench, stream.name, n), samples=0)
                    for n in range(shards)
                )
                client.delete_stream(stream.name)
                beyond = used / total - payload
                where = f", {shards} shards" if shards > 1 else ""
                how = f"in batches of {batch}" if batch > 1 else "one by one"
                yield Row(
                    case=f"{size}, {how}{where}",
                    measured=beyond,
                    target=Target(40, at_most=True, unit="B") if batch > 1 else None,
                    ours=f"{beyond:.1f} B",
                    floor=f"{bare:.1f} B",
                )


def waiting(bench: Bench) -> Iterator[Row]:
    """From before a put of one record until a reader that waited has it. One at a time, in two
    threads with a connection each; each comes when the server says that all wait.

    Beside it bare redis-py, a loop of XREAD BLOCK: on the log of a stream of ours that the same put
    brings records to, which shows what the reader adds, and is judged; and on a key of its own that
    bare XADD brings entries to, which shows what the put's script adds too. Taken by turns in small
    groups, so that what slows the machine down slows all.
    """
    groups, size = (6, 30) if bench.quick else (12, 60)
    body = BODIES["100 B"]
    with bench.client(**_NO_RATE) as client, bench.floor() as floor:
        stream, other = (client.create_stream(bench.name()) for _ in range(2))

        def follow(heard: _Heard) -> None:
            with closing(bench.other_client()) as reader:
                for _ in reader.stream(stream.name).records():
                    if heard.hear():
                        return

        def loop(key: str, heard: _Heard) -> None:
            with redis.Redis.from_url(bench.url) as reader:
                last = "$"
                while True:
                    ((_, entries),) = reader.xread({key: last}, block=20_000)
                    last = entries[-1][0]
                    if heard.hear():
                        return

        ours, reader, bare = _Heard(), _Heard(), _Heard()
        sides: tuple[tuple[_Heard, Callable[[], object], Callable[[_Heard], None]], ...] = (
            (ours, lambda: stream.put(body, "truck-1"), follow),
            (reader, lambda: other.put(body, "truck-1"), partial(loop, _log(bench, other.name, 0))),
            (bare, lambda: floor.client.xadd(floor.key, {"d": body}), partial(loop, floor.key)),
        )
        threads = []
        for heard, put, run in sides:
            threads.append(threading.Thread(target=run, args=(heard,), daemon=True))
            threads[-1].start()
            while not heard.count:
                put()
                heard.there.wait(0.02)

        def all_wait() -> bool:
            return bool(bench.admin.info("clients")["blocked_clients"] >= len(sides))

        for number in range(len(sides) * groups):
            heard, put, _ = sides[number % len(sides)]
            for _ in range(size):
                bench.until(all_wait, 5)
                heard.take(put)
        for thread, (heard, put, _) in zip(threads, sides, strict=True):
            heard.is_over = True
            put()
            thread.join(5)
        for one in (stream, other):
            client.delete_stream(one.name)
    for percent in (50, 99):
        mine, theirs, least = (
            statistics.quantiles(one.took, n=100)[percent - 1] * 1e6 for one in (ours, reader, bare)
        )
        for name, floor_us, target in (
            ("bare XREAD BLOCK of the same puts", theirs, Target(1.5, at_most=True)),
            ("bare XADD and XREAD BLOCK", least, None),
        ):
            yield Row(
                case=bench.case(f"put to reader, p{percent}"),
                measured=mine / floor_us,
                target=target if percent == 50 else None,
                ours=f"{mine:,.0f} µs",
                floor=f"{floor_us:,.0f} µs",
                note=f"floor: {name}",
            )


class _Heard:
    """Who waits, and how long each record took to it."""

    def __init__(self) -> None:
        self.there = threading.Event()
        self.took: list[float] = []
        self.count = 0
        self.is_over = False
        self._at = 0.0

    def hear(self) -> bool:
        """A record is here. Whether that was the last."""
        self._at = time.perf_counter()
        self.count += 1
        self.there.set()
        return self.is_over

    def take(self, put: Callable[[], object]) -> None:
        self.there.clear()
        begun = time.perf_counter()
        put()
        if not self.there.wait(5):
            raise TimeoutError("a record did not come to who waited")
        self.took.append(self._at - begun)


def over_cluster(bench: Bench) -> Iterator[Row]:
    """The servers' processor time for a record of 1 KiB on a cluster of three primaries: a stream
    of 5 shards, beside our own stream of one.

    Judged where each shard gets as much in a call: 500 for each. The same 500 cut in five are shown
    as well: five calls and more blocks cost what they cost.
    """
    rounds = 8 if bench.quick else 16
    with cluster() as nodes:
        admin = nodes.client()
        with closing(rmq.connect(nodes.url, namespace=private_namespace(), limits=_UNLIMITED)) as c:
            wide, single = c.create_stream("wide", 5), c.create_stream("single", 1)

            def put(stream: rmq.Stream, count: int) -> int:
                given = _spread(count)
                for _ in range(rounds * 5 * BATCH // count):
                    stream.put_many(given).raise_for_failures()
                return rounds * 5 * BATCH

            def clean() -> None:
                for stream, shards in ((wide, 5), (single, 1)):
                    for number in range(shards):
                        admin.xtrim(ShardKeys(c.namespace, stream.name, number).log, maxlen=0)

            for case, count, target in (
                ("500 for each shard in a call", 5 * BATCH, Target(1.1, at_most=True)),
                ("500 for all shards in a call", BATCH, None),
            ):
                result = compare(
                    Side(partial(put, wide, count), clean),
                    Side(partial(put, single, BATCH), clean),
                    rounds=bench.rounds(),
                    meter=partial(_cluster_cpu_s, admin),
                )
                yield result.cost(case, target, "floor: our stream of one shard")
        admin.close()


def _spread(count: int) -> list[rmq.Record]:
    """Records that go to five shards in equal parts."""
    width = (1 << 128) // 5
    return [rmq.Record(BODIES["1 KiB"], f"truck-{n % KEYS}", n % 5 * width) for n in range(count)]


def _cluster_cpu_s(admin: RedisCluster) -> float:
    """Processor seconds that the primaries have used."""
    found = admin.info("cpu", target_nodes=RedisCluster.PRIMARIES)
    return sum(one["used_cpu_user"] + one["used_cpu_sys"] for one in found.values())


def long_log(bench: Bench) -> Iterator[Row]:
    """The longest that one script holds up the server, for each operation on a stream of one shard
    with 10,000,000 records, and on one whose blocks are as large as blocks get. See benchmarks/
    slowlog.py. The clock is held, so that each pass lets other records expire."""
    passes = 3 if bench.quick else 5
    count = 1_000_000 if bench.quick else 10_000_000
    target = Target(BOUND_US, at_most=True, unit="µs")
    for size, total in ((16, count), (1024, count // 100)):
        worst: dict[str, tuple[float, str]] = {}
        with Slowlog(bench) as slowlog, _long(bench, size, total) as (stream, clock):
            # As many as one script call brings, so that a step is one call.
            most = READ if size < 100 else BATCH
            for name, steps in _operations(stream, clock, most):
                worst[name] = slowlog.longest(steps, passes)
        longest = max(worst, key=lambda name: worst[name][0])
        for name, (took, which) in worst.items():
            yield Row(
                case=f"{total:,} x {size} B: {name}",
                measured=took,
                target=target,
                ours=f"{took:,.0f} µs",
                note=which + (", the longest" if name == longest else ""),
            )


HOURS = 24
"""For how long records are kept."""


@contextmanager
def _long(bench: Bench, size: int, total: int) -> Iterator[tuple[rmq.Stream, HeldClock]]:
    """A stream with so many records that arrived evenly over a day: written as the script would,
    since to put them takes minutes."""
    clock = HeldClock()
    client = rmq.connect(bench.url, namespace=bench.namespace, clock=clock, limits=_UNLIMITED)
    with closing(client):
        stream = client.create_stream(bench.name())
        stream.put("first", "truck-0")
        each = min(BATCH, 64_000 // size)
        block = pack_block([one for n in range(each) for one in (f"truck-{n % KEYS}", b"x" * size)])
        begin, blocks = clock.now_ms() * 1000 + 1000, total // each
        step = HOURS * 3_600_000_000 // blocks
        log, state = _log(bench, stream.name, 0), _state(bench, stream.name, 0)
        pipe = bench.admin.pipeline(transaction=False)
        for number in range(1, blocks + 1):
            pipe.execute_command("XADD", log, f"{begin + number * step}-{each}", "r", block)
            if number % 200 == 0:
                pipe.execute()
        pipe.execute()
        bench.admin.hset(state, "last", begin + blocks * step)
        clock.move(timedelta(hours=HOURS))
        try:
            yield stream, clock
        finally:
            client.delete_stream(stream.name)
            bench.settle()


def _operations(
    stream: rmq.Stream, clock: HeldClock, most: int
) -> Iterator[tuple[str, Callable[[], Iterator[Step]]]]:
    given, one = records(), records()[:1]
    middle = clock.now() - timedelta(hours=HOURS // 2)

    def put() -> Iterator[Step]:
        yield partial(stream.put_many, given)
        yield partial(stream.put_many, one)

    def read() -> Iterator[Step]:
        for start in (
            {"type": "TRIM_HORIZON"},
            {"type": "AT_TIMESTAMP", "timestamp": middle},
            {"type": "LATEST"},
        ):
            iterator: str = stream.iterator(SHARD, **start)
            yield partial(stream.get, iterator, most)

    def expire() -> Iterator[Step]:
        # The first half hour; of all that is there in that pass.
        clock.move(timedelta(minutes=30))
        yield stream.sweep

    yield "put 500 and one", put
    yield "read from the horizon, the middle, the end", read
    yield "expire half an hour's", expire

    def delete_all() -> Iterator[Step]:
        clock.move(timedelta(hours=HOURS + 1))
        yield stream.sweep

    yield "expire all", delete_all


def _log(bench: Bench, stream: str, number: int) -> str:
    return ShardKeys(bench.namespace, stream, number).log


def _state(bench: Bench, stream: str, number: int) -> str:
    return ShardKeys(bench.namespace, stream, number).state


_NO_RATE: dict[str, Any] = {
    "shard_write_bytes": None,
    "shard_write_records": None,
    "max_get_bytes": None,
}
_UNLIMITED = rmq.Limits.aws(**_NO_RATE)

FIGURES = (
    Figure("put-records", "Put records, in batches of 500", putting, feels_latency=True),
    Figure("get-records", "Read records, 10,000 at a time", reading),
    Figure("record-memory", "Memory of a record beyond its data and key", memory),
    Figure("record-latency", "From a put to a reader that waits", waiting),
    Figure("cluster-shards", "A stream of 5 shards on a cluster", over_cluster),
    Figure("long-log", "The longest script on a long stream", long_log),
)
