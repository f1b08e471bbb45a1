"""Requests and responses as plain values, whether they come over HTTP or from boto3 beside us."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rmq.gateway.errors import AwsError


async def _never() -> None:
    """A client that does not hang up."""
    await asyncio.Event().wait()


@dataclass(slots=True)
class Request:
    """One request, its body read."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    scheme: str = "http"
    host: str = "localhost"
    """As the client wrote it, with its port."""
    peer: str = "127.0.0.1"
    """The address that the request came from, without its port."""
    gone: Callable[[], Awaitable[Any]] = field(default=_never, repr=False)
    """Await it to learn that the client hung up."""
    id: str = ""
    """The request id, given by the chain."""
    unread: Callable[[], Awaitable[Any]] | None = field(default=None, repr=False)
    """What to do where the client hung up before it could be given the answer."""
    refusal: AwsError | None = None
    """Why it must not be carried out; whoever read it from the socket found out."""
    note: str = ""
    """What the access log says of it: service and action."""


@dataclass(slots=True)
class Response:
    """One response."""

    status: int
    body: bytes = b""
    content_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    parts: AsyncGenerator[bytes, None] | None = None
    """An answer that goes on, instead of a body. Whoever sends it closes it at the end, and when
    the client hung up."""
