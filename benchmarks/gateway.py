"""The endpoint: what HTTP and AWS's protocol cost, and what another emulator takes for the same.

Every request is what boto3 sends; `load.py` makes it without taking the machine away from those
under measurement. A row counts requests, so that receive and delete are two for a message.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import boto3

import rmq
from benchmarks import endpoints, load
from benchmarks.bench import Bench
from benchmarks.figure import Comparison, Figure, Row, Side, Target, compare, quartiles

WORKS = {"send": "SendMessage", "receive+delete": "ReceiveMessage + DeleteMessage"}
CONNECTIONS = (1, 64)
SHORT = 64
"""Most messages in a queue of moto's: to send or receive one, it looks at every other."""
THREADS = 8
"""Of boto3, each with a client of its own."""
LOOKED_AT = ("SendMessage", "ReceiveMessage")
PERCENTILES = (50, 99)

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Contender:
    """An endpoint under load."""

    queue: Callable[[], load.Target]
    """An empty queue."""
    messages: dict[int, int]
    """How many a round has, by the number of connections."""


def beside_bare(bench: Bench) -> Iterator[Row]:
    """Requests a second beside an application that reads the request and answers the same bytes.

    Fair: the same granian with the same settings and one worker, loaded by the same `rmq serve`;
    only what it runs is exchanged. The floor has the machine to itself and the generator, we share
    it with the server of the queues too. The endpoint writes its access log, as it does by default.
    """
    with bench.client(), ExitStack() as stack:
        port = stack.enter_context(endpoints.ours(bench))
        given = endpoints.answers(endpoints.new_queue(port, bench.name()))
        echo = stack.enter_context(endpoints.bare(given))
        queue = endpoints.new_queue(port, bench.name())
        messages = {1: 300, 64: 1000}
        yield from _rates(
            # Both need more than a core at 64, and what a neighbour takes does not hit them alike.
            {1: bench.rounds(7), 64: bench.rounds(21)},
            Contender(lambda: queue, messages),
            Contender(lambda: load.Target(echo, queue.queue_url, checked=False), messages),
            targets={64: Target(0.3)},
        )
        endpoints.check_empty(queue)


def beside_moto(bench: Bench) -> Iterator[Row]:
    """Requests a second beside moto's server, in raw requests and with boto3.

    Fair: the same requests, each server as it starts by default. moto keeps its messages in its own
    memory and gets short queues, because its long ones are slow. The raw requests show the servers.
    boto3 takes 1.4 ms of processor time a request, all threads together: that bounds our side.
    """
    with bench.client(), ExitStack() as stack:
        try:
            other = stack.enter_context(endpoints.moto())
        except endpoints.RivalMissing as error:
            yield Row(case=f"no moto {endpoints.MOTO}: {error}", measured=0, target=Target(5))
            return
        port = stack.enter_context(endpoints.ours(bench))
        queue = endpoints.new_queue(port, bench.name())

        def moto_queue() -> load.Target:
            # A new one: where moto handed a message to two, another one stays behind.
            return replace(endpoints.new_queue(other, bench.name()), may_repeat=True)

        yield from _rates(
            dict.fromkeys(CONNECTIONS, bench.rounds(3)),
            Contender(lambda: queue, {1: 200, 64: 600}),
            Contender(moto_queue, {1: SHORT // 2, 64: SHORT}),
            targets=dict.fromkeys(CONNECTIONS, Target(5)),
            note=f"floor: moto {endpoints.MOTO}",
        )
        with _boto3(queue, 8) as mine, _boto3(moto_queue(), 4) as theirs:
            result = compare(Side(mine), Side(theirs), rounds=bench.rounds(3))
        endpoints.check_empty(queue)
        yield result.speed(
            f"boto3 in {THREADS} threads, send + receive + delete",
            None,
            f"floor: moto {endpoints.MOTO}",
        )


def latency(bench: Bench) -> Iterator[Row]:
    """What the endpoint adds to a request while nothing else is asked of it.

    One connection, one request at a time, beside the library in asyncio, with the same server and
    queue. A message is received as soon as it was sent, and then deleted. A percentile is taken of
    each round, and the row is the median of what they differ by.
    """
    count = 200
    took: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
    with bench.client(), endpoints.ours(bench) as port, load.Load() as generator:
        queue = endpoints.new_queue(port, bench.name())
        with asyncio.Runner() as runner:
            client = bench.async_client()
            direct = client.queue(queue.queue_url.rpartition("/")[2])

            def ours() -> load.Latencies:
                return generator.run(queue, "one by one", count, connections=1).latencies

            def library() -> load.Latencies:
                return runner.run(_one_by_one(direct, count))

            for by_endpoint, by_library in _turns(bench.rounds(5), ours, library):
                for action, percent in itertools.product(LOOKED_AT, PERCENTILES):
                    pair = (_percentile(by[action], percent) for by in (by_endpoint, by_library))
                    took[action, percent].append(tuple(pair))
            runner.run(client.close())
        endpoints.check_empty(queue)
    for (action, percent), pairs in took.items():
        added = [ours_s - library_s for ours_s, library_s in pairs]
        ours_us, library_us = (statistics.median(side) * 1e6 for side in zip(*pairs, strict=True))
        low, high = quartiles(added)
        yield Row(
            case=f"{action}, p{percent}",
            measured=statistics.median(added) * 1e6,
            target=None,
            ours=f"{ours_us:,.0f} µs",
            floor=f"{library_us:,.0f} µs",
            spread=(low * 1e6, high * 1e6),
            note="floor: the library",
        )


async def _one_by_one(queue: rmq.AsyncQueue, count: int) -> load.Latencies:
    """What the load does under this name, by the library."""
    took: load.Latencies = {action: [] for action in LOOKED_AT}
    body, clock = load.BODY.encode(), time.perf_counter
    gc.collect()
    gc.disable()
    try:
        for _ in range(count):
            begun = clock()
            await queue.send(body)
            took["SendMessage"].append(clock() - begun)
            begun = clock()
            (message,) = await queue.receive()
            took["ReceiveMessage"].append(clock() - begun)
            await message.delete()
    finally:
        gc.enable()
    return took


def _percentile(seconds: list[float], percent: int) -> float:
    return statistics.quantiles(seconds, n=100)[percent - 1]


def _rates(
    rounds: dict[int, int],
    ours: Contender,
    floor: Contender,
    targets: dict[int, Target],
    note: str = "",
) -> Iterator[Row]:
    """Let both carry the load by turns; *rounds* and *targets* by the number of connections."""
    with load.Load() as generator:
        for connections in CONNECTIONS:

            def carry(one: Contender, connections: int = connections) -> dict[str, load.Outcome]:
                queue, count = one.queue(), one.messages[connections]
                return {
                    work: generator.run(queue, work, count, connections=connections)
                    for work in WORKS
                }

            pairs = list(_turns(rounds[connections], partial(carry, ours), partial(carry, floor)))
            for work, title in WORKS.items():
                mine, theirs = ([one[work] for one in side] for side in zip(*pairs, strict=True))
                result = Comparison(
                    tuple(one.seconds / one.requests for one in mine),
                    tuple(one.seconds / one.requests for one in theirs),
                )
                busy = statistics.median(one.cpu_s / one.seconds for one in mine)
                notes = [note] if note else []
                notes += [f"generator {busy:.0%} of a core"]
                repeated = sum(one.repeated for one in theirs)
                notes += [f"moto gave {repeated} messages twice"] if repeated else []
                yield result.speed(
                    f"{title}, {connections} connection{'s' if connections > 1 else ''}",
                    targets.get(connections),
                    "; ".join(notes),
                )


def _turns(
    rounds: int, ours: Callable[[], Found], floor: Callable[[], Found]
) -> Iterator[tuple[Found, Found]]:
    """What both found, round by round, after one round that does not count. See `figure.py`."""
    for number in range(rounds + 1):
        if number % 2:
            mine, theirs = ours(), floor()
        else:
            theirs, mine = floor(), ours()
        if number:
            yield mine, theirs


@contextmanager
def _boto3(queue: load.Target, times: int) -> Iterator[Callable[[], int]]:
    """Work for boto3: in threads with a client each, send, receive and delete, *times* over.

    It returns how many requests that were, and raises LoadFailed for a message that got lost.
    """
    clients = [
        boto3.client(
            "sqs",
            endpoint_url=f"http://{load.HOST}:{queue.port}",
            region_name="us-east-1",
            aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
            aws_secret_access_key="secret",
        )
        for _ in range(THREADS)
    ]
    where = {"QueueUrl": queue.queue_url}

    def live(client: Any) -> tuple[list[str], list[str]]:
        sent, received = [], []
        for _ in range(times):
            sent.append(client.send_message(**where, MessageBody=load.BODY)["MessageId"])
            for message in client.receive_message(**where).get("Messages", ()):
                received.append(message["MessageId"])
                client.delete_message(**where, ReceiptHandle=message["ReceiptHandle"])
        return sent, received

    with ThreadPoolExecutor(THREADS) as pool:

        def work() -> int:
            sent, received = map(list, zip(*pool.map(live, clients), strict=True))
            sent, received = (sorted(itertools.chain(*side)) for side in (sent, received))
            if sent != received and not queue.may_repeat:
                raise load.LoadFailed(f"boto3 sent {len(sent)} and received {len(received)}")
            return len(sent) * 2 + len(received)

        yield work
    for client in clients:
        client.close()


FIGURES = (
    Figure("endpoint-bare", "Endpoint, beside a bare granian application", beside_bare),
    Figure("endpoint-moto", "Endpoint, beside moto's server", beside_moto),
    Figure("endpoint-latency", "What the endpoint adds to a request (µs)", latency),
)
