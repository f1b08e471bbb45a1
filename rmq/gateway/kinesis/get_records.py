"""GetRecords: records of a shard from an iterator on."""

from __future__ import annotations

from typing import Any

from rmq.errors import InvalidParameter
from rmq.gateway.caller import Caller
from rmq.gateway.kinesis import shown
from rmq.gateway.kinesis.errors import dry_run, invalid
from rmq.gateway.kinesis.place import stream_of
from rmq.gateway.service import Answer, Given
from rmq.streams import iterator

MOST = 10_000


async def get_records(caller: Caller, given: Given) -> Answer:
    text = given["ShardIterator"]
    if len(text) > 2 and text[0] == text[-1] == '"':
        text = text[1:-1]  # as shells cut it out of JSON; Kinesis takes it too
    name = iterator.stream_of(text)
    arn = given.get("StreamARN")
    try:
        stream = stream_of(caller, {"StreamName": name} | ({"StreamARN": arn} if arn else {}))
    except InvalidParameter:
        raise invalid("Invalid ShardIterator.") from None
    found = await stream.get(text, given.get("Limit", MOST))
    if given.get("DryRun"):
        raise dry_run()
    answer: dict[str, Any] = {
        "Records": shown.records(found.records),
        "MillisBehindLatest": found.millis_behind_latest,
    }
    if found.next_iterator is not None:
        answer["NextShardIterator"] = found.next_iterator
    else:
        answer["ChildShards"] = shown.children(found.child_shards)
    return answer
