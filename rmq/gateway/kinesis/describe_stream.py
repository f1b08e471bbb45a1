"""DescribeStream: a stream with its shards, page by page."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis import shown
from rmq.gateway.kinesis.pages import most
from rmq.gateway.kinesis.place import shard_number, stream_of
from rmq.gateway.service import Answer, Given
from rmq.streams.shard_filter import ShardFilter


async def describe_stream(caller: Caller, given: Given) -> Answer:
    info = await stream_of(caller, given).info()
    limit, after = most(given, "Limit"), -1
    if "ExclusiveStartShardId" in given:
        after = shard_number(given["ExclusiveStartShardId"])
    # What has expired is in no list, also when it was not swept yet.
    is_there = ShardFilter().selects(info.horizon(caller.client.clock.now_ms()))
    rest = [one for one in info.shards.values() if one.number > after and is_there(one)]
    description = shown.stream(info)
    description["Shards"] = [shown.shard(one) for one in rest[:limit]]
    description["HasMoreShards"] = len(rest) > limit
    return {"StreamDescription": description}
