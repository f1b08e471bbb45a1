"""Consumer: take from all queues, work, note, delete; until told to leave, or killed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import rmq
from rmq import Message, Queue
from rmq.cli.fleet.journal import Journal
from rmq.cli.fleet.scenario import FILTERS, ORDERS, POISON
from rmq.errors import StaleReceipt

BATCH = 10
IDLE_WAIT_S = 0.2
"""How long a consumer with nothing to do waits for a position before it looks elsewhere."""


def consume(
    client: rmq.Client,
    path: Path,
    leaving: Callable[[], bool],
    survive: Callable[[], None] = lambda: None,
) -> None:
    """Work until *leaving*. *survive* is called wherever death is worst; it may raise."""
    ordered, orders = [client.queue(name) for name in FILTERS], client.queue(ORDERS)
    wait = 0.0
    with Journal(path) as journal:
        while not leaving():
            count = 0
            for queue in ordered:
                found = queue.receive(BATCH, wait=wait)
                survive()
                _work_in_order(journal, found, survive)
                count += len(found)
                wait = 0.0
            taken = orders.receive(BATCH)
            survive()
            _work_in_bulk(journal, orders, taken, survive)
            wait = 0.0 if count or taken else IDLE_WAIT_S


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
