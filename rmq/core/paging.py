"""Paging: some of a long list, and where to go on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rmq.core import script
from rmq.core.limits import text, whole
from rmq.core.script import Call, text_of
from rmq.errors import InvalidParameter

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


# --- names ---


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a list of names. Iterate it for the names."""

    names: tuple[str, ...]
    next_token: str | None
    """Give this to the next call to go on; None at the end."""

    def __iter__(self) -> Any:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def names_from(
    key: str, subject: str, prefix: str, after: str | None, limit: int
) -> Call[list[str]]:
    """Up to *limit* members of a zset of names, behind *after*, that begin with *prefix*."""
    low = f"({after}" if after is not None else (f"[{prefix}" if prefix else "-")
    high = f"({prefix}\x7f" if prefix else "+"
    return script.command(
        "ZRANGEBYLEX",
        subject,
        lambda reply: [text_of(name) for name in reply],
        key,
        low,
        high,
        "LIMIT",
        0,
        limit,
    )


def check_page(prefix: str, limit: int, token: str | None) -> None:
    """Raise InvalidParameter for what can not begin a page."""
    text(prefix, "prefix", 0)
    whole(limit, "limit", 1, 1000)
    if token is not None and (not isinstance(token, str) or not token.isascii()):
        raise InvalidParameter("token", token, "a next_token of the call before")


def page_of(names: list[str], limit: int) -> Page:
    """A page of *names*, of which one more was read than the page holds."""
    more = len(names) > limit
    return Page(tuple(names[:limit]), names[limit - 1] if more else None)
