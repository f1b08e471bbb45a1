"""The history of a consumer group, held against what a group promises.

Whoever plays writes down what happens, with the moment: puts, when a shard was begun and ended,
what the handler got and finished, what was noted. Moments are numbers of one clock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

At = float
END = (1 << 62, 0)
"""The checkpoint of a shard that was read to its end: behind all others."""


class Put(NamedTuple):
    """A record that was acknowledged. What it says ends in its number among those of its key."""

    text: str
    key: str
    shard: int
    position: int


class Began(NamedTuple):
    """A worker began to read a shard."""

    at: At
    session: str
    """Worker and number: this very reading."""
    shard: int
    token: int
    checkpoint: tuple[int, int]


class Ended(NamedTuple):
    at: At
    session: str
    state: str


class Handled(NamedTuple):
    """A call of the handler; *done* is None where it did not come back."""

    got: At
    done: At | None
    session: str
    text: str


class Noted(NamedTuple):
    """A checkpoint that was taken."""

    sent: At
    answered: At
    shard: int
    token: int
    checkpoint: tuple[int, int]


class Wanted(NamedTuple):
    """An owner learned that another worker has asked for its shard."""

    at: At
    shard: int
    token: int


class Killed(NamedTuple):
    """A worker is no more."""

    at: At
    worker: str


@dataclass(slots=True)
class History:
    """What happened. Make it with `history_of`."""

    puts: list[Put] = field(default_factory=list)
    begun: list[Began] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    handled: list[Handled] = field(default_factory=list)
    noted: list[Noted] = field(default_factory=list)
    wanted: list[Wanted] = field(default_factory=list)
    killed: list[Killed] = field(default_factory=list)
    parents: Mapping[int, Sequence[int]] = field(default_factory=dict)
    """Of each shard."""

    def problems(self) -> list[str]:
        """What is wrong with it; nothing for a group that keeps its promises."""
        return [
            *self.lost(),
            *self.unordered(),
            *self.backwards(),
            *self.beyond(),
            *self.too_early(),
        ]

    # --- the promises ---

    def lost(self) -> Iterable[str]:
        """Every record was handled; nothing else was."""
        put = {one.text for one in self.puts}
        done = {one.text for one in self.handled if one.done is not None}
        yield from (f"{text} was never done" for text in sorted(put - done))
        yield from (f"{one.text} is not known" for one in self.handled if one.text not in put)

    def unordered(self) -> Iterable[str]:
        """In one reading each key came in order, one after the other."""
        last: dict[tuple[str, str], Handled] = {}
        records = self._records
        for one in sorted(self.handled, key=lambda one: one.got):
            put = records.get(one.text)
            if put is None:
                continue
            before = last.get((one.session, put.key))
            last[one.session, put.key] = one
            if before is None:
                continue
            if records[before.text].position >= put.position:
                yield f"{one.session}: {one.text} came behind {before.text}"
            elif before.done is None or before.done > one.got:
                yield f"{one.session}: {one.text} came before {before.text} was done"

    def backwards(self) -> Iterable[str]:
        """No owner began before what an owner before it had noted; a shard at its end has none."""
        for shard, noted in _by_shard(self.noted).items():
            by_token: dict[int, list[Noted]] = defaultdict(list)
            for note in noted:
                by_token[note.token].append(note)
            for began in self.begun:
                if began.shard != shard:
                    continue
                for token, notes in by_token.items():
                    for note in notes:
                        is_before = token < began.token or (
                            token == began.token and note.answered < began.at
                        )
                        if is_before and note.checkpoint > began.checkpoint:
                            yield (
                                f"shard {shard}: {began.session} (token {began.token}) began at "
                                f"{began.checkpoint}, noted was {note.checkpoint} (token {token})"
                            )
            for token, notes in by_token.items():
                notes.sort()
                for before, after in pairwise(notes):
                    if after.sent > before.answered and after.checkpoint < before.checkpoint:
                        yield f"shard {shard}: token {token} noted backwards"

    def beyond(self) -> Iterable[str]:
        """No checkpoint passed a record that was not done."""
        claims = [(one.sent, one.shard, one.checkpoint, f"token {one.token}") for one in self.noted]
        claims += [(one.at, one.shard, one.checkpoint, one.session) for one in self.begun]
        first_done = self._first_done
        for shard, puts in _by_shard(self.puts).items():
            puts.sort(key=lambda one: one.position)
            own = sorted((one for one in claims if one[1] == shard), key=lambda one: one[2])
            place, latest, which = 0, -1.0, ""
            for at, _, checkpoint, who in own:
                while place < len(puts) and (puts[place].position, 0) < checkpoint:
                    done = first_done.get(puts[place].text, float("inf"))
                    if done > latest:
                        latest, which = done, puts[place].text
                    place += 1
                if latest > at:
                    yield f"shard {shard}: {who} is at {checkpoint}, and {which} was not done"

    def too_early(self) -> Iterable[str]:
        """No shard was begun before all records of its parents were done."""
        latest: dict[int, tuple[float, str]] = {}
        first_done = self._first_done
        for one in self.puts:
            found = first_done.get(one.text, float("inf")), one.text
            latest[one.shard] = max(latest.get(one.shard, (-1.0, "")), found)
        for began in self.begun:
            for parent in self.parents.get(began.shard, ()):
                done, text = latest.get(parent, (-1.0, ""))
                if done > began.at:
                    yield f"shard {began.shard} was begun before {text} of shard {parent} was done"

    # --- hand-over ---

    def hand_overs(self) -> list[float]:
        """How long each took that was asked for: from when the owner learned of it to the next
        owner's begin."""
        found = []
        ends = {one.session: one for one in self.ended}
        for shard, begun in _by_shard(self.begun).items():
            begun.sort(key=lambda one: (one.token, one.at))
            for before, after in pairwise(begun):
                end = ends.get(before.session)
                asked = [
                    one.at
                    for one in self.wanted
                    if one.shard == shard and one.token == before.token
                ]
                if end is not None and end.state == "handed over" and asked:
                    found.append(after.at - min(asked))
        return found

    def take_overs(self) -> list[float]:
        """How long each shard of a worker that was killed had nobody."""
        found = []
        ends = {one.session for one in self.ended}
        killed = {one.worker: one.at for one in self.killed}
        for begun in _by_shard(self.begun).values():
            begun.sort(key=lambda one: one.at)
            for before, after in pairwise(begun):
                at = killed.get(before.session.partition("/")[0])
                if at is not None and before.session not in ends:
                    found.append(after.at - at)
        return found

    @property
    def repeats(self) -> int:
        """How often a record was handled again."""
        return len(self.handled) - len({one.text for one in self.handled})

    @property
    def _records(self) -> dict[str, Put]:
        return {one.text: one for one in self.puts}

    @property
    def _first_done(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for one in self.handled:
            if one.done is not None:
                found[one.text] = min(found.get(one.text, float("inf")), one.done)
        return found


def history_of(events: Iterable[object], parents: Mapping[int, Sequence[int]]) -> History:
    """Put together what was written down, in any order. A call of the handler is written twice:
    when it began, and again when it came back."""
    history = History(parents=parents)
    calls: dict[tuple[float, str, str], Handled] = {}
    lists: dict[type, list] = {
        Put: history.puts,
        Began: history.begun,
        Ended: history.ended,
        Noted: history.noted,
        Wanted: history.wanted,
        Killed: history.killed,
    }
    for event in events:
        if isinstance(event, Handled):
            call = event.got, event.session, event.text
            if event.done is not None or call not in calls:
                calls[call] = event
        else:
            lists[type(event)].append(event)
    history.handled = list(calls.values())
    return history


def _by_shard(ones: Iterable[object]) -> dict[int, list]:
    found: dict[int, list] = defaultdict(list)
    for one in ones:
        found[one.shard].append(one)  # type: ignore[attr-defined]
    return found
