"""Registered consumers: who may read a stream by enhanced fan-out."""

from __future__ import annotations

import json

import pytest

from rmq import Limits
from rmq.errors import (
    ConsumerDoesNotExist,
    ConsumerExists,
    ExpiredToken,
    InvalidParameter,
    InvalidPolicy,
    LimitExceeded,
    StreamDoesNotExist,
    StreamInUse,
)


async def test_a_consumer_is_registered_once(stream, clock):
    made = await stream.register_consumer("billing", tags={"team": "blue"})
    second = clock.now_ms() // 1000
    assert made.arn == f"{stream.arn}/consumer/billing:{second}"
    assert (made.status, made.tags, made.created_ms) == ("ACTIVE", {"team": "blue"}, clock.now_ms())
    with pytest.raises(ConsumerExists):
        await stream.register_consumer("billing")
    for given in ("billing", made.arn):
        assert await stream.registered_consumer(given) == made
    assert (await stream.info()).consumer_count == 1


async def test_a_consumer_that_is_registered_anew_is_another_one(stream):
    """Also within the same second."""
    before = await stream.register_consumer("billing")
    await stream.deregister_consumer(before.arn)
    after = await stream.register_consumer("billing")
    assert after.arn != before.arn
    with pytest.raises(ConsumerDoesNotExist):
        await stream.registered_consumer(before.arn)
    with pytest.raises(ConsumerDoesNotExist):
        await stream.deregister_consumer(before.arn)
    await stream.deregister_consumer("billing")
    with pytest.raises(ConsumerDoesNotExist):
        await stream.deregister_consumer("billing")


async def test_names_and_arns_are_checked(stream):
    for wrong in ("", "two words", "x" * 129, None):
        with pytest.raises(InvalidParameter, match="consumer name"):
            await stream.register_consumer(wrong)
    with pytest.raises(InvalidParameter, match="consumer"):
        await stream.registered_consumer("arn:aws:kinesis:us-east-1:000000000000:stream/other")
    other = stream.arn.replace("positions", "other")
    with pytest.raises(InvalidParameter, match="consumer"):
        await stream.registered_consumer(f"{other}/consumer/billing:1")


async def test_a_stream_has_20_consumers_at_most(stream):
    for n in range(20):
        await stream.register_consumer(f"consumer-{n}")
    with pytest.raises(LimitExceeded, match="20 registered consumers"):
        await stream.register_consumer("one-more")


async def test_with_a_commitment_a_stream_on_demand_has_more(connect):
    client = connect(limits=Limits(max_registered_consumers=1, max_advantage_consumers=2))
    stream = await client.create_stream("clicks", mode="ON_DEMAND")
    await stream.register_consumer("a")
    with pytest.raises(LimitExceeded):
        await stream.register_consumer("b")
    await client.stream_commitment(True)
    await stream.register_consumer("b")
    with pytest.raises(LimitExceeded):
        await stream.register_consumer("c")


async def test_consumers_are_listed_page_by_page(stream, clock):
    for name in ("c", "a", "b"):
        await stream.register_consumer(name)
    page = await stream.consumers(limit=2)
    assert [one.name for one in page] == ["a", "b"]
    clock.move(300)
    following = await stream.consumers(token=page.next_token)
    assert [one.name for one in following] == ["c"]
    assert following.next_token is None
    clock.move(1)
    with pytest.raises(ExpiredToken):
        await stream.consumers(token=page.next_token)
    with pytest.raises(InvalidParameter, match="token"):
        await stream.shards(token=page.next_token)


async def test_a_stream_with_consumers_is_not_deleted_unless_they_may_go_too(stream, client):
    await stream.register_consumer("billing")
    with pytest.raises(StreamInUse):
        await stream.delete_stream()
    await stream.put("still there", "key")
    assert await stream.delete_stream(enforce_consumer_deletion=True)
    for ask in (stream.register_consumer, stream.registered_consumer, stream.deregister_consumer):
        with pytest.raises(StreamDoesNotExist):
            await ask("billing")
    with pytest.raises(StreamDoesNotExist):
        await stream.consumers()
    await client.create_stream("positions")
    assert list(await stream.consumers()) == []


async def test_a_consumer_has_tags_and_a_policy_of_its_own(stream):
    made = await stream.register_consumer("billing", tags={"a": "1"})
    assert await stream.tag_consumer("billing", {"b": "2"}, remove=["a"]) == {"b": "2"}
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "111122223333"},
        "Action": "kinesis:SubscribeToShard",
        "Resource": made.arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    changed = await stream.set_consumer_policy(made.arn, policy)
    assert (changed.policy, changed.tags, changed.arn) == (policy, {"b": "2"}, made.arn)
    with pytest.raises(InvalidPolicy):
        await stream.set_consumer_policy("billing", policy.replace("billing", "other"))
    assert (await stream.set_consumer_policy("billing", None)).policy is None
    assert await stream.tag_consumer("billing", {}) == {"b": "2"}
