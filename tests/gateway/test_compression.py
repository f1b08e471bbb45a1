"""A queue that compresses, seen through AWS's API: as any other."""

from __future__ import annotations

import hashlib
import html
import json
import secrets
import urllib.request

import boto3
import pytest
from botocore.exceptions import ClientError

import rmq
from rmq.core.compression import dictionary_number
from rmq.core.keys import QueueKeys
from tests.gateway.sdk import REGION


def order(number):
    return json.dumps({"order": number, "customer": f"C{number * 7}", "url": f"/orders/{number}"})


def test_boto3_sends_and_receives_as_with_any_other(endpoint, servers):
    sqs = boto3.client(
        "sqs",
        endpoint_url=endpoint.url,
        region_name=REGION,
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    name = f"compressed-{secrets.token_hex(4)}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    place = servers.url("endpoint")
    with rmq.connect(place, namespace=endpoint.namespace) as client:
        client.queue(name).set_attributes(compression="deflate")
    for start in range(0, 50, 10):
        entries = [
            {"Id": str(number), "MessageBody": order(number)} for number in range(start, start + 10)
        ]
        assert len(sqs.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]) == 10
    kind = {"kind": {"DataType": "String", "StringValue": "order"}}
    sent = sqs.send_message(QueueUrl=url, MessageBody=order(99), MessageAttributes=kind)

    raw = servers.client("endpoint")
    (_, fields), *_ = raw.xrevrange(QueueKeys(endpoint.namespace, name).log, count=1)
    raw.close()
    assert dictionary_number(fields[b"m"])
    with urllib.request.urlopen(f"{endpoint.url}/_aws/sqs/messages?QueueUrl={url}") as page:
        assert html.escape(order(99), quote=False) in page.read().decode()
    got = []
    while batch := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    ).get("Messages"):
        got += batch
    assert [one["Body"] for one in got] == [*map(order, range(50)), order(99)]
    digest = hashlib.md5(order(99).encode()).hexdigest()
    assert got[-1]["MD5OfBody"] == sent["MD5OfMessageBody"] == digest
    assert got[-1]["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert got[-1]["MessageAttributes"] == kind
    shown = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert not [name for name in shown if "ompress" in name]
    with pytest.raises(ClientError, match="Unknown Attribute Compression"):
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Compression": "deflate"})
    sqs.delete_queue(QueueUrl=url)
    sqs.close()
