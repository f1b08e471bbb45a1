"""Server: the endpoint behind granian's HTTP, in one process or several.

granian keeps the processes alive, speaks HTTP/1.1 and HTTP/2 and counts running requests; on
SIGTERM or SIGINT it takes no more, and ends when those are done. Ours is to answer the long polls
then.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import signal
import socket
import ssl
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from granian import Granian
from granian._granian import RSGIProtocolClosed, RSGIProtocolError
from granian.constants import HTTPModes, Interfaces, Loops, SSLProtocols
from granian.http import HTTP1Settings, HTTP2Settings

from rmq.client.aio import AsyncClient
from rmq.core.clock import Clock, HeldClock
from rmq.core.limits import Limits
from rmq.errors import ConfigurationError
from rmq.gateway import dispatching, logs
from rmq.gateway.app import MAX_BODY, Endpoint
from rmq.gateway.controls import Controls
from rmq.gateway.dispatching import Dispatching
from rmq.gateway.errors import too_large
from rmq.gateway.http import Request, Response
from rmq.gateway.sweeping import Sweeping
from rmq.push.settings import PushSettings, push_settings
from rmq.settings import Settings

STOP_S = 30
"""Seconds that running requests have to end before their process is killed."""
BACKLOG = 4096
"""Connections that wait to be taken."""
TAKEN_S = 0.5
"""Seconds in which an answer is on its way to its client's socket. It takes 0.001."""
MOST_AT_ONCE = 65_536
"""Requests under way in one process; a long poll is one for up to 20 seconds."""
MAX_HEADERS = 1024 * 1024
"""Bytes of one request's headers. Beyond that the connection is closed with status 431."""

ENDING = (signal.SIGTERM, signal.SIGINT)
"""The signals that end it."""

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}
"""Hosts that stand for every address of the machine, and one at which a link can be followed."""


@dataclass(frozen=True, kw_only=True)
class Serving:
    """What `rmq serve` was told."""

    settings: Settings
    limits: Limits
    host: str = "127.0.0.1"
    port: int = 4566
    workers: int = 1
    testing: bool = False
    dispatch: bool = True
    """Push from here what waits for HTTP, mail, mobile and SMS subscribers."""
    push: PushSettings = field(default_factory=push_settings)
    """To whom, and by what."""
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

    def __post_init__(self) -> None:
        """Links lead here unless the settings say where else; tests' subscribers are near."""
        if "endpoint_url" not in self.settings.model_fields_set:
            url = self.url
            for every, own in EVERYWHERE.items():
                url = url.replace(f"//{every}:", f"//{own}:")
            settings = self.settings.model_copy(update={"endpoint_url": url})
            object.__setattr__(self, "settings", settings)
        if self.testing:
            near = (*self.push.allow_addresses, "loopback")
            push = self.push.model_copy(update={"allow_addresses": near})
            object.__setattr__(self, "push", push)


class Door:
    """granian's application: one for each process."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._endpoint: Endpoint | None = None
        self._sweeping: Sweeping | None = None

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        hear_signals(loop, self._stop)
        serving = self._serving
        logs.configure(serving.log_format)
        clock = HeldClock() if serving.testing else Clock()
        controls = None
        if isinstance(clock, HeldClock):
            clock.release()
            controls = Controls(clock)
        client = AsyncClient(
            serving.settings.url,
            settings=serving.settings,
            limits=serving.limits,
            clock=clock,
            signs_queues=True,
        )
        pushing = Dispatching(client, serving.push) if serving.dispatch else None
        if pushing is not None:
            pushing.start(loop)
        self._endpoint = Endpoint(
            client,
            account=serving.settings.aws_account_id,
            region=serving.settings.aws_region,
            controls=controls,
            access=logs.AccessLog(serving.log_format) if serving.access_log else None,
            origins=serving.origins,
            dispatching=pushing,
        )

        self._sweeping = Sweeping(client)
        self._sweeping.start(loop)
        end_with_parent(loop)
        # What is there now, the models above all, stays: no collection need look at it again.
        gc.collect()
        gc.freeze()

    def _stop(self) -> None:
        assert self._endpoint is not None
        self._endpoint.stopping.set()

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._sweeping is not None:
            loop.run_until_complete(self._sweeping.stop())
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
        response = await self._endpoint(request)
        if response.parts is not None:
            await _stream(proto, request, response, response.parts)
            return
        _send(proto, request, response)
        if request.unread is not None:
            await _unless_taken(proto, request.unread)


def hold_signals() -> None:
    """Let a signal to a worker of this process wait until its Door hears it.

    A worker is a fork, and so has the first process's handlers until it has its own. They note for
    the first process that it ends: a worker would do nothing, and serve on until it is killed.
    """
    if sys.platform == "win32":
        return
    first = os.getpid()

    def hold(how: int) -> None:
        if os.getpid() == first:
            signal.pthread_sigmask(how, ENDING)

    os.register_at_fork(
        before=partial(hold, signal.SIG_BLOCK), after_in_parent=partial(hold, signal.SIG_UNBLOCK)
    )


def hear_signals(loop: asyncio.AbstractEventLoop, stop: Callable[[], None] = lambda: None) -> None:
    """Let *stop* be called in the running loop when this worker is told to end.

    Beside granian's own handler, which the loop runs when the signal's byte reaches it: Python runs
    this one, and both are run.
    """

    def stopping(number: int, _: Any) -> None:
        if loop.is_running():
            loop.call_soon_threadsafe(stop)
        else:
            # Nobody but the loop tells granian, and one that does not run yet hears nothing: a
            # worker that is told to end while it starts would serve on until it is killed.
            loop.call_soon_threadsafe(os.kill, os.getpid(), number)

    for number in ENDING:
        signal.signal(number, stopping)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)  # see hold_signals


def end_with_parent(loop: asyncio.AbstractEventLoop) -> None:
    """The first process takes care of the others. Where it was killed, nobody would ever end them,
    and they would hold the port against the next `rmq serve`."""
    parent = multiprocessing.parent_process()
    if parent is None or sys.platform == "win32":
        return
    sentinel = parent.sentinel

    def leave() -> None:
        loop.remove_reader(sentinel)
        os.kill(os.getpid(), signal.SIGTERM)

    loop.add_reader(sentinel, leave)


def _request(scope: Any, proto: Any) -> Request:
    headers: Mapping[str, str] = scope.headers
    host = scope.authority or headers.get("host") or scope.server
    return Request(
        scope.method,
        scope.path,
        scope.query_string,
        headers,
        b"",
        "https" if headers.get("x-forwarded-proto") == "https" else scope.scheme,
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


def _headers_of(response: Response) -> list[tuple[str, str]]:
    headers = list(response.headers.items())
    if response.content_type:
        headers.append(("content-type", response.content_type))
    return headers


def _send(proto: Any, request: Request, response: Response) -> None:
    headers = _headers_of(response)
    if request.method == "HEAD" or not response.body:
        proto.response_empty(response.status, headers)
    else:
        proto.response_bytes(response.status, headers, response.body)


async def _stream(
    proto: Any, request: Request, response: Response, parts: AsyncGenerator[bytes, None]
) -> None:
    """Send part after part: chunks in HTTP/1.1, frames in HTTP/2. Who hangs up is noticed at once,
    also while there is nothing to send."""
    out = proto.response_stream(response.status, _headers_of(response))

    async def send() -> None:
        async with aclosing(parts):
            async for part in parts:
                await out.send_bytes(part)

    sending = asyncio.ensure_future(send())
    gone = asyncio.ensure_future(request.gone())
    try:
        await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        sending.cancel()
        # What granian raises for a connection that is closed, when the client was quicker.
        with suppress(asyncio.CancelledError, RSGIProtocolClosed, RSGIProtocolError):
            await sending


async def _unless_taken(proto: Any, unread: Callable[[], Awaitable[Any]]) -> None:
    """Between the moment a client hangs up and the one we hear of it, it may be answered.

    granian says that a client is gone as long as its answer has not been taken for the socket. So
    we ask once more: it tells within a moment, or never.
    """
    gone = asyncio.ensure_future(proto.client_disconnect())
    done, _ = await asyncio.wait((gone,), timeout=TAKEN_S)
    if done:
        await unread()
    else:
        gone.cancel()


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
    if serving.dispatch:
        dispatching.check(serving.push)
    if serving.certificate is not None and serving.key is not None:
        _check_certificate(serving.certificate, serving.key)
    check_port(serving.host, serving.port)


def _check_certificate(certificate: Path, key: Path) -> None:
    def no_password() -> str:
        raise ConfigurationError(f"--tls-key {key} asks for a password; use a key that has none")

    for option, path in (("--tls-cert", certificate), ("--tls-key", key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise ConfigurationError(
                f"{option} {path} can not be read: {error.strerror}"
            ) from error
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, no_password)
    except ssl.SSLError as error:
        raise ConfigurationError(
            f"--tls-cert {certificate} and --tls-key {key} are not a certificate and its key in "
            f"PEM ({error.reason or error})"
        ) from error


def check_port(host: str, port: int) -> None:
    """Raise ConfigurationError where nothing can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"can not listen on {host}:{port}: {error.strerror}; choose "
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
        ssl_protocol_min=SSLProtocols.tls12,  # as AWS; some SDKs' runtimes know no later one
    )
    hold_signals()
    server.serve(target_loader=partial(_load, serving), wrap_loader=False)
