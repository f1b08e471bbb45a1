"""A stream in asyncio. `sync.py` is made from this file: `make sync`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any

from rmq.core.batch import BatchResult
from rmq.core.coalesce import AsyncCoalescer
from rmq.core.executor import AsyncExecutor
from rmq.core.limits import flag, listed, ms, seconds
from rmq.core.paging import Page, PageOf
from rmq.errors import InvalidParameter, RmqError
from rmq.streams import (
    changing,
    consumers,
    lifecycle,
    listing,
    putting,
    reading,
    resharding,
    sweeping,
)
from rmq.streams.attributes import StreamInfo, stream_name
from rmq.streams.consumers import RegisteredConsumer
from rmq.streams.following import LOOK_S, WAIT_BLOCKS, Following, Start, Waiting
from rmq.streams.groups import administration as groups
from rmq.streams.groups.administration import GroupInfo
from rmq.streams.groups.options import ConsumerOptions, known_options
from rmq.streams.groups.worker import Worker
from rmq.streams.lines import Lines
from rmq.streams.producing.aggregation import deaggregated
from rmq.streams.producing.base import OnResult
from rmq.streams.producing.settings import producer_settings
from rmq.streams.producing.tasks import AsyncProducer
from rmq.streams.reading import IteratorType
from rmq.streams.record import Batch, Put, Record, Records, StreamRecord
from rmq.streams.registry import StreamRegistry
from rmq.streams.shard import Shard
from rmq.streams.shard_filter import ShardFilter
from rmq.streams.subscribing import BEAT_S, Subscription, SubscriptionEvent
from rmq.streams.sweeping import Sweep


class AsyncStream:
    """One stream. Get it from `client.stream(name)`, `get_stream` or `create_stream`.

    Records that tasks put at the same time go to Redis together, in the order in which they were
    put; each has its own result or its own error.
    """

    def __init__(self, name: str, registry: StreamRegistry, executor: AsyncExecutor) -> None:
        self.name = stream_name(name)
        self._registry = registry
        self._executor = executor
        self._puts: Lines[AsyncCoalescer[Record, Put]] = Lines(
            registry, name, lambda: AsyncCoalescer(self._put), many=executor.is_cluster
        )

    def __repr__(self) -> str:
        return f"<stream {self.name!r} in {self._registry.namespace!r}>"

    @property
    def arn(self) -> str:
        """Its ARN, with this client's account and region."""
        return self._registry.place.arn("kinesis", f"stream/{self.name}")

    @property
    def known(self) -> StreamInfo | None:
        """What this client last saw of it, without asking; None before its first use."""
        return self._registry.known(self.name)

    # --- putting ---

    async def put(
        self,
        data: bytes | str,
        partition_key: str | None = None,
        *,
        explicit_hash_key: int | str | None = None,
        sequence_number_for_ordering: str | None = None,
    ) -> Put:
        """Put one record. When this returns, Redis has it.

        *data* is bytes, or text that is stored as UTF-8; it may be empty. With its partition key
        it has at most the stream's max_record_size in bytes.
        *partition_key*: 1 to 256 characters; records with the same one keep their order. Only where
        the stream distributes records by itself it may be left out.
        *explicit_hash_key*: 0 to 2^128-1; decides the shard instead of the key's MD5.
        *sequence_number_for_ordering*: the record gets a greater sequence number than this one.

        Raises InvalidParameter, StreamDoesNotExist, RateExceeded, OutOfMemory, ConnectionLost.
        Source: PutRecord (Amazon Kinesis Data Streams API Reference).
        """
        record = Record(data, partition_key, explicit_hash_key, sequence_number_for_ordering)
        return await self._puts.line_of(record).submit(record)

    async def put_many(self, records: Iterable[Record]) -> BatchResult[Put]:
        """Put any number of records; those of each shard in the order given. One result or error
        for each: what can not be put now (RateExceeded) keeps nothing else back.

        Raises what concerns all of them: StreamDoesNotExist.
        Source: PutRecords (Amazon Kinesis Data Streams API Reference).
        """
        return BatchResult(tuple(await self._put(listed(records, "records", "records"))))

    async def _put(self, records: Sequence[Record]) -> list[Put | RmqError]:
        return await self._executor.run(putting.put(self._registry, self.name, records))

    def producer(self, *, on_result: OnResult | None = None, **settings: Any) -> AsyncProducer:
        """A producer: gathers records, packs those of a shard together, sends what failed again.

        *settings* are those of ProducerSettings. *on_result* is called with each user record and
        what became of it (Produced, or the error), where its future is set; it must not wait for
        the producer. Raises InvalidParameter.
        Source: Kinesis Producer Library (Amazon Kinesis Data Streams Developer Guide).
        """
        return AsyncProducer(
            self.name, self._registry, self._executor, producer_settings(settings), on_result
        )

    # --- reading ---

    async def iterator(
        self,
        shard_id: str,
        type: IteratorType = "TRIM_HORIZON",
        *,
        sequence_number: str | None = None,
        timestamp: datetime | None = None,
    ) -> str:
        """An iterator, at most 512 characters, good for 5 minutes and for any number of calls.

        *type* is where it begins: TRIM_HORIZON (the oldest record that is kept), LATEST (what is
        put from now on), AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER of *sequence_number*, or
        AT_TIMESTAMP of *timestamp* (the first record that arrived then or later).

        Raises InvalidParameter, StreamDoesNotExist, ShardDoesNotExist.
        Source: GetShardIterator (Amazon Kinesis Data Streams API Reference).
        """
        return await self._executor.run(
            reading.iterator(self._registry, self.name, shard_id, type, sequence_number, timestamp)
        )

    async def get(self, iterator: str, limit: int = 10_000) -> Records:
        """Records from an iterator on: up to *limit* (1 to 10,000), 10 MiB; and the next iterator.

        None may be there. At the end of a closed shard there is no next iterator, but the shards
        that took over.

        Raises InvalidParameter, InvalidIterator, ExpiredIterator, StreamDoesNotExist,
        ShardDoesNotExist.
        Source: GetRecords (Amazon Kinesis Data Streams API Reference).
        """
        return await self._executor.run(reading.get(self._registry, self.name, iterator, limit))

    async def position(
        self,
        shard_id: str,
        type: IteratorType = "TRIM_HORIZON",
        *,
        sequence_number: str | None = None,
        timestamp: datetime | None = None,
    ) -> int:
        """What `iterator` gives, as a bare position for `read`: never too old, and not signed."""
        return await self._executor.run(
            reading.position(self._registry, self.name, shard_id, type, sequence_number, timestamp)
        )

    async def read(self, shard_id: str, position: int = 0, limit: int = 10_000) -> Batch:
        """Records from a position on, as `get` does, and the next position. 0 is the oldest record;
        behind one record the next position is its own `position` + 1.

        Raises InvalidParameter, StreamDoesNotExist, ShardDoesNotExist.
        """
        return await self._executor.run(
            reading.read(self._registry, self.name, shard_id, position, limit)
        )

    async def records(
        self,
        *,
        start: Start = "LATEST",
        shard_id: str | None = None,
        follow: bool = True,
        deaggregate: bool = True,
    ) -> AsyncIterator[StreamRecord]:
        """Every record as it is put, live, of all shards or of one.

            async for record in stream.records():
                print(record.partition_key, record.data)

        *start* is where it begins: LATEST (what is put from the first step on), TRIM_HORIZON (the
        oldest record that is kept), or a moment. Records of one partition key come in order, over
        every resharding: a shard's children are read when it was read to its end. It ends with the
        client, at the end of the one closed shard that was asked for, and without *follow* when all
        that there is was read. What a producer packed into one record comes as the records that
        were put, unless *deaggregate* is False.

        Raises InvalidParameter, StreamDoesNotExist (also when it is deleted meanwhile),
        ShardDoesNotExist.
        """
        flag(deaggregate, "deaggregate")
        async for batch in self.batches(start=start, shard_id=shard_id, follow=follow):
            for record in deaggregated(batch, self.known) if deaggregate else batch.records:
                yield record

    async def batches(
        self, *, start: Start = "LATEST", shard_id: str | None = None, follow: bool = True
    ) -> AsyncIterator[Batch]:
        """What `records` gives, as it comes: some records of one shard, and how far behind they
        are. Each batch counts as read when the next one is asked for."""
        flag(follow, "follow")
        following = Following(self._registry, self.name, start, shard_id)
        await self._executor.run(following.begin())
        async with self.reader() as reader:
            while following.positions and not reader.is_closed:
                timeout = LOOK_S if follow else 0
                found = await reader.read(following.positions, timeout=timeout)
                if not found and not follow:
                    return
                for batch in found:
                    yield batch
                    if batch.next_position is not None:
                        following.positions[batch.shard_id] = batch.next_position
                    else:
                        await self._executor.run(following.ended(batch.shard_id))

    def reader(self) -> AsyncReader:
        """Something to read many shards with, and to wait for records; see its `read`."""
        return AsyncReader(self.name, self._registry, self._executor)

    # --- consumer groups ---

    async def groups(
        self, prefix: str = "", *, limit: int = 1000, token: str | None = None
    ) -> Page:
        """Names of its consumer groups that begin with *prefix*, in order; up to *limit* (1 to
        1,000), going on behind *token*, the next_token of the page before."""
        return await self._executor.run(
            groups.names(self._registry, self.name, prefix, limit, token)
        )

    async def group_info(self, group: str) -> GroupInfo:
        """A consumer group as it is now: workers, leases and checkpoints, and how far it is behind.

        Raises InvalidParameter, StreamDoesNotExist, GroupDoesNotExist.
        """
        return await self._executor.run(groups.info(self._registry, self.name, group))

    async def reset_group(self, group: str, start: str | datetime) -> None:
        """Send a consumer group to another place: TRIM_HORIZON (to do everything again that is
        kept), LATEST (to leave out what is not done), or a moment. Workers that are at work notice
        with their next heartbeat, and none of them notes any more what it did before.

        Raises InvalidParameter, StreamDoesNotExist, GroupDoesNotExist.
        """
        await self._executor.run(groups.reset(self._registry, self.name, group, start))

    async def delete_group(self, group: str, *, force: bool = False) -> bool:
        """Remove a consumer group with its checkpoints. False when there was none.

        Raises GroupInUse while its workers are at work, unless *force*; these end then with
        GroupDoesNotExist. Raises InvalidParameter.
        """
        return await self._executor.run(
            groups.delete(self._registry, self.name, group, force=force)
        )

    # --- asyncio only: workers ---

    def consumer(
        self,
        group: str,
        handler: Callable[..., Any],
        *,
        start: str | datetime = "LATEST",
        dead_letter_queue: str | None = None,
        **options: Any,
    ) -> Worker:
        """A worker that has *handler* called with each record of this stream, for a consumer group.
        Start as many workers as you like, on as many machines: they share the shards.

            async with stream.consumer("billing", handle):
                ...

            await stream.consumer("billing", handle).run()      # until its stop() is called

        *handler* gets a StreamRecord, or with `batch_size` a list of them, and if it has a second
        argument the Lease. It is a coroutine function, or a plain one that runs in a thread. What
        it returns from is done; what it raises makes it be called again.
        *start* is where a new group begins: LATEST, TRIM_HORIZON or a datetime.
        *dead_letter_queue* is a queue of this client for records that it fails on for good.
        *options* are those of ConsumerOptions.

        Raises InvalidParameter.
        """
        chosen = ConsumerOptions(start=start, **known_options(options))
        send = prepare = None
        if dead_letter_queue is not None:
            if self._registry.dead_letters is None:
                raise InvalidParameter("dead_letter_queue", dead_letter_queue, "None here")
            send = self._registry.dead_letters(dead_letter_queue)
            prepare = send.prepare
        return Worker(
            self.name,
            group,
            handler,
            chosen,
            registry=self._registry,
            executor=self._executor,
            reader=self.reader,
            dead_letters=send,
            prepare=prepare,
        )

    # --- the stream itself ---

    async def shards(
        self,
        filter: ShardFilter | None = None,
        *,
        after: str | None = None,
        limit: int = 1000,
        token: str | None = None,
    ) -> PageOf[Shard]:
        """Up to *limit* (1 to 10,000) shards, the oldest first: those that *filter* shows, by
        default all whose records are still kept, behind the shard *after*. *token*, the next_token
        of the page before, stands for both and is good for 300 seconds.

        Raises InvalidParameter, ExpiredToken, StreamDoesNotExist.
        Source: ListShards (Amazon Kinesis Data Streams API Reference).
        """
        return await self._executor.run(
            listing.shards(self._registry, self.name, filter, after, limit, token)
        )

    async def info(self) -> StreamInfo:
        """Attributes, shards and state as they are now. Raises StreamDoesNotExist."""
        return await self._executor.run(lifecycle.describe(self._registry, self.name))

    # --- resharding ---

    async def split(self, shard_id: str, at: int | None = None) -> tuple[Shard, Shard]:
        """Split a shard in two: one with the hash keys below *at*, one from there on. *at* is more
        than the first hash key plus one and less than the last; by default the middle.

        Puts and reads go on; the order of a partition key is kept. Returns the new shards, the
        lower first, when all is done.

        Raises InvalidParameter, InvalidChange, ShardDoesNotExist, NotProvisioned, LimitExceeded,
        StreamDoesNotExist. Source: SplitShard (Amazon Kinesis Data Streams API Reference).
        """
        return await self._executor.run(
            resharding.split_shard(self._registry, self.name, shard_id, at)
        )

    async def merge(self, shard_id: str, adjacent_shard_id: str) -> Shard:
        """Make one shard of two open ones that lie side by side. Returns the new one.

        Raises InvalidParameter, InvalidChange, ShardDoesNotExist, NotProvisioned,
        StreamDoesNotExist. Source: MergeShards (Amazon Kinesis Data Streams API Reference).
        """
        return await self._executor.run(
            resharding.merge_shards(self._registry, self.name, shard_id, adjacent_shard_id)
        )

    async def update_shard_count(self, count: int) -> StreamInfo:
        """Split and merge until there are *count* shards of the same width: at most twice and at
        least half as many as there are, 10 times in any 24 hours. Should this process die, whoever
        reshards or sweeps the stream next goes on.

        Raises InvalidParameter, InvalidChange, NotProvisioned, LimitExceeded, StreamDoesNotExist.
        Source: UpdateShardCount (Amazon Kinesis Data Streams API Reference).
        """
        return await self._executor.run(
            resharding.update_shard_count(self._registry, self.name, count)
        )

    # --- attributes and tags ---

    async def set_attributes(
        self, *, if_version: str | None = None, **attributes: Any
    ) -> StreamInfo:
        """Change attributes, all of them or none; None takes one away.

        The names are those of StreamAttributes. *if_version* is the version of the StreamInfo that
        the change was worked out from: when the stream has another by now, nothing is changed.
        Raises InvalidParameter, LimitExceeded, StreamDoesNotExist; with *if_version* StaleConfig.
        Source: UpdateStreamMode, UpdateMaxRecordSize, StartStreamEncryption and others (Amazon
        Kinesis Data Streams API Reference).
        """
        return await self._executor.run(
            changing.set_attributes(self._registry, self.name, attributes, if_version)
        )

    async def increase_retention(self, hours: int) -> StreamInfo:
        """Keep records for *hours*: not less than now, at most 8,760. What has expired does not
        come back. Raises InvalidChange, StreamDoesNotExist.
        Source: IncreaseStreamRetentionPeriod (Amazon Kinesis Data Streams API Reference).
        """
        return await self._executor.run(
            changing.increase_retention(self._registry, self.name, hours)
        )

    async def decrease_retention(self, hours: int) -> StreamInfo:
        """Keep records for *hours*: not more than now, at least 24. What is older can not be read
        from now on. Raises InvalidChange, StreamDoesNotExist.
        Source: DecreaseStreamRetentionPeriod (Amazon Kinesis Data Streams API Reference).
        """
        return await self._executor.run(
            changing.decrease_retention(self._registry, self.name, hours)
        )

    async def enable_metrics(
        self, metrics: Iterable[str]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Switch shard-level metrics on: names as IncomingBytes, or ALL. Which were on before, and
        which are now. Kept and returned.
        Source: EnableEnhancedMonitoring (Amazon Kinesis Data Streams API Reference).
        """
        return await self._executor.run(
            changing.set_metrics(self._registry, self.name, metrics, on=True)
        )

    async def disable_metrics(
        self, metrics: Iterable[str]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Switch shard-level metrics off; see `enable_metrics`."""
        return await self._executor.run(
            changing.set_metrics(self._registry, self.name, metrics, on=False)
        )

    async def tags(self) -> dict[str, str]:
        """All tags."""
        return await self._executor.run(changing.tag(self._registry, self.name, {}, ()))

    async def tag(self, tags: Mapping[str, str]) -> dict[str, str]:
        """Set tags; a key that stands gets the new value. Returns all. At most 50."""
        return await self._executor.run(changing.tag(self._registry, self.name, tags, ()))

    async def untag(self, keys: Iterable[str]) -> dict[str, str]:
        """Remove tags; unknown keys are ignored. Returns what is left."""
        return await self._executor.run(changing.tag(self._registry, self.name, {}, keys))

    # --- registered consumers (enhanced fan-out) ---

    async def register_consumer(
        self, consumer: str, *, tags: Mapping[str, str] | None = None
    ) -> RegisteredConsumer:
        """Register a consumer: 1 to 128 of A-Z a-z 0-9 _ . -, at most 20 of a stream.

        Raises InvalidParameter, ConsumerExists, LimitExceeded, StreamDoesNotExist.
        Source: RegisterStreamConsumer (Amazon Kinesis Data Streams API Reference).
        """
        return await self._executor.run(
            consumers.register(self._registry, self.name, consumer, tags)
        )

    async def registered_consumer(self, consumer: str) -> RegisteredConsumer:
        """A registered consumer by its name or its ARN. Raises ConsumerDoesNotExist."""
        return await self._executor.run(consumers.describe(self._registry, self.name, consumer))

    async def consumers(
        self, *, limit: int = 100, token: str | None = None
    ) -> PageOf[RegisteredConsumer]:
        """Registered consumers by name, up to *limit* (1 to 10,000), going on behind *token*, which
        is good for 300 seconds. Raises InvalidParameter, ExpiredToken, StreamDoesNotExist.
        Source: ListStreamConsumers (Amazon Kinesis Data Streams API Reference).
        """
        return await self._executor.run(
            consumers.consumers(self._registry, self.name, limit, token)
        )

    async def deregister_consumer(self, consumer: str) -> None:
        """Remove a registered consumer, by its name or its ARN. Raises ConsumerDoesNotExist.
        Source: DeregisterStreamConsumer (Amazon Kinesis Data Streams API Reference).
        """
        await self._executor.run(consumers.deregister(self._registry, self.name, consumer))

    async def subscribe(
        self,
        consumer: str,
        shard_id: str,
        type: IteratorType = "LATEST",
        *,
        sequence_number: str | None = None,
        timestamp: datetime | None = None,
    ) -> AsyncIterator[SubscriptionEvent]:
        """What comes of a shard, as a registered consumer (its name or ARN), for 5 minutes.

            async for event in stream.subscribe("billing", shard_id, "TRIM_HORIZON"):
                for record in event.records:
                    print(record.data)

        It begins as an iterator does: see `iterator`. When nothing comes there is an event without
        records every 5 seconds. To go on after 5 minutes, subscribe AFTER_SEQUENCE_NUMBER of the
        last event's continuation_sequence_number. The last event of a closed shard has none, but
        the shards that took over.

        Of a consumer and a shard there is one reader. A newer one takes over from one that is older
        than 5 seconds, which ends with StreamInUse; before that the newer one gets StreamInUse.
        Raises InvalidParameter, ConsumerDoesNotExist, ShardDoesNotExist, StreamDoesNotExist too.
        Source: SubscribeToShard (Amazon Kinesis Data Streams API Reference).
        """
        subscription = Subscription(
            self._registry, self.name, consumer, shard_id, type, sequence_number, timestamp
        )
        await self._executor.run(subscription.begin())
        async with self.reader() as reader:
            while (left := subscription.seconds_left) and not reader.is_closed:
                batches = await reader.read(subscription.positions, timeout=min(left, BEAT_S))
                if not reader.is_closed:
                    yield await self._executor.run(subscription.event(batches))

    async def set_consumer_policy(self, consumer: str, policy: str | None) -> RegisteredConsumer:
        """Set who may do what with a registered consumer: JSON as text; None takes it away.
        Raises InvalidPolicy, ConsumerDoesNotExist."""
        return await self._executor.run(
            consumers.set_policy(self._registry, self.name, consumer, policy)
        )

    async def tag_consumer(
        self, consumer: str, tags: Mapping[str, str], *, remove: Iterable[str] = ()
    ) -> dict[str, str]:
        """Set and remove tags of a registered consumer. Returns all of them."""
        return await self._executor.run(
            consumers.tag(self._registry, self.name, consumer, tags, remove)
        )

    # --- the stream as a whole ---

    async def sweep(self) -> Sweep:
        """Give back the memory of what has expired, and let a stream on demand get the shards that
        it needs. Who puts and reads does this once a minute; a stream that nobody touches may want
        it."""
        return await self._executor.run(sweeping.sweep(self._registry, self.name))

    async def delete_stream(self, *, enforce_consumer_deletion: bool = False) -> bool:
        """Remove the stream with all its records. False when there was none.

        Raises StreamInUse while it has registered consumers, unless *enforce_consumer_deletion*,
        and while it has queues or channels (DeleteQueue, DeleteChannel at the endpoint remove
        them). Raises InvalidParameter.
        """
        return await self._executor.run(
            lifecycle.delete(self._registry, self.name, enforce=enforce_consumer_deletion)
        )


class AsyncReader:
    """Reads shards of one stream, and waits where there is nothing to read. Get it from
    `stream.reader()`, use it in one task, and close it: `async with`.

    Who keeps the positions is the caller.

        positions = {shard.id: 0 for shard in await stream.shards()}
        async with stream.reader() as reader:
            while positions:
                for batch in await reader.read(positions):
                    ...
                    if batch.next_position is None:
                        del positions[batch.shard_id]
                    else:
                        positions[batch.shard_id] = batch.next_position
    """

    def __init__(self, name: str, registry: StreamRegistry, executor: AsyncExecutor) -> None:
        self._executor = executor
        self._waiting = Waiting(registry, name)
        self._tail = executor.tail()

    @property
    def is_closed(self) -> bool:
        """Nothing is read any more: it was closed, or its client was."""
        return self._tail.is_closed

    async def read(
        self,
        positions: Mapping[str, int],
        *,
        limit: int = 10_000,
        timeout: timedelta | float = LOOK_S,
    ) -> list[Batch]:
        """Records of some shards, by shard's id from which position on: what is there, up to about
        1 MiB and *limit* (1 to 10,000) of each; or what comes first within *timeout* (default 20 s,
        0 does not wait). No batch when nothing came, or when it was closed; early after trouble.

        A shard whose records have all expired, and that is gone with them, has come to its end.
        Raises InvalidParameter, StreamDoesNotExist.
        """
        batches = await self._executor.run(self._waiting.look(positions, limit))
        wait_ms = ms(seconds(timeout, "timeout"))
        if batches or wait_ms <= 0 or not positions:
            return batches
        entries = await self._tail.read(self._waiting.cursors(positions), WAIT_BLOCKS, wait_ms)
        return self._waiting.took(positions, entries, limit)

    async def close(self) -> None:
        """Break off what waits, and give back its connections."""
        await self._tail.close()

    async def __aenter__(self) -> AsyncReader:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
