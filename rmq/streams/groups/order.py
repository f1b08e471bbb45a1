"""Order: which records of a shard may be handled now, and how far all are done. No clock, no I/O.

    read ──> [ k1 k2 k1 k3 k2 ] ──> take: the oldest whose key nobody is at work on
                  │  done from the front on
                  └──> checkpoint

Records of one key are handled one after the other. The checkpoint never passes one that is not
done, so after a crash what was done behind it is done again, and nothing is left out.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from rmq.streams.groups.checkpoint import Checkpoint

R = TypeVar("R")


@dataclass(slots=True, eq=False)
class Item(Generic[R]):
    """A record on its way through."""

    record: R
    key: str
    past: Checkpoint
    """Where to go on once it is done."""
    size: int
    number: int = 0
    is_done: bool = False


class Order(Generic[R]):
    """The records of one shard that were read and are not behind the checkpoint."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        """Everything in front of it is done."""
        self.bytes = 0
        """Of records that wait."""
        self.waiting = 0
        """How many of them there are."""
        self._all: deque[Item[R]] = deque()
        self._count = 0
        self._by_key: dict[str, deque[Item[R]]] = {}
        """What waits of each key; a key that somebody is at work on has an entry too."""
        self._ready: list[tuple[int, str]] = []
        """A heap: the first that waits of each key that nobody is at work on."""
        self._busy: set[str] = set()

    @property
    def ahead(self) -> int:
        """How many records are not behind the checkpoint, done or not."""
        return len(self._all)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left of what was read."""
        return not self._all

    @property
    def has_ready(self) -> bool:
        """Whether take() would find something."""
        return bool(self._ready)

    def add(self, record: R, key: str, past: Checkpoint, size: int) -> None:
        """Note a record that was read behind all others."""
        item = Item(record, key, past, size, self._count)
        self._count += 1
        self._all.append(item)
        self.bytes += size
        self.waiting += 1
        line = self._by_key.get(key)
        if line is None:
            line = self._by_key[key] = deque()
        line.append(item)
        if len(line) == 1 and key not in self._busy:
            heapq.heappush(self._ready, (item.number, key))

    def pass_to(self, checkpoint: Checkpoint) -> None:
        """Note that nothing is between the last record that was added and *checkpoint*."""
        if self._all:
            self._all[-1].past = max(self._all[-1].past, checkpoint)
        else:
            self.checkpoint = max(self.checkpoint, checkpoint)

    def take(self, limit: int) -> list[Item[R]]:
        """The oldest records that may be handled together now, up to *limit*, in their order. Until
        they are done nobody else gets one of their keys."""
        taken: list[Item[R]] = []
        own: list[tuple[int, str]] = []
        """As _ready, of the keys that are ours by now: the next of them may go along."""
        while len(taken) < limit and (own or self._ready):
            ours = own and (not self._ready or own[0] < self._ready[0])
            _, key = heapq.heappop(own if ours else self._ready)
            self._busy.add(key)
            line = self._by_key[key]
            item = line.popleft()
            taken.append(item)
            self.bytes -= item.size
            self.waiting -= 1
            if line:
                heapq.heappush(own, (line[0].number, key))
        return taken

    def done(self, items: Iterable[Item[R]]) -> bool:
        """Note what is done with. Whether the checkpoint moved."""
        keys = set()
        for item in items:
            item.is_done = True
            del item.record  # one that is not done may hold it up here for long
            keys.add(item.key)
        for key in keys:
            self._busy.discard(key)
            line = self._by_key[key]
            if line:
                heapq.heappush(self._ready, (line[0].number, key))
            else:
                del self._by_key[key]
        before = self.checkpoint
        while self._all and self._all[0].is_done:
            self.checkpoint = self._all.popleft().past
        return self.checkpoint != before
