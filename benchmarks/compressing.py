"""Compressing: what a queue that compresses takes and spares, beside our own that does not.

The messages are orders of 100 bytes of JSON, no two of them alike, and lists of ten such orders.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import rmq
from benchmarks.bench import Bench
from benchmarks.figure import Figure, Row, Side, compare
from benchmarks.rivals.orders import orders
from rmq.core.codec import pack
from rmq.core.compression import expand

STEP = 100
"""Messages in one call."""
COUNT = 2_000
"""Messages of a round."""


def compressing(bench: Bench) -> Iterator[Row]:
    """Nothing is judged: who switches it on pays time for memory."""
    ones = [one.encode() for one in orders(COUNT)]
    lists = [b"[" + b",".join(ones[at : at + 10]) + b"]" for at in range(COUNT - 10)]
    for size, bodies in (("100 B", ones), ("1 KiB", lists)):
        with bench.client() as client:
            small = client.create_queue(bench.name(), compression="deflate")
            plain = client.create_queue(bench.name())
            _send(small, bodies[:STEP])
            small.purge()
            yield from _alone(small.info(), bodies, size)
            yield _memory(bench, small, plain, bodies, size)
            rounds = bench.rounds()
            result = compare(_sends(small, bodies), _sends(plain, bodies), rounds=rounds)
            yield result.speed(f"send in hundreds, {size}", None)
            result = compare(_drains(small, bodies), _drains(plain, bodies), rounds=rounds)
            yield result.speed(f"receive and delete in hundreds, {size}", None)


def _send(queue: rmq.Queue, bodies: Sequence[bytes]) -> int:
    for at in range(0, len(bodies), STEP):
        queue.send_many(bodies[at : at + STEP])
    return len(bodies)


def _sends(queue: rmq.Queue, bodies: Sequence[bytes]) -> Side:
    return Side(lambda: _send(queue, bodies), lambda: queue.purge() and None)


def _drains(queue: rmq.Queue, bodies: Sequence[bytes]) -> Side:
    def drain() -> int:
        done = 0
        while found := queue.receive(10):
            done += sum(1 for message in found if message.body)
            queue.delete_many(found)
        return done

    def fill() -> None:
        queue.purge()
        _send(queue, bodies)

    return Side(drain, fill)


def _alone(info: rmq.QueueInfo, bodies: Sequence[bytes], size: str) -> Iterator[Row]:
    """The processor time of one message, without Redis."""
    packed = [pack(body) for body in bodies]
    made = list(map(info.deflate.compress, packed))
    share = sum(map(len, made)) / sum(map(len, packed))
    for case, work, what in (
        ("compress", info.deflate.compress, packed),
        ("expand", lambda one: expand(one, info.dictionaries), made),
    ):
        took = min(_each(work, what) for _ in range(5)) * 1e6
        note = f"to {share:.0%}" if case == "compress" else ""
        yield Row(
            case=f"{case}, {size}", measured=took, target=None, ours=f"{took:.1f} µs", note=note
        )


def _each(work: Callable[[bytes], bytes], what: Sequence[bytes]) -> float:
    begun = time.perf_counter()
    for one in what:
        work(one)
    return (time.perf_counter() - begun) / len(what)


def _memory(
    bench: Bench, small: rmq.Queue, plain: rmq.Queue, bodies: Sequence[bytes], size: str
) -> Row:
    """What Redis has more for each message."""
    took = {}
    for queue in (small, plain):
        before = bench.admin.info("memory")["used_memory"]
        _send(queue, bodies)
        took[queue] = (bench.admin.info("memory")["used_memory"] - before) / len(bodies)
        queue.purge()
        bench.settle()
    return Row(
        case=f"memory, {size}",
        measured=took[small] / took[plain],
        target=None,
        ours=f"{took[small]:.0f} B",
        floor=f"{took[plain]:.0f} B",
    )


FIGURES = (Figure("compression", "A queue that compresses, beside one that does not", compressing),)
