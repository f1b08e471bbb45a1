"""EnableEnhancedMonitoring: note that shard-level metrics are switched on."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis import shown
from rmq.gateway.kinesis.place import stream_of
from rmq.gateway.service import Answer, Given


async def enable_enhanced_monitoring(caller: Caller, given: Given) -> Answer:
    stream = stream_of(caller, given)
    before, after = await stream.enable_metrics(given["ShardLevelMetrics"])
    return shown.monitoring(stream, before, after)
