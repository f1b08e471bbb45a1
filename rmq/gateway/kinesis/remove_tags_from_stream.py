"""RemoveTagsFromStream: remove tags of a stream; unknown ones are ignored."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.place import stream_of
from rmq.gateway.service import Answer, Given


async def remove_tags_from_stream(caller: Caller, given: Given) -> Answer:
    await stream_of(caller, given).untag(given["TagKeys"])
    return None
