"""CreateStream: make a stream. It can be used at once."""

from __future__ import annotations

from typing import Any

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.errors import invalid
from rmq.gateway.kinesis.resources import check_tags
from rmq.gateway.service import Answer, Given


async def create_stream(caller: Caller, given: Given) -> Answer:
    mode = given.get("StreamModeDetails", {}).get("StreamMode", "PROVISIONED")
    count = given.get("ShardCount")
    if mode == "PROVISIONED" and count is None:
        raise invalid("ShardCount must be specified for a stream in PROVISIONED mode.")
    if mode == "ON_DEMAND" and count is not None:
        raise invalid("ShardCount must not be specified for a stream in ON_DEMAND mode.")
    check_tags(given.get("Tags", {}))
    attributes: dict[str, Any] = {}
    if "MaxRecordSizeInKiB" in given:
        attributes["max_record_size"] = given["MaxRecordSizeInKiB"] * 1024
    if "WarmThroughputMiBps" in given:
        attributes["warm_throughput_mib"] = given["WarmThroughputMiBps"]
    if "RecordDistributionStrategy" in given:
        attributes["record_distribution"] = given["RecordDistributionStrategy"]
    await caller.client.create_stream(
        given["StreamName"], count, mode=mode, tags=given.get("Tags"), **attributes
    )
    return None
