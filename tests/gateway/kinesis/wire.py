"""Wire: as little of a Kinesis SDK as a test needs, in JSON 1.1 or CBOR, straight into an Endpoint.

As tests/gateway/sdk.py: every answer is checked to the letter before a test sees it. An answer that
goes on is read event by event, with botocore's reader of event streams.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import botocore.parsers
import cbor2
from botocore import xform_name
from botocore.eventstream import EventStreamBuffer
from botocore.loaders import Loader
from botocore.model import ServiceModel

from rmq.gateway.http import Request, Response
from tests.gateway import strict
from tests.gateway.sdk import REGION, Carry, Refused, authorization, new_account, request_id

MODEL = ServiceModel(Loader().load_service_model("kinesis", "service-2"), "kinesis")
OPERATIONS = {xform_name(name): name for name in MODEL.operation_names}
PROTOCOLS = ("json", "cbor")
TYPES = {"json": "application/x-amz-json-1.1", "cbor": "application/x-amz-cbor-1.1"}
EVENT_STREAM = "application/vnd.amazon.eventstream"
GENERIC = ("SerializationException", "UnknownOperationException", "ServiceUnavailable")
"""Errors that no model lists."""


class Kinesis:
    """Kinesis for one account in one region, in one protocol. Operations are its methods."""

    def __init__(
        self, protocol: str, carry: Carry, *, account: str | None = None, region: str = REGION
    ) -> None:
        self.protocol = protocol
        self.account = account or new_account()
        self.region = region
        self.carry = carry
        self.seen: set[tuple[str, str]] = set()
        """The members that answers had, as (shape, member)."""
        self.asked: set[str] = set()
        """The operations that were answered."""

    def __getattr__(self, name: str) -> Callable[..., Awaitable[dict[str, Any]]]:
        operation = OPERATIONS.get(name)
        if operation is None:
            raise AttributeError(name)
        return lambda **parameters: self.ask(operation, parameters)

    def arn(self, resource: str) -> str:
        return f"arn:aws:kinesis:{self.region}:{self.account}:{resource}"

    async def ask(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Carry out an operation. Raises Refused."""
        response = await self.carry(self.request(operation, parameters))
        if response.status != 200:
            raise self.refused_in(response)
        request_id(response)
        assert response.content_type == TYPES[self.protocol]
        self.asked.add(operation)
        shape = MODEL.operation_model(operation).output_shape
        if shape is None:
            assert response.body == b""
            return {}
        value = self._value(shape, response.body)
        return value

    async def events(self, **parameters: Any) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Subscribe to a shard: each event's kind, and what it says, behind the initial response.

        Raises Refused. Close it to hang up.
        """
        operation = "SubscribeToShard"
        response = await self.carry(self.request(operation, parameters))
        if response.status != 200:
            raise self.refused_in(response)
        assert response.content_type == EVENT_STREAM
        assert response.parts is not None
        self.asked.add(operation)
        shape = MODEL.operation_model(operation).output_shape.members["EventStream"]
        self.seen.add(("SubscribeToShardOutput", "EventStream"))
        buffer, is_first = EventStreamBuffer(), True
        async with aclosing(response.parts) as parts:
            async for part in parts:
                buffer.add_data(part)
                for message in buffer:
                    headers = message.headers
                    assert headers[":content-type"] == TYPES[self.protocol]
                    said = headers[":message-type"]
                    kind = headers[f":{said}-type"]
                    if is_first:
                        assert (said, kind) == ("event", "initial-response")
                        assert self._plain(message.payload) == {}
                        is_first = False
                        continue
                    self.seen.add((shape.name, kind))
                    yield kind, self._value(shape.members[kind], message.payload)

    def request(self, operation: str, parameters: dict[str, Any]) -> Request:
        """The request that asks for *operation*, as an SDK sends it."""
        headers = {
            "authorization": authorization(self.account, self.region, "kinesis"),
            "content-type": TYPES[self.protocol],
            "x-amz-target": f"Kinesis_20131202.{operation}",
        }
        body = (
            json.dumps(parameters, default=_as_json).encode()
            if self.protocol == "json"
            else cbor2.dumps(parameters, encoders={datetime: _write_moment})
        )
        return Request("POST", "/", "", headers, body)

    def refused_in(self, response: Response) -> Refused:
        """The error in a response; fails the test where that has not an error's form."""
        request_id(response)
        assert 400 <= response.status < 600
        assert response.content_type == TYPES[self.protocol]
        said = self._plain(response.body)
        name = said["__type"].rpartition("#")[2]
        assert name == said["__type"] or name in GENERIC
        assert name in MODEL.shape_names or name in GENERIC
        assert response.headers["x-amzn-errortype"] == name
        assert set(said) == {"__type", "message"}
        assert type(said["message"]) is str
        assert said["message"]
        side = "Sender" if response.status < 500 else "Receiver"
        return Refused(response, name, name, said["message"], side)

    def _plain(self, body: bytes) -> Any:
        """What a body says, as JSON has it."""
        if self.protocol == "json":
            return json.loads(body)
        return _untagged(cbor2.loads(body, semantic_decoders={1: _read_moment}))

    def _value(self, shape: Any, body: bytes) -> dict[str, Any]:
        said = self._plain(body)
        faults = list(strict.faults(shape, said))
        if shape.name == "SubscribeToShardEvent" and "ChildShards" in said:
            # By the model it is required, but KCL knows by its absence that the shard has ended.
            faults.remove("answer.ContinuationSequenceNumber is required and not there")
        assert faults == []
        self.seen |= set(strict.members(shape, said))
        response = {"body": json.dumps(said).encode(), "headers": {}, "status_code": 200}
        found = botocore.parsers.create_parser("json").parse(response, shape)
        found.pop("ResponseMetadata", None)
        return dict(found)


def _as_json(value: bytes | datetime) -> str | float:
    if isinstance(value, datetime):
        return value.timestamp()
    return base64.b64encode(value).decode()


def _write_moment(encoder: Any, value: datetime) -> None:
    encoder.encode(cbor2.CBORTag(1, round(value.timestamp() * 1000)))


def _read_moment(value: Any, immutable: bool) -> datetime:
    assert type(value) is int, "a timestamp in CBOR is a whole number of milliseconds"
    return datetime.fromtimestamp(value / 1000, UTC)


def _untagged(value: Any) -> Any:
    """A value of CBOR as JSON has it."""
    if isinstance(value, dict):
        return {name: _untagged(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_untagged(one) for one in value]
    return _as_json(value) if isinstance(value, (bytes, datetime)) else value
