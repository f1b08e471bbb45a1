"""DisableEnhancedMonitoring: note that shard-level metrics are switched off."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis import shown
from rmq.gateway.kinesis.place import stream_of
from rmq.gateway.service import Answer, Given


async def disable_enhanced_monitoring(caller: Caller, given: Given) -> Answer:
    stream = stream_of(caller, given)
    before, after = await stream.disable_metrics(given["ShardLevelMetrics"])
    return shown.monitoring(stream, before, after)
