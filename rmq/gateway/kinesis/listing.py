"""Listing: what ListQueues and ListChannels share: pages of a catalog, of some streams only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.pages import after_of, most, token_of
from rmq.gateway.kinesis.place import resource
from rmq.gateway.service import Given
from rmq.outlets.catalog import Catalog, Document

D = TypeVar("D", bound=Document)

Streams = list[tuple[str, float | None]]
"""ARNs, and when the stream is to have been made (seconds), where that was said."""


async def listed(
    caller: Caller,
    given: Given,
    catalog: Catalog[D],
    member: str,
    question: str,
    show: Callable[[D], dict[str, Any]],
) -> dict[str, Any]:
    """An answer: a page of what a catalog has, and where the next begins, if there is one."""
    after, before = after_of(caller, given, question)
    streams: Streams = before.get("streams", []) or [
        (one["StreamARN"], _seconds(one.get("StreamCreationTimestamp")))
        for one in given.get("StreamFilter", ())
    ]
    for arn, _ in streams:
        resource(arn, "StreamARN", "stream")
    limit = most(given, "MaxResults")
    found: list[D] = []
    while True:
        page = await catalog.page(after, limit + 1 - len(found))
        found += [one for one in page if not streams or _is_of(show(one), streams)]
        after = page.next_token
        if after is None or len(found) > limit:
            break
    answer: dict[str, Any] = {member: [show(one) for one in found[:limit]]}
    if len(found) > limit:
        asked = {"streams": streams} if streams else {}
        answer["NextToken"] = token_of(caller, question, found[limit - 1].name, asked)
    return answer


def _is_of(shown: dict[str, Any], streams: Streams) -> bool:
    (stream,) = shown["Streams"]
    made = _seconds(stream["StreamCreationTimestamp"])
    return any(
        arn == stream["StreamARN"] and (wanted is None or wanted == made) for arn, wanted in streams
    )


def _seconds(at: Any) -> float | None:
    return None if at is None else round(at.timestamp(), 3)
