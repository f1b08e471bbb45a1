"""SDK: as little of one as a test needs.

A call goes out in JSON or in the query protocol, over HTTP or straight into an Endpoint. What comes
back is checked to the letter before a test sees it: an answer against the model's shape for it, a
refusal against the form of AWS's errors. Nothing is checked on the way out, and nothing repeated.

    sqs = Sdk("json", over_http(url))
    url = (await sqs.create_queue(QueueName="orders"))["QueueUrl"]
    refused = await refusal(sqs.send_message(QueueUrl=url))
    assert refused.code == "MissingParameter"

    sns = Sdk("query", over_http(url), service=SNS, account=sqs.account)

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
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
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


@dataclass(frozen=True)
class Service:
    """A service's model, and what its wire forms say."""

    name: str
    model: ServiceModel
    query_model: ServiceModel
    """As it is, or was, while it spoke forms and XML."""
    target: str
    """What stands before an operation in JSON's X-Amz-Target."""
    has_detail: bool
    """Whether an error in XML has an element for details."""
    is_query_compatible: bool
    """Whether its errors in JSON say the query protocol's code."""

    @property
    def xmlns(self) -> str:
        return f"{{{self.query_model.metadata['xmlNamespace']}}}"

    @property
    def errors(self) -> str:
        """What stands before an error's name in JSON."""
        return f"com.amazonaws.{self.name}"

    @cached_property
    def operations(self) -> dict[str, str]:
        return {xform_name(name): name for name in self.model.operation_names}


def _as_json(name: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(name, "service-2"), name)


def _as_query(name: str, overlay: Callable[[dict[str, Any]], None]) -> ServiceModel:
    raw = copy.deepcopy(Loader().load_service_model(name, "service-2"))
    overlay(raw)
    raw["metadata"] |= {"protocol": "query", "protocols": ["query"]}
    for operation, said in raw["operations"].items():
        if "output" in said:
            said["output"]["resultWrapper"] = f"{operation}Result"
    return ServiceModel(raw, name)


SQS = Service(
    "sqs",
    _as_json("sqs"),
    _as_query("sqs", overlay.apply),
    "AmazonSQS",
    has_detail=True,
    is_query_compatible=True,
)
SNS = Service(
    "sns",
    _as_json("sns"),
    _as_query("sns", lambda raw: None),
    "AmazonSimpleNotificationService",
    has_detail=False,
    is_query_compatible=False,
)
MODEL, QUERY_MODEL, XMLNS = SQS.model, SQS.query_model, SQS.xmlns

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
    """A service, SQS unless told, for one account in one region, in one protocol. Operations are
    its methods."""

    def __init__(
        self,
        protocol: str,
        carry: Carry,
        *,
        account: str | None = None,
        region: str = REGION,
        service: Service = SQS,
    ) -> None:
        self.protocol = protocol
        self.service = service
        self.account = account or new_account()
        self.region = region
        self.carry = carry
        self.seen: set[tuple[str, str]] = set()
        """The members that answers had, as (shape, member)."""
        self.asked: set[str] = set()
        """The operations that were answered."""

    def __getattr__(self, name: str) -> Callable[..., Awaitable[dict[str, Any]]]:
        operation = self.service.operations.get(name)
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

    async def look(self, path: str) -> Any:
        """What a page of ours says in JSON."""
        path, _, query = path.partition("?")
        response = await self.carry(Request("GET", path, query, {}, b""))
        assert response.status == 200, response.body
        return json.loads(response.body)

    async def queue(self, name: str, **attributes: str) -> str:
        """Make a queue; its URL."""
        found = await self.create_queue(QueueName=name, Attributes=attributes)
        return str(found["QueueUrl"])

    async def arn(self, url: str) -> str:
        found = await self.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(found["Attributes"]["QueueArn"])

    def request(self, operation: str, parameters: dict[str, Any]) -> Request:
        """The request that asks for *operation*, as an SDK sends it."""
        headers = {"authorization": authorization(self.account, self.region, self.service.name)}
        if self.protocol == "json":
            headers |= {
                "content-type": "application/x-amz-json-1.0",
                "x-amz-target": f"{self.service.target}.{operation}",
                "x-amzn-query-mode": "true",
            }
            body = json.dumps(parameters, default=_plain).encode()
        else:
            headers["content-type"] = "application/x-www-form-urlencoded; charset=utf-8"
            body = urlencode(form(operation, parameters, self.service)).encode()
        return Request("POST", "/", "", headers, body)

    def read(
        self, operation: str, response: Response
    ) -> tuple[dict[str, Any], set[tuple[str, str]]]:
        """What a response to *operation* says, and the members that it has. Raises Refused."""
        if response.status != 200:
            raise refused_in(self.protocol, response, self.service)
        if self.protocol == "json":
            return _json_answer(self.service, operation, response)
        return _query_answer(self.service, operation, response)


def form(operation: str, parameters: dict[str, Any], service: Service = SQS) -> dict[str, Any]:
    """The fields of the form that asks for *operation*."""
    serializer = botocore.serialize.create_serializer("query", include_validation=False)
    model = service.query_model.operation_model(operation)
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


def _plain(value: bytes | datetime) -> str | float:
    """A value as JSON has it."""
    if isinstance(value, datetime):
        return value.timestamp()
    return base64.b64encode(value).decode()


# --- reading -------------------------------------------------------------------------------------


def _parsed(parser: str, response: Response, shape: Any) -> dict[str, Any]:
    found = botocore.parsers.create_parser(parser).parse(
        {"body": response.body, "headers": response.headers, "status_code": response.status}, shape
    )
    found.pop("ResponseMetadata")
    return dict(found)


def _json_answer(
    service: Service, operation: str, response: Response
) -> tuple[dict[str, Any], set[tuple[str, str]]]:
    request_id(response)
    assert response.content_type == "application/x-amz-json-1.0"
    shape = service.model.operation_model(operation).output_shape
    if shape is None:
        assert response.body == b""
        return {}, set()
    said = json.loads(response.body)
    assert list(strict.faults(shape, said)) == []
    return _parsed("json", response, shape), set(strict.members(shape, said))


def _query_answer(
    service: Service, operation: str, response: Response
) -> tuple[dict[str, Any], set[tuple[str, str]]]:
    xmlns = service.xmlns
    assert response.content_type == "text/xml"
    assert response.body.startswith(b'<?xml version="1.0"?>')
    root = ElementTree.fromstring(response.body)
    *results, metadata = root
    assert root.tag == f"{xmlns}{operation}Response"
    assert metadata.tag == f"{xmlns}ResponseMetadata"
    assert [(one.tag, one.text) for one in metadata] == [
        (f"{xmlns}RequestId", request_id(response))
    ]
    shape = service.query_model.operation_model(operation).output_shape
    if shape is None:
        assert results == []
        return {}, set()
    assert [one.tag for one in results] == [f"{xmlns}{operation}Result"]
    value = _parsed("query", response, shape)
    assert strict.unread(results[0], value) == []
    # A parser makes an empty list of what is not there; JSON's check is for what is.
    there = {one.tag.removeprefix(xmlns) for one in results[0]}
    value = {name: one for name, one in value.items() if one not in ([], {}) or name in there}
    said = json.loads(json.dumps(value, default=_plain))
    required = {f"answer.{name} is required and not there" for name in shape.required_members}
    assert set(strict.faults(shape, said)) <= required
    return value, set(strict.members(shape, said))


def refused_in(protocol: str, response: Response, service: Service = SQS) -> Refused:
    """The error in a response; fails the test where that has not an error's form."""
    read = _json_refusal if protocol == "json" else _query_refusal
    return read(response, service)


def _json_refusal(response: Response, service: Service) -> Refused:
    request_id(response)
    assert re.fullmatch(r"application/(x-amz-json-1\.[01]|json)", response.content_type)
    said = json.loads(response.body)
    namespace, hash_, name = said["__type"].partition("#")
    assert hash_
    assert namespace in (service.errors, "com.amazon.coral.service")
    assert (namespace == service.errors) == (name in service.model.shape_names)
    assert set(said) == {"__type", "message"} | _members(service, name)
    code, side = name.removesuffix("Exception"), _side(response)
    if service.is_query_compatible:
        assert response.headers["x-amzn-query-error"].endswith(f";{side}")
        code = response.headers["x-amzn-query-error"].removesuffix(f";{side}")
    assert type(said["message"]) is str
    assert said["message"]
    return Refused(response, code, said["__type"], said["message"], side)


def _members(service: Service, error: str) -> set[str]:
    """What an error says beside its message."""
    shape = service.model.shape_for(error) if error in service.model.shape_names else None
    return {name for name in shape.members if name.lower() != "message"} if shape else set()


def _query_refusal(response: Response, service: Service) -> Refused:
    assert response.content_type == "text/xml"
    root = ElementTree.fromstring(response.body)
    xmlns = root.tag.removesuffix("ErrorResponse")
    assert xmlns in (service.xmlns, "{http://webservices.amazon.com/AWSFault/}")
    assert [one.tag for one in root] == [f"{xmlns}Error", f"{xmlns}RequestId"]
    assert root[1].text == request_id(response)
    said = {one.tag.removeprefix(xmlns): one.text for one in root[0]}
    detail = ["Detail"] if service.has_detail and xmlns == service.xmlns else []
    members = sorted(_members(service, said["Code"]))
    assert list(said) == ["Type", "Code", "Message", *members, *detail]
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
