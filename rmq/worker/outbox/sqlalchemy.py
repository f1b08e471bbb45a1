"""The outbox of an SQLAlchemy database, and the inbox of its consumers.

    outbox = Outbox(metadata)                                    two tables, made by your migrations

    with Session(engine) as session, session.begin():
        session.add(order)
        session.execute(outbox.message("orders", b"..."))        or outbox.call(send_mail.with_(..))

    Relay(engine, outbox, client).run(stopping)                  in a process of its own, or beside

    with session.begin():                                        the consumer
        if outbox.is_new(session, message): ...

What `message` and `call` give is a statement, so it is the same for a Session, a Connection and
their asynchronous kinds. Several relays may run; rows that one works on, the others pass over.
Needs SQLAlchemy 2.0.28, which can keep the count of an INSERT.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from rmq.core.limits import seconds
from rmq.errors import QueueDoesNotExist, RmqError
from rmq.queues.message import ReceivedMessage
from rmq.worker.outbox.row import STEP, Row, bring, by_queue, note, outbox_id

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine  # needs greenlet

    from rmq.client.aio import AsyncClient
    from rmq.client.sync import Client
    from rmq.worker.task import Call

log = logging.getLogger("rmq.worker")

EVERY = 1.0
"""Seconds between two looks at an outbox in which nothing was."""


class Outbox:
    """The tables of an outbox and an inbox, and what is done with them."""

    def __init__(
        self, metadata: sa.MetaData, *, outbox: str = "rmq_outbox", inbox: str = "rmq_inbox"
    ) -> None:
        """Tables of these names are added to *metadata*."""
        self.outbox = sa.Table(
            outbox,
            metadata,
            # SQLite counts by itself only in a column of type INTEGER.
            sa.Column(
                "position",
                sa.BigInteger().with_variant(sa.Integer, "sqlite"),
                primary_key=True,
                autoincrement=True,
            ),
            sa.Column("id", sa.String(36), nullable=False, unique=True),
            sa.Column("queue", sa.String(255), nullable=False),
            sa.Column("body", sa.LargeBinary, nullable=False),
            sa.Column("attributes", sa.JSON, nullable=False),
            sa.Column("message_group_id", sa.String(128)),
            sa.Column("delay", sa.Float),
            sa.Column("error", sa.Text),
        )
        self.inbox = sa.Table(
            inbox,
            metadata,
            sa.Column("id", sa.String(128), primary_key=True),
            sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False, index=True),
        )

    # --- who sends ---

    def message(
        self,
        queue: str,
        body: bytes | str,
        *,
        attributes: Mapping[str, str | int | float] | None = None,
        message_group_id: str | None = None,
        delay: timedelta | float | None = None,
    ) -> sa.Insert:
        """The statement that sends a message when its transaction commits. *delay* counts from when
        it is relayed."""
        wait = None if delay is None else seconds(delay, "delay").total_seconds()
        return self._insert(Row.of(queue, body, attributes, message_group_id, wait))

    def call(self, call: Call[Any]) -> sa.Insert:
        """The statement that sends a call of a task when its transaction commits. The task's id is
        the `id` of the row. Raises InvalidParameter where the arguments do not fit."""
        return self._insert(Row.of_call(call))

    # --- who receives ---

    def is_new(self, connection: Any, message: ReceivedMessage | str) -> bool:
        """Note in a Session's or Connection's transaction that a message was taken; False where it
        was taken before. If the transaction is rolled back, it was not.

        *message* is one that was received, or the id of a task (context.task_id). In asyncio:
        `await session.run_sync(outbox.is_new, message)`. Two that ask at the same time: the second
        waits for the first one's end.
        """
        id = message if isinstance(message, str) else outbox_id(message)
        bind = connection.get_bind() if hasattr(connection, "get_bind") else connection
        values = {"id": id, "taken_at": datetime.now(UTC)}
        # Where the database can say it in one statement, without a savepoint: Python's own driver
        # for SQLite begins no transaction for one.
        if bind.dialect.name == "sqlite":
            unless_there: sa.Insert = sqlite.insert(self.inbox).on_conflict_do_nothing()
        elif bind.dialect.name == "postgresql":
            unless_there = postgresql.insert(self.inbox).on_conflict_do_nothing()
        elif bind.dialect.name in ("mysql", "mariadb"):
            unless_there = self.inbox.insert().prefix_with("IGNORE")
        else:
            try:
                with connection.begin_nested():
                    connection.execute(self.inbox.insert().values(values))
            except IntegrityError:
                return False
            return True
        # Of an INSERT SQLAlchemy forgets the count with the cursor, unless it is told to keep it.
        statement = unless_there.values(values).execution_options(preserve_rowcount=True)
        return bool(connection.execute(statement).rowcount == 1)

    def forget(self, older_than: timedelta) -> sa.Delete:
        """The statement that forgets what was taken so long ago: longer than any repeat takes, at
        least the queue's retention period."""
        return self.inbox.delete().where(self.inbox.c.taken_at < datetime.now(UTC) - older_than)

    # --- who relays ---

    def next(self, limit: int = STEP) -> sa.Select[Any]:
        """The oldest rows that nobody works on and that were not refused."""
        return (
            sa.select(self.outbox)
            .where(self.outbox.c.error.is_(None))
            .order_by(self.outbox.c.position)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )

    def settle(self, rows: Sequence[Row], refused: Mapping[str, str]) -> list[Any]:
        """The statements that remove what was sent, and note why what is left was refused."""
        sent = [one.id for one in rows if one.id not in refused]
        found: list[Any] = [self.outbox.delete().where(self.outbox.c.id.in_(sent))] if sent else []
        for id, why in refused.items():
            found.append(self.outbox.update().where(self.outbox.c.id == id).values(error=why))
        return found

    def _insert(self, row: Row) -> sa.Insert:
        return self.outbox.insert().values(
            id=row.id,
            queue=row.queue,
            body=row.body,
            attributes=dict(row.attributes),
            message_group_id=row.message_group_id,
            delay=row.delay,
        )


class Relay:
    """Brings what is in an outbox to its queues."""

    def __init__(
        self,
        engine: sa.Engine | AsyncEngine,
        outbox: Outbox,
        client: Client | AsyncClient,
        *,
        every: timedelta | float = EVERY,
    ) -> None:
        """An AsyncEngine goes with an AsyncClient, an Engine with a Client; `run` has a thread for
        these. *every*: a timedelta or seconds between two looks where nothing was."""
        self._engine: Any = engine
        self._outbox = outbox
        self._client: Any = client
        self._every = seconds(every, "every").total_seconds()

    def step(self) -> int:
        """Bring up to 100 messages, over an Engine and a Client. How many there were.

        Raises ConnectionLost, OutOfMemory, and what the database raises; then nothing is removed,
        and some may be sent again.
        """
        with self._engine.begin() as connection:
            rows = _rows(connection.execute(self._outbox.next()))
            if rows:
                refused = bring(self._client, rows)
                _tell(refused)
                for statement in self._outbox.settle(rows, refused):
                    connection.execute(statement)
        return len(rows)

    async def step_async(self) -> int:
        """The same over an AsyncEngine and an AsyncClient."""
        async with self._engine.begin() as connection:
            rows = _rows(await connection.execute(self._outbox.next()))
            if rows:
                refused: dict[str, str] = {}
                for queue, ones in by_queue(rows).items():
                    try:
                        messages = [one.outgoing() for one in ones]
                        sent = await self._client.queue(queue).send_many(messages)
                        note(ones, sent.results, refused)
                    except QueueDoesNotExist as error:
                        note(ones, [error] * len(ones), refused)
                _tell(refused)
                for statement in self._outbox.settle(rows, refused):
                    await connection.execute(statement)
        return len(rows)

    async def run(self, stopping: asyncio.Event) -> None:
        """Bring what comes until *stopping* is set. Trouble with Redis or the database is waited
        out."""
        is_async = not isinstance(self._engine, sa.Engine)
        while not stopping.is_set():
            try:
                count = await (self.step_async() if is_async else asyncio.to_thread(self.step))
            except (RmqError, SQLAlchemyError) as error:
                log.warning("the outbox waits: %s", error)
                count = 0
            if count == 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), self._every)


def _rows(result: Any) -> list[Row]:
    return [
        Row(
            one.id,
            one.queue,
            bytes(one.body),
            one.attributes or {},
            one.message_group_id,
            one.delay,
        )
        for one in result
    ]


def _tell(refused: Mapping[str, str]) -> None:
    for id, why in refused.items():
        log.error("message %s stays in the outbox: %s", id, why)
