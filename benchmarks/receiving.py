"""Receiving and deleting, and the whole life of a message: in time, and in the server's time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import rmq
from benchmarks.bench import BODIES, Bench, Floor
from benchmarks.figure import Figure, Row, Side, Target, compare

GROUPS = 1000


def receive_delete(bench: Bench) -> Iterator[Row]:
    """Receive a batch, look at each body, delete the batch; until what was sent before is gone.

    Fair: XREADGROUP with COUNT, then XACK and XDEL once each for all ids in one pipeline. That is
    two round trips a batch, and so are ours. The floor's lease never ends; ours is kept in order
    of its end, counted, and found again when its holder dies.
    """
    for batch, target in ((10, 0.4), (100, 0.5)):
        for label, body in BODIES.items():
            messages = 1000 if batch == 10 else 2000
            if bench.latency_ms and batch == 10:
                messages = 500
            with bench.client(max_receive=batch) as client, bench.floor() as floor:
                queue = client.create_queue(bench.name())
                bodies = [body] * messages

                def ours(queue: rmq.Queue = queue, batch: int = batch) -> int:
                    done = 0
                    while found := queue.receive(batch):
                        done += sum(1 for message in found if message.body)
                        queue.delete_many(found)
                    return done

                def bare(floor: Floor = floor, batch: int = batch) -> int:
                    done = 0
                    while found := floor.receive(batch):
                        done += sum(1 for _, body in found if body)
                        floor.delete_many([id for id, _ in found])
                    return done

                def fill(queue: rmq.Queue = queue, bodies: list[bytes] = bodies) -> None:
                    queue.send_many(bodies)

                def fill_bare(floor: Floor = floor, bodies: list[bytes] = bodies) -> None:
                    floor.send_many(bodies)

                result = compare(Side(ours, fill), Side(bare, fill_bare), rounds=bench.rounds())
            yield result.speed(bench.case(f"in {batch}s, {label}"), Target(target))


def server_cpu(bench: Bench) -> Iterator[Row]:
    """Processor time of the server for the whole life of a message: send, receive, delete; in tens.

    Fair: the floor's life is the same three trips: ten XADD in a pipeline, XREADGROUP, then XACK
    and XDEL in a pipeline. It counts all the server does, in the kernel too, so that what a command
    costs on the network is in both.
    """
    for label, body in BODIES.items():
        with bench.client() as client, bench.floor() as floor:
            queue = client.create_queue(bench.name())
            result = compare(
                Side(life(queue, [body] * 10, 100)),
                Side(bare_life(floor, [body] * 10, 100)),
                rounds=bench.rounds(12),
                meter=bench.cpu_s,
            )
        yield result.cost(label, Target(3, at_most=True))


def fifo(bench: Bench) -> Iterator[Row]:
    """The whole life in tens on a FIFO queue of 1,000 groups, beside our own standard queue.

    Fair: the floor is our standard queue, since nothing bare keeps order per group. Both hold 2,000
    messages all the while, so that every group has some; each FIFO message has a deduplication id.
    """
    with bench.client() as client:
        standard = client.create_queue(bench.name())
        ordered = client.create_queue(f"{bench.name()}.fifo")
        body = BODIES["100 B"]
        sends = fifo_messages(body)
        standard.send_many([body] * 2 * GROUPS)
        ordered.send_many([next(sends) for _ in range(2 * GROUPS)])

        def ours() -> int:
            for _ in range(100):
                ordered.send_many([next(sends) for _ in range(10)])
                found = ordered.receive(10)
                ordered.delete_many(found)
            return 1000

        result = compare(Side(ours), Side(life(standard, [body] * 10, 100)), rounds=bench.rounds())
    yield result.speed("100 B", Target(0.35), "floor: our standard queue")


def fifo_messages(body: bytes) -> Iterator[rmq.Outgoing]:
    """Messages for ever, to 1,000 groups by turns, each with a deduplication id of its own."""
    number = 0
    while True:
        yield rmq.Outgoing(
            body=body,
            message_group_id=f"truck-{number % GROUPS}",
            deduplication_id=f"position-{number}",
        )
        number += 1


def life(queue: rmq.Queue, bodies: list[bytes], times: int) -> Callable[[], int]:
    """Send, receive and delete a batch, *times* over."""

    def work() -> int:
        for _ in range(times):
            queue.send_many(bodies)
            found = queue.receive(len(bodies))
            queue.delete_many(found)
        return times * len(bodies)

    return work


def bare_life(floor: Floor, bodies: list[bytes], times: int) -> Callable[[], int]:
    """The same in bare commands."""

    def work() -> int:
        for _ in range(times):
            floor.send_many(bodies)
            found = floor.receive(len(bodies))
            floor.delete_many([id for id, _ in found])
        return times * len(bodies)

    return work


FIGURES = (
    Figure("receive-delete", "Receive and delete in batches", receive_delete, feels_latency=True),
    Figure("server-cpu", "Server CPU a message, whole life in tens", server_cpu),
    Figure("fifo", "FIFO with 1,000 groups, whole life in tens", fifo),
)
