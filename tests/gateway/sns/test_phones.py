"""Phones at the endpoint: platform applications, their endpoints, messages for one of them or one
number, what the account says about SMS; and where tests see what was sent.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from rmq.gateway.http import Request
from rmq.gateway.sns.peek import MOBILE, SMS
from tests.gateway.conftest import OWN_ACCOUNT
from tests.gateway.sdk import REGION, Sdk, refusal

ARN = f"arn:aws:sns:{REGION}:{OWN_ACCOUNT}:"
NUMBER = "+15550100123"
UNKNOWN = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
async def application(sns: Sdk) -> str:
    """The ARN of a platform application."""
    found = await sns.create_platform_application(
        Name="shop", Platform="GCM", Attributes={"PlatformCredential": "secret"}
    )
    return str(found["PlatformApplicationArn"])


@pytest.fixture
async def endpoint(sns: Sdk, application: str) -> str:
    """The ARN of an endpoint of it."""
    found = await sns.create_platform_endpoint(PlatformApplicationArn=application, Token="token")
    return str(found["EndpointArn"])


async def _shown(gateway: Any, path: str, **asked: str) -> Any:
    answer = await gateway(Request("GET", path, urlencode(asked), {}, b""))
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


# --- platform applications -----------------------------------------------------------------------


async def test_an_application_says_what_it_was_told_but_its_credentials(sns, topic):
    told = {
        "PlatformPrincipal": "-----BEGIN CERTIFICATE-----",
        "PlatformCredential": "secret",
        "ApplePlatformTeamID": "TEAM",
        "EventEndpointCreated": topic,
        "SuccessFeedbackSampleRate": "50",
    }
    arn = (await sns.create_platform_application(Name="a", Platform="APNS", Attributes=told))[
        "PlatformApplicationArn"
    ]

    found = await sns.get_platform_application_attributes(PlatformApplicationArn=arn)

    assert found["Attributes"] == {
        "Enabled": "true",
        "ApplePlatformTeamID": "TEAM",
        "EventEndpointCreated": topic,
        "SuccessFeedbackSampleRate": "50",
        "AuthenticationMethod": "certificate",
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"Platform": "PIGEON"}, "Invalid parameter: Platform"),
        ({"Name": "a b"}, "Invalid parameter: Name"),
        ({"Attributes": {"ApplePlatformTeamID": "x"}}, "PlatformCredential"),
        ({"Platform": "APNS"}, "PlatformPrincipal"),
        (
            {"Attributes": {"PlatformCredential": "x", "Nonsense": "x"}},
            "Invalid attribute name: Nonsense",
        ),
        ({"Attributes": {"PlatformCredential": "x", "Enabled": "x"}}, "Enabled"),
        ({"Attributes": {"PlatformCredential": "x", "EventEndpointCreated": "x"}}, "EventEndpoint"),
        (
            {"Attributes": {"PlatformCredential": "x", "SuccessFeedbackSampleRate": "x"}},
            "SuccessFeedbackSampleRate",
        ),
    ],
    ids=str,
)
async def test_an_application_that_breaks_a_rule_is_refused(sns, given, said):
    good = {"Name": "a", "Platform": "GCM", "Attributes": {"PlatformCredential": "secret"}}

    found = await refusal(sns.create_platform_application(**good | given))

    assert found.code == "InvalidParameter"
    assert said in found.message
    assert "secret" not in found.message
    assert (await sns.list_platform_applications())["PlatformApplications"] == []


async def test_what_is_not_there_is_not_found(sns, application):
    app, device = f"{ARN}app/GCM/none", f"{ARN}endpoint/GCM/shop/{UNKNOWN}"
    for call, what in (
        (
            sns.get_platform_application_attributes(PlatformApplicationArn=app),
            "PlatformApplication",
        ),
        (
            sns.set_platform_application_attributes(
                PlatformApplicationArn=app, Attributes={"Enabled": "true"}
            ),
            "PlatformApplication",
        ),
        (
            sns.create_platform_endpoint(PlatformApplicationArn=app, Token="t"),
            "PlatformApplication",
        ),
        (
            sns.list_endpoints_by_platform_application(PlatformApplicationArn=app),
            "PlatformApplication",
        ),
        (sns.get_endpoint_attributes(EndpointArn=device), "Endpoint"),
        (
            sns.set_endpoint_attributes(EndpointArn=device, Attributes={"Enabled": "true"}),
            "Endpoint",
        ),
        (sns.publish(TargetArn=device, Message="x"), "Endpoint"),
    ):
        found = await refusal(call)
        assert (found.code, found.status) == ("NotFound", 404)
        assert found.message == f"{what} does not exist"


@pytest.mark.parametrize(
    "arn", ["x", f"{ARN}orders", f"{ARN}app/GCM", f"{ARN}app/PIGEON/x", "arn:aws:sqs:x:y:app/GCM/x"]
)
async def test_what_is_no_arn_of_an_application_is_refused(sns, arn):
    for call in (
        sns.get_platform_application_attributes(PlatformApplicationArn=arn),
        sns.delete_platform_application(PlatformApplicationArn=arn),
        sns.create_platform_endpoint(PlatformApplicationArn=arn, Token="t"),
    ):
        found = await refusal(call)
        assert found.code == "InvalidParameter"
        assert "PlatformApplicationArn" in found.message


# --- endpoints -----------------------------------------------------------------------------------


async def test_a_token_has_one_endpoint(sns, application, endpoint):
    given = {"PlatformApplicationArn": application, "Token": "token"}
    assert await sns.create_platform_endpoint(**given) == {"EndpointArn": endpoint}

    for other in ({"CustomUserData": "x"}, {"Attributes": {"Enabled": "false"}}):
        found = await refusal(sns.create_platform_endpoint(**given, **other))
        assert found.message == (
            f"Invalid parameter: Token Reason: Endpoint {endpoint} already exists with the same "
            "Token, but different attributes."
        )


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"Nonsense": "x"}, "Invalid attribute name: Nonsense"),
        ({"Enabled": "x"}, "Enabled"),
        ({"Token": ""}, "Invalid parameter: Token"),
        ({"CustomUserData": "x" * 2049}, "Invalid parameter: CustomUserData"),
    ],
    ids=lambda one: str(one)[:40],
)
async def test_an_attribute_of_an_endpoint_that_breaks_a_rule_is_refused(
    sns, endpoint, attributes, said
):
    found = await refusal(sns.set_endpoint_attributes(EndpointArn=endpoint, Attributes=attributes))

    assert found.code == "InvalidParameter"
    assert said in found.message
    shown = await sns.get_endpoint_attributes(EndpointArn=endpoint)
    assert shown["Attributes"] == {"Token": "token", "Enabled": "true"}


async def test_a_subscribed_endpoint_gets_what_is_published(
    sns, topic, endpoint, gateway, dispatcher
):
    found = await sns.subscribe(TopicArn=topic, Protocol="application", Endpoint=endpoint)
    published = await sns.publish(TopicArn=topic, Message="one coffee")
    await dispatcher.drain()

    assert await _shown(gateway, MOBILE) == {
        "platform_endpoint_messages": {
            endpoint: [
                {
                    "TargetArn": endpoint,
                    "TopicArn": topic,
                    "SubscriptionArn": found["SubscriptionArn"],
                    "MessageId": published["MessageId"],
                    "Message": "one coffee",
                    "MessageAttributes": {},
                    "MessageStructure": None,
                    "Subject": None,
                }
            ]
        },
        "region": REGION,
    }


async def test_a_message_for_one_endpoint_is_shown_as_it_was_published(
    sns, endpoint, gateway, dispatcher
):
    message = json.dumps({"default": "x", "GCM": json.dumps({"notification": {"title": "x"}})})
    published = await sns.publish(
        TargetArn=endpoint,
        Message=message,
        MessageStructure="json",
        MessageAttributes={"AWS.SNS.MOBILE.GCM.TTL": {"DataType": "String", "StringValue": "60"}},
    )
    await dispatcher.drain()

    found = await _shown(gateway, MOBILE, endpointArn=endpoint)

    (one,) = found["platform_endpoint_messages"][endpoint]
    assert (one["MessageId"], one["TopicArn"]) == (published["MessageId"], None)
    assert (one["Message"], one["MessageStructure"]) == (message, "json")
    assert one["MessageAttributes"]["AWS.SNS.MOBILE.GCM.TTL"] == {"Type": "String", "Value": "60"}
    other = await _shown(gateway, MOBILE, endpointArn=f"{endpoint}x")
    assert other["platform_endpoint_messages"] == {f"{endpoint}x": []}


async def test_a_payload_that_the_platform_can_not_read_is_refused(sns, endpoint):
    message = json.dumps({"default": "x", "GCM": "not JSON"})

    found = await refusal(sns.publish(TargetArn=endpoint, Message=message, MessageStructure="json"))

    assert found.code == "InvalidParameter"
    assert "GCM" in found.message


async def test_what_happens_to_endpoints_is_published(sns, sqs, application, queue, topic):
    arn = await sqs.arn(queue)
    await sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    await sns.set_platform_application_attributes(
        PlatformApplicationArn=application, Attributes={"EventEndpointCreated": topic}
    )

    made = await sns.create_platform_endpoint(PlatformApplicationArn=application, Token="t")

    (message,) = (await sqs.receive_message(QueueUrl=queue))["Messages"]
    told = json.loads(json.loads(message["Body"])["Message"])
    assert (told["EventType"], told["EndpointArn"]) == ("EndpointCreated", made["EndpointArn"])


# --- numbers -------------------------------------------------------------------------------------


async def test_a_message_for_one_number_is_shown(sns, gateway, dispatcher):
    await sns.set_sms_attributes(attributes={"DefaultSenderID": "Coffee"})
    published = await sns.publish(PhoneNumber=NUMBER, Message="one coffee")
    await dispatcher.drain()

    (one,) = (await _shown(gateway, SMS))["sms_messages"][NUMBER]

    assert (one["MessageId"], one["Message"]) == (published["MessageId"], "one coffee")
    assert (one["TopicArn"], one["SubscriptionArn"]) == (None, None)
    assert one["MessageAttributes"]["AWS.SNS.SMS.SenderID"]["Value"] == "Coffee"


async def test_a_number_that_opted_out_is_answered_alike_and_sent_nothing(sns, gateway, dispatcher):
    await gateway.client.sms.opt_out(NUMBER)
    assert (await sns.publish(PhoneNumber=NUMBER, Message="x"))["MessageId"]
    await dispatcher.drain()
    assert (await _shown(gateway, SMS))["sms_messages"] == {}

    await sns.opt_in_phone_number(phoneNumber=NUMBER)
    await gateway.client.sms.opt_out(NUMBER)
    found = await refusal(sns.opt_in_phone_number(phoneNumber=NUMBER))
    assert found.code == "InvalidParameter"
    assert "30 days" in found.message


@pytest.mark.parametrize("number", ["1", "x", "+", "+1555010012345678901"])
async def test_what_is_no_number_is_refused(sns, number):
    found = await refusal(sns.publish(PhoneNumber=number, Message="x"))
    assert found.message == (
        f"Invalid parameter: PhoneNumber Reason: {number} is not valid to publish to"
    )

    for call in (
        sns.check_if_phone_number_is_opted_out(phoneNumber=number),
        sns.opt_in_phone_number(phoneNumber=number),
    ):
        found = await refusal(call)
        assert (found.code, found.status) == ("InvalidParameter", 400)
        assert "phoneNumber" in found.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Nonsense", "x"),
        ("MonthlySpendLimit", "x"),
        ("DefaultSMSType", "Urgent"),
        ("DefaultSenderID", "much too long for one"),
        ("DeliveryStatusSuccessSamplingRate", "101"),
        ("DeliveryStatusIAMRole", "x"),
    ],
)
async def test_an_sms_attribute_that_breaks_a_rule_is_refused(sns, name, value):
    found = await refusal(sns.set_sms_attributes(attributes={name: value}))

    assert found.code == "InvalidParameter"
    assert name in found.message
    assert await sns.get_sms_attributes() == {"attributes": {}}


@pytest.mark.parametrize(
    ("name", "value", "limit"),
    [
        ("AWS.SNS.SMS.SenderID", "123", "letters and digits, at least one of them a letter"),
        ("AWS.SNS.SMS.SMSType", "Urgent", "Promotional or Transactional"),
        ("AWS.SNS.SMS.MaxPrice", "x", "a price in US dollars"),
    ],
)
async def test_what_a_message_says_of_its_sms_keeps_the_rules_too(sns, name, value, limit):
    attributes = {name: {"DataType": "String", "StringValue": value}}

    found = await refusal(
        sns.publish(PhoneNumber=NUMBER, Message="x", MessageAttributes=attributes)
    )

    assert found.status == 400
    assert found.code in ("ParameterValueInvalid", "InvalidParameterValue")  # by forms, and in JSON
    assert found.message.startswith(f"The message attribute '{name}' is '{value}'; it must be ")
    assert found.message.endswith(f"{limit}.")


async def test_sms_attributes_are_set_shown_and_taken_away(sns):
    told = {
        "MonthlySpendLimit": "5",
        "DefaultSMSType": "Transactional",
        "DefaultSenderID": "Coffee",
        "DeliveryStatusSuccessSamplingRate": "50",
        "DeliveryStatusIAMRole": f"arn:aws:iam::{OWN_ACCOUNT}:role/r",
        "UsageReportS3Bucket": "reports",
    }
    await sns.set_sms_attributes(attributes=told)
    assert await sns.get_sms_attributes() == {"attributes": told}

    await sns.set_sms_attributes(attributes={"DefaultSenderID": ""})
    assert "DefaultSenderID" not in (await sns.get_sms_attributes())["attributes"]


async def test_a_number_that_is_not_in_the_sandbox_is_not_there(sns):
    for call in (
        sns.verify_sms_sandbox_phone_number(PhoneNumber=NUMBER, OneTimePassword="12345"),
        sns.delete_sms_sandbox_phone_number(PhoneNumber=NUMBER),
    ):
        found = await refusal(call)
        assert (found.code, found.status) == ("ResourceNotFound", 404)
