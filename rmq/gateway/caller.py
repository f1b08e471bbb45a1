"""Caller: who asks, and where: an account in a region, which is a set of queues of its own.

The endpoint's own account in its own region is the namespace it serves, so that the library and
the command line meet it there. Every other pair lives beside it: `<namespace>.<account>.<region>`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from rmq.client.aio import AsyncClient
from rmq.gateway.credential import Credential
from rmq.gateway.http import Request

T = TypeVar("T")

ACCOUNTS_KEPT = 1_000
"""Pairs of account and region whose client is kept at hand. A stranger may ask for any number."""
SOON_S = 0.02
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
            found = self._client.in_namespace(f"{self._client.namespace}.{account}.{region}")
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
    """One request's account, region and way to the queues."""

    account: str
    region: str
    request: Request
    accounts: Accounts
    stopping: asyncio.Event

    @property
    def client(self) -> AsyncClient:
        """The caller's own set of queues."""
        return self.accounts.client(self.account, self.region)

    @property
    def base_url(self) -> str:
        """The endpoint as the client wrote it."""
        return f"{self.request.scheme}://{self.request.host}"

    async def while_there(
        self, work: Coroutine[Any, Any, T], give_back: Callable[[T], Awaitable[None]]
    ) -> T | None:
        """Carry out *work* for as long as the client is there and the endpoint is not stopping.

        None where it ended early. What it had got when the client was gone is given back.
        """
        task = asyncio.ensure_future(work)
        done, _ = await asyncio.wait((task,), timeout=SOON_S)
        if done:
            return task.result()
        gone = asyncio.ensure_future(self.request.gone())
        stop = asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait((task, gone, stop), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            if not task.done():
                task.cancel()
        if not task.done():
            gone.cancel()
            return None
        if gone.done():
            await give_back(task.result())
            return None
        gone.cancel()
        return task.result()


def caller_of(
    request: Request, credential: Credential, accounts: Accounts, stopping: asyncio.Event
) -> Caller:
    """The caller that a credential stands for, with the endpoint's own where it does not say."""
    account, region = accounts.own
    return Caller(
        credential.account or account, credential.region or region, request, accounts, stopping
    )
