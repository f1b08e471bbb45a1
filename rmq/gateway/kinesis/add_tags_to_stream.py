"""AddTagsToStream: set tags of a stream."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.place import stream_of
from rmq.gateway.kinesis.resources import check_tags
from rmq.gateway.service import Answer, Given


async def add_tags_to_stream(caller: Caller, given: Given) -> Answer:
    check_tags(given["Tags"])
    await stream_of(caller, given).tag(given["Tags"])
    return None
