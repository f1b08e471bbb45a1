"""Shown: streams, shards and records as Kinesis's answers have them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rmq.streams.accounting import Commitment
from rmq.streams.aio import AsyncStream
from rmq.streams.attributes import StreamInfo
from rmq.streams.consumers import RegisteredConsumer
from rmq.streams.record import ChildShard, StreamRecord
from rmq.streams.shard import Shard


def stream(info: StreamInfo) -> dict[str, Any]:
    """What DescribeStream and DescribeStreamSummary have in common."""
    attributes = info.attributes
    found: dict[str, Any] = {
        "StreamName": info.name,
        "StreamARN": info.arn,
        "StreamStatus": info.status,
        "StreamModeDetails": {"StreamMode": attributes.mode},
        "RetentionPeriodHours": attributes.retention_hours,
        "StreamCreationTimestamp": info.created_at,
        "EnhancedMonitoring": [{"ShardLevelMetrics": list(attributes.shard_level_metrics)}],
        "EncryptionType": attributes.encryption_type,
    }
    if attributes.kms_key_id is not None and attributes.is_encrypted:
        found["KeyId"] = attributes.kms_key_id
    return found


def shard(one: Shard) -> dict[str, Any]:
    numbers = {"StartingSequenceNumber": one.starting_sequence_number}
    if one.ending_sequence_number is not None:
        numbers["EndingSequenceNumber"] = one.ending_sequence_number
    found: dict[str, Any] = {
        "ShardId": one.id,
        "HashKeyRange": _range(one.starting_hash_key, one.ending_hash_key),
        "SequenceNumberRange": numbers,
    }
    if one.parent_id is not None:
        found["ParentShardId"] = one.parent_id
    if one.adjacent_parent_id is not None:
        found["AdjacentParentShardId"] = one.adjacent_parent_id
    return found


def records(some: Iterable[StreamRecord]) -> list[dict[str, Any]]:
    found = []
    for one in some:
        shown: dict[str, Any] = {
            "SequenceNumber": one.sequence_number,
            "ApproximateArrivalTimestamp": one.approximate_arrival_timestamp,
            "Data": one.data,
            "EncryptionType": one.encryption_type or "NONE",
        }
        if one.partition_key is not None:
            shown["PartitionKey"] = one.partition_key
        found.append(shown)
    return found


def children(some: Iterable[ChildShard]) -> list[dict[str, Any]]:
    return [
        {
            "ShardId": one.shard_id,
            "ParentShards": list(one.parent_shards),
            "HashKeyRange": _range(one.starting_hash_key, one.ending_hash_key),
        }
        for one in some
    ]


def _range(start: int, end: int) -> dict[str, str]:
    return {"StartingHashKey": str(start), "EndingHashKey": str(end)}


def warm_throughput(info: StreamInfo) -> dict[str, int]:
    """What an on-demand stream is to be kept ready for, and what its shards take now."""
    current = info.open_shard_count
    target = info.attributes.warm_throughput_mib
    return {"TargetMiBps": current if target is None else target, "CurrentMiBps": current}


def consumer(one: RegisteredConsumer) -> dict[str, Any]:
    return {
        "ConsumerName": one.name,
        "ConsumerARN": one.arn,
        "ConsumerStatus": one.status,
        "ConsumerCreationTimestamp": one.created_at,
    }


def monitoring(stream: AsyncStream, before: Iterable[str], after: Iterable[str]) -> dict[str, Any]:
    """What EnableEnhancedMonitoring and its opposite answer."""
    return {
        "StreamName": stream.name,
        "StreamARN": stream.arn,
        "CurrentShardLevelMetrics": list(before),
        "DesiredShardLevelMetrics": list(after),
    }


def commitment(found: Commitment) -> dict[str, Any]:
    """The account's settings."""
    shown: dict[str, Any] = {"Status": found.status}
    for name, at in (
        ("StartedAt", found.started_at),
        ("EndedAt", found.ended_at),
        ("EarliestAllowedEndAt", found.earliest_allowed_end),
    ):
        if at is not None:
            shown[name] = at
    return {"MinimumThroughputBillingCommitment": shown}
