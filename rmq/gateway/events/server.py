"""Server: a listener behind granian's HTTP, in a process of its own that granian keeps alive."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops

from rmq.client.aio import AsyncClient
from rmq.core.limits import Limits
from rmq.errors import ConfigurationError
from rmq.events.s3 import MAX_BODY, Forwarder
from rmq.gateway import logs
from rmq.gateway.events.listener import Listener, too_large
from rmq.gateway.http import Request, Response
from rmq.gateway.server import check_port, end_with_parent, hear_signals, hold_signals
from rmq.settings import Settings

STOP_S = 30
"""Seconds that running requests have to end before their process is killed."""

log = logging.getLogger("rmq.gateway.events")


@dataclass(frozen=True, kw_only=True)
class Listening:
    """What `rmq events s3` was told."""

    settings: Settings
    limits: Limits
    host: str = "127.0.0.1"
    port: int = 4570
    token: str | None = None
    topic: str | None = None
    queue: str | None = None
    events: tuple[str, ...] = ()
    prefix: str = ""
    suffix: str = ""

    def forwarder(self, client: AsyncClient) -> Forwarder:
        """Raises InvalidParameter, MissingParameter."""
        return Forwarder(
            client,
            topic=self.topic,
            queue=self.queue,
            events=self.events,
            prefix=self.prefix,
            suffix=self.suffix,
        )

    @property
    def url(self) -> str:
        """Where stores find it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


class Door:
    """granian's application."""

    def __init__(self, listening: Listening) -> None:
        self._listening = listening
        self._client: AsyncClient | None = None
        self._listener: Listener | None = None

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        hear_signals(loop)
        listening = self._listening
        logs.configure("text")
        self._client = AsyncClient(
            listening.settings.url, settings=listening.settings, limits=listening.limits
        )
        self._listener = Listener(listening.forwarder(self._client), listening.token)
        end_with_parent(loop)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._client is not None:
            loop.run_until_complete(self._client.close())

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        assert self._listener is not None
        if scope.proto != "http":
            proto.close(403)
            return
        body = await _body(scope, proto)
        if body is None:
            response = too_large(MAX_BODY)
        else:
            peer = scope.client.rpartition(":")[0].strip("[]")
            request = Request(scope.method, scope.path, "", scope.headers, body, peer=peer)
            response = await self._listener(request)
        if response.status >= 400:
            log.warning("%s answered %d: %s", scope.client, response.status, response.body.decode())
        _send(scope, proto, response)


async def _body(scope: Any, proto: Any) -> bytes | None:
    """The whole body, or None for one that is too long. No more than the most is ever held."""
    said = scope.headers.get("content-length", "")
    if said.isdecimal() and int(said) > MAX_BODY:
        return None
    parts, size = [], 0
    async for part in proto:
        size += len(part)
        if size > MAX_BODY:
            return None
        parts.append(part)
    return b"".join(parts)


def _send(scope: Any, proto: Any, response: Response) -> None:
    headers = [*response.headers.items(), ("content-type", response.content_type)]
    if scope.method == "HEAD":
        proto.response_empty(response.status, headers)
    else:
        proto.response_bytes(response.status, headers, response.body)


def _load(listening: Listening, *_: Any) -> Any:
    return Door(listening)


def check(listening: Listening) -> None:
    """Raise ConfigurationError for what can not be served."""
    if listening.settings.url.startswith("memory:"):
        raise ConfigurationError(
            "memory:// lives in one process, so nobody could read what comes in; give a --url of "
            "Redis"
        )
    check_port(listening.host, listening.port)


def listen(listening: Listening) -> None:
    """Listen until a signal comes. Raises ConfigurationError."""
    check(listening)
    server = Granian(
        "rmq.gateway.events.server:Door",
        address=listening.host,
        port=listening.port,
        interface=Interfaces.RSGI,
        loop=Loops.auto,
        http=HTTPModes.auto,
        websockets=False,
        log_enabled=False,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_S,
    )
    hold_signals()
    server.serve(target_loader=partial(_load, listening), wrap_loader=False)
