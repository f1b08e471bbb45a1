"""SubscribeToShard: what comes of a shard, pushed to a registered consumer for five minutes.

It ends early when the client hangs up, somebody else takes over, or the endpoint stops; SDKs then
subscribe anew, behind the last continuation sequence number.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any

from rmq.errors import RmqError
from rmq.gateway.caller import Caller
from rmq.gateway.kinesis import shown
from rmq.gateway.kinesis.errors import dry_run, invalid, translate
from rmq.gateway.kinesis.pace import Pace
from rmq.gateway.kinesis.place import consumer_of
from rmq.gateway.service import Answer, Given
from rmq.streams.aio import AsyncStream
from rmq.streams.subscribing import BEAT_S, Subscription, SubscriptionEvent

BY_NUMBER = ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER")


async def subscribe_to_shard(caller: Caller, given: Given) -> Answer:
    stream, consumer = consumer_of(caller, given)
    shard, (kind, number, at) = given["ShardId"], _start(given["StartingPosition"])
    if given.get("DryRun"):
        await stream.registered_consumer(consumer)
        await stream.iterator(shard, kind, sequence_number=number, timestamp=at)
        raise dry_run()
    subscription = Subscription(stream._registry, stream.name, consumer, shard, kind, number, at)
    await stream._executor.run(subscription.begin())
    return {"EventStream": _events(caller, given, stream, subscription)}


def _start(given: dict[str, Any]) -> tuple[Any, str | None, Any]:
    """Where to begin. Raises AwsError."""
    kind, number, at = given["Type"], given.get("SequenceNumber"), given.get("Timestamp")
    if kind in BY_NUMBER and number is None:
        raise invalid(f"Must specify SequenceNumber for StartingPosition {kind}.")
    if kind == "AT_TIMESTAMP" and at is None:
        raise invalid("Must specify Timestamp for StartingPosition AT_TIMESTAMP.")
    return kind, number if kind in BY_NUMBER else None, at if kind == "AT_TIMESTAMP" else None


async def _events(
    caller: Caller, given: Given, stream: AsyncStream, subscription: Subscription
) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
    stopping = asyncio.ensure_future(caller.stopping.wait())
    pace = Pace(caller.client.limits.subscription_bytes, time.monotonic())
    try:
        async with stream.reader() as reader:
            while (left_s := subscription.seconds_left) and not reader.is_closed:
                beat_s = min(left_s, BEAT_S)
                read = asyncio.ensure_future(reader.read(subscription.positions, timeout=beat_s))
                try:
                    await asyncio.wait((read, stopping), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    read.cancel()
                if not read.done() or reader.is_closed:
                    return
                event = await stream._executor.run(subscription.event(read.result()))
                yield "SubscribeToShardEvent", _shown(event)
                size = sum(one.size for one in event.records)
                if rest_s := pace.rest(size, time.monotonic()):
                    await asyncio.wait((stopping,), timeout=rest_s)
    except RmqError as error:
        raise translate(error, caller, given) from error
    finally:
        stopping.cancel()


def _shown(event: SubscriptionEvent) -> dict[str, Any]:
    found: dict[str, Any] = {
        "Records": shown.records(event.records),
        "MillisBehindLatest": event.millis_behind_latest,
    }
    if event.continuation_sequence_number is not None:
        found["ContinuationSequenceNumber"] = event.continuation_sequence_number
    else:
        found["ChildShards"] = shown.children(event.child_shards)
    return found
