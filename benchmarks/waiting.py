"""Waiting: what a consumer costs that has nothing to do, and who wakes when there is something."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import rmq
from benchmarks.bench import Bench
from benchmarks.figure import Figure, Row, Target

WAIT_S = 20
"""A long poll, as long as they get."""
CALM_S = 0.5
"""How long nobody else may wake after the one who should have."""
READY_S = 30.0
"""The longest that all consumers together may take until they wait."""


def idle(bench: Bench) -> Iterator[Row]:
    """One consumer in a long poll of 20 s on an empty queue, one in a thread and one in asyncio.

    There is nothing to compare with: a wait that costs no command but its block is the floor. We
    watch a part of it; the message that ends the wait shows that it was one.
    """
    watched_s = 2.0 if bench.quick else 6.0
    for colour in ("sync", "async"):
        with bench.client() as client:
            queue = client.create_queue(bench.name())
            found: list[int] = []

            def consume(
                colour: str = colour, name: str = queue.name, found: list[int] = found
            ) -> None:
                if colour == "sync":
                    with bench.client() as own:
                        found.append(len(own.queue(name).receive(wait=WAIT_S)))
                else:
                    asyncio.run(_receive_once(bench, name, found))

            consumer = threading.Thread(target=consume)
            consumer.start()
            bench.until(lambda: bench.admin.info("clients")["blocked_clients"] == 1, READY_S)
            before = bench.calls()
            time.sleep(watched_s)
            extra = _more(before, bench.calls())
            queue.send(b"wake up")
            consumer.join()
        if found != [1]:
            raise AssertionError(f"the waiting consumer received {found}")
        yield Row(
            case=f"{colour}, {watched_s:g} s watched",
            measured=sum(extra.values()),
            target=Target(0, at_most=True, unit="commands"),
            ours=" ".join(f"{name} {count}" for name, count in extra.items()) or "none",
        )


async def _receive_once(bench: Bench, name: str, found: list[int]) -> None:
    async with bench.async_client() as client:
        found.append(len(await client.queue(name).receive(wait=WAIT_S)))


def wake(bench: Bench) -> Iterator[Row]:
    """Many consumers wait for one queue; one message comes.

    A crowd that all wakes for one message is what this is about, so we count both who returned and
    who asked the server again: looks are scripts that ran after the send, beside the send itself.
    """
    yield asyncio.run(_wake_tasks(bench, 1000))
    yield _wake_threads(bench, 50)


async def _wake_tasks(bench: Bench, count: int) -> Row:
    with bench.client() as client:
        queue = _used(client.create_queue(bench.name()))
        async with bench.async_client() as there:
            one = await there.get_queue(queue.name)
            tasks = [asyncio.create_task(one.receive(wait=WAIT_S)) for _ in range(count)]
            before = await _all_wait(bench, there, count)
            await asyncio.to_thread(queue.send, b"for one")
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(CALM_S)
            woken = sum(1 for task in tasks if task.done())
            looks = _scripts(before, bench.calls()) - 1
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return _woken(f"{count:,} tasks in one process", woken, looks)


async def _all_wait(bench: Bench, client: rmq.AsyncClient, count: int) -> dict[str, int]:
    """Wait until *count* tasks have looked and stand in line, and no look follows. Returns the
    calls so far. How many looks that took says nothing: those of tasks go out together."""
    deadline = time.monotonic() + READY_S
    calm_since, last = time.monotonic(), bench.calls()
    while time.monotonic() - calm_since < CALM_S:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{count} tasks did not all wait within {READY_S} s")
        await asyncio.sleep(0.05)
        now = bench.calls()
        waiting = sum(len(line.waiting) for line in client._executor._lines.values())
        if now != last or waiting < count or not _blocked(bench):
            calm_since, last = time.monotonic(), now
    return last


def _wake_threads(bench: Bench, count: int) -> Row:
    with bench.client() as client:
        queue = _used(client.create_queue(bench.name()))
        returned: list[int] = []
        first = threading.Event()

        def consume() -> None:
            found = queue.receive(wait=WAIT_S)
            returned.append(len(found))
            first.set()

        threads = [threading.Thread(target=consume) for _ in range(count)]
        for thread in threads:
            thread.start()
        bench.until(lambda: _blocked(bench) == count, READY_S)
        before = bench.calls()
        queue.send(b"for one")
        first.wait(READY_S)
        time.sleep(CALM_S)
        woken, looks = len(returned), _scripts(before, bench.calls()) - 1
        queue.send_many([b"go home"] * (count - 1))
        for thread in threads:
            thread.join()
    return _woken(f"{count} threads, each its own block", woken, looks)


def _used(queue: rmq.Queue) -> rmq.Queue:
    """A queue whose scripts the server knows: asking for one in vain would count as a look."""
    queue.send(b"before")
    for message in queue.receive():
        message.delete()
    return queue


def _woken(case: str, woken: int, looks: int) -> Row:
    """The worse of both counts is what is judged; 0 woken is as wrong as 2."""
    return Row(
        case=case,
        measured=max(woken, looks) if woken else 99,
        target=Target(1, at_most=True, unit="woken"),
        ours=f"{woken} returned, {looks} looked",
    )


def _blocked(bench: Bench) -> int:
    return int(bench.admin.info("clients")["blocked_clients"])


def _more(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    grown = {name: count - before.get(name, 0) for name, count in after.items()}
    return {name: count for name, count in grown.items() if count}


def _scripts(before: dict[str, int], after: dict[str, int]) -> int:
    """Script calls from outside; EVAL is an EVALSHA that was not known yet."""
    grown = _more(before, after)
    return grown.get("evalsha", 0) + grown.get("eval", 0)


FIGURES = (
    Figure("idle", "Idle consumer in a long poll", idle),
    Figure("wake", "Many consumers wait, one message comes", wake),
)
