"""Streaming: an operation's events as they go out, until they end, fail, or nobody reads them."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from rmq.gateway.errors import AwsError, internal
from rmq.gateway.http import Response
from rmq.gateway.protocol import eventstream
from rmq.gateway.service import Operation

Events = AsyncGenerator[tuple[str, dict[str, Any]], None]
"""Each event's kind, and what it says by the names of the model. Raises AwsError."""
Write = Callable[[dict[str, Any]], bytes]

log = logging.getLogger("rmq.gateway")


def streamed(
    operation: Operation, events: Events, content_type: str, write: Write, *, as_json: bool
) -> Response:
    """An answer that goes on for as long as there are events. *content_type* is theirs."""
    changes = operation.events_as_json if as_json else {}
    parts = _parts(operation, events, content_type, write, changes)
    return Response(200, b"", eventstream.CONTENT_TYPE, parts=parts)


async def _parts(
    operation: Operation,
    events: Events,
    content_type: str,
    write: Write,
    changes: dict[str, Any],
) -> AsyncGenerator[bytes, None]:
    yield eventstream.event("initial-response", content_type, write({}))
    try:
        async with aclosing(events):
            async for kind, said in events:
                change = changes.get(kind)
                payload = write(said if change is None else change(said))
                yield eventstream.event(kind, content_type, payload)
    except AwsError as error:
        yield _refused(operation, error, content_type, write)
    except Exception:
        log.exception("a stream of %s failed", operation.name)
        yield _refused(operation, internal(), content_type, write)


def _refused(operation: Operation, error: AwsError, content_type: str, write: Write) -> bytes:
    assert operation.stream is not None
    modelled = operation.stream[1].members
    for name in (error.shape, f"{error.shape}Exception"):
        if name in modelled:
            return eventstream.exception(name, content_type, write({"message": error.message}))
    return eventstream.error(error.shape, error.message)
