"""boto3 itself, as users have it: every action over HTTP and in process, its paginators, waiters,
exceptions and event streams; and Kinesis in rmq.testing.aws() and rmq.boto3_session().
"""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config

import rmq
import rmq.testing
from rmq.testing import private_namespace
from tests.colours import PATIENCE, in_thread
from tests.gateway.conftest import OWN_ACCOUNT
from tests.gateway.kinesis.drives import DRIVES, HALF, ROLE, SHARD
from tests.gateway.kinesis.wire import MODEL
from tests.gateway.sdk import REGION, new_account

DOORS = ("http", "in process")
ONCE = Config(retries={"total_max_attempts": 1})


class Boto:
    """A boto3 client with the face of the tests' Kinesis."""

    def __init__(self, client: Any, account: str) -> None:
        self._client = client
        self.region = client.meta.region_name
        self.account = account
        self.asked: set[str] = set()

    def arn(self, resource: str) -> str:
        return f"arn:aws:kinesis:{self.region}:{self.account}:{resource}"

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        async def call(**parameters: Any) -> dict[str, Any]:
            found = await in_thread(method, **parameters)
            assert found.pop("ResponseMetadata")["HTTPStatusCode"] == 200
            self.asked.add(self._client.meta.method_to_api_mapping[name])
            return dict(found)

        return call

    async def events(self, **parameters: Any) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        answer = await self.subscribe_to_shard(**parameters)
        stream = iter(answer["EventStream"])
        while (event := await in_thread(next, stream, None)) is not None:
            ((kind, said),) = event.items()
            yield kind, said


class FarClock:
    """Moves the clock of a served endpoint."""

    def __init__(self, url: str) -> None:
        self._url = url

    def move(self, by: timedelta | float) -> None:
        seconds = by.total_seconds() if isinstance(by, timedelta) else by
        self._tell({"advance": seconds})

    def now(self) -> datetime:
        at = datetime.fromisoformat(self._tell({})["now"])
        return at.replace(microsecond=at.microsecond // 1000 * 1000)

    def freeze(self) -> None:
        self._tell({"freeze": datetime.now(UTC).replace(microsecond=0).isoformat()})

    def release(self) -> None:
        self._tell({"release": True})

    def _tell(self, change: dict[str, Any]) -> Any:
        body = json.dumps(change).encode()
        with urllib.request.urlopen(f"{self._url}/_rmq/clock", data=body) as answer:
            return json.load(answer)


@pytest.fixture(scope="class")
def here() -> Iterator[rmq.testing.aws]:
    """One for all: each test of the actions has an account of its own."""
    with rmq.testing.aws() as made:
        made.clock.freeze(datetime.now(UTC).replace(microsecond=0))
        boto3.client("kinesis").close()  # reads the model, once
        yield made


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> Iterator[tuple[Boto, Any]]:
    """Kinesis of an account of its own through boto3, and its clock, which stands still."""
    account = new_account()
    keys = {"aws_access_key_id": account, "aws_secret_access_key": "x"}
    if request.param == "http":
        url = request.getfixturevalue("endpoint_url")
        client = boto3.client("kinesis", endpoint_url=url, region_name=REGION, config=ONCE, **keys)
        clock = FarClock(url)
        clock.freeze()
        yield Boto(client, account), clock
        clock.release()
        client.close()
        return
    here = request.getfixturevalue("here")
    client = boto3.client("kinesis", region_name=REGION, config=ONCE, **keys)
    yield Boto(client, account), here.clock
    client.close()


class TestActions:
    @pytest.mark.parametrize("operation", MODEL.operation_names)
    async def test_each_one_answers_boto3(self, operation: str, door: tuple[Boto, Any]):
        kinesis, clock = door

        await DRIVES[operation](kinesis, clock)

        assert operation in kinesis.asked


def test_its_paginators_go_on_to_the_end(rmq_aws):
    kinesis = boto3.client("kinesis")
    for number in range(3):
        kinesis.create_stream(
            StreamName=f"s{number}", StreamModeDetails={"StreamMode": "ON_DEMAND"}
        )
    arn = kinesis.describe_stream_summary(StreamName="s0")["StreamDescriptionSummary"]["StreamARN"]
    for number in range(3):
        name = f"c{number}"
        kinesis.register_stream_consumer(StreamARN=arn, ConsumerName=name)
        kinesis.create_queue(QueueName=name, StreamConfigurationList=[{"StreamARN": arn}])
        record = {"RecordFormatType": "JSON"}
        storage = {
            "BucketARN": "arn:aws:s3:::my-bucket",
            "ExpectedBucketOwner": "123456789012",
            "CompressionType": "NONE",
        }
        kinesis.create_channel(
            ChannelName=name,
            ServiceExecutionRoleARN=ROLE,
            StreamConfigurationList=[{"StreamARN": arn, "RecordConfiguration": record}],
            S3DestinationConfiguration={"StorageConfiguration": storage},
        )

    def found(operation: str, member: str, name: str, **given: Any) -> list[str]:
        pages = kinesis.get_paginator(operation).paginate(**given, PaginationConfig={"PageSize": 2})
        return [one[name][-1:] for page in pages for one in page[member]]

    assert found("list_streams", "StreamSummaries", "StreamName") == ["0", "1", "2"]
    assert found("list_shards", "Shards", "ShardId", StreamARN=arn) == ["0", "1", "2", "3"]
    assert found("list_stream_consumers", "Consumers", "ConsumerName", StreamARN=arn) == [
        "0",
        "1",
        "2",
    ]
    assert found("list_queues", "QueueSummaries", "QueueName") == ["0", "1", "2"]
    assert found("list_channels", "ChannelSummaries", "ChannelName") == ["0", "1", "2"]
    pages = kinesis.get_paginator("describe_stream").paginate(
        StreamName="s0", PaginationConfig={"PageSize": 3}
    )
    shards = [one for page in pages for one in page["StreamDescription"]["Shards"]]
    assert len(shards) == 4


def test_its_waiters_wait_for_nothing(rmq_aws):
    kinesis = boto3.client("kinesis")
    kinesis.create_stream(StreamName="orders", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="orders")
    kinesis.delete_stream(StreamName="orders")
    kinesis.get_waiter("stream_not_exists").wait(StreamName="orders")


def test_its_exceptions_are_raised_by_name(rmq_aws):
    kinesis = boto3.client("kinesis")
    with pytest.raises(kinesis.exceptions.ResourceNotFoundException):
        kinesis.put_record(StreamName="orders", Data=b"x", PartitionKey="a")
    with pytest.raises(kinesis.exceptions.InvalidArgumentException):
        kinesis.get_records(ShardIterator="x")


def test_a_subscription_is_read_and_closed_in_process(rmq_aws):
    kinesis = boto3.client("kinesis")
    kinesis.create_stream(StreamName="orders", ShardCount=1)
    arn = f"arn:aws:kinesis:{REGION}:{OWN_ACCOUNT}:stream/orders"
    consumer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="c")["Consumer"]
    answer = kinesis.subscribe_to_shard(
        ConsumerARN=consumer["ConsumerARN"],
        ShardId=SHARD,
        StartingPosition={"Type": "TRIM_HORIZON"},
    )
    stream, found = answer["EventStream"], []
    first = threading.Event()

    def read() -> None:
        for event in stream:
            found.extend(event["SubscribeToShardEvent"]["Records"])
            first.set()

    reader = threading.Thread(target=read)
    reader.start()
    kinesis.put_record(StreamName="orders", Data=b"x", PartitionKey="a")
    assert first.wait(PATIENCE)
    stream.close()  # while the other thread waits for the next event
    reader.join(PATIENCE)
    assert not reader.is_alive()
    assert [one["Data"] for one in found] == [b"x"]


@pytest.mark.parametrize("is_late", [False, True])
def test_a_subscription_ends_with_its_engine(is_late):
    """Also for a reader that only begins when that is over."""
    begins = threading.Event()
    with rmq.testing.aws():
        kinesis = boto3.client("kinesis")
        kinesis.create_stream(StreamName="orders", ShardCount=1)
        arn = f"arn:aws:kinesis:{REGION}:{OWN_ACCOUNT}:stream/orders"
        consumer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="c")["Consumer"]
        answer = kinesis.subscribe_to_shard(
            ConsumerARN=consumer["ConsumerARN"],
            ShardId=SHARD,
            StartingPosition={"Type": "LATEST"},
        )
        events: list[Any] = []

        def read() -> None:
            begins.wait(PATIENCE)
            events.extend(answer["EventStream"])

        reader = threading.Thread(target=read)
        reader.start()
        if not is_late:
            begins.set()
    begins.set()
    reader.join(PATIENCE)
    assert not reader.is_alive()
    assert events == []


def test_each_use_of_the_fixture_begins_with_nothing(rmq_aws):
    kinesis = boto3.client("kinesis")
    kinesis.create_stream(StreamName="orders", ShardCount=1)
    kinesis.put_record(StreamName="orders", Data=b"x", PartitionKey="a")

    rmq_aws.reset()

    assert kinesis.list_streams()["StreamNames"] == []
    kinesis.create_stream(StreamName="orders", ShardCount=1)
    given = {"ShardId": SHARD, "ShardIteratorType": "TRIM_HORIZON"}
    iterator = kinesis.get_shard_iterator(StreamName="orders", **given)["ShardIterator"]
    assert kinesis.get_records(ShardIterator=iterator)["Records"] == []


def test_an_endpoint_in_the_environment_does_not_lead_elsewhere(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", "http://192.0.2.1")
    with rmq.testing.aws():
        assert boto3.client("kinesis").list_streams()["StreamNames"] == []


def test_it_leaves_no_key_in_redis(servers):
    with servers.client("valkey") as admin:
        before = set(admin.scan_iter())
        with rmq.testing.aws(servers.url("valkey")):
            kinesis = boto3.client("kinesis")
            mode = {"StreamMode": "ON_DEMAND"}
            kinesis.create_stream(StreamName="clicks", StreamModeDetails=mode)
            arn = f"arn:aws:kinesis:{REGION}:{OWN_ACCOUNT}:stream/clicks"
            start = {"Type": "TRIM_HORIZON"}
            queue = kinesis.create_queue(
                QueueName="q",
                StreamConfigurationList=[{"StreamARN": arn, "StartingPosition": start}],
            )["QueueDescription"]["QueueARN"]
            kinesis.put_record(StreamName="clicks", Data=b"x", PartitionKey="a")
            assert kinesis.receive_queue_records(QueueARN=queue)["QueueRecords"]
            assert len(set(admin.scan_iter()) - before) > 5
        assert set(admin.scan_iter()) <= before  # those of other tests may have expired


def test_a_session_meets_the_library_on_one_redis(servers):
    """What the library puts, boto3 gets, and the other way round."""
    url, namespace = servers.url("valkey"), private_namespace()
    with rmq.connect(url, namespace=namespace) as client:
        stream = client.create_stream("orders")
        stream.put("one coffee", "table-1")
        kinesis = rmq.boto3_session(url, namespace=namespace).client("kinesis")
        given = {"ShardId": SHARD, "ShardIteratorType": "TRIM_HORIZON"}
        iterator = kinesis.get_shard_iterator(StreamName="orders", **given)["ShardIterator"]
        (one,) = kinesis.get_records(ShardIterator=iterator)["Records"]
        assert (one["Data"], one["PartitionKey"]) == (b"one coffee", "table-1")

        kinesis.split_shard(StreamName="orders", ShardToSplit=SHARD, NewStartingHashKey=HALF)
        put = kinesis.put_record(StreamName="orders", Data=b"two", PartitionKey="table-1")
        (two,) = stream.read(put["ShardId"]).records
        assert (two.data, two.sequence_number) == (b"two", put["SequenceNumber"])
        client.wipe()
