"""Shapes: what a stream, its shards, records and readers look like as JSON."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from typing import Any

from rmq import Produced, Put, Shard, StreamInfo, StreamRecord
from rmq.cli.output import bytes_field
from rmq.streams.consumers import RegisteredConsumer
from rmq.streams.groups.administration import GroupInfo, Lag


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value)}


def info_shape(info: StreamInfo) -> dict[str, Any]:
    """What a stream was told to be, and its state."""
    return {
        "name": info.name,
        "arn": info.arn,
        "status": info.status,
        "created_at": info.created_at,
        "open_shards": info.open_shard_count,
        "consumers": info.consumer_count,
        "queues": info.queue_count,
        "channels": info.channel_count,
        "attributes": _fields(info.attributes),
    }


def shard_shape(shard: Shard) -> dict[str, Any]:
    """A shard. Hash keys are text: they are longer than JSON's numbers."""
    return {
        "id": shard.id,
        "is_open": shard.is_open,
        "starting_hash_key": str(shard.starting_hash_key),
        "ending_hash_key": str(shard.ending_hash_key),
        "parent_id": shard.parent_id,
        "adjacent_parent_id": shard.adjacent_parent_id,
        "starting_sequence_number": shard.starting_sequence_number,
        "ending_sequence_number": shard.ending_sequence_number,
        "opened_at": shard.opened_at,
        "closed_at": shard.closed_at,
    }


def put_shape(put: Put | Produced) -> dict[str, Any]:
    """The answer to a put."""
    return {"shard_id": put.shard_id, "sequence_number": put.sequence_number}


def record_shape(record: StreamRecord) -> dict[str, Any]:
    """A record as it is read. It can be put again as it is."""
    return {
        **bytes_field("data", record.data),
        "partition_key": record.partition_key,
        "shard_id": record.shard_id,
        "sequence_number": record.sequence_number,
        "sub_sequence_number": record.sub_sequence_number,
        "arrived_at": record.approximate_arrival_timestamp,
    }


READ_ONLY = ("shard_id", "sequence_number", "sub_sequence_number", "arrived_at")
"""Fields of record_shape that a record has only once it was put."""


def consumer_shape(consumer: RegisteredConsumer) -> dict[str, Any]:
    """A registered consumer."""
    return {
        "name": consumer.name,
        "arn": consumer.arn,
        "status": consumer.status,
        "created_at": consumer.created_at,
        "tags": consumer.tags,
    }


def lag_shape(lag: Lag) -> dict[str, Any]:
    """How far a reader is behind; records is null where there are too many to count."""
    return {"seconds": timedelta(milliseconds=lag.millis), "records": lag.records}


def group_shape(group: GroupInfo) -> dict[str, Any]:
    """A consumer group, its workers and its leases."""
    return {
        "name": group.name,
        "stream": group.stream,
        "created_at": group.created_at,
        "start": group.start,
        "start_timestamp": group.start_timestamp,
        "lag": lag_shape(group.lag),
        "workers": [_fields(one) for one in group.workers],
        "leases": [_fields(one) | {"lag": lag_shape(one.lag)} for one in group.leases],
    }
