"""Forms as they come: by GET and POST, with gaps, without a version, without a signature, with the
region in the host's name."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest

from rmq.gateway.app import Endpoint
from rmq.gateway.http import Request, Response
from tests.gateway.sdk import SNS, SQS, authorization, refused_in

FORM = "application/x-www-form-urlencoded; charset=utf-8"


async def _ask(
    gateway: Endpoint, fields: dict[str, str], *, method: str = "POST", path: str = "/", **more: Any
) -> Response:
    said = urlencode(fields)
    if method == "GET":
        return await gateway(Request("GET", path, said, {}, b"", **more))
    return await gateway(Request("POST", path, "", {"content-type": FORM}, said.encode(), **more))


def _texts(response: Response, name: str) -> list[str]:
    assert response.status == 200, response.body
    root = ElementTree.fromstring(response.body)
    return [str(one.text) for one in root.iter(f"{SNS.xmlns}{name}")]


@pytest.fixture
def protocol() -> str:
    return "query"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("version", [{"Version": "2010-03-31"}, {"Version": "2099-01-01"}, {}])
async def test_an_action_may_come_in_the_url_or_the_body_of_any_version(gateway, method, version):
    made = await _ask(
        gateway, {"Action": "CreateTopic", "Name": "orders", **version}, method=method
    )

    (arn,) = _texts(made, "TopicArn")
    assert arn == "arn:aws:sns:us-east-1:000000000000:orders"


async def test_an_action_of_two_services_is_told_by_its_version(gateway, topic):
    given = {
        "Action": "AddPermission",
        "TopicArn": topic,
        "Label": "l",
        "AWSAccountId.member.1": "1" * 12,
        "ActionName.member.1": "Publish",
    }

    assert _texts(await _ask(gateway, given | {"Version": "2010-03-31"}), "RequestId")
    refused = refused_in("query", await _ask(gateway, given | {"Version": "2012-11-05"}), SQS)
    assert refused.code == "MissingParameter"


async def test_it_is_told_by_the_signature_before_the_version(gateway, topic):
    fields = {"Action": "RemovePermission", "Version": "2012-11-05", "TopicArn": topic}
    headers = {"content-type": FORM, "authorization": authorization("test", service="sns")}

    answer = await gateway(Request("POST", "/", "", headers, urlencode(fields).encode()))

    assert refused_in("query", answer, SNS).code == "ValidationError"


async def test_lists_and_maps_may_have_gaps_and_any_order(gateway, topic):
    fields = {"Action": "PublishBatch", "TopicArn": topic}
    for place, id in ((30, "c"), (2, "a"), (11, "b")):
        fields |= {
            f"PublishBatchRequestEntries.member.{place}.Id": id,
            f"PublishBatchRequestEntries.member.{place}.Message": "x",
        }

    assert _texts(await _ask(gateway, fields), "Id") == ["a", "b", "c"]


async def test_attributes_of_a_message_are_read(gateway, sns, topic, sqs, queue, queue_arn):
    await sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=queue_arn,
        Attributes={"RawMessageDelivery": "true"},
    )
    fields = {
        "Action": "Publish",
        "TopicArn": topic,
        "Message": "x",
        "MessageAttributes.entry.1.Name": "text",
        "MessageAttributes.entry.1.Value.DataType": "String",
        "MessageAttributes.entry.1.Value.StringValue": "v",
        "MessageAttributes.entry.7.Name": "binary",
        "MessageAttributes.entry.7.Value.DataType": "Binary",
        "MessageAttributes.entry.7.Value.BinaryValue": "++//",
    }
    said = urlencode(fields).replace("%2B", "+")  # as clients do that forget to escape it

    answer = await gateway(Request("POST", "/", "", {"content-type": FORM}, said.encode()))

    assert _texts(answer, "MessageId")
    (message,) = (await sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"]))[
        "Messages"
    ]
    assert message["MessageAttributes"] == {
        "text": {"DataType": "String", "StringValue": "v"},
        "binary": {"DataType": "Binary", "BinaryValue": b"\xfb\xef\xff"},
    }


async def test_an_attribute_of_a_message_without_a_value_is_not_dropped(gateway, topic):
    """boto3 writes the name only where a type and a value are forgotten."""
    fields = {"Action": "Publish", "TopicArn": topic, "Message": "x"}

    answer = await _ask(gateway, fields | {"MessageAttributes.entry.1.Name": "a"})

    found = refused_in("query", answer, SNS)
    assert (found.status, found.code) == (400, "ValidationError")
    assert "'messageAttributes.a.dataType'" in found.message


async def test_a_value_that_is_not_base64_is_named(gateway, topic):
    fields = {
        "Action": "Publish",
        "TopicArn": topic,
        "Message": "x",
        "MessageAttributes.entry.1.Name": "a",
        "MessageAttributes.entry.1.Value.DataType": "Binary",
        "MessageAttributes.entry.1.Value.BinaryValue": "x",
    }

    found = refused_in("query", await _ask(gateway, fields), SNS)

    assert (found.status, found.code) == (400, "InvalidParameterValue")
    assert "MessageAttributes.a.BinaryValue" in found.message


async def test_the_hosts_name_may_say_the_region(gateway):
    made = await _ask(
        gateway,
        {"Action": "CreateTopic", "Name": "orders"},
        host="sns.eu-west-1.amazonaws.com",
    )

    assert _texts(made, "TopicArn") == ["arn:aws:sns:eu-west-1:000000000000:orders"]


async def test_text_of_any_alphabet_comes_back_as_it_was(gateway, sns):
    name = '<größe> & "日本" 🎉\r\n\t\''
    topic = (await sns.create_topic(Name="orders", Attributes={"DisplayName": name}))["TopicArn"]

    found = await sns.get_topic_attributes(TopicArn=topic)

    assert found["Attributes"]["DisplayName"] == name


async def test_json_without_a_signature_is_answered_too(gateway):
    headers = {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": f"{SNS.target}.CreateTopic",
    }

    answer = await gateway(Request("POST", "/", "", headers, b'{"Name":"orders"}'))

    assert answer.body == b'{"TopicArn":"arn:aws:sns:us-east-1:000000000000:orders"}'


async def test_cbor_is_read_and_written_as_json_is(gateway, topic):
    import cbor2

    headers = {
        "content-type": "application/x-amz-cbor-1.1",
        "x-amz-target": f"{SNS.target}.ListTopics",
    }

    answer = await gateway(Request("POST", "/", "", headers, cbor2.dumps({})))

    assert cbor2.loads(answer.body) == {"Topics": [{"TopicArn": topic}]}
