"""UpdateStreamWarmThroughput: for how much an on-demand stream is kept ready."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis import shown
from rmq.gateway.kinesis.errors import not_valid
from rmq.gateway.kinesis.place import stream_of
from rmq.gateway.service import Answer, Given


async def update_stream_warm_throughput(caller: Caller, given: Given) -> Answer:
    stream = stream_of(caller, given)
    before = await stream.info()
    if before.attributes.mode != "ON_DEMAND":
        raise not_valid(
            f"Request is invalid. Stream {before.name} under account {before.place.account} is in "
            "Provisioned mode."
        )
    info = await stream.set_attributes(warm_throughput_mib=given["WarmThroughputMiBps"])
    return {
        "StreamName": info.name,
        "StreamARN": info.arn,
        "WarmThroughput": shown.warm_throughput(info),
    }
