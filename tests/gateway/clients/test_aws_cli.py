"""The AWS CLI: the `aws` that people have in their scripts, with its own words and exit codes.

Each call starts the real executable, which takes most of a second. So there are few of them, and
what a library can try faster is left to the other clients.
"""

import base64
import hashlib
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests import clients

pytestmark = pytest.mark.timeout(clients.FIRST_RUN_DEADLINE)

BODY = " \t\"Grüße\" & <b>'日本'</b> \\ 🎉\r\nnext line\rand\n"
"""What JSON escapes, what others normalise (a carriage return), and what is long in UTF-8."""

REFUSED = 255
"""The exit code of `aws` version 1 for what the service refused; version 2 has 254."""

MOVE_DEADLINE = 20
"""Seconds for the endpoint to move a few messages."""


class Aws:
    """`aws sqs`, or another service, on the endpoint, with an account of its own."""

    def __init__(
        self,
        executable: Path,
        endpoint_url: str,
        service: str = "sqs",
        env: dict[str, str] | None = None,
    ) -> None:
        self._command = (executable, "--endpoint-url", endpoint_url, "--output", "json", service)
        self.env = env or clients.environment()

    def __call__(self, *words: str) -> Any:
        """Run a command that succeeds; return what it printed, or None if it printed nothing."""
        printed = clients.run(*self._command, *words, env=self.env)
        return json.loads(printed) if printed else None

    def refused(self, *words: str) -> str:
        """Run a command that the service refuses; return what it said."""
        done = subprocess.run(
            [*self._command, *words],
            env=self.env,
            timeout=clients.RUN_DEADLINE,
            capture_output=True,
            encoding="utf-8",
        )
        assert (done.returncode, done.stdout) == (REFUSED, ""), done
        return done.stderr.strip()


@pytest.fixture(scope="module")
def executable() -> Path:
    return clients.aws_cli()


@pytest.fixture
def aws(executable, endpoint_url) -> Aws:
    return Aws(executable, endpoint_url)


def test_a_queue_is_made_changed_and_deleted(aws):
    url = aws(
        *("create-queue", "--queue-name", "orders", "--tags", "team=größe,stage=test"),
        *("--attributes", "VisibilityTimeout=45,MessageRetentionPeriod=120"),
    )["QueueUrl"]
    queue = ("--queue-url", url)
    account = url.split("/")[-2]

    assert aws("list-queue-tags", *queue) == {"Tags": {"team": "größe", "stage": "test"}}
    aws(
        *("add-permission", *queue, "--label", "one", "--actions", "SendMessage"),
        *("--aws-account-ids", "111122223333"),
    )
    found = aws("get-queue-attributes", *queue, "--attribute-names", "All")["Attributes"]
    assert found["VisibilityTimeout"] == "45"
    assert found["MessageRetentionPeriod"] == "120"
    assert found["QueueArn"] == f"arn:aws:sqs:us-east-1:{account}:orders"
    [statement] = json.loads(found["Policy"])["Statement"]
    assert statement["Principal"] == {"AWS": "arn:aws:iam::111122223333:root"}

    assert aws("delete-queue", *queue) is None
    assert aws.refused("get-queue-url", "--queue-name", "orders") == (
        "An error occurred (AWS.SimpleQueueService.NonExistentQueue) when calling the "
        "GetQueueUrl operation: The specified queue does not exist."
    )


def test_a_message_comes_back_as_it_was_sent(aws, tmp_path):
    (tmp_path / "every.byte").write_bytes(bytes(range(256)))
    queue = ("--queue-url", aws("create-queue", "--queue-name", "orders")["QueueUrl"])
    sent = aws(
        *("send-message", *queue, "--message-body", BODY, "--message-attributes"),
        "City={DataType=String,StringValue='Any City'},"
        "Population={DataType=Number,StringValue=1250800},"
        f"Bytes={{DataType=Binary,BinaryValue@=fileb://{tmp_path}/every.byte}}",
    )
    assert sent["MD5OfMessageBody"] == hashlib.md5(BODY.encode()).hexdigest()

    [message] = aws(
        *("receive-message", *queue, "--wait-time-seconds", "5"),
        *("--message-attribute-names", "All", "--message-system-attribute-names", "All"),
    )["Messages"]
    assert message["Body"] == BODY
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert message["MessageAttributes"] == {
        "City": {"DataType": "String", "StringValue": "Any City"},
        "Population": {"DataType": "Number", "StringValue": "1250800"},
        "Bytes": {
            "DataType": "Binary",
            "BinaryValue": base64.b64encode(bytes(range(256))).decode(),
        },
    }
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"

    receipt = (*queue, "--receipt-handle", message["ReceiptHandle"])
    assert aws("change-message-visibility", *receipt, "--visibility-timeout", "60") is None
    assert aws("delete-message", *receipt) is None


def test_a_batch_says_which_of_its_entries_failed(aws, tmp_path):
    """And succeeds: what failed is in its answer."""
    entries = [
        {"Id": "first", "MessageBody": "one"},
        {"Id": "too-late", "MessageBody": "late", "DelaySeconds": 901},
        {"Id": "second", "MessageBody": BODY},
    ]
    (tmp_path / "entries.json").write_text(json.dumps(entries), "utf-8")
    queue = ("--queue-url", aws("create-queue", "--queue-name", "orders")["QueueUrl"])

    sent = aws("send-message-batch", *queue, "--entries", f"file://{tmp_path}/entries.json")
    assert [entry["Id"] for entry in sent["Successful"]] == ["first", "second"]
    [failed] = sent["Failed"]
    assert (failed["Id"], failed["Code"]) == ("too-late", "InvalidParameterValue")
    assert failed["SenderFault"] is True

    messages = aws("receive-message", *queue, "--max-number-of-messages", "10")["Messages"]
    assert {message["Body"] for message in messages} == {"one", BODY}
    handles = [message["ReceiptHandle"] for message in messages] + ["made up"]
    deleted = aws(
        *("delete-message-batch", *queue, "--entries"),
        *(f"Id={i},ReceiptHandle='{handle}'" for i, handle in enumerate(handles)),
    )
    assert [entry["Id"] for entry in deleted["Successful"]] == ["0", "1"]
    assert [entry["Code"] for entry in deleted["Failed"]] == ["ReceiptHandleIsInvalid"]


def test_a_fifo_queue_drops_repeats(aws):
    url = aws(
        *("create-queue", "--queue-name", "orders.fifo"),
        *("--attributes", "FifoQueue=true,ContentBasedDeduplication=true"),
    )["QueueUrl"]
    send = ("send-message", "--queue-url", url, "--message-body", "a", "--message-group-id", "red")

    first = aws(*send)

    assert len(first["SequenceNumber"]) == 20
    assert aws(*send) == first


def test_a_dead_letter_is_found_and_moved_back(aws):
    dead = ("--queue-url", aws("create-queue", "--queue-name", "dead")["QueueUrl"])
    asked = aws("get-queue-attributes", *dead, "--attribute-names", "QueueArn")
    arn = asked["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    url = aws(
        *("create-queue", "--queue-name", "orders"),
        *("--attributes", json.dumps({"RedrivePolicy": policy})),
    )["QueueUrl"]
    queue = ("--queue-url", url, "--visibility-timeout", "0")

    # The CLI fetches the pages, one queue each, and prints them as one.
    assert sorted(aws("list-queues", "--page-size", "1")["QueueUrls"]) == [dead[1], url]
    assert aws("list-dead-letter-source-queues", *dead) == {"queueUrls": [url]}

    aws("send-message", "--queue-url", url, "--message-body", "hello")
    assert len(aws("receive-message", *queue)["Messages"]) == 1
    assert aws("receive-message", *queue) is None
    task = aws("start-message-move-task", "--source-arn", arn)
    assert task["TaskHandle"]

    deadline = time.monotonic() + MOVE_DEADLINE
    while True:
        [found] = aws("list-message-move-tasks", "--source-arn", arn)["Results"]
        if found["Status"] == "COMPLETED":
            break
        assert time.monotonic() < deadline, found
    assert found["ApproximateNumberOfMessagesMoved"] == 1
    [message] = aws("receive-message", *queue)["Messages"]
    assert message["Body"] == "hello"


def test_a_message_on_a_topic_reaches_the_queue_whose_filter_lets_it(executable, endpoint_url):
    sqs = Aws(executable, endpoint_url)
    sns = Aws(executable, endpoint_url, "sns", sqs.env)
    topic = sns(
        *("create-topic", "--name", "orders", "--attributes", "DisplayName=größe"),
        *("--tags", "Key=team,Value=blue"),
    )["TopicArn"]
    url = sqs("create-queue", "--queue-name", "small")["QueueUrl"]
    queue = f"arn:aws:sqs:us-east-1:{sqs.env['AWS_ACCESS_KEY_ID']}:small"
    subscription = sns(
        *("subscribe", "--topic-arn", topic, "--protocol", "sqs", "--notification-endpoint", queue),
        *("--attributes", json.dumps({"FilterPolicy": '{"size":["small"]}'})),
    )["SubscriptionArn"]
    sns(
        *("set-subscription-attributes", "--subscription-arn", subscription),
        *("--attribute-name", "RawMessageDelivery", "--attribute-value", "true"),
    )

    sizes = {
        size: {"size": {"DataType": "String", "StringValue": size}} for size in ("large", "small")
    }
    published = sns(
        *("publish", "--topic-arn", topic, "--message", BODY),
        *("--message-attributes", json.dumps(sizes["small"])),
    )
    assert set(published) == {"MessageId"}
    entries = [
        {"Id": size, "Message": size, "MessageAttributes": attributes}
        for size, attributes in sizes.items()
    ]
    entries.append({"Id": "grouped", "Message": "x", "MessageDeduplicationId": "for FIFO topics"})
    batch = sns(
        *("publish-batch", "--topic-arn", topic),
        *("--publish-batch-request-entries", json.dumps(entries)),
    )
    assert [entry["Id"] for entry in batch["Successful"]] == ["large", "small"]
    [failed] = batch["Failed"]
    assert (failed["Id"], failed["Code"], failed["SenderFault"]) == (
        "grouped",
        "InvalidParameter",
        True,
    )

    messages = sqs("receive-message", "--queue-url", url, "--max-number-of-messages", "10")
    assert [message["Body"] for message in messages["Messages"]] == [BODY, "small"]
    tags = sns("list-tags-for-resource", "--resource-arn", topic)["Tags"]
    assert tags == [{"Key": "team", "Value": "blue"}]
    (listed,) = sns("list-subscriptions-by-topic", "--topic-arn", topic)["Subscriptions"]
    assert (listed["SubscriptionArn"], listed["Endpoint"]) == (subscription, queue)
    found = sns("get-topic-attributes", "--topic-arn", topic)["Attributes"]
    assert (found["DisplayName"], found["SubscriptionsConfirmed"]) == ("größe", "1")


def test_a_topic_that_is_not_there_is_said_so(executable, endpoint_url):
    sns = Aws(executable, endpoint_url, "sns")

    said = sns.refused(
        *("publish", "--topic-arn", "arn:aws:sns:us-east-1:000000000000:none", "--message", "x")
    )

    assert said == (
        "An error occurred (NotFound) when calling the Publish operation: Topic does not exist"
    )
