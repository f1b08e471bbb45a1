"""Lease: a shard that is a worker's own, as its handler sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from rmq.streams.sequence import shard_id

if TYPE_CHECKING:
    from rmq.streams.record import StreamRecord


class Lease:
    """What a handler gets as its second argument, if it has one."""

    def __init__(
        self, group: str, number: int, token: int, note: Callable[[StreamRecord], Awaitable[None]]
    ) -> None:
        self.group = group
        """`stream/group`."""
        self.shard_id = shard_id(number)
        self.token = token
        """The fencing token. It grows with each new owner of any shard of the group: a store that
        keeps the greatest it has seen can refuse a worker that does not know yet that it lost its
        lease."""
        self.is_lost = False
        """Whether the shard has, or may have, another owner by now. A handler that takes long looks
        at this now and then."""
        self._note = note

    def __repr__(self) -> str:
        return f"<lease {self.token} of {self.shard_id} in {self.group}>"

    async def checkpoint(self, record: StreamRecord) -> None:
        """Note that *record* and all before it in its shard are done; returns when Redis has it.
        For consumers whose checkpoints are made by hand.

        Raises LeaseLost; InvalidParameter for a record that the handler was not given in this call,
        or that is before the last checkpoint.
        """
        await self._note(record)


class ThreadLease:
    """The same for a handler that is a plain function, and runs in a thread."""

    def __init__(self, lease: Lease, loop: asyncio.AbstractEventLoop) -> None:
        self._lease = lease
        self._loop = loop
        self.group = lease.group
        self.shard_id = lease.shard_id
        self.token = lease.token

    __repr__ = Lease.__repr__

    @property
    def is_lost(self) -> bool:
        """See Lease.is_lost."""
        return self._lease.is_lost

    def checkpoint(self, record: StreamRecord) -> None:
        """See Lease.checkpoint."""

        async def note() -> None:
            await self._lease.checkpoint(record)

        asyncio.run_coroutine_threadsafe(note(), self._loop).result()
