"""Once: results that many ask for at the same time, made once. The last few are kept."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """Results by key."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._made: OrderedDict[Hashable, asyncio.Future[T]] = OrderedDict()

    async def get(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """The result for *key*, by *make* if there is none yet. An error is not kept."""
        found = self._made.get(key)
        if found is None or (found.done() and (found.cancelled() or found.exception())):
            found = self._made[key] = asyncio.ensure_future(make())
            if len(self._made) > self._kept:
                self._made.popitem(last=False)
        # The others go on when one of those who wait is cancelled.
        return await asyncio.shield(found)
