"""SDK: as little of one as a test needs.

A call goes out in JSON or in the query protocol, over HTTP or straight into an Endpoint. What comes
back is checked to the letter before a test sees it: an answer against the model's shape for it, a
refusal against the form of AWS's errors. Nothing is checked on the way out, and nothing repeated.

    sqs = Sdk("json", over_http(url))
    url = (await sqs.create_queue(QueueName="orders"))["QueueUrl"]
    refused = await refusal(sqs.send_message(QueueUrl=url))
    assert refused.code == "MissingParameter"

Signatures are made up: the endpoint reads who signed and for which region, and no more.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import http.client
import json
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

import botocore.parsers
import botocore.serialize
import pytest
from botocore import xform_name
from botocore.loaders import Loader
from botocore.model import ServiceModel

from rmq.gateway.http import Request, Response
from rmq.gateway.sqs import overlay
from tests.gateway import strict

PROTOCOLS = ("json", "query")
REGION = "us-east-1"
XMLNS = "{http://queue.amazonaws.com/doc/2012-11-05/}"
TIMEOUT_S = 30.0

_raw = Loader().load_service_model("sqs", "service-2")
MODEL = ServiceModel(_raw, "sqs")
"""SQS as it is now."""


def _query_model() -> ServiceModel:
    raw = copy.deepcopy(_raw)
    overlay.apply(raw)
    raw["metadata"] |= {"protocol": "query", "protocols": ["query"]}
    for name, operation in raw["operations"].items():
        if "output" in operation:
            operation["output"]["resultWrapper"] = f"{name}Result"
    return ServiceModel(raw, "sqs")


QUERY_MODEL = _query_model()
"""SQS as it was while it spoke forms and XML."""

OPERATIONS = {xform_name(name): name for name in MODEL.operation_names}

Carry = Callable[[Request], Awaitable[Response]]
"""Brings a request to the endpoint; an Endpoint is one."""


class Refused(Exception):
    """The endpoint answered with an error, and that had the right form."""

    def __init__(self, response: Response, code: str, shape: str, message: str, side: str) -> None:
        super().__init__(f"{response.status} {code}: {message}")
        self.response = response
        self.status = response.status
        self.code = code
        """The query protocol's name of it."""
        self.shape = shape
        """The model's name of it, with its namespace; the query protocol does not say it."""
        self.message = message
        self.side = side
        """Sender or Receiver."""


class Sdk:
    """SQS for one account in one region, in one protocol. Operations are its methods."""

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

    async def ask(
        self, operation: str, parameters: dict[str, Any], **headers: str
    ) -> dict[str, Any]:
        """Carry out an operation. Raises Refused."""
        request = self.request(operation, parameters)
        request.headers = {**request.headers, **headers}
        value, seen = self.read(operation, await self.carry(request))
        self.asked.add(operation)
        self.seen |= seen
        return value

    async def queue(self, name: str, **attributes: str) -> str:
        """Make a queue; its URL."""
        found = await self.create_queue(QueueName=name, Attributes=attributes)
        return str(found["QueueUrl"])

    async def arn(self, url: str) -> str:
        found = await self.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(found["Attributes"]["QueueArn"])

    def request(self, operation: str, parameters: dict[str, Any]) -> Request:
        """The request that asks for *operation*, as an SDK sends it."""
        headers = {"authorization": authorization(self.account, self.region)}
        if self.protocol == "json":
            headers |= {
                "content-type": "application/x-amz-json-1.0",
                "x-amz-target": f"AmazonSQS.{operation}",
                "x-amzn-query-mode": "true",
            }
            body = json.dumps(parameters, default=_base64).encode()
        else:
            headers["content-type"] = "application/x-www-form-urlencoded; charset=utf-8"
            body = urlencode(form(operation, parameters)).encode()
        return Request("POST", "/", "", headers, body)

    def read(
        self, operation: str, response: Response
    ) -> tuple[dict[str, Any], set[tuple[str, str]]]:
        """What a response to *operation* says, and the members that it has. Raises Refused."""
        if response.status != 200:
            raise refused_in(self.protocol, response)
        if self.protocol == "json":
            return _json_answer(operation, response)
        return _query_answer(operation, response)


def form(operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """The fields of the form that asks for *operation*."""
    serializer = botocore.serialize.create_serializer("query", include_validation=False)
    model = QUERY_MODEL.operation_model(operation)
    return dict(serializer.serialize_to_request(parameters, model)["body"])


def authorization(key_id: str, region: str = REGION, service: str = "sqs") -> str:
    """An Authorization header with a made-up signature."""
    return (
        f"AWS4-HMAC-SHA256 Credential={key_id}/20260101/{region}/{service}/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
    )


def new_account() -> str:
    """An account that nobody else has: what one test makes, no other sees."""
    return str(10**11 + secrets.randbelow(9 * 10**11))


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


# --- reading -------------------------------------------------------------------------------------


def _parsed(parser: str, response: Response, shape: Any) -> dict[str, Any]:
    found = botocore.parsers.create_parser(parser).parse(
        {"body": response.body, "headers": response.headers, "status_code": response.status}, shape
    )
    found.pop("ResponseMetadata")
    return dict(found)


def _json_answer(operation: str, response: Response) -> tuple[dict[str, Any], set[tuple[str, str]]]:
    request_id(response)
    assert response.content_type == "application/x-amz-json-1.0"
    shape = MODEL.operation_model(operation).output_shape
    if shape is None:
        assert response.body == b""
        return {}, set()
    said = json.loads(response.body)
    assert list(strict.faults(shape, said)) == []
    return _parsed("json", response, shape), set(strict.members(shape, said))


def _query_answer(
    operation: str, response: Response
) -> tuple[dict[str, Any], set[tuple[str, str]]]:
    assert response.content_type == "text/xml"
    assert response.body.startswith(b'<?xml version="1.0"?>')
    root = ElementTree.fromstring(response.body)
    *results, metadata = root
    assert root.tag == f"{XMLNS}{operation}Response"
    assert metadata.tag == f"{XMLNS}ResponseMetadata"
    assert [(one.tag, one.text) for one in metadata] == [
        (f"{XMLNS}RequestId", request_id(response))
    ]
    shape = QUERY_MODEL.operation_model(operation).output_shape
    if shape is None:
        assert results == []
        return {}, set()
    assert [one.tag for one in results] == [f"{XMLNS}{operation}Result"]
    value = _parsed("query", response, shape)
    assert strict.unread(results[0], value) == []
    # A parser makes an empty list of what is not there; JSON's check is for what is.
    value = {name: one for name, one in value.items() if one not in ([], {})}
    said = json.loads(json.dumps(value, default=_base64))
    required = {f"answer.{name} is required and not there" for name in shape.required_members}
    assert set(strict.faults(shape, said)) <= required
    return value, set(strict.members(shape, said))


def refused_in(protocol: str, response: Response) -> Refused:
    """The error in a response; fails the test where that has not an error's form."""
    read = _json_refusal if protocol == "json" else _query_refusal
    return read(response)


def _json_refusal(response: Response) -> Refused:
    request_id(response)
    assert re.fullmatch(r"application/(x-amz-json-1\.[01]|json)", response.content_type)
    said = json.loads(response.body)
    assert set(said) == {"__type", "message"}
    namespace, hash_, name = said["__type"].partition("#")
    assert hash_
    assert namespace in ("com.amazonaws.sqs", "com.amazon.coral.service")
    assert (namespace == "com.amazonaws.sqs") == (name in MODEL.shape_names)
    code, semicolon, side = response.headers["x-amzn-query-error"].partition(";")
    assert semicolon
    assert side == _side(response)
    assert type(said["message"]) is str
    assert said["message"]
    return Refused(response, code, said["__type"], said["message"], side)


def _query_refusal(response: Response) -> Refused:
    assert response.content_type == "text/xml"
    root = ElementTree.fromstring(response.body)
    xmlns = root.tag.removesuffix("ErrorResponse")
    assert xmlns in (XMLNS, "{http://webservices.amazon.com/AWSFault/}")
    assert [one.tag for one in root] == [f"{xmlns}Error", f"{xmlns}RequestId"]
    assert root[1].text == request_id(response)
    said = {one.tag.removeprefix(xmlns): one.text for one in root[0]}
    wanted = ["Type", "Code", "Message", "Detail"]
    assert list(said) == (wanted if xmlns == XMLNS else wanted[:-1])
    assert said.get("Detail") is None
    assert said["Type"] == _side(response)
    assert said["Code"]
    assert said["Message"]
    return Refused(response, said["Code"], "", said["Message"], said["Type"])


def _side(response: Response) -> str:
    assert 400 <= response.status < 600
    return "Sender" if response.status < 500 else "Receiver"


def request_id(response: Response) -> str:
    """The id that a response has; fails the test where it is none."""
    found = {name.lower(): value for name, value in response.headers.items()}["x-amzn-requestid"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", found)
    return found


async def refusal(call: Awaitable[Any]) -> Refused:
    """The error that a call is refused with; fails the test where it is not refused."""
    with pytest.raises(Refused) as caught:
        await call
    return caught.value


# --- over HTTP -----------------------------------------------------------------------------------


def over_http(url: str) -> Carry:
    """Brings requests to a server, each on a connection of its own."""
    host = urlsplit(url).netloc

    def exchange(request: Request) -> Response:
        connection = http.client.HTTPConnection(host, timeout=TIMEOUT_S)
        target = f"{request.path}?{request.query}" if request.query else request.path
        connection.request(request.method, target, request.body, dict(request.headers))
        with connection.getresponse() as reply:
            headers = {name.lower(): value for name, value in reply.getheaders()}
            body = reply.read()
        connection.close()
        return Response(reply.status, body, headers.get("content-type", ""), headers)

    return lambda request: asyncio.to_thread(exchange, request)
