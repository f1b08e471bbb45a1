"""Scenarios for aiobotocore, run by test_inprocess.py in an environment that has it.

    python aiobotocore_scenarios.py <scenario> <endpoint url>

A scenario that fails raises.
"""

import asyncio
import json
import sys
import time

from aiobotocore.session import get_session

import rmq.testing

PATIENCE = 10.0
"""Seconds that a scenario waits for what should be there at once."""


async def _works(sqs):
    """Whether all kinds of requests and answers go through."""
    url = (await sqs.create_queue(QueueName="orders"))["QueueUrl"]
    attributes = {"n": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}
    sent = await sqs.send_message(
        QueueUrl=url, MessageBody="caf\u00e9", MessageAttributes=attributes
    )
    (found,) = (
        await sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], WaitTimeSeconds=5)
    )["Messages"]
    assert found["MessageId"] == sent["MessageId"]
    assert found["Body"] == "caf\u00e9"
    assert found["MessageAttributes"] == attributes
    await sqs.delete_message(QueueUrl=url, ReceiptHandle=found["ReceiptHandle"])
    refused = None
    try:
        await sqs.get_queue_url(QueueName="none")
    except sqs.exceptions.QueueDoesNotExist as error:
        refused = error.response
    assert refused["ResponseMetadata"]["HTTPStatusCode"] == 400
    pages = [page async for page in sqs.get_paginator("list_queues").paginate()]
    assert [page["QueueUrls"] for page in pages] == [[url]]
    return url


async def _reaches(sns, sqs):
    """Whether what is published gets to a queue, in an envelope."""
    topic = (await sns.create_topic(Name="news"))["TopicArn"]
    url = (await sqs.create_queue(QueueName="readers"))["QueueUrl"]
    found = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn = found["Attributes"]["QueueArn"]
    await sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    published = await sns.publish(TopicArn=topic, Message="caf\u00e9")
    (message,) = (await sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5))["Messages"]
    envelope = json.loads(message["Body"])
    assert (envelope["MessageId"], envelope["Message"]) == (published["MessageId"], "caf\u00e9")
    refused = None
    try:
        await sns.publish(TopicArn=topic + "x", Message="x")
    except sns.exceptions.NotFoundException as error:
        refused = error.response
    assert refused["ResponseMetadata"]["HTTPStatusCode"] == 404


async def topics_in_process(endpoint_url):
    with rmq.testing.aws():
        session = get_session()
        async with session.create_client("sns") as sns, session.create_client("sqs") as sqs:
            await _reaches(sns, sqs)


async def topics_over_http(endpoint_url):
    session, where = get_session(), {"endpoint_url": endpoint_url}
    async with (
        session.create_client("sns", **where) as sns,
        session.create_client("sqs", **where) as sqs,
    ):
        await _reaches(sns, sqs)


async def in_process(endpoint_url):
    with rmq.testing.aws() as here:
        async with get_session().create_client("sqs") as sqs:
            url = await _works(sqs)
            await sqs.send_message(QueueUrl=url, MessageBody="hello")
            assert (await sqs.receive_message(QueueUrl=url))["Messages"]
            here.clock.move(31)
            assert (await sqs.receive_message(QueueUrl=url))["Messages"]
    with rmq.testing.aws():
        async with get_session().create_client("sqs") as sqs:
            assert not (await sqs.list_queues()).get("QueueUrls")
    await decorated()


@rmq.testing.aws()
async def decorated():
    async with get_session().create_client("sqs") as sqs:
        await _works(sqs)


async def nobody_is_blocked(endpoint_url):
    """Two long polls and a send at the same time, and a loop that goes on turning."""
    with rmq.testing.aws():
        async with get_session().create_client("sqs") as sqs:
            url = (await sqs.create_queue(QueueName="orders"))["QueueUrl"]
            begun = time.monotonic()
            polls = [
                asyncio.create_task(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20))
                for _ in range(2)
            ]
            for _ in range(20):  # a poll that blocked the loop would be over before it turns again
                await asyncio.sleep(0.005)
            for number in range(2):
                await sqs.send_message(QueueUrl=url, MessageBody=str(number))
            found = await asyncio.wait_for(asyncio.gather(*polls), PATIENCE)
            assert sorted(one["Messages"][0]["Body"] for one in found) == ["0", "1"]
            assert time.monotonic() - begun < PATIENCE

            gone = asyncio.create_task(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20))
            await asyncio.sleep(0)
            gone.cancel()
            await asyncio.wait((gone,))
            assert gone.cancelled()
            assert (await sqs.list_queues())["QueueUrls"] == [url]


async def over_http(endpoint_url):
    async with get_session().create_client("sqs", endpoint_url=endpoint_url) as sqs:
        await _works(sqs)


async def _flows(kinesis):
    """Whether records come back, by an iterator and as an event stream."""
    await kinesis.create_stream(StreamName="orders", ShardCount=1)
    summary = await kinesis.describe_stream_summary(StreamName="orders")
    arn = summary["StreamDescriptionSummary"]["StreamARN"]
    shard = "shardId-000000000000"
    await kinesis.put_record(StreamName="orders", Data=b"\x00\xff", PartitionKey="caf\u00e9")
    found = await kinesis.get_shard_iterator(
        StreamName="orders", ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )
    (one,) = (await kinesis.get_records(ShardIterator=found["ShardIterator"]))["Records"]
    assert (one["Data"], one["PartitionKey"]) == (b"\x00\xff", "caf\u00e9")

    made = await kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="reader")
    answer = await kinesis.subscribe_to_shard(
        ConsumerARN=made["Consumer"]["ConsumerARN"],
        ShardId=shard,
        StartingPosition={"Type": "TRIM_HORIZON"},
    )
    async with asyncio.timeout(PATIENCE):
        async for event in answer["EventStream"]:
            (same,) = event["SubscribeToShardEvent"]["Records"]
            assert same["SequenceNumber"] == one["SequenceNumber"]
            break
    answer["EventStream"].close()


async def streams_in_process(endpoint_url):
    with rmq.testing.aws():
        async with get_session().create_client("kinesis") as kinesis:
            await _flows(kinesis)


async def streams_over_http(endpoint_url):
    async with get_session().create_client("kinesis", endpoint_url=endpoint_url) as kinesis:
        await _flows(kinesis)


if __name__ == "__main__":
    name, given = sys.argv[1:]
    asyncio.run(globals()[name](given))
