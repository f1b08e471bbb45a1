"""Platform endpoints all the way: published, sent or recorded, switched off, and told about."""

import json

import pytest

from rmq.push.senders.mobile import MobileSender, RedisPhoneBook
from rmq.push.senders.record import recorded
from rmq.push.settings import PushSettings
from tests.push.listener import Answer
from tests.push.test_mobile import RSA, as_google


@pytest.fixture
async def endpoint(client, listener):
    """An endpoint of an application whose credential opens the listener's FCM."""
    account = {
        "project_id": "shop-1",
        "client_email": "push@shop-1.example",
        "private_key": RSA[0],
        "token_uri": listener.url("/token"),
    }
    await client.create_topic("failures")
    await client.mobile.create_application(
        "GCM",
        "shop",
        credential=json.dumps(account),
        event_delivery_failure=client.place.arn("sns", "failures"),
    )
    return await client.mobile.create_endpoint("GCM/shop", "phone-1")


@pytest.fixture
def sending(client, dispatch, listener):
    """A dispatcher that sends to the listener as to FCM."""
    listener.answer = as_google
    settings = PushSettings(fcm_url=listener.url().rstrip("/"))
    sender = MobileSender(RedisPhoneBook(client._executor), settings)
    return dispatch(senders={"application": sender})


async def test_a_message_for_one_phone_is_recorded(client, dispatcher, endpoint):
    body = json.dumps({"default": "d", "GCM": '{"data":{"a":"b"}}'})
    sent = await client.mobile.publish(endpoint.arn, body, by_protocol=True)

    assert await dispatcher.drain() == 1

    (record,) = await recorded(client, "mobile")
    assert (record.endpoint, record.id) == (endpoint.arn, sent.id)
    assert json.loads(record.body)["GCM"] == '{"data":{"a":"b"}}'


async def test_a_topic_reaches_a_phone(client, topic, sending, listener, endpoint):
    one = await topic.subscribe(endpoint.arn, "application")
    await topic.publish("hello")
    await sending.drain()

    assert listener.requests[-1].json()["message"]["data"] == {"default": "hello"}
    assert listener.requests[-1].json()["message"]["token"] == "phone-1"
    assert (await topic.subscription_stats(one.id)).delivered == 1


async def test_a_token_that_is_refused_switches_the_endpoint_off(
    client, sending, listener, endpoint
):
    gone = b'{"error":{"status":"NOT_FOUND","details":[{"errorCode":"UNREGISTERED"}]}}'
    listener.answer = lambda request: (
        as_google(request) if request.path == "/token" else Answer(404, (), gone)
    )
    told = await client.create_queue("told")
    await client.topic("failures").subscribe(told, raw_message_delivery=True)
    sent = await client.mobile.publish(endpoint.arn, "hello")
    await sending.drain()

    assert not (await client.mobile.endpoint(endpoint.arn)).enabled
    (event,) = await told.receive()
    said = event.json()
    assert said["EventType"] == "DeliveryFailure"
    assert said["EndpointArn"] == endpoint.arn
    assert said["MessageId"] == sent.id
    assert said["DeliveryAttempts"] == 1
    assert "UNREGISTERED" in said["FailureMessage"]


@pytest.mark.parametrize("records", [True, False])
async def test_an_endpoint_that_is_off_or_gone_gets_nothing(
    client, topic, dispatcher, sending, listener, endpoint, records
):
    chosen = dispatcher if records else sending
    other = await client.mobile.create_endpoint("GCM/shop", "phone-2")
    for one in (endpoint, other):
        await topic.subscribe(one.arn, "application")
    await client.mobile.set_endpoint(endpoint.arn, enabled=False)
    await client.mobile.delete_endpoint(other.arn)
    await topic.publish("hello")
    await chosen.drain()

    assert chosen.counters.failed == 2
    assert await recorded(client, "mobile") == []
    assert listener.requests == []
