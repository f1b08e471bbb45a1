"""Pushing from the endpoint: subscribers over HTTP are asked, told, and may leave and come back by
the links that they are sent; what goes to phones is shown."""

from __future__ import annotations

import json
import urllib.request
from typing import Any
from urllib.parse import urlencode, urlsplit

import boto3
import pytest

import rmq.testing
from rmq.core.limits import Limits
from rmq.gateway.http import Request, Response
from rmq.gateway.server import Serving
from rmq.gateway.sns.peek import SMS, TOKENS
from rmq.gateway.sns.report import PATH as REPORT
from rmq.security.signature import verify
from rmq.settings import Settings
from tests.colours import in_thread, until
from tests.gateway.sdk import REGION
from tests.gateway.serving import serving
from tests.push.listener import Listener


async def _follow(gateway: Any, url: str) -> Response:
    parts = urlsplit(url)
    return await gateway(Request("GET", parts.path, parts.query, {"host": parts.netloc}, b""))


async def _get(gateway: Any, path: str, method: str = "GET", **asked: str) -> Any:
    answer = await gateway(Request(method, path, urlencode(asked), {}, b""))
    assert answer.status == (204 if method == "DELETE" else 200)
    return json.loads(answer.body or b"null")


async def _listed(sns: Any, topic: str) -> list[str]:
    found = await sns.list_subscriptions_by_topic(TopicArn=topic)
    return [one["SubscriptionArn"] for one in found["Subscriptions"]]


async def test_a_subscriber_over_http_agrees_is_told_leaves_and_comes_back(
    sns, topic, gateway, dispatcher, listener
):
    said = await sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=listener.url("/hook"))
    assert said == {"SubscriptionArn": "pending confirmation"}
    await sns.publish(TopicArn=topic, Message="too early")
    await dispatcher.drain()

    (asked,) = listener.requests
    assert (asked.method, asked.path) == ("POST", "/hook")
    assert asked.headers["x-amz-sns-message-type"] == "SubscriptionConfirmation"
    assert asked.headers["x-amz-sns-topic-arn"] == topic
    assert (await _follow(gateway, asked.json()["SubscribeURL"])).status == 200
    (arn,) = await _listed(sns, topic)

    published = await sns.publish(TopicArn=topic, Message="one coffee")
    await dispatcher.drain()
    told = listener.requests[-1]
    assert told.headers["x-amz-sns-message-type"] == "Notification"
    assert told.headers["x-amz-sns-subscription-arn"] == arn
    assert told.json()["MessageId"] == published["MessageId"]
    assert told.json()["Message"] == "one coffee"
    certificate = await _follow(gateway, told.json()["SigningCertURL"])
    assert verify(told.json(), certificate.body.decode())

    assert (await _follow(gateway, told.json()["UnsubscribeURL"])).status == 200
    await sns.publish(TopicArn=topic, Message="nobody is there")
    await dispatcher.drain()
    farewell = listener.requests[-1]
    assert farewell.headers["x-amz-sns-message-type"] == "UnsubscribeConfirmation"

    assert (await _follow(gateway, farewell.json()["SubscribeURL"])).status == 200
    assert await _listed(sns, topic) == [arn]
    await sns.publish(TopicArn=topic, Message="back again")
    await dispatcher.drain()
    assert listener.requests[-1].json()["Message"] == "back again"
    assert len(listener.requests) == 4


async def test_an_owner_who_unsubscribes_says_no_farewell(
    sns, topic, gateway, dispatcher, listener
):
    await sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=listener.url())
    await dispatcher.drain()
    await _follow(gateway, listener.requests[0].json()["SubscribeURL"])
    (arn,) = await _listed(sns, topic)

    await sns.unsubscribe(SubscriptionArn=arn)
    await dispatcher.drain()

    assert len(listener.requests) == 1


async def test_the_links_begin_with_where_the_endpoint_is(
    sns, topic, gateway, dispatcher, listener
):
    await sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=listener.url())
    await dispatcher.drain()

    url = listener.requests[0].json()["SubscribeURL"]

    assert url.startswith(f"{gateway.client.settings.endpoint_url}/?Action=ConfirmSubscription&")


async def test_what_goes_to_numbers_is_shown(sns, topic, gateway, dispatcher):
    number = "+15550100123"
    found = await sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint=number)
    published = await sns.publish(TopicArn=topic, Message="one coffee", Subject="order")
    await dispatcher.drain()

    assert await _get(gateway, SMS) == {
        "sms_messages": {
            number: [
                {
                    "PhoneNumber": number,
                    "TopicArn": topic,
                    "SubscriptionArn": found["SubscriptionArn"],
                    "MessageId": published["MessageId"],
                    "Message": "one coffee",
                    "MessageAttributes": {},
                    "MessageStructure": None,
                    "Subject": "order",
                }
            ]
        },
        "region": REGION,
    }
    assert (await _get(gateway, SMS, accountId="1" * 12))["sms_messages"] == {}
    assert (await _get(gateway, SMS, region="eu-west-1"))["sms_messages"] == {}
    assert (await _get(gateway, SMS, phoneNumber="+1"))["sms_messages"] == {"+1": []}

    await _get(gateway, SMS, "DELETE", phoneNumber="+1")
    assert number in (await _get(gateway, SMS))["sms_messages"]
    await _get(gateway, SMS, "DELETE", phoneNumber=number)
    assert (await _get(gateway, SMS))["sms_messages"] == {}


async def test_all_that_is_shown_is_forgotten_at_once(sns, topic, gateway, dispatcher):
    for number in ("+15550100123", "+15550100124"):
        await sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint=number)
    await sns.publish(TopicArn=topic, Message="x")
    await dispatcher.drain()
    assert len((await _get(gateway, SMS))["sms_messages"]) == 2

    await _get(gateway, SMS, "DELETE")

    assert (await _get(gateway, SMS))["sms_messages"] == {}


async def test_a_dispatcher_that_is_anywhere_reaches_every_account(sns, gateway, dispatcher):
    from tests.gateway.sdk import SNS, Sdk

    other = Sdk(sns.protocol, gateway, account="1" * 12, region="eu-west-1", service=SNS)
    topic = (await other.create_topic(Name="orders"))["TopicArn"]
    await other.subscribe(TopicArn=topic, Protocol="sms", Endpoint="+15550100123")
    await other.publish(TopicArn=topic, Message="x")
    await dispatcher.drain()

    found = await _get(gateway, SMS, accountId="1" * 12, region="eu-west-1")

    assert list(found["sms_messages"]) == ["+15550100123"]


# --- without anybody's doing ---------------------------------------------------------------------


def _keys(account: str = "testing") -> dict[str, str]:
    return {"aws_access_key_id": account, "aws_secret_access_key": "x", "region_name": REGION}


@pytest.mark.parametrize("place", ["memory", "valkey"])
async def test_a_served_endpoint_pushes_by_itself(servers, listener, place):
    with serving("--testing", redis=servers.url(place)) as endpoint:
        sns = boto3.client("sns", endpoint_url=endpoint.url, **_keys())
        topic = (await in_thread(sns.create_topic, Name="orders"))["TopicArn"]
        await in_thread(
            sns.subscribe, TopicArn=topic, Protocol="http", Endpoint=listener.url("/hook")
        )
        await listener.reached(1)
        url = listener.requests[0].json()["SubscribeURL"]
        assert url.startswith(f"{endpoint.url}/?")
        await in_thread(lambda: urllib.request.urlopen(url).close())

        await in_thread(sns.publish, TopicArn=topic, Message="one coffee")

        await listener.reached(2)
        told = listener.requests[1].json()
        assert told["Message"] == "one coffee"
        with await in_thread(urllib.request.urlopen, told["SigningCertURL"]) as answer:
            assert verify(told, answer.read().decode())
        sns.close()


async def test_one_that_is_told_not_to_does_not(servers, listener):
    with serving("--testing", "--no-dispatch", redis=servers.url("valkey")) as endpoint:
        sns = boto3.client("sns", endpoint_url=endpoint.url, **_keys())
        topic = (await in_thread(sns.create_topic, Name="orders"))["TopicArn"]
        await in_thread(sns.subscribe, TopicArn=topic, Protocol="http", Endpoint=listener.url())
        with serving("--testing", redis=servers.url("valkey")) as other:
            client = boto3.client("sns", endpoint_url=other.url, **_keys())
            await in_thread(client.list_topics)
            client.close()
        assert listener.requests == []
        sns.close()


async def test_links_begin_with_what_the_endpoint_is_told(listener):
    outside = "https://events.example.com/aws"
    with serving("--testing", "--external-url", outside) as endpoint:
        sns = boto3.client("sns", endpoint_url=endpoint.url, **_keys())
        topic = (await in_thread(sns.create_topic, Name="orders"))["TopicArn"]
        await in_thread(sns.subscribe, TopicArn=topic, Protocol="http", Endpoint=listener.url())
        await listener.reached(1)

        assert listener.requests[0].json()["SubscribeURL"].startswith(f"{outside}/?Action=")
        sns.close()


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "http://127.0.0.1:4566"),
        ({"host": "10.0.0.5", "port": 80}, "http://10.0.0.5:80"),
        ({"host": "0.0.0.0"}, "http://127.0.0.1:4566"),
        ({"host": "::"}, "http://[::1]:4566"),
        ({"settings": Settings(endpoint_url="https://out.example")}, "https://out.example"),
    ],
)
def test_links_lead_to_where_the_endpoint_listens_unless_it_is_told(given, url):
    serving = Serving(**{"settings": Settings(), "limits": Limits.aws(), **given})

    assert serving.settings.endpoint_url == url


async def test_in_process_it_pushes_too():
    """The subscriber lives in the test's own loop."""
    listener = await Listener.start()
    with rmq.testing.aws():
        sns = boto3.client("sns")
        topic = (await in_thread(sns.create_topic, Name="orders"))["TopicArn"]
        await in_thread(sns.subscribe, TopicArn=topic, Protocol="http", Endpoint=listener.url())
        await listener.reached(1)
        token = listener.requests[0].json()["Token"]
        await in_thread(sns.confirm_subscription, TopicArn=topic, Token=token)
        await in_thread(sns.publish, TopicArn=topic, Message="one coffee")
        await listener.reached(2)
    assert listener.requests[1].json()["Message"] == "one coffee"
    await listener.close()


async def test_loopback_is_refused_where_nobody_tests(servers, listener):
    """What listens on the endpoint's own machine is not for strangers to call."""
    with serving(redis=servers.url("valkey")) as endpoint:
        sns = boto3.client("sns", endpoint_url=endpoint.url, **_keys())
        topic = (await in_thread(sns.create_topic, Name="orders"))["TopicArn"]
        found = await in_thread(
            sns.subscribe,
            TopicArn=topic,
            Protocol="http",
            Endpoint=listener.url(),
            ReturnSubscriptionArn=True,
        )
        where = f"{endpoint.url}{TOKENS}/{found['SubscriptionArn']}"
        token = (await _json(where))["subscription_token"]
        await in_thread(sns.confirm_subscription, TopicArn=topic, Token=token)
        await in_thread(sns.publish, TopicArn=topic, Message="x")

        async def given_up() -> bool:
            (one,) = (await _json(f"{endpoint.url}{REPORT}?topicArn={topic}"))["subscriptions"]
            return bool(one["failed"] == 1)

        await until(given_up)
        assert listener.connections == 0
        sns.close()


async def _json(url: str) -> Any:
    with await in_thread(urllib.request.urlopen, url) as answer:
        return json.load(answer)
