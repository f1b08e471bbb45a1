"""Dispatching: a dispatcher inside the endpoint, so that HTTP, mail, SMS and mobile subscribers are
reached without a second process. With memory:// there is no other way.

It is one dispatcher among others: those of `rmq dispatch` and of every worker share the work.
"""

from __future__ import annotations

import asyncio
import logging

from rmq.client.aio import AsyncClient
from rmq.errors import ConfigurationError
from rmq.push.dispatcher import STOP_S, Dispatcher
from rmq.push.senders import chosen
from rmq.push.settings import PushSettings

log = logging.getLogger("rmq.gateway")


def check(settings: PushSettings) -> None:
    """Raise ConfigurationError, InvalidParameter for settings by which nothing can be pushed."""
    chosen(settings, None)  # type: ignore[arg-type]  # nothing is sent by these


class Dispatching:
    """A dispatcher that runs from its start until it is stopped."""

    def __init__(
        self, client: AsyncClient, settings: PushSettings, *, deadline: float = STOP_S
    ) -> None:
        """*deadline*: seconds that deliveries under way may still take."""
        self._client = client
        self._settings = settings
        self._deadline = deadline
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Begin, in the running loop or as soon as *loop* runs. Once begun it goes on."""
        if self._task is None and not self._stopping.is_set():
            loop = loop or asyncio.get_running_loop()
            self._task = loop.create_task(self._run(), name="rmq-dispatch")

    async def stop(self) -> None:
        """End, and give back what had no time to end."""
        self._stopping.set()
        if self._task is not None:
            await asyncio.wait((self._task,))

    async def _run(self) -> None:
        try:
            senders = chosen(self._settings, self._client._executor)
            dispatcher = Dispatcher(self._client, senders)
            try:
                await dispatcher.run(self._stopping, deadline=self._deadline)
            finally:
                await dispatcher.close()
        except ConfigurationError as error:
            log.error("nothing is pushed from here: %s", error)
        except Exception:
            log.exception("nothing is pushed from here any more")
