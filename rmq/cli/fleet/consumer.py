"""Consumer: take from both queues, work, note, delete; until told to leave, or killed.

As a process of its own (`python -m rmq.cli.fleet.consumer`) it reads one line of JSON from stdin,
which says what to do; the end of stdin tells it to leave, also when its parent has died.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

import rmq
from rmq import Message, Queue
from rmq.cli.fleet.journal import Journal
from rmq.cli.fleet.scenario import ORDERS, POISON, POSITIONS
from rmq.errors import StaleReceipt

BATCH = 10
IDLE_WAIT_S = 0.2
"""How long a consumer with nothing to do waits for a position before it looks at the orders."""


class Assignment(msgspec.Struct):
    """What a process is told. On stdin: others can read a command line, and the URL."""

    url: str
    namespace: str
    journal: str


def consume(
    client: rmq.Client,
    journal: Journal,
    leaving: Callable[[], bool],
    survive: Callable[[], None] = lambda: None,
) -> None:
    """Work until *leaving*. *survive* is called wherever death is worst; it may raise."""
    positions, orders = client.queue(POSITIONS), client.queue(ORDERS)
    wait = 0.0
    while not leaving():
        found = positions.receive(BATCH, wait=wait)
        survive()
        _work_in_order(journal, found, survive)
        taken = orders.receive(BATCH)
        survive()
        _work_in_bulk(journal, orders, taken, survive)
        wait = 0.0 if found or taken else IDLE_WAIT_S


def _work_in_order(journal: Journal, messages: list[Message], survive: Callable[[], None]) -> None:
    """One after the other. A lease that has ended takes the rest of its batch along: someone else
    may hold the truck's next position by now, so ours must not be worked off after it."""
    for message in messages:
        _note_work(journal, message)
        survive()
        try:
            deleted = message.delete()
        except StaleReceipt:
            return
        survive()
        if deleted:
            _note_done(journal, message)


def _work_in_bulk(
    journal: Journal, queue: Queue, messages: list[Message], survive: Callable[[], None]
) -> None:
    """All at once, because orders need no order. The poisoned one is given back."""
    good = []
    for message in messages:
        if message.body == POISON:
            message.release()
        else:
            _note_work(journal, message)
            good.append(message)
    survive()
    answers = queue.delete_many(good)
    survive()
    for message, deleted in zip(good, answers, strict=True):
        if deleted is True:
            _note_done(journal, message)


def _note_work(journal: Journal, message: Message) -> None:
    journal.note("work", message.queue_name, message.id, message.receive_count, message.body)


def _note_done(journal: Journal, message: Message) -> None:
    journal.note("done", message.queue_name, message.id, message.receive_count, message.body)


def main() -> None:
    """Run one consumer as a process."""
    told = msgspec.json.decode(sys.stdin.buffer.readline(), type=Assignment)
    left = threading.Event()

    def listen() -> None:
        sys.stdin.buffer.read()
        left.set()

    threading.Thread(target=listen, daemon=True).start()
    with rmq.connect(told.url, namespace=told.namespace) as client:
        consume(client, Journal(Path(told.journal)), left.is_set)


if __name__ == "__main__":
    main()
