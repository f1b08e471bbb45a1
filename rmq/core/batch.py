"""Batch: what became of each of several things that were asked for together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from rmq.errors import RmqError

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class BatchResult(Generic[R]):
    """What became of each entry of a batch, in the order they were given."""

    results: tuple[R | RmqError, ...]

    @property
    def successful(self) -> dict[int, R]:
        """Position and result of the entries that succeeded."""
        return {i: one for i, one in enumerate(self.results) if not isinstance(one, RmqError)}

    @property
    def failed(self) -> dict[int, RmqError]:
        """Position and error of the entries that failed."""
        return {i: one for i, one in enumerate(self.results) if isinstance(one, RmqError)}

    def raise_for_failures(self) -> BatchResult[R]:
        """Raise the first error, if there is one. Returns self otherwise."""
        for error in self.failed.values():
            raise error
        return self

    def __iter__(self) -> Iterator[R | RmqError]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __getitem__(self, place: int) -> R | RmqError:
        return self.results[place]
