"""Putting at the endpoint, where it knows a stream as it was."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import rmq
from rmq.testing import HeldClock
from tests.gateway.kinesis.drives import iterator_of, stream_of
from tests.gateway.kinesis.wire import Kinesis
from tests.gateway.sdk import refusal


@pytest.fixture
async def elsewhere(namespace: str, clock: HeldClock) -> AsyncIterator[rmq.AsyncClient]:
    """Another process, for all that the endpoint knows."""
    async with rmq.connect_async("memory://", namespace=namespace, clock=clock) as client:
        yield client


async def test_a_stream_takes_larger_records_as_soon_as_somebody_says_so(json_kinesis, elsewhere):
    await stream_of(json_kinesis)
    large = {"Data": bytes(1 << 20), "PartitionKey": "a"}
    found = await refusal(json_kinesis.put_record(StreamName="orders", **large))
    assert found.shape == "InvalidArgumentException"

    await elsewhere.stream("orders").set_attributes(max_record_size=2 << 20)

    await json_kinesis.put_records(StreamName="orders", Records=[large])


async def test_a_record_says_that_it_was_put_encrypted(json_kinesis: Kinesis, elsewhere):
    await stream_of(json_kinesis)
    one = {"Data": b"x", "PartitionKey": "a"}
    await json_kinesis.put_record(StreamName="orders", **one)

    await elsewhere.stream("orders").set_attributes(encryption_type="KMS", kms_key_id="alias/mine")

    found = await json_kinesis.put_records(StreamName="orders", Records=[one])
    assert found["EncryptionType"] == "KMS"
    iterator = await iterator_of(json_kinesis)
    records = (await json_kinesis.get_records(ShardIterator=iterator))["Records"]
    assert [one["EncryptionType"] for one in records] == ["NONE", "KMS"]


async def test_a_stream_that_was_made_anew_takes_records(json_kinesis: Kinesis, elsewhere):
    await stream_of(json_kinesis)
    one = {"Data": b"x", "PartitionKey": "a"}
    await json_kinesis.put_record(StreamName="orders", **one)
    old = await iterator_of(json_kinesis)
    await elsewhere.delete_stream("orders")
    found = await refusal(json_kinesis.put_record(StreamName="orders", **one))
    assert found.shape == "ResourceNotFoundException"
    await elsewhere.create_stream("orders", 2)

    await json_kinesis.put_record(StreamName="orders", **one)

    found = await refusal(json_kinesis.get_records(ShardIterator=old))
    assert found.shape == "InvalidArgumentException"


async def test_a_stream_on_demand_may_distribute_by_itself(json_kinesis: Kinesis):
    await json_kinesis.create_stream(
        StreamName="clicks",
        StreamModeDetails={"StreamMode": "ON_DEMAND"},
        RecordDistributionStrategy="AUTO",
    )
    records = [{"Data": b"x"}, {"Data": b"y", "PartitionKey": "a"}] * 4
    found = await json_kinesis.put_records(StreamName="clicks", Records=records)
    shards = {one["ShardId"] for one in found["Records"]}
    assert len(shards) == 4
    keys = []
    for shard in sorted(shards):
        iterator = await iterator_of(json_kinesis, "clicks", shard)
        got = await json_kinesis.get_records(ShardIterator=iterator)
        keys += [one.get("PartitionKey") for one in got["Records"]]
    assert (keys.count(None), keys.count("a")) == (4, 4)
