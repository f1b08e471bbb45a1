"""Errors: each that Kinesis's model lists, and those that it leaves out, with their words.

Each has its natural cause, or where an endpoint like this has none, a fault that /_rmq/faults was
asked for. Source: Errors (Amazon Kinesis Data Streams API Reference); kinesis.md, section 11.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

import rmq
from rmq.gateway.app import Endpoint
from rmq.gateway.http import Request
from rmq.testing import HeldClock
from tests.gateway.kinesis.drives import (
    BUCKET,
    HALF,
    ROLE,
    SHARD,
    channel_of,
    consumer_of,
    iterator_of,
    on_demand_of,
    queue_of,
    stream_of,
)
from tests.gateway.kinesis.wire import GENERIC, MODEL, PROTOCOLS, Kinesis
from tests.gateway.sdk import Refused, authorization, refusal

Cause = Callable[[Kinesis, HeldClock], Awaitable[Any]]
OTHER = "shardId-000000000001"
NUMBER = "49" + "0" * 54


@dataclass(frozen=True)
class Error:
    """An error, what it says, and how to come by it."""

    shape: str
    message: str
    """With * for what differs from one time to the next."""
    cause: Cause
    why: str


ERRORS: list[Error] = []


def error(shape: str, message: str) -> Callable[[Cause], Cause]:
    """Note what the function below causes."""

    def note(cause: Cause) -> Cause:
        why = cause.__name__.strip("_").replace("_", " ")
        ERRORS.append(Error(shape, message, cause, why))
        return cause

    return note


def invalid(message: str) -> Callable[[Cause], Cause]:
    return error("InvalidArgumentException", message)


def not_valid(message: str) -> Callable[[Cause], Cause]:
    return error("ValidationException", message)


def not_found(message: str) -> Callable[[Cause], Cause]:
    return error("ResourceNotFoundException", message)


def in_use(message: str) -> Callable[[Cause], Cause]:
    return error("ResourceInUseException", message)


def limit(message: str) -> Callable[[Cause], Cause]:
    return error("LimitExceededException", message)


# --- by the model --------------------------------------------------------------------------------


@not_valid(
    "1 validation error detected: Value 'x y' at 'streamName' failed to satisfy constraint: Member "
    "must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
)
async def _a_name_has_a_space(kinesis: Kinesis, clock: HeldClock) -> None:
    await kinesis.describe_stream(StreamName="x y")


@not_valid(
    "1 validation error detected: Value null at 'records' failed to satisfy constraint: Member "
    "must not be null"
)
async def _nothing_is_put(kinesis: Kinesis, clock: HeldClock) -> None:
    await kinesis.put_records(StreamName="x")


@not_valid(
    "2 validation errors detected: Value '' at 'records.1.member.partitionKey' failed to satisfy "
    "constraint: Member must have length greater than or equal to 1; Value null at "
    "'records.2.member.data' failed to satisfy constraint: Member must not be null"
)
async def _two_records_are_wrong(kinesis: Kinesis, clock: HeldClock) -> None:
    wrong = [{"Data": b"x", "PartitionKey": ""}, {"PartitionKey": "x"}]
    await kinesis.put_records(StreamName="x", Records=wrong)


@not_valid(
    "1 validation error detected: Value '[[]501 members]' at 'records' failed to satisfy "
    "constraint: Member must have length less than or equal to 500"
)
async def _a_batch_is_too_long(kinesis: Kinesis, clock: HeldClock) -> None:
    records = [{"Data": b"x", "PartitionKey": "x"}] * 501
    await kinesis.put_records(StreamName="x", Records=records)


@not_valid(
    "1 validation error detected: Value 'NEWEST' at 'shardIteratorType' failed to satisfy "
    "constraint: Member must satisfy enum value set: [[]AFTER_SEQUENCE_NUMBER, AT_SEQUENCE_NUMBER, "
    "AT_TIMESTAMP, LATEST, TRIM_HORIZON]"
)
async def _an_iterator_type_is_unknown(kinesis: Kinesis, clock: HeldClock) -> None:
    await kinesis.get_shard_iterator(StreamName="x", ShardId=SHARD, ShardIteratorType="NEWEST")


@not_valid("* at 'limit' failed to satisfy constraint: Member must have value less than or equal*")
async def _too_many_records_are_wanted(kinesis: Kinesis, clock: HeldClock) -> None:
    await kinesis.get_records(ShardIterator="x", Limit=10_001)


@error("SerializationException", "NUMBER_VALUE can not be converted to a String (at StreamName)")
async def _a_name_is_a_number(kinesis: Kinesis, clock: HeldClock) -> None:
    await kinesis.describe_stream(StreamName=5)


@error("UnknownOperationException", "The action Kinesis_20131202.Fly is not valid *")
async def _an_action_is_unknown(kinesis: Kinesis, clock: HeldClock) -> None:
    request = kinesis.request("ListStreams", {})
    request.headers = {**request.headers, "x-amz-target": "Kinesis_20131202.Fly"}
    raise kinesis.refused_in(await kinesis.carry(request))


# --- streams -------------------------------------------------------------------------------------


@invalid("Either StreamName or StreamARN should be provided.")
async def _nobody_says_which_stream(kinesis: Kinesis, clock: HeldClock) -> None:
    await kinesis.describe_stream()


@invalid("StreamName a and the stream of StreamARN * are not the same.")
async def _name_and_arn_disagree(kinesis: Kinesis, clock: HeldClock) -> None:
    await kinesis.describe_stream(StreamName="a", StreamARN=kinesis.arn("stream/b"))


@not_found("Stream orders under account 000000000000 not found.")
async def _the_stream_is_not_there(kinesis: Kinesis, clock: HeldClock) -> None:
    await kinesis.put_record(StreamName="orders", Data=b"x", PartitionKey="x")


@not_found("Stream orders under account 123456789012 not found.")
async def _the_stream_of_somebody_else_is_not_there(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = "arn:aws:kinesis:us-east-1:123456789012:stream/orders"
    await kinesis.list_shards(StreamARN=arn)


@not_found("Stream orders under account 000000000000 not found.")
async def _the_stream_is_deleted_twice(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    await kinesis.delete_stream(StreamName="orders")
    await kinesis.delete_stream(StreamName="orders")


@in_use("Stream orders under account 000000000000 already exists.")
async def _the_name_is_taken(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    await stream_of(kinesis)


@invalid("ShardCount must be specified for a stream in PROVISIONED mode.")
async def _a_provisioned_stream_has_no_shard_count(kinesis: Kinesis, clock: HeldClock) -> None:
    await kinesis.create_stream(StreamName="orders")


@invalid("ShardCount must not be specified for a stream in ON_DEMAND mode.")
async def _an_on_demand_stream_has_a_shard_count(kinesis: Kinesis, clock: HeldClock) -> None:
    await on_demand_of(kinesis, ShardCount=1)


@limit("shard_count is 10001; it must be 1 to 10000")
async def _a_stream_is_to_have_more_shards_than_any_may(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis, shards=10_001)


@in_use("Stream orders under account 000000000000*registered consumers*")
async def _a_stream_with_consumers_is_deleted(kinesis: Kinesis, clock: HeldClock) -> None:
    await consumer_of(kinesis, await stream_of(kinesis))
    await kinesis.delete_stream(StreamName="orders")


@in_use("Stream clicks under account 000000000000 has 1 queues; delete them first.")
async def _a_stream_with_queues_is_deleted(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await on_demand_of(kinesis)
    await queue_of(kinesis, arn)
    await kinesis.delete_stream(StreamARN=arn, EnforceConsumerDeletion=True)


@in_use("Stream clicks under account 000000000000 has 1 channels; delete them first.")
async def _a_stream_with_channels_is_deleted(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await on_demand_of(kinesis)
    await channel_of(kinesis, arn)
    await kinesis.delete_stream(StreamARN=arn)


@invalid(
    "Minimum allowed retention period is 24 hours. Requested retention period (23 hours) is too "
    "short."
)
async def _a_retention_is_too_short(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    await kinesis.decrease_stream_retention_period(StreamARN=arn, RetentionPeriodHours=23)


@invalid(
    "Maximum allowed retention period is 8760 hours. Requested retention period (8761 hours) is "
    "too long."
)
async def _a_retention_is_too_long(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    await kinesis.increase_stream_retention_period(StreamARN=arn, RetentionPeriodHours=8761)


@invalid(
    "Requested retention period (24 hours) for stream orders can not be shorter than existing "
    "retention period (48 hours). Use DecreaseRetentionPeriod API."
)
async def _a_retention_is_increased_to_less(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    await kinesis.increase_stream_retention_period(StreamARN=arn, RetentionPeriodHours=48)
    await kinesis.increase_stream_retention_period(StreamARN=arn, RetentionPeriodHours=24)


@not_valid("* at 'maxRecordSizeInKiB' failed to satisfy constraint: * less than or equal to 10240")
async def _a_record_size_is_too_large(kinesis: Kinesis, clock: HeldClock) -> None:
    await kinesis.update_max_record_size(
        StreamARN=kinesis.arn("stream/x"), MaxRecordSizeInKiB=10241
    )


@limit("*mode switches*")
async def _the_mode_is_switched_too_often(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    for mode in ("ON_DEMAND", "PROVISIONED", "ON_DEMAND"):
        await kinesis.update_stream_mode(StreamARN=arn, StreamModeDetails={"StreamMode": mode})


@in_use("Stream clicks under account 000000000000 has queues; delete them first.")
async def _a_stream_with_queues_is_to_be_provisioned(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await on_demand_of(kinesis)
    await queue_of(kinesis, arn)
    given = {"StreamMode": "PROVISIONED"}
    await kinesis.update_stream_mode(StreamARN=arn, StreamModeDetails=given)


@invalid("Stream orders under account 000000000000 is in Provisioned mode, which has no record*")
async def _a_provisioned_stream_distributes_by_itself(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    await kinesis.update_stream_record_distribution_strategy(
        StreamARN=arn, RecordDistributionStrategy="AUTO"
    )


@not_valid("Request is invalid. Stream orders under account 000000000000 is in Provisioned mode.")
async def _a_provisioned_stream_is_warmed(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    await kinesis.update_stream_warm_throughput(StreamARN=arn, WarmThroughputMiBps=5)


@invalid("*inimum*hroughput*illing*ommitment*")
async def _a_stream_is_warmed_without_a_commitment(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await on_demand_of(kinesis)
    await kinesis.update_stream_warm_throughput(StreamARN=arn, WarmThroughputMiBps=5)


# --- shards --------------------------------------------------------------------------------------


@not_found("Could not find shard shardId-000000000007 in stream orders under account 000000000000.")
async def _a_shard_to_split_is_not_there(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    given = {"ShardToSplit": "shardId-000000000007", "NewStartingHashKey": HALF}
    await kinesis.split_shard(StreamName="orders", **given)


@in_use(
    f"Shard {SHARD} in stream orders under account 000000000000 has already been merged or split, "
    "and thus is not eligible for merging or splitting."
)
async def _a_shard_is_split_twice(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    given = {"ShardToSplit": SHARD, "NewStartingHashKey": HALF}
    await kinesis.split_shard(StreamName="orders", **given)
    await kinesis.split_shard(StreamName="orders", **given)


@invalid(
    f"NewStartingHashKey 1 used in SplitShard() on shard {SHARD} in stream orders under account "
    "000000000000 is not both greater than one plus the shard's StartingHashKey 0 and less than "
    "the shard's EndingHashKey 340282366920938463463374607431768211455."
)
async def _a_shard_is_split_at_its_edge(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    given = {"ShardToSplit": SHARD, "NewStartingHashKey": "1"}
    await kinesis.split_shard(StreamName="orders", **given)


@invalid(
    f"Shards {SHARD} and shardId-000000000002 in stream orders under account 000000000000 are not "
    "an adjacent pair of shards eligible for merging"
)
async def _shards_to_merge_are_far_apart(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis, shards=3)
    given = {"ShardToMerge": SHARD, "AdjacentShardToMerge": "shardId-000000000002"}
    await kinesis.merge_shards(StreamName="orders", **given)


@not_valid("Request is invalid. Stream clicks under account 000000000000 is in On-Demand mode.")
async def _an_on_demand_stream_is_split(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await on_demand_of(kinesis)
    await kinesis.split_shard(StreamARN=arn, ShardToSplit=SHARD, NewStartingHashKey=HALF)


@invalid(
    "UpdateShardCount cannot scale up over double your current open shard count. Current open "
    "shard count: 1 Target shard count: 3"
)
async def _shards_are_more_than_doubled(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    given = {"TargetShardCount": 3, "ScalingType": "UNIFORM_SCALING"}
    await kinesis.update_shard_count(StreamName="orders", **given)


@invalid("NextToken and StreamName cannot be provided together.")
async def _a_token_comes_with_a_name(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis, shards=2)
    page = await kinesis.list_shards(StreamName="orders", MaxResults=1)
    await kinesis.list_shards(StreamName="orders", NextToken=page["NextToken"])


@error("ExpiredNextTokenException", "NextToken has expired: *")
async def _a_token_is_too_old(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis, shards=2)
    page = await kinesis.list_shards(StreamName="orders", MaxResults=1)
    clock.move(301)
    await kinesis.list_shards(NextToken=page["NextToken"])


@invalid("NextToken is invalid.")
async def _a_token_is_of_another_action(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis, shards=2)
    page = await kinesis.list_shards(StreamName="orders", MaxResults=1)
    await kinesis.list_queues(NextToken=page["NextToken"])


@invalid("shard_id is missing; AFTER_SHARD_ID needs it")
async def _a_filter_lacks_its_shard(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    await kinesis.list_shards(StreamName="orders", ShardFilter={"Type": "AFTER_SHARD_ID"})


@invalid("shard_id is 'shardId-000000000000'; it must be left out but for A*")
async def _a_filter_of_open_shards_names_one(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    found = {"Type": "AT_LATEST", "ShardId": SHARD}
    await kinesis.list_shards(StreamName="orders", ShardFilter=found)


@invalid("timestamp is 2*; it must be left out but for A*")
async def _a_filter_of_open_shards_has_a_time(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    found = {"Type": "AT_LATEST", "Timestamp": clock.now()}
    await kinesis.list_shards(StreamName="orders", ShardFilter=found)


# --- records -------------------------------------------------------------------------------------


@invalid(
    "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [[]0, 2^128-1]. Specified "
    "value was 340282366920938463463374607431768211456"
)
async def _a_hash_key_is_too_large(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    bad = {"Data": b"x", "PartitionKey": "x", "ExplicitHashKey": str(1 << 128)}
    good = {"Data": b"x", "PartitionKey": "x"}
    refused = await refusal(kinesis.put_records(StreamName="orders", Records=[good, bad]))
    iterator = await iterator_of(kinesis)
    assert (await kinesis.get_records(ShardIterator=iterator))["Records"] == []
    raise refused


@invalid("Record of 1048577 bytes, * is larger than the maximum record size of stream orders: *")
async def _a_record_is_too_large(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    await kinesis.put_record(StreamName="orders", Data=bytes(1 << 20), PartitionKey="x")


@invalid("Records size exceeds 10 MB limit")
async def _all_records_are_too_large(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    records = [{"Data": bytes(1_000_000), "PartitionKey": "x"}] * 11
    await kinesis.put_records(StreamName="orders", Records=records)


@invalid("PartitionKey must be specified for a stream that distributes by it.")
async def _a_record_has_no_partition_key(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    await kinesis.put_record(StreamName="orders", Data=b"x")


@invalid("ExclusiveMinimumSequenceNumber 7 used in PutRecord on stream orders under account *")
async def _an_order_is_after_a_number_of_nobody(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    await kinesis.put_record(
        StreamName="orders", Data=b"x", PartitionKey="x", SequenceNumberForOrdering="7"
    )


@invalid("ExclusiveMinimumSequenceNumber 7 used in PutRecord on stream orders under account *")
async def _an_order_after_a_number_of_nobody_is_tried(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    await kinesis.put_record(
        StreamName="orders",
        Data=b"x",
        PartitionKey="x",
        SequenceNumberForOrdering="7",
        DryRun=True,
    )


@error(
    "ProvisionedThroughputExceededException",
    f"Rate exceeded for shard {SHARD} in stream orders under account 000000000000.",
)
async def _a_shard_gets_too_much(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    for _ in range(3):
        await kinesis.put_record(StreamName="orders", Data=bytes(400_000), PartitionKey="x")


@error("DryRunOperationException", "The request would have succeeded, but DryRun was set.")
async def _a_put_is_only_tried(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    iterator = await iterator_of(kinesis)
    one = {"Data": b"x", "PartitionKey": "x"}
    for ask in (
        kinesis.put_record(StreamName="orders", DryRun=True, **one),
        kinesis.put_records(StreamName="orders", DryRun=True, Records=[one]),
        kinesis.get_shard_iterator(
            StreamName="orders", ShardId=SHARD, ShardIteratorType="LATEST", DryRun=True
        ),
    ):
        assert (await refusal(ask)).shape == "DryRunOperationException"
    assert (await kinesis.get_records(ShardIterator=iterator))["Records"] == []
    await kinesis.get_records(ShardIterator=iterator, DryRun=True)


@not_found("Stream orders under account 000000000000 not found.")
async def _a_put_to_no_stream_is_only_tried(kinesis: Kinesis, clock: HeldClock) -> None:
    await kinesis.put_record(StreamName="orders", Data=b"x", PartitionKey="x", DryRun=True)


@not_found("Shard shardId-000000000007 in stream orders under account 000000000000 does not exist")
async def _a_shard_to_read_is_not_there(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    await iterator_of(kinesis, shard="shardId-000000000007")


@not_found("Shard seven in stream orders under account 000000000000 does not exist")
async def _a_shard_can_not_have_that_name(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    await iterator_of(kinesis, shard="seven")


@invalid("Must specify StartingSequenceNumber for ShardIteratorType AT_SEQUENCE_NUMBER.")
async def _an_iterator_lacks_its_number(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    await iterator_of(kinesis, type="AT_SEQUENCE_NUMBER")


@invalid("Must either specify (1) * Request specified LATEST and also a StartingSequenceNumber.")
async def _an_iterator_has_a_number_and_no_use_for_it(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    await iterator_of(kinesis, type="LATEST", StartingSequenceNumber=NUMBER)


@invalid("Must specify Timestamp for ShardIteratorType AT_TIMESTAMP.")
async def _an_iterator_lacks_its_time(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    await iterator_of(kinesis, type="AT_TIMESTAMP")


@invalid(
    f"StartingSequenceNumber {NUMBER} used in GetShardIterator on shard {SHARD} in stream orders "
    "under account 000000000000 is invalid because it did not come from this stream."
)
async def _an_iterator_begins_at_a_number_of_nobody(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    await iterator_of(kinesis, type="AT_SEQUENCE_NUMBER", StartingSequenceNumber=NUMBER)


@invalid("The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. *")
async def _an_iterator_begins_in_the_future(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    at = clock.now() + timedelta(seconds=1)
    await iterator_of(kinesis, type="AT_TIMESTAMP", Timestamp=at)


@invalid("Invalid ShardIterator.")
async def _an_iterator_is_none(kinesis: Kinesis, clock: HeldClock) -> None:
    await kinesis.get_records(ShardIterator="nonsense")


@invalid("Invalid ShardIterator.")
async def _an_iterator_was_changed(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    iterator = await iterator_of(kinesis)
    changed = iterator[:30] + ("A" if iterator[30] != "A" else "B") + iterator[31:]
    await kinesis.get_records(ShardIterator=changed)


@error(
    "ExpiredIteratorException",
    "Iterator expired. The iterator was created at time * UTC * while right now it is * UTC * "
    "which is further in the future than the tolerated delay of 300000 milliseconds.",
)
async def _an_iterator_is_too_old(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    iterator = await iterator_of(kinesis)
    clock.move(300.1)
    await kinesis.get_records(ShardIterator=iterator)


# --- consumers -----------------------------------------------------------------------------------


@invalid("NextToken and StreamCreationTimestamp cannot be provided together.")
async def _consumers_of_a_token_are_of_another_time(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    for name in "ab":
        await consumer_of(kinesis, arn, name)
    page = await kinesis.list_stream_consumers(StreamARN=arn, MaxResults=1)
    more = {"NextToken": page["NextToken"], "StreamCreationTimestamp": clock.now()}
    await kinesis.list_stream_consumers(StreamARN=arn, **more)


@in_use("Consumer c for stream orders under account 000000000000 already exists.")
async def _a_consumer_is_registered_twice(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    await consumer_of(kinesis, arn)
    await consumer_of(kinesis, arn)


@limit("*20 registered consumers*")
async def _there_are_too_many_consumers(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    for number in range(21):
        await consumer_of(kinesis, arn, f"c{number}")


@limit("*20 registered consumers and queues*")
async def _queues_count_as_consumers(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await on_demand_of(kinesis)
    for number in range(19):
        await consumer_of(kinesis, arn, f"c{number}")
    await queue_of(kinesis, arn)
    refused = await refusal(consumer_of(kinesis, arn, "late"))
    assert refused.shape == "LimitExceededException"
    await queue_of(kinesis, arn, "late")


@not_found("Consumer c for stream orders under account 000000000000 not found.")
async def _a_consumer_is_not_there(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    await kinesis.describe_stream_consumer(StreamARN=arn, ConsumerName="c")


@not_found("Consumer c:1 for stream orders under account 000000000000 not found.")
async def _a_consumer_was_registered_anew(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    await consumer_of(kinesis, arn)
    await kinesis.deregister_stream_consumer(ConsumerARN=f"{arn}/consumer/c:1")


@invalid("Either ConsumerARN or both StreamARN and ConsumerName must be provided.")
async def _nobody_says_which_consumer(kinesis: Kinesis, clock: HeldClock) -> None:
    await kinesis.describe_stream_consumer(ConsumerName="c")


@invalid("ConsumerARN * conflicts with the StreamARN or ConsumerName provided.")
async def _consumer_and_name_disagree(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    consumer = await consumer_of(kinesis, arn)
    await kinesis.describe_stream_consumer(ConsumerARN=consumer, ConsumerName="d")


# --- queues and channels -------------------------------------------------------------------------


@in_use("Queue q under account 000000000000 already exists.")
async def _the_name_of_a_queue_is_taken(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await on_demand_of(kinesis)
    await queue_of(kinesis, arn)
    await queue_of(kinesis, arn)


@not_valid("Stream orders under account 000000000000 is not in On-Demand mode, *")
async def _a_queue_is_on_a_provisioned_stream(kinesis: Kinesis, clock: HeldClock) -> None:
    await queue_of(kinesis, await stream_of(kinesis))


@not_valid("StreamConfigurationList has 2 members; it must contain exactly one.")
async def _a_queue_is_on_two_streams(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await on_demand_of(kinesis)
    await kinesis.create_queue(QueueName="q", StreamConfigurationList=[{"StreamARN": arn}] * 2)


@not_valid("Timestamp goes with the starting position AT_TIMESTAMP, and only with it.")
async def _a_queue_has_a_time_it_does_not_need(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await on_demand_of(kinesis)
    await queue_of(kinesis, arn, start={"Type": "LATEST", "Timestamp": clock.now()})


@not_valid("MaxReceiveCount is required when TargetType is BUILT_IN.")
async def _a_queue_has_dead_letters_after_no_count(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await on_demand_of(kinesis)
    letters = {"DeadLetterConfiguration": {"TargetType": "BUILT_IN"}}
    await queue_of(kinesis, arn, QueueAttributes=letters)


@not_found("Queue arn:aws:kinesis:us-east-1:000000000000:queue/x not found.")
async def _the_queue_is_not_there(kinesis: Kinesis, clock: HeldClock) -> None:
    await kinesis.receive_queue_records(QueueARN=kinesis.arn("queue/x"))


@not_found("Queue arn:aws:kinesis:us-east-1:000000000000:queue/x not found.")
async def _the_queue_to_tag_is_not_there(kinesis: Kinesis, clock: HeldClock) -> None:
    await kinesis.tag_resource(ResourceARN=kinesis.arn("queue/x"), Tags={"a": "b"})


@in_use("Channel ch under account 000000000000 already exists.")
async def _the_name_of_a_channel_is_taken(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await on_demand_of(kinesis)
    await channel_of(kinesis, arn)
    await channel_of(kinesis, arn)


@not_found("Channel arn:aws:kinesis:us-east-1:000000000000:channel/x not found.")
async def _the_channel_is_not_there(kinesis: Kinesis, clock: HeldClock) -> None:
    await kinesis.describe_channel(ChannelARN=kinesis.arn("channel/x"))


@not_valid("Exactly one of S3DestinationConfiguration and S3Tables* must be specified.")
async def _a_channel_leads_nowhere(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await on_demand_of(kinesis)
    record = {"RecordFormatType": "JSON"}
    await kinesis.create_channel(
        ChannelName="ch",
        ServiceExecutionRoleARN=ROLE,
        StreamConfigurationList=[{"StreamARN": arn, "RecordConfiguration": record}],
    )


@not_valid("RecordFormatType GSR_JSON is not supported with S3DestinationConfiguration.")
async def _a_channel_has_a_format_that_does_not_fit(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await on_demand_of(kinesis)
    record = {"RecordFormatType": "GSR_JSON"}
    storage = {**BUCKET, "CompressionType": "NONE"}
    await kinesis.create_channel(
        ChannelName="ch",
        ServiceExecutionRoleARN=ROLE,
        StreamConfigurationList=[{"StreamARN": arn, "RecordConfiguration": record}],
        S3DestinationConfiguration={"StorageConfiguration": storage},
    )


# --- tags and policies ---------------------------------------------------------------------------


@invalid("*51 tags*at most 50*")
async def _a_stream_has_too_many_tags(kinesis: Kinesis, clock: HeldClock) -> None:
    await stream_of(kinesis)
    tags = {f"k{number}": "" for number in range(51)}
    await kinesis.add_tags_to_stream(StreamName="orders", Tags=tags)


@invalid("Tag key aws:mine must not begin with aws:, which is reserved.")
async def _a_tag_is_awss(kinesis: Kinesis, clock: HeldClock) -> None:
    arn = await stream_of(kinesis)
    await kinesis.tag_resource(ResourceARN=arn, Tags={"aws:mine": "x"})


@not_found("No resource policy found for resource ARN *:stream/orders")
async def _a_stream_has_no_policy(kinesis: Kinesis, clock: HeldClock) -> None:
    await kinesis.get_resource_policy(ResourceARN=await stream_of(kinesis))


@invalid("*policy*")
async def _a_policy_is_none(kinesis: Kinesis, clock: HeldClock) -> None:
    await kinesis.put_resource_policy(ResourceARN=await stream_of(kinesis), Policy="nonsense")


# --- on demand -----------------------------------------------------------------------------------

FAULTS = {
    "AccessDeniedException": 400,
    "InternalFailureException": 500,
    "KMSAccessDeniedException": 400,
    "KMSDisabledException": 400,
    "KMSInvalidStateException": 400,
    "KMSNotFoundException": 400,
    "KMSOptInRequired": 400,
    "KMSThrottlingException": 400,
    "ThrottlingException": 400,
}
"""What an endpoint like this has no cause for."""


@pytest.mark.parametrize("protocol", PROTOCOLS[:1])
@pytest.mark.parametrize("one", ERRORS, ids=lambda one: one.why)
async def test_each_error_has_its_name_status_and_words(
    one: Error, kinesis: Kinesis, clock: HeldClock
):
    found = await refusal(one.cause(kinesis, clock))

    assert (found.shape, found.status) == (one.shape, 400)
    pattern = "".join(
        ".*" if part == "*" else re.escape(part.replace("[[]", "["))
        for part in re.split(r"(\*)", one.message)
    )
    assert re.fullmatch(pattern, found.message, re.DOTALL), found.message


@pytest.mark.parametrize(("shape", "status"), FAULTS.items())
async def test_an_error_comes_when_a_test_asks_for_it(
    shape: str, status: int, kinesis: Kinesis, gateway: Endpoint
):
    fault = {"operation": "GetRecords", "service": "kinesis", "error": shape, "message": "x"}
    asked = Request("POST", "/_rmq/faults", "", {}, json.dumps(fault).encode())
    assert (await gateway(asked)).status == 200

    found = await refusal(kinesis.get_records(ShardIterator="x"))

    assert (found.shape, found.status, found.message) == (shape, status, "x")


def test_every_error_of_the_model_was_seen():
    modelled = {one.name for one in map(MODEL.shape_for, MODEL.shape_names) if _is_error(one)}
    assert {one.shape for one in ERRORS} | set(FAULTS) == modelled | set(GENERIC[:2])


def _is_error(shape: Any) -> bool:
    return shape.type_name == "structure" and bool(shape.metadata.get("exception"))


async def test_no_resource_begins_with_a_tag_of_awss(json_kinesis: Kinesis):
    tags = {"Tags": {"AWS:mine": "x"}}
    arn = await on_demand_of(json_kinesis)
    for ask in (
        json_kinesis.create_stream(StreamName="orders", ShardCount=1, **tags),
        json_kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="c", **tags),
        queue_of(json_kinesis, arn, **tags),
        channel_of(json_kinesis, arn, **tags),
    ):
        found = await refusal(ask)
        assert found.shape == "InvalidArgumentException"
        assert found.message == "Tag key AWS:mine must not begin with aws:, which is reserved."
    assert (await json_kinesis.list_streams())["StreamNames"] == ["clicks"]


async def test_a_redis_that_is_gone_is_the_receivers_fault_for_now(namespace: str):
    async with rmq.connect_async(
        "redis://127.0.0.1:1", namespace=namespace, retry_timeout=0.05
    ) as client:
        endpoint = Endpoint(client, account="0" * 12, region="us-east-1")
        kinesis = Kinesis("json", endpoint)
        for ask in (
            kinesis.list_streams(),
            kinesis.put_record(StreamName="orders", Data=b"x", PartitionKey="a"),
            kinesis.receive_queue_records(QueueARN=kinesis.arn("queue/" + "0" * 32)),
        ):
            found = await refusal(ask)
            assert (found.shape, found.status) == ("ServiceUnavailable", 503)


async def test_a_form_is_not_for_kinesis(gateway: Endpoint):
    """It never spoke the query protocol."""
    headers = {
        "authorization": authorization("0" * 12, service="kinesis"),
        "content-type": "application/x-www-form-urlencoded",
    }
    for body in (b"Action=ListStreams&Version=2013-12-02", b"Action=PutRecord"):
        answer = await gateway(Request("POST", "/", "", headers, body))
        assert answer.status == 400
        assert b"<Code>InvalidAction</Code>" in answer.body


async def test_a_refusal_in_cbor_is_cbor(gateway: Endpoint):
    kinesis = Kinesis("cbor", gateway)
    found = await refusal(kinesis.describe_stream(StreamName="x"))
    assert isinstance(found, Refused)
    assert found.response.content_type == "application/x-amz-cbor-1.1"
