"""Fair queues: what message groups cost on a standard queue, and what they spare a quiet tenant."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator

import rmq
from benchmarks.bench import BODIES, Bench
from benchmarks.figure import Figure, Row, Side, Target, compare, quartiles
from benchmarks.receiving import GROUPS

BODY = BODIES["100 B"]
QUIET = b"quiet"
EVERY = 5
"""Batches of ten between two messages of the quiet tenant."""


def fair(bench: Bench) -> Iterator[Row]:
    """Receive and delete in tens from a queue of 1,000 groups, beside our own without groups.

    Fair: the floor is our standard queue, since nothing bare takes turns. Both hold 1,000 messages
    that were sent before a round, and the round ends when they are gone.
    """
    with bench.client() as client:
        grouped, plain = (client.create_queue(bench.name()) for _ in range(2))
        sends = fair_messages(BODY)

        def drain(queue: rmq.Queue) -> int:
            done = 0
            while found := queue.receive(10):
                done += sum(1 for message in found if message.body)
                queue.delete_many(found)
            return done

        result = compare(
            Side(
                lambda: drain(grouped),
                lambda: grouped.send_many(list(itertools.islice(sends, GROUPS))) and None,
            ),
            Side(lambda: drain(plain), lambda: plain.send_many([BODY] * GROUPS) and None),
            rounds=bench.rounds(),
        )
    yield result.speed("100 B", Target(0.35), "floor: our queue without groups")


def dwell(bench: Bench) -> Iterator[Row]:
    """How long a message of a quiet tenant waits beside a noisy one with a long queue.

    One consumer receives and deletes in tens as fast as it can. Every now and then the quiet tenant
    sends a message, and we take the time until the consumer has it. The floor is the same without
    groups: one such message, behind everything that was there.
    """
    count = 20_000 if bench.quick else 100_000
    with bench.client() as client:
        alone, shared = (client.create_queue(bench.name()) for _ in range(2))
        _fill(alone, [BODY] * count)
        begun = time.perf_counter()
        alone.send(QUIET)
        while not any(one.body == QUIET for one in _consume(alone)):
            pass
        behind = time.perf_counter() - begun

        _fill(shared, [rmq.Outgoing(BODY, message_group_id="noisy")] * count)
        quiet = rmq.Outgoing(QUIET, message_group_id="quiet")
        waits: list[float] = []
        for _ in range(count // 100):
            for _ in range(EVERY):
                _consume(shared)
            begun = time.perf_counter()
            shared.send_many([quiet])
            while not any(one.body == QUIET for one in _consume(shared)):
                pass
            waits.append((time.perf_counter() - begun) * 1000)
    middle = statistics.median(waits)
    yield Row(
        case=f"{count:,} of the noisy one queued",
        measured=middle,
        target=Target(5 + 4 * bench.latency_ms, at_most=True, unit="ms"),
        ours=f"{middle:.2f} ms",
        floor=f"{behind * 1000:,.0f} ms",
        spread=quartiles(waits),
        note="floor: without groups",
    )


def fair_messages(body: bytes) -> Iterator[rmq.Outgoing]:
    """Messages for ever, of 1,000 groups by turns."""
    for number in itertools.count():
        yield rmq.Outgoing(body, message_group_id=f"tenant-{number % GROUPS}")


def _consume(queue: rmq.Queue) -> list[rmq.Message]:
    found = queue.receive(10)
    queue.delete_many(found)
    return found


def _fill(queue: rmq.Queue, messages: list[bytes] | list[rmq.Outgoing]) -> None:
    for start in range(0, len(messages), 10_000):
        queue.send_many(messages[start : start + 10_000])


FIGURES = (
    Figure("fair", "1,000 groups on a standard queue, receive and delete in tens", fair),
    Figure("fair-dwell", "A quiet tenant's message beside a noisy one", dwell),
)
