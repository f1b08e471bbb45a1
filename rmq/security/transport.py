"""Transport: httpx on connections that go to checked addresses and nowhere else.

    AsyncClient ── GuardedTransport ── httpcore's pool ── GuardedBackend.connect_tcp(host)
                                                            resolve, judge, connect to the address

The check sits where the socket is opened, so there is no second look at the name between the two,
and no other way out. TLS, SNI and the Host header still go by the name. A connection that is kept
open goes where it was checked to go.

This module needs rmq[push]; nothing imports it before something is pushed.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

from rmq.security.address import NOTHING, AllowList, AsyncResolver, addresses, resolve_async

CONNECTIONS = 100
"""The most connections of one transport, kept open or not."""
KEPT_OPEN_S = 5.0
"""Seconds for which an idle connection is kept."""
TIMEOUT_S = 15.0
"""Amazon SNS's own timeout for HTTP and HTTPS endpoints."""


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections, each to an address that was checked for it."""

    def __init__(self, allow: AllowList = NOTHING, resolver: AsyncResolver = resolve_async) -> None:
        self._allow = allow
        self._resolver = resolver
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first of the host's addresses that answers; *timeout* is for all of it.

        Raises AddressRefused, InvalidParameter, and httpcore's ConnectError and ConnectTimeout.
        """
        try:
            async with asyncio.timeout(timeout):
                found = await addresses(host, port, self._allow, self._resolver)
                for index, address in enumerate(found):
                    # What is left is shared out, so that a dead address leaves time for the next.
                    left = None if timeout is None else timeout / (len(found) - index)
                    try:
                        return await self._inner.connect_tcp(
                            address, port, left, local_address, socket_options
                        )
                    except (httpcore.ConnectError, httpcore.ConnectTimeout):
                        if index == len(found) - 1:
                            raise
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"no connection within {timeout} s") from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        raise AssertionError("no address, and none refused")

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError("a push goes to a URL, not to a socket of this machine")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class GuardedTransport(httpx.AsyncBaseTransport):
    """A transport for httpx whose connections are opened by GuardedBackend.

    httpx's own takes no backend, so this is its few lines again, on httpcore's public names.
    """

    def __init__(
        self,
        allow: AllowList = NOTHING,
        *,
        resolver: AsyncResolver = resolve_async,
        verify: ssl.SSLContext | bool = True,
        max_connections: int = CONNECTIONS,
    ) -> None:
        context = verify if isinstance(verify, ssl.SSLContext) else httpx.create_ssl_context(verify)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=max_connections,
            max_keepalive_connections=max_connections,
            keepalive_expiry=KEPT_OPEN_S,
            network_backend=GuardedBackend(allow, resolver),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        assert isinstance(request.stream, httpx.AsyncByteStream)
        with _as_httpx(request):
            response = await self._pool.handle_async_request(
                httpcore.Request(
                    request.method,
                    httpcore.URL(
                        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Stream(response, request),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


def guarded_client(
    allow: AllowList = NOTHING,
    *,
    resolver: AsyncResolver = resolve_async,
    verify: ssl.SSLContext | bool = True,
    max_connections: int = CONNECTIONS,
    timeout: float = TIMEOUT_S,
) -> httpx.AsyncClient:
    """A client for strangers' URLs.

    It follows no redirect, which would be a second URL, and takes no proxy from the environment,
    which would connect in our place, to addresses that nobody checked.
    Requests raise AddressRefused and InvalidParameter beside httpx's errors.
    """
    return httpx.AsyncClient(
        transport=GuardedTransport(
            allow, resolver=resolver, verify=verify, max_connections=max_connections
        ),
        timeout=timeout,
        follow_redirects=False,
        trust_env=False,
    )


class _Stream(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response, request: httpx.Request) -> None:
        self._response = response
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx(self._request):
            async for part in self._response.aiter_stream():
                yield part

    async def aclose(self) -> None:
        with _as_httpx(self._request):
            await self._response.aclose()


@contextmanager
def _as_httpx(request: httpx.Request) -> Iterator[None]:
    """httpcore's errors as httpx's of the same name."""
    try:
        yield
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.ProxyError,
        httpcore.UnsupportedProtocol,
    ) as error:
        kind = getattr(httpx, type(error).__name__)
        raise kind(str(error), request=request) from error
