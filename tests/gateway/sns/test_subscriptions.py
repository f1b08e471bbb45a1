"""Subscriptions: made, confirmed, described, changed, listed, ended; and the unsigned links."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

import pytest

from rmq.gateway.http import Request, Response
from rmq.gateway.sns.peek import TOKENS
from rmq.topics.aio import AsyncTopic
from rmq.topics.envelope import subscribe_url
from tests.gateway.sdk import SNS, SQS, Sdk, refusal, refused_in

OWNER = "000000000000"
ARN = f"arn:aws:sns:us-east-1:{OWNER}:"
LAMBDA = f"arn:aws:lambda:us-east-1:{OWNER}:function:f"
BASE = "http://localhost"
UNKNOWN = "00000000-0000-0000-0000-000000000000"


async def _attributes(sns: Sdk, arn: str) -> dict[str, str]:
    found = await sns.get_subscription_attributes(SubscriptionArn=arn)
    return dict(found["Attributes"])


async def _asked_to_confirm(sns: Sdk, gateway: Any, topic: str) -> tuple[str, str]:
    """The ARN of a subscription that waits, of another account's queue; and its token."""
    other = Sdk(sns.protocol, gateway, account="1" * 12, service=SQS)
    arn = await other.arn(await other.queue("theirs"))
    found = await sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True
    )
    arn = found["SubscriptionArn"]
    answer = await gateway(Request("GET", f"{TOKENS}/{arn}", "", {}, b""))
    return arn, json.loads(answer.body)["subscription_token"]


async def _follow(gateway: Any, url: str) -> Response:
    """What a browser, or the subscriber's own program, gets from a link: nothing is signed."""
    parts = urlsplit(url)
    return await gateway(Request("GET", parts.path, parts.query, {"host": parts.netloc}, b""))


# --- made ----------------------------------------------------------------------------------------


async def test_a_queue_is_subscribed_at_once(sns, topic, queue_arn):
    found = await sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)

    arn = found["SubscriptionArn"]
    assert arn.startswith(f"{topic}:")
    assert await _attributes(sns, arn) == {
        "SubscriptionArn": arn,
        "TopicArn": topic,
        "Owner": OWNER,
        "Protocol": "sqs",
        "Endpoint": queue_arn,
        "SubscriptionPrincipal": f"arn:aws:iam::{OWNER}:root",
        "PendingConfirmation": "false",
        "ConfirmationWasAuthenticated": "true",
        "RawMessageDelivery": "false",
    }


async def test_the_same_endpoint_again_is_the_same_subscription(sns, topic, queue_arn):
    given = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": queue_arn}
    raw = {"RawMessageDelivery": "true"}
    first = await sns.subscribe(**given, Attributes=raw)

    assert await sns.subscribe(**given) == first
    assert await sns.subscribe(**given, Attributes=raw) == first
    found = await refusal(sns.subscribe(**given, Attributes={"FilterPolicy": '{"a":["b"]}'}))
    assert found.message == (
        "Invalid parameter: Attributes Reason: Subscription already exists with different "
        "attributes"
    )


@pytest.mark.parametrize(
    ("protocol", "endpoint"),
    [
        ("http", "http://192.0.2.1/x"),
        ("https", "https://example.com/x"),
        ("email", "a@example.com"),
        ("email-json", "a@example.com"),
    ],
)
async def test_who_has_to_agree_is_pending_until_then(sns, topic, protocol, endpoint):
    given = {"TopicArn": topic, "Protocol": protocol, "Endpoint": endpoint}
    found = await sns.subscribe(**given)
    assert found == {"SubscriptionArn": "pending confirmation"}

    again = await sns.subscribe(**given, ReturnSubscriptionArn=True)
    arn = again["SubscriptionArn"]
    assert arn.startswith(f"{topic}:")
    shown = await _attributes(sns, arn)
    assert (shown["PendingConfirmation"], shown["ConfirmationWasAuthenticated"]) == (
        "true",
        "false",
    )
    (listed,) = (await sns.list_subscriptions())["Subscriptions"]
    assert listed == {
        "SubscriptionArn": "PendingConfirmation",
        "Owner": OWNER,
        "Protocol": protocol,
        "Endpoint": endpoint,
        "TopicArn": topic,
    }
    counts = (await sns.get_topic_attributes(TopicArn=topic))["Attributes"]
    assert (counts["SubscriptionsPending"], counts["SubscriptionsConfirmed"]) == ("1", "0")


@pytest.mark.parametrize(
    ("protocol", "endpoint", "attributes"),
    [
        ("lambda", LAMBDA, {}),
        ("sms", "+15550100123", {}),
        ("application", f"{ARN}endpoint/GCM/app/{UNKNOWN}", {}),
        (
            "firehose",
            f"arn:aws:firehose:us-east-1:{OWNER}:deliverystream/d",
            {"SubscriptionRoleArn": f"arn:aws:iam::{OWNER}:role/r"},
        ),
    ],
)
async def test_the_other_protocols_need_no_confirmation(sns, topic, protocol, endpoint, attributes):
    found = await sns.subscribe(
        TopicArn=topic, Protocol=protocol, Endpoint=endpoint, Attributes=attributes
    )

    shown = await _attributes(sns, found["SubscriptionArn"])
    assert (shown["Protocol"], shown["Endpoint"]) == (protocol, endpoint)
    assert attributes.items() <= shown.items()


@pytest.mark.parametrize(
    ("protocol", "endpoint", "message"),
    [
        ("xyz", "x", "Amazon SNS does not support this protocol string: xyz"),
        ("http", "https://example.com", "Endpoint must match the specified protocol"),
        ("https", "http://example.com", "Endpoint must match the specified protocol"),
        ("http", "", "Endpoint must match the specified protocol"),
        ("email", "nobody", "Email address"),
        ("sms", "nobody", "Invalid SMS endpoint"),
        ("sqs", "orders", "SQS endpoint ARN"),
        ("sqs", ARN + "orders", "SQS endpoint ARN"),
        ("sqs", f"arn:aws:sqs:us-east-1:{OWNER}:none", "SQS endpoint ARN"),
        ("lambda", "f", "Lambda endpoint ARN"),
        ("firehose", "f", "Firehose endpoint ARN"),
        ("application", "f", "Application endpoint arn invalid"),
    ],
)
async def test_an_endpoint_that_is_none_is_refused(sns, topic, protocol, endpoint, message):
    found = await refusal(sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=endpoint))

    assert (found.code, found.message) == ("InvalidParameter", f"Invalid parameter: {message}")


async def test_a_fifo_queue_is_for_fifo_topics(sns, sqs, topic, fifo_topic, fifo):
    arn = await sqs.arn(fifo)
    found = await refusal(sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn))
    assert found.message == (
        "Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be "
        "subscribed to standard SNS topics"
    )

    found = await refusal(
        sns.subscribe(TopicArn=fifo_topic, Protocol="email", Endpoint="a@example.com")
    )
    assert found.code == "InvalidParameter"


# --- attributes ----------------------------------------------------------------------------------


async def test_attributes_are_set_shown_and_taken_away(sns, sqs, subscription):
    dead = json.dumps({"deadLetterTargetArn": await sqs.arn(await sqs.queue("dead"))})
    policy = '{"a":["b"]}'
    for name, value in (
        ("RawMessageDelivery", "true"),
        ("FilterPolicy", policy),
        ("FilterPolicyScope", "MessageBody"),
        ("RedrivePolicy", dead),
    ):
        await sns.set_subscription_attributes(
            SubscriptionArn=subscription, AttributeName=name, AttributeValue=value
        )

    found = await _attributes(sns, subscription)
    assert found["RawMessageDelivery"] == "true"
    assert json.loads(found["FilterPolicy"]) == json.loads(policy)
    assert found["FilterPolicyScope"] == "MessageBody"
    assert json.loads(found["RedrivePolicy"]) == json.loads(dead)

    for name, value in (("FilterPolicy", "{}"), ("RedrivePolicy", "")):
        await sns.set_subscription_attributes(
            SubscriptionArn=subscription, AttributeName=name, AttributeValue=value
        )
    found = await _attributes(sns, subscription)
    assert found.keys().isdisjoint({"FilterPolicy", "FilterPolicyScope", "RedrivePolicy"})


async def test_a_delivery_policy_is_shown_with_what_it_leaves_open(sns, topic):
    policy = {"healthyRetryPolicy": {"numRetries": 7}}
    found = await sns.subscribe(
        TopicArn=topic,
        Protocol="http",
        Endpoint="http://192.0.2.1/x",
        Attributes={"DeliveryPolicy": json.dumps(policy)},
        ReturnSubscriptionArn=True,
    )

    shown = await _attributes(sns, found["SubscriptionArn"])
    assert json.loads(shown["DeliveryPolicy"]) == policy
    effective = json.loads(shown["EffectiveDeliveryPolicy"])
    assert effective["healthyRetryPolicy"]["numRetries"] == 7
    assert effective["healthyRetryPolicy"]["minDelayTarget"] == 20


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("Nonsense", "x", None),
        ("TopicArn", "x", None),
        ("RawMessageDelivery", "x", "RawMessageDelivery"),
        ("FilterPolicyScope", "x", "FilterPolicyScope"),
        ("FilterPolicy", '{"a":"b"}', '"a" must be an object or an array'),
        ("FilterPolicy", "{", "FilterPolicy"),
        ("RedrivePolicy", "x", "RedrivePolicy"),
        ("RedrivePolicy", '{"deadLetterTargetArn":"x"}', "RedrivePolicy"),
        ("RedrivePolicy", '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:1:x"}', "RedrivePolicy"),
        ("DeliveryPolicy", "{}", "DeliveryPolicy"),
        ("ReplayPolicy", "x", "ReplayPolicy"),
        ("ReplayPolicy", '{"PointType":"Timestamp","StartingPoint":"x"}', "StartingPoint"),
    ],
)
async def test_an_attribute_that_breaks_a_rule_is_refused(
    sns, topic, queue_arn, name, value, message
):
    given = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": queue_arn}
    found = await refusal(sns.subscribe(**given, Attributes={name: value}))
    assert found.code == "InvalidParameter"
    assert found.message.startswith("Invalid parameter: Attributes Reason: ")
    assert (message or f"Unknown attribute {name}") in found.message
    assert (await sns.list_subscriptions())["Subscriptions"] == []

    arn = (await sns.subscribe(**given))["SubscriptionArn"]
    found = await refusal(
        sns.set_subscription_attributes(
            SubscriptionArn=arn, AttributeName=name, AttributeValue=value
        )
    )
    assert found.code == "InvalidParameter"
    assert (message or "Invalid parameter: AttributeName") in found.message
    assert "Attributes Reason" not in found.message  # there is only one


async def test_a_topic_may_be_deleted_while_somebody_unsubscribes(
    sns, topic, subscription, monkeypatch
):
    async def too_late(one, id, **given):
        await one.delete_topic()
        return await end(one, id, **given)

    end = AsyncTopic.unsubscribe
    monkeypatch.setattr(AsyncTopic, "unsubscribe", too_late)

    assert await sns.unsubscribe(SubscriptionArn=subscription) == {}


async def test_what_was_subscribed_is_gone_with_its_topic(sns, topic, subscription):
    await sns.delete_topic(TopicArn=topic)

    for call in (
        sns.get_subscription_attributes(SubscriptionArn=subscription),
        sns.set_subscription_attributes(
            SubscriptionArn=subscription, AttributeName="RawMessageDelivery", AttributeValue="true"
        ),
    ):
        found = await refusal(call)
        assert (found.code, found.message) == ("NotFound", "Subscription does not exist")


async def test_an_archive_is_replayed(sns, sqs, fifo_topic, fifo, clock):
    await sns.set_topic_attributes(
        TopicArn=fifo_topic,
        AttributeName="ArchivePolicy",
        AttributeValue='{"MessageRetentionPeriod":"1"}',
    )
    await sns.publish(TopicArn=fifo_topic, Message="before", MessageGroupId="g")
    begun = datetime.now(UTC).replace(year=clock.now().year - 1)
    attributes = (await sns.get_topic_attributes(TopicArn=fifo_topic))["Attributes"]
    start = attributes["BeginningArchiveTime"]
    assert datetime.fromisoformat(start) > begun
    found = await sns.subscribe(
        TopicArn=fifo_topic,
        Protocol="sqs",
        Endpoint=await sqs.arn(fifo),
        Attributes={
            "RawMessageDelivery": "true",
            "ReplayPolicy": json.dumps({"PointType": "Timestamp", "StartingPoint": start}),
        },
    )

    arn = found["SubscriptionArn"]
    message = (await sqs.receive_message(QueueUrl=fifo, WaitTimeSeconds=5))["Messages"][0]
    assert message["Body"] == "before"
    shown = await _attributes(sns, arn)
    assert json.loads(shown["ReplayPolicy"])["StartingPoint"] == start
    assert shown["ReplayStatus"] in ("In progress", "Completed")

    await sns.set_subscription_attributes(
        SubscriptionArn=arn, AttributeName="ReplayPolicy", AttributeValue="{}"
    )
    assert "ReplayPolicy" not in await _attributes(sns, arn)


# --- confirming ----------------------------------------------------------------------------------


async def test_a_token_confirms_and_confirms_again(sns, topic, gateway):
    arn, token = await _asked_to_confirm(sns, gateway, topic)

    for _ in range(2):
        found = await sns.confirm_subscription(TopicArn=topic, Token=token)
        assert found == {"SubscriptionArn": arn}

    shown = await _attributes(sns, arn)
    assert (shown["PendingConfirmation"], shown["ConfirmationWasAuthenticated"]) == (
        "false",
        "true",
    )


@pytest.mark.parametrize("token", ["", "x", "0" * 64, "é"])
async def test_another_token_does_not(sns, topic, gateway, token):
    await _asked_to_confirm(sns, gateway, topic)

    found = await refusal(sns.confirm_subscription(TopicArn=topic, Token=token))

    assert (found.code, found.message) == ("InvalidParameter", "Invalid parameter: Token")


async def test_a_token_is_good_for_two_days(sns, topic, gateway, clock):
    arn, token = await _asked_to_confirm(sns, gateway, topic)
    clock.move(2 * 86_400 + 1)

    found = await refusal(sns.confirm_subscription(TopicArn=topic, Token=token))
    assert found.message == "Invalid parameter: Token"
    found = await refusal(sns.get_subscription_attributes(SubscriptionArn=arn))
    assert (found.code, found.message) == ("NotFound", "Subscription does not exist")


async def test_the_link_in_the_request_confirms(sns, topic, gateway):
    arn, token = await _asked_to_confirm(sns, gateway, topic)
    answer = await _follow(gateway, subscribe_url(BASE, topic, token))

    assert (answer.status, answer.content_type) == (200, "text/xml")
    root = ElementTree.fromstring(answer.body)
    assert root.tag == f"{SNS.xmlns}ConfirmSubscriptionResponse"
    assert [one.text for one in root.iter(f"{SNS.xmlns}SubscriptionArn")] == [arn]
    shown = await _attributes(sns, arn)
    assert (shown["PendingConfirmation"], shown["ConfirmationWasAuthenticated"]) == (
        "false",
        "false",
    )


async def test_a_link_leads_to_a_topic_of_another_account_too(sns, gateway, protocol):
    theirs = Sdk(protocol, gateway, account="2" * 12, region="eu-west-1", service=SNS)
    topic = (await theirs.create_topic(Name="orders"))["TopicArn"]
    arn, token = await _asked_to_confirm(theirs, gateway, topic)

    assert (await _follow(gateway, subscribe_url(BASE, topic, token))).status == 200

    assert (await _attributes(theirs, arn))["PendingConfirmation"] == "false"


async def test_a_link_with_another_token_is_refused_in_xml(sns, topic, gateway):
    query = urlencode({"Action": "ConfirmSubscription", "TopicArn": topic, "Token": "x"})

    found = refused_in("query", await _follow(gateway, f"http://localhost/?{query}"), SNS)

    assert (found.status, found.code) == (400, "InvalidParameter")


# --- ending --------------------------------------------------------------------------------------


async def test_a_subscription_ends_and_ends_again(sns, topic, subscription):
    for _ in range(2):
        assert await sns.unsubscribe(SubscriptionArn=subscription) == {}

    assert (await sns.list_subscriptions_by_topic(TopicArn=topic))["Subscriptions"] == []
    for call in (
        sns.get_subscription_attributes(SubscriptionArn=subscription),
        sns.set_subscription_attributes(
            SubscriptionArn=subscription, AttributeName="RawMessageDelivery", AttributeValue="true"
        ),
    ):
        found = await refusal(call)
        assert (found.code, found.status) == ("NotFound", 404)
        assert found.message == "Subscription does not exist"


async def test_the_link_in_a_notification_ends_it(sns, sqs, topic, queue, subscription, gateway):
    await sns.publish(TopicArn=topic, Message="x")
    message = (await sqs.receive_message(QueueUrl=queue))["Messages"][0]

    answer = await _follow(gateway, json.loads(message["Body"])["UnsubscribeURL"])

    assert answer.status == 200
    assert ElementTree.fromstring(answer.body).tag == f"{SNS.xmlns}UnsubscribeResponse"
    assert (await sns.list_subscriptions())["Subscriptions"] == []


async def test_who_asked_for_a_signature_is_not_unsubscribed_without(sns, topic, gateway):
    arn, token = await _asked_to_confirm(sns, gateway, topic)
    await sns.confirm_subscription(TopicArn=topic, Token=token, AuthenticateOnUnsubscribe="true")
    query = urlencode({"Action": "Unsubscribe", "SubscriptionArn": arn})

    found = refused_in("query", await _follow(gateway, f"http://localhost/?{query}"), SNS)
    assert (found.status, found.code) == (403, "AuthorizationError")
    stranger = Sdk(sns.protocol, gateway, account="3" * 12, service=SNS)
    found = await refusal(stranger.unsubscribe(SubscriptionArn=arn))
    assert found.code == "AuthorizationError"

    await sns.unsubscribe(SubscriptionArn=arn)
    assert (await sns.list_subscriptions())["Subscriptions"] == []


async def test_who_has_not_signed_can_not_ask_for_signatures(sns, topic, gateway):
    arn, token = await _asked_to_confirm(sns, gateway, topic)
    url = f"{subscribe_url(BASE, topic, token)}&AuthenticateOnUnsubscribe=true"
    assert (await _follow(gateway, url)).status == 200

    query = urlencode({"Action": "Unsubscribe", "SubscriptionArn": arn})
    assert (await _follow(gateway, f"http://localhost/?{query}")).status == 200


@pytest.mark.parametrize(
    ("arn", "message"),
    [
        (
            "PendingConfirmation",
            "SubscriptionArn Reason: An ARN must have at least 6 elements, not 1",
        ),
        (
            "pending confirmation",
            "SubscriptionArn Reason: An ARN must have at least 6 elements, not 1",
        ),
        (ARN + "orders", "SubscriptionId"),
        (ARN + "orders:x", "SubscriptionId"),
        (f"arn:aws:sqs:us-east-1:{OWNER}:orders:{UNKNOWN}", "SubscriptionArn"),
        (f"{ARN}a b:{UNKNOWN}", "SubscriptionArn"),
    ],
)
async def test_what_is_no_arn_of_a_subscription_is_refused(sns, arn, message):
    for call in (
        sns.unsubscribe(SubscriptionArn=arn),
        sns.get_subscription_attributes(SubscriptionArn=arn),
    ):
        found = await refusal(call)
        assert (found.code, found.message) == ("InvalidParameter", f"Invalid parameter: {message}")


async def test_a_subscription_to_a_topic_that_is_not_there_is_none(sns):
    arn = f"{ARN}none:{UNKNOWN}"

    assert await sns.unsubscribe(SubscriptionArn=arn) == {}
    found = await refusal(sns.get_subscription_attributes(SubscriptionArn=arn))
    assert found.code == "NotFound"
