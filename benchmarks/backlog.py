"""A long queue: what a message takes while it lies there, and whether its neighbours matter."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import rmq
from benchmarks.bench import BODIES, Bench
from benchmarks.fair import fair_messages
from benchmarks.figure import Figure, Row, Side, Target, compare
from benchmarks.receiving import GROUPS, fifo_messages, life
from benchmarks.slowlog import BOUND_US, Slowlog, Step
from rmq.core.keys import QueueKeys
from rmq.testing import HeldClock

BODY = BODIES["100 B"]
SENDS: dict[str, Callable[[bytes], Iterator[bytes | rmq.Outgoing]]] = {
    "standard": itertools.repeat,
    "fair": fair_messages,
    "fifo": fifo_messages,
}
"""Kinds of queues, and what is sent to each: messages for ever."""
FILL = 10_000
"""Messages handed to one send_many while a queue is filled."""
EXPIRING = 1_000
"""Messages whose retention ends before a sweep."""
BEYOND = " at once"
"""Shown and not judged: who asks for 1,000 at once has chosen to hold up the others."""


def memory(bench: Bench) -> Iterator[Row]:
    """Bytes of server memory a message takes beyond its body of 100 bytes, while it is queued.

    Fair: INFO memory before and after, so that it counts the allocator's rounding and every index
    we keep. The floor is a bare stream with the same bodies.
    """
    count = 50_000 if bench.quick else 200_000
    # The first script compiles and the first connection has buffers: neither is a message's.
    with bench.client() as client:
        for kind in SENDS:
            _fill(client.create_queue(_name(bench, kind)), 100, kind)

    with bench.floor() as floor:
        empty = _used(bench)
        for _ in range(count // FILL):
            for _ in range(FILL // 100):
                floor.send_many([BODY] * 100)
        bare = (_used(bench) - empty) / count - len(BODY)

    notes = {
        "standard": "floor: bare stream",
        "fair": "1,000 groups",
        "fifo": "with deduplication ids",
    }
    for kind, bound in (("standard", 40), ("fair", 200), ("fifo", 350)):
        with bench.client() as client:
            queue = client.create_queue(_name(bench, kind))
            # What a queue takes by itself, and each of its groups.
            _fill(queue, 10 if kind == "standard" else GROUPS, kind)
            empty = _used(bench)
            _fill(queue, count, kind)
            beyond = (_used(bench) - empty) / count - len(BODY)
        yield Row(
            case=f"{kind}, {count:,} queued",
            measured=beyond,
            target=Target(bound, at_most=True, unit="B"),
            ours=f"{beyond:.1f} B",
            floor=f"{bare:.1f} B",
            note=notes[kind],
        )


def backlog(bench: Bench) -> Iterator[Row]:
    """Send, receive and delete in tens on a queue of 1,000,000, beside our own empty queue."""
    count = 100_000 if bench.quick else 1_000_000
    with bench.client() as client:
        long, empty = (client.create_queue(bench.name()) for _ in range(2))
        _fill(long, count)
        result = compare(
            Side(life(long, [BODY] * 10, 50)),
            Side(life(empty, [BODY] * 10, 50)),
            rounds=bench.rounds(21),
        )
    yield result.speed(f"{count:,} queued", Target(0.9), "floor: our empty queue")


def longest_script(bench: Bench) -> Iterator[Row]:
    """The longest that one script holds up the server, for each operation on a queue of 1,000,000.

    By the server's own slow log, which leaves out the network. It can not leave out that the system
    may give the processor to someone else in the middle. So a script took no longer than what its
    step cost the server's thread in processor time; each step is done in several passes; and what
    counts is the slowest step by its best pass. The clock is held, so that a pass can let leases
    and retention end.
    """
    count = 100_000 if bench.quick else 1_000_000
    passes = 3 if bench.quick else 5
    target = Target(BOUND_US, at_most=True, unit="µs")
    for kind in SENDS:
        # A FIFO queue takes longer to fill; a fifth of it shows the same growth.
        size = count // 5 if kind == "fifo" else count
        worst: dict[str, tuple[float, str]] = {}
        with bench.client() as client, Slowlog(bench) as slowlog:
            work = _Work(bench, client.namespace, kind=kind, size=size, passes=passes)
            try:
                for name, steps in work.operations():
                    worst[name] = slowlog.longest(steps, passes)
            finally:
                work.close()
        judged = [name for name in worst if not name.endswith(BEYOND)]
        longest = max(judged, key=lambda name: worst[name][0])
        for number, (name, (took, which)) in enumerate(worst.items()):
            notes = [] if number else [f"{size:,} queued"]
            notes += [] if which.removesuffix("_fifo") in name else [which]
            notes += ["the longest"] if name == longest else []
            yield Row(
                case=f"{kind}: {name}",
                measured=took,
                target=None if name.endswith(BEYOND) else target,
                ours=f"{took:,.0f} µs",
                note=", ".join(notes),
            )


class _Work:
    """Every operation on one long queue, each as passes of steps."""

    def __init__(self, bench: Bench, namespace: str, *, kind: str, size: int, passes: int) -> None:
        self.bench = bench
        self.is_fifo = kind == "fifo"
        self.size = size
        self.passes = passes
        self.clock = HeldClock()
        self.client = rmq.connect(
            bench.url,
            namespace=namespace,
            clock=self.clock,
            limits=rmq.Limits.aws(max_receive=1000, max_in_flight=None),
        )
        end = ".fifo" if self.is_fifo else ""
        self.queue = self.client.create_queue(f"long-{kind}{end}", visibility_timeout=3600)
        self.dead = self.client.create_queue(f"dead-{kind}{end}")
        self.sends = SENDS[kind](BODY)
        self.keys = QueueKeys(namespace, self.queue.name).all()
        self.found: list[rmq.Message] = []
        self.fill()

    def close(self) -> None:
        self.client.close()

    def fill(self) -> None:
        """A part for each pass that will expire an hour apart, and days later all the rest."""
        for _ in range(self.passes):
            self.queue.send_many(list(itertools.islice(self.sends, EXPIRING)))
            self.clock.move(timedelta(hours=1))
        self.clock.move(timedelta(days=3))
        for _ in range(self.size // FILL):
            self.queue.send_many(list(itertools.islice(self.sends, FILL)))
        self.clock.move(timedelta(days=1) - timedelta(hours=self.passes, minutes=30))

    def operations(self) -> Iterator[tuple[str, Callable[[], Iterable[Step]]]]:
        """Names, and what makes the steps of one pass. Each leaves the queue about as long.

        What a pass does before its first step is not looked at.
        """
        yield f"sweep, {EXPIRING:,} expired", self._expire
        yield "send 100", lambda: [self._send] * 50
        yield "receive 10", partial(self._receive, 10, 30)
        # A FIFO receive is one script call, because a second would find the groups locked: with
        # SQS's limits it is 10 at most, and more is the choice of who lifts them.
        lifted = BEYOND if self.is_fifo else ""
        yield f"receive 100{lifted}", partial(self._receive, 100, 5)
        yield "receive 10, leases ended", partial(self._receive_again, 10)
        yield f"receive 100, leases ended{lifted}", partial(self._receive_again, 100)
        yield "change_visibility 100", self._change
        yield "delete 100", self._delete
        yield "peek 10", lambda: [partial(self.queue.peek, 10)] * 20
        yield "stats", lambda: [self.queue.stats] * 5
        yield "set_attributes", self._set
        yield "dead letters", self._die
        yield "redrive", self._redrive
        yield "purge", self._purge
        yield f"receive 1000{BEYOND}", partial(self._receive, 1000, 1)
        yield f"peek 1000{BEYOND}", lambda: [partial(self.queue.peek, 1000)] * 3

    def _send(self) -> None:
        self.queue.send_many(list(itertools.islice(self.sends, 100)))

    def _receive(self, count: int, times: int) -> Iterator[Step]:
        """Receives of what nobody has received before; on FIFO, from groups that are all free."""
        self._done()
        for _ in range(times):
            yield lambda: self.found.extend(self.queue.receive(count))

    def _receive_again(self, count: int) -> Iterator[Step]:
        self._hold(500)
        self.clock.move(2 * 3600)
        for _ in range(5):
            yield lambda: self.found.extend(self.queue.receive(count))

    def _change(self) -> Iterator[Step]:
        for part in self._hold(500):
            yield partial(self.queue.change_visibility_many, [(one, 7200) for one in part])

    def _delete(self) -> Iterator[Step]:
        for part in self._hold(500):
            yield partial(self.queue.delete_many, part)
        self.found = []

    def _hold(self, count: int) -> list[list[rmq.Message]]:
        """Fresh leases on *count* messages, in hundreds; of a FIFO group ten, SQS's limit."""
        self._done()
        size = 10 if self.is_fifo else 100
        held = [self.queue.receive(size) for _ in range(count // size)]
        found = list(itertools.chain.from_iterable(held))
        parts = [found[start : start + 100] for start in range(0, len(found), 100)]
        self.found = list(itertools.chain.from_iterable(parts))
        return parts

    def _done(self) -> None:
        """Delete what is held, so that the next receive begins where nobody has been."""
        self.queue.delete_many(self.found)
        self.found = []

    def _set(self) -> Iterator[Step]:
        for seconds in (1800, 3600):
            yield partial(self.queue.set_attributes, visibility_timeout=seconds)

    def _die(self) -> Iterator[Step]:
        """Receives that move a hundred messages (FIFO: ten) to the dead-letter queue, and that."""
        self._hold(500)
        self.clock.move(2 * 3600)
        self.queue.set_attributes(
            redrive_policy={"dead_letter_queue": self.dead.name, "max_receive_count": 1}
        )
        for _ in range(5):
            yield partial(self.queue.receive, 10 if self.is_fifo else 100)
        self.queue.set_attributes(redrive_policy=None)
        self.clock.move(2 * 3600)
        self.found = []

    def _redrive(self) -> Iterator[Step]:
        """The long queue is itself a dead-letter queue, and is taken back a few steps far."""
        end = ".fifo" if self.is_fifo else ""
        source = self.client.create_queue(
            f"source-of-{self.queue.name.removesuffix(end)}{end}",
            redrive_policy={"dead_letter_queue": self.queue.name, "max_receive_count": 1},
        )
        steps = 0

        def progress(task: rmq.RedriveTask) -> None:
            nonlocal steps
            steps += 1
            if steps == 10:
                self.queue.cancel_redrive(task.id)

        yield lambda: self.queue.redrive(source.name, progress=progress)

    def _expire(self) -> Iterator[Step]:
        """The retention of one part ends, and a sweep removes it in as many steps as it needs."""
        self.clock.move(timedelta(hours=1))
        yield self.queue.sweep

    def _purge(self) -> Iterator[Step]:
        with self._kept():
            yield self.queue.purge

    def _kept(self) -> _Kept:
        return _Kept(self.bench, self.keys)


class _Kept:
    """Copies a queue aside and puts it back: quicker than to send a million messages again."""

    def __init__(self, bench: Bench, keys: list[str]) -> None:
        self.bench = bench
        self.keys = keys

    def __enter__(self) -> None:
        for key in self.keys:
            self.bench.admin.copy(key, f"{key}:kept", replace=True)

    def __exit__(self, *error: Any) -> None:
        self.bench.admin.unlink(*self.keys)
        for key in self.keys:
            with suppress(Exception):
                self.bench.admin.rename(f"{key}:kept", key)
        self.bench.settle()


def _name(bench: Bench, kind: str) -> str:
    return f"{bench.name()}.fifo" if kind == "fifo" else bench.name()


def _fill(queue: rmq.Queue, count: int, kind: str = "standard") -> None:
    sends = SENDS[kind](BODY)
    for done in range(0, count, FILL):
        queue.send_many(list(itertools.islice(sends, min(FILL, count - done))))


def _used(bench: Bench) -> int:
    """Memory in use, once it has stopped shrinking: tables that grew are moved bit by bit."""
    lowest, since = None, time.monotonic()
    while time.monotonic() - since < 0.3:
        used = int(bench.admin.info("memory")["used_memory"])
        if lowest is None or used < lowest - 1024:
            lowest, since = used, time.monotonic()
        time.sleep(0.02)
    assert lowest is not None
    return lowest


FIGURES = (
    Figure("memory", "Memory a message beyond its body", memory),
    Figure("backlog", "Rate with a long queue against an empty one", backlog),
    Figure("longest-script", "Longest script", longest_script),
)
