"""Verdict: from what was expected, noted and counted to what was kept of the promises. Pure.

Processed means: worked off, and its delete was answered with True. That can be promised to happen
once; that a message is handed out again after its consumer died is promised too.

A consumer killed between the delete and its note leaves a work without a done. It is no doubt for
long: Redis counts deletes. What it has deleted beyond the notes is spread over such works; a work
that no delete is left for is lost.

Order is judged by intervals, so that a pause between an act and its note accuses nobody. Position
k was deleted after it was noted as work, position j before it was noted as done:

    j > k, and done(j) < work(k)   =>   j was surely processed before k: a violation
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rmq.cli.fleet.journal import Note
from rmq.cli.fleet.scenario import read_position

Key = tuple[str, int]
"""One receive of one message: its id and the receive count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the messages of one queue."""

    expected: int
    """Different messages that it should get: what was sent to it, or what of all that was
    published its filter lets through."""
    delivered: int
    redelivered: int
    """Deliveries beyond the first of each message."""
    dead: int
    """Messages that ended in the dead-letter queue."""
    order_violations: int | None
    """None where no order is promised."""
    strays: int
    """Messages that are not for this queue: its filter should have kept them out, or nobody sent
    them."""
    processed_twice: int
    lost: int

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return not (self.order_violations or self.strays or self.processed_twice or self.lost)


def judge(
    expected: Sequence[bytes],
    notes: Iterable[Note],
    *,
    deleted: int,
    dead: Sequence[tuple[bytes, int]] = (),
    ordered: bool = False,
) -> Outcome:
    """Judge one queue.

    *expected* are all different bodies that it should get. *deleted* is how many messages Redis
    deleted there. *dead* are body and receive count of its dead letters.
    """
    receives: dict[bytes, dict[str, int]] = defaultdict(dict)
    works: dict[Key, Note] = {}
    done: dict[bytes, list[Note]] = defaultdict(list)
    for note in notes:
        if note.kind == "done":
            done[note.body].append(note)
        else:
            works[note.id, note.receive_count] = note
            known = receives[note.body]
            known[note.id] = max(known.get(note.id, 0), note.receive_count)
    gone = {body: count for body, count in dead}
    processed = [body for body in expected if body in done]
    open_works = [body for body in expected if body in receives and body not in done | gone]
    unseen = [body for body in expected if body not in receives and body not in gone]
    unnoted_deletes = max(deleted - sum(map(len, done.values())), 0)
    strays = (set(receives) | set(gone)) - set(expected)
    return Outcome(
        expected=len(expected),
        delivered=len(expected) - len(unseen),
        redelivered=sum(max(ids.values()) - 1 for body, ids in receives.items() if body not in gone)
        + sum(max(count - 1, 0) for count in gone.values()),
        dead=len(dead),
        order_violations=_violations(works, done, processed) if ordered else None,
        strays=len(strays),
        processed_twice=_twice(receives, done),
        lost=len(unseen) + max(len(open_works) - unnoted_deletes, 0),
    )


def _twice(receives: dict[bytes, dict[str, int]], done: dict[bytes, list[Note]]) -> int:
    """Bodies that were processed more than once, or handed out again after they were."""
    return sum(
        len(ends) > 1
        or any(
            count > ends[0].receive_count or id != ends[0].id
            for id, count in receives[body].items()
        )
        for body, ends in done.items()
    )


def _violations(
    works: dict[Key, Note], done: dict[bytes, list[Note]], processed: Iterable[bytes]
) -> int:
    """Positions that a later position of the same truck was surely processed before."""
    trucks: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for body in processed:
        end = done[body][0]
        begun = works.get((end.id, end.receive_count))
        truck, n = read_position(body)
        trucks[truck].append((n, begun.at_ns if begun is not None else end.at_ns, end.at_ns))
    return sum(_overtaken(positions) for positions in trucks.values())


def _overtaken(positions: list[tuple[int, int, int]]) -> int:
    found = 0
    earliest_done: float = float("inf")
    for _, work_ns, done_ns in sorted(positions, reverse=True):
        found += earliest_done < work_ns
        earliest_done = min(earliest_done, done_ns)
    return found
