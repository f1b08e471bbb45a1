"""Intervals of whole numbers, and which of them a number lies in.

An interval of n numbers is cut at the multiples of the power of two that is n or just below it:

                     low                     high
    n = 11, cut by 8   ├─────────────────────┤
    ┼───────────────────────┼───────────────────────┼
          cell `first`            cell `last`

so it spans one to three cells, and in each either reaches the cell's upper end (kept sorted by
`low`) or its lower end (kept sorted by `high`). A number lies in one cell of each size, and there
bisection gives exactly the intervals that it lies in: O(sizes * log n + found), with at most 64 or
so sizes.

Refused: a balanced interval tree, which costs a Python object and some 20 steps of rebalancing for
each interval; a list sorted by `low` alone, which gives half of everything.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from math import inf

Interval = tuple[int | None, int | None]
"""The least and the most; None is no bound."""


class Intervals:
    """A set of intervals."""

    __slots__ = ("_above", "_below", "_cells")

    def __init__(self) -> None:
        self._above: list[int] = []
        """The low ends of those without an upper bound."""
        self._below: list[int] = []
        """The high ends of those without a lower bound."""
        self._cells: dict[int, dict[int, _Cell]] = {}
        """Size of a cell, as a power of two, to the cells' numbers."""

    def add(self, low: int | None, high: int | None) -> None:
        """Add one that is not there, not (None, None). It may be empty: low > high."""
        if low is None or high is None:
            if low is not None:
                insort(self._above, low)
            elif high is not None:
                insort(self._below, high)
            return
        if low > high:
            return
        size, numbers = _span(low, high)
        cells = self._cells.setdefault(size, {})
        for number in numbers:
            cell = cells.get(number)
            if cell is None:
                cell = cells[number] = _Cell()
            if number == numbers[-1] and len(numbers) > 1:
                insort(cell.ending, (high, low))
            else:
                insort(cell.starting, (low, high))

    def remove(self, low: int | None, high: int | None) -> None:
        """Remove one that is there."""
        if low is None or high is None:
            if low is not None:
                del self._above[bisect_left(self._above, low)]
            elif high is not None:
                del self._below[bisect_left(self._below, high)]
            return
        if low > high:
            return
        size, numbers = _span(low, high)
        cells = self._cells[size]
        for number in numbers:
            cell = cells[number]
            if number == numbers[-1] and len(numbers) > 1:
                del cell.ending[bisect_left(cell.ending, (high, low))]
            else:
                del cell.starting[bisect_left(cell.starting, (low, high))]
            if not cell.starting and not cell.ending:
                del cells[number]
        if not cells:
            del self._cells[size]

    def around(self, number: int) -> Iterator[Interval]:
        """The intervals that this number lies in, each once."""
        for low in self._above[: bisect_right(self._above, number)]:
            yield low, None
        for high in self._below[bisect_left(self._below, number) :]:
            yield None, high
        for size, cells in self._cells.items():
            cell = cells.get(number >> size)
            if cell is not None:
                yield from cell.starting[: bisect_right(cell.starting, (number, inf))]
                for high, low in cell.ending[bisect_left(cell.ending, (number,)) :]:
                    yield low, high


class _Cell:
    """What lies in one cell."""

    __slots__ = ("ending", "starting")

    def __init__(self) -> None:
        self.starting: list[tuple[int, int]] = []
        """(low, high) of those that reach the upper end."""
        self.ending: list[tuple[int, int]] = []
        """(high, low) of those that begin before and end here."""


def _span(low: int, high: int) -> tuple[int, range]:
    """The size of cells for an interval and the numbers of those it touches: one to three."""
    size = (high - low + 1).bit_length() - 1
    return size, range(low >> size, (high >> size) + 1)
