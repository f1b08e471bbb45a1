"""Server: the endpoint behind granian's HTTP, in one process or several.

granian keeps the processes alive, speaks HTTP/1.1 and HTTP/2 and counts running requests; on
SIGTERM or SIGINT it takes no more, and ends when those are done. Ours is to answer the long polls
then.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings, HTTP2Settings

from rmq.client.aio import AsyncClient
from rmq.core.clock import Clock, HeldClock
from rmq.errors import ConfigurationError
from rmq.gateway import logs
from rmq.gateway.app import MAX_BODY, Endpoint
from rmq.gateway.controls import Controls
from rmq.gateway.errors import too_large
from rmq.gateway.http import Request, Response
from rmq.queues.limits import Limits
from rmq.settings import EndpointSettings

STOP_S = 30
"""Seconds that running requests have to end before their process is killed."""
BACKLOG = 4096
"""Connections that wait to be taken."""
MOST_AT_ONCE = 65_536
"""Requests under way in one process; a long poll is one for up to 20 seconds."""
MAX_HEADERS = 1024 * 1024
"""Bytes of one request's headers. Beyond that the connection is closed with status 431."""


@dataclass(frozen=True, kw_only=True)
class Serving:
    """What `rmq serve` was told."""

    settings: EndpointSettings
    limits: Limits
    host: str = "127.0.0.1"
    port: int = 4566
    workers: int = 1
    testing: bool = False
    origins: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    log_format: str = "text"
    access_log: bool = True

    @property
    def url(self) -> str:
        """Where clients find it."""
        scheme = "https" if self.certificate else "http"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"


class Door:
    """granian's application: one for each process."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._endpoint: Endpoint | None = None

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        serving = self._serving
        logs.configure(serving.log_format)
        clock = HeldClock() if serving.testing else Clock()
        controls = None
        if isinstance(clock, HeldClock):
            clock.release()
            controls = Controls(clock)
        client = AsyncClient(
            serving.settings.url, settings=serving.settings, limits=serving.limits, clock=clock
        )
        self._endpoint = Endpoint(
            client,
            account=serving.settings.aws_account_id,
            region=serving.settings.aws_region,
            controls=controls,
            access=logs.AccessLog(serving.log_format) if serving.access_log else None,
            origins=serving.origins,
        )

        def stopping(*_: Any) -> None:
            loop.call_soon_threadsafe(lambda: endpoint.stopping.set())

        # Beside granian's own, which the loop runs when the signal's byte reaches it: Python runs
        # this one, and both are run.
        endpoint = self._endpoint
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stopping)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._endpoint is not None:
            loop.run_until_complete(self._endpoint.close())

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        assert self._endpoint is not None
        if scope.proto != "http":
            proto.close(403)
            return
        request = _request(scope, proto)
        body = await _body(request, proto)
        if body is None:
            request.refusal = too_large(MAX_BODY)
        else:
            request.body = body
        _send(proto, request, await self._endpoint(request))


def _request(scope: Any, proto: Any) -> Request:
    headers: Mapping[str, str] = scope.headers
    host = scope.authority or headers.get("host") or scope.server
    return Request(
        scope.method,
        scope.path,
        scope.query_string,
        headers,
        b"",
        headers.get("x-forwarded-proto") or scope.scheme,
        host,
        scope.client.rpartition(":")[0].strip("[]"),
        proto.client_disconnect,
    )


async def _body(request: Request, proto: Any) -> bytes | None:
    """The whole body, or None for one that is too long. No more than the most is ever held."""
    said = request.headers.get("content-length", "")
    if said.isdecimal():
        size = int(said)
        if size <= MAX_BODY:
            return await proto() if size else b""
        return None
    if request.method in ("GET", "HEAD", "OPTIONS") and "transfer-encoding" not in request.headers:
        return b""
    parts, size = [], 0
    async for part in proto:
        size += len(part)
        if size > MAX_BODY:
            return None
        parts.append(part)
    return b"".join(parts)


def _send(proto: Any, request: Request, response: Response) -> None:
    headers = list(response.headers.items())
    if response.content_type:
        headers.append(("content-type", response.content_type))
    if request.method == "HEAD" or not response.body:
        proto.response_empty(response.status, headers)
    else:
        proto.response_bytes(response.status, headers, response.body)


def _load(serving: Serving, *_: Any) -> Any:
    return Door(serving)


def check(serving: Serving) -> None:
    """Raise ConfigurationError for what can not be served."""
    if serving.testing and serving.host not in ("127.0.0.1", "::1", "localhost"):
        raise ConfigurationError(
            f"host is {serving.host!r} with --testing, which lets anybody move the clock and "
            "remove every queue; use 127.0.0.1"
        )
    if serving.workers > 1 and serving.testing:
        raise ConfigurationError("workers is above 1 with --testing, whose clock is one process's")
    if serving.workers > 1 and serving.settings.url.startswith("memory:"):
        raise ConfigurationError(
            "workers is above 1 with memory://, which lives in one process; give a --url of Redis"
        )
    if len(serving.settings.namespace) > 26:
        raise ConfigurationError(
            f"namespace is {serving.settings.namespace!r}; the endpoint adds account and region to "
            "it, so it must be at most 26 characters long"
        )
    _check_port(serving)


def _check_port(serving: Serving) -> None:
    family = socket.AF_INET6 if ":" in serving.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((serving.host, serving.port))
        except OSError as error:
            raise ConfigurationError(
                f"can not listen on {serving.host}:{serving.port}: {error.strerror}; choose "
                "another --port or --host"
            ) from error


def serve(serving: Serving) -> None:
    """Serve until a signal comes. Raises ConfigurationError."""
    check(serving)
    server = Granian(
        "rmq.gateway.server:Door",
        address=serving.host,
        port=serving.port,
        interface=Interfaces.RSGI,
        workers=serving.workers,
        loop=Loops.auto,
        http=HTTPModes.auto,
        websockets=False,
        backlog=BACKLOG,
        backpressure=MOST_AT_ONCE,
        http1_settings=HTTP1Settings(max_buffer_size=MAX_HEADERS),
        http2_settings=HTTP2Settings(max_headers_size=MAX_HEADERS),
        log_enabled=False,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_S,
        ssl_cert=serving.certificate,
        ssl_key=serving.key,
    )
    server.serve(target_loader=partial(_load, serving), wrap_loader=False)
