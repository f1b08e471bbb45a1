"""Pushing: 1,000 HTTP subscribers, one of which hangs."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator

import rmq
from benchmarks.bench import Bench
from benchmarks.figure import Figure, Row, Target, quartiles
from rmq.push.dispatcher import Dispatcher
from rmq.push.senders import chosen
from rmq.push.settings import PushSettings

SUBSCRIBERS = 1_000
HANGING = "hanging"


class _Listener:
    """An HTTP server that notes when each subscriber got something, and keeps one of them waiting.

    Its subscribers are paths of one address: so many servers would measure the machine.
    """

    def __init__(self) -> None:
        self.arrivals: list[float] = []
        self.expected = 0
        self.complete = asyncio.Event()
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def expect(self, count: int) -> None:
        self.arrivals, self.expected = [], count
        self.complete.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                sizes = (line for line in lines if line.lower().startswith("content-length:"))
                await reader.readexactly(int(next(sizes).partition(":")[2]))
                if HANGING in lines[0]:
                    await asyncio.sleep(3600)
                self.arrivals.append(time.perf_counter())
                if len(self.arrivals) == self.expected:
                    self.complete.set()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def close(self) -> None:
        if self._server is not None:
            self._server.close()


def hanging(bench: Bench) -> Iterator[Row]:
    """From publish until each of 1,000 HTTP subscribers has its notification, when one of them
    accepts the connection and never answers, beside the same when all answer. One dispatcher serves
    both topics; messages are published one after the other.

    Fair: the subscribers who answer are as many in both, less the one.
    """
    # The message itself costs a signature for each topic and message, on both sides alike.
    with bench.client(), asyncio.Runner() as runner:
        pairs = runner.run(_measure(bench, bench.rounds(9)))
    good, bad = ([statistics.quantiles(one, n=100)[98] for one in side] for side in pairs)
    ratios = [mine / theirs for mine, theirs in zip(bad, good, strict=True)]
    yield Row(
        case=f"{SUBSCRIBERS:,} subscribers, p99 of the others",
        measured=statistics.median(ratios),
        target=Target(1.25, at_most=True),
        ours=f"{statistics.median(bad) * 1e3:,.0f} ms",
        floor=f"{statistics.median(good) * 1e3:,.0f} ms",
        spread=quartiles(ratios),
        note="floor: none hangs",
    )


async def _measure(bench: Bench, rounds: int) -> tuple[list[list[float]], list[list[float]]]:
    listener, stopping = _Listener(), asyncio.Event()
    await listener.start()
    found: tuple[list[list[float]], list[list[float]]] = ([], [])
    async with bench.async_client() as client:
        senders = chosen(PushSettings(allow_addresses=("loopback",)), client._executor)
        dispatcher = Dispatcher(client, senders)
        topics = [await _topic(bench, client, listener.port, bad) for bad in (False, True)]
        running = asyncio.create_task(dispatcher.run(stopping, deadline=0))
        for number in range(rounds + 1):
            for bad, topic in enumerate(topics):
                listener.expect(SUBSCRIBERS - bad)
                begun = time.perf_counter()
                await topic.publish("position 52.5200 13.4050")
                await asyncio.wait_for(listener.complete.wait(), 60)
                if number:
                    found[bad].append([one - begun for one in listener.arrivals])
        stopping.set()
        await running
        await dispatcher.close()
        for topic in topics:
            await topic.delete_topic()
    listener.close()
    return found


async def _topic(bench: Bench, client: rmq.AsyncClient, port: int, bad: bool) -> rmq.AsyncTopic:
    topic = await client.create_topic(bench.name())

    async def subscribe(number: int) -> None:
        path = HANGING if bad and not number else f"{topic.name}-{number}"
        one = await topic.subscribe(f"http://127.0.0.1:{port}/{path}")
        await topic.confirm_subscription(one.token)

    for first in range(0, SUBSCRIBERS, 50):
        await asyncio.gather(*(subscribe(number) for number in range(first, first + 50)))
    # Requests to confirm were sent as well; nobody needs them.
    await client._executor.run(_forget_requests(topic))
    return topic


def _forget_requests(topic: rmq.AsyncTopic):  # type: ignore[no-untyped-def]
    from rmq.topics import inner

    yield from inner.remove(topic._registry, inner.DIRECT)


FIGURES = (Figure("push-hanging", "HTTP subscribers, one of them hanging", hanging),)
