"""boto3 itself, as users have it: every action over HTTP and in process, its resource, its
paginators, its exceptions; and SNS in rmq.testing.aws() and rmq.boto3_session().
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

import rmq
import rmq.testing
from rmq.testing import HeldClock, private_namespace
from tests.colours import in_thread
from tests.gateway.conftest import OWN_ACCOUNT
from tests.gateway.sdk import REGION, SNS, new_account
from tests.gateway.sns.drives import DRIVES

DOORS = ("http", "in process")


class Boto:
    """A boto3 client with the face of the tests' Sdk."""

    def __init__(self, client: Any, url: str | None, here: Any = None) -> None:
        self._client = client
        self._url = url
        self._here = here
        self.asked: set[str] = set()
        self.region = client.meta.region_name
        keys = client._request_signer._credentials
        self.account = keys.access_key if url is not None else OWN_ACCOUNT

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        async def call(**parameters: Any) -> dict[str, Any]:
            found = await in_thread(method, **parameters)
            assert found.pop("ResponseMetadata")["HTTPStatusCode"] == 200
            self.asked.add(self._client.meta.method_to_api_mapping[name])
            return dict(found)

        return call

    async def look(self, path: str) -> Any:
        """What a page of ours says in JSON."""
        if self._url is not None:
            with await in_thread(urllib.request.urlopen, self._url + path) as answer:
                return json.load(answer)
        from rmq.gateway.http import Request

        engine = self._here._engine
        path, _, query = path.partition("?")
        answer = await in_thread(
            lambda: engine.run(engine.endpoint(Request("GET", path, query, {}, b""))).result()
        )
        return json.loads(answer.body)


class FarClock:
    """Moves the clock of a served endpoint."""

    def __init__(self, url: str) -> None:
        self._url = url

    def move(self, seconds: float) -> None:
        body = json.dumps({"advance": seconds}).encode()
        urllib.request.urlopen(f"{self._url}/_rmq/clock", data=body).close()


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> Iterator[tuple[Boto, Boto, Any]]:
    """SNS and SQS of one account through boto3, and their clock."""
    once = Config(retries={"total_max_attempts": 1})
    if request.param == "http":
        url = request.getfixturevalue("endpoint_url")
        keys = {"aws_access_key_id": new_account(), "aws_secret_access_key": "x"}
        made = {
            name: boto3.client(name, endpoint_url=url, region_name=REGION, config=once, **keys)
            for name in ("sns", "sqs")
        }
        yield Boto(made["sns"], url), Boto(made["sqs"], url), FarClock(url)
        for one in made.values():
            one.close()
        return
    with rmq.testing.aws() as here:
        sns, sqs = (boto3.client(name, config=once) for name in ("sns", "sqs"))
        yield Boto(sns, None, here), Boto(sqs, None, here), here.clock


@pytest.mark.parametrize("operation", SNS.model.operation_names)
async def test_each_action_answers_boto3(operation: str, door: tuple[Boto, Boto, HeldClock]):
    sns, sqs, clock = door

    await DRIVES[operation](sns, sqs, clock)

    assert operation in sns.asked


def test_its_resource_works_in_process():
    with rmq.testing.aws():
        sns, sqs = boto3.resource("sns"), boto3.resource("sqs")
        topic = sns.create_topic(Name="orders", Attributes={"DisplayName": "Orders"})
        queue = sqs.create_queue(QueueName="orders")
        subscription = topic.subscribe(Protocol="sqs", Endpoint=queue.attributes["QueueArn"])
        subscription.set_attributes(AttributeName="RawMessageDelivery", AttributeValue="true")

        topic.publish(Message="one coffee")

        (message,) = queue.receive_messages()
        assert message.body == "one coffee"
        assert topic.attributes["DisplayName"] == "Orders"
        assert [one.arn for one in sns.topics.all()] == [topic.arn]
        assert [one.arn for one in topic.subscriptions.all()] == [subscription.arn]
        subscription.delete()
        topic.delete()
        assert list(sns.topics.all()) == []


def test_its_paginators_go_on_to_the_end():
    with rmq.testing.aws():
        sns = boto3.client("sns")
        arns = [sns.create_topic(Name=f"t{number:03}")["TopicArn"] for number in range(205)]
        for number in range(105):
            sns.subscribe(TopicArn=arns[0], Protocol="sms", Endpoint=f"+1555010{number:04}")

        pages = sns.get_paginator("list_topics").paginate()
        assert [one["TopicArn"] for page in pages for one in page["Topics"]] == arns
        pages = sns.get_paginator("list_subscriptions").paginate()
        assert sum(len(page["Subscriptions"]) for page in pages) == 105


def test_its_exceptions_are_raised_by_name():
    with rmq.testing.aws():
        sns = boto3.client("sns")
        arn = "arn:aws:sns:us-east-1:000000000000:none"

        with pytest.raises(sns.exceptions.NotFoundException) as caught:
            sns.publish(TopicArn=arn, Message="x")
        assert caught.value.response["Error"]["Message"] == "Topic does not exist"
        with pytest.raises(sns.exceptions.InvalidParameterException):
            sns.create_topic(Name="a b")
        with pytest.raises(sns.exceptions.ResourceNotFoundException):
            sns.list_tags_for_resource(ResourceArn=arn)


def test_each_use_of_the_fixture_begins_with_nothing(rmq_aws):
    sns = boto3.client("sns")
    topic = sns.create_topic(Name="orders")["TopicArn"]
    assert topic == f"arn:aws:sns:{REGION}:000000000000:orders"

    rmq_aws.reset()

    assert sns.list_topics()["Topics"] == []
    with pytest.raises(sns.exceptions.NotFoundException):
        sns.publish(TopicArn=topic, Message="x")


def test_an_endpoint_in_the_environment_does_not_lead_elsewhere(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", "http://192.0.2.1")
    with rmq.testing.aws():
        assert boto3.client("sns").list_topics()["Topics"] == []


def test_it_leaves_no_key_in_redis(servers):
    with servers.client("valkey") as admin:
        before = set(admin.scan_iter())
        with rmq.testing.aws(servers.url("valkey")):
            sns, sqs = boto3.client("sns"), boto3.client("sqs")
            topic = sns.create_topic(Name="orders")["TopicArn"]
            url = sqs.create_queue(QueueName="orders")["QueueUrl"]
            arn = f"arn:aws:sqs:{REGION}:000000000000:orders"
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
            sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint="+15550100123")
            sns.publish(TopicArn=topic, Message="x")
            assert sqs.receive_message(QueueUrl=url)["Messages"]
            assert len(set(admin.scan_iter()) - before) > 2
        assert set(admin.scan_iter()) <= before  # those of other tests may have expired


def test_a_session_meets_the_library_on_one_redis(servers):
    """What the library makes, boto3 finds, and the other way round."""
    url, namespace = servers.url("valkey"), private_namespace()
    with rmq.connect(url, namespace=namespace) as client:
        queue = client.create_queue("orders")
        topic = client.create_topic("orders")
        topic.subscribe(queue)
        sns = rmq.boto3_session(url, namespace=namespace).client("sns")
        assert sns.list_topics()["Topics"] == [{"TopicArn": topic.arn}]

        published = sns.publish(TopicArn=topic.arn, Message="one coffee")

        (message,) = queue.receive()
        envelope = message.json()
        assert envelope["MessageId"] == published["MessageId"]
        assert envelope["Message"] == "one coffee"
        client.wipe()
