"""rmq: the semantics of Amazon SQS, SNS and Kinesis on the Redis or Valkey you already run.

import rmq

with rmq.connect("redis://localhost") as client:
    orders = client.create_queue("orders")
    orders.send(b"one coffee")
    for message in orders.receive(wait=20):
        with message:
            print(message.body)
"""

from __future__ import annotations

from importlib import metadata
from typing import Any

from rmq.client.aio import AsyncClient
from rmq.client.configured import configured
from rmq.client.sync import Client
from rmq.core.batch import BatchResult
from rmq.core.clock import Clock
from rmq.core.codec import MessageAttribute
from rmq.core.limits import Limits
from rmq.errors import RmqError
from rmq.queues.aio import AsyncMessage, AsyncQueue
from rmq.queues.attributes import QueueAttributes, QueueInfo, RedriveAllowPolicy, RedrivePolicy
from rmq.queues.commands import QueueStats
from rmq.queues.message import PeekedMessage, Sent
from rmq.queues.outbox import RedriveTask
from rmq.queues.outgoing import Outgoing
from rmq.queues.sync import Message, Queue
from rmq.settings import Settings
from rmq.streams.aio import AsyncStream
from rmq.streams.attributes import StreamAttributes, StreamInfo
from rmq.streams.consumers import RegisteredConsumer
from rmq.streams.groups.administration import GroupInfo
from rmq.streams.groups.lease import Lease
from rmq.streams.groups.options import ConsumerOptions
from rmq.streams.producing.aggregation import deaggregate
from rmq.streams.producing.collecting import Produced
from rmq.streams.producing.metrics import ProducerMetrics
from rmq.streams.producing.settings import ProducerSettings
from rmq.streams.producing.tasks import AsyncProducer
from rmq.streams.producing.threads import Producer
from rmq.streams.producing.user_record import UserRecord
from rmq.streams.record import Put, Record, Records, StreamRecord
from rmq.streams.shard import Shard
from rmq.streams.shard_filter import ShardFilter
from rmq.streams.subscribing import SubscriptionEvent
from rmq.streams.sync import Stream
from rmq.topics.aio import AsyncTopic
from rmq.topics.attributes import TopicAttributes, TopicInfo
from rmq.topics.listening import Heard
from rmq.topics.message import Notification, Published
from rmq.topics.mobile.aio import AsyncMobile
from rmq.topics.mobile.application import ApplicationAttributes, PlatformApplication
from rmq.topics.mobile.endpoint import PlatformEndpoint
from rmq.topics.mobile.sync import Mobile
from rmq.topics.sms.aio import AsyncSms
from rmq.topics.sms.attributes import SmsAttributes
from rmq.topics.sms.origination import OriginationNumber
from rmq.topics.sms.sandbox import SandboxNumber
from rmq.topics.sms.sync import Sms
from rmq.topics.subscription import Subscription, SubscriptionAttributes
from rmq.topics.sync import Topic
from rmq.topics.watching import SubscriptionStats, TopicStats, Verdict

__version__ = metadata.version("rmq")


def connect(
    url: Any = None,
    *,
    namespace: str | None = None,
    limits: Limits | None = None,
    clock: Clock | None = None,
    **settings: Any,
) -> Client:
    """Connect to Redis or Valkey, for threads. Nothing is sent before the first use.

    *url* is a URL (memory://, redis://, rediss://, unix://, redis+cluster://host1,host2), or a
    redis.Redis or redis.RedisCluster that you have; left out, RMQ_URL decides, and without that it
    is memory://. *namespace* prefixes every key. *limits* are AWS's unless given (see Limits).
    *clock* is for tests. *settings* are the fields of Settings, over the environment's.

    Raises ConfigurationError.
    """
    found = configured(Settings, url, namespace, settings)
    return Client(found.url if url is None else url, settings=found, limits=limits, clock=clock)


def connect_async(
    url: Any = None,
    *,
    namespace: str | None = None,
    limits: Limits | None = None,
    clock: Clock | None = None,
    **settings: Any,
) -> AsyncClient:
    """Connect to Redis or Valkey, for asyncio. As connect; `async with` it, await it, or neither.

    Raises ConfigurationError.
    """
    found = configured(Settings, url, namespace, settings)
    return AsyncClient(
        found.url if url is None else url, settings=found, limits=limits, clock=clock
    )


def boto3_session(
    url: Any = None,
    *,
    namespace: str | None = None,
    limits: Limits | None = None,
    clock: Clock | None = None,
    region_name: str | None = None,
    **settings: Any,
) -> Any:
    """A boto3 Session whose SQS, SNS and Kinesis clients and resources work on our Redis, in
    this process, without HTTP.

    Where Redis is and the namespace go as in connect. *region_name* is the session's region,
    default us-east-1, whose queues are those of the library; credentials are made up where the
    environment has none. Services that are not ours go to AWS as always. Needs rmq[boto3].

    The queues behave as at `rmq serve`: limits are Amazon SQS's, with its 60-second rules.
    Raises ConfigurationError.
    """
    from rmq.gateway.inprocess import session

    return session(
        configured(Settings, url, namespace, settings),
        url,
        limits=limits,
        clock=clock,
        region_name=region_name,
    )


__all__ = [
    "ApplicationAttributes",
    "AsyncClient",
    "AsyncMessage",
    "AsyncMobile",
    "AsyncProducer",
    "AsyncQueue",
    "AsyncSms",
    "AsyncStream",
    "AsyncTopic",
    "BatchResult",
    "Client",
    "ConsumerOptions",
    "GroupInfo",
    "Heard",
    "Lease",
    "Limits",
    "Message",
    "MessageAttribute",
    "Mobile",
    "Notification",
    "OriginationNumber",
    "Outgoing",
    "PeekedMessage",
    "PlatformApplication",
    "PlatformEndpoint",
    "Produced",
    "Producer",
    "ProducerMetrics",
    "ProducerSettings",
    "Published",
    "Put",
    "Queue",
    "QueueAttributes",
    "QueueInfo",
    "QueueStats",
    "Record",
    "Records",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "RedriveTask",
    "RegisteredConsumer",
    "RmqError",
    "SandboxNumber",
    "Sent",
    "Settings",
    "Shard",
    "ShardFilter",
    "Sms",
    "SmsAttributes",
    "Stream",
    "StreamAttributes",
    "StreamInfo",
    "StreamRecord",
    "Subscription",
    "SubscriptionAttributes",
    "SubscriptionEvent",
    "SubscriptionStats",
    "Topic",
    "TopicAttributes",
    "TopicInfo",
    "TopicStats",
    "UserRecord",
    "Verdict",
    "boto3_session",
    "connect",
    "connect_async",
    "deaggregate",
]
