"""Queues on streams: a stream's records, each to be done by one consumer, with receipts.

A queue on a stream is a document in the catalog, a feed (feed.py) and two inner queues: what was
fed and is not acknowledged yet, and its dead letters. Inner queues are queues like any other, but
of the kind `k`: no list names them.

Source: CreateQueue, ReceiveQueueRecords (Amazon Kinesis Data Streams API Reference).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from weakref import WeakValueDictionary

import msgspec

from rmq.client.aio import AsyncClient
from rmq.core import keys, script
from rmq.core.limits import Limits, checked_tags
from rmq.core.paging import PageOf
from rmq.errors import (
    CallerError,
    LimitExceeded,
    QueueDoesNotExist,
    RmqError,
    StreamQueueDoesNotExist,
    StreamQueueExists,
)
from rmq.outlets.catalog import Catalog
from rmq.outlets.feed import Carried, Feed, carried
from rmq.queues import leaving, lifecycle
from rmq.queues.aio import AsyncMessage, AsyncQueue
from rmq.queues.attributes import RedrivePolicy
from rmq.queues.registry import Registry
from rmq.streams import commands
from rmq.streams.aio import AsyncStream
from rmq.streams.attributes import StreamInfo
from rmq.streams.sequence import moment, sequence_number

StartType = Literal["LATEST", "TRIM_HORIZON", "AT_TIMESTAMP"]
DEFAULT_RECEIVES = 6
KEPT_MORE = timedelta(minutes=1)
"""An inner queue keeps a record a little longer than the stream, so that who looks tells them
apart."""
LIMITS = Limits.none()
_ID = re.compile(r"[0-9a-f]{32}")
_DEAD = "-dead"


class StreamQueue(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A queue on a stream, as it is kept."""

    id: str
    name: str
    created_ms: int
    stream: str
    """Its name, in the same namespace."""
    incarnation: str
    """Of the stream. One that is made anew under that name is another stream."""
    stream_created_ms: int
    start: StartType
    start_ms: int
    """The time from which on records come here, as well as it can be said."""
    status: Literal["CREATING", "ACTIVE", "DELETING"] = "CREATING"
    visibility_timeout_s: int = 30
    max_receives: int | None = DEFAULT_RECEIVES
    """After so many a record is a dead letter; None for never."""
    tags: dict[str, str] = {}
    policy: str = ""


@dataclass(frozen=True, slots=True)
class QueueRecord:
    """A record that was received from a queue on a stream."""

    receipt_handle: str
    record_id: str
    """The same in every delivery, and in every queue on the stream."""
    partition_key: str | None
    data: bytes
    arrived_at: datetime
    first_received_at: datetime
    receive_count: int


Change = Callable[[StreamQueue], StreamQueue | None]


class StreamQueues:
    """The queues on the streams of a client's namespace. See `stream_queues`."""

    def __init__(self, client: AsyncClient) -> None:
        self._namespace = client.namespace
        self._executor = client._executor
        self._stream = client.stream
        self._commitment = client.stream_commitment
        self._clock = client.clock
        self._limits = client.limits
        self.catalog = Catalog(client, "queues", StreamQueue)
        self._inner = Registry(client.namespace, LIMITS, client.clock, client.events, "k")
        self._feeds: WeakValueDictionary[str, Feed] = WeakValueDictionary()

    # --- the queues ---

    async def create(
        self,
        name: str,
        stream: AsyncStream,
        *,
        start: StartType = "LATEST",
        timestamp: datetime | None = None,
        visibility_timeout_s: int = 30,
        max_receives: int | None = DEFAULT_RECEIVES,
        tags: Mapping[str, str] | None = None,
    ) -> StreamQueue:
        """Make a queue on a stream.

        Raises StreamQueueExists, StreamDoesNotExist, StreamInUse, LimitExceeded, InvalidParameter.
        """
        labels = checked_tags(tags or {}, self._limits)
        info = await self.check_room(stream)
        now_ms = self._clock.now_ms()
        starts = {"LATEST": now_ms, "TRIM_HORIZON": _ms(info.created_at)}
        queue = StreamQueue(
            id=secrets.token_hex(16),
            name=name,
            created_ms=now_ms,
            stream=stream.name,
            incarnation=info.incarnation_text,
            stream_created_ms=_ms(info.created_at),
            start=start,
            start_ms=starts[start] if timestamp is None else _ms(timestamp),
            visibility_timeout_s=visibility_timeout_s,
            max_receives=max_receives,
            tags=labels,
        )
        if not await self.catalog.add(queue):
            raise StreamQueueExists(f"queue {name!r} exists already", queue=name)
        try:
            # From here on the stream is not deleted from under it.
            place = keys.StreamKeys(self._namespace, stream.name)
            await self._executor.call(commands.attach(place.queues, place, info, queue.id))
        except CallerError:
            await self.catalog.change(queue.id, lambda queue: None)
            raise
        await self._make(queue, stream, info)
        await self.catalog.change(queue.id, _with(status="ACTIVE"))
        return queue

    async def _make(self, queue: StreamQueue, stream: AsyncStream, info: StreamInfo) -> None:
        """Make what a queue has beside its document."""
        kept = info.attributes.retention + KEPT_MORE
        for name in (_dead(queue.id), queue.id):
            await self._executor.run(
                lifecycle.create(
                    self._inner,
                    name,
                    {
                        "message_retention_period": kept,
                        "maximum_message_size": LARGEST,
                        "visibility_timeout": timedelta(seconds=queue.visibility_timeout_s),
                    }
                    | ({} if name != queue.id else {"redrive_policy": _policy(queue)}),
                    None,
                )
            )
        ends: list[Any] = []
        if queue.start == "LATEST":
            for one in info.shards.values():
                ends += (one.number, await stream.position(one.id, "LATEST"))
        await self._executor.call(
            script.command(
                "HSET",
                queue.name,
                lambda reply: None,
                keys.feed(self._namespace, queue.id),
                *("owner", "", "until", 0, *ends),
            )
        )

    async def find(self, id: str) -> StreamQueue:
        """Raises StreamQueueDoesNotExist."""
        found = await self.catalog.find(id)
        if found is None:
            raise _gone(id)
        return found

    async def page(self, after: str | None, limit: int) -> PageOf[StreamQueue]:
        return await self.catalog.page(after, limit)

    async def check_room(self, stream: AsyncStream) -> StreamInfo:
        """Raise LimitExceeded where a stream has as many registered consumers as it may have;
        queues count as such."""
        info, limits = await stream.info(), self._limits
        most = limits.max_registered_consumers
        if most is None:
            return info
        if info.attributes.mode == "ON_DEMAND" and (await self._commitment()).is_enabled:
            most = limits.max_advantage_consumers
        there = info.consumer_count + info.queue_count
        if most is not None and there >= most:
            raise LimitExceeded(
                f"stream {stream.name!r} has {most} registered consumers and queues, its limit",
                stream=stream.name,
                reason=f"it has {most} registered consumers and queues, its limit",
            )
        return info

    async def change(self, id: str, **changes: Any) -> StreamQueue:
        """Change fields of a queue's document. What was received before keeps its timeout. The
        queue after the change. Raises StreamQueueDoesNotExist."""
        before = await self.catalog.change(id, _with(**changes))
        if before is None:
            raise _gone(id)
        after = msgspec.structs.replace(before, **changes)
        if before.max_receives != after.max_receives:
            await self._queue(id).set_attributes(redrive_policy=_policy(after))
        return after

    async def delete(self, id: str) -> None:
        """Remove a queue with its receipts; the stream's records stay. Raises
        StreamQueueDoesNotExist."""
        queue = await self.catalog.change(id, _with(status="DELETING"))
        if queue is None:
            raise _gone(id)
        for name in (id, _dead(id)):
            with suppress(QueueDoesNotExist):
                await self._queue(name).delete_queue()
        feed = keys.feed(self._namespace, id)
        await self._executor.call(script.command("UNLINK", id, int, feed))
        attached = keys.StreamKeys(self._namespace, queue.stream).queues
        await self._executor.call(commands.detach(attached, queue.stream, id))
        await self.catalog.change(id, lambda queue: None)

    # --- its records ---

    async def receive(
        self,
        id: str,
        limit: int = 10,
        *,
        wait_s: int = 9,
        visibility_timeout_s: int | None = None,
    ) -> list[QueueRecord]:
        """Receive up to *limit* (1 to 10) records, in no order, and wait for a first one. Each is
        invisible for *visibility_timeout_s*, the queue's unless given.

        Cancelled, it takes nothing with it. Raises StreamQueueDoesNotExist, StreamDoesNotExist.
        """
        queue = await self.find(id)
        await self._keep_as_long(queue)
        inner, feed, lease = self._queue(id), self._feed(queue), _lease(queue, visibility_timeout_s)
        found = await self._live(queue, inner, await _received(inner, limit, lease, 0))
        if not found and not wait_s:
            await feed.once()
            found = await self._live(queue, inner, await _received(inner, limit, lease, 0))
        elif not found:
            async with feed.running():
                found = await self._live(queue, inner, await _received(inner, limit, lease, wait_s))
        return [_record(*one) for one in found]

    async def receive_dead_letters(
        self,
        id: str,
        limit: int = 10,
        *,
        wait_s: int = 9,
        visibility_timeout_s: int | None = None,
    ) -> list[QueueRecord]:
        """Receive dead letters, as `receive` does records."""
        queue = await self.find(id)
        await self._keep_as_long(queue)
        inner, lease = self._queue(_dead(id)), _lease(queue, visibility_timeout_s)
        if queue.max_receives is not None:
            await self._executor.run(leaving.bury(self._inner, id))
        found = await self._live(queue, inner, await _received(inner, limit, lease, wait_s))
        return [_record(*one) for one in found]

    async def acknowledge(
        self, id: str, handles: Sequence[str], *, dead: bool = False
    ) -> list[bool | RmqError]:
        """Records are done: they are not delivered again. One result or error for each. Raises
        StreamQueueDoesNotExist, as the next two do."""
        with _there(id):
            return list(await self._queue(_dead(id) if dead else id).delete_many(handles))

    async def change_visibility(
        self, id: str, changes: Sequence[tuple[str, int]], *, dead: bool = False
    ) -> list[Any]:
        """Let records be invisible for so many seconds from now on; 0 gives them back. One result
        or error for each."""
        with _there(id):
            inner = self._queue(_dead(id) if dead else id)
            return list(await inner.change_visibility_many(changes))

    async def restore(self, id: str, handles: Sequence[str]) -> list[bool | RmqError]:
        """Let dead letters be records of the queue again, never received. True or an error for
        each."""
        with _there(id):
            return await self._executor.run(leaving.send_out(self._inner, _dead(id), id, handles))

    async def _keep_as_long(self, queue: StreamQueue) -> None:
        """Let the inner queues keep records as long as the stream does now. By what is known of
        them, which costs nothing."""
        stream = self._stream(queue.stream)
        info = stream.known or await stream.info()
        kept = info.attributes.retention + KEPT_MORE
        with _there(queue.id):
            for name in (queue.id, _dead(queue.id)):
                inner = self._queue(name)
                there = inner.known or await inner.info()
                if there.attributes.message_retention_period != kept:
                    await inner.set_attributes(message_retention_period=kept)

    async def _live(
        self, queue: StreamQueue, inner: AsyncQueue, messages: Sequence[AsyncMessage]
    ) -> list[tuple[AsyncMessage, Carried]]:
        """Those that the stream still has; the others leave the queue."""
        if not messages:
            return []
        stream = self._stream(queue.stream)
        info = stream.known or await stream.info()
        horizon = self._clock.now_ms() - info.attributes.retention_ms
        found = [(one, carried(one.body)) for one in messages]
        gone = [one for one, record in found if record.position // 1000 < horizon]
        if gone:
            await inner.delete_many(gone)
        return [pair for pair in found if pair[1].position // 1000 >= horizon]

    def _queue(self, name: str) -> AsyncQueue:
        found = self._inner.handles.get(name)
        if found is None:
            found = AsyncQueue(name, self._inner, self._executor)
            self._inner.meet(found)
        return found

    def _feed(self, queue: StreamQueue) -> Feed:
        found = self._feeds.get(queue.id)
        if found is None:
            found = self._feeds[queue.id] = Feed(
                keys.feed(self._namespace, queue.id),
                queue.incarnation,
                1000 * queue.start_ms if queue.start == "AT_TIMESTAMP" else 0,
                self._stream(queue.stream),
                self._queue(queue.id),
                self._executor,
            )
        return found


LARGEST = 512 * 1024 * 1024 - 65_536
"""Bytes of a record, and some; Redis's own limit of one value."""


def stream_queues(client: AsyncClient) -> StreamQueues:
    """The queues on a client's streams. Of each client there is one, so that who waits for the same
    queue shares a feed."""
    found = client._above.get(StreamQueues)
    if found is None:
        found = client._above[StreamQueues] = StreamQueues(client)
    return found


def _with(**changes: Any) -> Change:
    return lambda queue: msgspec.structs.replace(queue, **changes)


def _gone(id: str) -> StreamQueueDoesNotExist:
    return StreamQueueDoesNotExist(f"queue {id!r} does not exist", queue=id)


@contextmanager
def _there(id: str) -> Iterator[None]:
    """Say of a queue on a stream what its inner queue says of itself."""
    if not _ID.fullmatch(id.removesuffix(_DEAD)):
        raise _gone(id)  # it could not even be one
    try:
        yield
    except QueueDoesNotExist:
        raise _gone(id) from None


def _dead(id: str) -> str:
    """The name of the inner queue with a queue's dead letters."""
    return f"{id}{_DEAD}"


def _policy(queue: StreamQueue) -> RedrivePolicy | None:
    if queue.max_receives is None:
        return None
    return RedrivePolicy(dead_letter_queue=_dead(queue.id), max_receive_count=queue.max_receives)


def _lease(queue: StreamQueue, asked: int | None) -> int:
    return queue.visibility_timeout_s if asked is None else asked


async def _received(inner: AsyncQueue, limit: int, lease: int, wait_s: int) -> list[AsyncMessage]:
    with _there(inner.name):
        return await inner.receive(limit, visibility_timeout=lease, wait=wait_s)


def _record(message: AsyncMessage, record: Carried) -> QueueRecord:
    return QueueRecord(
        message.receipt_handle,
        sequence_number(record.position, record.shard),
        record.partition_key,
        record.data,
        moment(record.position),
        message.first_received_at or datetime.now(UTC),
        message.receive_count,
    )


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
