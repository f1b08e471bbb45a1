"""The endpoint: from a request to a response, through a chain of steps. No socket anywhere.

identify   a request id, and the access log's line at the end
protect    whatever goes wrong becomes an answer in AWS's form
browse     a web page may not use the endpoint unless its origin was allowed
pages      /health and the like
controls   the clock and the reset of --testing
serve      AWS's protocols
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
import zlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from rmq.client.aio import AsyncClient
from rmq.core.limits import Limits
from rmq.errors import InvalidParameter, RmqError
from rmq.gateway import kinesis, pages, sns, sqs
from rmq.gateway.caller import Accounts, caller_of
from rmq.gateway.controls import Controls
from rmq.gateway.credential import Credential, credential_of
from rmq.gateway.dispatching import Dispatching
from rmq.gateway.errors import AwsError, internal, malformed, too_large
from rmq.gateway.http import Request, Response
from rmq.gateway.logs import AccessLog
from rmq.gateway.protocol.shapes import Problem
from rmq.gateway.service import Service
from rmq.gateway.wire import Asked, JsonWire, QueryWire, Router, content_type_of, form_of

MAX_BODY = 16 * 1024 * 1024
"""Bytes of one request body. SQS's 1 MiB takes 6 MiB in JSON's escapes; Kinesis's 10 MiB take 14 in
base64."""
COOLDOWN = timedelta(seconds=60)
"""Between two purges of a queue, and between a queue's end and another of its name. Source:
PurgeQueue, DeleteQueue (Amazon SQS API Reference)."""

log = logging.getLogger("rmq.gateway")

Next = Callable[[Request], Awaitable[Response]]
Step = Callable[[Request, Next], Awaitable[Response]]
"""Takes a request and what comes behind it in the chain. One that has nothing to do with a request
is a plain function, and hands on what comes behind it: a coroutine less to be driven."""

_UNSIGNED = Credential()


def endpoint_limits(*, cooldowns: bool = True) -> Limits:
    """AWS's limits, unless they are switched off without SQS's cool-downs and Kinesis's rates."""
    if cooldowns:
        return Limits.aws(min_purge_interval=COOLDOWN, name_reuse_delay=COOLDOWN)
    return Limits.aws(shard_write_bytes=None, shard_write_records=None, subscription_bytes=None)


class Endpoint:
    """AWS's services on one client. Await it with a Request for a Response."""

    def __init__(
        self,
        client: AsyncClient,
        *,
        account: str,
        region: str,
        controls: Controls | None = None,
        access: AccessLog | None = None,
        origins: Iterable[str] = (),
        dispatching: Dispatching | None = None,
        services: Iterable[Service] = (sqs.SERVICE, sns.SERVICE, kinesis.SERVICE),
    ) -> None:
        self.client = client
        self.accounts = Accounts(client, account, region)
        self.stopping = asyncio.Event()
        """Set it, and whoever waits for messages is answered."""
        self._router = Router(services)
        self._services = tuple(services)
        self._origins = frozenset(origins)
        self._controls = controls
        self._access = access
        self._dispatching = dispatching
        self._ids = _ids()
        steps: list[Step] = [self._protect, self._browse]
        steps.append(partial(pages.step, self))
        if controls is not None:
            steps.append(partial(controls.step, self))
        self._chain: Next = self._serve
        for step in reversed(steps):
            self._chain = _before(step, self._chain)

    def __call__(self, request: Request) -> Coroutine[Any, Any, Response]:
        return self._identify(request, self._chain)

    @property
    def service_names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self._services)

    def knows(self, operation: str, service: str = "") -> bool:
        """Whether a service, or any, has an operation of that name; * stands for all."""
        having = (one for one in self._services if service in (one.name, ""))
        return any(operation == "*" or operation in one.table for one in having)

    async def reset(self) -> int:
        """Remove all queues, topics and streams of all accounts, from Redis and from here. How many
        keys there were."""
        waiting, self.stopping = self.stopping, asyncio.Event()
        waiting.set()
        self.accounts.forget()
        return await self.client.wipe(nested=True)

    async def stop_pushing(self) -> None:
        """Let what is being pushed arrive, and begin no more."""
        if self._dispatching is not None:
            await self._dispatching.stop()

    async def close(self) -> None:
        """Answer those who wait, let what is pushed arrive, and give back the connections."""
        self.stopping.set()
        await self.stop_pushing()
        await self.client.close()
        if self._access is not None:
            self._access.flush()

    async def _identify(self, request: Request, then: Next) -> Response:
        request.id = next(self._ids)
        begun = time.perf_counter()
        response = await then(request)
        response.headers["x-amzn-RequestId"] = request.id
        if self._access is not None:
            self._access(request, response, time.perf_counter() - begun)
        return response

    async def _protect(self, request: Request, then: Next) -> Response:
        try:
            if request.refusal is not None:
                raise request.refusal
            return await then(request)
        except AwsError as error:
            return _plain_wire(request).refuse(error)
        except Exception:
            log.exception("request %s failed", request.id, extra={"request_id": request.id})
            return _plain_wire(request).refuse(internal())

    def _browse(self, request: Request, then: Next) -> Awaitable[Response]:
        origin = request.headers.get("origin")
        return then(request) if origin is None else self._browsed(request, origin, then)

    async def _browsed(self, request: Request, origin: str, then: Next) -> Response:
        """Any page that a developer looks at could otherwise speak to their local endpoint."""
        if origin not in self._origins and "*" not in self._origins:
            raise AwsError(
                "AccessDeniedException",
                f"The web page's origin {origin[:80]!r} is not allowed; start rmq serve with "
                "--allow-origin to allow it.",
                code="AccessDenied",
                status=403,
            )
        response = Response(204) if request.method == "OPTIONS" else await then(request)
        response.headers |= {
            "access-control-allow-origin": origin,
            "access-control-allow-methods": "GET, POST, OPTIONS",
            "access-control-allow-headers": request.headers.get(
                "access-control-request-headers", "*"
            ),
            "access-control-expose-headers": "x-amzn-RequestId, x-amzn-query-error",
            "vary": "Origin",
        }
        return response

    async def _serve(self, request: Request) -> Response:
        if request.headers.get("content-encoding"):
            request.body = _inflated(request)
        form = form_of(request)
        credential = _UNSIGNED
        refusal: AwsError | None = None
        try:
            credential = credential_of(request.headers, form, request.host)
        except AwsError as error:
            refusal = error
        asked = self._router.asked(request, form, credential)
        refusal = refusal or asked.error
        if refusal is not None:
            return asked.wire.refuse(refusal)
        try:
            return await self._carry_out(request, asked, credential)
        except AwsError as error:
            return asked.wire.refuse(error)
        except Exception:
            log.exception("request %s failed", request.id, extra={"request_id": request.id})
            return asked.wire.refuse(internal())

    async def _carry_out(self, request: Request, asked: Asked, credential: Credential) -> Response:
        service, operation = asked.service, asked.operation
        assert service is not None
        assert operation is not None
        request.note = f"{service.name}.{operation.name}"
        if service.pushes and self._dispatching is not None:
            self._dispatching.start()  # who uses nothing of it need not have one that waits
        caller = caller_of(request, credential, self.accounts, self.stopping)
        problems: list[Problem] = []
        given = asked.wire.read(operation, problems)
        if service.adopt is not None:
            service.adopt(request.path, given, problems)
        if problems and (refusal := service.refuse(problems, operation.name)) is not None:
            raise refusal
        if self._controls is not None:
            await self._controls.interfere(service, operation)
        try:
            output = await operation.handler(caller, given)
        except AwsError:
            if service.confirm is not None:
                await service.confirm(caller, given)
            raise
        except RmqError as error:
            if isinstance(error, InvalidParameter) and service.confirm is not None:
                await service.confirm(caller, given)
            raise service.translate(error, caller, given) from error
        return asked.wire.answer(operation, output)


def _ids() -> Iterator[str]:
    """Request ids: UUIDs of version 8 (RFC 9562), of a random beginning and a count that begins
    somewhere. They name, and guard nothing; a random one for each costs several times as much."""
    one = f"{random.getrandbits(72):018x}"
    begin = f"{one[:8]}-{one[8:12]}-8{one[12:15]}-a{one[15:]}-"
    for number in itertools.count(random.getrandbits(47)):
        yield f"{begin}{number:012x}"


def _before(step: Step, then: Next) -> Next:
    return lambda request: step(request, then)


def _plain_wire(request: Request) -> JsonWire | QueryWire:
    """In what form to answer a request that was not understood."""
    content_type = content_type_of(request)
    if "x-amz-target" in request.headers or "json" in content_type:
        return JsonWire(None, request, content_type)
    return QueryWire(None, request, {})


def _inflated(request: Request) -> bytes:
    """A compressed body, within the same bounds as a plain one. Raises AwsError."""
    coding = request.headers["content-encoding"].strip().lower()
    if coding in ("identity", "aws-chunked"):
        return request.body
    if coding != "gzip":
        raise malformed(f"The content encoding {coding[:40]!r} is not known here; use gzip.")
    inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        body = inflater.decompress(request.body, MAX_BODY + 1)
    except zlib.error:
        raise malformed("The body is not gzip that can be read.") from None
    if len(body) > MAX_BODY:
        raise too_large(MAX_BODY)
    if not inflater.eof:
        raise malformed("The body is gzip that was cut.")
    return body
