"""Messages for one endpoint, and what an application's topics are told."""

from __future__ import annotations

import json

import pytest

from rmq import MessageAttribute
from rmq.errors import (
    EndpointDisabled,
    EndpointDoesNotExist,
    InvalidParameter,
    PlatformApplicationDisabled,
)
from tests.topics.waiting import is_marked, waiting


async def test_a_message_waits_for_a_dispatcher(client, mobile, phone, raw):
    sent = await mobile.publish(phone.arn, "hello", subject="hi", attributes={"n": 7})

    [one] = await waiting(client, "mobile")
    assert (one.id, one.text, one.subject) == (sent.id, "hello", "hi")
    assert one.attributes == {"n": ("Number", "7")}
    assert (one.target.protocol, one.target.endpoint) == ("application", phone.arn)
    assert await is_marked(client, raw, "mobile")


async def test_a_message_may_have_a_text_for_each_platform(client, mobile, phone):
    message = json.dumps({"default": "hello", "GCM": json.dumps({"notification": {}})})

    await mobile.publish(phone.arn, message, by_protocol=True)

    [one] = await waiting(client, "mobile")
    assert (one.text, one.by_protocol) == (message, True)


@pytest.mark.parametrize("payload", ["hello", "[]", "{", "", "7"])
async def test_what_is_said_to_a_platform_must_be_its_json(client, mobile, phone, payload):
    message = json.dumps({"default": "hello", "GCM": payload})
    with pytest.raises(InvalidParameter) as refused:
        await mobile.publish(phone.arn, message, by_protocol=True)
    assert refused.value.field == "message.GCM"
    assert await waiting(client, "mobile") == []


async def test_what_is_said_to_another_platform_is_its_own_business(client, mobile, phone):
    message = json.dumps({"default": "hello", "APNS": "hello"})
    await mobile.publish(phone.arn, message, by_protocol=True)
    assert len(await waiting(client, "mobile")) == 1


TTL = "AWS.SNS.MOBILE.GCM.TTL"


@pytest.mark.parametrize("value", ["0", "60", "2419200", 60, MessageAttribute("String", "60")])
async def test_a_message_may_say_how_long_the_platform_keeps_it(client, mobile, phone, value):
    await mobile.publish(phone.arn, "hello", attributes={TTL: value})
    [one] = await waiting(client, "mobile")
    assert TTL in one.attributes


@pytest.mark.parametrize("value", ["-1", "1.5", "soon", "2419201", 2419201, "1" * 20])
async def test_a_time_to_live_that_can_not_be_is_refused(client, mobile, phone, value):
    with pytest.raises(InvalidParameter) as refused:
        await mobile.publish(phone.arn, "hello", attributes={TTL: value})
    assert TTL in refused.value.field
    assert await waiting(client, "mobile") == []


async def test_apple_sets_no_end_to_a_time_to_live(client, mobile):
    await mobile.create_application("APNS", "shop", credential="k", principal="p")
    phone = await mobile.create_endpoint("APNS/shop", "ab")
    attributes = {"AWS.SNS.MOBILE.APNS.TTL": "31536000", "AWS.SNS.MOBILE.APNS.PRIORITY": "5"}
    await mobile.publish(phone.arn, "hello", attributes=attributes)
    assert len(await waiting(client, "mobile")) == 1


async def test_a_disabled_endpoint_is_refused(client, mobile, phone):
    await mobile.set_endpoint(phone.arn, enabled=False)

    with pytest.raises(EndpointDisabled) as refused:
        await mobile.publish(phone.arn, "hello")
    assert refused.value.endpoint == phone.arn
    assert await waiting(client, "mobile") == []

    await mobile.set_endpoint(phone.arn, enabled=True)
    await mobile.publish(phone.arn, "hello")
    assert len(await waiting(client, "mobile")) == 1


async def test_a_disabled_application_is_refused(client, mobile, shop, phone):
    await mobile.set_application(shop.arn, enabled=False)
    with pytest.raises(PlatformApplicationDisabled) as refused:
        await mobile.publish(phone.arn, "hello")
    assert refused.value.application == shop.arn
    assert await waiting(client, "mobile") == []


async def test_an_endpoint_that_is_gone_is_refused(mobile, phone):
    await mobile.delete_endpoint(phone.arn)
    with pytest.raises(EndpointDoesNotExist):
        await mobile.publish(phone.arn, "hello")


BAD = [
    ({"message": ""}, "message"),
    ({"message": 7}, "message"),
    ({"message": b"\xff"}, "message"),
    ({"message": "x" * 262_145}, "message size"),
    ({"subject": ""}, "subject"),
    ({"subject": "a\nb"}, "subject"),
    ({"subject": "x" * 101}, "subject"),
    ({"attributes": 7}, "attributes"),
    ({"attributes": {"": "x"}}, "attribute name"),
    ({"message": "{}", "by_protocol": True}, "message.default"),
    ({"message": "hello", "by_protocol": True}, "message"),
    ({"endpoint": "GCM/shop"}, "endpoint"),
]


@pytest.mark.parametrize(("given", "field"), BAD)
async def test_bad_input_is_refused_by_name(client, mobile, phone, given, field):
    whole = {"endpoint": phone.arn, "message": "hello"} | given
    with pytest.raises(InvalidParameter) as refused:
        await mobile.publish(**whole)
    assert refused.value.field == field
    assert await waiting(client, "mobile") == []


# --- events ---


@pytest.fixture
async def told(client, mobile):
    """What the application's topic for everything was told, oldest first."""
    topic = await client.create_topic("devices")
    queue = await client.create_queue("told")
    await topic.subscribe(queue, raw_message_delivery=True)
    events = ("created", "deleted", "updated")
    given = {f"event_endpoint_{one}": topic.arn for one in events}
    given["event_delivery_failure"] = topic.arn
    await mobile.create_application("GCM", "told", credential="key", **given)

    async def told():
        return [json.loads(one.text) for one in await queue.peek(limit=100)]

    return told


async def test_the_topics_are_told_of_an_endpoint_s_life(mobile, told, clock):
    phone = await mobile.create_endpoint("GCM/told", "t", custom_user_data="mine")
    await mobile.create_endpoint("GCM/told", "t")
    await mobile.set_endpoint(phone.arn, enabled=False)
    await mobile.set_endpoint(phone.arn, enabled=False)
    await mobile.delete_endpoint(phone.arn)
    await mobile.delete_endpoint(phone.arn)

    common = {
        "EndpointArn": phone.arn,
        "Resource": phone.application_arn,
        "Service": "SNS",
        "Time": clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    attributes = {"CustomUserData": "mine", "Enabled": "true", "Token": "t"}
    assert await told() == [
        common | {"EventType": "EndpointCreated", "Attributes": attributes},
        common | {"EventType": "EndpointUpdated", "Attributes": attributes | {"Enabled": "false"}},
        common | {"EventType": "EndpointDeleted"},
    ]


async def test_the_topic_is_told_of_a_token_that_a_sender_found_dead(mobile, told):
    phone = await mobile.create_endpoint("GCM/told", "t")
    await mobile.disable(phone.arn)
    assert [one["EventType"] for one in await told()] == ["EndpointCreated", "EndpointUpdated"]


async def test_the_topic_is_told_of_a_message_that_will_never_be_delivered(mobile, told):
    phone = await mobile.create_endpoint("GCM/told", "t")

    await mobile.report_failure(phone.arn, "token is dead", message_id="m-1", attempts=3)

    event = (await told())[-1]
    assert event["EventType"] == "DeliveryFailure"
    assert (event["FailureMessage"], event["MessageId"]) == ("token is dead", "m-1")
    assert (event["DeliveryAttempts"], event["EndpointArn"]) == (3, phone.arn)


async def test_a_topic_that_is_gone_stops_nobody(client, mobile, told):
    await client.delete_topic("devices")

    phone = await mobile.create_endpoint("GCM/told", "t")
    await mobile.set_endpoint(phone.arn, enabled=False)
    await mobile.report_failure(phone.arn, "why")
    assert await mobile.delete_endpoint(phone.arn) is True


async def test_without_a_topic_nobody_is_told(mobile, told, shop):
    phone = await mobile.create_endpoint(shop.arn, "t")
    await mobile.report_failure(phone.arn, "why")
    await mobile.delete_endpoint(phone.arn)
    assert await told() == []


async def test_a_failure_of_an_endpoint_that_is_gone_is_nobody_s_business(mobile, told, phone):
    await mobile.delete_endpoint(phone.arn)
    await mobile.report_failure(phone.arn, "why")
    assert await told() == []
