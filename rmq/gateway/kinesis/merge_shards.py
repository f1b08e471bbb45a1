"""MergeShards: make one shard of two that lie side by side."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.place import stream_of
from rmq.gateway.service import Answer, Given


async def merge_shards(caller: Caller, given: Given) -> Answer:
    stream = stream_of(caller, given)
    await stream.merge(given["ShardToMerge"], given["AdjacentShardToMerge"])
    return None
