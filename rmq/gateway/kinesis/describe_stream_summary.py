"""DescribeStreamSummary: a stream without its shards, and how much there is of everything."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis import shown
from rmq.gateway.kinesis.place import stream_of
from rmq.gateway.service import Answer, Given


async def describe_stream_summary(caller: Caller, given: Given) -> Answer:
    info = await stream_of(caller, given).info()
    summary = shown.stream(info)
    summary |= {
        "OpenShardCount": info.open_shard_count,
        "ConsumerCount": info.consumer_count,
        "QueueCount": info.queue_count,
        "ChannelCount": info.channel_count,
        "MaxRecordSizeInKiB": info.attributes.max_record_size // 1024,
    }
    if info.attributes.mode == "ON_DEMAND":
        summary["RecordDistributionStrategy"] = info.attributes.record_distribution
        summary["WarmThroughput"] = shown.warm_throughput(info)
    return {"StreamDescriptionSummary": summary}
