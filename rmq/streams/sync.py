# Made from aio.py by .ci/sync.py. Edit that file, then `make sync`.
"""A stream for threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any

from rmq.core.batch import BatchResult
from rmq.core.coalesce import SyncCoalescer
from rmq.core.executor import SyncExecutor
from rmq.core.limits import listed, ms, seconds
from rmq.core.paging import PageOf
from rmq.errors import RmqError
from rmq.streams import lifecycle, putting, reading
from rmq.streams.attributes import StreamInfo, stream_name
from rmq.streams.following import LOOK_S, WAIT_BLOCKS, Following, Start, Waiting
from rmq.streams.producing.base import OnResult
from rmq.streams.producing.settings import producer_settings
from rmq.streams.producing.threads import Producer
from rmq.streams.reading import IteratorType
from rmq.streams.record import Batch, Put, Record, Records, StreamRecord
from rmq.streams.registry import StreamRegistry
from rmq.streams.shard import Shard


class Stream:
    """One stream. Get it from `client.stream(name)`, `get_stream` or `create_stream`.

    Safe to use from many threads.
    """

    def __init__(self, name: str, registry: StreamRegistry, executor: SyncExecutor) -> None:
        self.name = stream_name(name)
        self._registry = registry
        self._executor = executor
        self._puts: SyncCoalescer[Record, Put] = SyncCoalescer(self._put)

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

    def put(
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
        return self._puts.submit(
            Record(data, partition_key, explicit_hash_key, sequence_number_for_ordering)
        )

    def put_many(self, records: Iterable[Record]) -> BatchResult[Put]:
        """Put any number of records; those of each shard in the order given. One result or error
        for each: what can not be put now (RateExceeded) keeps nothing else back.

        Raises what concerns all of them: StreamDoesNotExist.
        Source: PutRecords (Amazon Kinesis Data Streams API Reference).
        """
        return BatchResult(tuple(self._put(listed(records, "records", "records"))))

    def _put(self, records: Sequence[Record]) -> list[Put | RmqError]:
        return self._executor.run(putting.put(self._registry, self.name, records))

    def producer(self, *, on_result: OnResult | None = None, **settings: Any) -> Producer:
        """A producer: gathers records, packs those of a shard together, sends what failed again.

        *settings* are those of ProducerSettings. *on_result* is called with each user record and
        what became of it (Produced, or the error), where its future is set; it must not wait for
        the producer. Raises InvalidParameter.
        Source: Kinesis Producer Library (Amazon Kinesis Data Streams Developer Guide).
        """
        return Producer(
            self.name, self._registry, self._executor, producer_settings(settings), on_result
        )

    # --- reading ---

    def iterator(
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
        return self._executor.run(
            reading.iterator(self._registry, self.name, shard_id, type, sequence_number, timestamp)
        )

    def get(self, iterator: str, limit: int = 10_000) -> Records:
        """Records from an iterator on: up to *limit* (1 to 10,000), 10 MiB; and the next iterator.

        None may be there. At the end of a closed shard there is no next iterator, but the shards
        that took over.

        Raises InvalidParameter, InvalidIterator, ExpiredIterator, StreamDoesNotExist,
        ShardDoesNotExist.
        Source: GetRecords (Amazon Kinesis Data Streams API Reference).
        """
        return self._executor.run(reading.get(self._registry, self.name, iterator, limit))

    def position(
        self,
        shard_id: str,
        type: IteratorType = "TRIM_HORIZON",
        *,
        sequence_number: str | None = None,
        timestamp: datetime | None = None,
    ) -> int:
        """What `iterator` gives, as a bare position for `read`: never too old, and not signed."""
        return self._executor.run(
            reading.position(self._registry, self.name, shard_id, type, sequence_number, timestamp)
        )

    def read(self, shard_id: str, position: int = 0, limit: int = 10_000) -> Batch:
        """Records from a position on, as `get` does, and the next position. 0 is the oldest record;
        behind one record the next position is its own `position` + 1.

        Raises InvalidParameter, StreamDoesNotExist, ShardDoesNotExist.
        """
        return self._executor.run(
            reading.read(self._registry, self.name, shard_id, position, limit)
        )

    def records(
        self, *, start: Start = "LATEST", shard_id: str | None = None
    ) -> Iterator[StreamRecord]:
        """Every record as it is put, live, of all shards or of one.

            for record in stream.records():
                print(record.partition_key, record.data)

        *start* is where it begins: LATEST (what is put from the first step on), TRIM_HORIZON (the
        oldest record that is kept), or a moment. Records of one partition key come in order, over
        every resharding: a shard's children are read when it was read to its end. It ends with the
        client, and at the end of the one closed shard that was asked for.

        Raises InvalidParameter, StreamDoesNotExist (also when it is deleted meanwhile),
        ShardDoesNotExist.
        """
        following = Following(self._registry, self.name, start, shard_id)
        self._executor.run(following.begin())
        with self.reader() as reader:
            while following.positions and not reader.is_closed:
                for batch in reader.read(following.positions):
                    yield from batch.records
                    self._executor.run(following.took(batch))

    def reader(self) -> Reader:
        """Something to read many shards with, and to wait for records; see its `read`."""
        return Reader(self.name, self._registry, self._executor)

    # --- the stream itself ---

    def shards(self, *, limit: int = 1000, token: str | None = None) -> PageOf[Shard]:
        """Up to *limit* (1 to 10,000) shards, the oldest first, going on behind *token*: all whose
        records are still kept.

        Source: ListShards (Amazon Kinesis Data Streams API Reference).
        """
        return self._executor.run(lifecycle.shards(self._registry, self.name, limit, token))

    def info(self) -> StreamInfo:
        """Attributes, shards and state as they are now. Raises StreamDoesNotExist."""
        return self._executor.run(lifecycle.describe(self._registry, self.name))

    def delete_stream(self, *, enforce_consumer_deletion: bool = False) -> bool:
        """Remove the stream with all its records. False when there was none.

        Raises StreamInUse while it has registered consumers, unless *enforce_consumer_deletion*.
        """
        return self._executor.run(
            lifecycle.delete(self._registry, self.name, enforce=enforce_consumer_deletion)
        )


class Reader:
    """Reads shards of one stream, and waits where there is nothing to read. Get it from
    `stream.reader()`, use it in one task, and close it: `with`.

    Who keeps the positions is the caller.

        positions = {shard.id: 0 for shard in stream.shards()}
        with stream.reader() as reader:
            while positions:
                for batch in reader.read(positions):
                    ...
                    if batch.next_position is None:
                        del positions[batch.shard_id]
                    else:
                        positions[batch.shard_id] = batch.next_position
    """

    def __init__(self, name: str, registry: StreamRegistry, executor: SyncExecutor) -> None:
        self._executor = executor
        self._waiting = Waiting(registry, name)
        self._tail = executor.tail()

    @property
    def is_closed(self) -> bool:
        """Nothing is read any more: it was closed, or its client was."""
        return self._tail.is_closed

    def read(
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
        batches = self._executor.run(self._waiting.look(positions, limit))
        wait_ms = ms(seconds(timeout, "timeout"))
        if batches or wait_ms <= 0 or not positions:
            return batches
        entries = self._tail.read(self._waiting.cursors(positions), WAIT_BLOCKS, wait_ms)
        return self._waiting.took(positions, entries, limit)

    def close(self) -> None:
        """Break off what waits, and give back its connections."""
        self._tail.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
