"""Fuzz: whatever is asked of Kinesis, in JSON or CBOR, what goes out is an answer or a refusal in
Kinesis's form; never a 5xx."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import rmq
from rmq.gateway.app import Endpoint, endpoint_limits
from rmq.gateway.http import Request, Response
from rmq.testing import private_namespace
from tests.gateway.kinesis.drives import ROLE, SHARD
from tests.gateway.kinesis.wire import GENERIC, MODEL, PROTOCOLS, TYPES, Kinesis
from tests.gateway.sdk import REGION, Refused, authorization
from tests.gateway.wrong import WRONG, example, fits, of, places, replaced

ACCOUNT = "000000000000"
ARN = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:"
STREAM = f"{ARN}stream/orders"
REAL: dict[str, Any] = {
    "StreamName": "orders",
    "StreamARN": STREAM,
    "ResourceARN": STREAM,
    "ConsumerARN": f"{STREAM}/consumer/c:1700000000",
    "QueueARN": f"{ARN}queue/0123",
    "ChannelARN": f"{ARN}channel/0123",
    "ShardId": SHARD,
    "ShardToSplit": SHARD,
    "ShardToMerge": SHARD,
    "AdjacentShardToMerge": "shardId-000000000001",
    "StartingSequenceNumber": "49" + "0" * 54,
    "NewStartingHashKey": str(1 << 127),
    "ServiceExecutionRoleARN": ROLE,
}
"""Parameters that get further than x."""

Ask = Callable[[Request], Response]


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """An Endpoint without HTTP. It still works when all is over."""
    with asyncio.Runner() as runner:
        client = rmq.connect_async(
            "memory://", namespace=private_namespace(), limits=endpoint_limits(cooldowns=False)
        )
        endpoint = Endpoint(client, account=ACCOUNT, region=REGION)
        yield lambda request: runner.run(endpoint(request))
        runner.run(_works(Kinesis("json", endpoint)))
        runner.run(endpoint.close())


async def _works(kinesis: Kinesis) -> None:
    await kinesis.create_stream(StreamName="works", ShardCount=1)
    assert await kinesis.put_record(StreamName="works", Data=b"x", PartitionKey="a")


@pytest.fixture
def stream(ask: Ask) -> None:
    """A stream that is there, whatever the test before did to it."""
    assert ask(_request("json", "CreateStream", MAKE)).status in (200, 400)


MAKE = {"StreamName": "orders", "ShardCount": 2}


def _sane(protocol: str, response: Response) -> Refused | None:
    """The refusal that a response is, if it is one; fails the test for what may not be."""
    if response.status == 200:
        return None
    found = Kinesis(protocol, None).refused_in(response)  # type: ignore[arg-type]
    assert found.status < 500, found
    assert found.shape != "InternalFailureException"
    assert len(response.body) < 20_000  # the wrong values come back shortened
    return found


def _request(protocol: str, operation: str, wanted: Any) -> Request:
    write = cbor2.dumps if protocol == "cbor" else lambda value: json.dumps(value).encode()
    headers = {
        "content-type": TYPES[protocol],
        "x-amz-target": f"Kinesis_20131202.{operation}",
        "authorization": authorization(ACCOUNT, service="kinesis"),
    }
    return Request("POST", "/", "", headers, write(wanted))


def _full(operation: str) -> tuple[Any, dict[str, Any]]:
    shape = MODEL.operation_model(operation).input_shape
    full = example(shape)
    return shape, full | {name: REAL[name] for name in full.keys() & REAL.keys()}


def _as_cbor(shape: Any, value: Any) -> Any:
    """An example with byte strings where JSON has base64."""
    if shape.type_name == "structure":
        return {name: _as_cbor(shape.members[name], one) for name, one in value.items()}
    if shape.type_name == "list":
        return [_as_cbor(shape.member, one) for one in value]
    return base64.b64decode(value) if shape.type_name == "blob" else value


@pytest.mark.parametrize("operation", MODEL.operation_names)
def test_every_wrong_kind_at_every_parameter(ask, stream, operation):
    shape, full = _full(operation)
    for protocol in PROTOCOLS:
        start = full if protocol == "json" else _as_cbor(shape, full)
        for path, at in places(shape, full):
            for value in WRONG:
                if protocol == "cbor" and at.type_name == "blob":
                    continue
                asked = _request(protocol, operation, replaced(start, path, value))
                found = _sane(protocol, ask(asked))
                if value is not None and not fits(at, value):
                    assert found is not None, (path, value)
                    assert found.shape == GENERIC[0], (path, value, found)


operations = some.sampled_from(MODEL.operation_names)


@settings(max_examples=200, deadline=None)
@given(operation=operations, data=some.data())
def test_any_parameters_of_the_right_types_are_answered(ask, operation, data):
    shape = MODEL.operation_model(operation).input_shape
    wanted = data.draw(of(shape))
    for name in data.draw(some.sets(some.sampled_from(sorted(REAL)), max_size=6)):
        if name in shape.members:
            wanted[name] = REAL[name]
    ask(_request("json", "CreateStream", MAKE))

    _sane("json", ask(_request("json", operation, wanted)))


@settings(max_examples=200, deadline=None)
@given(
    operation=operations,
    body=some.binary(max_size=60)
    | some.recursive(
        some.none() | some.booleans() | some.integers() | some.text(max_size=9) | some.floats(),
        lambda inner: (
            some.lists(inner, max_size=3)
            | some.dictionaries(some.sampled_from([*REAL, "x"]) | some.text(max_size=5), inner)
        ),
        max_leaves=8,
    ).map(cbor2.dumps),
    protocol=some.sampled_from(PROTOCOLS),
)
def test_any_body_is_answered(ask, operation, body, protocol):
    request = _request(protocol, operation, {})
    request.body = body

    _sane(protocol, ask(request))


@settings(max_examples=100, deadline=None)
@given(text=some.text(max_size=60) | some.binary(max_size=200).map(base64.urlsafe_b64encode))
def test_any_iterator_or_token_is_answered(ask, text):
    said = text.decode() if isinstance(text, bytes) else text
    for operation, member in (
        ("GetRecords", "ShardIterator"),
        ("ListShards", "NextToken"),
        ("ListStreams", "NextToken"),
        ("ListQueues", "NextToken"),
    ):
        found = _sane("json", ask(_request("json", operation, {member: said})))
        assert found is not None
