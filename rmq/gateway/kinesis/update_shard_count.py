"""UpdateShardCount: split and merge to so many shards of the same width."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.place import stream_of
from rmq.gateway.service import Answer, Given


async def update_shard_count(caller: Caller, given: Given) -> Answer:
    stream, target = stream_of(caller, given), given["TargetShardCount"]
    before = await stream.info()
    await stream.update_shard_count(target)
    return {
        "StreamName": before.name,
        "StreamARN": before.arn,
        "CurrentShardCount": before.open_shard_count,
        "TargetShardCount": target,
    }
