"""Drives: for each of the 42 actions of SNS, what takes it through its variants, from the emptiest
answer to the fullest. They run in both protocols with the strict reading, and through boto3.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from rmq.testing import HeldClock
from tests.colours import until

Drive = Callable[[Any, Any, HeldClock], Awaitable[None]]
"""Of SNS, SQS, and the clock."""

DRIVES: dict[str, Drive] = {}
NUMBER = "+15550100123"


def drives(operation: str) -> Callable[[Drive], Drive]:
    def note(drive: Drive) -> Drive:
        DRIVES[operation] = drive
        return drive

    return note


async def topic_of(sns: Any, name: str = "orders", **attributes: str) -> str:
    """A topic's ARN."""
    if name.endswith(".fifo"):
        attributes["FifoTopic"] = "true"
    return str((await sns.create_topic(Name=name, Attributes=attributes))["TopicArn"])


async def queue_of(sqs: Any, name: str = "orders", **attributes: str) -> str:
    """A queue's ARN."""
    url = (await sqs.create_queue(QueueName=name, Attributes=attributes))["QueueUrl"]
    found = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(found["Attributes"]["QueueArn"])


async def subscribed(sns: Any, sqs: Any, **attributes: str) -> tuple[str, str]:
    """A topic and a subscription of a queue to it."""
    topic, queue = await topic_of(sns), await queue_of(sqs)
    found = await sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=attributes
    )
    return topic, str(found["SubscriptionArn"])


# --- topics --------------------------------------------------------------------------------------


@drives("CreateTopic")
async def _create_topic(sns: Any, sqs: Any, clock: HeldClock) -> None:
    plain = await sns.create_topic(Name="plain")
    assert set(plain) == {"TopicArn"}
    full = await sns.create_topic(
        Name="full.fifo",
        Attributes={"FifoTopic": "true", "DisplayName": "Full"},
        Tags=[{"Key": "team", "Value": "blue"}, {"Key": "empty", "Value": ""}],
        DataProtectionPolicy="{}",
    )
    assert full["TopicArn"].endswith(":full.fifo")


@drives("DeleteTopic")
async def _delete_topic(sns: Any, sqs: Any, clock: HeldClock) -> None:
    assert await sns.delete_topic(TopicArn=await topic_of(sns)) == {}


@drives("ListTopics")
async def _list_topics(sns: Any, sqs: Any, clock: HeldClock) -> None:
    assert await sns.list_topics() == {"Topics": []}
    for number in range(101):
        await topic_of(sns, f"t{number:03}")
    page = await sns.list_topics()
    assert (len(page["Topics"]), set(page)) == (100, {"Topics", "NextToken"})
    assert set(await sns.list_topics(NextToken=page["NextToken"])) == {"Topics"}


@drives("GetTopicAttributes")
async def _get_topic_attributes(sns: Any, sqs: Any, clock: HeldClock) -> None:
    for name in ("orders", "orders.fifo"):
        found = await sns.get_topic_attributes(TopicArn=await topic_of(sns, name))
        assert found["Attributes"]["TopicArn"].endswith(name)


@drives("SetTopicAttributes")
async def _set_topic_attributes(sns: Any, sqs: Any, clock: HeldClock) -> None:
    topic = await topic_of(sns)
    changed = await sns.set_topic_attributes(
        TopicArn=topic, AttributeName="DisplayName", AttributeValue="Orders"
    )
    assert changed == {}
    found = await sns.get_topic_attributes(TopicArn=topic)
    assert found["Attributes"]["DisplayName"] == "Orders"
    # Without a value it is taken away.
    assert await sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName") == {}


@drives("TagResource")
async def _tag_resource(sns: Any, sqs: Any, clock: HeldClock) -> None:
    tags = [{"Key": "team", "Value": "blue"}]
    assert await sns.tag_resource(ResourceArn=await topic_of(sns), Tags=tags) == {}


@drives("UntagResource")
async def _untag_resource(sns: Any, sqs: Any, clock: HeldClock) -> None:
    assert await sns.untag_resource(ResourceArn=await topic_of(sns), TagKeys=["never"]) == {}


@drives("ListTagsForResource")
async def _list_tags_for_resource(sns: Any, sqs: Any, clock: HeldClock) -> None:
    topic = await topic_of(sns)
    assert await sns.list_tags_for_resource(ResourceArn=topic) == {"Tags": []}
    tags = [{"Key": "empty", "Value": ""}, {"Key": "team", "Value": "blue"}]
    await sns.tag_resource(ResourceArn=topic, Tags=tags)
    found = await sns.list_tags_for_resource(ResourceArn=topic)
    assert sorted(found["Tags"], key=lambda one: one["Key"]) == tags


@drives("AddPermission")
async def _add_permission(sns: Any, sqs: Any, clock: HeldClock) -> None:
    given = {"Label": "l", "AWSAccountId": ["1" * 12], "ActionName": ["Publish", "Subscribe"]}
    assert await sns.add_permission(TopicArn=await topic_of(sns), **given) == {}


@drives("RemovePermission")
async def _remove_permission(sns: Any, sqs: Any, clock: HeldClock) -> None:
    topic = await topic_of(sns)
    given = {"Label": "l", "AWSAccountId": ["1" * 12], "ActionName": ["Publish"]}
    await sns.add_permission(TopicArn=topic, **given)
    assert await sns.remove_permission(TopicArn=topic, Label="l") == {}


@drives("PutDataProtectionPolicy")
async def _put_data_protection_policy(sns: Any, sqs: Any, clock: HeldClock) -> None:
    topic = await topic_of(sns)
    put = await sns.put_data_protection_policy(ResourceArn=topic, DataProtectionPolicy="{}")
    assert put == {}


@drives("GetDataProtectionPolicy")
async def _get_data_protection_policy(sns: Any, sqs: Any, clock: HeldClock) -> None:
    topic = await topic_of(sns)
    assert await sns.get_data_protection_policy(ResourceArn=topic) == {}
    await sns.put_data_protection_policy(ResourceArn=topic, DataProtectionPolicy="{}")
    found = await sns.get_data_protection_policy(ResourceArn=topic)
    assert found == {"DataProtectionPolicy": "{}"}


# --- subscriptions -------------------------------------------------------------------------------


@drives("Subscribe")
async def _subscribe(sns: Any, sqs: Any, clock: HeldClock) -> None:
    topic, arn = await subscribed(sns, sqs, RawMessageDelivery="true")
    assert arn.startswith(f"{topic}:")
    given = {"TopicArn": topic, "Protocol": "email", "Endpoint": "a@example.com"}
    assert await sns.subscribe(**given) == {"SubscriptionArn": "pending confirmation"}
    found = await sns.subscribe(**given, ReturnSubscriptionArn=True)
    assert found["SubscriptionArn"].startswith(f"{topic}:")


@drives("ConfirmSubscription")
async def _confirm_subscription(sns: Any, sqs: Any, clock: HeldClock) -> None:
    topic = await topic_of(sns)
    given = {"TopicArn": topic, "Protocol": "email", "Endpoint": "a@example.com"}
    arn = (await sns.subscribe(**given, ReturnSubscriptionArn=True))["SubscriptionArn"]
    token = await sns.look(f"/_aws/sns/subscription-tokens/{arn}")
    found = await sns.confirm_subscription(
        TopicArn=topic, Token=token["subscription_token"], AuthenticateOnUnsubscribe="false"
    )
    assert found == {"SubscriptionArn": arn}


@drives("Unsubscribe")
async def _unsubscribe(sns: Any, sqs: Any, clock: HeldClock) -> None:
    _, arn = await subscribed(sns, sqs)
    assert await sns.unsubscribe(SubscriptionArn=arn) == {}


@drives("ListSubscriptions")
async def _list_subscriptions(sns: Any, sqs: Any, clock: HeldClock) -> None:
    assert await sns.list_subscriptions() == {"Subscriptions": []}
    await _hundred_and_one(sns)
    page = await sns.list_subscriptions()
    assert (len(page["Subscriptions"]), set(page)) == (100, {"Subscriptions", "NextToken"})
    rest = await sns.list_subscriptions(NextToken=page["NextToken"])
    assert len(rest["Subscriptions"]) == 1


@drives("ListSubscriptionsByTopic")
async def _list_subscriptions_by_topic(sns: Any, sqs: Any, clock: HeldClock) -> None:
    topic = await topic_of(sns)
    assert await sns.list_subscriptions_by_topic(TopicArn=topic) == {"Subscriptions": []}
    await _hundred_and_one(sns)
    page = await sns.list_subscriptions_by_topic(TopicArn=topic)
    assert (len(page["Subscriptions"]), set(page)) == (100, {"Subscriptions", "NextToken"})
    rest = await sns.list_subscriptions_by_topic(TopicArn=topic, NextToken=page["NextToken"])
    assert len(rest["Subscriptions"]) == 1


async def _hundred_and_one(sns: Any) -> None:
    topic = await topic_of(sns)
    for number in range(101):
        await sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint=f"+1555010{number:04}")


@drives("GetSubscriptionAttributes")
async def _get_subscription_attributes(sns: Any, sqs: Any, clock: HeldClock) -> None:
    _, arn = await subscribed(sns, sqs, FilterPolicy='{"a":["b"]}')
    found = await sns.get_subscription_attributes(SubscriptionArn=arn)
    assert found["Attributes"]["FilterPolicyScope"] == "MessageAttributes"


@drives("SetSubscriptionAttributes")
async def _set_subscription_attributes(sns: Any, sqs: Any, clock: HeldClock) -> None:
    _, arn = await subscribed(sns, sqs, FilterPolicy='{"a":["b"]}')
    changed = await sns.set_subscription_attributes(
        SubscriptionArn=arn, AttributeName="RawMessageDelivery", AttributeValue="true"
    )
    assert changed == {}
    await sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="FilterPolicy")
    found = await sns.get_subscription_attributes(SubscriptionArn=arn)
    assert "FilterPolicy" not in found["Attributes"]


# --- publishing ----------------------------------------------------------------------------------

ATTRIBUTES = {
    "text": {"DataType": "String.label", "StringValue": "v"},
    "list": {"DataType": "String.Array", "StringValue": '["a",1]'},
    "number": {"DataType": "Number", "StringValue": "1"},
    "binary": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
}


@drives("Publish")
async def _publish(sns: Any, sqs: Any, clock: HeldClock) -> None:
    topic, _ = await subscribed(sns, sqs)
    assert set(await sns.publish(TopicArn=topic, Message="x")) == {"MessageId"}
    full = await sns.publish(
        TargetArn=topic,
        Message=json.dumps({"default": "x"}),
        MessageStructure="json",
        Subject="s",
        MessageGroupId="g",
        MessageAttributes=ATTRIBUTES,
    )
    assert set(full) == {"MessageId"}
    fifo = await topic_of(sns, "orders.fifo")
    found = await sns.publish(
        TopicArn=fifo, Message="x", MessageGroupId="g", MessageDeduplicationId="d"
    )
    assert set(found) == {"MessageId", "SequenceNumber"}
    assert set(await sns.publish(PhoneNumber=NUMBER, Message="x")) == {"MessageId"}
    _, endpoint = await _endpoint(sns)
    assert set(await sns.publish(TargetArn=endpoint, Message="x")) == {"MessageId"}


@drives("PublishBatch")
async def _publish_batch(sns: Any, sqs: Any, clock: HeldClock) -> None:
    topic, _ = await subscribed(sns, sqs)
    good = {"Id": "good", "Message": "x", "Subject": "s", "MessageAttributes": ATTRIBUTES}
    bad = {"Id": "bad", "Message": "x", "MessageDeduplicationId": "d"}
    for entries, ids in (
        ([good], (["good"], [])),
        ([bad], ([], ["bad"])),
        ([bad, good], (["good"], ["bad"])),
    ):
        found = await sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
        assert (
            [one["Id"] for one in found.get("Successful", [])],
            [one["Id"] for one in found.get("Failed", [])],
        ) == ids
    fifo = await topic_of(sns, "orders.fifo", ContentBasedDeduplication="true")
    found = await sns.publish_batch(
        TopicArn=fifo, PublishBatchRequestEntries=[good | {"MessageGroupId": "g"}]
    )
    assert set(found["Successful"][0]) == {"Id", "MessageId", "SequenceNumber"}


# --- phones --------------------------------------------------------------------------------------


async def _application(sns: Any, name: str = "app", platform: str = "GCM") -> str:
    found = await sns.create_platform_application(
        Name=name, Platform=platform, Attributes={"PlatformCredential": "secret"}
    )
    return str(found["PlatformApplicationArn"])


async def _endpoint(sns: Any) -> tuple[str, str]:
    """A platform application and an endpoint of it."""
    application = await _application(sns)
    found = await sns.create_platform_endpoint(
        PlatformApplicationArn=application, Token="token", CustomUserData="mine"
    )
    return application, str(found["EndpointArn"])


@drives("CreatePlatformApplication")
async def _create_platform_application(sns: Any, sqs: Any, clock: HeldClock) -> None:
    arn = await _application(sns)
    assert arn.endswith(":app/GCM/app")
    assert await _application(sns) == arn


@drives("GetPlatformApplicationAttributes")
async def _get_platform_application_attributes(sns: Any, sqs: Any, clock: HeldClock) -> None:
    arn = await _application(sns)
    found = await sns.get_platform_application_attributes(PlatformApplicationArn=arn)
    assert found["Attributes"]["Enabled"] == "true"
    assert "PlatformCredential" not in found["Attributes"]


@drives("SetPlatformApplicationAttributes")
async def _set_platform_application_attributes(sns: Any, sqs: Any, clock: HeldClock) -> None:
    arn, topic = await _application(sns), await topic_of(sns)
    changed = {"EventEndpointCreated": topic, "SuccessFeedbackSampleRate": "50"}
    found = await sns.set_platform_application_attributes(
        PlatformApplicationArn=arn, Attributes=changed
    )
    assert found == {}
    found = await sns.get_platform_application_attributes(PlatformApplicationArn=arn)
    assert changed.items() <= found["Attributes"].items()


@drives("ListPlatformApplications")
async def _list_platform_applications(sns: Any, sqs: Any, clock: HeldClock) -> None:
    assert await sns.list_platform_applications() == {"PlatformApplications": []}
    for number in range(101):
        await _application(sns, f"a{number:03}")
    page = await sns.list_platform_applications()
    assert len(page["PlatformApplications"]) == 100
    rest = await sns.list_platform_applications(NextToken=page["NextToken"])
    assert [set(one) for one in rest["PlatformApplications"]] == [
        {"PlatformApplicationArn", "Attributes"}
    ]
    assert "NextToken" not in rest


@drives("DeletePlatformApplication")
async def _delete_platform_application(sns: Any, sqs: Any, clock: HeldClock) -> None:
    arn = await _application(sns)
    for _ in range(2):
        assert await sns.delete_platform_application(PlatformApplicationArn=arn) == {}


@drives("CreatePlatformEndpoint")
async def _create_platform_endpoint(sns: Any, sqs: Any, clock: HeldClock) -> None:
    application, arn = await _endpoint(sns)
    again = await sns.create_platform_endpoint(
        PlatformApplicationArn=application,
        Token="token",
        CustomUserData="mine",
        Attributes={"Enabled": "true"},
    )
    assert again == {"EndpointArn": arn}


@drives("GetEndpointAttributes")
async def _get_endpoint_attributes(sns: Any, sqs: Any, clock: HeldClock) -> None:
    _, arn = await _endpoint(sns)
    found = await sns.get_endpoint_attributes(EndpointArn=arn)
    assert found == {"Attributes": {"Token": "token", "Enabled": "true", "CustomUserData": "mine"}}


@drives("SetEndpointAttributes")
async def _set_endpoint_attributes(sns: Any, sqs: Any, clock: HeldClock) -> None:
    _, arn = await _endpoint(sns)
    changed = {"Token": "other", "Enabled": "false", "CustomUserData": ""}
    assert await sns.set_endpoint_attributes(EndpointArn=arn, Attributes=changed) == {}
    found = await sns.get_endpoint_attributes(EndpointArn=arn)
    assert (found["Attributes"]["Token"], found["Attributes"]["Enabled"]) == ("other", "false")


@drives("ListEndpointsByPlatformApplication")
async def _list_endpoints(sns: Any, sqs: Any, clock: HeldClock) -> None:
    application = await _application(sns)
    ask = sns.list_endpoints_by_platform_application
    assert await ask(PlatformApplicationArn=application) == {"Endpoints": []}
    for number in range(101):
        await sns.create_platform_endpoint(
            PlatformApplicationArn=application, Token=f"token-{number}"
        )
    page = await ask(PlatformApplicationArn=application)
    assert len(page["Endpoints"]) == 100
    rest = await ask(PlatformApplicationArn=application, NextToken=page["NextToken"])
    assert [set(one) for one in rest["Endpoints"]] == [{"EndpointArn", "Attributes"}]


@drives("DeleteEndpoint")
async def _delete_endpoint(sns: Any, sqs: Any, clock: HeldClock) -> None:
    _, arn = await _endpoint(sns)
    for _ in range(2):
        assert await sns.delete_endpoint(EndpointArn=arn) == {}


# --- SMS -----------------------------------------------------------------------------------------


@drives("SetSMSAttributes")
async def _set_sms_attributes(sns: Any, sqs: Any, clock: HeldClock) -> None:
    assert await sns.set_sms_attributes(attributes={"DefaultSMSType": "Transactional"}) == {}


@drives("GetSMSAttributes")
async def _get_sms_attributes(sns: Any, sqs: Any, clock: HeldClock) -> None:
    await sns.set_sms_attributes(attributes={"DefaultSenderID": "Coffee"})
    found = await sns.get_sms_attributes()
    assert found["attributes"]["DefaultSenderID"] == "Coffee"
    some = await sns.get_sms_attributes(attributes=["DefaultSenderID", "DefaultSMSType"])
    assert some["attributes"]["DefaultSenderID"] == "Coffee"


@drives("CheckIfPhoneNumberIsOptedOut")
async def _check_if_phone_number_is_opted_out(sns: Any, sqs: Any, clock: HeldClock) -> None:
    found = await sns.check_if_phone_number_is_opted_out(phoneNumber=NUMBER)
    assert found == {"isOptedOut": False}


@drives("ListPhoneNumbersOptedOut")
async def _list_phone_numbers_opted_out(sns: Any, sqs: Any, clock: HeldClock) -> None:
    assert await sns.list_phone_numbers_opted_out() == {"phoneNumbers": []}


@drives("OptInPhoneNumber")
async def _opt_in_phone_number(sns: Any, sqs: Any, clock: HeldClock) -> None:
    assert await sns.opt_in_phone_number(phoneNumber=NUMBER) == {}


@drives("ListOriginationNumbers")
async def _list_origination_numbers(sns: Any, sqs: Any, clock: HeldClock) -> None:
    assert await sns.list_origination_numbers() == {"PhoneNumbers": []}
    assert await sns.list_origination_numbers(MaxResults=1) == {"PhoneNumbers": []}


@drives("GetSMSSandboxAccountStatus")
async def _get_sms_sandbox_account_status(sns: Any, sqs: Any, clock: HeldClock) -> None:
    found = await sns.get_sms_sandbox_account_status()
    assert set(found) == {"IsInSandbox"}


@drives("CreateSMSSandboxPhoneNumber")
async def _create_sms_sandbox_phone_number(sns: Any, sqs: Any, clock: HeldClock) -> None:
    made = await sns.create_sms_sandbox_phone_number(PhoneNumber=NUMBER, LanguageCode="en-US")
    assert made == {}


@drives("ListSMSSandboxPhoneNumbers")
async def _list_sms_sandbox_phone_numbers(sns: Any, sqs: Any, clock: HeldClock) -> None:
    assert await sns.list_sms_sandbox_phone_numbers() == {"PhoneNumbers": []}
    for number in (NUMBER, "+15550100124"):
        await sns.create_sms_sandbox_phone_number(PhoneNumber=number)
    page = await sns.list_sms_sandbox_phone_numbers(MaxResults=1)
    assert page["PhoneNumbers"] == [{"PhoneNumber": NUMBER, "Status": "Pending"}]
    rest = await sns.list_sms_sandbox_phone_numbers(MaxResults=1, NextToken=page["NextToken"])
    assert len(rest["PhoneNumbers"]) == 1
    assert "NextToken" not in rest


@drives("DeleteSMSSandboxPhoneNumber")
async def _delete_sms_sandbox_phone_number(sns: Any, sqs: Any, clock: HeldClock) -> None:
    await sns.create_sms_sandbox_phone_number(PhoneNumber=NUMBER)
    assert await sns.delete_sms_sandbox_phone_number(PhoneNumber=NUMBER) == {}


async def _password(sns: Any) -> str:
    """The one that the number was sent; a dispatcher has to be at work."""
    where = f"/_aws/sns/sms-messages?accountId={sns.account}&region={sns.region}"

    async def sent() -> str:
        messages = (await sns.look(where))["sms_messages"].get(NUMBER, [])
        return messages[-1]["Message"].rpartition(" ")[2] if messages else ""

    return str(await until(sent))


@drives("VerifySMSSandboxPhoneNumber")
async def _verify_sms_sandbox_phone_number(sns: Any, sqs: Any, clock: HeldClock) -> None:
    await sns.create_sms_sandbox_phone_number(PhoneNumber=NUMBER)
    password = await _password(sns)
    found = await sns.verify_sms_sandbox_phone_number(PhoneNumber=NUMBER, OneTimePassword=password)
    assert found == {}
    found = await sns.list_sms_sandbox_phone_numbers()
    assert found["PhoneNumbers"] == [{"PhoneNumber": NUMBER, "Status": "Verified"}]
