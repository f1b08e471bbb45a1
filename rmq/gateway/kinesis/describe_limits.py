"""DescribeLimits: what the account has, and what it may have."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.channels import MOST_CHANNELS, channels
from rmq.gateway.service import Answer, Given

MANY = 1_000_000
"""The most that the model lets us say."""


async def describe_limits(caller: Caller, given: Given) -> Answer:
    found = await caller.client.stream_limits()
    count = 0
    async for _ in channels(caller).every():
        count += 1
    return {
        "ShardLimit": _most(found.shard_limit),
        "OpenShardCount": min(found.open_shard_count, MANY),
        "OnDemandStreamCount": min(found.on_demand_stream_count, MANY),
        "OnDemandStreamCountLimit": _most(found.on_demand_stream_limit),
        "ChannelCount": count,
        "ChannelCountLimit": MOST_CHANNELS,
    }


def _most(limit: int | None) -> int:
    return MANY if limit is None else min(limit, MANY)
