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

from pydantic import ValidationError

from rmq.client.aio import AsyncClient
from rmq.client.sync import Client
from rmq.core.clock import Clock
from rmq.core.codec import MessageAttribute
from rmq.errors import ConfigurationError, RmqError
from rmq.queues.aio import AsyncMessage, AsyncQueue, BatchResult
from rmq.queues.attributes import QueueAttributes, QueueInfo, RedriveAllowPolicy, RedrivePolicy
from rmq.queues.commands import QueueStats
from rmq.queues.limits import Limits
from rmq.queues.message import PeekedMessage, Sent
from rmq.queues.outbox import RedriveTask
from rmq.queues.outgoing import Outgoing
from rmq.queues.sync import Message, Queue
from rmq.settings import Settings

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
    is memory://. *namespace* prefixes every key. *limits* are Amazon SQS's unless given.
    *clock* is for tests. *settings* are the fields of Settings, over the environment's.

    Raises ConfigurationError.
    """
    found = _settings(url, namespace, settings)
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
    found = _settings(url, namespace, settings)
    return AsyncClient(
        found.url if url is None else url, settings=found, limits=limits, clock=clock
    )


def _settings(url: Any, namespace: str | None, given: dict[str, Any]) -> Settings:
    for name in given:
        if name not in Settings.model_fields:
            raise ConfigurationError(
                f"there is no setting {name!r}; there are {', '.join(Settings.model_fields)}"
            )
    if namespace is not None:
        given["namespace"] = namespace
    if isinstance(url, str):
        given["url"] = url
    try:
        return Settings(**given)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
            for one in error.errors(include_input=False, include_url=False)
        )
        raise ConfigurationError(
            f"settings can not be used: {wrong}; give others, or set RMQ_… in the environment"
        ) from error


__all__ = [
    "AsyncClient",
    "AsyncMessage",
    "AsyncQueue",
    "BatchResult",
    "Client",
    "Limits",
    "Message",
    "MessageAttribute",
    "Outgoing",
    "PeekedMessage",
    "Queue",
    "QueueAttributes",
    "QueueInfo",
    "QueueStats",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "RedriveTask",
    "RmqError",
    "Sent",
    "Settings",
    "connect",
    "connect_async",
]
