"""What the tests of SNS get: the service in either protocol, without HTTP, beside SQS of the same
account; and a topic with a queue on it."""

from __future__ import annotations

import pytest

from rmq.gateway.app import Endpoint
from tests.gateway.conftest import OWN_ACCOUNT
from tests.gateway.sdk import SNS, Sdk


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
