"""Transport: HTTP to strangers' URLs, on connections that go to checked addresses and nowhere else.

    ClientSession ── guard: a host that is an address is judged
         └── connector ── GuardedResolver: a host that is a name is asked for, and its addresses
                          are judged; a socket is opened to what it returns

Names are judged where a connection is opened, so there is no second look at the name between the
two. TLS, SNI and the Host header still go by the name. A connection that is kept open goes where it
was checked to go. The guard sees every request, also one that follows a redirect.

This module needs rmq[push]; nothing imports it before something is pushed.
"""

from __future__ import annotations

import socket
import ssl
from functools import cache, lru_cache

import aiohttp
import certifi
from aiohttp.abc import AbstractResolver, ResolveResult

from rmq.security.address import (
    NOTHING,
    AllowList,
    AsyncResolver,
    addresses,
    checked_host,
    is_literal,
    judge,
    resolve_async,
)

KEPT_OPEN_S = 5.0
"""Seconds for which an idle connection is kept."""
TIMEOUT_S = 15.0
"""Amazon SNS's own timeout for HTTP and HTTPS endpoints."""


class GuardedResolver(AbstractResolver):
    """Finds the addresses of a host, if it may be called."""

    def __init__(self, allow: AllowList = NOTHING, resolver: AsyncResolver = resolve_async) -> None:
        self._allow = allow
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises AddressRefused, InvalidParameter; OSError where the host has no address."""
        found = await addresses(host, port, self._allow, self._resolver)
        return [
            ResolveResult(
                hostname=host,
                host=one,
                port=port,
                family=socket.AF_INET6 if ":" in one else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for one in found
        ]

    async def close(self) -> None:
        """Nothing to give back."""


class Guard:
    """What every request goes through: aiohttp asks no resolver about a host that is an address."""

    def __init__(self, allow: AllowList = NOTHING) -> None:
        self._allow = allow
        # What is said of an address is always the same; a refusal is not kept.
        self._pass = lru_cache(maxsize=4096)(self._judge)

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        self._pass(request.url.raw_host or "")
        return await handler(request)

    def _judge(self, given: str) -> None:
        host = checked_host(given)
        if is_literal(host):
            judge(host, [host], self._allow)


def guarded_session(
    allow: AllowList = NOTHING,
    *,
    resolver: AsyncResolver = resolve_async,
    verify: ssl.SSLContext | None = None,
    timeout: float = TIMEOUT_S,
) -> aiohttp.ClientSession:
    """A client for strangers' URLs; to be made in the event loop that uses it.

    It takes no proxy from the environment, which would connect in our place, to addresses that
    nobody checked, and keeps no cookies. *timeout* is for a request as a whole, seconds: to find
    the address, to connect and to read the answer to its end. *verify* is whom TLS trusts, by
    default the authorities of certifi.

    Requests raise AddressRefused and InvalidParameter beside aiohttp's errors and TimeoutError.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            resolver=GuardedResolver(allow, resolver),
            # What is kept here was judged for another connection.
            use_dns_cache=False,
            ssl=_trusted() if verify is None else verify,
            keepalive_timeout=KEPT_OPEN_S,
            # Whoever sends knows how much to send at a time, and to whom.
            limit=0,
        ),
        middlewares=(Guard(allow),),
        timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=timeout / 2),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )


@cache
def _trusted() -> ssl.SSLContext:
    """Read once: it takes as long as fifty deliveries."""
    return ssl.create_default_context(cafile=certifi.where())
