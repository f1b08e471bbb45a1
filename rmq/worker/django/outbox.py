"""The outbox of a Django database, and the inbox of its consumers.

with transaction.atomic():
    order.save()
    outbox.send("orders", body)                sent if, and only if, this commits

python manage.py rmq_relay                     brings them to Redis

with transaction.atomic():                     the consumer
    if outbox.is_new(message): ...
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import connections, router, transaction
from django.utils import timezone

from rmq.core.limits import seconds
from rmq.queues.message import ReceivedMessage
from rmq.worker.django.models import InboxMessage, OutboxMessage
from rmq.worker.outbox.row import STEP, Row, bring, outbox_id

if TYPE_CHECKING:
    from rmq.client.sync import Client
    from rmq.worker.task import Call


def send(
    queue: str,
    body: bytes | str,
    *,
    attributes: Mapping[str, str | int | float] | None = None,
    message_group_id: str | None = None,
    delay: timedelta | float | None = None,
    using: str | None = None,
) -> str:
    """Send a message when the transaction commits that is open now. Its id. *using*: the database,
    default as Django's routers say. *delay* counts from when it is relayed."""
    wait = None if delay is None else seconds(delay, "delay").total_seconds()
    return put(Row.of(queue, body, attributes, message_group_id, wait), using)


def call(call: Call[Any], *, using: str | None = None) -> str:
    """Send a call of an rmq task when the transaction commits. The task's id."""
    return put(Row.of_call(call), using)


def put(row: Row, using: str | None = None) -> str:
    """Write a row. Its id."""
    OutboxMessage.objects.using(using or router.db_for_write(OutboxMessage)).create(
        id=row.id,
        queue=row.queue,
        body=row.body,
        attributes=dict(row.attributes),
        message_group_id=row.message_group_id,
        delay=row.delay,
    )
    return row.id


def is_new(message: ReceivedMessage | str, *, using: str | None = None) -> bool:
    """Note in the transaction that is open now that a message was taken; False where it was taken
    before. *message* is one that was received, or the id of a task."""
    id = message if isinstance(message, str) else outbox_id(message)
    database = using or router.db_for_write(InboxMessage)
    with transaction.atomic(using=database):
        _, is_new = InboxMessage.objects.using(database).get_or_create(id=id)
    return is_new


def forget(older_than: timedelta, *, using: str | None = None) -> int:
    """Forget what was taken so long ago: longer than any repeat takes, at least the queue's
    retention period. How many."""
    database = using or router.db_for_write(InboxMessage)
    old = InboxMessage.objects.using(database).filter(taken_at__lt=timezone.now() - older_than)
    return old.delete()[0]


def relay(client: Client, *, using: str | None = None) -> int:
    """Bring up to 100 messages to their queues. How many there were.

    Raises ConnectionLost, OutOfMemory; then nothing is removed, and some may be sent again.
    """
    database = using or router.db_for_write(OutboxMessage)
    features = connections[database].features
    with transaction.atomic(using=database):
        waiting = OutboxMessage.objects.using(database).filter(error=None)
        if features.has_select_for_update:
            waiting = waiting.select_for_update(
                skip_locked=features.has_select_for_update_skip_locked
            )
        rows = [
            Row(
                one.id,
                one.queue,
                bytes(one.body),
                one.attributes,
                one.message_group_id,
                one.delay,
            )
            for one in waiting[:STEP]
        ]
        if rows:
            refused = bring(client, rows)
            ids = [one.id for one in rows if one.id not in refused]
            OutboxMessage.objects.using(database).filter(id__in=ids).delete()
            for id, why in refused.items():
                OutboxMessage.objects.using(database).filter(id=id).update(error=why)
    return len(rows)
