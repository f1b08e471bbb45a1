"""UpdateStreamRecordDistributionStrategy: by the partition key, or as it comes."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.errors import invalid
from rmq.gateway.kinesis.place import stream_of
from rmq.gateway.service import Answer, Given


async def update_stream_record_distribution_strategy(caller: Caller, given: Given) -> Answer:
    stream, strategy = stream_of(caller, given), given["RecordDistributionStrategy"]
    info = await stream.info()
    if info.attributes.mode != "ON_DEMAND":
        raise invalid(
            f"Stream {info.name} under account {info.place.account} is in Provisioned mode, which "
            "has no record distribution strategy."
        )
    await stream.set_attributes(record_distribution=strategy)
    return None
