"""SplitShard: split a shard in two."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.place import stream_of
from rmq.gateway.service import Answer, Given


async def split_shard(caller: Caller, given: Given) -> Answer:
    at = int(given["NewStartingHashKey"])
    await stream_of(caller, given).split(given["ShardToSplit"], at)
    return None
