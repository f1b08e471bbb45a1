"""DescribeStreamSummary: a stream without its shards, and how much there is of everything."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis import shown
from rmq.gateway.kinesis.channels import count_of
from rmq.gateway.kinesis.place import place_of, stream_of
from rmq.gateway.kinesis.queues import queues_of
from rmq.gateway.service import Answer, Given


async def describe_stream_summary(caller: Caller, given: Given) -> Answer:
    info, place = await stream_of(caller, given).info(), place_of(caller, given)
    summary = shown.stream(info)
    summary |= {
        "OpenShardCount": info.open_shard_count,
        "ConsumerCount": info.consumer_count,
        "QueueCount": await queues_of(caller, place).count(info.name),
        "ChannelCount": await count_of(caller, place, info.arn),
        "MaxRecordSizeInKiB": info.attributes.max_record_size // 1024,
    }
    if info.attributes.mode == "ON_DEMAND":
        summary["RecordDistributionStrategy"] = info.attributes.record_distribution
        summary["WarmThroughput"] = shown.warm_throughput(info)
    return {"StreamDescriptionSummary": summary}
