"""IncreaseStreamRetentionPeriod: keep records longer. Those that have expired do not come back."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.place import stream_of
from rmq.gateway.service import Answer, Given


async def increase_stream_retention_period(caller: Caller, given: Given) -> Answer:
    await stream_of(caller, given).increase_retention(given["RetentionPeriodHours"])
    return None
