"""What is beside AWS's API: what topics did, tokens of subscriptions, the signing certificate."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography import x509

from rmq.gateway.app import Endpoint
from rmq.gateway.http import Request, Response
from rmq.gateway.sns.peek import TOKENS
from rmq.gateway.sns.report import PATH, TOPICS
from rmq.security.signature import verify
from tests.gateway.sdk import SNS, Sdk, refused_in


async def _get(gateway: Endpoint, path: str, **asked: str) -> Response:
    return await gateway(Request("GET", path, urlencode(asked), {}, b""))


async def _json(gateway: Endpoint, path: str, **asked: str) -> Any:
    answer = await _get(gateway, path, **asked)
    assert (answer.status, answer.content_type) == (200, "application/json"), answer.body
    return json.loads(answer.body)


# --- what topics did -----------------------------------------------------------------------------


async def test_what_was_published_delivered_and_filtered_out_is_told(
    sns, topic, queue_arn, gateway
):
    found = await sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=queue_arn,
        Attributes={"FilterPolicy": '{"a":["b"]}'},
    )
    wanted = {"a": {"DataType": "String", "StringValue": "b"}}
    other = {"a": {"DataType": "String", "StringValue": "c"}}
    for attributes in (wanted, other, other, {}):
        await sns.publish(TopicArn=topic, Message="x", MessageAttributes=attributes)

    (one,) = (await _json(gateway, PATH))["topics"]

    assert (one["arn"], one["published"], one["waiting"]) == (topic, 4, 0)
    (subscription,) = one["subscriptions"]
    latency = subscription.pop("latency_ms")
    assert latency >= 0
    assert subscription == {
        "arn": found["SubscriptionArn"],
        "protocol": "sqs",
        "endpoint": queue_arn,
        "confirmed": True,
        "delivered": 1,
        "failed": 0,
        "filtered_out": {"no_message_attributes": 1, "message_attributes": 2},
        "backlog": 0,
    }
    assert await _json(gateway, PATH, topicArn=topic) == (await _json(gateway, PATH))["topics"][0]


async def test_topics_are_told_page_by_page(sns, gateway):
    for number in range(TOPICS + 1):
        await sns.create_topic(Name=f"t{number:02}")

    first = await _json(gateway, PATH)
    rest = await _json(gateway, PATH, token=first["next_token"])

    names = [one["arn"].rpartition(":")[2] for one in first["topics"] + rest["topics"]]
    assert names == [f"t{number:02}" for number in range(TOPICS + 1)]
    assert rest["next_token"] is None


async def test_subscriptions_of_a_topic_are_told_page_by_page(sns, topic, gateway):
    for number in range(101):
        await sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint=f"+1555010{number:04}")

    first = await _json(gateway, PATH, topicArn=topic)
    rest = await _json(gateway, PATH, topicArn=topic, token=first["next_token"])

    assert [len(one["subscriptions"]) for one in (first, rest)] == [100, 1]
    assert rest["next_token"] is None


async def test_another_account_has_its_own_report(sns, topic, gateway):
    other = Sdk(sns.protocol, gateway, account="1" * 12, region="eu-west-1", service=SNS)
    arn = (await other.create_topic(Name="theirs"))["TopicArn"]

    found = await _json(gateway, PATH, accountId="1" * 12, region="eu-west-1")

    assert [one["arn"] for one in found["topics"]] == [arn]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"topicArn": "x"}, 400),
        ({"topicArn": f"arn:aws:sns:us-east-1:{'0' * 12}:none"}, 404),
        ({"token": "é"}, 400),
        ({"accountId": "x"}, 400),
        ({"region": "X Y"}, 400),
    ],
    ids=str,
)
async def test_what_can_not_be_told_is_refused(gateway, asked, status):
    answer = await _get(gateway, PATH, **asked)

    assert answer.status == status
    assert b"<Code>" in answer.body


# --- tokens --------------------------------------------------------------------------------------


async def test_the_token_of_a_subscription_is_told(sns, topic, gateway):
    arn = (
        await sns.subscribe(
            TopicArn=topic,
            Protocol="http",
            Endpoint="http://192.0.2.1/x",
            ReturnSubscriptionArn=True,
        )
    )["SubscriptionArn"]

    found = await _json(gateway, f"{TOKENS}/{arn}")

    assert found["subscription_arn"] == arn
    confirmed = await sns.confirm_subscription(TopicArn=topic, Token=found["subscription_token"])
    assert confirmed == {"SubscriptionArn": arn}


@pytest.mark.parametrize(
    ("arn", "status"),
    [
        ("x", 400),
        (f"arn:aws:sns:us-east-1:{'0' * 12}:orders", 400),
        (f"arn:aws:sns:us-east-1:{'0' * 12}:none:00000000-0000-0000-0000-000000000000", 404),
    ],
)
async def test_a_token_that_is_not_there(gateway, arn, status):
    answer = await _get(gateway, f"{TOKENS}/{arn}")

    assert answer.status == status
    assert json.loads(answer.body)["subscription_arn"] == arn


# --- the certificate -----------------------------------------------------------------------------


async def test_the_certificate_is_where_notifications_say(
    sns, sqs, topic, queue, subscription, gateway
):
    for version in ("1", "2"):
        await sns.set_topic_attributes(
            TopicArn=topic, AttributeName="SignatureVersion", AttributeValue=version
        )
        await sns.publish(TopicArn=topic, Message="one coffee", Subject="order")
        message = (await sqs.receive_message(QueueUrl=queue))["Messages"][0]
        envelope = json.loads(message["Body"])
        assert envelope["SignatureVersion"] == version
        _, _, path = envelope["SigningCertURL"].partition("//")[2].partition("/")

        answer = await _get(gateway, f"/{path}")

        assert (answer.status, answer.content_type) == (200, "application/x-pem-file")
        x509.load_pem_x509_certificate(answer.body)
        assert verify(envelope, answer.body.decode())
        assert not verify(envelope | {"Message": "two coffees"}, answer.body.decode())


async def test_all_accounts_sign_with_one_key(sns, gateway):
    other = Sdk(sns.protocol, gateway, account="1" * 12, service=SNS)
    urls = set()
    for one in (sns, other):
        topic = (await one.create_topic(Name="orders"))["TopicArn"]
        queues = Sdk(one.protocol, gateway, account=one.account)
        queue = await queues.queue("orders")
        await one.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=await queues.arn(queue))
        await one.publish(TopicArn=topic, Message="x")
        message = (await queues.receive_message(QueueUrl=queue))["Messages"][0]
        urls.add(json.loads(message["Body"])["SigningCertURL"])

    assert len(urls) == 1


async def test_another_certificate_is_not_there(gateway):
    answer = await _get(gateway, f"/SimpleNotificationService-{'0' * 32}.pem")

    assert answer.status == 404


async def test_what_is_at_no_address_is_not_there(gateway):
    answer = await _get(gateway, "/_aws/sns/nothing")

    assert answer.status == 404
    refused_in("query", await _get(gateway, "/_rmq/topicsx"))
