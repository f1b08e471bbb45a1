"""What test_old_boto3.py runs in the old boto3's own Python: one scenario, then the end.

    python old_boto3_scenarios.py <scenario> <endpoint URL>

Each gets an account with no queues in it. No clock can be held from here, so nothing waits for a
lease to end: a visibility timeout of zero ends it at once.
"""

import hashlib
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from unittest import TestCase

import boto3
from botocore.exceptions import ClientError

same = TestCase().assertEqual  # says what differs

BODY = " \t\"Grüße\" & <b>'日本'</b> ]]> 🎉\r\nnext line\rand\n"
"""What XML escapes, what it normalises (a carriage return) and what is long in UTF-8."""

BYTES = bytes(range(256))

DEADLINE = 20  # seconds for what the endpoint does in its own time


def a_queue_is_made_found_changed_and_deleted(sqs):
    same("query", sqs.meta.service_model.metadata["protocol"])
    made = sqs.create_queue(
        QueueName="orders",
        Attributes={"VisibilityTimeout": "45", "DelaySeconds": "0"},
        tags={"team": "größe & <co>", "stage": "test"},
    )
    url = made["QueueUrl"]
    account = url.split("/")[-2]
    same(200, made["ResponseMetadata"]["HTTPStatusCode"])
    same(url, sqs.get_queue_url(QueueName="orders")["QueueUrl"])
    same(url, sqs.create_queue(QueueName="orders")["QueueUrl"])

    sqs.set_queue_attributes(QueueUrl=url, Attributes={"MessageRetentionPeriod": "120"})
    found = attributes(sqs, url, "All")
    same(f"arn:aws:sqs:us-east-1:{account}:orders", found["QueueArn"])
    expected = {
        "VisibilityTimeout": "45",
        "DelaySeconds": "0",
        "MessageRetentionPeriod": "120",
        "MaximumMessageSize": "1048576",
        "ReceiveMessageWaitTimeSeconds": "0",
    }
    same(expected, {name: found[name] for name in expected})
    assert 0 <= time.time() - int(found["CreatedTimestamp"]) < 60, found
    same((0, 0, 0), counts(sqs, url))
    same(set(), {"Policy", "RedrivePolicy", "FifoQueue"} & found.keys())
    same({"DelaySeconds": "0"}, attributes(sqs, url, "DelaySeconds"))
    same({}, attributes(sqs, url))

    same({"team": "größe & <co>", "stage": "test"}, sqs.list_queue_tags(QueueUrl=url)["Tags"])
    sqs.tag_queue(QueueUrl=url, Tags={"stage": "live"})
    sqs.untag_queue(QueueUrl=url, TagKeys=["team", "unknown"])
    same({"stage": "live"}, sqs.list_queue_tags(QueueUrl=url)["Tags"])

    sqs.delete_queue(QueueUrl=url)
    same([], sqs.list_queues().get("QueueUrls", []))


def queues_are_listed_in_pages(sqs):
    urls = {sqs.create_queue(QueueName=f"page-{i}")["QueueUrl"] for i in range(5)}
    other = sqs.create_queue(QueueName="other")["QueueUrl"]

    everything = sqs.list_queues()
    same(urls | {other}, set(everything["QueueUrls"]))
    assert "NextToken" not in everything

    pages = list(
        sqs.get_paginator("list_queues").paginate(
            QueueNamePrefix="page-", PaginationConfig={"PageSize": 2}
        )
    )
    same([2, 2, 1], [len(page["QueueUrls"]) for page in pages])
    same(urls, {url for page in pages for url in page["QueueUrls"]})


def a_message_comes_back_as_it_was_sent(sqs):
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    given = {
        "Text": {"DataType": "String", "StringValue": BODY},
        "Label.one_two-3": {"DataType": "String.json", "StringValue": '{"a": "<b>"}'},
        "Number": {"DataType": "Number.int", "StringValue": "0012.50"},
        "Bytes": {"DataType": "Binary.png", "BinaryValue": BYTES},
    }
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793"
    sent = sqs.send_message(
        QueueUrl=url,
        MessageBody=BODY,
        MessageAttributes=given,
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": trace}},
    )
    same(md5(BODY), sent["MD5OfMessageBody"])
    assert "SequenceNumber" not in sent

    [message] = receive(
        sqs, url, AttributeNames=["All"], MessageAttributeNames=["All"], WaitTimeSeconds=5
    )
    same(sent["MessageId"], message["MessageId"])
    same(BODY, message["Body"])
    same(md5(BODY), message["MD5OfBody"])
    same(given, message["MessageAttributes"])
    same(sent["MD5OfMessageAttributes"], message["MD5OfMessageAttributes"])
    system = message["Attributes"]
    same(trace, system["AWSTraceHeader"])
    same("1", system["ApproximateReceiveCount"])
    assert 0 <= time.time() - int(system["SentTimestamp"]) / 1000 < 60, system
    assert system["SentTimestamp"] <= system["ApproximateFirstReceiveTimestamp"], system

    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    same([], receive(sqs, url))


def digests_are_those_of_aws(sqs):
    """The vectors of AWS's own documentation and clients, for the body and for attributes."""
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    sent = sqs.send_message(
        QueueUrl=url,
        MessageBody="This is a test message",
        MessageAttributes={
            "Population": {"DataType": "Number", "StringValue": "1250800"},
            "City": {"DataType": "String", "StringValue": "Any City"},
            "Binary": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
        },
    )
    same("fafb00f5732ab283681e124bf8747ed1", sent["MD5OfMessageBody"])
    same("04150213f46934cece42ec4f30a4689f", sent["MD5OfMessageAttributes"])

    [message] = receive(
        sqs, url, MessageAttributeNames=["Ci.*", "Popu*", "City"], VisibilityTimeout=0
    )
    same({"City"}, message["MessageAttributes"].keys())
    [message] = receive(sqs, url)
    assert not {"MessageAttributes", "MD5OfMessageAttributes", "Attributes"} & message.keys()


def a_batch_says_which_of_its_entries_failed(sqs):
    url = sqs.create_queue(QueueName="orders", Attributes={"MaximumMessageSize": "1024"})[
        "QueueUrl"
    ]
    sent = sqs.send_message_batch(
        QueueUrl=url,
        Entries=[
            {"Id": "first", "MessageBody": "one"},
            {"Id": "too-long", "MessageBody": "x" * 1025},
            {
                "Id": "second",
                "MessageBody": BODY,
                "MessageAttributes": {"a": {"DataType": "String", "StringValue": "v"}},
            },
        ],
    )
    same(["first", "second"], [entry["Id"] for entry in sent["Successful"]])
    same("a18cbb58171ebf4ce88d9fb787f9210b", sent["Successful"][1]["MD5OfMessageAttributes"])
    same([("too-long", "InvalidParameterValue", True)], failures(sent))

    messages = receive(sqs, url, MaxNumberOfMessages=10)
    same({"one", BODY}, {message["Body"] for message in messages})
    handles = [message["ReceiptHandle"] for message in messages] + ["made up"]
    entries = [{"Id": str(i), "ReceiptHandle": handle} for i, handle in enumerate(handles)]

    changed = sqs.change_message_visibility_batch(
        QueueUrl=url, Entries=[{**entry, "VisibilityTimeout": 60} for entry in entries]
    )
    same(["0", "1"], [entry["Id"] for entry in changed["Successful"]])
    same([("2", "ReceiptHandleIsInvalid", True)], failures(changed))

    deleted = sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    same(["0", "1"], [entry["Id"] for entry in deleted["Successful"]])
    same([("2", "ReceiptHandleIsInvalid", True)], failures(deleted))


def a_lease_can_be_given_back(sqs):
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="again")
    [first] = receive(sqs, url)
    same([], receive(sqs, url))

    sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0
    )

    [second] = receive(sqs, url, AttributeNames=["ApproximateReceiveCount"])
    same({"ApproximateReceiveCount": "2"}, second["Attributes"])
    same(first["MessageId"], second["MessageId"])
    assert first["ReceiptHandle"] != second["ReceiptHandle"]

    sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=900)
    same((0, 1, 1), counts(sqs, url))

    sqs.purge_queue(QueueUrl=url)
    same((0, 0, 0), counts(sqs, url))
    refused("AWS.SimpleQueueService.PurgeQueueInProgress", sqs.purge_queue, QueueUrl=url)


def a_long_poll_ends_when_a_message_comes(sqs):
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    began = time.monotonic()
    same([], receive(sqs, url, WaitTimeSeconds=1))
    assert time.monotonic() - began >= 1

    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(receive, sqs, url, WaitTimeSeconds=20)
        sqs.send_message(QueueUrl=url, MessageBody="hello")
        same(["hello"], [message["Body"] for message in waiting.result()])
    assert time.monotonic() - began < 15


def a_permission_is_a_statement_of_the_policy(sqs):
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    arn = attributes(sqs, url, "QueueArn")["QueueArn"]

    sqs.add_permission(
        QueueUrl=url, Label="one", AWSAccountIds=["111122223333"], Actions=["SendMessage"]
    )
    sqs.add_permission(
        QueueUrl=url,
        Label="two",
        AWSAccountIds=["111122223333", "444455556666"],
        Actions=["ReceiveMessage", "DeleteMessage"],
    )
    one, two = json.loads(attributes(sqs, url, "Policy")["Policy"])["Statement"]
    same(
        {
            "Sid": "one",
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            "Action": "SQS:SendMessage",
            "Resource": arn,
        },
        one,
    )
    same(["SQS:ReceiveMessage", "SQS:DeleteMessage"], two["Action"])

    sqs.remove_permission(QueueUrl=url, Label="one")
    [left] = json.loads(attributes(sqs, url, "Policy")["Policy"])["Statement"]
    same("two", left["Sid"])
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    same({}, attributes(sqs, url, "Policy"))


def a_fifo_queue_keeps_order_and_drops_repeats(sqs):
    url = sqs.create_queue(
        QueueName="orders.fifo",
        Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"},
    )["QueueUrl"]

    def send(body, group, **more):
        return sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=group, **more)

    first, second = send("a", "red"), send("b", "red")
    again = send("a", "red")
    other = send("a", "blue", MessageDeduplicationId="another")
    same(first["MessageId"], again["MessageId"])
    same(first["SequenceNumber"], again["SequenceNumber"])
    same([20, 20], [len(sent["SequenceNumber"]) for sent in (first, second)])
    assert first["SequenceNumber"] < second["SequenceNumber"]

    options = {"MaxNumberOfMessages": 2, "AttributeNames": ["All"], "VisibilityTimeout": 300}
    got = receive(sqs, url, ReceiveRequestAttemptId="try", **options)
    same([first["MessageId"], second["MessageId"]], [message["MessageId"] for message in got])
    same("red", got[0]["Attributes"]["MessageGroupId"])
    same(first["SequenceNumber"], got[0]["Attributes"]["SequenceNumber"])
    same(
        hashlib.sha256(b"a").hexdigest(),
        got[0]["Attributes"]["MessageDeduplicationId"],
    )
    retried = receive(sqs, url, ReceiveRequestAttemptId="try", **options)
    same(*([m["ReceiptHandle"] for m in messages] for messages in (got, retried)))

    # The red group is locked until both are deleted; blue is another matter.
    send("c", "red")
    sqs.delete_message(QueueUrl=url, ReceiptHandle=got[0]["ReceiptHandle"])
    same([other["MessageId"]], [message["MessageId"] for message in receive(sqs, url)])
    same([], receive(sqs, url))
    sqs.delete_message(QueueUrl=url, ReceiptHandle=got[1]["ReceiptHandle"])
    same(["c"], [message["Body"] for message in receive(sqs, url)])


def a_dead_letter_is_found_and_moved_back(sqs):
    url, dead = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("orders", "dead"))
    arn, dead_arn = (attributes(sqs, each, "QueueArn")["QueueArn"] for each in (url, dead))
    policy = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": "1"})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy})
    same([url], sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"])

    bodies = list("abcdefghi")
    sent = {sqs.send_message(QueueUrl=url, MessageBody=body)["MessageId"] for body in bodies}
    same(len(bodies), len(receive(sqs, url, MaxNumberOfMessages=10, VisibilityTimeout=0)))
    same([], receive(sqs, url, MaxNumberOfMessages=10))
    letters = receive(
        sqs, dead, MaxNumberOfMessages=10, AttributeNames=["All"], VisibilityTimeout=0
    )
    same(sent, {letter["MessageId"] for letter in letters})
    same({arn}, {letter["Attributes"]["DeadLetterQueueSourceArn"] for letter in letters})
    same({"2"}, {letter["Attributes"]["ApproximateReceiveCount"] for letter in letters})

    def status():
        tasks = sqs.list_message_move_tasks(SourceArn=dead_arn, MaxResults=10)["Results"]
        return [task["Status"] for task in tasks]

    # One message a second leaves time to cancel; then the rest, as fast as it goes.
    task = sqs.start_message_move_task(SourceArn=dead_arn, MaxNumberOfMessagesPerSecond=1)
    refused(
        "AWS.SimpleQueueService.UnsupportedOperation",
        sqs.start_message_move_task,
        SourceArn=dead_arn,
    )
    cancelled = sqs.cancel_message_move_task(TaskHandle=task["TaskHandle"])
    assert cancelled["ApproximateNumberOfMessagesMoved"] < len(bodies)
    until(lambda: status() == ["CANCELLED"])
    sqs.start_message_move_task(SourceArn=dead_arn, DestinationArn=arn)
    until(lambda: status() == ["COMPLETED", "CANCELLED"])

    moved = receive(sqs, url, MaxNumberOfMessages=10, AttributeNames=["All"])
    same(bodies, sorted(message["Body"] for message in moved))
    same({"1"}, {message["Attributes"]["ApproximateReceiveCount"] for message in moved})


def records_of_a_stream_come_back_by_iterator_and_by_subscription(sqs):
    kinesis = boto3.client("kinesis", endpoint_url=sqs.meta.endpoint_url)
    kinesis.create_stream(StreamName="orders", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="orders")
    shard = "shardId-000000000000"
    put = kinesis.put_record(StreamName="orders", Data=b"\x00\xff", PartitionKey="größe")
    iterator = kinesis.get_shard_iterator(
        StreamName="orders", ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    (one,) = kinesis.get_records(ShardIterator=iterator)["Records"]
    same((b"\x00\xff", "größe"), (one["Data"], one["PartitionKey"]), one)

    arn = kinesis.describe_stream(StreamName="orders")["StreamDescription"]["StreamARN"]
    made = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="reader")["Consumer"]
    events = kinesis.subscribe_to_shard(
        ConsumerARN=made["ConsumerARN"],
        ShardId=shard,
        StartingPosition={"Type": "TRIM_HORIZON"},
    )["EventStream"]
    event = next(iter(events))["SubscribeToShardEvent"]
    same(put["SequenceNumber"], event["ContinuationSequenceNumber"], event)
    events.close()


def what_is_refused_arrives_as_the_clients_own_exception(sqs):
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    missing, errors = url.replace("orders", "missing"), sqs.exceptions

    missing_code = "AWS.SimpleQueueService.NonExistentQueue"
    error = refused(missing_code, sqs.get_queue_url, QueueName="missing")
    assert isinstance(error, errors.QueueDoesNotExist), error
    same("Sender", error.response["Error"]["Type"])
    same(400, error.response["ResponseMetadata"]["HTTPStatusCode"])
    refused(missing_code, sqs.send_message, QueueUrl=missing, MessageBody="x")
    refused(missing_code, sqs.receive_message, QueueUrl=missing)
    refused(missing_code, sqs.delete_queue, QueueUrl=missing)

    error = refused(
        "QueueAlreadyExists",
        sqs.create_queue,
        QueueName="orders",
        Attributes={"DelaySeconds": "1"},
    )
    assert isinstance(error, errors.QueueNameExists), error
    error = refused(
        "ReceiptHandleIsInvalid", sqs.delete_message, QueueUrl=url, ReceiptHandle="made up"
    )
    assert isinstance(error, errors.ReceiptHandleIsInvalid), error
    error = refused(
        "InvalidAttributeName", sqs.get_queue_attributes, QueueUrl=url, AttributeNames=["Colour"]
    )
    assert isinstance(error, errors.InvalidAttributeName), error
    error = refused(
        "InvalidMessageContents", sqs.send_message, QueueUrl=url, MessageBody="bell \x07"
    )
    assert isinstance(error, errors.InvalidMessageContents), error

    def batch(*ids):
        return {"QueueUrl": url, "Entries": [{"Id": i, "MessageBody": "x"} for i in ids]}

    for name, ids in {
        "EmptyBatchRequest": [],
        "TooManyEntriesInBatchRequest": map(str, range(11)),
        "BatchEntryIdsNotDistinct": ["a", "a"],
        "InvalidBatchEntryId": ["a b"],
    }.items():
        error = refused(f"AWS.SimpleQueueService.{name}", sqs.send_message_batch, **batch(*ids))
        assert isinstance(error, getattr(errors, name)), error

    sqs.send_message(QueueUrl=url, MessageBody="x")
    [message] = receive(sqs, url, VisibilityTimeout=0)
    error = refused(
        "AWS.SimpleQueueService.MessageNotInflight",
        sqs.change_message_visibility,
        QueueUrl=url,
        ReceiptHandle=message["ReceiptHandle"],
        VisibilityTimeout=10,
    )
    assert isinstance(error, errors.MessageNotInflight), error
    # Codes that SQS never gave a shape have no class of their own either.
    refused("InvalidParameterValue", sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=11)
    refused("MissingParameter", sqs.send_message, QueueUrl=url, MessageBody="")


# --- What the scenarios say often -------------------------------------------------------------


def receive(sqs, url, **options):
    return sqs.receive_message(QueueUrl=url, **options).get("Messages", [])


def attributes(sqs, url, *names):
    asked = {"AttributeNames": names} if names else {}
    return sqs.get_queue_attributes(QueueUrl=url, **asked).get("Attributes", {})


def counts(sqs, url):
    """How many messages can be received, are in flight, are delayed."""
    found = attributes(sqs, url, "All")
    return tuple(
        int(found[f"ApproximateNumberOfMessages{kind}"]) for kind in ("", "NotVisible", "Delayed")
    )


def failures(answer):
    return [(each["Id"], each["Code"], each["SenderFault"]) for each in answer["Failed"]]


def refused(code, call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        same(code, error.response["Error"]["Code"], error)
        return error
    raise AssertionError(f"{call.__name__} was not refused with {code}")


def until(is_so):
    deadline = time.monotonic() + DEADLINE
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


if __name__ == "__main__":
    name, endpoint_url = sys.argv[1:]
    globals()[name](boto3.client("sqs", endpoint_url=endpoint_url))
