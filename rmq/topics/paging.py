"""Paging: some of a long list, and where to go on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageOf(Generic[T]):
    """A page of a list. Iterate it."""

    found: tuple[T, ...]
    next_token: str | None
    """Give this to the next call to go on; None at the end."""

    def __iter__(self) -> Iterator[T]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)


def cut(found: Sequence[tuple[str, T]], limit: int) -> PageOf[T]:
    """A page of what was *found* with its names, of which one more was read than it holds."""
    token = found[limit - 1][0] if len(found) > limit else None
    return PageOf(tuple(one for _, one in found[:limit]), token)
