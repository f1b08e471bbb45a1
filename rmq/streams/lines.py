"""Lines: which of the puts that tasks await at the same time wait for each other.

What goes out together comes back together. On one server that is right: all shards are there, or
none. On a cluster a node that is away for a moment would hold up the puts to all others, so there
each shard has a line of its own.

    put ── its shard ──> line ──> one call at a time

A line of a shard that was closed goes on until it is empty, and brings what it has to the
children. What comes for these meanwhile joins it, or a key would overtake itself; only then have
they lines of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from rmq.errors import CallerError
from rmq.streams.attributes import StreamInfo
from rmq.streams.partition import hash_key_of
from rmq.streams.record import Record
from rmq.streams.registry import StreamRegistry


class Line(Protocol):
    """Merges what is submitted until a batch before is back."""

    @property
    def is_idle(self) -> bool:
        """Nothing is under way or waits."""


L = TypeVar("L", bound=Line)


class Lines(Generic[L]):
    """The lines of one stream."""

    def __init__(
        self, registry: StreamRegistry, name: str, make: Callable[[], L], *, many: bool
    ) -> None:
        """*make* makes a line. Without *many* there is one for all shards."""
        self._registry = registry
        self._name = name
        self._make = make
        self._many = many
        self._common = make()
        """The only one; of many, for while the shards are not known."""
        self._others = make()
        """For what no shard has to have: by turns, or refused."""
        self._info: StreamInfo | None = None
        """By which lines are chosen. Only ever a later one of the same stream."""
        self._lines: dict[int, L] = {}
        """By shard."""

    def line_of(self, record: Record) -> L:
        """The line that a record goes to."""
        if not self._many:
            return self._common
        info = self._newest()
        if info is None or not self._common.is_idle:
            return self._common
        if info.attributes.record_distribution == "AUTO":
            return self._others
        try:
            hash_key = hash_key_of(record, self._registry.limits)
        except CallerError:
            return self._others
        number = info.shards.taker(hash_key)
        found = self._lines.get(number)
        if found is None:
            found = self._busy_parent(info, number, int.from_bytes(hash_key, "big"))
        if found is None:
            self._forget_closed(info)
            found = self._lines[number] = self._make()
        return found

    def _newest(self) -> StreamInfo | None:
        info, before = self._registry.known(self._name), self._info
        if info is None or info is before:
            return before
        if before is not None and info.incarnation == before.incarnation:
            if info.number <= before.number:
                return before
        else:
            self._lines = {}
        self._info = info
        return info

    def _busy_parent(self, info: StreamInfo, number: int, hash_key: int) -> L | None:
        """The line of a shard that had this hash key before, if that is not empty yet."""
        for parent in info.shards[number].parents:
            one = info.shards.get(parent)
            if one is None or not one.starting_hash_key <= hash_key <= one.ending_hash_key:
                continue
            line = self._lines.get(parent)
            if line is not None and not line.is_idle:
                return line
            return self._busy_parent(info, parent, hash_key)
        return None

    def _forget_closed(self, info: StreamInfo) -> None:
        for number, line in tuple(self._lines.items()):
            if line.is_idle and (number not in info.shards or not info.shards[number].is_open):
                del self._lines[number]
