"""Row: a message that lies in a database's outbox, on its way to its queue.

A message that is written in the transaction of what it is about is sent if, and only if, that
commits. A relay then brings it here. A relay that dies between the send and its own commit sends
again, so each message has an id, which travels with it, and its consumer asks its own database
whether it had it: the idempotent consumer is the other half of the outbox.

    web request ── BEGIN, orders + outbox, COMMIT        relay ── outbox ──> queue ──> consumer
                                                         consumer ── BEGIN, inbox + its work, COMMIT
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rmq.core.limits import seconds
from rmq.errors import CallerError, QueueDoesNotExist, RmqError
from rmq.queues.message import ReceivedMessage
from rmq.queues.outgoing import Outgoing

if TYPE_CHECKING:
    from rmq.client.sync import Client
    from rmq.worker.task import Call

ID_ATTRIBUTE = "rmq.outbox_id"
"""The message attribute that has the id; a task's message has it as its task's id."""
STEP = 100
"""Messages that one transaction of a relay brings on."""


@dataclass(frozen=True, slots=True)
class Row:
    """A message in an outbox."""

    id: str
    queue: str
    body: bytes
    attributes: Mapping[str, Any] = field(default_factory=dict)
    message_group_id: str | None = None
    delay: float | None = None
    """Seconds, from when it is relayed."""

    @classmethod
    def of(
        cls,
        queue: str,
        body: bytes | str,
        attributes: Mapping[str, Any] | None = None,
        message_group_id: str | None = None,
        delay: float | None = None,
    ) -> Row:
        """A message with an id of its own."""
        id = str(uuid.uuid4())
        raw = body.encode() if isinstance(body, str) else bytes(body)
        return cls(
            id, queue, raw, {**(attributes or {}), ID_ATTRIBUTE: id}, message_group_id, delay
        )

    @classmethod
    def of_call(cls, call: Call[Any]) -> Row:
        """The call of a task: its id is the task's. Raises InvalidParameter."""
        message = call.message()
        sent = call.outgoing(message)
        delay = None if sent.delay is None else seconds(sent.delay, "delay").total_seconds()
        return cls(message.id, call.queue, bytes(sent.body), {}, sent.message_group_id, delay)  # type: ignore[arg-type]

    def outgoing(self) -> Outgoing:
        """As it is sent. On a FIFO queue the id keeps a repeat out for 5 minutes."""
        is_fifo = self.queue.endswith(".fifo")
        return Outgoing(
            self.body,
            attributes=dict(self.attributes) or None,
            delay=None if is_fifo else self.delay,
            message_group_id=self.message_group_id or (self.id if is_fifo else None),
            deduplication_id=self.id if is_fifo else None,
        )


def outbox_id(message: ReceivedMessage) -> str:
    """What names a message, however often it was relayed: its id in the outbox, or its own."""
    found = message.attributes.get(ID_ATTRIBUTE)
    return str(found.value) if found is not None else message.id


def bring(client: Client, rows: Sequence[Row]) -> dict[str, str]:
    """Send rows, in their order. Why some can not be sent, by id; the others are sent.

    Raises ConnectionLost, OutOfMemory; then some may be sent.
    """
    refused: dict[str, str] = {}
    for queue, ones in by_queue(rows).items():
        try:
            messages = [one.outgoing() for one in ones]
            found: Sequence[Any] = client.queue(queue).send_many(messages).results
        except QueueDoesNotExist as error:
            found = [error] * len(ones)
        note(ones, found, refused)
    return refused


def by_queue(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows in their order, for each queue."""
    found: dict[str, list[Row]] = {}
    for one in rows:
        found.setdefault(one.queue, []).append(one)
    return found


def note(rows: Sequence[Row], results: Sequence[Any], refused: dict[str, str]) -> None:
    """Note what was refused. Raises what is not the message's fault."""
    for one, result in zip(rows, results, strict=True):
        if isinstance(result, CallerError):
            refused[one.id] = str(result)
        elif isinstance(result, RmqError):
            raise result
