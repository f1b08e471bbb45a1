"""ListTagsForStream: a stream's tags in the order of their keys, page by page."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.place import stream_of
from rmq.gateway.kinesis.resources import shown_tags
from rmq.gateway.service import Answer, Given

MOST = 50


async def list_tags_for_stream(caller: Caller, given: Given) -> Answer:
    tags = await stream_of(caller, given).tags()
    after, limit = given.get("ExclusiveStartTagKey", ""), given.get("Limit", MOST)
    rest = {key: value for key, value in tags.items() if key > after}
    return {"Tags": shown_tags(rest)[:limit], "HasMoreTags": len(rest) > limit}
