"""GetShardIterator: where to begin reading a shard."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.errors import dry_run, invalid
from rmq.gateway.kinesis.place import stream_of
from rmq.gateway.service import Answer, Given

BY_NUMBER = ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER")


async def get_shard_iterator(caller: Caller, given: Given) -> Answer:
    kind, number, at = (
        given["ShardIteratorType"],
        given.get("StartingSequenceNumber"),
        given.get("Timestamp"),
    )
    if kind in BY_NUMBER and number is None:
        raise invalid(f"Must specify StartingSequenceNumber for ShardIteratorType {kind}.")
    if kind in ("TRIM_HORIZON", "LATEST") and number is not None:
        raise invalid(
            "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and "
            "StartingSequenceNumber or (2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. "
            f"Request specified {kind} and also a StartingSequenceNumber."
        )
    if kind == "AT_TIMESTAMP" and at is None:
        raise invalid(f"Must specify Timestamp for ShardIteratorType {kind}.")
    iterator = await stream_of(caller, given).iterator(
        given["ShardId"],
        kind,
        sequence_number=number if kind in BY_NUMBER else None,
        timestamp=at if kind == "AT_TIMESTAMP" else None,
    )
    if given.get("DryRun"):
        raise dry_run()
    return {"ShardIterator": iterator}
