"""CBOR as SDKs write it: Java's sends maps of indefinite length and timestamps in milliseconds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import cbor2
import pytest

from rmq.gateway.app import Endpoint
from rmq.gateway.http import Request, Response
from rmq.testing import HeldClock
from tests.gateway.conftest import OWN_ACCOUNT
from tests.gateway.kinesis.drives import SHARD, iterator_of, stream_of
from tests.gateway.kinesis.wire import Kinesis
from tests.gateway.sdk import Refused


@pytest.fixture
def kinesis(gateway: Endpoint) -> Kinesis:
    return Kinesis("cbor", gateway, account=OWN_ACCOUNT)


def indefinite(value: Any) -> bytes:
    """A value with maps of indefinite length."""
    if isinstance(value, dict):
        parts = (cbor2.dumps(name) + indefinite(one) for name, one in value.items())
        return b"\xbf" + b"".join(parts) + b"\xff"
    return cbor2.dumps(value)


async def ask(kinesis: Kinesis, operation: str, body: bytes, **headers: str) -> Response:
    request: Request = kinesis.request(operation, {})
    request.body = body
    request.headers = {**request.headers, **headers}
    return await kinesis.carry(request)


async def test_maps_may_be_of_indefinite_length(kinesis):
    await stream_of(kinesis)
    body = indefinite({"StreamName": "orders", "Data": b"\x00", "PartitionKey": "a", "None": None})
    answer = await ask(kinesis, "PutRecord", body)
    assert answer.status == 200
    (one,) = (await kinesis.get_records(ShardIterator=await iterator_of(kinesis)))["Records"]
    assert one["Data"] == b"\x00"


@pytest.mark.parametrize("form", ["tagged, ms", "bare, s"])
async def test_a_timestamp_is_exact_to_the_millisecond(kinesis, clock: HeldClock, form):
    await stream_of(kinesis)
    await kinesis.put_record(StreamName="orders", Data=b"old", PartitionKey="a")
    clock.move(0.001)
    await kinesis.put_record(StreamName="orders", Data=b"new", PartitionKey="a")
    at = clock.now()
    moment = cbor2.CBORTag(1, clock.now_ms()) if form == "tagged, ms" else at.timestamp()
    given = {"StreamName": "orders", "ShardId": SHARD, "ShardIteratorType": "AT_TIMESTAMP"}
    answer = await ask(kinesis, "GetShardIterator", cbor2.dumps(given | {"Timestamp": moment}))
    iterator = cbor2.loads(answer.body)["ShardIterator"]
    (one,) = (await kinesis.get_records(ShardIterator=iterator))["Records"]
    assert one["Data"] == b"new"
    assert one["ApproximateArrivalTimestamp"] == at.replace(
        microsecond=at.microsecond // 1000 * 1000
    )


async def test_an_answer_says_what_it_is(kinesis):
    answer = await ask(kinesis, "ListStreams", b"")
    assert answer.content_type == "application/x-amz-cbor-1.1"
    assert cbor2.loads(answer.body) == {
        "StreamNames": [],
        "StreamSummaries": [],
        "HasMoreStreams": False,
    }


async def test_text_is_no_blob(kinesis):
    await stream_of(kinesis)
    body = cbor2.dumps({"StreamName": "orders", "Data": "eA==", "PartitionKey": "a"})
    found = kinesis.refused_in(await ask(kinesis, "PutRecord", body))
    assert isinstance(found, Refused)
    assert found.shape == "SerializationException"


async def test_both_protocols_may_be_mixed(kinesis, json_kinesis, clock):
    """What is put by Java is read by Python."""
    await stream_of(kinesis)
    await kinesis.put_record(StreamName="orders", Data=b"\xff", PartitionKey="ä")
    clock.move(timedelta(seconds=1))
    (one,) = (await json_kinesis.get_records(ShardIterator=await iterator_of(json_kinesis)))[
        "Records"
    ]
    assert (one["Data"], one["PartitionKey"]) == (b"\xff", "ä")
