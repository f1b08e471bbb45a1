"""Listener: takes what object stores post. No socket anywhere.

    GET, HEAD     200: somebody looks whether we are there
    POST, PUT     an event; nothing, or {}, is a store that looks whether we are there
    the rest      405

200 only when Redis has it. A store that is answered 4xx is wrong, and should not repeat it; one
that is answered 5xx should.
"""

from __future__ import annotations

import hmac
from typing import Any

import msgspec

from rmq.errors import (
    CallerError,
    QueueDoesNotExist,
    RmqError,
    TopicDoesNotExist,
)
from rmq.events.s3 import Forwarder
from rmq.gateway.http import Request, Response

PROBES = (b"", b"{}")
OURS = (TopicDoesNotExist, QueueDoesNotExist)
"""Errors that are no fault of who posts."""


class Listener:
    """One forwarder behind HTTP. Await it with a Request for a Response."""

    def __init__(self, forwarder: Forwarder, token: str | None = None) -> None:
        """*token*: what a store has to show, as `Authorization: Bearer <token>` or as it is."""
        self._forwarder = forwarder
        self._tokens = [one.encode() for one in (f"Bearer {token}", token)] if token else []

    async def __call__(self, request: Request) -> Response:
        if request.method in ("GET", "HEAD"):
            return _answer(200, {"listens": "s3"})
        if request.method not in ("POST", "PUT"):
            refused = _refusal(
                405, "RMQ_METHOD", f"{request.method} is not taken here; POST an event"
            )
            refused.headers["allow"] = "GET, HEAD, POST, PUT"
            return refused
        if not self._is_known(request.headers.get("authorization", "")):
            refused = _refusal(401, "RMQ_TOKEN", "the Authorization header has not the token")
            refused.headers["www-authenticate"] = "Bearer"
            return refused
        coding = request.headers.get("content-encoding", "identity").strip().lower()
        if coding != "identity":
            return _refusal(415, "RMQ_CODING", "the body must not be compressed")
        if request.body.strip() in PROBES:
            return _answer(200, {"sent": 0})
        try:
            return _answer(200, {"sent": await self._forwarder.forward(request.body)})
        except RmqError as error:
            is_theirs = isinstance(error, CallerError) and not isinstance(error, OURS)
            return _refusal(400 if is_theirs else 503, error.code, str(error))

    def _is_known(self, shown: str) -> bool:
        if not self._tokens:
            return True
        # Both, always: how long it takes shall tell nothing.
        return any([hmac.compare_digest(shown.encode(), one) for one in self._tokens])


def too_large(most: int) -> Response:
    """For a body that nobody read to its end."""
    return _refusal(413, "RMQ_INVALID_PARAMETER", f"the body must be at most {most} bytes")


def _refusal(status: int, code: str, message: str) -> Response:
    return _answer(status, {"error": code, "message": message})


def _answer(status: int, told: dict[str, Any]) -> Response:
    return Response(status, msgspec.json.encode(told), "application/json")
