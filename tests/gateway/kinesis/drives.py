"""Drives: for each action of Kinesis, what takes it through its variants, from the emptiest answer
to the fullest. They run in JSON and CBOR with the strict reading.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from rmq.testing import HeldClock
from tests.gateway.kinesis.wire import Kinesis

Drive = Callable[[Kinesis, HeldClock], Awaitable[None]]

DRIVES: dict[str, Drive] = {}
SHARD = "shardId-000000000000"
HALF = str(1 << 127)
ROLE = "arn:aws:iam::123456789012:role/kinesis"
BUCKET = {"BucketARN": "arn:aws:s3:::my-bucket", "ExpectedBucketOwner": "123456789012"}
TABLE = {
    "TableBucketARN": "arn:aws:s3tables:us-east-1:123456789012:bucket/tables",
    "Namespace": "sales",
    "TableName": "orders",
    "CompressionType": "ZSTD",
    "PartitionSpec": {"PartitionFields": [{"Transform": "TIME_HOUR", "SourceName": "at"}]},
}


def drives(operation: str) -> Callable[[Drive], Drive]:
    def note(drive: Drive) -> Drive:
        DRIVES[operation] = drive
        return drive

    return note


async def stream_of(kinesis: Kinesis, name: str = "orders", shards: int = 1, **more: Any) -> str:
    """A provisioned stream's ARN."""
    await kinesis.create_stream(StreamName=name, ShardCount=shards, **more)
    return kinesis.arn(f"stream/{name}")


async def on_demand_of(kinesis: Kinesis, name: str = "clicks", **more: Any) -> str:
    """An on-demand stream's ARN."""
    await kinesis.create_stream(
        StreamName=name, StreamModeDetails={"StreamMode": "ON_DEMAND"}, **more
    )
    return kinesis.arn(f"stream/{name}")


async def iterator_of(
    kinesis: Kinesis, name: str = "orders", shard: str = SHARD, **more: Any
) -> str:
    found = await kinesis.get_shard_iterator(
        StreamName=name, ShardId=shard, ShardIteratorType=more.pop("type", "TRIM_HORIZON"), **more
    )
    return str(found["ShardIterator"])


# --- streams -------------------------------------------------------------------------------------


@drives("CreateStream")
async def _create_stream(kinesis: Kinesis, clock: HeldClock) -> None:
    assert await kinesis.create_stream(StreamName="a", ShardCount=1) == {}
    full = {"Tags": {"team": "blue"}, "MaxRecordSizeInKiB": 2048}
    assert await kinesis.create_stream(StreamName="b", ShardCount=3, **full) == {}
    await on_demand_of(kinesis, RecordDistributionStrategy="AUTO")


@drives("DeleteStream")
async def _delete_stream(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    await kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="c")
    assert await kinesis.delete_stream(StreamName="orders", EnforceConsumerDeletion=True) == {}
    assert (await kinesis.list_streams())["StreamNames"] == []


@drives("DescribeStream")
async def _describe_stream(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis, shards=3)
    await kinesis.split_shard(
        StreamName="orders", ShardToSplit="shardId-000000000001", NewStartingHashKey=HALF
    )
    await kinesis.merge_shards(
        StreamARN=arn,
        ShardToMerge=SHARD,
        AdjacentShardToMerge="shardId-000000000003",
    )
    await kinesis.start_stream_encryption(
        StreamName="orders", EncryptionType="KMS", KeyId="alias/aws/kinesis"
    )
    await kinesis.enable_enhanced_monitoring(
        StreamName="orders", ShardLevelMetrics=["IncomingBytes"]
    )
    found = (await kinesis.describe_stream(StreamARN=arn, Limit=2))["StreamDescription"]
    assert found["HasMoreShards"]
    assert len(found["Shards"]) == 2
    assert found["EncryptionType"] == "KMS"
    rest = await kinesis.describe_stream(
        StreamName="orders", StreamARN=arn, ExclusiveStartShardId=found["Shards"][-1]["ShardId"]
    )
    rest = rest["StreamDescription"]
    assert not rest["HasMoreShards"]
    assert [one["ShardId"][-1] for one in rest["Shards"]] == ["2", "3", "4", "5"]
    assert rest["Shards"][-1]["AdjacentParentShardId"] == "shardId-000000000003"
    clock.move(86_401)
    later = (await kinesis.describe_stream(StreamARN=arn))["StreamDescription"]
    assert [one["ShardId"][-1] for one in later["Shards"]] == ["2", "4", "5"]


@drives("DescribeStreamSummary")
async def _describe_stream_summary(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    found = await kinesis.describe_stream_summary(StreamName="orders")
    found = found["StreamDescriptionSummary"]
    assert (found["StreamStatus"], found["OpenShardCount"]) == ("ACTIVE", 1)
    assert found["EnhancedMonitoring"] == [{"ShardLevelMetrics": []}]
    assert found["EncryptionType"] == "NONE"
    await _committed(kinesis)
    arn = await on_demand_of(kinesis, WarmThroughputMiBps=5)
    await kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="c")
    await queue_of(kinesis, arn)
    await channel_of(kinesis, arn)
    await kinesis.start_stream_encryption(
        StreamARN=arn, EncryptionType="KMS", KeyId="alias/aws/kinesis"
    )
    await kinesis.enable_enhanced_monitoring(StreamARN=arn, ShardLevelMetrics=["ALL"])
    found = await kinesis.describe_stream_summary(StreamARN=arn)
    found = found["StreamDescriptionSummary"]
    counts = ("ConsumerCount", "QueueCount", "ChannelCount")
    assert [found[one] for one in counts] == [1, 1, 1]
    assert len(found["EnhancedMonitoring"][0]["ShardLevelMetrics"]) == 7
    assert found["WarmThroughput"]["TargetMiBps"] == 5


@drives("ListStreams")
async def _list_streams(kinesis: Kinesis, clock: HeldClock) -> None:
    assert await kinesis.list_streams() == {
        "StreamNames": [],
        "StreamSummaries": [],
        "HasMoreStreams": False,
    }
    for name in "abc":
        await stream_of(kinesis, name)
    page = await kinesis.list_streams(Limit=2)
    assert (page["StreamNames"], page["HasMoreStreams"]) == (["a", "b"], True)
    assert [one["StreamStatus"] for one in page["StreamSummaries"]] == ["ACTIVE"] * 2
    rest = await kinesis.list_streams(NextToken=page["NextToken"])
    assert (rest["StreamNames"], rest["HasMoreStreams"]) == (["c"], False)
    rest = await kinesis.list_streams(ExclusiveStartStreamName="a")
    assert rest["StreamNames"] == ["b", "c"]


@drives("IncreaseStreamRetentionPeriod")
async def _increase_stream_retention_period(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    for hours in (48, 48):
        found = await kinesis.increase_stream_retention_period(
            StreamARN=arn, RetentionPeriodHours=hours
        )
        assert found == {}
    found = await kinesis.describe_stream_summary(StreamARN=arn)
    assert found["StreamDescriptionSummary"]["RetentionPeriodHours"] == 48


@drives("DecreaseStreamRetentionPeriod")
async def _decrease_stream_retention_period(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    await kinesis.increase_stream_retention_period(StreamARN=arn, RetentionPeriodHours=48)
    await kinesis.decrease_stream_retention_period(StreamName="orders", RetentionPeriodHours=24)
    found = await kinesis.describe_stream(StreamName="orders")
    assert found["StreamDescription"]["RetentionPeriodHours"] == 24


@drives("UpdateStreamMode")
async def _update_stream_mode(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    for mode in ("ON_DEMAND", "PROVISIONED"):
        found = await kinesis.update_stream_mode(
            StreamARN=arn, StreamModeDetails={"StreamMode": mode}
        )
        assert found == {}
        found = await kinesis.describe_stream_summary(StreamARN=arn)
        assert found["StreamDescriptionSummary"]["StreamModeDetails"] == {"StreamMode": mode}


@drives("UpdateMaxRecordSize")
async def _update_max_record_size(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    assert await kinesis.update_max_record_size(StreamARN=arn, MaxRecordSizeInKiB=10240) == {}
    found = await kinesis.describe_stream_summary(StreamARN=arn)
    assert found["StreamDescriptionSummary"]["MaxRecordSizeInKiB"] == 10240


@drives("UpdateStreamWarmThroughput")
async def _update_stream_warm_throughput(kinesis: Kinesis, clock: HeldClock) -> None:
    await _committed(kinesis)
    arn = await on_demand_of(kinesis)
    found = await kinesis.update_stream_warm_throughput(StreamARN=arn, WarmThroughputMiBps=6)
    assert found["WarmThroughput"]["TargetMiBps"] == 6
    assert found["StreamName"] == "clicks"


@drives("UpdateStreamRecordDistributionStrategy")
async def _update_stream_record_distribution_strategy(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await on_demand_of(kinesis)
    found = await kinesis.update_stream_record_distribution_strategy(
        StreamARN=arn, RecordDistributionStrategy="AUTO"
    )
    assert found == {}
    found = await kinesis.describe_stream_summary(StreamARN=arn)
    assert found["StreamDescriptionSummary"]["RecordDistributionStrategy"] == "AUTO"


@drives("StartStreamEncryption")
async def _start_stream_encryption(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    given = {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}
    assert await kinesis.start_stream_encryption(StreamName="orders", **given) == {}


@drives("StopStreamEncryption")
async def _stop_stream_encryption(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    given = {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}
    await kinesis.start_stream_encryption(StreamName="orders", **given)
    assert await kinesis.stop_stream_encryption(StreamName="orders", **given) == {}
    found = await kinesis.describe_stream(StreamName="orders")
    assert found["StreamDescription"]["EncryptionType"] == "NONE"


@drives("EnableEnhancedMonitoring")
async def _enable_enhanced_monitoring(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    found = await kinesis.enable_enhanced_monitoring(
        StreamARN=arn, ShardLevelMetrics=["IncomingBytes", "OutgoingBytes"]
    )
    assert found == {
        "StreamName": "orders",
        "StreamARN": arn,
        "CurrentShardLevelMetrics": [],
        "DesiredShardLevelMetrics": ["IncomingBytes", "OutgoingBytes"],
    }


@drives("DisableEnhancedMonitoring")
async def _disable_enhanced_monitoring(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    await kinesis.enable_enhanced_monitoring(StreamARN=arn, ShardLevelMetrics=["ALL"])
    found = await kinesis.disable_enhanced_monitoring(
        StreamARN=arn, ShardLevelMetrics=["IncomingBytes"]
    )
    assert len(found["CurrentShardLevelMetrics"]) == 7
    assert len(found["DesiredShardLevelMetrics"]) == 6


# --- shards --------------------------------------------------------------------------------------


@drives("ListShards")
async def _list_shards(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis, shards=3)
    assert len((await kinesis.list_shards(StreamARN=arn))["Shards"]) == 3
    page = await kinesis.list_shards(StreamName="orders", MaxResults=2)
    rest = await kinesis.list_shards(NextToken=page["NextToken"])
    assert [one["ShardId"][-1] for one in rest["Shards"]] == ["2"]
    assert "NextToken" not in rest
    rest = await kinesis.list_shards(StreamName="orders", ExclusiveStartShardId=SHARD)
    assert [one["ShardId"][-1] for one in rest["Shards"]] == ["1", "2"]
    await kinesis.merge_shards(
        StreamName="orders", ShardToMerge=SHARD, AdjacentShardToMerge="shardId-000000000001"
    )
    for shown, given in (
        ("0123", {"Type": "FROM_TRIM_HORIZON"}),
        ("23", {"Type": "AT_LATEST"}),
        ("3", {"Type": "AFTER_SHARD_ID", "ShardId": "shardId-000000000002"}),
        ("0123", {"Type": "FROM_TIMESTAMP", "Timestamp": clock.now()}),
    ):
        found = await kinesis.list_shards(StreamName="orders", ShardFilter=given)
        assert "".join(one["ShardId"][-1] for one in found["Shards"]) == shown


@drives("SplitShard")
async def _split_shard(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    given = {"ShardToSplit": SHARD, "NewStartingHashKey": HALF}
    assert await kinesis.split_shard(StreamARN=arn, **given) == {}


@drives("MergeShards")
async def _merge_shards(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis, shards=2)
    given = {"ShardToMerge": SHARD, "AdjacentShardToMerge": "shardId-000000000001"}
    assert await kinesis.merge_shards(StreamARN=arn, **given) == {}


@drives("UpdateShardCount")
async def _update_shard_count(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis, shards=2)
    found = await kinesis.update_shard_count(
        StreamName="orders", TargetShardCount=4, ScalingType="UNIFORM_SCALING"
    )
    assert found == {
        "StreamName": "orders",
        "StreamARN": arn,
        "CurrentShardCount": 2,
        "TargetShardCount": 4,
    }


# --- records -------------------------------------------------------------------------------------


@drives("PutRecord")
async def _put_record(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    first = await kinesis.put_record(StreamName="orders", Data=b"x", PartitionKey="a")
    assert set(first) == {"ShardId", "SequenceNumber", "EncryptionType"}
    second = await kinesis.put_record(
        StreamARN=arn,
        Data=b"",
        PartitionKey="a",
        ExplicitHashKey="0",
        SequenceNumberForOrdering=first["SequenceNumber"],
    )
    assert int(second["SequenceNumber"]) > int(first["SequenceNumber"])


@drives("PutRecords")
async def _put_records(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    records = [{"Data": bytes(400_000), "PartitionKey": str(one)} for one in range(3)]
    found = await kinesis.put_records(StreamName="orders", Records=records)
    assert found["FailedRecordCount"] == 1
    assert found["Records"][2]["ErrorCode"] == "ProvisionedThroughputExceededException"
    assert set(found["Records"][0]) == {"ShardId", "SequenceNumber"}
    clock.move(1)
    found = await kinesis.put_records(StreamName="orders", Records=records[:2])
    assert found["FailedRecordCount"] == 0


@drives("GetShardIterator")
async def _get_shard_iterator(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    put = await kinesis.put_record(StreamName="orders", Data=b"x", PartitionKey="a")
    number = {"StartingSequenceNumber": put["SequenceNumber"]}
    for kind, more, count in (
        ("TRIM_HORIZON", {}, 1),
        ("LATEST", {}, 0),
        ("AT_SEQUENCE_NUMBER", number, 1),
        ("AFTER_SEQUENCE_NUMBER", number, 0),
        ("AT_TIMESTAMP", {"Timestamp": clock.now()}, 1),
    ):
        iterator = await iterator_of(kinesis, type=kind, **more)
        assert 1 <= len(iterator) <= 512
        assert len((await kinesis.get_records(ShardIterator=iterator))["Records"]) == count


@drives("GetRecords")
async def _get_records(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    iterator = await iterator_of(kinesis)
    found = await kinesis.get_records(ShardIterator=iterator)
    assert (found["Records"], found["MillisBehindLatest"]) == ([], 0)
    await kinesis.put_record(StreamName="orders", Data=b"\x00\xff", PartitionKey="ä")
    following = found["NextShardIterator"]
    found = await kinesis.get_records(ShardIterator=f'"{following}"')
    assert len(found["Records"]) == 1
    found = await kinesis.get_records(ShardIterator=following, Limit=1)
    (one,) = found["Records"]
    assert (one["Data"], one["PartitionKey"], one["EncryptionType"]) == (b"\x00\xff", "ä", "NONE")
    assert one["ApproximateArrivalTimestamp"] == clock.now()
    await kinesis.split_shard(StreamName="orders", ShardToSplit=SHARD, NewStartingHashKey=HALF)
    end = await kinesis.get_records(ShardIterator=found["NextShardIterator"])
    assert "NextShardIterator" not in end
    assert [one["ParentShards"] for one in end["ChildShards"]] == [[SHARD], [SHARD]]


# --- consumers -----------------------------------------------------------------------------------


async def consumer_of(kinesis: Kinesis, arn: str, name: str = "c") -> str:
    found = await kinesis.register_stream_consumer(StreamARN=arn, ConsumerName=name)
    return str(found["Consumer"]["ConsumerARN"])


@drives("RegisterStreamConsumer")
async def _register_stream_consumer(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    found = await kinesis.register_stream_consumer(
        StreamARN=arn, ConsumerName="c", Tags={"team": "blue"}
    )
    made = found["Consumer"]
    assert made["ConsumerStatus"] == "CREATING"
    assert made["ConsumerARN"] == f"{arn}/consumer/c:{int(clock.now().timestamp())}"


@drives("DeregisterStreamConsumer")
async def _deregister_stream_consumer(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    consumer = await consumer_of(kinesis, arn)
    assert await kinesis.deregister_stream_consumer(ConsumerARN=consumer) == {}
    await consumer_of(kinesis, arn)
    assert await kinesis.deregister_stream_consumer(StreamARN=arn, ConsumerName="c") == {}


@drives("DescribeStreamConsumer")
async def _describe_stream_consumer(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    consumer = await consumer_of(kinesis, arn)
    for given in (
        {"ConsumerARN": consumer},
        {"StreamARN": arn, "ConsumerName": "c"},
        {"StreamARN": arn, "ConsumerName": "c", "ConsumerARN": consumer},
    ):
        found = (await kinesis.describe_stream_consumer(**given))["ConsumerDescription"]
        assert (found["ConsumerStatus"], found["StreamARN"]) == ("ACTIVE", arn)


@drives("ListStreamConsumers")
async def _list_stream_consumers(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    assert await kinesis.list_stream_consumers(StreamARN=arn) == {"Consumers": []}
    for name in "abc":
        await consumer_of(kinesis, arn, name)
    page = await kinesis.list_stream_consumers(StreamARN=arn, MaxResults=2)
    assert [one["ConsumerName"] for one in page["Consumers"]] == ["a", "b"]
    rest = await kinesis.list_stream_consumers(StreamARN=arn, NextToken=page["NextToken"])
    assert [one["ConsumerName"] for one in rest["Consumers"]] == ["c"]
    assert "NextToken" not in rest


@drives("SubscribeToShard")
async def _subscribe_to_shard(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    consumer = await consumer_of(kinesis, arn)
    put = await kinesis.put_record(StreamName="orders", Data=b"x", PartitionKey="a")
    start = {"Type": "TRIM_HORIZON"}
    events = kinesis.events(ConsumerARN=consumer, ShardId=SHARD, StartingPosition=start)
    kind, first = await anext(events)
    assert kind == "SubscribeToShardEvent"
    assert [one["Data"] for one in first["Records"]] == [b"x"]
    assert first["ContinuationSequenceNumber"] == put["SequenceNumber"]

    await kinesis.split_shard(StreamName="orders", ShardToSplit=SHARD, NewStartingHashKey=HALF)

    *_, last = [said async for _, said in events]
    assert "ContinuationSequenceNumber" not in last
    assert [one["ShardId"][-1] for one in last["ChildShards"]] == ["1", "2"]


# --- queues --------------------------------------------------------------------------------------


async def queue_of(
    kinesis: Kinesis, arn: str, name: str = "q", start: Any = None, **more: Any
) -> str:
    """The ARN of a queue on a stream, which begins at its oldest record."""
    start = start or {"Type": "TRIM_HORIZON"}
    found = await kinesis.create_queue(
        QueueName=name,
        StreamConfigurationList=[{"StreamARN": arn, "StartingPosition": start}],
        **more,
    )
    return str(found["QueueDescription"]["QueueARN"])


async def received(kinesis: Kinesis, queue: str, **more: Any) -> list[dict[str, Any]]:
    found = await kinesis.receive_queue_records(QueueARN=queue, **{"WaitTimeSeconds": 1, **more})
    return list(found["QueueRecords"])


async def dead_letter_of(kinesis: Kinesis, clock: HeldClock) -> tuple[str, dict[str, Any]]:
    """A queue, and a dead-letter record of it that was received."""
    arn = await on_demand_of(kinesis)
    letters = {"TargetType": "BUILT_IN", "MaxReceiveCount": 1}
    queue = await queue_of(kinesis, arn, QueueAttributes={"DeadLetterConfiguration": letters})
    await kinesis.put_record(StreamARN=arn, Data=b"bad", PartitionKey="a")
    (first,) = await received(kinesis, queue)
    clock.move(30)
    found = await kinesis.receive_dead_letter_queue_records(QueueARN=queue)
    (one,) = found["QueueRecords"]
    assert one["RecordId"] == first["RecordId"]
    assert one["ReceiptHandle"] != first["ReceiptHandle"]
    return queue, one


@drives("CreateQueue")
async def _create_queue(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await on_demand_of(kinesis)
    found = await kinesis.create_queue(
        QueueName="plain", StreamConfigurationList=[{"StreamARN": arn}]
    )
    made = found["QueueDescription"]
    assert made["QueueAttributes"] == {
        "VisibilityTimeoutSeconds": 30,
        "DeadLetterConfiguration": {"TargetType": "BUILT_IN", "MaxReceiveCount": 6},
    }
    assert made["StreamConfigurationList"][0]["StartingPosition"]["Type"] == "LATEST"
    start = {"Type": "AT_TIMESTAMP", "Timestamp": clock.now() - timedelta(minutes=1)}
    await queue_of(
        kinesis,
        arn,
        "full",
        start,
        Tags={"team": "blue"},
        QueueAttributes={
            "VisibilityTimeoutSeconds": 0,
            "DeadLetterConfiguration": {"TargetType": "NONE"},
        },
    )


@drives("DescribeQueue")
async def _describe_queue(kinesis: Kinesis, clock: HeldClock) -> None:
    queue = await queue_of(kinesis, await on_demand_of(kinesis))
    found = (await kinesis.describe_queue(QueueARN=queue))["QueueDescription"]
    assert (found["QueueStatus"], found["QueueName"]) == ("ACTIVE", "q")


@drives("UpdateQueue")
async def _update_queue(kinesis: Kinesis, clock: HeldClock) -> None:
    queue = await queue_of(kinesis, await on_demand_of(kinesis))
    found = await kinesis.update_queue(
        QueueARN=queue, QueueAttributes={"VisibilityTimeoutSeconds": 60}
    )
    assert found["QueueDescription"]["QueueAttributes"] == {
        "VisibilityTimeoutSeconds": 60,
        "DeadLetterConfiguration": {"TargetType": "BUILT_IN", "MaxReceiveCount": 6},
    }
    letters = {"DeadLetterConfiguration": {"TargetType": "NONE"}}
    await kinesis.update_queue(QueueARN=queue, QueueAttributes=letters)
    found = (await kinesis.describe_queue(QueueARN=queue))["QueueDescription"]
    assert found["QueueAttributes"] == {"VisibilityTimeoutSeconds": 60} | letters


@drives("DeleteQueue")
async def _delete_queue(kinesis: Kinesis, clock: HeldClock) -> None:
    queue = await queue_of(kinesis, await on_demand_of(kinesis))
    assert await kinesis.delete_queue(QueueARN=queue) == {}


@drives("ListQueues")
async def _list_queues(kinesis: Kinesis, clock: HeldClock) -> None:
    assert await kinesis.list_queues() == {"QueueSummaries": []}
    first, second = await on_demand_of(kinesis), await on_demand_of(kinesis, "other")
    for name in "abc":
        await queue_of(kinesis, first if name == "b" else second, name)
    page = await kinesis.list_queues(MaxResults=2)
    assert [one["QueueName"] for one in page["QueueSummaries"]] == ["a", "b"]
    rest = await kinesis.list_queues(NextToken=page["NextToken"])
    assert [one["QueueName"] for one in rest["QueueSummaries"]] == ["c"]
    found = await kinesis.list_queues(StreamFilter=[{"StreamARN": first}])
    assert [one["QueueName"] for one in found["QueueSummaries"]] == ["b"]


@drives("ReceiveQueueRecords")
async def _receive_queue_records(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await on_demand_of(kinesis)
    queue = await queue_of(kinesis, arn)
    await kinesis.put_record(StreamARN=arn, Data=b"x", PartitionKey="a")
    (one,) = await received(kinesis, queue, Limit=10, VisibilityTimeoutSeconds=5)
    assert (one["Data"], one["PartitionKey"], one["ReceiveCount"]) == (b"x", "a", 1)
    assert one["ApproximateArrivalTimestamp"] == one["FirstReceiveTimestamp"] == clock.now()


@drives("AcknowledgeQueueRecords")
async def _acknowledge_queue_records(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await on_demand_of(kinesis)
    queue = await queue_of(kinesis, arn)
    await kinesis.put_record(StreamARN=arn, Data=b"x", PartitionKey="a")
    (one,) = await received(kinesis, queue)
    handle = one["ReceiptHandle"]
    await _answers_each(kinesis.acknowledge_queue_records, queue, handle)


@drives("UpdateQueueRecordsVisibility")
async def _update_queue_records_visibility(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await on_demand_of(kinesis)
    queue = await queue_of(kinesis, arn)
    await kinesis.put_record(StreamARN=arn, Data=b"x", PartitionKey="a")
    (one,) = await received(kinesis, queue)
    await _answers_each(
        kinesis.update_queue_records_visibility,
        queue,
        one["ReceiptHandle"],
        VisibilityTimeoutSeconds=0,
    )
    (again,) = await received(kinesis, queue)
    assert (again["RecordId"], again["ReceiveCount"]) == (one["RecordId"], 2)


async def _answers_each(ask: Any, queue: str, handle: str, **more: Any) -> None:
    """One that is right, and one that is not."""
    entries = [{"ReceiptHandle": one, **more} for one in (handle, "nonsense")]
    found = await ask(QueueARN=queue, Entries=entries)
    assert found["Successful"] == [{"ReceiptHandle": handle}]
    (failed,) = found["Failed"]
    assert failed["ReceiptHandle"] == "nonsense"
    assert failed["ErrorCode"] == "InvalidArgumentException"
    assert failed["ErrorMessage"]


@drives("ReceiveDeadLetterQueueRecords")
async def _receive_dead_letter_queue_records(kinesis: Kinesis, clock: HeldClock) -> None:
    _, one = await dead_letter_of(kinesis, clock)
    assert (one["Data"], one["PartitionKey"]) == (b"bad", "a")


@drives("AcknowledgeDeadLetterQueueRecords")
async def _acknowledge_dead_letter_queue_records(kinesis: Kinesis, clock: HeldClock) -> None:
    queue, one = await dead_letter_of(kinesis, clock)
    await _answers_each(kinesis.acknowledge_dead_letter_queue_records, queue, one["ReceiptHandle"])


@drives("UpdateDeadLetterQueueRecordsVisibility")
async def _update_dead_letter_queue_records_visibility(kinesis: Kinesis, clock: HeldClock) -> None:
    queue, one = await dead_letter_of(kinesis, clock)
    await _answers_each(
        kinesis.update_dead_letter_queue_records_visibility,
        queue,
        one["ReceiptHandle"],
        VisibilityTimeoutSeconds=0,
    )
    found = await kinesis.receive_dead_letter_queue_records(QueueARN=queue)
    assert [again["RecordId"] for again in found["QueueRecords"]] == [one["RecordId"]]


@drives("RestoreDeadLetterQueueRecords")
async def _restore_dead_letter_queue_records(kinesis: Kinesis, clock: HeldClock) -> None:
    queue, one = await dead_letter_of(kinesis, clock)
    await _answers_each(kinesis.restore_dead_letter_queue_records, queue, one["ReceiptHandle"])
    (again,) = await received(kinesis, queue)
    assert (again["RecordId"], again["ReceiveCount"]) == (one["RecordId"], 1)


# --- channels ------------------------------------------------------------------------------------


async def channel_of(kinesis: Kinesis, arn: str, name: str = "ch", **more: Any) -> str:
    storage = {**BUCKET, "CompressionType": "GZIP"}
    found = await kinesis.create_channel(
        ChannelName=name,
        ServiceExecutionRoleARN=ROLE,
        StreamConfigurationList=[
            {"StreamARN": arn, "RecordConfiguration": {"RecordFormatType": "JSON"}}
        ],
        S3DestinationConfiguration={"StorageConfiguration": storage},
        **more,
    )
    assert found["ChannelDescription"]["ChannelStatus"] == "CREATING"
    return str(found["ChannelDescription"]["ChannelARN"])


@drives("CreateChannel")
async def _create_channel(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await on_demand_of(kinesis)
    storage = {
        **BUCKET,
        "CompressionType": "NONE",
        "OutputKeyTemplate": "a/{b}",
        "StorageClass": "GLACIER_IR",
    }
    text = {"RecordFormatType": "STRING"}
    await kinesis.create_channel(
        ChannelName="full",
        ServiceExecutionRoleARN=ROLE,
        StreamConfigurationList=[{"StreamARN": arn, "RecordConfiguration": text}],
        S3DestinationConfiguration={
            "DataFreshnessInSeconds": 60,
            "StorageConfiguration": storage,
            "DeadLetterQueueS3Configuration": {**BUCKET, "ErrorOutputPrefix": "bad/"},
        },
        EncryptionConfiguration={"EncryptionType": "KMS", "KeyId": "alias/mine"},
        Tags={"team": "blue"},
        LoggingConfiguration={
            "CloudWatchLogs": {"Enabled": True, "LogGroupName": "g", "LogStreamName": "s"}
        },
    )
    schema = "arn:aws:glue:us-east-1:123456789012:schema/registry/orders"
    await kinesis.create_channel(
        ChannelName="tables",
        ServiceExecutionRoleARN=ROLE,
        StreamConfigurationList=[
            {
                "StreamARN": arn,
                "RecordConfiguration": {"RecordFormatType": "GSR_JSON", "GSRSchemaARN": schema},
            }
        ],
        S3TablesDestinationConfiguration={
            "DeadLetterQueueS3Configuration": BUCKET,
            "S3TablesConfigurationList": [TABLE],
        },
    )


@drives("DescribeChannel")
async def _describe_channel(kinesis: Kinesis, clock: HeldClock) -> None:
    channel = await channel_of(kinesis, await on_demand_of(kinesis))
    found = (await kinesis.describe_channel(ChannelARN=channel))["ChannelDescription"]
    assert (found["ChannelStatus"], found["ChannelName"]) == ("ACTIVE", "ch")
    assert found["S3DestinationConfiguration"]["DataFreshnessInSeconds"] == 300


@drives("UpdateChannel")
async def _update_channel(kinesis: Kinesis, clock: HeldClock) -> None:
    channel = await channel_of(kinesis, await on_demand_of(kinesis))
    found = await kinesis.update_channel(
        ChannelARN=channel,
        S3DestinationConfiguration={"DataFreshnessInSeconds": 60},
        LoggingConfiguration={"CloudWatchLogs": {"Enabled": True, "LogGroupName": "g"}},
    )
    assert found["ChannelDescription"]["ChannelStatus"] == "UPDATING"
    found = (await kinesis.describe_channel(ChannelARN=channel))["ChannelDescription"]
    assert found["S3DestinationConfiguration"]["DataFreshnessInSeconds"] == 60
    assert found["LoggingConfiguration"]["CloudWatchLogs"]["LogGroupName"] == "g"


@drives("DeleteChannel")
async def _delete_channel(kinesis: Kinesis, clock: HeldClock) -> None:
    channel = await channel_of(kinesis, await on_demand_of(kinesis))
    assert await kinesis.delete_channel(ChannelARN=channel) == {}


@drives("ListChannels")
async def _list_channels(kinesis: Kinesis, clock: HeldClock) -> None:
    assert await kinesis.list_channels() == {"ChannelSummaries": []}
    first, second = await on_demand_of(kinesis), await on_demand_of(kinesis, "other")
    for name in "abc":
        await channel_of(kinesis, first if name == "b" else second, name)
    page = await kinesis.list_channels(MaxResults=2)
    assert [one["ChannelName"] for one in page["ChannelSummaries"]] == ["a", "b"]
    rest = await kinesis.list_channels(NextToken=page["NextToken"])
    assert [one["ChannelName"] for one in rest["ChannelSummaries"]] == ["c"]
    found = await kinesis.list_channels(StreamFilter=[{"StreamARN": first}])
    assert [one["ChannelName"] for one in found["ChannelSummaries"]] == ["b"]


# --- tags, policies, the account -----------------------------------------------------------------


@drives("AddTagsToStream")
async def _add_tags_to_stream(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    assert await kinesis.add_tags_to_stream(StreamARN=arn, Tags={"team": "blue", "e": ""}) == {}


@drives("ListTagsForStream")
async def _list_tags_for_stream(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    found = await kinesis.list_tags_for_stream(StreamName="orders")
    assert found == {"Tags": [], "HasMoreTags": False}
    await kinesis.add_tags_to_stream(StreamName="orders", Tags={"b": "2", "a": "1", "c": ""})
    page = await kinesis.list_tags_for_stream(StreamName="orders", Limit=2)
    assert page["HasMoreTags"]
    assert page["Tags"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    rest = await kinesis.list_tags_for_stream(StreamName="orders", ExclusiveStartTagKey="b")
    assert rest == {"Tags": [{"Key": "c", "Value": ""}], "HasMoreTags": False}


@drives("RemoveTagsFromStream")
async def _remove_tags_from_stream(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis, Tags={"a": "1", "b": "2"})
    await kinesis.remove_tags_from_stream(StreamName="orders", TagKeys=["a", "unknown"])
    found = await kinesis.list_tags_for_stream(StreamName="orders")
    assert found["Tags"] == [{"Key": "b", "Value": "2"}]


async def resources(kinesis: Kinesis) -> list[str]:
    """An ARN of each kind of thing that has tags and policies."""
    arn, clicks = await stream_of(kinesis), await on_demand_of(kinesis)
    return [
        arn,
        await consumer_of(kinesis, arn),
        await queue_of(kinesis, clicks),
        await channel_of(kinesis, clicks),
    ]


@drives("TagResource")
async def _tag_resource(kinesis: Kinesis, clock: HeldClock) -> None:
    for arn in await resources(kinesis):
        assert await kinesis.tag_resource(ResourceARN=arn, Tags={"team": "blue"}) == {}


@drives("UntagResource")
async def _untag_resource(kinesis: Kinesis, clock: HeldClock) -> None:
    for arn in await resources(kinesis):
        await kinesis.tag_resource(ResourceARN=arn, Tags={"a": "1", "b": "2"})
        assert await kinesis.untag_resource(ResourceARN=arn, TagKeys=["a", "no"]) == {}
        found = await kinesis.list_tags_for_resource(ResourceARN=arn)
        assert found["Tags"] == [{"Key": "b", "Value": "2"}]


@drives("ListTagsForResource")
async def _list_tags_for_resource(kinesis: Kinesis, clock: HeldClock) -> None:
    for arn in await resources(kinesis):
        assert await kinesis.list_tags_for_resource(ResourceARN=arn) == {"Tags": []}
        await kinesis.tag_resource(ResourceARN=arn, Tags={"a": ""})
        found = await kinesis.list_tags_for_resource(ResourceARN=arn)
        assert found == {"Tags": [{"Key": "a", "Value": ""}]}


def policy_for(arn: str) -> str:
    return (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},'
        f'"Action":"kinesis:GetRecords","Resource":"{arn}"}}]}}'
    )


@drives("PutResourcePolicy")
async def _put_resource_policy(kinesis: Kinesis, clock: HeldClock) -> None:
    for arn in (await resources(kinesis))[:3]:
        assert await kinesis.put_resource_policy(ResourceARN=arn, Policy=policy_for(arn)) == {}


@drives("GetResourcePolicy")
async def _get_resource_policy(kinesis: Kinesis, clock: HeldClock) -> None:
    for arn in (await resources(kinesis))[:3]:
        await kinesis.put_resource_policy(ResourceARN=arn, Policy=policy_for(arn))
        assert await kinesis.get_resource_policy(ResourceARN=arn) == {"Policy": policy_for(arn)}


@drives("DeleteResourcePolicy")
async def _delete_resource_policy(kinesis: Kinesis, clock: HeldClock) -> None:
    for arn in (await resources(kinesis))[:3]:
        await kinesis.put_resource_policy(ResourceARN=arn, Policy=policy_for(arn))
        assert await kinesis.delete_resource_policy(ResourceARN=arn) == {}


@drives("DescribeLimits")
async def _describe_limits(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis, shards=3)
    await channel_of(kinesis, await on_demand_of(kinesis))
    found = await kinesis.describe_limits()
    counts = ("OpenShardCount", "OnDemandStreamCount", "ChannelCount")
    assert [found[one] for one in counts] == [7, 1, 1]


async def _committed(kinesis: Kinesis) -> None:
    """Switch the account to on-demand advantage."""
    await kinesis.update_account_settings(MinimumThroughputBillingCommitment={"Status": "ENABLED"})


@drives("DescribeAccountSettings")
async def _describe_account_settings(kinesis: Kinesis, clock: HeldClock) -> None:
    found = await kinesis.describe_account_settings()
    assert found == {"MinimumThroughputBillingCommitment": {"Status": "DISABLED"}}


@drives("UpdateAccountSettings")
async def _update_account_settings(kinesis: Kinesis, clock: HeldClock) -> None:
    for wanted, status in (
        ("ENABLED", "ENABLED"),
        ("DISABLED", "ENABLED_UNTIL_EARLIEST_ALLOWED_END"),
    ):
        found = await kinesis.update_account_settings(
            MinimumThroughputBillingCommitment={"Status": wanted}
        )
        assert found["MinimumThroughputBillingCommitment"]["Status"] == status
    clock.move(timedelta(hours=24))
    found = await kinesis.describe_account_settings()
    assert found["MinimumThroughputBillingCommitment"]["Status"] == "DISABLED"
