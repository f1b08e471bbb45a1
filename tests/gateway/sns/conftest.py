"""What the tests of SNS get: the service in either protocol, without HTTP, beside SQS of the same
account; and a topic with a queue on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from rmq.gateway.app import Endpoint
from rmq.push.dispatcher import Dispatcher
from rmq.push.senders import chosen
from rmq.push.settings import PushSettings
from tests.gateway.conftest import OWN_ACCOUNT
from tests.gateway.sdk import SNS, Sdk
from tests.push.listener import Listener


@pytest.fixture
def sns(protocol: str, gateway: Endpoint) -> Sdk:
    """SNS in either protocol, without HTTP."""
    return Sdk(protocol, gateway, account=OWN_ACCOUNT, service=SNS)


@pytest.fixture
async def topic(sns: Sdk) -> str:
    """The ARN of a standard topic."""
    return str((await sns.create_topic(Name="orders"))["TopicArn"])


@pytest.fixture
async def fifo_topic(sns: Sdk) -> str:
    """The ARN of a FIFO topic that takes the deduplication id from the message."""
    attributes = {"FifoTopic": "true", "ContentBasedDeduplication": "true"}
    return str((await sns.create_topic(Name="orders.fifo", Attributes=attributes))["TopicArn"])


@pytest.fixture
async def queue_arn(sqs: Sdk, queue: str) -> str:
    """The ARN of the queue."""
    return await sqs.arn(queue)


@pytest.fixture
async def subscription(sns: Sdk, topic: str, queue_arn: str) -> str:
    """The ARN of the queue's subscription to the topic."""
    found = await sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    return str(found["SubscriptionArn"])


@pytest.fixture
async def dispatcher(gateway: Endpoint) -> AsyncIterator[Dispatcher]:
    """Pushes what the endpoint has for others than queues, when it is told to drain."""
    client = gateway.client
    senders = chosen(PushSettings(allow_addresses=("loopback",)), client._executor)
    made = Dispatcher(client, senders, random=lambda: 0.5)
    yield made
    await made.close()


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    """A subscriber over HTTP."""
    made = await Listener.start()
    yield made
    await made.close()
