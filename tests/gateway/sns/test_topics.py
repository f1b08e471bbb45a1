"""Topics at the endpoint: made, found, described, changed, listed, removed; as SNS does it."""

from __future__ import annotations

import json
import uuid

import pytest

from rmq.topics.aio import AsyncTopic
from tests.gateway.sdk import SNS, Sdk, refusal

OWNER = "000000000000"
ARN = f"arn:aws:sns:us-east-1:{OWNER}:"


async def _attributes(sns: Sdk, arn: str) -> dict[str, str]:
    found = await sns.get_topic_attributes(TopicArn=arn)
    return dict(found["Attributes"])


async def test_a_new_topic_says_what_sns_says(sns, topic):
    found = await _attributes(sns, topic)

    policy = json.loads(found.pop("Policy"))
    delivery = json.loads(found.pop("EffectiveDeliveryPolicy"))
    assert found == {
        "TopicArn": ARN + "orders",
        "Owner": OWNER,
        "DisplayName": "",
        "SubscriptionsConfirmed": "0",
        "SubscriptionsPending": "0",
        "SubscriptionsDeleted": "0",
    }
    assert policy["Id"] == "__default_policy_ID"
    assert policy["Statement"][0]["Resource"] == topic
    assert policy["Statement"][0]["Condition"] == {"StringEquals": {"AWS:SourceOwner": OWNER}}
    assert delivery["http"]["defaultHealthyRetryPolicy"]["numRetries"] == 3


async def test_a_fifo_topic_says_that_it_is_one(sns):
    arn = (await sns.create_topic(Name="a.fifo", Attributes={"FifoTopic": "true"}))["TopicArn"]

    found = await _attributes(sns, arn)

    assert found["FifoTopic"] == "true"
    assert found["ContentBasedDeduplication"] == "false"
    assert found["FifoThroughputScope"] == "Topic"


async def test_making_it_again_finds_it(sns):
    attributes = {"DisplayName": "Orders"}
    first = await sns.create_topic(Name="orders", Attributes=attributes, Tags=_tags(team="blue"))

    assert await sns.create_topic(Name="orders") == first
    assert await sns.create_topic(Name="orders", Attributes=attributes) == first
    assert await sns.create_topic(Name="orders", Tags=_tags(team="blue")) == first


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"Attributes": {"DisplayName": "x"}},
            "Invalid parameter: Attributes Reason: Topic already exists with different attributes",
        ),
        (
            {"Tags": [{"Key": "team", "Value": "red"}]},
            "Invalid parameter: Tags Reason: Topic already exists with different tags",
        ),
    ],
)
async def test_making_it_again_otherwise_is_refused(sns, given, message):
    await sns.create_topic(Name="orders", Tags=_tags(team="blue"))

    found = await refusal(sns.create_topic(Name="orders", **given))

    assert (found.code, found.status, found.message) == ("InvalidParameter", 400, message)


def _tags(**tags: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


FIFO_NAME = (
    "Invalid parameter: Fifo Topic names must end with .fifo and must be made up of only uppercase "
    "and lowercase ASCII letters, numbers, underscores, and hyphens, and must be between 1 and 256 "
    "characters long."
)


@pytest.mark.parametrize(
    ("name", "attributes", "message"),
    [
        ("a b", {}, "Invalid parameter: Topic Name"),
        ("", {}, "Invalid parameter: Topic Name"),
        ("x" * 257, {}, "Invalid parameter: Topic Name"),
        ("a.fifo", {}, "Invalid parameter: Topic Name"),
        ("a.fifo", {"FifoTopic": "false"}, "Invalid parameter: Topic Name"),
        ("a", {"FifoTopic": "true"}, FIFO_NAME.replace("Reason: ", "")),
        ("a b.fifo", {"FifoTopic": "true"}, FIFO_NAME),
    ],
)
async def test_names_that_can_not_be(sns, name, attributes, message):
    found = await refusal(sns.create_topic(Name=name, Attributes=attributes))

    assert (found.code, found.message) == ("InvalidParameter", message)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("DisplayName", "Orders", "Orders"),
        ("KmsMasterKeyId", "alias/aws/sns", "alias/aws/sns"),
        ("SignatureVersion", "2", "2"),
        ("TracingConfig", "Active", "Active"),
        ("MaximumMessageSize", "1024", "1024"),
        ("SQSSuccessFeedbackSampleRate", "50", "50"),
        ("HTTPFailureFeedbackRoleArn", "arn:aws:iam::1:role/x", "arn:aws:iam::1:role/x"),
    ],
)
async def test_an_attribute_that_was_set_is_returned(sns, topic, name, value, shown):
    await sns.set_topic_attributes(TopicArn=topic, AttributeName=name, AttributeValue=value)
    assert (await _attributes(sns, topic))[name] == shown

    await sns.set_topic_attributes(TopicArn=topic, AttributeName=name, AttributeValue="")
    assert (await _attributes(sns, topic)).get(name, "") == ""


async def test_policies_are_returned_as_they_were_set(sns, topic):
    policy = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "s",
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": "SNS:Publish",
                    "Resource": topic,
                }
            ],
        }
    )
    delivery = json.dumps({"http": {"defaultHealthyRetryPolicy": {"numRetries": 5}}})
    for name, value in (("Policy", policy), ("DeliveryPolicy", delivery)):
        await sns.set_topic_attributes(TopicArn=topic, AttributeName=name, AttributeValue=value)

    found = await _attributes(sns, topic)

    assert json.loads(found["Policy"]) == json.loads(policy)
    assert json.loads(found["DeliveryPolicy"]) == json.loads(delivery)
    effective = json.loads(found["EffectiveDeliveryPolicy"])
    assert effective["http"]["defaultHealthyRetryPolicy"]["numRetries"] == 5


async def test_the_feedback_attributes_stand_beside_each_other(sns, topic):
    for name in ("SQSSuccessFeedbackRoleArn", "SQSFailureFeedbackRoleArn"):
        await sns.set_topic_attributes(TopicArn=topic, AttributeName=name, AttributeValue="arn:x")

    found = await _attributes(sns, topic)

    assert found["SQSSuccessFeedbackRoleArn"] == found["SQSFailureFeedbackRoleArn"] == "arn:x"


async def test_an_archive_is_told_in_days(sns, fifo_topic):
    policy = {"MessageRetentionPeriod": "30"}
    await sns.set_topic_attributes(
        TopicArn=fifo_topic, AttributeName="ArchivePolicy", AttributeValue=json.dumps(policy)
    )
    assert json.loads((await _attributes(sns, fifo_topic))["ArchivePolicy"]) == policy

    found = await refusal(sns.delete_topic(TopicArn=fifo_topic))
    assert (found.code, found.status) == ("InvalidState", 400)

    await sns.set_topic_attributes(
        TopicArn=fifo_topic, AttributeName="ArchivePolicy", AttributeValue="{}"
    )
    assert "ArchivePolicy" not in await _attributes(sns, fifo_topic)
    await sns.delete_topic(TopicArn=fifo_topic)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Nonsense", "x"),
        ("FifoTopic", "true"),
        ("TopicArn", "x"),
        ("ContentBasedDeduplication", "true"),
        ("ArchivePolicy", "{}"),
    ],
)
async def test_an_attribute_that_a_topic_does_not_have_can_not_be_set(sns, topic, name, value):
    found = await refusal(
        sns.set_topic_attributes(TopicArn=topic, AttributeName=name, AttributeValue=value)
    )

    assert (found.code, found.message) == ("InvalidParameter", "Invalid parameter: AttributeName")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DisplayName", "x" * 101),
        ("SignatureVersion", "3"),
        ("SignatureVersion", "x"),
        ("TracingConfig", "x"),
        ("MaximumMessageSize", "1023"),
        ("MaximumMessageSize", "1048577"),
        ("DeliveryPolicy", "x"),
        ("DeliveryPolicy", '{"http":{"defaultHealthyRetryPolicy":{"numRetries":101}}}'),
        ("SQSSuccessFeedbackSampleRate", "101"),
    ],
)
async def test_a_value_that_breaks_a_rule_is_refused_by_name(sns, topic, name, value):
    set_ = sns.set_topic_attributes(TopicArn=topic, AttributeName=name, AttributeValue=value)
    created = sns.create_topic(Name="other", Attributes={name: value})

    for found in (await refusal(set_), await refusal(created)):
        assert found.code == "InvalidParameter"
        assert found.message.startswith(f"Invalid parameter: Attributes Reason: {name}: ")
        assert "_" not in found.message  # not by the library's names
    assert [one["TopicArn"] for one in (await sns.list_topics())["Topics"]] == [topic]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FifoThroughputScope", "topic"),
        ("FifoThroughputScope", ""),
        ("ContentBasedDeduplication", ""),
        ("ArchivePolicy", '{"MessageRetentionPeriod":"366"}'),
    ],
)
async def test_nor_does_the_library_decide_what_a_fifo_topic_takes(sns, fifo_topic, name, value):
    """`topic` is the library's word, and None what it makes of an empty text."""
    found = await refusal(
        sns.set_topic_attributes(TopicArn=fifo_topic, AttributeName=name, AttributeValue=value)
    )

    assert found.message.startswith(f"Invalid parameter: Attributes Reason: {name}: ")
    assert "_" not in found.message


async def test_a_policy_that_is_none_is_refused(sns, topic):
    found = await refusal(
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue="{")
    )

    assert (found.code, found.message) == (
        "InvalidParameter",
        "Invalid parameter: Policy Error: null",
    )


@pytest.mark.parametrize("name", ["ContentBasedDeduplication", "Nonsense"])
async def test_an_unknown_attribute_makes_no_topic(sns, name):
    found = await refusal(sns.create_topic(Name="orders", Attributes={name: "true"}))

    assert found.message == f"Invalid parameter: Attributes Reason: Unknown attribute {name}"
    assert (await sns.list_topics())["Topics"] == []


async def test_a_topic_that_is_gone_is_not_found(sns, topic):
    assert await sns.delete_topic(TopicArn=topic) == {}
    assert await sns.delete_topic(TopicArn=topic) == {}  # again is as good

    for call in (
        sns.get_topic_attributes(TopicArn=topic),
        sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="x"),
        sns.list_subscriptions_by_topic(TopicArn=topic),
        sns.publish(TopicArn=topic, Message="x"),
        sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[{"Id": "a", "Message": "x"}]),
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com"),
        sns.confirm_subscription(TopicArn=topic, Token="a" * 64),
        sns.add_permission(
            TopicArn=topic, Label="l", AWSAccountId=["1" * 12], ActionName=["Publish"]
        ),
        sns.remove_permission(TopicArn=topic, Label="l"),
        sns.get_data_protection_policy(ResourceArn=topic),
        sns.put_data_protection_policy(ResourceArn=topic, DataProtectionPolicy="{}"),
    ):
        found = await refusal(call)
        assert (found.code, found.status) == ("NotFound", 404)
        assert found.message == "Topic does not exist"


async def test_an_archive_may_end_while_attributes_are_asked_for(sns, fifo_topic, monkeypatch):
    async def too_late(topic):
        await topic.set_attributes(archive_retention=None)
        return await begins(topic)

    begins = AsyncTopic.archive_begins
    monkeypatch.setattr(AsyncTopic, "archive_begins", too_late)
    await sns.set_topic_attributes(
        TopicArn=fifo_topic,
        AttributeName="ArchivePolicy",
        AttributeValue='{"MessageRetentionPeriod":"1"}',
    )

    assert "BeginningArchiveTime" not in await _attributes(sns, fifo_topic)


@pytest.mark.parametrize(
    ("arn", "message"),
    [
        ("orders", "TopicArn Reason: An ARN must have at least 6 elements, not 1"),
        ("", "TopicArn Reason: An ARN must have at least 6 elements, not 1"),
        ("arn:aws:sns:x", "TopicArn Reason: An ARN must have at least 6 elements, not 4"),
        (f"arn:aws:sqs:us-east-1:{OWNER}:orders", "TopicArn"),
        ("arn:aws:sns:us-east-1:x:orders", "TopicArn"),
        ("arn:aws:sns:us-east-1::orders", "TopicArn"),
        (f"arn:aws:sns:us-east-1:{OWNER}:a b", "TopicArn"),
        (f"arn:aws:sns:us-east-1:{OWNER}:app/GCM/x", "TopicArn"),
        (f"urn:aws:sns:us-east-1:{OWNER}:orders", "TopicArn"),
    ],
)
async def test_what_is_no_arn_of_a_topic_is_refused(sns, arn, message):
    for call in (sns.get_topic_attributes(TopicArn=arn), sns.delete_topic(TopicArn=arn)):
        found = await refusal(call)
        assert (found.code, found.status) == ("InvalidParameter", 400)
        assert found.message == f"Invalid parameter: {message}"


async def test_a_topic_of_another_account_or_region_is_another_topic(sns, topic, gateway):
    other = Sdk(sns.protocol, gateway, account="1" * 12, region="eu-west-1", service=SNS)
    arn = (await other.create_topic(Name="orders", Attributes={"DisplayName": "Other"}))["TopicArn"]

    assert arn == f"arn:aws:sns:eu-west-1:{'1' * 12}:orders"
    assert [one["TopicArn"] for one in (await other.list_topics())["Topics"]] == [arn]
    assert [one["TopicArn"] for one in (await sns.list_topics())["Topics"]] == [topic]
    # An ARN says whose it is, whoever asks in its region.
    neighbour = Sdk(sns.protocol, gateway, region="eu-west-1", service=SNS)
    assert (await _attributes(neighbour, arn))["DisplayName"] == "Other"
    assert (await _attributes(neighbour, arn))["Owner"] == "1" * 12
    await neighbour.delete_topic(TopicArn=arn)
    assert (await other.list_topics())["Topics"] == []


async def test_what_is_in_another_region_is_refused_there_too(sns, topic, gateway):
    mine = topic.split(":")[4]
    other = Sdk(sns.protocol, gateway, account=mine, region="eu-west-1", service=SNS)
    subscription, device = f"{topic}:{uuid.uuid4()}", f"{ARN}endpoint/GCM/x/{uuid.uuid4()}"
    for call, parameter in (
        (other.get_topic_attributes(TopicArn=topic), "TopicArn"),
        (other.publish(TopicArn=topic, Message="x"), "TopicArn"),
        (other.publish(TargetArn=topic, Message="x"), "TargetArn"),
        (other.delete_topic(TopicArn=topic), "TopicArn"),
        (other.unsubscribe(SubscriptionArn=subscription), "SubscriptionArn"),
        (other.list_tags_for_resource(ResourceArn=topic), "ResourceArn"),
        (other.delete_endpoint(EndpointArn=device), "EndpointArn"),
    ):
        found = await refusal(call)
        assert (found.code, found.status) == ("InvalidParameter", 400)
        assert found.message == f"Invalid parameter: {parameter}"
    assert [one["TopicArn"] for one in (await sns.list_topics())["Topics"]] == [topic]


async def test_tags_are_set_shown_and_removed(sns, topic):
    await sns.tag_resource(ResourceArn=topic, Tags=_tags(team="blue", stage=""))
    await sns.tag_resource(ResourceArn=topic, Tags=_tags(team="red"))
    await sns.untag_resource(ResourceArn=topic, TagKeys=["stage", "never"])

    assert await sns.list_tags_for_resource(ResourceArn=topic) == {"Tags": _tags(team="red")}


async def test_tags_of_what_is_not_there(sns, topic):
    for arn in (topic + "-other", topic + ":x", f"{ARN}app/GCM/x"):
        for call in (
            sns.list_tags_for_resource(ResourceArn=arn),
            sns.tag_resource(ResourceArn=arn, Tags=_tags(a="b")),
            sns.untag_resource(ResourceArn=arn, TagKeys=["a"]),
        ):
            found = await refusal(call)
            assert (found.code, found.status) == ("ResourceNotFound", 404)
            assert found.message == "Resource does not exist"


async def test_tags_that_can_not_be(sns, topic):
    twice = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
    found = await refusal(sns.tag_resource(ResourceArn=topic, Tags=twice))
    assert found.message == "Invalid parameter: Duplicated keys are not allowed."

    many = _tags(**{f"k{number}": "v" for number in range(51)})
    found = await refusal(sns.tag_resource(ResourceArn=topic, Tags=many))
    assert (found.code, found.status) == ("TagLimitExceeded", 400)

    long = [{"Key": "k" * 129, "Value": ""}]
    found = await refusal(sns.tag_resource(ResourceArn=topic, Tags=long))
    assert found.code == "ValidationError"
    assert "'tags.1.member.key'" in found.message


async def test_permissions_become_statements(sns, topic):
    await sns.add_permission(
        TopicArn=topic, Label="l", AWSAccountId=["1" * 12, "2" * 12], ActionName=["Publish"]
    )
    policy = json.loads((await _attributes(sns, topic))["Policy"])
    assert policy["Statement"][-1] == {
        "Sid": "l",
        "Effect": "Allow",
        "Principal": {"AWS": [f"arn:aws:iam::{one * 12}:root" for one in "12"]},
        "Action": "SNS:Publish",
        "Resource": topic,
    }

    await sns.remove_permission(TopicArn=topic, Label="l")
    policy = json.loads((await _attributes(sns, topic))["Policy"])
    assert [one["Sid"] for one in policy["Statement"]] == ["__default_statement_ID"]


async def test_permissions_that_can_not_be(sns, topic):
    good = {"Label": "l", "AWSAccountId": ["1" * 12], "ActionName": ["Publish"]}
    await sns.add_permission(TopicArn=topic, **good)

    for changed, message in (
        ({}, "Invalid parameter: Statement already exists"),
        (
            {"Label": "m", "ActionName": ["Fly"]},
            "Invalid parameter: Policy statement action out of service scope!",
        ),
    ):
        found = await refusal(sns.add_permission(TopicArn=topic, **good | changed))
        assert (found.code, found.message) == ("InvalidParameter", message)
    found = await refusal(sns.remove_permission(TopicArn=topic, Label="none"))
    assert found.code == "InvalidParameter"


async def test_a_data_protection_policy_is_kept(sns, topic):
    assert await sns.get_data_protection_policy(ResourceArn=topic) == {}

    policy = json.dumps({"Name": "p", "Statement": []})
    await sns.put_data_protection_policy(ResourceArn=topic, DataProtectionPolicy=policy)
    found = await sns.get_data_protection_policy(ResourceArn=topic)
    assert found == {"DataProtectionPolicy": policy}

    made = await sns.create_topic(Name="other", DataProtectionPolicy=policy)
    assert await sns.get_data_protection_policy(ResourceArn=made["TopicArn"]) == found
