"""A worker that comes to the endpoint with boto3: the journals of `worker`, and no Redis in sight.

boto3 repeats what failed, in its standard mode. What it gives up on ends the worker, and fails the
test: a client of ours should see no more than that.
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any

from botocore.config import Config

from tests.gateway.command import sqs
from tests.soak.worker import BATCH, Orders, _Journal, _message

WAIT_S = 1
"""How long a consumer waits for a message before it looks whether it should go home."""
READ_S = 40
"""The longest that one try may take: longer than the endpoint tries to reach Redis, 30 s."""


def produce(orders: Orders, attempts: int) -> None:
    """Send this producer's share, one by one, and note what was acknowledged."""
    journal = _Journal(orders.journal)
    with closing(_client(orders, attempts)) as client:
        for number in range(orders.messages):
            message = _message(orders, number)
            more = {}
            if orders.groups:
                more["MessageGroupId"] = message.message_group_id
                more["MessageDeduplicationId"] = message.deduplication_id
            sent = client.send_message(QueueUrl=orders.queue, MessageBody=message.body, **more)
            journal.write([f"sent {message.body} {sent['MessageId']} {time.monotonic_ns()}"])


def consume(orders: Orders, attempts: int) -> None:
    """Receive, work and delete until told to stop."""
    journal = _Journal(orders.journal)
    deadline = time.monotonic() + orders.deadline_s
    with closing(_client(orders, attempts)) as client:
        while not orders.stop.exists() and time.monotonic() < deadline:
            asked = time.monotonic_ns()
            found = client.receive_message(
                QueueUrl=orders.queue,
                MaxNumberOfMessages=BATCH,
                WaitTimeSeconds=WAIT_S,
                MessageSystemAttributeNames=["MessageGroupId", "SequenceNumber"],
            ).get("Messages", ())
            if not found:
                continue
            at = time.monotonic_ns()
            journal.write(_got(one, asked, at) for one in found)
            if orders.work_s:
                time.sleep(orders.work_s)
            entries = [
                {"Id": str(place), "ReceiptHandle": one["ReceiptHandle"]}
                for place, one in enumerate(found)
            ]
            answer = client.delete_message_batch(QueueUrl=orders.queue, Entries=entries)
            at = time.monotonic_ns()
            outcomes = {one["Id"]: one["Code"] for one in answer.get("Failed", ())}
            journal.write(
                f"done {one['MessageId']} {outcomes.get(str(place), 'True')} {at}"
                for place, one in enumerate(found)
            )


def _got(one: dict[str, Any], asked: int, at: int) -> str:
    extra = one.get("Attributes", {})
    return (
        f"got {one['MessageId']} {one['Body']} {extra.get('MessageGroupId', '-')} "
        f"{extra.get('SequenceNumber', '-')} {asked} {at}"
    )


def _client(orders: Orders, attempts: int) -> Any:
    retries = {"mode": "standard", "total_max_attempts": attempts}
    return sqs(orders.url, config=Config(retries=retries, read_timeout=READ_S))
