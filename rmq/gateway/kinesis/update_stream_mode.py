"""UpdateStreamMode: between provisioned and on demand; the shards stay as they are."""

from __future__ import annotations

from typing import Any

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.errors import not_valid
from rmq.gateway.kinesis.place import stream_of
from rmq.gateway.service import Answer, Given


async def update_stream_mode(caller: Caller, given: Given) -> Answer:
    stream, mode = stream_of(caller, given), given["StreamModeDetails"]["StreamMode"]
    changes: dict[str, Any] = {"mode": mode}
    if mode == "PROVISIONED":
        if "WarmThroughputMiBps" in given:
            raise not_valid("WarmThroughputMiBps is only valid for the On-Demand mode.")
    elif "WarmThroughputMiBps" in given:
        changes["warm_throughput_mib"] = given["WarmThroughputMiBps"]
    await stream.set_attributes(**changes)
    return None
