"""DecreaseStreamRetentionPeriod: keep records for less long. Older ones are gone at once."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.place import stream_of
from rmq.gateway.service import Answer, Given


async def decrease_stream_retention_period(caller: Caller, given: Given) -> Answer:
    await stream_of(caller, given).decrease_retention(given["RetentionPeriodHours"])
    return None
