"""Sending: one at a time, many tasks at once, and in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import rmq
from benchmarks.bench import BODIES, Bench
from benchmarks.figure import Figure, Row, Side, Target, compare

TASKS = 100


def one_send(bench: Bench) -> Iterator[Row]:
    """One send after the other, each waiting for its answer, from one thread.

    Fair: a bare XADD loop is one command and one round trip a message, and so are we. What we add
    is checks and an id here, and a script instead of a command there.
    """
    count = 200 if bench.latency_ms else 500
    for size, body in BODIES.items():
        with bench.client() as client, bench.floor() as floor:
            queue = client.create_queue(bench.name())

            def ours(queue: rmq.Queue = queue, body: bytes = body) -> int:
                for _ in range(count):
                    queue.send(body)
                return count

            def bare(send: Callable[[bytes], None] = floor.send, body: bytes = body) -> int:
                for _ in range(count):
                    send(body)
                return count

            result = compare(Side(ours), Side(bare), rounds=bench.rounds())
        yield result.speed(bench.case(size), Target(0.75))


def coalesced_send(bench: Bench) -> Iterator[Row]:
    """100 tasks of one process, each awaiting its own send before it makes the next.

    The floor is not bare XADD but our own send with coalescing taken away: the same client, the
    same checks, the same script, one message a call. So the ratio is what coalescing alone brings.
    It is judged on a short way. On a long one the floor hides the latency behind 100 connections,
    while we have two calls under way at a time; the row shows what is left.
    """
    each = 50
    """Long enough that making 100 tasks and their first turn in step is not what is measured."""
    target = None if bench.latency_ms else Target(8)
    for size, body in BODIES.items():
        with bench.client() as client, asyncio.Runner() as runner:
            name = bench.name()
            client.create_queue(name)
            there = bench.async_client()
            queue = there.queue(name)

            def tasks(send: Callable[[], Awaitable[object]]) -> Callable[[], int]:
                async def one() -> None:
                    for _ in range(each):
                        await send()

                async def together() -> None:
                    await asyncio.gather(*(one() for _ in range(TASKS)))

                def work(runner: asyncio.Runner = runner) -> int:
                    runner.run(together())
                    return TASKS * each

                return work

            def ours(queue: rmq.AsyncQueue = queue, body: bytes = body) -> Awaitable[object]:
                return queue.send(body)

            def alone(queue: rmq.AsyncQueue = queue, body: bytes = body) -> Awaitable[object]:
                return queue._send([rmq.Outgoing(body=body)])

            result = compare(Side(tasks(ours)), Side(tasks(alone)), rounds=bench.rounds())
            runner.run(there.close())
        yield result.speed(bench.case(size), target, "floor: each send its own call")


def send_batch(bench: Bench) -> Iterator[Row]:
    """send_many of 100 messages at a time.

    Fair: the floor is one pipeline of 100 XADD, one round trip for as many messages, outside MULTI.
    """
    count, size = (20, 100) if not bench.latency_ms else (10, 100)
    for label, body in BODIES.items():
        with bench.client() as client, bench.floor() as floor:
            queue = client.create_queue(bench.name())
            bodies = [body] * size

            def ours(queue: rmq.Queue = queue, bodies: list[bytes] = bodies) -> int:
                for _ in range(count):
                    queue.send_many(bodies)
                return count * size

            def bare(
                send: Callable[[list[bytes]], None] = floor.send_many, bodies: list[bytes] = bodies
            ) -> int:
                for _ in range(count):
                    send(bodies)
                return count * size

            result = compare(Side(ours), Side(bare), rounds=bench.rounds())
        yield result.speed(bench.case(label), Target(0.9))


FIGURES = (
    Figure("one-send", "One send at a time, sync", one_send, feels_latency=True),
    Figure(
        "coalesced-send", "100 tasks each awaiting its send", coalesced_send, feels_latency=True
    ),
    Figure("send-batch", "Send in batches of 100", send_batch, feels_latency=True),
)
