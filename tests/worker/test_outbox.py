"""The outbox of an SQLAlchemy database: sent if and only if committed; its consumer takes each
once."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

import rmq
from rmq.errors import ConnectionLost
from rmq.worker import App
from rmq.worker.app import LIMITS
from rmq.worker.outbox.sqlalchemy import Outbox, Relay


@pytest.fixture
def metadata():
    return sa.MetaData()


@pytest.fixture
def outbox(metadata):
    return Outbox(metadata)


@pytest.fixture
def engine(metadata, outbox, tmp_path):
    engine = sa.create_engine(f"sqlite:///{tmp_path}/shop.db")
    metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def client(namespace):
    with rmq.connect("memory://", namespace=namespace, limits=LIMITS) as client:
        yield client


@pytest.fixture
def relay(engine, outbox, client):
    return Relay(engine, outbox, client)


def texts(queue):
    found = []
    while got := queue.receive(10):
        found += [one.text for one in got]
        queue.delete_many(got)
    return found


def test_a_message_is_sent_if_and_only_if_its_transaction_commits(engine, outbox, client, relay):
    queue = client.create_queue("orders")
    with Session(engine) as session:
        session.execute(outbox.message("orders", "kept"))
        session.commit()
        session.execute(outbox.message("orders", "lost"))
        session.rollback()
    assert relay.step() == 1
    assert relay.step() == 0
    assert texts(queue) == ["kept"]


def test_messages_keep_their_order_and_what_goes_with_them(engine, outbox, client, relay):
    client.create_queue("orders.fifo")
    with engine.begin() as connection:
        for one in range(250):
            statement = outbox.message(
                "orders.fifo", f"{one}", message_group_id="a", attributes={"n": one}
            )
            connection.execute(statement)
    while relay.step():
        pass
    queue, found = client.queue("orders.fifo"), []
    while got := queue.receive(10):
        found += [(one.text, one.attributes["n"].value, one.message_group_id) for one in got]
        queue.delete_many(got)
    assert found == [(f"{one}", f"{one}", "a") for one in range(250)]


def test_the_call_of_a_task_is_sent_with_its_id(engine, outbox, client, relay, namespace):
    app = App("memory://", namespace=namespace)

    @app.task(queue="mail")
    async def send_mail(to: str) -> None: ...

    client.create_queue("mail")
    with engine.begin() as connection:
        connection.execute(outbox.call(send_mail.with_("a@b.c")))
        id = connection.execute(sa.select(outbox.outbox.c.id)).scalar_one()
    relay.step()
    (message,) = client.queue("mail").receive()
    said = app.intakes["mail"].route(message).task
    assert (said.id, said.args) == (id, ["a@b.c"])


def test_a_relay_that_dies_before_its_commit_sends_again_and_the_consumer_takes_it_once(
    engine, outbox, client, relay, monkeypatch
):
    queue = client.create_queue("orders")
    with engine.begin() as connection:
        connection.execute(outbox.message("orders", "once"))

    def dies(rows, refused):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(outbox, "settle", dies)
        with pytest.raises(KeyboardInterrupt):
            relay.step()
    relay.step()
    messages = queue.receive(10)
    assert len(messages) == 2
    taken = []
    for message in messages:
        with Session(engine) as session, session.begin():
            if outbox.is_new(session, message):
                taken.append(message.text)
    assert taken == ["once"]


def test_what_is_rolled_back_was_not_taken(engine, outbox, client):
    client.create_queue("orders").send("x")
    (message,) = client.queue("orders").receive()
    with Session(engine) as session:
        assert outbox.is_new(session, message)
        session.rollback()
        assert outbox.is_new(session, message)
        assert not outbox.is_new(session, message)
        session.commit()
    with Session(engine) as session:
        assert not outbox.is_new(session, message)


def test_what_is_refused_is_noted_and_holds_up_nothing(engine, outbox, client, relay):
    queue = client.create_queue("orders", maximum_message_size=1024)
    with engine.begin() as connection:
        connection.execute(outbox.message("nowhere", "x"))
        connection.execute(outbox.message("orders", "x" * 2000))
        connection.execute(outbox.message("orders", "well"))
    assert relay.step() == 3
    assert relay.step() == 0
    assert texts(queue) == ["well"]
    with engine.connect() as connection:
        errors = connection.execute(
            sa.select(outbox.outbox.c.error).order_by(outbox.outbox.c.position)
        ).scalars()
        first, second = errors
    assert "nowhere" in first
    assert "1024" in second


def test_while_redis_is_away_everything_stays(engine, outbox, client, relay, monkeypatch):
    queue = client.create_queue("orders")
    with engine.begin() as connection:
        connection.execute(outbox.message("orders", "x"))

    def away(messages):
        raise ConnectionLost("away")

    with monkeypatch.context() as patched:
        patched.setattr(queue, "_send", away)
        with pytest.raises(ConnectionLost):
            relay.step()
    assert relay.step() == 1
    assert texts(queue) == ["x"]


async def test_in_asyncio_it_is_the_same(metadata, outbox, tmp_path, namespace):
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/shop.db")
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    async with rmq.connect_async("memory://", namespace=namespace) as client:
        queue = await client.create_queue("orders")
        async with AsyncSession(engine) as session, session.begin():
            await session.execute(outbox.message("orders", "x"))
            await session.execute(outbox.message("nowhere", "y"))
        stopping = asyncio.Event()
        running = asyncio.create_task(Relay(engine, outbox, client).run(stopping))
        (message,) = await queue.receive(wait=20)
        stopping.set()
        await running
        async with AsyncSession(engine) as session, session.begin():
            assert await session.run_sync(outbox.is_new, message)
            assert not await session.run_sync(outbox.is_new, message)
        async with engine.connect() as connection:
            left = (await connection.execute(sa.select(outbox.outbox.c.error))).scalars().all()
        assert len(left) == 1
    await engine.dispose()
