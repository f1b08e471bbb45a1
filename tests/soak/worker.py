"""A worker: one process that produces or consumes, and keeps a journal of it.

A journal is a file that only grows, in whole lines, each written before the next thing is done:

    sent <body> <id> <at>                                   the queue has acknowledged it
    got  <id> <body> <group> <sequence> <asked> <at>        received, not yet deleted
    over                                                    the work on that; they are deleted now
    done <id> <outcome> <at>                                deleted: True, False, or an error's name

Times are nanoseconds of the machine's monotonic clock, which all processes share. A worker that is
killed leaves at most one line without its end, which is not read.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import rmq

CONSUMER_WAIT_S = 1.0
"""How long a consumer waits for a message before it looks whether it should go home."""
BATCH = 10


@dataclass(frozen=True, kw_only=True)
class Orders:
    """What a worker has to know."""

    url: str
    namespace: str
    queue: str
    journal: Path
    stop: Path
    """Appears when consumers should go home."""
    deadline_s: float
    """When a worker gives up by itself, so that none outlives a test that was killed."""
    name: str = ""
    messages: int = 0
    """A producer's share."""
    groups: int = 0
    """On a FIFO queue all producers send to these groups by turns."""
    batch: int = BATCH
    """How many a producer sends at a time; 1 is a plain send."""
    work_s: float = 0.0
    """How long a consumer works on a batch: the part of its life in which a kill finds it."""


def produce(orders: Orders) -> None:
    """Send this producer's share, and note what was acknowledged."""
    journal = _Journal(orders.journal)
    with rmq.connect(orders.url, namespace=orders.namespace) as client:
        queue = client.queue(orders.queue)
        for start in range(0, orders.messages, orders.batch):
            numbers = range(start, min(start + orders.batch, orders.messages))
            messages = [_message(orders, number) for number in numbers]
            if orders.batch == 1:
                one = messages[0]
                results = [
                    queue.send(
                        one.body,
                        message_group_id=one.message_group_id,
                        deduplication_id=one.deduplication_id,
                    )
                ]
            else:
                results = list(queue.send_many(messages).raise_for_failures())
            at = time.monotonic_ns()
            journal.write(
                f"sent {message.body} {sent.id} {at}"
                for message, sent in zip(messages, results, strict=True)
            )


def consume(orders: Orders) -> None:
    """Receive, work and delete until told to stop."""
    journal = _Journal(orders.journal)
    deadline = time.monotonic() + orders.deadline_s
    with rmq.connect(orders.url, namespace=orders.namespace) as client:
        queue = client.queue(orders.queue)
        while not orders.stop.exists() and time.monotonic() < deadline:
            asked = time.monotonic_ns()
            messages = queue.receive(BATCH, wait=CONSUMER_WAIT_S)
            if not messages:
                continue
            at = time.monotonic_ns()
            journal.write(
                f"got {one.id} {one.text} {one.message_group_id or '-'} "
                f"{one.sequence_number or '-'} {asked} {at}"
                for one in messages
            )
            if orders.work_s:
                time.sleep(orders.work_s)
                journal.write(["over"])
            results = queue.delete_many(messages)
            at = time.monotonic_ns()
            journal.write(
                f"done {one.id} {_outcome(result)} {at}"
                for one, result in zip(messages, results, strict=True)
            )


def _message(orders: Orders, number: int) -> rmq.Outgoing:
    body = f"{orders.name}-{number}"
    if not orders.groups:
        return rmq.Outgoing(body=body)
    return rmq.Outgoing(
        body=body, message_group_id=f"group-{number % orders.groups}", deduplication_id=body
    )


def _outcome(result: bool | rmq.RmqError) -> str:
    return str(result) if isinstance(result, bool) else type(result).__name__


class _Journal:
    """An open journal. One write is one call of the system, so that lines do not mix."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, lines: Iterable[str]) -> None:
        os.write(self._file, "".join(f"{line}\n" for line in lines).encode())
