"""The client in asyncio. `sync.py` is made from this file: `make sync`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Mapping
from copy import copy
from functools import partial
from types import TracebackType
from typing import Any

from rmq.client.dead_letters import DeadLetterQueue
from rmq.core.clock import Clock
from rmq.core.connection import link
from rmq.core.events import Events
from rmq.core.executor import AsyncExecutor
from rmq.core.keys import NAMESPACE, every_key
from rmq.core.limits import Limits
from rmq.core.paging import Page
from rmq.core.place import Place, Places
from rmq.errors import InvalidParameter
from rmq.queues import lifecycle
from rmq.queues.aio import AsyncQueue
from rmq.settings import Settings
from rmq.streams import accounting, sweeping
from rmq.streams import lifecycle as stream_lifecycle
from rmq.streams.accounting import AccountLimits, Commitment
from rmq.streams.aio import AsyncStream
from rmq.streams.registry import StreamRegistry
from rmq.topics import lifecycle as topic_lifecycle
from rmq.topics.aio import AsyncTopic
from rmq.topics.mobile.aio import AsyncMobile
from rmq.topics.registry import Site, TopicRegistry
from rmq.topics.signing import signing_key
from rmq.topics.sms.aio import AsyncSms


class AsyncClient:
    """A connection to one namespace of one Redis. Make it with `rmq.connect_async`."""

    def __init__(
        self,
        target: Any,
        *,
        settings: Settings,
        limits: Limits | None = None,
        clock: Clock | None = None,
        signs_queues: bool = False,
    ) -> None:
        """*signs_queues*: envelopes for queues are signed whatever the topic says, as SNS does."""
        self.settings = settings
        self.namespace = settings.namespace
        self.limits = limits or Limits()
        self.clock = clock or Clock()
        self.events = Events()
        self._executor = AsyncExecutor(
            link(target, settings, is_async=True),
            clock=self.clock,
            events=self.events,
            retry_timeout=settings.retry_timeout,
            allow_eviction=settings.allow_eviction,
        )
        self._is_derived = False
        place = Place(settings.aws_account_id, settings.aws_region)
        self._site = Site(self.namespace, self.limits, self.clock, self.events)
        self._enter(Places(self.namespace, place), signs_queues)

    def _enter(self, places: Places, signs_queues: bool) -> None:
        """Work in a namespace."""
        self._above: dict[type, Any] = {}
        """What rooms above this one keep for as long as it is there."""
        self._places = places
        self._registry = self._site.queues(places.namespace)
        self._topics = TopicRegistry(
            self._site, places, self.settings.endpoint_url, signs_queues=signs_queues
        )
        self._streams = StreamRegistry(places, self.limits, self.clock, self.events)
        self._streams.dead_letters = partial(DeadLetterQueue, self)
        self.mobile = AsyncMobile(self._topics, self._executor)
        """Platform applications and endpoints: messages to apps on phones."""
        self.sms = AsyncSms(self._topics, self._executor)
        """Text messages, and what the account has for them."""

    def __repr__(self) -> str:
        return f"<rmq client of namespace {self.namespace!r}>"

    # --- queues ---

    def queue(self, name: str) -> AsyncQueue:
        """A queue by name, without asking whether it exists: its first use will tell.

        Raises InvalidParameter for what can not be a name.
        """
        found = self._registry.handles.get(name) if isinstance(name, str) else None
        if found is None:
            found = AsyncQueue(name, self._registry, self._executor)
            self._registry.meet(found)
        return found

    async def create_queue(
        self, name: str, *, tags: Mapping[str, str] | None = None, **attributes: Any
    ) -> AsyncQueue:
        """Make a queue. A name that ends in .fifo makes a FIFO queue.

        *attributes* are those of QueueAttributes; what is left out has its default. If the queue
        stands already with the attributes given, this returns it and changes nothing.

        Raises InvalidParameter, QueueExists (naming the attribute that differs), and where the
        limit name_reuse_delay is set QueueDeletedRecently.
        Source: CreateQueue (Amazon SQS API Reference).
        """
        await self._executor.run(lifecycle.create(self._registry, name, attributes, tags))
        return self.queue(name)

    async def get_queue(self, name: str) -> AsyncQueue:
        """A queue that exists. Raises QueueDoesNotExist."""
        queue = self.queue(name)
        await queue.info()
        return queue

    async def list_queues(
        self, prefix: str = "", *, limit: int = 1000, token: str | None = None
    ) -> Page:
        """Names of queues that begin with *prefix*, in order; up to *limit* (1 to 1,000), going on
        behind *token*, the next_token of the page before."""
        return await self._executor.run(lifecycle.list_queues(self._registry, prefix, limit, token))

    async def all_queues(self, prefix: str = "") -> AsyncIterator[AsyncQueue]:
        """Every queue whose name begins with *prefix*, however many there are."""
        token = None
        while True:
            page = await self.list_queues(prefix, token=token)
            for name in page:
                yield self.queue(name)
            token = page.next_token
            if token is None:
                return

    async def delete_queue(self, name: str) -> None:
        """Remove a queue with all it holds. Raises QueueDoesNotExist."""
        await self.queue(name).delete_queue()

    # --- topics ---

    def topic(self, name: str) -> AsyncTopic:
        """A topic by name, without asking whether it exists: its first use will tell.

        Raises InvalidParameter for what can not be a name.
        """
        found = self._topics.handles.get(name) if isinstance(name, str) else None
        if found is None:
            found = AsyncTopic(name, self._topics, self._executor)
            self._topics.meet(found)
        return found

    async def create_topic(
        self, name: str, *, tags: Mapping[str, str] | None = None, **attributes: Any
    ) -> AsyncTopic:
        """Make a topic. A name that ends in .fifo makes a FIFO topic.

        *attributes* are those of TopicAttributes; what is left out has its default. If the topic
        stands already with the attributes and tags given, this returns it and changes nothing.

        Raises InvalidParameter, TopicExists (naming the attribute that differs).
        Source: CreateTopic (Amazon SNS API Reference).
        """
        await self._executor.run(topic_lifecycle.create(self._topics, name, attributes, tags))
        return self.topic(name)

    async def get_topic(self, name: str) -> AsyncTopic:
        """A topic that exists. Raises TopicDoesNotExist."""
        topic = self.topic(name)
        await topic.info()
        return topic

    async def list_topics(
        self, prefix: str = "", *, limit: int = 1000, token: str | None = None
    ) -> Page:
        """Names of topics that begin with *prefix*, in order; up to *limit* (1 to 1,000), going on
        behind *token*, the next_token of the page before."""
        return await self._executor.run(
            topic_lifecycle.list_topics(self._topics, prefix, limit, token)
        )

    async def all_topics(self, prefix: str = "") -> AsyncIterator[AsyncTopic]:
        """Every topic whose name begins with *prefix*, however many there are."""
        token = None
        while True:
            page = await self.list_topics(prefix, token=token)
            for name in page:
                yield self.topic(name)
            token = page.next_token
            if token is None:
                return

    async def delete_topic(self, name: str) -> bool:
        """Remove a topic with its subscriptions. False when there was none.

        Raises ArchiveActive.
        """
        return await self.topic(name).delete_topic()

    async def signing_certificate(self) -> tuple[str, str]:
        """The certificate of the key that signs envelopes: the name of its file, in which their
        SigningCertURL ends, and its PEM. Raises ConfigurationError without `cryptography`."""
        key = await self._executor.run(signing_key(self._topics))
        return key.certificate_name, key.certificate

    # --- streams ---

    def stream(self, name: str) -> AsyncStream:
        """A stream by name, without asking whether it exists: its first use will tell.

        Raises InvalidParameter for what can not be a name.
        """
        found = self._streams.handles.get(name) if isinstance(name, str) else None
        if found is None:
            found = AsyncStream(name, self._streams, self._executor)
            self._streams.meet(found)
        return found

    async def create_stream(
        self,
        name: str,
        shard_count: int | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        **attributes: Any,
    ) -> AsyncStream:
        """Make a stream with *shard_count* shards: 1 unless given. One of the mode ON_DEMAND has as
        many as it needs, 4 at first.

        *attributes* are those of StreamAttributes; what is left out has its default.

        Raises InvalidParameter, StreamExists.
        Source: CreateStream (Amazon Kinesis Data Streams API Reference).
        """
        await self._executor.run(
            stream_lifecycle.create(self._streams, name, shard_count, attributes, tags)
        )
        return self.stream(name)

    async def get_stream(self, name: str) -> AsyncStream:
        """A stream that exists. Raises StreamDoesNotExist."""
        stream = self.stream(name)
        await stream.info()
        return stream

    async def list_streams(
        self, prefix: str = "", *, limit: int = 1000, token: str | None = None
    ) -> Page:
        """Names of streams that begin with *prefix*, in order; up to *limit* (1 to 1,000), going on
        behind *token*, the next_token of the page before."""
        return await self._executor.run(
            stream_lifecycle.list_streams(self._streams, prefix, limit, token)
        )

    async def all_streams(self, prefix: str = "") -> AsyncIterator[AsyncStream]:
        """Every stream whose name begins with *prefix*, however many there are."""
        token = None
        while True:
            page = await self.list_streams(prefix, token=token)
            for name in page:
                yield self.stream(name)
            token = page.next_token
            if token is None:
                return

    async def delete_stream(self, name: str, *, enforce_consumer_deletion: bool = False) -> bool:
        """Remove a stream with all its records. False when there was none.

        Raises StreamInUse while it has registered consumers, unless *enforce_consumer_deletion*,
        and while it has queues or channels (DeleteQueue, DeleteChannel at the endpoint remove
        them). Raises InvalidParameter.
        Source: DeleteStream (Amazon Kinesis Data Streams API Reference).
        """
        return await self.stream(name).delete_stream(
            enforce_consumer_deletion=enforce_consumer_deletion
        )

    async def stream_limits(self) -> AccountLimits:
        """What all streams have together, and what they may have.
        Source: DescribeLimits (Amazon Kinesis Data Streams API Reference)."""
        return await self._executor.run(accounting.account_limits(self._streams))

    async def stream_commitment(self, enabled: bool | None = None) -> Commitment:
        """The account's minimum throughput commitment; *enabled* changes it. It lasts for 24 hours
        at least, costs nothing here, and unlocks warm throughput and more registered consumers.
        Source: UpdateAccountSettings (Amazon Kinesis Data Streams API Reference)."""
        return await self._executor.call(accounting.commitment(self._streams, enabled))

    async def sweep_streams(self, *, nested: bool = False) -> None:
        """Sweep all streams that nobody has swept for a minute, with *nested* also those of the
        accounts and regions beside this one: expired records give their memory back, streams on
        demand get the shards that they need. Whoever puts or reads does this by the way."""
        registries = [self._streams]
        if nested:
            for place in await self._executor.call(accounting.places(self._streams)):
                places = self._places.beside(place)
                registries.append(StreamRegistry(places, self.limits, self.clock, self.events))
        for registry in registries:
            after = None
            while True:
                after = await self._executor.run(sweeping.sweep_all(registry, after))
                if after is None:
                    break

    # --- the namespace ---

    @property
    def place(self) -> Place:
        """The account and the region that stand in ARNs."""
        return self._places.own

    def in_namespace(self, namespace: str) -> AsyncClient:
        """A client of another namespace, on this one's connections.

        It shares limits, clock, events and settings too. Closing this one closes the connections of
        both; closing the other closes nothing. Make it once and keep it: each knows its queues by
        itself.

        Raises InvalidParameter for what is not 1 to 64 of A-Z a-z 0-9 _ . -.
        """
        if not isinstance(namespace, str) or not NAMESPACE.fullmatch(namespace):
            raise InvalidParameter("namespace", namespace, "1 to 64 of A-Z a-z 0-9 _ . -")
        return self._derived(Places(namespace, self.place))

    def in_account(self, account: str, region: str) -> AsyncClient:
        """A client of another account or region, on this one's connections: the namespace
        `<namespace>.<account>.<region>`, beside that of the own account in its own region. As for
        in_namespace, make it once and keep it.

        Raises InvalidParameter for what is not 12 digits, and 1 to 24 of a-z 0-9 -.
        """
        return self._derived(self._places.beside(Place.checked(account, region)))

    def _derived(self, places: Places) -> AsyncClient:
        other = copy(self)
        other.namespace = places.namespace
        other.settings = self.settings.model_copy(update={"namespace": places.namespace})
        other._enter(places, self._topics.signs_queues)
        other._is_derived = True
        return other

    async def wipe(self, *, nested: bool = False) -> int:
        """Remove everything in this namespace, for ever. For tests. Returns how many keys.

        With *nested* also everything in the namespaces that begin with this one's name and a dot.
        Nobody else should be at work there: what is created meanwhile may stay, whole or in part.
        A receive that waits finds that its queue does not exist.
        """
        match, ours = every_key(self.namespace, nested)
        count = await self._executor.unlink(self.namespace, match, ours)
        # In this order: who looks again must not find in our memory what is gone.
        self._registry.clear()
        self._topics.clear()
        self._streams.clear()
        self._site.signing_key = None
        await self._executor.end_waits(ours)
        return count

    # --- the connection ---

    async def close(self) -> None:
        """Give back the connections; a Redis client that was handed in stays open."""
        if not self._is_derived:
            await self._executor.close()

    def __await__(self) -> Generator[Any, None, AsyncClient]:
        return self._ready().__await__()

    async def _ready(self) -> AsyncClient:
        return self

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
