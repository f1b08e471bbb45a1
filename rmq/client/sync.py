# Made from aio.py by .ci/sync.py. Edit that file, then `make sync`.
"""The client for threads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from functools import partial
from types import TracebackType
from typing import Any

from rmq.client.dead_letters import DeadLetterQueue
from rmq.core.clock import Clock
from rmq.core.connection import link
from rmq.core.events import Events
from rmq.core.executor import SyncExecutor
from rmq.core.keys import NAMESPACE, every_key
from rmq.core.limits import Limits
from rmq.core.paging import Page
from rmq.core.place import Place, Places
from rmq.errors import InvalidParameter
from rmq.queues import lifecycle
from rmq.queues.sync import Queue
from rmq.settings import Settings
from rmq.streams import accounting, sweeping
from rmq.streams import lifecycle as stream_lifecycle
from rmq.streams.accounting import AccountLimits, Commitment
from rmq.streams.registry import StreamRegistry
from rmq.streams.sync import Stream
from rmq.topics import lifecycle as topic_lifecycle
from rmq.topics.mobile.sync import Mobile
from rmq.topics.registry import Site, TopicRegistry
from rmq.topics.signing import signing_key
from rmq.topics.sms.sync import Sms
from rmq.topics.sync import Topic


class Client:
    """A connection to one namespace of one Redis. Make it with `rmq.connect`."""

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
        self._executor = SyncExecutor(
            link(target, settings, is_async=False),
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
        self.mobile = Mobile(self._topics, self._executor)
        """Platform applications and endpoints: messages to apps on phones."""
        self.sms = Sms(self._topics, self._executor)
        """Text messages, and what the account has for them."""

    def __repr__(self) -> str:
        return f"<rmq client of namespace {self.namespace!r}>"

    # --- queues ---

    def queue(self, name: str) -> Queue:
        """A queue by name, without asking whether it exists: its first use will tell.

        Raises InvalidParameter for what can not be a name.
        """
        found = self._registry.handles.get(name) if isinstance(name, str) else None
        if found is None:
            found = Queue(name, self._registry, self._executor)
            self._registry.meet(found)
        return found

    def create_queue(
        self, name: str, *, tags: Mapping[str, str] | None = None, **attributes: Any
    ) -> Queue:
        """Make a queue. A name that ends in .fifo makes a FIFO queue.

        *attributes* are those of QueueAttributes; what is left out has its default. If the queue
        stands already with the attributes given, this returns it and changes nothing.

        Raises InvalidParameter, QueueExists (naming the attribute that differs), and where the
        limit name_reuse_delay is set QueueDeletedRecently.
        Source: CreateQueue (Amazon SQS API Reference).
        """
        self._executor.run(lifecycle.create(self._registry, name, attributes, tags))
        return self.queue(name)

    def get_queue(self, name: str) -> Queue:
        """A queue that exists. Raises QueueDoesNotExist."""
        queue = self.queue(name)
        queue.info()
        return queue

    def list_queues(self, prefix: str = "", *, limit: int = 1000, token: str | None = None) -> Page:
        """Names of queues that begin with *prefix*, in order; up to *limit* (1 to 1,000), going on
        behind *token*, the next_token of the page before."""
        return self._executor.run(lifecycle.list_queues(self._registry, prefix, limit, token))

    def all_queues(self, prefix: str = "") -> Iterator[Queue]:
        """Every queue whose name begins with *prefix*, however many there are."""
        token = None
        while True:
            page = self.list_queues(prefix, token=token)
            for name in page:
                yield self.queue(name)
            token = page.next_token
            if token is None:
                return

    def delete_queue(self, name: str) -> None:
        """Remove a queue with all it holds. Raises QueueDoesNotExist."""
        self.queue(name).delete_queue()

    # --- topics ---

    def topic(self, name: str) -> Topic:
        """A topic by name, without asking whether it exists: its first use will tell.

        Raises InvalidParameter for what can not be a name.
        """
        found = self._topics.handles.get(name) if isinstance(name, str) else None
        if found is None:
            found = Topic(name, self._topics, self._executor)
            self._topics.meet(found)
        return found

    def create_topic(
        self, name: str, *, tags: Mapping[str, str] | None = None, **attributes: Any
    ) -> Topic:
        """Make a topic. A name that ends in .fifo makes a FIFO topic.

        *attributes* are those of TopicAttributes; what is left out has its default. If the topic
        stands already with the attributes and tags given, this returns it and changes nothing.

        Raises InvalidParameter, TopicExists (naming the attribute that differs).
        Source: CreateTopic (Amazon SNS API Reference).
        """
        self._executor.run(topic_lifecycle.create(self._topics, name, attributes, tags))
        return self.topic(name)

    def get_topic(self, name: str) -> Topic:
        """A topic that exists. Raises TopicDoesNotExist."""
        topic = self.topic(name)
        topic.info()
        return topic

    def list_topics(self, prefix: str = "", *, limit: int = 1000, token: str | None = None) -> Page:
        """Names of topics that begin with *prefix*, in order; up to *limit* (1 to 1,000), going on
        behind *token*, the next_token of the page before."""
        return self._executor.run(topic_lifecycle.list_topics(self._topics, prefix, limit, token))

    def all_topics(self, prefix: str = "") -> Iterator[Topic]:
        """Every topic whose name begins with *prefix*, however many there are."""
        token = None
        while True:
            page = self.list_topics(prefix, token=token)
            for name in page:
                yield self.topic(name)
            token = page.next_token
            if token is None:
                return

    def delete_topic(self, name: str) -> bool:
        """Remove a topic with its subscriptions. False when there was none.

        Raises ArchiveActive.
        """
        return self.topic(name).delete_topic()

    def signing_certificate(self) -> tuple[str, str]:
        """The certificate of the key that signs envelopes: the name of its file, in which their
        SigningCertURL ends, and its PEM. Raises ConfigurationError without `cryptography`."""
        key = self._executor.run(signing_key(self._topics))
        return key.certificate_name, key.certificate

    # --- streams ---

    def stream(self, name: str) -> Stream:
        """A stream by name, without asking whether it exists: its first use will tell.

        Raises InvalidParameter for what can not be a name.
        """
        found = self._streams.handles.get(name) if isinstance(name, str) else None
        if found is None:
            found = Stream(name, self._streams, self._executor)
            self._streams.meet(found)
        return found

    def create_stream(
        self,
        name: str,
        shard_count: int | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        **attributes: Any,
    ) -> Stream:
        """Make a stream with *shard_count* shards: 1 unless given. One of the mode ON_DEMAND has as
        many as it needs, 4 at first.

        *attributes* are those of StreamAttributes; what is left out has its default.

        Raises InvalidParameter, StreamExists.
        Source: CreateStream (Amazon Kinesis Data Streams API Reference).
        """
        self._executor.run(
            stream_lifecycle.create(self._streams, name, shard_count, attributes, tags)
        )
        return self.stream(name)

    def get_stream(self, name: str) -> Stream:
        """A stream that exists. Raises StreamDoesNotExist."""
        stream = self.stream(name)
        stream.info()
        return stream

    def list_streams(
        self, prefix: str = "", *, limit: int = 1000, token: str | None = None
    ) -> Page:
        """Names of streams that begin with *prefix*, in order; up to *limit* (1 to 1,000), going on
        behind *token*, the next_token of the page before."""
        return self._executor.run(
            stream_lifecycle.list_streams(self._streams, prefix, limit, token)
        )

    def all_streams(self, prefix: str = "") -> Iterator[Stream]:
        """Every stream whose name begins with *prefix*, however many there are."""
        token = None
        while True:
            page = self.list_streams(prefix, token=token)
            for name in page:
                yield self.stream(name)
            token = page.next_token
            if token is None:
                return

    def delete_stream(self, name: str, *, enforce_consumer_deletion: bool = False) -> bool:
        """Remove a stream with all its records. False when there was none.

        Raises StreamInUse while it has registered consumers, unless *enforce_consumer_deletion*,
        and while it has queues or channels (DeleteQueue, DeleteChannel at the endpoint remove
        them). Raises InvalidParameter.
        Source: DeleteStream (Amazon Kinesis Data Streams API Reference).
        """
        return self.stream(name).delete_stream(enforce_consumer_deletion=enforce_consumer_deletion)

    def stream_limits(self) -> AccountLimits:
        """What all streams have together, and what they may have.
        Source: DescribeLimits (Amazon Kinesis Data Streams API Reference)."""
        return self._executor.run(accounting.account_limits(self._streams))

    def stream_commitment(self, enabled: bool | None = None) -> Commitment:
        """The account's minimum throughput commitment; *enabled* changes it. It lasts for 24 hours
        at least, costs nothing here, and unlocks warm throughput and more registered consumers.
        Source: UpdateAccountSettings (Amazon Kinesis Data Streams API Reference)."""
        return self._executor.call(accounting.commitment(self._streams, enabled))

    def sweep_streams(self, *, nested: bool = False) -> None:
        """Sweep all streams that nobody has swept for a minute, with *nested* also those of the
        accounts and regions beside this one: expired records give their memory back, streams on
        demand get the shards that they need. Whoever puts or reads does this by the way."""
        registries = [self._streams]
        if nested:
            for place in self._executor.call(accounting.places(self._streams)):
                places = self._places.beside(place)
                registries.append(StreamRegistry(places, self.limits, self.clock, self.events))
        for registry in registries:
            after = None
            while True:
                after = self._executor.run(sweeping.sweep_all(registry, after))
                if after is None:
                    break

    # --- the namespace ---

    @property
    def place(self) -> Place:
        """The account and the region that stand in ARNs."""
        return self._places.own

    def in_namespace(self, namespace: str) -> Client:
        """A client of another namespace, on this one's connections.

        It shares limits, clock, events and settings too. Closing this one closes the connections of
        both; closing the other closes nothing. Make it once and keep it: each knows its queues by
        itself.

        Raises InvalidParameter for what is not 1 to 64 of A-Z a-z 0-9 _ . -.
        """
        if not isinstance(namespace, str) or not NAMESPACE.fullmatch(namespace):
            raise InvalidParameter("namespace", namespace, "1 to 64 of A-Z a-z 0-9 _ . -")
        return self._derived(Places(namespace, self.place))

    def in_account(self, account: str, region: str) -> Client:
        """A client of another account or region, on this one's connections: the namespace
        `<namespace>.<account>.<region>`, beside that of the own account in its own region. As for
        in_namespace, make it once and keep it.

        Raises InvalidParameter for what is not 12 digits, and 1 to 24 of a-z 0-9 -.
        """
        return self._derived(self._places.beside(Place.checked(account, region)))

    def _derived(self, places: Places) -> Client:
        other = copy(self)
        other.namespace = places.namespace
        other.settings = self.settings.model_copy(update={"namespace": places.namespace})
        other._enter(places, self._topics.signs_queues)
        other._is_derived = True
        return other

    def wipe(self, *, nested: bool = False) -> int:
        """Remove everything in this namespace, for ever. For tests. Returns how many keys.

        With *nested* also everything in the namespaces that begin with this one's name and a dot.
        Nobody else should be at work there: what is created meanwhile may stay, whole or in part.
        A receive that waits finds that its queue does not exist.
        """
        match, ours = every_key(self.namespace, nested)
        count = self._executor.unlink(self.namespace, match, ours)
        # In this order: who looks again must not find in our memory what is gone.
        self._registry.clear()
        self._topics.clear()
        self._streams.clear()
        self._site.signing_key = None
        self._executor.end_waits(ours)
        return count

    # --- the connection ---

    def close(self) -> None:
        """Give back the connections; a Redis client that was handed in stays open."""
        if not self._is_derived:
            self._executor.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
