"""Publish and PublishBatch: what reaches a queue, and what is refused in SNS's words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.gateway.sdk import SQS, Sdk, refusal


async def _received(sqs: Sdk, url: str) -> list[dict[str, Any]]:
    found = await sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["All"],
    )
    return list(found.get("Messages", []))


async def _bodies(sqs: Sdk, url: str) -> list[str]:
    return [json.loads(one["Body"])["Message"] for one in await _received(sqs, url)]


async def test_what_is_published_is_in_the_queue_as_an_envelope(
    sns, sqs, topic, queue, subscription
):
    published = await sns.publish(
        TopicArn=topic,
        Message="one coffee",
        Subject="order",
        MessageAttributes={"n": {"DataType": "Number", "StringValue": "1"}},
    )

    (message,) = await _received(sqs, queue)
    envelope = json.loads(message["Body"])
    assert set(published) == {"MessageId"}
    assert envelope["Type"] == "Notification"
    assert envelope["MessageId"] == published["MessageId"]
    assert envelope["TopicArn"] == topic
    assert envelope["Subject"] == "order"
    assert envelope["Message"] == "one coffee"
    assert envelope["MessageAttributes"] == {"n": {"Type": "Number", "Value": "1"}}
    assert subscription in envelope["UnsubscribeURL"]


async def test_the_endpoint_signs_what_goes_to_queues(sns, sqs, topic, queue, subscription):
    await sns.publish(TopicArn=topic, Message="x")

    (message,) = await _received(sqs, queue)
    envelope = json.loads(message["Body"])
    assert envelope["SignatureVersion"] == "1"
    assert envelope["Signature"]
    assert "/SimpleNotificationService-" in envelope["SigningCertURL"]


async def test_raw_delivery_is_the_message_and_its_attributes(sns, sqs, topic, queue, queue_arn):
    await sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=queue_arn,
        Attributes={"RawMessageDelivery": "true"},
    )
    attributes = {
        "text": {"DataType": "String", "StringValue": "v"},
        "binary": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }

    await sns.publish(TopicArn=topic, Message="one coffee", MessageAttributes=attributes)

    (message,) = await _received(sqs, queue)
    assert message["Body"] == "one coffee"
    assert message["MessageAttributes"] == attributes


async def test_only_what_a_filter_lets_pass_arrives(sns, sqs, topic, queue, queue_arn):
    await sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=queue_arn,
        Attributes={"FilterPolicy": '{"size":["small"],"tags":["a"]}'},
    )
    for size, tags in (("small", '["a","b"]'), ("large", '["a"]'), ("small", '["b"]')):
        await sns.publish(
            TopicArn=topic,
            Message=f"{size} {tags}",
            MessageAttributes={
                "size": {"DataType": "String", "StringValue": size},
                "tags": {"DataType": "String.Array", "StringValue": tags},
            },
        )

    assert await _bodies(sqs, queue) == ['small ["a","b"]']


async def test_a_message_may_have_a_text_for_each_protocol(sns, sqs, topic, queue, subscription):
    await sns.publish(
        TopicArn=topic,
        Message=json.dumps({"default": "for all", "sqs": "for queues"}),
        MessageStructure="json",
    )

    assert await _bodies(sqs, queue) == ["for queues"]


async def test_a_topic_may_be_the_target_arn(sns, sqs, topic, queue, subscription):
    await sns.publish(TargetArn=topic, Message="x")

    assert await _bodies(sqs, queue) == ["x"]


async def test_a_fifo_topic_answers_with_a_sequence_number(sns, sqs, fifo_topic, fifo):
    await sns.subscribe(TopicArn=fifo_topic, Protocol="sqs", Endpoint=await sqs.arn(fifo))
    first = await sns.publish(TopicArn=fifo_topic, Message="a", MessageGroupId="g")
    again = await sns.publish(TopicArn=fifo_topic, Message="a", MessageGroupId="g")
    second = await sns.publish(
        TopicArn=fifo_topic, Message="a", MessageGroupId="g", MessageDeduplicationId="other"
    )

    assert again == first
    assert len(first["SequenceNumber"]) == 20
    assert first["SequenceNumber"] < second["SequenceNumber"]
    assert await _bodies(sqs, fifo) == ["a", "a"]


async def test_a_group_reaches_standard_queues(sns, sqs, topic, queue, subscription):
    await sns.publish(TopicArn=topic, Message="x", MessageGroupId="tenant")

    (message,) = await _received(sqs, queue)
    assert message["Attributes"]["MessageGroupId"] == "tenant"


async def test_a_queue_of_another_account_gets_it_after_it_confirmed(
    sns, topic, gateway, protocol, dispatcher
):
    """It is asked by a message, whose token confirms; and its policy has to let SNS send."""
    other = Sdk(protocol, gateway, account="1" * 12, service=SQS)
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": "*",
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    url = await other.queue("theirs", Policy=json.dumps({"Statement": allowed}))
    found = await sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=await other.arn(url))
    assert found["SubscriptionArn"] == "pending confirmation"
    await sns.publish(TopicArn=topic, Message="too early")
    await dispatcher.drain()

    (message,) = await _received(other, url)
    request = json.loads(message["Body"])
    assert request["Type"] == "SubscriptionConfirmation"
    await sns.confirm_subscription(TopicArn=topic, Token=request["Token"])
    await sns.publish(TopicArn=topic, Message="x")

    assert await _bodies(other, url) == ["x"]


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ({"Message": ""}, "InvalidParameter", "Invalid parameter: Empty message"),
        ({"Message": "x" * 262_145}, "InvalidParameter", "Invalid parameter: Message too long"),
        ({"Subject": "x" * 101}, "InvalidParameter", "Invalid parameter: Subject"),
        ({"Subject": ""}, "InvalidParameter", "Invalid parameter: Subject"),
        ({"Subject": "a\nb"}, "InvalidParameter", "Invalid parameter: Subject"),
        (
            {"MessageStructure": "json"},
            "InvalidParameter",
            "Invalid parameter: Message Structure - JSON message body failed to parse",
        ),
        (
            {"MessageStructure": "json", "Message": '{"sqs":"x"}'},
            "InvalidParameter",
            "Invalid parameter: Message Structure - No default entry in JSON message body",
        ),
        (
            {"MessageStructure": "json", "Message": '{"default":1}'},
            "InvalidParameter",
            "Invalid parameter: Message Structure - No default entry in JSON message body",
        ),
        (
            {"MessageDeduplicationId": "d"},
            "InvalidParameter",
            "Invalid parameter: MessageDeduplicationId Reason: The request includes "
            "MessageDeduplicationId parameter that is not valid for this topic type",
        ),
    ],
)
async def test_a_message_that_breaks_a_rule_is_refused(sns, topic, given, code, message):
    found = await refusal(sns.publish(TopicArn=topic, **{"Message": "x"} | given))

    assert (found.code, found.status, found.message) == (code, 400, message)


@pytest.mark.parametrize(
    ("name", "one", "message"),
    [
        ("a", {"DataType": "", "StringValue": "v"}, "non-empty message attribute type"),
        ("a", {"DataType": "Thing", "StringValue": "v"}, "invalid message attribute type"),
        ("a", {"DataType": "String"}, "non-empty message attribute value"),
        ("a", {"DataType": "String", "StringValue": ""}, "non-empty message attribute value"),
        ("a", {"DataType": "Binary", "StringValue": "v"}, "must use field 'Binary'"),
        ("a", {"DataType": "String", "BinaryValue": b"v"}, "must use field 'String'"),
        ("a", {"DataType": "Number", "StringValue": "v"}, "Could not cast"),
        (".a", {"DataType": "String", "StringValue": "v"}, "starting with character '.'"),
        ("a.", {"DataType": "String", "StringValue": "v"}, "ending with character '.'"),
        ("a..b", {"DataType": "String", "StringValue": "v"}, "successive '.'"),
        ("a b", {"DataType": "String", "StringValue": "v"}, "non-alphanumeric character"),
        ("a" * 257, {"DataType": "String", "StringValue": "v"}, "less than 256"),
    ],
)
async def test_a_message_attribute_that_breaks_a_rule_is_refused(sns, topic, name, one, message):
    found = await refusal(sns.publish(TopicArn=topic, Message="x", MessageAttributes={name: one}))

    assert found.status == 400
    assert found.code == ("ParameterValueInvalid" if sns.protocol == "query" else found.code)
    assert message in found.message


async def test_a_message_needs_one_target(sns, topic):
    found = await refusal(sns.publish(Message="x"))
    assert found.message == (
        "Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter"
    )

    for targets in (
        {"TopicArn": topic, "TargetArn": topic},
        {"TopicArn": topic, "PhoneNumber": "+15550100123"},
    ):
        found = await refusal(sns.publish(Message="x", **targets))
        assert found.code == "InvalidParameter"
        assert " or ".join(targets) in found.message


async def test_a_fifo_topic_needs_a_group_and_an_id(sns):
    arn = (await sns.create_topic(Name="a.fifo", Attributes={"FifoTopic": "true"}))["TopicArn"]

    found = await refusal(sns.publish(TopicArn=arn, Message="x"))
    assert found.message == (
        "Invalid parameter: The MessageGroupId parameter is required for FIFO topics"
    )
    found = await refusal(sns.publish(TopicArn=arn, Message="x", MessageGroupId="g"))
    assert found.message == (
        "Invalid parameter: The topic should either have ContentBasedDeduplication enabled or "
        "MessageDeduplicationId provided explicitly"
    )
    found = await refusal(
        sns.publish(TopicArn=arn, Message="x", MessageGroupId="a b", MessageDeduplicationId="d")
    )
    assert found.message.startswith("Invalid parameter: MessageGroupId")


# --- batches -------------------------------------------------------------------------------------


def _batch(*ids: str, **given: Any) -> list[dict[str, Any]]:
    return [{"Id": id, "Message": f"message {id}", **given} for id in ids]


async def test_a_batch_is_published_in_its_order(sns, sqs, fifo_topic, fifo):
    await sns.subscribe(TopicArn=fifo_topic, Protocol="sqs", Endpoint=await sqs.arn(fifo))
    ids = [str(number) for number in range(10)]

    found = await sns.publish_batch(
        TopicArn=fifo_topic, PublishBatchRequestEntries=_batch(*ids, MessageGroupId="g")
    )

    assert [one["Id"] for one in found["Successful"]] == ids
    assert found.get("Failed", []) == []
    numbers = [one["SequenceNumber"] for one in found["Successful"]]
    assert numbers == sorted(numbers)
    assert await _bodies(sqs, fifo) == [f"message {id}" for id in ids]


async def test_what_is_wrong_with_an_entry_fails_that_one(sns, sqs, topic, queue, subscription):
    entries = [
        {"Id": "good", "Message": "x"},
        {"Id": "empty", "Message": ""},
        {"Id": "id", "Message": "x", "MessageDeduplicationId": "d"},
        {
            "Id": "attribute",
            "Message": "x",
            "MessageAttributes": {"a": {"DataType": "Number", "StringValue": "v"}},
        },
        {"Id": "text", "Message": "{", "MessageStructure": "json"},
    ]

    found = await sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)

    assert [one["Id"] for one in found["Successful"]] == ["good"]
    assert {one["Id"]: one["Code"] for one in found["Failed"]} == {
        "empty": "InvalidParameter",
        "id": "InvalidParameter",
        "attribute": "ParameterValueInvalid",
        "text": "InvalidParameter",
    }
    assert all(one["SenderFault"] for one in found["Failed"])
    assert all(one["Message"] for one in found["Failed"])
    assert await _bodies(sqs, queue) == ["x"]


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([], "EmptyBatchRequest"),
        (_batch(*map(str, range(11))), "TooManyEntriesInBatchRequest"),
        (_batch("a", "b", "a"), "BatchEntryIdsNotDistinct"),
        (_batch("a b"), "InvalidBatchEntryId"),
        (_batch("x" * 81), "InvalidBatchEntryId"),
        (
            [{"Id": str(number), "Message": "x" * 131_073} for number in range(2)],
            "BatchRequestTooLong",
        ),
    ],
)
async def test_a_batch_that_can_not_be_is_refused_as_a_whole(
    sns, sqs, topic, queue, subscription, entries, code
):
    found = await refusal(sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries))

    assert (found.code, found.status) == (code, 400)
    assert await _received(sqs, queue) == []


async def test_a_batch_may_be_as_long_as_the_topic_lets_a_message_be(sns, topic):
    await sns.set_topic_attributes(
        TopicArn=topic, AttributeName="MaximumMessageSize", AttributeValue="1024"
    )
    entries = [{"Id": str(number), "Message": "x" * 512} for number in range(2)]
    found = await sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    assert len(found["Successful"]) == 2

    entries[0]["Message"] += "x"
    found = await refusal(sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries))
    assert found.code == "BatchRequestTooLong"


async def test_an_entry_without_its_message_is_told_by_its_place(sns, topic):
    entries = [{"Id": "a", "Message": "x"}, {"Id": "b"}]

    found = await refusal(sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries))

    assert found.code == "ValidationError"
    assert "'publishBatchRequestEntries.2.member.message'" in found.message
    assert "Member must not be null" in found.message
