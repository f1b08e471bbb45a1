"""HTTP: messages as POST requests to subscribers' URLs.

    2xx                                       delivered
    429, 5xx, timeouts, connection trouble    another try may help
    the rest (3xx too: no redirect is followed), an address that is refused: none will

Source: Amazon SNS message delivery retries, HTTP/HTTPS headers (Amazon SNS Developer Guide).
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import unquote

import httpx

from rmq.errors import AddressRefused, CallerError
from rmq.push.job import Job, Passing, Permanent
from rmq.security.address import NOTHING, AllowList, AsyncResolver, resolve
from rmq.security.transport import KEPT_OPEN_S, TIMEOUT_S, GuardedTransport
from rmq.topics.envelope import headers

IDLE_S = 2 * KEPT_OPEN_S + TIMEOUT_S
"""An endpoint that nothing was sent to for so long has no connection that could be used again, and
no answer that is still being read."""
RESOLVING = 64
"""Hosts whose addresses are asked for at the same time."""
READ_BYTES = 65_536
"""Of an answer so much is read, so that its connection can be used again; what is longer is cut
off with its connection."""
LONGEST_RETRY_AFTER = timedelta(hours=1)


class HttpSender:
    """Sends to http and https endpoints. Connections are kept open between messages."""

    def __init__(
        self,
        allow: AllowList = NOTHING,
        *,
        max_connections: int = 100,
        timeout: float = TIMEOUT_S,
        resolver: AsyncResolver | None = None,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        """*max_connections*: to one endpoint. *timeout*: of one delivery as a whole, seconds."""
        self._timeout = timeout
        self._verify = verify
        self._resolver = Resolver()
        ask = self._resolver if resolver is None else resolver

        def make() -> GuardedTransport:
            # Read once: it takes as long as fifty deliveries.
            if not isinstance(self._verify, ssl.SSLContext):
                self._verify = httpx.create_ssl_context(self._verify)
            return GuardedTransport(
                allow, resolver=ask, verify=self._verify, max_connections=max_connections
            )

        self._pools = Pools(make)
        # Follows no redirect, and takes nothing from the environment: a proxy would connect in our
        # place.
        self._client = httpx.AsyncClient(
            transport=self._pools, timeout=timeout, follow_redirects=False, trust_env=False
        )

    async def send(self, job: Job) -> None:
        try:
            # httpx's own timeouts are for each read: an endpoint that drips would hold us for ever.
            async with asyncio.timeout(self._timeout):
                response = await self._post(job)
        except TimeoutError:
            raise Passing(f"no answer within {self._timeout:g} s") from None
        except (AddressRefused, CallerError) as error:
            raise Permanent(str(error)) from error
        except httpx.TimeoutException:
            raise Passing(f"no answer within {self._timeout:g} s") from None
        except httpx.InvalidURL as error:
            raise Permanent(str(error)) from error
        except (httpx.HTTPError, ssl.SSLError, OSError) as error:
            raise Passing(f"{type(error).__name__}: {error}") from error
        status = response.status_code
        if 200 <= status < 300:
            return
        if status == 429 or status >= 500:
            raise Passing(f"answered {status}", _retry_after(response))
        raise Permanent(f"answered {status}")

    async def close(self) -> None:
        await self._client.aclose()
        self._resolver.close()

    async def _post(self, job: Job) -> httpx.Response:
        url = httpx.URL(job.endpoint)
        user, password = unquote(url.username), unquote(url.password)
        # Never by itself: a password goes out only when the endpoint asks for it.
        request = self._client.build_request(
            "POST",
            url.copy_with(username=None, password=None),
            content=job.payload,
            headers=headers(
                job.kind,
                job.message.id,
                job.message.topic_arn,
                subscription_arn=job.subscription_arn,
                raw=job.raw,
                content_type=job.policy.content_type,
            ),
        )
        response = await self._once(request, None)
        if response.status_code == 401 and user:
            challenge = response.headers.get("www-authenticate", "").lower()
            if challenge.startswith("basic"):
                return await self._once(request, httpx.BasicAuth(user, password))
            if challenge.startswith("digest"):
                return await self._once(request, httpx.DigestAuth(user, password))
        return response

    async def _once(self, request: httpx.Request, auth: httpx.Auth | None) -> httpx.Response:
        response = await self._client.send(request, stream=True, auth=auth)
        try:
            size = 0
            async for part in response.aiter_raw():
                size += len(part)
                if size > READ_BYTES:
                    break
        finally:
            await response.aclose()
        return response


class Resolver:
    """Asks for the addresses of hosts, in threads of its own, and for each host once at a time: one
    whose name servers do not answer would otherwise keep all others waiting for a thread."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(RESOLVING, thread_name_prefix="rmq-resolve")
        self._asked: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    async def __call__(self, host: str, port: int) -> list[str]:
        """Raises OSError."""
        key = host, port
        asked = self._asked.get(key)
        if asked is None:
            loop = asyncio.get_running_loop()
            asked = self._asked[key] = loop.run_in_executor(self._threads, resolve, host, port)
            asked.add_done_callback(lambda _: self._asked.pop(key, None))
        return await asyncio.shield(asked)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class Pools(httpx.AsyncBaseTransport):
    """A transport that gives each endpoint connections of its own.

    One pool for all looks through all its connections with every request: with 250 of them that
    was half of the time spent.
    """

    def __init__(self, make: Callable[[], httpx.AsyncBaseTransport]) -> None:
        self._make = make
        self._pools: OrderedDict[str, _Pool] = OrderedDict()
        """By endpoint, the one used last at the end."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        key = str(request.url)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = _Pool(self._make())
        self._pools.move_to_end(key)
        pool.at_work += 1
        try:
            return await pool.transport.handle_async_request(request)
        finally:
            pool.at_work -= 1
            pool.used = time.monotonic()
            await self._close_idle()

    async def aclose(self) -> None:
        pools, self._pools = self._pools, OrderedDict()
        for pool in pools.values():
            await pool.transport.aclose()

    async def _close_idle(self) -> None:
        """Close those that nobody has used for long."""
        before = time.monotonic() - IDLE_S
        while self._pools:
            key, oldest = next(iter(self._pools.items()))
            if oldest.at_work or oldest.used > before:
                return
            del self._pools[key]
            await oldest.transport.aclose()


@dataclass(slots=True)
class _Pool:
    transport: httpx.AsyncBaseTransport
    at_work: int = 0
    used: float = 0.0


def _retry_after(response: httpx.Response) -> timedelta | None:
    """The header Retry-After in seconds; a date is left to the policy."""
    given = response.headers.get("retry-after", "")
    if not (given.isascii() and given.isdigit() and len(given) < 10):
        return None
    return min(timedelta(seconds=int(given)), LONGEST_RETRY_AFTER)
