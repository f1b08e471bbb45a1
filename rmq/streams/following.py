"""Following: reading what is put as it is put, on many shards at once.

    Reader      one read of some shards: what is there at once, or what comes first
    Following   which shards are to be read: parents before children, over every resharding

A reader asks the shards by their script while more is there, and waits in XREAD when it has read
all: that answers with the records themselves, so what is put is here after one answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from rmq.core.executor.tail import Entries
from rmq.core.limits import whole
from rmq.core.script import Call, Plan, Several
from rmq.errors import InvalidParameter, ShardDoesNotExist, Words
from rmq.streams import commands, sweeping
from rmq.streams.attributes import StreamInfo
from rmq.streams.block import END
from rmq.streams.commands import Found
from rmq.streams.reading import CALL_BYTES, Taking, batch_of, number_of, position
from rmq.streams.record import Batch
from rmq.streams.registry import TOGETHER, StreamRegistry, described, known, no_shard, on_shard
from rmq.streams.sequence import LAST_POSITION, shard_id

WAIT_BLOCKS = 16
"""Blocks of one shard in one answer to XREAD: at most about CALL_BYTES."""
LOOK_S = 20.0
"""How often one who waits looks whether the stream is still there."""
MOST = 10_000
"""Records of one shard in one read."""
ALL_BYTES = 16 << 20
"""Of the blocks of all shards in one step."""

Start = Literal["LATEST", "TRIM_HORIZON"] | datetime
Positions = Mapping[str, int]
"""By shard's id: the first position that was not read."""


class Waiting:
    """What a reader knows between two reads."""

    def __init__(self, registry: StreamRegistry, name: str) -> None:
        self._registry = registry
        self._name = name
        self._caught_up: dict[int, tuple[int, int]] = {}
        """By shard, where all that there was has been read: from which position on that was found,
        and up to which."""

    def look(self, positions: Positions, limit: int) -> Plan[list[Batch]]:
        """What is there at once. Empty where all has been read: then is the time to wait.
        Raises InvalidParameter."""
        whole(limit, "limit", 1, MOST)
        if not isinstance(positions, Mapping):
            kind = Words(type(positions).__name__)
            raise InvalidParameter("positions", kind, "a mapping from shard's id to position")
        for at in positions.values():
            whole(at, "position", 0, LAST_POSITION)
        behind = {
            number: at
            for number, at in ((number_of(shard), at) for shard, at in positions.items())
            if at not in self._caught_up.get(number, ())
        }
        yield from sweeping.if_due(self._registry, self._name)
        if not behind:
            return []
        batches = yield from read_each(self._registry, self._name, behind, limit)
        for (number, at), batch in zip(behind.items(), batches, strict=True):
            if batch.next_position is not None and batch.millis_behind_latest == 0:
                # Who asks from there once more wants these records once more.
                begin = batch.next_position if batch.records else at
                self._caught_up[number] = begin, batch.next_position
            else:
                self._caught_up.pop(number, None)
        return [one for one in batches if one.records or one.next_position is None]

    def cursors(self, positions: Positions) -> dict[str, int]:
        """What to wait for, by key."""
        return {
            self._registry.shard_keys(self._name, number).log: self._up_to(number, at)
            for number, at in ((number_of(shard), at) for shard, at in positions.items())
        }

    def took(self, positions: Positions, entries: Entries, limit: int) -> list[Batch]:
        """What came while we waited."""
        if not entries:
            # Nothing came, or there was trouble: the next look asks.
            self._caught_up.clear()
            return []
        found = []
        for shard in positions:
            number = number_of(shard)
            came = entries.get(self._registry.shard_keys(self._name, number).log)
            if not came:
                continue
            taking = Taking(number, self._up_to(number, positions[shard]), limit, None)
            taking.take_blocks(came)
            if not taking.is_done and came[-1][1] != END and len(came) < WAIT_BLOCKS:
                self._caught_up[number] = taking.next, taking.next
            else:
                del self._caught_up[number]
            if taking.records:
                found.append(Batch(shard, taking.records, taking.next, 0))
        return found

    def _up_to(self, number: int, at: int) -> int:
        """The first position that is not there yet."""
        return self._caught_up.get(number, (at, at))[1]


def read_each(
    registry: StreamRegistry, name: str, starts: Mapping[int, int], limit: int
) -> Plan[list[Batch]]:
    """Of each shard some records from a position on, as many as one script call brings. A shard
    that is there no more has come to its end."""
    found = yield from _look_at_each(registry, name, starts, limit)
    batches = []
    for number, one in found.items():
        if one is None:
            batches.append(Batch(shard_id(number), [], None, 0))
            continue
        taking = Taking(number, starts[number], limit, None)
        taking.take(one)
        batches.append((yield from batch_of(registry, name, taking, one)))
    return batches


def _look_at_each(
    registry: StreamRegistry, name: str, starts: Mapping[int, int], limit: int
) -> Plan[dict[int, Found | None]]:
    """What one script call finds in each shard; None where the shard is there no more."""
    found: dict[int, Found | None] = {}
    numbers = list(starts)
    for at in range(0, len(numbers), TOGETHER):
        part = numbers[at : at + TOGETHER]
        most = min(CALL_BYTES, ALL_BYTES // len(part))

        def look(info: StreamInfo, number: int, most: int = most) -> Call[Found]:
            keys = registry.shard_keys(name, number)
            return commands.read(keys, info, starts[number], limit, most)

        if len(part) > 1:
            info = yield from known(registry, name)
            answers: list[Any] = yield Several([look(info, number) for number in part])
            found |= zip(part, answers, strict=True)
        for number in part:
            if not isinstance(found.get(number), Found):
                found[number] = yield from _patiently(registry, name, number, look)
    return found


def _patiently(
    registry: StreamRegistry,
    name: str,
    number: int,
    look: Callable[[StreamInfo, int], Call[Found]],
) -> Plan[Found | None]:
    """With all the patience of a single call, and of what brings descriptions up to date."""
    try:
        _, found = yield from on_shard(registry, name, number, lambda info: look(info, number))
    except ShardDoesNotExist:
        return None
    return found


class Following:
    """The shards of a stream that somebody reads, all or one, and how far."""

    def __init__(
        self, registry: StreamRegistry, name: str, start: Start, shard: str | None
    ) -> None:
        if start not in ("LATEST", "TRIM_HORIZON") and not isinstance(start, datetime):
            raise InvalidParameter("start", start, "LATEST, TRIM_HORIZON or a datetime")
        self._registry = registry
        self._name = name
        self._start = start
        self._only = shard
        self.positions: dict[str, int] = {}
        """By shard's id, of those that are read now: the first position that was not read. Whoever
        reads moves it."""
        self._waiting: dict[int, int] = {}
        """Shards whose parents have to be read first, and where they will begin."""
        self._first_new = 0
        """Shards from this number on did not exist when this began."""
        self._begun: set[int] = set()
        """All that are or were read or wait."""
        self._ended: set[int] = set()

    def begin(self) -> Plan[None]:
        """Find out where each shard is."""
        registry, name, start = self._registry, self._name, self._start
        info = yield from described(registry, name)
        self._first_new = info.next_shard
        if self._only is not None:
            numbers: Iterable[int] = [number_of(self._only)]
            if next(iter(numbers)) not in info.shards:
                raise no_shard(name, number_of(self._only))
        elif start == "LATEST":
            numbers = [one.number for one in info.shards.open]
        else:
            numbers = info.shards
        self._waiting = dict.fromkeys(numbers, 0)
        self._begun |= self._waiting.keys()
        if isinstance(start, datetime):
            # Any shard knows what time it is; one that is open does not go meanwhile.
            one = self._only or info.shards.open[0].id
            at = yield from position(registry, name, one, "AT_TIMESTAMP", None, start)
            self._waiting = dict.fromkeys(self._waiting, at)
        elif start == "LATEST":
            found = yield from _look_at_each(registry, name, self._waiting, 0)
            self._waiting = {number: one.last + 1 for number, one in found.items() if one}
        self._go_on(info)

    def ended(self, shard: str) -> Plan[None]:
        """A shard was read to its end: go on with those that took over."""
        number = number_of(shard)
        del self.positions[shard]
        self._ended.add(number)
        if self._only is not None:
            return
        info = yield from known(self._registry, self._name)
        # All that were made since follow from those we began with. We do not go by their parents:
        # where a reader slept for long, some of those have come and expired meanwhile.
        for number in info.shards:
            if number >= self._first_new and number not in self._begun:
                self._begun.add(number)
                self._waiting[number] = 0
        self._go_on(info)

    def _go_on(self, info: StreamInfo) -> None:
        """Begin with the shards whose parents were read, or are not to be read."""
        for number, at in tuple(self._waiting.items()):
            parents = info.shards[number].parents if number in info.shards else ()
            if all(
                parent in self._ended or parent not in self._begun or parent not in info.shards
                for parent in parents
            ):
                del self._waiting[number]
                self.positions[shard_id(number)] = at
