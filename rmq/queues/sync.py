# Made from aio.py by .ci/sync.py. Edit that file, then `make sync`.
"""A queue for threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, TypeVar

from rmq.core.batch import BatchResult
from rmq.core.coalesce import SyncCoalescer
from rmq.core.codec import MessageAttribute
from rmq.core.executor import SyncExecutor
from rmq.core.limits import listed
from rmq.core.paging import Page
from rmq.core.script import Plan
from rmq.errors import CallerError, InvalidParameter, RmqError
from rmq.queues import lifecycle, plans, redrive
from rmq.queues.attributes import QueueInfo, queue_name
from rmq.queues.commands import QueueStats
from rmq.queues.message import PeekedMessage, ReceivedMessage, Sent
from rmq.queues.outbox import RedriveTask
from rmq.queues.outgoing import Body, Outgoing
from rmq.queues.plans import Handle
from rmq.queues.registry import Registry, described

R = TypeVar("R")
Attributes = Mapping[str, MessageAttribute | str | bytes | int | float]
NO_EXTRAS = (None,) * 6
"""A send of nothing but a body."""


class Message(ReceivedMessage):
    """A received message. Use it as a context manager: done means deleted, an error gives it back.

    with message:
        work(message.body)
    """

    __slots__ = ("_queue",)

    _queue: Queue

    def delete(self) -> bool:
        """Say that it is done. See Queue.delete."""
        return self._queue.delete(self)

    def change_visibility(self, timeout: timedelta | float) -> datetime:
        """Keep it invisible for *timeout*, counted from now. See Queue.change_visibility."""
        return self._queue.change_visibility(self, timeout)

    def release(self, delay: timedelta | float = 0) -> None:
        """Give it back, to be received again after *delay* (default: at once).

        Does nothing when the lease has ended by itself.
        """
        try:
            self._queue.change_visibility(self, delay)
        except InvalidParameter:
            raise
        except CallerError:
            pass

    @contextmanager
    def handling(self, retry_after: timedelta | float = 0) -> Iterator[Message]:
        """Delete it when the block ends well; give it back after *retry_after* when it raises."""
        try:
            yield self
        except BaseException:
            self.release(retry_after)
            raise
        self.delete()

    def __enter__(self) -> Message:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.delete()
        else:
            self.release()


class Queue:
    """One queue. Get it from `client.queue(name)`, `get_queue` or `create_queue`.

    Safe to use from many threads.
    """

    def __init__(self, name: str, registry: Registry, executor: SyncExecutor) -> None:
        self.name = queue_name(name)
        self._registry = registry
        self._executor = executor
        parallel = 1 if self.is_fifo else 2
        self._sends: SyncCoalescer[Outgoing | Body, Sent] = SyncCoalescer(
            self._send, parallel=parallel
        )
        self._deletes: SyncCoalescer[Handle, bool] = SyncCoalescer(self._delete, parallel=parallel)
        self._changes: SyncCoalescer[tuple[Handle, timedelta | float], int] = SyncCoalescer(
            self._change
        )

    def __repr__(self) -> str:
        return f"<queue {self.name!r} in {self._registry.namespace!r}>"

    @property
    def is_fifo(self) -> bool:
        """Whether the name ends in .fifo: order within groups, and deduplication."""
        return self.name.endswith(".fifo")

    @property
    def known(self) -> QueueInfo | None:
        """What this client last saw of it, without asking; None before its first use."""
        return self._registry.known(self.name)

    # --- sending ---

    def send(
        self,
        body: Body,
        *,
        attributes: Attributes | None = None,
        delay: timedelta | float | None = None,
        message_group_id: str | None = None,
        deduplication_id: str | None = None,
        trace_header: str | None = None,
        sender_id: str | None = None,
    ) -> Sent:
        """Send one message. When this returns, Redis has it.

        *body* is bytes, or str that is stored as UTF-8: at least 1 byte, at most the queue's
        maximum_message_size together with the attributes.
        *attributes* are up to 10 typed values: str (String), int or float (Number), bytes (Binary)
        or a MessageAttribute for a custom label.
        *delay*, 0 s to 15 min, overrides the queue's; not on FIFO queues.
        *message_group_id* is needed on FIFO queues. On a standard queue it makes the queue fair:
        the group that has the fewest messages in flight is received first.
        *deduplication_id* is for FIFO queues, and needed there unless content_based_deduplication
        is on.

        A repeat after a lost answer is not enqueued twice. On a FIFO queue neither is a
        deduplication id within 5 minutes: the first message's id is returned, is_duplicate is set.

        Raises InvalidParameter, QueueDoesNotExist, OutOfMemory, ConnectionLost.
        Source: SendMessage (Amazon SQS API Reference).
        """
        extras = (attributes, delay, message_group_id, deduplication_id, trace_header, sender_id)
        if extras == NO_EXTRAS:
            return self._sends.submit(body)
        return self._sends.submit(Outgoing(body, *extras))

    def send_many(self, messages: Iterable[Outgoing | Body]) -> BatchResult[Sent]:
        """Send any number of messages, in the order given; plain bodies or Outgoing.

        They go out in script calls of up to 100 messages or 1 MiB. What is refused has its error in
        the result, the others are sent. When the connection is lost in the middle, the result says
        which were sent before; the error of the rest is ConnectionLost.

        Raises what concerns the first call as a whole: QueueDoesNotExist, OutOfMemory,
        ConnectionLost.
        """
        return BatchResult(tuple(self._send(listed(messages, "messages", "messages"))))

    def _send(self, messages: Sequence[Outgoing | Body]) -> list[Sent | RmqError]:
        return self._executor.run(plans.send(self._registry, self.name, messages))

    # --- receiving ---

    def receive(
        self,
        max_messages: int = 1,
        *,
        visibility_timeout: timedelta | float | None = None,
        wait: timedelta | float | None = None,
        receive_request_attempt_id: str | None = None,
    ) -> list[Message]:
        """Receive up to *max_messages* (1 to 10); an empty list is an answer, not an error.

        They are invisible to others for *visibility_timeout* (0 s to 12 h, default the queue's).
        *wait* (0 to 20 s, default the queue's) waits for a first message without polling.
        *receive_request_attempt_id* (FIFO): the same id within 5 minutes returns the same messages
        and handles, as long as none of them was deleted or changed.

        In asyncio a receive that is cancelled takes nothing with it: what Redis had already handed
        out is given back at once. It counts as received, as a lease that ended does.

        Raises InvalidParameter, QueueDoesNotExist, OverLimit, ConnectionLost.
        Source: ReceiveMessage (Amazon SQS API Reference).
        """
        return self._executor.lease(
            plans.receive(
                self._registry,
                self.name,
                self._message,
                max_messages=max_messages,
                visibility_timeout=visibility_timeout,
                wait=wait,
                attempt_id=receive_request_attempt_id,
            ),
            self._give_back,
        )

    def _give_back(self, messages: Sequence[Message]) -> Plan[Any]:
        return plans.change_visibility(self._registry, self.name, [(one, 0) for one in messages])

    def _message(self, *parts: Any) -> Message:
        message = Message(*parts)
        message._queue = self
        return message

    def messages(
        self,
        *,
        max_messages: int = 1,
        visibility_timeout: timedelta | float | None = None,
        wait: timedelta | float | None = 20,
    ) -> Iterator[Message]:
        """Receive for ever, one message after the other.

        *max_messages* above 1 fetches ahead: what is fetched waits here with its lease running.
        """
        while True:
            yield from self.receive(max_messages, visibility_timeout=visibility_timeout, wait=wait)

    def __iter__(self) -> Iterator[Message]:
        return self.messages()

    def delete(self, message: Handle) -> bool:
        """Say that a message is done; *message* is itself, its receipt or its receipt handle.

        True when this removed it, False when it was gone already, or (standard queues) someone
        else has received it since.
        Raises InvalidReceipt; on a FIFO queue StaleReceipt when the lease has ended.
        Source: DeleteMessage (Amazon SQS API Reference).
        """
        return self._deletes.submit(message)

    def delete_many(self, messages: Iterable[Handle]) -> BatchResult[bool]:
        """Say that many messages are done. One result or error for each."""
        return BatchResult(
            tuple(self._delete(listed(messages, "messages", "messages or receipt handles")))
        )

    def _delete(self, messages: Sequence[Handle]) -> list[bool | RmqError]:
        return self._executor.run(plans.delete(self._registry, self.name, messages))

    def change_visibility(self, message: Handle, timeout: timedelta | float) -> datetime:
        """Keep a received message invisible for *timeout*, counted from now; 0 gives it back.

        0 s to 12 h, and at most 12 h in all since it was received. Returns when it ends.
        Raises InvalidReceipt, MessageNotInFlight, MessageDoesNotExist, StaleReceipt.
        Source: ChangeMessageVisibility (Amazon SQS API Reference).
        """
        ends_ms = self._changes.submit((message, timeout))
        return datetime.fromtimestamp(ends_ms / 1000, UTC)

    def change_visibility_many(
        self, changes: Iterable[tuple[Handle, timedelta | float]]
    ) -> BatchResult[datetime]:
        """Change the visibility of many messages, each to its own time from now."""
        pairs = listed(changes, "changes", "pairs of message and timeout")
        for pair in pairs:
            if not isinstance(pair, tuple) or len(pair) != 2:
                raise InvalidParameter("changes", pair, "pairs of message and timeout")
        ends = self._change(pairs)
        return BatchResult(
            tuple(
                one if isinstance(one, RmqError) else datetime.fromtimestamp(one / 1000, UTC)
                for one in ends
            )
        )

    def _change(self, changes: Sequence[tuple[Handle, timedelta | float]]) -> list[int | RmqError]:
        return self._executor.run(plans.change_visibility(self._registry, self.name, changes))

    # --- looking ---

    def peek(self, limit: int = 10, *, after: str | None = None) -> list[PeekedMessage]:
        """Look at up to *limit* (1 to 1,000) messages in the order of sending, whatever their
        state; nothing about them changes. *after* is the position of the last one seen."""
        return self._executor.run(plans.peek(self._registry, self.name, limit, after))

    def stats(self) -> QueueStats:
        """Counts (visible, in flight, delayed), age of the oldest message, and totals."""
        return self._executor.run(plans.stats(self._registry, self.name))

    def info(self) -> QueueInfo:
        """Attributes and times as they are now."""
        return self._executor.run(described(self._registry, self.name))

    # --- the queue itself ---

    def set_attributes(self, *, if_version: str | None = None, **attributes: Any) -> QueueInfo:
        """Change attributes, all of them or none; None takes a policy away.

        The names are those of QueueAttributes. They hold at once, for later receives and sends.
        *if_version* is the version of the QueueInfo that the change was worked out from: when the
        queue has another by now, nothing is changed.
        Raises InvalidParameter, QueueDoesNotExist; with *if_version* StaleConfig.
        Source: SetQueueAttributes (Amazon SQS API Reference).
        """
        return self._executor.run(
            lifecycle.set_attributes(self._registry, self.name, attributes, if_version)
        )

    def tags(self) -> dict[str, str]:
        """All tags."""
        return self._executor.run(lifecycle.tag(self._registry, self.name, {}, ()))

    def tag(self, tags: Mapping[str, str]) -> dict[str, str]:
        """Set tags; a key that stands gets the new value. Returns all. At most 50."""
        return self._executor.run(lifecycle.tag(self._registry, self.name, tags, ()))

    def untag(self, keys: Iterable[str]) -> dict[str, str]:
        """Remove tags; unknown keys are ignored. Returns what is left."""
        return self._executor.run(lifecycle.tag(self._registry, self.name, {}, keys))

    def purge(self) -> int:
        """Drop every message, also those in flight and delayed. Returns how many there were.

        Deduplication ids are forgotten too: what was purged may be sent again.
        Raises PurgeInProgress where the limit min_purge_interval is set and the last was less ago.
        Source: PurgeQueue (Amazon SQS API Reference).
        """
        return self._executor.run(lifecycle.purge(self._registry, self.name))

    def delete_queue(self) -> None:
        """Remove the queue with all it holds.

        Where the limit name_reuse_delay is set, its name is not free before that has passed.
        """
        self._executor.run(lifecycle.delete_queue(self._registry, self.name))

    def sweep(self) -> int:
        """Remove what has expired, and finish moves that a crash cut short. Returns how many
        messages expired. Sends and receives do this in passing; only an unused queue needs it."""
        return self._executor.run(plans.sweep(self._registry, self.name))

    # --- dead letters ---

    def dead_letter_sources(self, *, limit: int = 1000, token: str | None = None) -> Page:
        """Names of the queues whose dead letters come here, page by page."""
        return self._executor.run(
            redrive.dead_letter_sources(self._registry, self.name, limit, token)
        )

    def redrive(
        self,
        destination: str | None = None,
        *,
        max_per_second: int | None = None,
        progress: Callable[[RedriveTask], None] | None = None,
    ) -> RedriveTask:
        """Move this dead-letter queue's messages back to where they came from, or to *destination*.

        Returns when all that is visible has been moved, or the task was cancelled or failed; calls
        *progress* with the task after each step. *max_per_second* is 1 to 500, default no limit.
        The messages are new ones (id, sent time, receive count); on a FIFO queue their order holds.

        Raises InvalidParameter, QueueDoesNotExist, RedriveRunning.
        Source: StartMessageMoveTask (Amazon SQS API Reference).
        """
        task = self._executor.run(
            redrive.start_redrive(self._registry, self.name, destination, max_per_second)
        )
        return self._executor.run(redrive.drive_redrive(self._registry, task, progress))

    def start_redrive(
        self, destination: str | None = None, *, max_per_second: int | None = None
    ) -> RedriveTask:
        """As redrive, but in the background of this process; look with redrive_tasks."""
        task = self._executor.run(
            redrive.start_redrive(self._registry, self.name, destination, max_per_second)
        )
        self._executor.start(redrive.drive_redrive(self._registry, task))
        return task

    def cancel_redrive(self, id: str) -> RedriveTask:
        """Ask a running task to stop; what it moved stays moved.

        Raises RedriveNotFound, RedriveEnded. Source: CancelMessageMoveTask.
        """
        return self._executor.run(redrive.cancel_redrive(self._registry, self.name, id))

    def redrive_tasks(self, limit: int = 10) -> list[RedriveTask]:
        """The tasks of this dead-letter queue, the newest first; the last 10 are remembered."""
        return self._executor.run(redrive.redrive_tasks(self._registry, self.name, limit))
