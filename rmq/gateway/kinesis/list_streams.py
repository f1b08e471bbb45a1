"""ListStreams: the caller's streams in the order of their names, page by page."""

from __future__ import annotations

import asyncio
from typing import Any

from rmq.client.aio import AsyncClient
from rmq.errors import StreamDoesNotExist
from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.pages import after_of, most, token_of
from rmq.gateway.service import Answer, Given

QUESTION = "streams"


async def list_streams(caller: Caller, given: Given) -> Answer:
    after, _ = after_of(caller, given, QUESTION)
    after = after or given.get("ExclusiveStartStreamName")
    client = caller.client
    page = await client.list_streams(limit=most(given, "Limit"), token=after)
    described = await asyncio.gather(*(_summary(client, name) for name in page))
    found = [one for one in described if one is not None]
    answer: dict[str, Any] = {
        "StreamNames": [one["StreamName"] for one in found],
        "StreamSummaries": found,
        "HasMoreStreams": page.next_token is not None,
    }
    if page.next_token is not None:
        answer["NextToken"] = token_of(caller, QUESTION, page.next_token)
    return answer


async def _summary(client: AsyncClient, name: str) -> dict[str, Any] | None:
    """None where it was removed meanwhile."""
    try:
        info = await client.stream(name).info()
    except StreamDoesNotExist:
        return None
    return {
        "StreamName": info.name,
        "StreamARN": info.arn,
        "StreamStatus": info.status,
        "StreamModeDetails": {"StreamMode": info.attributes.mode},
        "StreamCreationTimestamp": info.created_at,
    }
