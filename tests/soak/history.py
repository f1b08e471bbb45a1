"""The history of a FIFO topic, held against what its queues have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from tests.soak.record import _lines

Arrived = Sequence[tuple[str, str]]
"""What a queue has, in the order in which it came: group and text."""


@dataclass(slots=True)
class History:
    """What publishers tried, and what was acknowledged to them."""

    tried: dict[str, str] = field(default_factory=dict)
    """Text -> group."""
    acknowledged: dict[str, str] = field(default_factory=dict)
    """Text -> sequence number."""

    def problems(self, queues: Mapping[str, Arrived]) -> list[str]:
        """What is wrong at the queues; nothing where each has everything acknowledged once, and
        each group in order. What was tried and not acknowledged may be there once, or not."""
        found: list[str] = []
        orders = {}
        for name, arrived in queues.items():
            texts = [text for _, text in arrived]
            found += [f"{name}: {text} is not known" for text in set(texts) - set(self.tried)]
            found += [f"{name}: {text} is there twice" for text in _twice(texts)]
            found += [f"{name}: {text} is missing" for text in set(self.acknowledged) - set(texts)]
            groups: dict[str, list[str]] = defaultdict(list)
            for group, text in arrived:
                groups[group].append(text)
                if self.tried.get(text, group) != group:
                    found.append(f"{name}: {text} is in group {group}")
            for group, texts in groups.items():
                found += [f"{name}, {group}: {one}" for one in self._out_of_order(texts)]
            orders[name] = dict(groups)
        for (one, here), (other, there) in pairwise(orders.items()):
            found += [
                f"{one} and {other} have {group} in other orders"
                for group in here.keys() | there.keys()
                if here.get(group) != there.get(group)
            ]
        return found

    def _out_of_order(self, texts: Sequence[str]) -> Iterable[str]:
        """Of one group at one queue: by the topic's numbers, and by each publisher's own."""
        numbered = [text for text in texts if text in self.acknowledged]
        for before, after in pairwise(numbered):
            if self.acknowledged[before] >= self.acknowledged[after]:
                yield f"{after} came behind {before}"
        last: dict[str, int] = {}
        for text in texts:
            publisher, _, number = text.rpartition("-")
            if int(number) <= last.get(publisher, -1):
                yield f"{text} came behind {publisher}-{last[publisher]}"
            last[publisher] = int(number)


def _twice(texts: Sequence[str]) -> set[str]:
    seen: set[str] = set()
    return {text for text in texts if text in seen or seen.add(text)}  # type: ignore[func-returns-value]


def read(paths: Iterable[Path]) -> History:
    """Piece the history together from the journals of publishers."""
    history = History()
    for path in paths:
        for kind, text, rest in _lines(path):
            (history.tried if kind == "try" else history.acknowledged)[text] = rest
    return history
