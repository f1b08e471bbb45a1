"""Pages: what is not AWS's: health, and two that tools of a well-known emulator look for.

/health  /health/live  /health/ready    200, or 503 while Redis does not answer
/_localstack/health                     the same for those who wait for that emulator
/_aws/sqs/messages                      a queue's messages, looked at and not received
/_aws/sns/...                           messages that would have gone to phones, and tokens
/_rmq/topics                            what topics did
/SimpleNotificationService-<hex>.pem    the certificate of the key that signs notifications
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

import rmq
from rmq.errors import RmqError
from rmq.gateway.caller import Accounts
from rmq.gateway.http import Request, Response
from rmq.gateway.sns import certificate, report
from rmq.gateway.sns import peek as sns_peek
from rmq.gateway.sqs import peek as sqs_peek

if TYPE_CHECKING:
    from rmq.gateway.app import Endpoint

READY_S = 2.0
"""Seconds that Redis may take to say that it is there."""

Page = Callable[["Endpoint", Request], Awaitable[Response]]
Look = Callable[[Accounts, Request], Awaitable[Response]]


def step(
    endpoint: Endpoint, request: Request, then: Callable[[Request], Awaitable[Response]]
) -> Awaitable[Response]:
    """Answer what is a page, and let the rest go on."""
    path = request.path
    if path == "/":
        if request.method in ("GET", "HEAD") and not request.query:
            return _name(endpoint, request)
        return then(request)
    page = _PAGES.get(path)
    if page is not None:
        return page(endpoint, request)
    for pattern, look in _LOOKS:
        if pattern.match(path):
            return look(endpoint.accounts, request)
    return then(request)


async def _name(endpoint: Endpoint, request: Request) -> Response:
    return _json(200, {"service": "rmq", "version": rmq.__version__})


async def _health(endpoint: Endpoint, request: Request) -> Response:
    ready = await _is_ready(endpoint)
    status = "ok" if ready else "unavailable"
    return _json(200 if ready else 503, {"status": status, "live": True, "ready": ready})


async def _live(endpoint: Endpoint, request: Request) -> Response:
    return _json(200, {"status": "ok", "live": True})


async def _emulators_health(endpoint: Endpoint, request: Request) -> Response:
    state = "running" if await _is_ready(endpoint) else "error"
    return _json(
        200,
        {
            "services": dict.fromkeys(endpoint.service_names, state),
            "edition": "rmq",
            "version": rmq.__version__,
        },
    )


async def _is_ready(endpoint: Endpoint) -> bool:
    if endpoint.stopping.is_set():
        return False
    try:
        async with asyncio.timeout(READY_S):
            await endpoint.client.list_queues(limit=1)
    except (RmqError, TimeoutError):
        return False
    return True


_PAGES: dict[str, Page] = {
    "/health": _health,
    "/health/live": _live,
    "/health/ready": _health,
    "/_localstack/health": _emulators_health,
}
_LOOKS: tuple[tuple[re.Pattern[str], Look], ...] = (
    (re.compile(rf"{sqs_peek.PATH}(/|$)"), sqs_peek.peek),
    (re.compile(sns_peek.PATH), sns_peek.peek),
    (re.compile(f"{report.PATH}$"), report.report),
    (re.compile(certificate.PATH), certificate.certificate),
)
"""What is looked at, by what its path is like."""


def _json(status: int, value: Any) -> Response:
    return Response(status, msgspec.json.encode(value), "application/json")
