"""PutRecord: put one record."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.place import stream_of
from rmq.gateway.kinesis.putting import checked, tried
from rmq.gateway.service import Answer, Given


async def put_record(caller: Caller, given: Given) -> Answer:
    stream = stream_of(caller, given)
    (record,) = await checked(stream, (given,))
    if given.get("DryRun"):
        raise await tried(stream, (record,))
    put = await stream.put(
        record.data,
        record.partition_key,
        explicit_hash_key=record.explicit_hash_key,
        sequence_number_for_ordering=record.sequence_number_for_ordering,
    )
    return {
        "ShardId": put.shard_id,
        "SequenceNumber": put.sequence_number,
        "EncryptionType": put.encryption_type or "NONE",
    }
