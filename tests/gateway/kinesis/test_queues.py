"""Queues on streams at the endpoint: who waits, who hangs up, whose a queue is. What else a queue
is, tests/outlets says."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.colours import PATIENCE, in_thread, until
from tests.conftest import Servers
from tests.gateway.kinesis.drives import on_demand_of, queue_of, received
from tests.gateway.kinesis.test_subscribing import Readers
from tests.gateway.kinesis.wire import Kinesis
from tests.gateway.sdk import over_http


@pytest.fixture
def served(endpoint_url: str) -> Kinesis:
    return Kinesis("json", over_http(endpoint_url))


async def test_who_waits_is_answered_when_a_record_is_put(served, servers):
    arn = await on_demand_of(served)
    queue = await queue_of(served, arn)
    readers = await in_thread(Readers, servers)
    waiting = asyncio.create_task(received(served, queue, WaitTimeSeconds=20))
    await until(readers.are_there)
    await served.put_record(StreamARN=arn, Data=b"x", PartitionKey="a")
    async with asyncio.timeout(PATIENCE):
        (one,) = await waiting
    assert one["Data"] == b"x"


async def test_who_hangs_up_takes_no_record_and_frees_what_waited(
    served: Kinesis, endpoint_url: str, servers: Servers
):
    arn = await on_demand_of(served)
    queue = await queue_of(served, arn)
    readers = await in_thread(Readers, servers)
    given = {"QueueARN": queue, "WaitTimeSeconds": 20, "VisibilityTimeoutSeconds": 43_200}
    asked = served.request("ReceiveQueueRecords", given)

    async def ask() -> Any:
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            return await client.post(endpoint_url, headers=dict(asked.headers), content=asked.body)

    waiting = asyncio.create_task(ask())
    await until(readers.are_there)
    waiting.cancel()
    await until(readers.are_gone)
    await served.put_record(StreamARN=arn, Data=b"x", PartitionKey="a")
    (one,) = await received(served, queue, WaitTimeSeconds=20)
    assert one["Data"] == b"x"


async def test_a_queue_is_of_its_account_and_region(gateway):
    for number, region in enumerate(("eu-west-1", "eu-west-2")):
        kinesis = Kinesis("json", gateway, account="123456789012", region=region)
        arn = await on_demand_of(kinesis)
        queue = await queue_of(kinesis, arn)
        await kinesis.put_record(StreamARN=arn, Data=b"%d" % number, PartitionKey="a")
        assert queue.startswith(f"arn:aws:kinesis:{region}:123456789012:queue/")
        other = Kinesis("cbor", gateway)  # by its ARN anybody may
        assert [one["Data"] for one in await received(other, queue)] == [b"%d" % number]
        assert (await other.list_queues())["QueueSummaries"] == []
