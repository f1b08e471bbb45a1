"""The record: what happened to every message, from the journals of all workers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sent:
    body: str
    id: str
    at: int


@dataclass(frozen=True, slots=True)
class Got:
    id: str
    body: str
    group: str
    sequence: str
    asked: int
    at: int
    by: Path


@dataclass(frozen=True, slots=True)
class Done:
    id: str
    outcome: str
    at: int


@dataclass(slots=True)
class Record:
    """All that was sent, got and done, each in the order of time."""

    sent: list[Sent] = field(default_factory=list)
    got: list[Got] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    killed: frozenset[Path] = frozenset()

    def missing(self) -> list[Sent]:
        """Acknowledged and never received."""
        received = {got.id for got in self.got}
        return [sent for sent in self.sent if sent.id not in received]

    def unknown(self) -> set[str]:
        """Bodies received that no producer knows of."""
        return {got.body for got in self.got} - {sent.body for sent in self.sent}

    def redelivered(self) -> dict[str, int]:
        """Messages received more than once, and how often."""
        return _more_than_once(got.id for got in self.got)

    def deleted_twice(self) -> dict[str, int]:
        """Messages whose delete was confirmed more than once."""
        return _more_than_once(done.id for done in self.done if done.outcome == "True")

    def never_deleted(self) -> list[Got]:
        """Received, and no worker that lives knows that it was deleted."""
        deleted = {done.id for done in self.done if done.outcome == "True"}
        return [got for got in self.got if got.id not in deleted and got.by not in self.killed]

    def twins(self) -> dict[str, int]:
        """Bodies that came with more than one id: the same send was carried out twice."""
        return _more_than_once(body for body, _ in {(got.body, got.id) for got in self.got})

    def after_delete(self) -> list[Got]:
        """Received by somebody who asked for it after its delete had been confirmed."""
        deleted = {done.id: done.at for done in self.done if done.outcome == "True"}
        return [got for got in self.got if got.asked > deleted.get(got.id, got.asked)]

    def out_of_order(self) -> list[tuple[Got, Got]]:
        """Neighbours in a group that were first received in another order than they were sent.

        By sequence number, which all producers of the queue share; the same for bodies of one
        producer follows, since a producer waits for one answer before the next send.
        """
        groups: dict[str, dict[str, Got]] = defaultdict(dict)
        for got in self.got:
            groups[got.group].setdefault(got.id, got)
        return [
            (before, after)
            for first in groups.values()
            for before, after in pairwise(first.values())
            if before.sequence >= after.sequence
        ]

    def producers_out_of_order(self) -> list[tuple[str, str]]:
        """As out_of_order, by the numbers that each producer gave its own messages."""
        last: dict[tuple[str, str], int] = {}
        wrong, seen = [], set()
        for got in self.got:
            if got.id in seen:
                continue
            seen.add(got.id)
            producer, _, number = got.body.partition("-")
            if int(number) <= last.get((got.group, producer), -1):
                wrong.append((got.group, got.body))
            last[got.group, producer] = int(number)
        return wrong


def read(folder: Path, killed: Iterable[Path] = ()) -> Record:
    """Piece the record together from all journals in *folder*."""
    record = Record(killed=frozenset(killed))
    for path in folder.iterdir():
        for kind, *parts in _lines(path):
            if kind == "sent":
                body, id, at = parts
                record.sent.append(Sent(body, id, int(at)))
            elif kind == "got":
                id, body, group, sequence, asked, at = parts
                record.got.append(Got(id, body, group, sequence, int(asked), int(at), path))
            elif kind == "done":
                id, outcome, at = parts
                record.done.append(Done(id, outcome, int(at)))
    # Stable: what came in one receive keeps its order, and so does what one journal says.
    for events in (record.sent, record.got, record.done):
        events.sort(key=lambda event: event.at)
    return record


def _lines(path: Path) -> Iterator[list[str]]:
    """Whole lines only: the last one of a worker that was killed may be torn."""
    whole, _, _ = path.read_text().rpartition("\n")
    return (line.split(" ") for line in whole.splitlines())


def _more_than_once(names: Iterable[str]) -> dict[str, int]:
    return {name: count for name, count in Counter(names).items() if count > 1}
