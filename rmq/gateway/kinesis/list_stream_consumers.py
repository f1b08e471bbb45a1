"""ListStreamConsumers: a stream's registered consumers, page by page."""

from __future__ import annotations

from typing import Any

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis import shown
from rmq.gateway.kinesis.errors import invalid
from rmq.gateway.kinesis.pages import most
from rmq.gateway.kinesis.place import check_created, stream_of
from rmq.gateway.service import Answer, Given


async def list_stream_consumers(caller: Caller, given: Given) -> Answer:
    stream, token = stream_of(caller, given), given.get("NextToken")
    if token is None:
        check_created(given, await stream.info())
    elif "StreamCreationTimestamp" in given:
        raise invalid("NextToken and StreamCreationTimestamp cannot be provided together.")
    page = await stream.consumers(limit=most(given, "MaxResults"), token=token)
    answer: dict[str, Any] = {"Consumers": [shown.consumer(one) for one in page]}
    if page.next_token is not None:
        answer["NextToken"] = page.next_token
    return answer
