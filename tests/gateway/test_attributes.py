"""Attributes of queues, as text: which there are, what they may be, and how they are taken away.

Source: CreateQueue, SetQueueAttributes, GetQueueAttributes (Amazon SQS API Reference); sqs.md,
sections 2, 3 and 8.
"""

from __future__ import annotations

import json

import pytest

from tests.gateway.sdk import Sdk, refusal

STANDARD = {
    "VisibilityTimeout": "30",
    "DelaySeconds": "0",
    "ReceiveMessageWaitTimeSeconds": "0",
    "MessageRetentionPeriod": "345600",
    "MaximumMessageSize": "1048576",
    "SqsManagedSseEnabled": "true",
    "ApproximateNumberOfMessages": "0",
    "ApproximateNumberOfMessagesNotVisible": "0",
    "ApproximateNumberOfMessagesDelayed": "0",
}
FIFO = {
    "FifoQueue": "true",
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "FifoThroughputLimit": "perQueue",
}


async def _all(sqs: Sdk, url: str, *names: str) -> dict[str, str]:
    found = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names or ["All"]))
    return dict(found.get("Attributes", {}))


async def _set(sqs: Sdk, url: str, **attributes: str) -> None:
    await sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)


# --- reading -------------------------------------------------------------------------------------


async def test_all_are_those_that_are_there_and_no_others(sqs, queue, clock):
    now = str(clock.now_ms() // 1000)

    assert await _all(sqs, queue) == STANDARD | {
        "QueueArn": f"arn:aws:sqs:{sqs.region}:{sqs.account}:orders",
        "CreatedTimestamp": now,
        "LastModifiedTimestamp": now,
    }


async def test_a_fifo_queue_has_four_more(sqs):
    url = await sqs.queue("orders.fifo", FifoQueue="true")

    assert set(await _all(sqs, url)) - set(await _all(sqs, await sqs.queue("orders"))) == set(FIFO)
    assert await _all(sqs, url, *FIFO) == FIFO


async def test_none_asked_for_is_none_answered(sqs, queue):
    assert await sqs.get_queue_attributes(QueueUrl=queue) == {}
    assert await sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[]) == {}


async def test_only_those_asked_for_are_answered(sqs, queue):
    found = await _all(sqs, queue, "DelaySeconds", "RedrivePolicy", "FifoQueue")

    assert found == {"DelaySeconds": "0"}


@pytest.mark.parametrize("name", ["all", "delayseconds", "Colour", "", "SenderId", "Compression"])
async def test_an_unknown_name_is_refused_beside_all_as_well(sqs, queue, name):
    found = await refusal(sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All", name]))

    assert (found.code, found.message) == ("InvalidAttributeName", f"Unknown Attribute {name}.")


async def test_messages_are_counted_by_their_state(sqs, queue):
    for delay in (0, 0, 0, 60):
        await sqs.send_message(QueueUrl=queue, MessageBody="x", DelaySeconds=delay)
    await sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=1)

    counts = [name for name in STANDARD if name.startswith("Approximate")]
    assert await _all(sqs, queue, *counts) == {
        "ApproximateNumberOfMessages": "2",
        "ApproximateNumberOfMessagesNotVisible": "1",
        "ApproximateNumberOfMessagesDelayed": "1",
    }


async def test_a_change_is_seen_in_when_it_was_last_modified(sqs, queue, clock):
    before = await _all(sqs, queue)
    clock.move(5)
    await _set(sqs, queue, DelaySeconds="1")

    after = await _all(sqs, queue)

    assert after["CreatedTimestamp"] == before["CreatedTimestamp"]
    assert int(after["LastModifiedTimestamp"]) == int(before["LastModifiedTimestamp"]) + 5


# --- setting -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("DelaySeconds", 0, 900),
        ("MaximumMessageSize", 1024, 1_048_576),
        ("MessageRetentionPeriod", 60, 1_209_600),
        ("ReceiveMessageWaitTimeSeconds", 0, 20),
        ("VisibilityTimeout", 0, 43_200),
        ("KmsDataKeyReusePeriodSeconds", 60, 86_400),
    ],
)
async def test_a_number_has_a_range(sqs, queue, name, low, high):
    if name.startswith("Kms"):
        await _set(sqs, queue, KmsMasterKeyId="alias/aws/sqs")
    for good in (low, high):
        await _set(sqs, queue, **{name: str(good)})
        assert await _all(sqs, queue, name) == {name: str(good)}

    for bad in (low - 1, high + 1, "", "x", "1.5", f"{low}s", "1e2", " 60", "9" * 50, "٣"):
        change = {name: str(bad)}
        for call in (
            sqs.set_queue_attributes(QueueUrl=queue, Attributes=change),
            sqs.create_queue(QueueName="another", Attributes=change),
        ):
            found = await refusal(call)
            assert found.code == "InvalidAttributeValue", bad
            assert found.message == f"Invalid value for the parameter {name}."
    assert await _all(sqs, queue, name) == {name: str(high)}


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("ContentBasedDeduplication", "yes"),
        ("ContentBasedDeduplication", ""),
        ("DeduplicationScope", "messagegroup"),
        ("DeduplicationScope", "message_group"),
        ("FifoThroughputLimit", "perMessageGroup"),
        ("FifoThroughputLimit", "perMessageGroupId"),  # without that scope
        ("SqsManagedSseEnabled", "1"),
        ("FifoQueue", "maybe"),
    ],
)
async def test_a_word_is_one_of_few(sqs, name, bad):
    given = {"FifoQueue": "true", name: bad}

    found = await refusal(sqs.create_queue(QueueName="a.fifo", Attributes=given))

    assert (found.code, found.message) == (
        "InvalidAttributeValue",
        f"Invalid value for the parameter {name}.",
    )


async def test_high_throughput_goes_with_its_scope(sqs):
    url = await sqs.queue(
        "a.fifo",
        FifoQueue="true",
        DeduplicationScope="messageGroup",
        FifoThroughputLimit="perMessageGroupId",
    )

    found = await _all(sqs, url, "DeduplicationScope", "FifoThroughputLimit")
    assert found == {
        "DeduplicationScope": "messageGroup",
        "FifoThroughputLimit": "perMessageGroupId",
    }


async def test_a_set_is_all_or_nothing(sqs, queue):
    await refusal(
        sqs.set_queue_attributes(
            QueueUrl=queue, Attributes={"DelaySeconds": "5", "VisibilityTimeout": "43201"}
        )
    )

    assert await _all(sqs, queue, "DelaySeconds") == {"DelaySeconds": "0"}


@pytest.mark.parametrize(
    "name",
    [
        "QueueArn",
        "CreatedTimestamp",
        "ApproximateNumberOfMessages",
        "All",
        "FifoQueue",
        "ContentBasedDeduplication",
        "DeduplicationScope",
        "FifoThroughputLimit",
        "Colour",
        "Compression",
    ],
)
async def test_what_cannot_be_set_on_a_standard_queue_is_unknown(sqs, queue, name):
    found = await refusal(sqs.set_queue_attributes(QueueUrl=queue, Attributes={name: "true"}))

    assert (found.code, found.message) == ("InvalidAttributeName", f"Unknown Attribute {name}.")


async def test_a_queue_stays_of_its_type(sqs, fifo):
    found = await refusal(sqs.set_queue_attributes(QueueUrl=fifo, Attributes={"FifoQueue": "true"}))

    assert found.code == "InvalidAttributeName"


# --- taking away ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId"]
)
async def test_an_empty_text_takes_away_what_may_be_absent(sqs, queue, name):
    dead = await sqs.arn(await sqs.queue("dead"))
    value = {
        "Policy": '{"Version":"2012-10-17","Statement":[]}',
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 3}),
        "RedriveAllowPolicy": '{"redrivePermission":"denyAll"}',
        "KmsMasterKeyId": "alias/aws/sqs",
    }[name]
    await _set(sqs, queue, **{name: value})
    assert name in await _all(sqs, queue)

    await _set(sqs, queue, **{name: ""})

    assert name not in await _all(sqs, queue)


async def test_a_key_switches_the_queues_own_encryption_off(sqs, queue):
    await _set(sqs, queue, KmsMasterKeyId="alias/aws/sqs")
    found = await _all(sqs, queue)
    assert found["SqsManagedSseEnabled"] == "false"
    assert found["KmsDataKeyReusePeriodSeconds"] == "300"

    await _set(sqs, queue, KmsMasterKeyId="")
    found = await _all(sqs, queue)
    assert found["SqsManagedSseEnabled"] == "true"
    assert "KmsDataKeyReusePeriodSeconds" not in found


async def test_a_policy_is_kept_as_it_was_written(sqs, queue):
    text = '{ "Version": "2012-10-17",\n "Statement": [] }'
    await _set(sqs, queue, Policy=text)

    assert await _all(sqs, queue, "Policy") == {"Policy": text}


@pytest.mark.parametrize("text", ["not JSON", "[]", '"x"', '{"a":"' + "x" * 8192 + '"}'])
async def test_a_policy_is_a_json_object_of_8192_bytes(sqs, queue, text):
    found = await refusal(sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": text}))

    assert (found.code, found.message) == (
        "InvalidAttributeValue",
        "Invalid value for the parameter Policy.",
    )


# --- creating ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "again",
    [{}, {"DelaySeconds": "5"}, {"VisibilityTimeout": "30"}, {"DelaySeconds": "5", "Policy": ""}],
)
async def test_a_queue_is_created_again_with_what_it_has(sqs, again):
    url = await sqs.queue("orders", DelaySeconds="5")

    assert await sqs.queue("orders", **again) == url
    assert await _all(sqs, url, "DelaySeconds") == {"DelaySeconds": "5"}


@pytest.mark.parametrize(
    ("again", "named"),
    [
        ({"DelaySeconds": "6"}, "DelaySeconds"),
        ({"DelaySeconds": "5", "MaximumMessageSize": "1024"}, "MaximumMessageSize"),
        ({"Policy": '{"Statement":[]}'}, "Policy"),
        ({"KmsMasterKeyId": "key"}, "KmsMasterKeyId"),
        ({"SqsManagedSseEnabled": "false"}, "SqsManagedSseEnabled"),
        ({"RedriveAllowPolicy": '{"redrivePermission":"denyAll"}'}, "RedriveAllowPolicy"),
    ],
)
async def test_a_queue_is_not_created_again_with_another_value(sqs, again, named):
    url = await sqs.queue("orders", DelaySeconds="5")

    found = await refusal(sqs.create_queue(QueueName="orders", Attributes=again))

    assert (found.code, found.message) == (
        "QueueAlreadyExists",
        "A queue already exists with the same name and a different value for attribute " + named,
    )
    assert await _all(sqs, url, "DelaySeconds") == {"DelaySeconds": "5"}


async def test_a_fifo_queue_is_created_again_too(sqs):
    url = await sqs.queue("orders.fifo", FifoQueue="true", ContentBasedDeduplication="true")

    again = await sqs.queue("orders.fifo", FifoQueue="true")
    assert again == url
    found = await refusal(
        sqs.create_queue(
            QueueName="orders.fifo",
            Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "false"},
        )
    )
    assert found.message.endswith("attribute ContentBasedDeduplication")


@pytest.mark.parametrize("name", ["a", "A-z_09", "a" * 80, "fifo", "afifo", "-", "_"])
async def test_a_name_that_is_allowed(sqs, name):
    assert (await sqs.queue(name)).endswith(f"/{name}")


@pytest.mark.parametrize("name", ["", "a.b", "a b", "ü", "a/b", "a" * 81, "a.fifo.fifo", "a\n"])
async def test_a_name_that_is_not_allowed(sqs, name):
    found = await refusal(sqs.create_queue(QueueName=name))

    assert found.code in ("InvalidParameterValue", "MissingParameter")


async def test_a_fifo_name_needs_the_attribute_and_the_attribute_the_name(sqs):
    suffix_alone = await refusal(sqs.create_queue(QueueName="a.fifo"))
    attribute_alone = await refusal(
        sqs.create_queue(QueueName="a", Attributes={"FifoQueue": "true"})
    )

    assert suffix_alone.code == attribute_alone.code == "InvalidParameterValue"
    assert attribute_alone.message.startswith("The name of a FIFO queue can only include")


async def test_names_differ_by_their_case(sqs):
    assert await sqs.queue("Orders") != await sqs.queue("orders")
    assert len((await sqs.list_queues())["QueueUrls"]) == 2


# --- the 60 seconds ------------------------------------------------------------------------------


async def test_the_name_of_a_deleted_queue_is_free_after_60_seconds(sqs, queue, clock):
    await sqs.delete_queue(QueueUrl=queue)
    gone = await refusal(sqs.get_queue_url(QueueName="orders"))
    assert gone.code == "AWS.SimpleQueueService.NonExistentQueue"
    for passed in (0, 59):
        clock.move(passed)
        early = await refusal(sqs.create_queue(QueueName="orders"))
        assert early.code == "AWS.SimpleQueueService.QueueDeletedRecently"

    clock.move(1)

    assert await sqs.queue("orders") == queue
    assert await sqs.receive_message(QueueUrl=queue) == {}


async def test_a_queue_is_purged_once_in_60_seconds(sqs, queue, clock):
    await sqs.send_message(QueueUrl=queue, MessageBody="visible")
    await sqs.send_message(QueueUrl=queue, MessageBody="delayed", DelaySeconds=60)
    await sqs.receive_message(QueueUrl=queue)

    await sqs.purge_queue(QueueUrl=queue)

    counts = await _all(sqs, queue, *(one for one in STANDARD if one.startswith("Approximate")))
    assert set(counts.values()) == {"0"}
    clock.move(59)
    early = await refusal(sqs.purge_queue(QueueUrl=queue))
    assert early.code == "AWS.SimpleQueueService.PurgeQueueInProgress"
    assert await sqs.purge_queue(QueueUrl=await sqs.queue("other")) == {}
    clock.move(1)
    assert await sqs.purge_queue(QueueUrl=queue) == {}


# --- tags ----------------------------------------------------------------------------------------


async def test_tags_are_set_overwritten_and_removed(sqs):
    made = await sqs.create_queue(QueueName="orders", tags={"a": "1", "b": "2"})
    url = made["QueueUrl"]

    await sqs.tag_queue(QueueUrl=url, Tags={"b": "3", "ü/=+-@:.": "é" * 256})
    await sqs.untag_queue(QueueUrl=url, TagKeys=["a", "unknown"])

    assert await sqs.list_queue_tags(QueueUrl=url) == {"Tags": {"b": "3", "ü/=+-@:.": "é" * 256}}


@pytest.mark.parametrize("tags", [{"": "v"}, {"k" * 129: "v"}, {"k": "v" * 257}])
async def test_a_tag_has_a_length(sqs, queue, tags):
    found = await refusal(sqs.tag_queue(QueueUrl=queue, Tags=tags))

    assert found.code == "InvalidParameterValue"


async def test_a_queue_has_50_tags_at_most_over_all_calls(sqs, queue):
    await sqs.tag_queue(QueueUrl=queue, Tags={f"k{i}": "v" for i in range(50)})
    await sqs.tag_queue(QueueUrl=queue, Tags={"k0": "other"})

    found = await refusal(sqs.tag_queue(QueueUrl=queue, Tags={"one-more": "v"}))

    assert found.message == "Too many tags added for queue orders."
