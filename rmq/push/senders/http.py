"""HTTP: messages as POST requests to subscribers' URLs.

    2xx                                       delivered
    429, 5xx, timeouts, connection trouble    another try may help
    the rest (3xx too: no redirect is followed), an address that is refused: none will

Source: Amazon SNS message delivery retries, HTTP/HTTPS headers (Amazon SNS Developer Guide).
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import aiohttp
from yarl import URL

from rmq.errors import AddressRefused, CallerError
from rmq.push.job import Job, Passing, Permanent
from rmq.security.address import NOTHING, AllowList, AsyncResolver, resolve
from rmq.security.transport import TIMEOUT_S, Guard, guarded_session
from rmq.topics.envelope import headers

RESOLVING = 64
"""Hosts whose addresses are asked for at the same time."""
READ_BYTES = 65_536
"""Of an answer so much is read, so that its connection can be used again; what is longer is cut
off with its connection."""
LONGEST_RETRY_AFTER = timedelta(hours=1)


class _Answer(NamedTuple):
    status: int
    retry_after: str
    challenge: str
    """How a 401 wants to be told who we are."""


class HttpSender:
    """Sends to http and https endpoints. Connections are kept open between messages."""

    def __init__(
        self,
        allow: AllowList = NOTHING,
        *,
        timeout: float = TIMEOUT_S,
        resolver: AsyncResolver | None = None,
        verify: ssl.SSLContext | None = None,
    ) -> None:
        """*timeout*: of one delivery as a whole, seconds. *verify*: whom TLS trusts."""
        self._allow = allow
        self._timeout = timeout
        self._verify = verify
        self._resolver = Resolver()
        self._ask = self._resolver if resolver is None else resolver
        self._session: aiohttp.ClientSession | None = None

    async def send(self, job: Job) -> None:
        try:
            answer = await self._post(job)
        except TimeoutError:
            raise Passing(f"no answer within {self._timeout:g} s") from None
        except (AddressRefused, CallerError) as error:
            raise Permanent(str(error)) from error
        except aiohttp.InvalidURL as error:
            raise Permanent(str(error) or "no URL") from error
        except (aiohttp.ClientError, ssl.SSLError, OSError) as error:
            raise Passing(f"{type(error).__name__}: {error}") from error
        if 200 <= answer.status < 300:
            return
        if answer.status == 429 or answer.status >= 500:
            raise Passing(f"answered {answer.status}", _retry_after(answer.retry_after))
        raise Permanent(f"answered {answer.status}")

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
        self._resolver.close()

    async def _post(self, job: Job) -> _Answer:
        url, user, password = _target(job.endpoint)
        told = headers(
            job.kind,
            job.message.id,
            job.message.topic_arn,
            subscription_arn=job.subscription_arn,
            raw=job.raw,
            content_type=job.policy.content_type,
        )
        payload = job.payload
        # Never by itself: a password goes out only when the endpoint asks for it.
        answer = await self._once(url, told, payload)
        if answer.status == 401 and user:
            if answer.challenge.startswith("basic"):
                given = base64.b64encode(f"{user}:{password}".encode()).decode()
                return await self._once(url, told | {"Authorization": f"Basic {given}"}, payload)
            if answer.challenge.startswith("digest"):
                digest = aiohttp.DigestAuthMiddleware(user, password)
                # Those of one request take the place of the session's.
                both = (digest, Guard(self._allow))
                return await self._once(url, told, payload, middlewares=both)
        return answer

    async def _once(self, url: URL, told: dict[str, str], payload: bytes, **more: Any) -> _Answer:
        session = self._session
        if session is None:
            session = self._session = guarded_session(
                self._allow, resolver=self._ask, verify=self._verify, timeout=self._timeout
            )
        async with session.post(
            url, data=payload, headers=told, allow_redirects=False, **more
        ) as response:
            size = 0
            async for part in response.content.iter_any():
                size += len(part)
                if size > READ_BYTES:
                    response.close()
                    break
            found = response.headers
            return _Answer(
                response.status,
                found.get("Retry-After", ""),
                found.get("WWW-Authenticate", "").lower(),
            )


@lru_cache(maxsize=4096)
def _target(endpoint: str) -> tuple[URL, str, str]:
    """A URL without its user, the user and the password. Raises aiohttp.InvalidURL."""
    try:
        url = URL(endpoint)
        return url.with_user(None), url.user or "", url.password or ""
    except ValueError as error:
        raise aiohttp.InvalidURL(endpoint, str(error)) from error


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


def _retry_after(given: str) -> timedelta | None:
    """The header Retry-After in seconds; a date is left to the policy."""
    if not (given.isascii() and given.isdigit() and len(given) < 10):
        return None
    return min(timedelta(seconds=int(given)), LONGEST_RETRY_AFTER)
