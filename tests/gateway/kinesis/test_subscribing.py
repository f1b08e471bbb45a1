"""SubscribeToShard: events, heartbeats, renewals and take-overs; without HTTP, over HTTP/1.1 and
over HTTP/2. Who hangs up frees what was held for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, closing
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.eventstream import EventStreamBuffer

from rmq.gateway.app import Endpoint
from rmq.gateway.kinesis.pace import Pace
from rmq.streams.subscribing import BEAT_S, Subscription
from rmq.testing import HeldClock
from tests.colours import PATIENCE, in_thread, until
from tests.conftest import Servers
from tests.gateway.kinesis.drives import HALF, SHARD, consumer_of, stream_of
from tests.gateway.kinesis.wire import EVENT_STREAM, Kinesis
from tests.gateway.sdk import REGION, new_account, over_http, refusal
from tests.gateway.serving import Serving, serving

FIVE_MINUTES = 300


@pytest.fixture
async def consumer(json_kinesis: Kinesis) -> str:
    """The ARN of a registered consumer of a stream of one shard."""
    return await consumer_of(json_kinesis, await stream_of(json_kinesis))


def subscribed(kinesis: Kinesis, consumer: str, **start: Any) -> Any:
    position = {"Type": "TRIM_HORIZON"} | start
    return kinesis.events(ConsumerARN=consumer, ShardId=SHARD, StartingPosition=position)


async def put(kinesis: Kinesis, data: bytes) -> str:
    found = await kinesis.put_record(StreamName="orders", Data=data, PartitionKey="a")
    return str(found["SequenceNumber"])


async def next_of(events: Any) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        kind, said = await anext(events)
    assert kind == "SubscribeToShardEvent"
    return dict(said)


async def asleep(gateway: Endpoint) -> None:
    """Wait until a subscription knows where it stands, and waits for what is put from there on."""
    tails = gateway.client._executor.tails
    await until(lambda: any(one._under_way for one in tuple(tails)))


async def ended(events: Any, clock: HeldClock) -> list[Any]:
    """All that still comes, by the next heartbeat."""

    async def read() -> list[Any]:
        return [one async for one in events]

    reading = asyncio.create_task(read())
    await asyncio.sleep(0.01)
    clock.move(5)
    async with asyncio.timeout(PATIENCE):
        return await reading


async def test_records_come_as_they_are_put(json_kinesis, consumer, gateway):
    async with aclosing(subscribed(json_kinesis, consumer, Type="LATEST")) as events:
        waiting = asyncio.create_task(next_of(events))
        await asleep(gateway)
        number = await put(json_kinesis, b"first")
        event = await waiting
        assert [one["Data"] for one in event["Records"]] == [b"first"]
        assert event["ContinuationSequenceNumber"] == number
        assert event["MillisBehindLatest"] == 0


async def test_when_nothing_comes_a_heartbeat_goes_on(json_kinesis, consumer, gateway, clock):
    number = await put(json_kinesis, b"x")
    async with aclosing(subscribed(json_kinesis, consumer)) as events:
        before = await next_of(events)
        seen = [int(before["ContinuationSequenceNumber"])]
        for _ in range(2):
            waiting = asyncio.create_task(next_of(events))
            await asleep(gateway)
            clock.move(5)
            event = await waiting
            assert event["Records"] == []
            seen.append(int(event["ContinuationSequenceNumber"]))
    assert seen[0] == int(number)
    assert seen == sorted(set(seen))


async def test_after_five_minutes_another_one_goes_on_where_it_ended(json_kinesis, consumer, clock):
    await put(json_kinesis, b"before")
    last: dict[str, Any] = {}
    events = subscribed(json_kinesis, consumer)
    last = await next_of(events)
    ending = asyncio.create_task(anext(events, None))
    await asyncio.sleep(0.01)
    clock.move(FIVE_MINUTES)
    async with asyncio.timeout(PATIENCE):
        while (said := await ending) is not None:
            last = said[1]
            ending = asyncio.create_task(anext(events, None))
    number = last["ContinuationSequenceNumber"]
    await put(json_kinesis, b"after")

    start = {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": number}
    async with aclosing(subscribed(json_kinesis, consumer, **start)) as again:
        event = await next_of(again)
    assert [one["Data"] for one in event["Records"]] == [b"after"]


async def test_within_five_seconds_a_second_one_is_refused(json_kinesis, consumer, clock):
    async with aclosing(subscribed(json_kinesis, consumer)) as events:
        await put(json_kinesis, b"x")
        await next_of(events)
        clock.move(4.9)
        found = await refusal(next_of(subscribed(json_kinesis, consumer)))
        assert found.shape == "ResourceInUseException"


async def test_later_a_second_one_takes_over(kinesis, json_kinesis, consumer, clock):
    await put(json_kinesis, b"x")
    old = subscribed(kinesis, consumer)
    await next_of(old)
    clock.move(5)
    async with aclosing(subscribed(json_kinesis, consumer)) as new:
        await next_of(new)
        said = await ended(old, clock)
    assert said[-1][0] == "ResourceInUseException"
    assert "took over" in said[-1][1]["message"]


async def test_a_consumer_that_is_removed_gets_no_more(json_kinesis, consumer, clock):
    await put(json_kinesis, b"x")
    events = subscribed(json_kinesis, consumer)
    await next_of(events)
    await json_kinesis.deregister_stream_consumer(ConsumerARN=consumer)
    said = await ended(events, clock)
    assert said[-1][0] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        ({"ShardId": "shardId-000000000009"}, "ResourceNotFoundException"),
        ({"StartingPosition": {"Type": "AT_SEQUENCE_NUMBER"}}, "InvalidArgumentException"),
        ({"StartingPosition": {"Type": "AT_TIMESTAMP"}}, "InvalidArgumentException"),
        (
            {"StartingPosition": {"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": "7"}},
            "InvalidArgumentException",
        ),
        ({"DryRun": True}, "DryRunOperationException"),
    ],
)
async def test_what_is_wrong_is_said_before_anything_flows(json_kinesis, consumer, given, shape):
    asked = {
        "ConsumerARN": consumer,
        "ShardId": SHARD,
        "StartingPosition": {"Type": "LATEST"},
    } | given
    found = await refusal(anext(json_kinesis.events(**asked)))
    assert (found.shape, found.status) == (shape, 400)


async def test_a_consumer_that_is_not_there_is_refused(json_kinesis, consumer):
    found = await refusal(anext(subscribed(json_kinesis, consumer.replace("/c:", "/d:"))))
    assert found.shape == "ResourceNotFoundException"


async def test_an_endpoint_that_stops_ends_it_in_good_order(json_kinesis, consumer, gateway):
    events = subscribed(json_kinesis, consumer, Type="LATEST")
    waiting = asyncio.create_task(anext(events, "the end"))
    await asleep(gateway)
    gateway.stopping.set()
    async with asyncio.timeout(PATIENCE):
        assert await waiting == "the end"


async def test_our_own_mistake_is_said_in_the_stream(kinesis, json_kinesis, consumer, monkeypatch):
    await put(json_kinesis, b"x")
    monkeypatch.setattr(Subscription, "event", lambda self, batches: 1 // 0)
    ((kind, said),) = [one async for one in subscribed(kinesis, consumer)]
    assert kind == "InternalFailureException"
    assert "log says more" in said["message"]


def test_it_is_sent_two_mib_a_second_and_what_a_rest_left_at_once():
    rate = 2 << 20
    pace = Pace(rate, 100.0)
    assert pace.rest(rate, 100.0) == 0
    assert pace.rest(rate // 2, 100.0) == 0.5
    assert pace.rest(rate, 100.5) == 1.0
    assert pace.rest(5 * rate, 110.0) == 4.0  # one record may be that large
    assert pace.rest(0, 113.0) == 1.0
    assert Pace(None, 0.0).rest(1 << 40, 0.0) == 0


async def test_a_client_that_does_not_read_is_not_handed_a_shard_at_once(json_kinesis, consumer):
    for _ in range(2):
        await put(json_kinesis, bytes(500_000))
    arn = json_kinesis.arn("stream/orders")
    await json_kinesis.update_max_record_size(StreamARN=arn, MaxRecordSizeInKiB=10_240)
    async with aclosing(subscribed(json_kinesis, consumer)) as events:
        await next_of(events)
        with pytest.MonkeyPatch.context() as patch:
            rests: list[float] = []
            patch.setattr(Pace, "rest", lambda self, size, now: rests.append(size) or 0.0)
            waiting = asyncio.create_task(next_of(events))
            assert await until(lambda: rests) == [1_000_002]
            waiting.cancel()
            await asyncio.wait((waiting,))


# --- over HTTP -----------------------------------------------------------------------------------


@pytest.fixture
def served(endpoint_url: str) -> Kinesis:
    return Kinesis("json", over_http(endpoint_url))


def client_of(kinesis: Kinesis, url: str) -> Any:
    return boto3.client(
        "kinesis",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=kinesis.account,
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )


async def test_botocore_reads_it_over_http_1(served, endpoint_url):
    consumer = await consumer_of(served, await stream_of(served))
    await put(served, b"\x00\xff")
    await served.split_shard(StreamName="orders", ShardToSplit=SHARD, NewStartingHashKey=HALF)

    def read() -> list[dict[str, Any]]:
        answer = client_of(served, endpoint_url).subscribe_to_shard(
            ConsumerARN=consumer, ShardId=SHARD, StartingPosition={"Type": "TRIM_HORIZON"}
        )
        return [one["SubscribeToShardEvent"] for one in answer["EventStream"]]

    events = await in_thread(read)
    assert [one["Data"] for event in events for one in event["Records"]] == [b"\x00\xff"]
    assert len(events[-1]["ChildShards"]) == 2


class Readers:
    """The connections to the endpoint's Redis on which somebody has begun to wait for records.
    Dispatchers wait there too, for something else."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._before = self._now()

    async def are_there(self) -> bool:
        return bool(await in_thread(self._now) - self._before)

    async def are_gone(self) -> bool:
        return not await self.are_there()

    def _now(self) -> set[str]:
        with closing(self._servers.client("endpoint")) as client:
            found = client.client_list()
        return {one["id"] for one in found if "b" in one["flags"] and one["cmd"] == "xread"}


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
async def test_who_hangs_up_frees_the_connection(served, endpoint_url, servers, version):
    """Also where nothing comes: nobody would notice by writing."""
    consumer = await consumer_of(served, await stream_of(served))
    readers = await in_thread(Readers, servers)
    start = {"Type": "LATEST"}
    asked = served.request(
        "SubscribeToShard",
        {"ConsumerARN": consumer, "ShardId": SHARD, "StartingPosition": start},
    )
    is_2 = version == "HTTP/2"
    async with (
        httpx.AsyncClient(http2=is_2, http1=not is_2, timeout=PATIENCE) as client,
        client.stream(
            "POST", endpoint_url, headers=dict(asked.headers), content=asked.body
        ) as answer,
    ):
        assert (answer.status_code, answer.http_version) == (200, version)
        assert answer.headers["content-type"] == EVENT_STREAM
        parts, buffer = answer.aiter_raw(), EventStreamBuffer()
        assert await _kind(parts, buffer) == "initial-response"
        await until(readers.are_there)
        await put(served, b"x")
        assert await _kind(parts, buffer) == "SubscribeToShardEvent"
        await until(readers.are_there)
    async with asyncio.timeout(BEAT_S - 1):  # or the next heartbeat would find it
        await until(readers.are_gone)


async def _kind(parts: AsyncIterator[bytes], buffer: EventStreamBuffer) -> str:
    """Of the next event."""
    async with asyncio.timeout(PATIENCE):
        while True:
            for message in buffer:
                return str(message.headers[":event-type"])
            buffer.add_data(await anext(parts))


def test_a_served_endpoint_that_is_told_to_stop_ends_it(servers: Servers):
    with serving("--testing", redis=servers.url("endpoint")) as made:
        asyncio.run(_ends_with(made))


async def _ends_with(made: Serving) -> None:
    kinesis = Kinesis("json", over_http(made.url), account=new_account())
    consumer = await consumer_of(kinesis, await stream_of(kinesis))
    await put(kinesis, b"x")

    def read() -> int:
        answer = client_of(kinesis, made.url).subscribe_to_shard(
            ConsumerARN=consumer, ShardId=SHARD, StartingPosition={"Type": "TRIM_HORIZON"}
        )
        count = 0
        for _ in answer["EventStream"]:
            count += 1
            if count == 1:
                made.process.terminate()
        return count

    async with asyncio.timeout(PATIENCE):
        assert await in_thread(read) == 1
    assert made.process.wait(PATIENCE) == 0
