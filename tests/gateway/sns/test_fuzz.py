"""Fuzz: whatever is asked of SNS, what goes out is an answer or a refusal in SNS's form; never a
5xx. In JSON every wrong kind, in forms every wrong text and name, and both by chance.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import rmq
from rmq.gateway.app import Endpoint, endpoint_limits
from rmq.gateway.http import Request, Response
from rmq.testing import private_namespace
from tests.gateway.sdk import REGION, SNS, Refused, Sdk, authorization, form, refused_in
from tests.gateway.wrong import WRONG, example, fits, forms, of, places, replaced

ACCOUNT = "000000000000"
ARN = f"arn:aws:sns:{REGION}:{ACCOUNT}:"
TOPIC = f"{ARN}orders"
REAL: dict[str, Any] = {
    "TopicArn": TOPIC,
    "SubscriptionArn": f"{TOPIC}:00000000-0000-0000-0000-000000000000",
    "ResourceArn": TOPIC,
    "Protocol": "email",
    "Endpoint": "a@example.com",
    "MessageStructure": "",
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
        runner.run(_works(Sdk("query", endpoint, service=SNS)))
        runner.run(endpoint.close())


async def _works(sns: Sdk) -> None:
    topic = (await sns.create_topic(Name="works"))["TopicArn"]
    assert (await sns.publish(TopicArn=topic, Message="x"))["MessageId"]


@pytest.fixture
def topic(ask: Ask) -> None:
    """A topic that is there, whatever the test before did to it."""
    assert ask(_json(b'{"Name":"orders"}', "CreateTopic")).status in (200, 400)


def _sane(protocol: str, response: Response) -> Refused | None:
    """The refusal that a response is, if it is one; fails the test for what may not be."""
    if response.status == 200:
        return None
    found = refused_in(protocol, response, SNS)
    assert found.status < 500, found
    assert len(response.body) < 10_000  # the wrong values come back shortened
    return found


def _json(body: bytes, operation: str) -> Request:
    headers = {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": f"{SNS.target}.{operation}",
        "authorization": authorization(ACCOUNT, service="sns"),
    }
    return Request("POST", "/", "", headers, body)


def _form(fields: dict[str, str], method: str = "POST") -> Request:
    headers = {
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "authorization": authorization(ACCOUNT, service="sns"),
    }
    if method == "GET":
        return Request("GET", "/", urlencode(fields), {}, b"")
    return Request("POST", "/", "", headers, urlencode(fields).encode())


def _full(operation: str) -> tuple[Any, dict[str, Any]]:
    shape = SNS.model.operation_model(operation).input_shape
    full = example(shape)
    return shape, full | {name: REAL[name] for name in full.keys() & REAL.keys()}


@pytest.mark.parametrize("operation", SNS.model.operation_names)
def test_every_wrong_kind_at_every_parameter_in_json(ask, topic, operation):
    shape, full = _full(operation)
    for path, at in places(shape, full):
        for value in WRONG:
            body = json.dumps(replaced(full, path, value)).encode()
            found = _sane("json", ask(_json(body, operation)))
            if value is not None and not fits(at, value):
                assert found is not None, (path, value)
                assert found.shape.endswith("#SerializationException"), (path, value, found)


@pytest.mark.parametrize("operation", SNS.model.operation_names)
def test_every_wrong_text_at_every_field_of_a_form(ask, topic, operation):
    _, full = _full(operation)
    fields = {str(name): str(one) for name, one in form(operation, full, SNS).items()}
    for one in forms(fields | {"Action": operation}):
        _sane("query", ask(_form(one)))


operations = some.sampled_from(SNS.model.operation_names)
WORDS = ("{}", '{"default":"x"}', "true", "json", "sms", "sqs", "+15550100123")
texts = some.text(max_size=30) | some.sampled_from([*map(str, REAL.values()), *WORDS])
LOOKED_FOR = ("accountId", "region", "endpointArn", "phoneNumber", "topicArn", "token")


@settings(max_examples=200, deadline=None)
@given(operation=operations, data=some.data())
def test_any_parameters_of_the_right_types_are_answered(ask, operation, data):
    shape = SNS.model.operation_model(operation).input_shape
    wanted = data.draw(of(shape))
    for name in data.draw(some.sets(some.sampled_from(sorted(REAL)), max_size=4)):
        if name in shape.members:
            wanted[name] = REAL[name]
    ask(_json(b'{"Name":"orders"}', "CreateTopic"))

    _sane("json", ask(_json(json.dumps(wanted).encode(), operation)))


@settings(max_examples=200, deadline=None)
@given(
    operation=operations,
    fields=some.dictionaries(
        some.lists(
            some.sampled_from(
                [*REAL, "Attributes", "entry", "member", "1", "2", "0", "key", "value", "Name", "x"]
            ),
            max_size=5,
        ).map(".".join),
        texts,
        max_size=8,
    ),
    method=some.sampled_from(["GET", "POST"]),
)
def test_any_form_is_answered_signed_or_as_a_link(ask, operation, fields, method):
    given = {**fields, "Action": operation, "Version": SNS.model.api_version}

    _sane("query", ask(_form(given, method)))


@settings(max_examples=200, deadline=None)
@given(text=texts, name=some.sampled_from(["FilterPolicy", "RedrivePolicy", "DeliveryPolicy"]))
def test_any_attribute_is_answered(ask, text, name):
    ask(_json(b'{"Name":"orders"}', "CreateTopic"))
    given = {"TopicArn": TOPIC, "Protocol": "sms", "Endpoint": "+15550100123"}
    body = json.dumps(given | {"Attributes": {name: text}}).encode()

    _sane("json", ask(_json(body, "Subscribe")))


@settings(max_examples=200, deadline=None)
@given(
    tail=some.text(max_size=40)
    | some.sampled_from(["sms-messages", "platform-endpoint-messages", "subscription-tokens/"]),
    under=some.sampled_from(["/_aws/sns/", "/_rmq/topics", "/SimpleNotificationService-"]),
    query=some.dictionaries(some.sampled_from(LOOKED_FOR), texts).map(urlencode),
    method=some.sampled_from(["GET", "POST", "DELETE"]),
)
def test_any_look_is_answered(ask, tail, under, query, method):
    answer = ask(Request(method, f"{under}{tail}", query, {}, b""))

    assert answer.status < 500
