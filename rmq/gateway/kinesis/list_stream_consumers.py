"""ListStreamConsumers: a stream's registered consumers, page by page."""

from __future__ import annotations

from typing import Any

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis import shown
from rmq.gateway.kinesis.errors import invalid
from rmq.gateway.kinesis.pages import after_of, most, token_of
from rmq.gateway.kinesis.place import check_created, stream_of
from rmq.gateway.service import Answer, Given

QUESTION = "consumers"


async def list_stream_consumers(caller: Caller, given: Given) -> Answer:
    token, asked = after_of(caller, given, QUESTION)
    stream = stream_of(caller, given)
    if token is None:
        check_created(given, await stream.info())
    elif asked["stream"] != stream.arn:
        raise invalid("NextToken belongs to another stream.")
    page = await stream.consumers(limit=most(given, "MaxResults"), token=token)
    answer: dict[str, Any] = {"Consumers": [shown.consumer(one) for one in page]}
    if page.next_token is not None:
        asked = {"stream": stream.arn}
        answer["NextToken"] = token_of(caller, QUESTION, page.next_token, asked)
    return answer
