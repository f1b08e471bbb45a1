"""boto3: a Kinesis client behind the face of rmq.AsyncStream, so that one test body runs over both.

What the library says beyond AWS's answer is Untold, or NotInAws at once.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

from rmq import BatchResult
from rmq import errors as ours
from rmq.core.place import Place
from rmq.errors import RmqError, Words
from rmq.streams.accounting import AccountLimits, Commitment
from rmq.streams.aio import AsyncStream
from rmq.streams.attributes import StreamAttributes, StreamInfo
from rmq.streams.consumers import RegisteredConsumer
from rmq.streams.iterator import stream_of
from rmq.streams.record import Batch, ChildShard, Put, Record, Records, StreamRecord
from rmq.streams.sequence import moment, read_sequence_number, read_shard_id, sequence_number
from rmq.streams.shard import Shard, ShardMap
from tests.boto_doors import REGION, NotInAws

BATCH = 500
BATCH_BYTES = 10 << 20


class Page(list[Any]):
    """Some of a list, and where the next page begins."""

    next_token: str | None = None


class Streams:
    """What a BotoClient has of streams."""

    account: str

    async def ask_kinesis(self, operation: str, stream: str, **parameters: Any) -> dict[str, Any]:
        raise NotImplementedError

    def stream(self, name: Any) -> BotoStream:
        made: dict[Any, BotoStream] = self.__dict__.setdefault("made_streams", {})
        return made.setdefault(name, BotoStream(self, name))

    async def create_stream(
        self,
        name: Any,
        shard_count: Any = None,
        *,
        mode: str = "PROVISIONED",
        tags: Any = None,
        **attributes: Any,
    ) -> BotoStream:
        given: dict[str, Any] = {"StreamModeDetails": {"StreamMode": mode}}
        if shard_count is not None or mode == "PROVISIONED":
            given["ShardCount"] = 1 if shard_count is None else shard_count
        if tags:
            given["Tags"] = tags
        size = attributes.pop("max_record_size", None)
        if size is not None:
            if not isinstance(size, int) or size % 1024:
                raise NotInAws("a record size that is not whole KiB")
            given["MaxRecordSizeInKiB"] = size // 1024
        if "record_distribution" in attributes:
            given["RecordDistributionStrategy"] = attributes.pop("record_distribution")
        if attributes:  # warm throughput, say, which needs a commitment first
            raise NotInAws(f"a stream made with {', '.join(attributes)}")
        await self.ask_kinesis("CreateStream", name, StreamName=name, **given)
        return self.stream(name)

    async def get_stream(self, name: Any) -> BotoStream:
        stream = self.stream(name)
        await stream.info()
        return stream

    async def list_streams(self, prefix: Any = "", *, limit: Any = 100, token: Any = None) -> Page:
        if prefix or not isinstance(limit, int) or limit > 100:
            raise NotInAws("streams by their beginning, and pages of more than 100")
        given = {} if token is None else {"NextToken": token}
        found = await self.ask_kinesis("ListStreams", "", Limit=limit, **given)
        page = Page(found["StreamNames"])
        page.next_token = found.get("NextToken")
        return page

    async def all_streams(self, prefix: str = "") -> AsyncIterator[BotoStream]:
        token = None
        while True:
            page = await self.list_streams(token=token)
            for name in page:
                if name.startswith(prefix):
                    yield self.stream(name)
            token = page.next_token
            if token is None:
                return

    async def delete_stream(self, name: Any, *, enforce_consumer_deletion: bool = False) -> bool:
        return await self.stream(name).delete_stream(
            enforce_consumer_deletion=enforce_consumer_deletion
        )

    async def stream_limits(self) -> AccountLimits:
        found = await self.ask_kinesis("DescribeLimits", "")
        return AccountLimits(
            open_shard_count=found["OpenShardCount"],
            shard_limit=found["ShardLimit"],
            on_demand_stream_count=found["OnDemandStreamCount"],
            on_demand_stream_limit=found["OnDemandStreamCountLimit"],
        )

    async def stream_commitment(self, enabled: bool | None = None) -> Commitment:
        if enabled is None:
            found = await self.ask_kinesis("DescribeAccountSettings", "")
        else:
            wanted = {"Status": "ENABLED" if enabled else "DISABLED"}
            found = await self.ask_kinesis(
                "UpdateAccountSettings", "", MinimumThroughputBillingCommitment=wanted
            )
        found = found["MinimumThroughputBillingCommitment"]
        made = Commitment(
            status=found["Status"],
            started_at=found.get("StartedAt"),
            ended_at=found.get("EndedAt"),
        )
        assert found.get("EarliestAllowedEndAt") == made.earliest_allowed_end
        return made


class BotoStream:
    """One stream, by its name."""

    def __init__(self, client: Streams, name: Any) -> None:
        self.name = name
        self.arn = f"arn:aws:kinesis:{REGION}:{client.account}:stream/{name}"
        self._client = client

    def __getattr__(self, name: str) -> Any:
        if name in ("_registry", "_executor"):
            raise NotInAws("a plan carried out by hand")
        if not name.startswith("_") and hasattr(AsyncStream, name):
            raise NotInAws(f"stream.{name}")
        raise AttributeError(name)

    async def _ask(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return await self._client.ask_kinesis(
            operation, self.name, StreamName=self.name, **parameters
        )

    async def _ask_by_arn(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return await self._client.ask_kinesis(
            operation, self.name, StreamARN=self.arn, **parameters
        )

    # --- putting ---

    async def put(
        self,
        data: Any,
        partition_key: Any = None,
        *,
        explicit_hash_key: Any = None,
        sequence_number_for_ordering: Any = None,
    ) -> Put:
        entry = _entry(Record(data, partition_key, explicit_hash_key))
        if sequence_number_for_ordering is not None:
            entry["SequenceNumberForOrdering"] = sequence_number_for_ordering
        return _put(await self._ask("PutRecord", **entry))

    async def put_many(self, records: Any) -> BatchResult[Put]:
        results: list[Any] = []
        for batch in _batches([_entry(one) for one in records]):
            found = await self._ask("PutRecords", Records=batch)
            made = [_put(one, found["EncryptionType"], self.name) for one in found["Records"]]
            failed = sum(isinstance(one, RmqError) for one in made)
            assert found["FailedRecordCount"] == failed
            results += made
        return BatchResult(tuple(results))

    # --- reading ---

    async def iterator(
        self,
        shard_id: Any,
        type: Any = "TRIM_HORIZON",
        *,
        sequence_number: Any = None,
        timestamp: Any = None,
    ) -> str:
        given = {"StartingSequenceNumber": sequence_number, "Timestamp": timestamp}
        found = await self._ask(
            "GetShardIterator",
            ShardId=shard_id,
            ShardIteratorType=type,
            **{name: one for name, one in given.items() if one is not None},
        )
        return str(found["ShardIterator"])

    async def get(self, iterator: Any, limit: Any = None) -> Records:
        given = {} if limit is None else {"Limit": limit}
        with suppress(ours.InvalidIterator):
            if stream_of(iterator) != self.name and len(stream_of(iterator)) != len(self.name):
                raise NotInAws("an iterator of another stream: that is then read")
        try:
            found = await self._client.ask_kinesis(
                "GetRecords", self.name, ShardIterator=iterator, **given
            )
        except ours.StreamDoesNotExist as error:
            if error.stream != self.name:  # an iterator says whose it is
                raise ours.InvalidIterator(str(error)) from error
            raise
        return Records(
            [_record(one) for one in found["Records"]],
            found.get("NextShardIterator"),
            found["MillisBehindLatest"],
            tuple(_child(one) for one in found.get("ChildShards", ())),
        )

    async def read(self, shard_id: Any, position: Any = 0, limit: Any = None) -> Batch:
        """By an iterator that begins there."""
        start: dict[str, Any] = {}
        number = read_shard_id(shard_id)
        assert number is not None
        if position:
            before = sequence_number(position - 1, number)
            start = {"type": "AFTER_SEQUENCE_NUMBER", "sequence_number": before}
        got = await self.get(await self.iterator(shard_id, **start), limit)
        following: int | None = None
        if got.next_iterator is not None:
            following = got.records[-1].position + 1 if got.records else position
        return Batch(shard_id, got.records, following, got.millis_behind_latest, got.child_shards)

    # --- the stream itself ---

    async def shards(
        self, filter: Any = None, *, after: Any = None, limit: Any = 1000, token: Any = None
    ) -> Page:
        given: dict[str, Any] = {"MaxResults": limit}
        if filter is not None:
            if isinstance(filter, str):
                raise NotInAws("a filter that is none")
            said = {
                "Type": filter.type,
                "ShardId": filter.shard_id,
                "Timestamp": filter.timestamp,
            }
            given["ShardFilter"] = {name: one for name, one in said.items() if one is not None}
        if after is not None:
            given["ExclusiveStartShardId"] = after
        if token is not None:
            if filter is not None:
                raise NotInAws("a filter beside a token")
            found = await self._client.ask_kinesis(
                "ListShards", self.name, NextToken=token, **given
            )
        else:
            found = await self._ask("ListShards", **given)
        page = Page(_shard(one) for one in found["Shards"])
        page.next_token = found.get("NextToken")
        return page

    async def info(self) -> StreamInfo:
        """What DescribeStream and DescribeStreamSummary say, which have to agree."""
        summary = (await self._ask("DescribeStreamSummary"))["StreamDescriptionSummary"]
        found: dict[str, Any] = {"HasMoreShards": True, "Shards": []}
        shards: list[dict[str, Any]] = []
        while found["HasMoreShards"]:
            after = {"ExclusiveStartShardId": shards[-1]["ShardId"]} if shards else {}
            found = (await self._ask("DescribeStream", **after))["StreamDescription"]
            shards += found["Shards"]
        for name in found.keys() - {"Shards", "HasMoreShards"}:
            assert found[name] == summary[name], name
        made = ShardMap(_shard(one) for one in shards)
        assert summary["OpenShardCount"] == len(made.open)
        return StreamInfo(
            name=self.name,
            place=Place(self._client.account, REGION),
            version="",
            number=0,
            incarnation=b"",
            secret=b"",
            status=summary["StreamStatus"],
            created_at=summary["StreamCreationTimestamp"],
            created_us=round(summary["StreamCreationTimestamp"].timestamp() * 1_000_000),
            attributes=await self._attributes(summary),
            shards=made,
            next_shard=max(made) + 1,
            consumer_count=summary["ConsumerCount"],
        )

    async def _attributes(self, summary: Mapping[str, Any]) -> StreamAttributes:
        policy = None
        try:
            found = await self._client.ask_kinesis(
                "GetResourcePolicy", self.name, ResourceARN=self.arn
            )
            policy = found["Policy"]
        except ours.InvalidParameter:
            pass
        return StreamAttributes(
            mode=summary["StreamModeDetails"]["StreamMode"],
            retention_hours=summary["RetentionPeriodHours"],
            max_record_size=summary["MaxRecordSizeInKiB"] * 1024,
            encryption_type=summary["EncryptionType"],
            kms_key_id=summary.get("KeyId"),
            record_distribution=summary.get("RecordDistributionStrategy", "USER_PARTITION_KEY"),
            shard_level_metrics=tuple(summary["EnhancedMonitoring"][0]["ShardLevelMetrics"]),
            policy=policy,
        )

    async def delete_stream(self, *, enforce_consumer_deletion: bool = False) -> bool:
        try:
            await self._ask("DeleteStream", EnforceConsumerDeletion=enforce_consumer_deletion)
        except ours.StreamDoesNotExist:
            return False
        return True

    # --- resharding ---

    async def split(self, shard_id: Any, at: Any = None) -> tuple[Shard, ...]:
        if at is None:
            one = (await self.info()).shards.get(read_shard_id(shard_id) or 0)
            at = 1 << 127
            if one is not None:
                at = (one.starting_hash_key + one.ending_hash_key + 1) // 2
        await self._ask("SplitShard", ShardToSplit=shard_id, NewStartingHashKey=str(at))
        info = await self.info()
        children = info.shards.children(read_shard_id(shard_id) or 0)
        return tuple(sorted(children, key=lambda one: one.starting_hash_key))

    async def merge(self, shard_id: Any, adjacent_shard_id: Any) -> Shard:
        await self._ask(
            "MergeShards", ShardToMerge=shard_id, AdjacentShardToMerge=adjacent_shard_id
        )
        (child,) = (await self.info()).shards.children(read_shard_id(shard_id) or 0)
        return child

    async def update_shard_count(self, count: Any) -> StreamInfo:
        before = await self.info()
        found = await self._ask(
            "UpdateShardCount", TargetShardCount=count, ScalingType="UNIFORM_SCALING"
        )
        assert found["CurrentShardCount"] == before.open_shard_count
        return await self.info()

    # --- attributes and tags ---

    async def set_attributes(self, *, if_version: Any = None, **attributes: Any) -> StreamInfo:
        if if_version is not None:
            raise NotInAws("a change of one version")
        if set(attributes) in ({"encryption_type"}, {"encryption_type", "kms_key_id"}):
            await self._encrypt(**attributes)
        elif len(attributes) != 1:
            raise NotInAws("several attributes at once")
        else:
            ((name, value),) = attributes.items()
            if name not in _CHANGES:
                raise NotInAws(f"a change of {name} by itself")
            await _CHANGES[name](self, value)
        return await self.info()

    async def _encrypt(self, encryption_type: Any, kms_key_id: Any = None) -> None:
        if encryption_type == "NONE":
            kms = {"EncryptionType": "KMS", "KeyId": "any"}
            await self._ask("StopStreamEncryption", **kms)
        elif kms_key_id is None:
            raise NotInAws("encryption without a key")
        else:
            await self._ask("StartStreamEncryption", EncryptionType="KMS", KeyId=kms_key_id)

    async def _set_mode(self, value: Any) -> None:
        await self._ask_by_arn("UpdateStreamMode", StreamModeDetails={"StreamMode": value})

    async def _set_record_size(self, value: Any) -> None:
        if value % 1024:
            raise NotInAws("a record size that is not whole KiB")
        await self._ask_by_arn("UpdateMaxRecordSize", MaxRecordSizeInKiB=value // 1024)

    async def _set_distribution(self, value: Any) -> None:
        await self._ask_by_arn(
            "UpdateStreamRecordDistributionStrategy", RecordDistributionStrategy=value
        )

    async def _set_warm(self, value: Any) -> None:
        await self._ask("UpdateStreamWarmThroughput", WarmThroughputMiBps=value)

    async def _set_policy(self, value: Any) -> None:
        await _set_policy(self._client, self.name, self.arn, value)

    async def increase_retention(self, hours: Any) -> StreamInfo:
        await self._ask("IncreaseStreamRetentionPeriod", RetentionPeriodHours=hours)
        return await self.info()

    async def decrease_retention(self, hours: Any) -> StreamInfo:
        await self._ask("DecreaseStreamRetentionPeriod", RetentionPeriodHours=hours)
        return await self.info()

    async def enable_metrics(self, metrics: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return _metrics(await self._ask("EnableEnhancedMonitoring", ShardLevelMetrics=metrics))

    async def disable_metrics(self, metrics: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return _metrics(await self._ask("DisableEnhancedMonitoring", ShardLevelMetrics=metrics))

    async def tags(self) -> dict[str, str]:
        found: dict[str, str] = {}
        page: dict[str, Any] = {"HasMoreTags": True}
        while page["HasMoreTags"]:
            after = {"ExclusiveStartTagKey": max(found)} if found else {}
            page = await self._ask("ListTagsForStream", Limit=20, **after)
            found |= {one["Key"]: one["Value"] for one in page["Tags"]}
        return found

    async def tag(self, tags: Any) -> dict[str, str]:
        await self._ask("AddTagsToStream", Tags=tags)
        return await self.tags()

    async def untag(self, keys: Any) -> dict[str, str]:
        await self._ask("RemoveTagsFromStream", TagKeys=list(keys))
        return await self.tags()

    # --- registered consumers ---

    async def register_consumer(self, consumer: Any, *, tags: Any = None) -> RegisteredConsumer:
        given = {} if tags is None else {"Tags": tags}
        found = await self._ask_by_arn("RegisterStreamConsumer", ConsumerName=consumer, **given)
        made = found["Consumer"]
        assert made["ConsumerStatus"] == "CREATING"  # in this answer only
        return await self._consumer(made | {"ConsumerStatus": "ACTIVE"})

    async def registered_consumer(self, consumer: Any) -> RegisteredConsumer:
        found = await self._ask_consumer("DescribeStreamConsumer", consumer)
        return await self._consumer(found["ConsumerDescription"])

    async def consumers(self, *, limit: Any = 100, token: Any = None) -> Page:
        given = {} if token is None else {"NextToken": token}
        found = await self._ask_by_arn("ListStreamConsumers", MaxResults=limit, **given)
        page = Page([await self._consumer(one) for one in found["Consumers"]])
        page.next_token = found.get("NextToken")
        return page

    async def deregister_consumer(self, consumer: Any) -> None:
        await self._ask_consumer("DeregisterStreamConsumer", consumer)

    async def set_consumer_policy(self, consumer: Any, policy: Any) -> RegisteredConsumer:
        one = await self.registered_consumer(consumer)
        await _set_policy(self._client, self.name, one.arn, policy)
        return await self.registered_consumer(consumer)

    async def tag_consumer(self, consumer: Any, tags: Any, *, remove: Any = ()) -> dict[str, str]:
        arn = (await self.registered_consumer(consumer)).arn
        if remove:
            await self._client.ask_kinesis(
                "UntagResource", self.name, ResourceARN=arn, TagKeys=list(remove)
            )
        if tags:
            await self._client.ask_kinesis("TagResource", self.name, ResourceARN=arn, Tags=tags)
        return dict((await self.registered_consumer(consumer)).tags)

    async def _ask_consumer(self, operation: str, consumer: Any) -> dict[str, Any]:
        if str(consumer).startswith("arn:"):
            if not consumer.startswith(f"{self.arn}/"):
                raise NotInAws("a consumer of another stream, by its ARN: that is then asked for")
            return await self._client.ask_kinesis(operation, self.name, ConsumerARN=consumer)
        return await self._ask_by_arn(operation, ConsumerName=consumer)

    async def _consumer(self, found: Mapping[str, Any]) -> RegisteredConsumer:
        arn = found["ConsumerARN"]
        tags = await self._client.ask_kinesis("ListTagsForResource", self.name, ResourceARN=arn)
        policy = None
        try:
            asked = await self._client.ask_kinesis("GetResourcePolicy", self.name, ResourceARN=arn)
            policy = asked["Policy"]
        except ours.InvalidParameter:
            pass
        made = RegisteredConsumer(
            name=found["ConsumerName"],
            stream_arn=self.arn,
            created_ms=round(found["ConsumerCreationTimestamp"].timestamp() * 1000),
            status=found["ConsumerStatus"],
            tags={one["Key"]: one["Value"] for one in tags["Tags"]},
            policy=policy,
        )
        assert made.arn == arn
        return made


_CHANGES = {
    "mode": BotoStream._set_mode,
    "max_record_size": BotoStream._set_record_size,
    "record_distribution": BotoStream._set_distribution,
    "warm_throughput_mib": BotoStream._set_warm,
    "policy": BotoStream._set_policy,
}


async def _set_policy(client: Streams, stream: str, arn: str, policy: Any) -> None:
    if policy is None:
        await client.ask_kinesis("DeleteResourcePolicy", stream, ResourceARN=arn)
    else:
        await client.ask_kinesis("PutResourcePolicy", stream, ResourceARN=arn, Policy=policy)


def _metrics(found: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(found["CurrentShardLevelMetrics"]), tuple(found["DesiredShardLevelMetrics"])


# --- records ---


def _entry(record: Record) -> dict[str, Any]:
    entry: dict[str, Any] = {"Data": record.data}
    if record.partition_key is not None:
        entry["PartitionKey"] = record.partition_key
    if record.explicit_hash_key is not None:
        entry["ExplicitHashKey"] = str(record.explicit_hash_key)
    return entry


def _batches(entries: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    found: list[list[dict[str, Any]]] = []
    size = BATCH_BYTES + 1
    for one in entries:
        own = len(one["Data"]) + 4 * len(one.get("PartitionKey", ""))
        if size + own > BATCH_BYTES or len(found[-1]) == BATCH:
            found.append([])
            size = 0
        found[-1].append(one)
        size += own
    return found


def _put(found: Mapping[str, Any], encryption: str = "", stream: str = "") -> Any:
    if "ErrorCode" in found:
        return error_of(found["ErrorCode"], found["ErrorMessage"], stream)
    number = read_sequence_number(found["SequenceNumber"])
    assert number is not None
    position, shard = number
    assert found["ShardId"] == f"shardId-{shard:012d}"
    kind = encryption or found["EncryptionType"]
    return Put(shard, position, None if kind == "NONE" else kind)


def _record(found: Mapping[str, Any]) -> StreamRecord:
    number = read_sequence_number(found["SequenceNumber"])
    assert number is not None
    position, shard = number
    kind = found["EncryptionType"]
    made = StreamRecord(
        found["Data"],
        found.get("PartitionKey"),
        shard,
        position,
        0,
        None if kind == "NONE" else kind,
    )
    assert made.approximate_arrival_timestamp == found["ApproximateArrivalTimestamp"]
    return made


def _child(found: Mapping[str, Any]) -> ChildShard:
    keys = found["HashKeyRange"]
    return ChildShard(
        found["ShardId"],
        tuple(found["ParentShards"]),
        int(keys["StartingHashKey"]),
        int(keys["EndingHashKey"]),
    )


def _shard(found: Mapping[str, Any]) -> Shard:
    keys, numbers = found["HashKeyRange"], found["SequenceNumberRange"]
    first = read_sequence_number(numbers["StartingSequenceNumber"])
    assert first is not None
    last = None
    if "EndingSequenceNumber" in numbers:
        last = read_sequence_number(numbers["EndingSequenceNumber"])
        assert last is not None
    parents = [found.get(name) for name in ("ParentShardId", "AdjacentParentShardId")]
    return Shard(
        read_shard_id(found["ShardId"]) or 0,
        int(keys["StartingHashKey"]),
        int(keys["EndingHashKey"]),
        tuple(read_shard_id(one) or 0 for one in parents if one is not None),
        first[0],
        None if last is None else last[0],
        moment(first[0]),
        None if last is None else moment(last[0]),
    )


# --- errors ---

_MEMBERS = {
    "consumerName": "consumer name",
    "consumerARN": "consumer",
    "explicitHashKey": "explicit_hash_key",
    "limit": "limit",
    "maxRecordSizeInKiB": "max_record_size",
    "maxResults": "limit",
    "nextToken": "token",
    "partitionKey": "partition_key",
    "sequenceNumberForOrdering": "sequence_number_for_ordering",
    "shardLevelMetrics": "shard_level_metrics",
    "shardIterator": "iterator",
    "shardIteratorType": "iterator type",
    "startingSequenceNumber": "sequence_number",
    "streamName": "stream name",
    "recordDistributionStrategy": "record_distribution",
}
"""The library's names of what Kinesis's validation names."""
_CHANGED = (
    (r"retention period", "retention_hours"),
    (r"NewStartingHashKey", "at"),
    (r"adjacent pair", "adjacent_shard_id"),
    (r"UpdateShardCount cannot", "shard_count"),
    (r"MinimumThroughputBillingCommitment", "warm_throughput_mib"),
)
_WRONG = (
    (r"ExplicitHashKey", "explicit_hash_key"),
    (r"ExclusiveMinimumSequenceNumber", "sequence_number_for_ordering"),
    (r"StartingSequenceNumber .* did not come", "sequence_number"),
    (r"timestampInMillis", "timestamp"),
    (r"NextToken", "token"),
    (r"record distribution strategy", "record_distribution"),
    (r"ConsumerARN", "consumer"),
    (r"\bthe name of a shard", "after"),
)


def error_of(code: str, message: str, stream: str) -> RmqError:
    """The library's error that Kinesis's stands for."""
    if code == "ResourceNotFoundException":
        return _missing(message, stream)
    if code == "ResourceInUseException":
        if "already been merged or split" in message:
            return ours.InvalidParameter("shard_id", Words("closed"), "an open shard")
        if "already exists" not in message:
            return ours.StreamInUse(message, stream=stream, reason=message)
        if message.startswith("Consumer"):
            return ours.ConsumerExists(message, stream=stream, consumer="")
        return ours.StreamExists(message, stream=stream)
    if code == "ExpiredIteratorException":
        return ours.ExpiredIterator(message)
    if code == "ExpiredNextTokenException":
        return ours.ExpiredToken(message)
    if code == "LimitExceededException":
        return ours.LimitExceeded(message, stream=stream, reason=message)
    if code == "ProvisionedThroughputExceededException":
        return ours.RateExceeded(message, stream=stream, shard="")
    if code == "ValidationException":
        return _not_valid(message, stream)
    assert code == "InvalidArgumentException", (code, message)
    return _invalid(message)


def _missing(message: str, stream: str) -> RmqError:
    if message.startswith("No resource policy"):
        return ours.InvalidParameter("policy", Words("none"), message)
    shard = re.search(r"[Ss]hard (\S+) in stream", message)
    if shard:
        return ours.ShardDoesNotExist(message, stream=stream, shard=shard[1])
    if message.startswith("Consumer"):
        return ours.ConsumerDoesNotExist(message, stream=stream, consumer="")
    found = re.match(r"Stream (\S+) under account", message)
    assert found, message
    return ours.StreamDoesNotExist(message, stream=found[1])


def _not_valid(message: str, stream: str) -> RmqError:
    if "On-Demand mode" in message:
        return ours.NotProvisioned(message, stream=stream)
    if "Provisioned mode" in message:
        return ours.InvalidParameter("warm_throughput_mib", Words("given"), message)
    found = re.search(r"Value (.*?) at '([^']*)' failed to satisfy constraint: (.*)", message)
    assert found, message
    member = re.split(r"\.\d+\.member\.?", found[2])
    field = _MEMBERS.get(member[-1] or member[0], found[2])
    if field == "iterator":
        return ours.InvalidIterator(message)
    if field.startswith("shardTo") or field == "adjacentShardToMerge":
        return ours.InvalidParameter("shard_id", found[1], "a name such as shardId-000000000000")
    return ours.InvalidParameter(field, found[1].strip("'"), found[3])


def _invalid(message: str) -> RmqError:
    if message == "Invalid ShardIterator.":
        return ours.InvalidIterator(message)
    for pattern, field in _CHANGED:
        if re.search(pattern, message):
            return ours.InvalidChange(field, Words("given"), message, message)
    missing = re.match(r"Must specify (\w+) for", message)
    if missing:
        own = {"StartingSequenceNumber": "sequence_number", "Timestamp": "timestamp"}
        return ours.MissingParameter(own[missing[1]], message)
    size = re.match(r"Record of (\d+ bytes)", message)
    if size:
        return ours.InvalidParameter("record size", Words(size[1]), message)
    if message.startswith("PartitionKey must be specified"):
        return ours.MissingParameter("partition_key", message)
    if "policy" in message.lower():
        return ours.InvalidPolicy("policy", Words("given"), message)
    if re.search(r"tags is \d+ tags", message):
        return ours.TooManyTags("tags", Words("many"), message)
    for pattern, field in _WRONG:
        if re.search(pattern, message):
            return ours.InvalidParameter(field, Words("given"), message)
    said = re.match(r"(.+?) is (.*?); it must be (.*)", message, re.DOTALL)
    assert said, message
    return ours.InvalidParameter(said[1], Words(said[2]), said[3])
