"""Caller: who asks, and where: an account in a region, which is a set of queues of its own.

The endpoint's own account in its own region is the namespace it serves, so that the library and
the command line meet it there. Every other pair lives beside it: `<namespace>.<account>.<region>`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from rmq.client.aio import AsyncClient
from rmq.gateway.credential import Credential
from rmq.gateway.http import Request

T = TypeVar("T")

ACCOUNTS_KEPT = 1_000
"""Pairs of account and region whose client is kept at hand. A stranger may ask for any number."""
SOON_S = 0.1
"""A receive that has not answered by then is waiting, and its client may hang up."""


class Accounts:
    """The clients of all pairs of account and region, on one set of connections."""

    def __init__(self, client: AsyncClient, account: str, region: str) -> None:
        self.own = (account, region)
        self._client = client
        self._others: OrderedDict[tuple[str, str], AsyncClient] = OrderedDict()

    def client(self, account: str, region: str) -> AsyncClient:
        """The client of one pair."""
        pair = (account, region)
        if pair == self.own:
            return self._client
        found = self._others.get(pair)
        if found is None:
            found = self._client.in_account(account, region)
            self._others[pair] = found
            if len(self._others) > ACCOUNTS_KEPT:
                self._others.popitem(last=False)
        else:
            self._others.move_to_end(pair)
        return found

    def forget(self) -> None:
        """Drop what was kept at hand."""
        self._others.clear()


@dataclass(slots=True)
class Caller:
    """One request's account, region and way to what is there."""

    account: str
    region: str
    request: Request
    accounts: Accounts
    stopping: asyncio.Event
    is_signed: bool = False
    """Whether somebody signed the request; the links in notifications are not."""

    @property
    def client(self) -> AsyncClient:
        """The caller's own queues, topics and streams."""
        return self.accounts.client(self.account, self.region)

    @property
    def base_url(self) -> str:
        """The endpoint as the client wrote it."""
        return f"{self.request.scheme}://{self.request.host}"

    async def while_there(
        self, work: Coroutine[Any, Any, T], give_back: Callable[[T], Awaitable[None]]
    ) -> T | None:
        """Carry out *work* for as long as the client is there and the endpoint is not stopping.

        None where it ended early. What it had got when the client was gone is given back, also
        where that shows only after the answer.
        """
        task = asyncio.ensure_future(work)
        watch = _Watch(task, self.request.gone, self.stopping)
        try:
            found = await task
        except asyncio.CancelledError:
            if not watch.ended:
                task.cancel()
                raise
            return None
        finally:
            watch.close()
        if watch.is_gone:
            await give_back(found)
            return None
        if found:
            self.request.unread = partial(give_back, found)
        return found


class _Watch:
    """Cancels a task that waits, when there is nobody any more that it waits for.

    It begins a moment late: most are answered by then, and never pay for it.
    """

    __slots__ = ("_gone", "_gone_task", "_stop_task", "_stopping", "_task", "_timer", "ended")

    def __init__(
        self,
        task: asyncio.Future[Any],
        gone: Callable[[], Awaitable[Any]],
        stopping: asyncio.Event,
    ) -> None:
        self._task = task
        self._gone = gone
        self._stopping = stopping
        self._gone_task: asyncio.Future[Any] | None = None
        self._stop_task: asyncio.Future[Any] | None = None
        self._timer = asyncio.get_running_loop().call_later(SOON_S, self._begin)
        self.ended = False
        """Whether it was cancelled from here."""

    @property
    def is_gone(self) -> bool:
        """Whether the client hung up."""
        # A future that close() cancelled is done as well, and at once; it says nothing.
        gone = self._gone_task
        return gone is not None and gone.done() and not gone.cancelled()

    def close(self) -> None:
        """Watch no longer."""
        self._timer.cancel()
        if self._gone_task is not None and not self._gone_task.done():
            self._gone_task.cancel()
        if self._stop_task is not None:
            self._stop_task.cancel()

    def _begin(self) -> None:
        if not self._task.done():
            self._gone_task = asyncio.ensure_future(self._gone())
            self._stop_task = asyncio.ensure_future(self._stopping.wait())
            self._gone_task.add_done_callback(self._end)
            self._stop_task.add_done_callback(self._end)

    def _end(self, why: asyncio.Future[Any]) -> None:
        if not self._task.done() and not why.cancelled():
            self.ended = True
            self._task.cancel()


def caller_of(
    request: Request, credential: Credential, accounts: Accounts, stopping: asyncio.Event
) -> Caller:
    """The caller that a credential stands for, with the endpoint's own where it does not say."""
    account, region = accounts.own
    return Caller(
        credential.account or account,
        credential.region or region,
        request,
        accounts,
        stopping,
        bool(credential.key_id),
    )
