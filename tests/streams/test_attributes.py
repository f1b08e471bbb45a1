"""What a stream is told to be, and how that changes while it is used."""

from __future__ import annotations

import json

import pytest

from rmq import Limits
from rmq.errors import (
    InvalidChange,
    InvalidParameter,
    InvalidPolicy,
    LimitExceeded,
    MissingParameter,
    StaleConfig,
    StreamDoesNotExist,
    TooManyTags,
)
from rmq.streams.attributes import METRICS
from rmq.streams.record import Record

KEY = "arn:aws:kms:us-east-1:000000000000:key/1"
DAY = 24 * 3600


def policy_for(arn: str, action: str = "kinesis:GetRecords") -> str:
    statement = {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": arn}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


async def test_all_of_a_change_is_made_or_nothing(stream):
    with pytest.raises(InvalidParameter, match="max_record_size"):
        await stream.set_attributes(retention_hours=48, max_record_size=1)
    assert (await stream.info()).attributes.retention_hours == 24
    info = await stream.set_attributes(retention_hours=48, max_record_size=2_097_152)
    assert (info.attributes.retention_hours, info.attributes.max_record_size) == (48, 2_097_152)


async def test_a_change_of_one_version_is_refused_when_there_is_another(stream):
    before = await stream.info()
    await stream.set_attributes(retention_hours=48)
    with pytest.raises(StaleConfig):
        await stream.set_attributes(if_version=before.version, retention_hours=72)
    await stream.delete_stream()
    with pytest.raises(StreamDoesNotExist):
        await stream.set_attributes(retention_hours=72)


@pytest.mark.parametrize("size", [1_048_575, 10_485_761])
async def test_a_record_size_has_its_limits(stream, size):
    with pytest.raises(InvalidParameter):
        await stream.set_attributes(max_record_size=size)


async def test_larger_records_are_taken_at_once_by_every_client(stream, connect):
    other = connect().stream("positions")
    await other.put("a", "key")
    with pytest.raises(InvalidParameter):
        await other.put(b"x" * 1_500_000, "key")
    await stream.set_attributes(max_record_size=2_097_152)
    await other.info()
    await other.put(b"x" * 1_500_000, "key")


# --- encryption ---


async def test_a_client_with_an_old_description_does_not_put_without_encryption(stream, connect):
    other = connect().stream("positions")
    assert (await other.put("a", "key")).encryption_type is None
    info = await stream.set_attributes(encryption_type="KMS", kms_key_id=KEY)
    assert info.attributes.kms_key_id == KEY
    assert (await other.put("b", "key")).encryption_type == "KMS"
    await stream.set_attributes(encryption_type="NONE")
    assert (await other.put("c", "key")).encryption_type is None
    records = (await stream.read("shardId-000000000000")).records
    assert [one.encryption_type for one in records] == [None, "KMS", None]
    assert (await stream.info()).attributes.kms_key_id is None


async def test_encryption_needs_a_key_and_a_key_encryption(stream):
    with pytest.raises(MissingParameter, match="kms_key_id"):
        await stream.set_attributes(encryption_type="KMS")
    with pytest.raises(InvalidParameter, match="kms_key_id"):
        await stream.set_attributes(kms_key_id=KEY)


async def test_encryption_changes_25_times_a_day(stream, clock):
    for n in range(25):
        await stream.set_attributes(encryption_type="KMS", kms_key_id=f"key-{n}")
    with pytest.raises(LimitExceeded, match="25 encryption changes"):
        await stream.set_attributes(encryption_type="NONE")
    assert (await stream.info()).attributes.kms_key_id == "key-24"
    clock.move(DAY)
    await stream.set_attributes(encryption_type="NONE")


# --- mode ---


async def test_a_mode_is_switched_twice_a_day_and_shards_stay(wide, client, clock):
    info = await wide.set_attributes(mode="ON_DEMAND")
    assert info.open_shard_count == 4
    assert (await client.stream_limits()).on_demand_stream_count == 1
    await wide.set_attributes(mode="PROVISIONED")
    assert (await client.stream_limits()).on_demand_stream_count == 0
    with pytest.raises(LimitExceeded, match="2 mode switches"):
        await wide.set_attributes(mode="ON_DEMAND")
    clock.move(DAY - 1)
    with pytest.raises(LimitExceeded):
        await wide.set_attributes(mode="ON_DEMAND")
    clock.move(1)
    await wide.set_attributes(mode="ON_DEMAND")
    await wide.put_many([Record("x", f"{n}") for n in range(10)])


async def test_without_limits_a_mode_may_be_switched_any_number_of_times(connect):
    stream = await connect(limits=Limits.none()).create_stream("wild")
    for _ in range(3):
        await stream.set_attributes(mode="ON_DEMAND")
        await stream.set_attributes(mode="PROVISIONED")


async def test_an_account_has_so_many_streams_on_demand(connect):
    client = connect(limits=Limits(max_on_demand_streams=1))
    await client.create_stream("one", mode="ON_DEMAND")
    provisioned = await client.create_stream("two")
    with pytest.raises(LimitExceeded, match="on demand"):
        await client.create_stream("three", mode="ON_DEMAND")
    with pytest.raises(LimitExceeded, match="on demand"):
        await provisioned.set_attributes(mode="ON_DEMAND")
    await client.delete_stream("one")
    await provisioned.set_attributes(mode="ON_DEMAND")


async def test_a_stream_on_demand_may_distribute_records_by_itself(client):
    stream = await client.create_stream("clicks", mode="ON_DEMAND")
    with pytest.raises(MissingParameter):
        await stream.put("a")
    await stream.set_attributes(record_distribution="AUTO")
    results = await stream.put_many([Record(f"{n}") for n in range(8)])
    assert {one.shard for one in results.raise_for_failures()} == {0, 1, 2, 3}
    await stream.set_attributes(mode="PROVISIONED")
    assert (await stream.info()).attributes.record_distribution == "USER_PARTITION_KEY"
    with pytest.raises(InvalidParameter, match="record_distribution"):
        await stream.set_attributes(record_distribution="AUTO")


async def test_warm_throughput_is_for_streams_on_demand(client, connect):
    stream = await client.create_stream("clicks", mode="ON_DEMAND", warm_throughput_mib=6)
    assert (await stream.info()).open_shard_count == 6
    await stream.set_attributes(warm_throughput_mib=9)
    assert (await stream.info()).open_shard_count == 9
    provisioned = await client.create_stream("orders")
    with pytest.raises(InvalidParameter, match="warm_throughput_mib"):
        await provisioned.set_attributes(warm_throughput_mib=9)
    with pytest.raises(InvalidParameter, match="warm_throughput_mib"):
        await stream.set_attributes(warm_throughput_mib=10_241)


async def test_where_aws_s_limits_hold_warm_throughput_needs_a_commitment(connect):
    client = connect(limits=Limits.aws())
    stream = await client.create_stream("clicks", mode="ON_DEMAND")
    with pytest.raises(InvalidChange):
        await stream.set_attributes(warm_throughput_mib=5)
    await client.stream_commitment(True)
    await stream.set_attributes(warm_throughput_mib=5)


async def test_a_commitment_lasts_for_a_day_at_least(client, clock):
    assert (await client.stream_commitment()).status == "DISABLED"
    enabled = await client.stream_commitment(True)
    assert (enabled.status, enabled.started_at) == ("ENABLED", clock.now())
    clock.move(3600)
    ending = await client.stream_commitment(False)
    assert ending.status == "ENABLED_UNTIL_EARLIEST_ALLOWED_END"
    assert ending.ended_at == enabled.earliest_allowed_end
    assert (await client.stream_commitment(True)).started_at == enabled.started_at
    await client.stream_commitment(False)
    clock.move(23 * 3600)
    over = await client.stream_commitment()
    assert (over.status, over.ended_at) == ("DISABLED", enabled.earliest_allowed_end)
    again = await client.stream_commitment(True)
    assert (again.status, again.started_at) == ("ENABLED", clock.now())


# --- what is kept and returned ---


async def test_shard_level_metrics_are_kept(stream):
    assert await stream.enable_metrics(["OutgoingBytes", "IncomingBytes"]) == (
        (),
        ("IncomingBytes", "OutgoingBytes"),
    )
    assert await stream.enable_metrics(["ALL"]) == (("IncomingBytes", "OutgoingBytes"), METRICS)
    before, after = await stream.disable_metrics(["IncomingBytes"])
    assert before == METRICS
    assert after == METRICS[1:]
    assert (await stream.info()).attributes.shard_level_metrics == METRICS[1:]
    assert (await stream.disable_metrics(["ALL"]))[1] == ()
    with pytest.raises(InvalidParameter, match="shard_level_metrics"):
        await stream.enable_metrics(["Everything"])


async def test_a_policy_is_checked_and_kept(stream):
    text = policy_for(stream.arn)
    assert (await stream.set_attributes(policy=text)).attributes.policy == text
    assert (await stream.set_attributes(policy=None)).attributes.policy is None
    for wrong in (
        policy_for(stream.arn + "x"),
        policy_for(stream.arn, "sqs:SendMessage"),
        '{"Statement": []}',
        "nothing",
        policy_for(stream.arn) + " " * 21_000,
    ):
        with pytest.raises(InvalidPolicy):
            await stream.set_attributes(policy=wrong)


async def test_a_stream_has_50_tags_at_most(client):
    stream = await client.create_stream("positions", tags={"team": "blue"})
    assert await stream.tag({"cost": "12"}) == {"team": "blue", "cost": "12"}
    assert await stream.untag(["team", "unknown"]) == {"cost": "12"}
    assert await stream.tags() == {"cost": "12"}
    await stream.tag({f"tag {n}": "" for n in range(49)})
    with pytest.raises(TooManyTags):
        await stream.tag({"one": "more"})


# --- the account ---


async def test_an_account_s_limits_count_all_streams(client):
    await client.create_stream("one", 3)
    two = await client.create_stream("two", mode="ON_DEMAND")
    found = await client.stream_limits()
    assert (found.open_shard_count, found.shard_limit) == (7, 20_000)
    assert (found.on_demand_stream_count, found.on_demand_stream_limit) == (1, 50)
    await two.delete_stream()
    assert (await client.stream_limits()).open_shard_count == 3
