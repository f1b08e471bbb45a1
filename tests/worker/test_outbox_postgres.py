"""The outbox on PostgreSQL: relays at the same time pass over each other's rows, and what one that
was killed had is another's."""

from __future__ import annotations

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import create_async_engine

import rmq
from rmq.worker.app import LIMITS
from rmq.worker.outbox.sqlalchemy import Outbox, Relay
from tests.postgres import NoPostgres, postgres

pytest.importorskip("psycopg", reason="psycopg is not installed")

OPTIONS = "-c lock_timeout=15s"
"""Whoever waits for another's row does so in vain."""


@pytest.fixture(scope="module")
def host():
    try:
        return postgres()
    except NoPostgres as why:
        pytest.skip(f"no PostgreSQL: {why}")


@pytest.fixture
def url(host):
    return sa.URL.create(
        "postgresql+psycopg", "postgres", database="postgres", query={"host": host}
    )


@pytest.fixture
def outbox():
    return Outbox(sa.MetaData())


@pytest.fixture
def engine(url, outbox):
    engine = sa.create_engine(url, connect_args={"options": OPTIONS})
    outbox.outbox.metadata.create_all(engine)
    yield engine
    outbox.outbox.metadata.drop_all(engine)
    engine.dispose()


@pytest.fixture
def client(namespace):
    with rmq.connect(f"memory://{namespace}", namespace=namespace, limits=LIMITS) as client:
        yield client


def put(engine, outbox, count, queue="orders"):
    with engine.begin() as connection:
        for one in range(count):
            connection.execute(outbox.message(queue, f"{one}"))


def texts(queue):
    found = []
    while got := queue.receive(10):
        found += [one.text for one in got]
        queue.delete_many(got)
    return found


def test_a_relay_passes_over_what_another_one_has_and_takes_it_when_that_is_killed(
    engine, outbox, client
):
    queue, relay = client.create_queue("orders"), Relay(engine, outbox, client)
    put(engine, outbox, 150)
    with engine.connect() as other:
        assert len(other.execute(outbox.next()).all()) == 100  # another relay, in its step
        assert relay.step() == 50
        assert relay.step() == 0
        assert texts(queue) == [f"{one}" for one in range(100, 150)]
        (pid,) = other.execute(sa.text("select pg_backend_pid()")).one()
        with engine.connect() as killer:
            killer.execute(sa.text("select pg_terminate_backend(:pid, 10000)"), {"pid": pid})
        with pytest.raises(OperationalError):
            other.execute(sa.text("select 1"))
        other.invalidate()
    assert relay.step() == 100
    assert texts(queue) == [f"{one}" for one in range(100)]
    assert relay.step() == 0


def test_of_what_a_killed_relay_had_sent_the_consumer_takes_each_once(engine, outbox, client):
    queue = client.create_queue("orders")
    put(engine, outbox, 20)

    class Killed(Outbox):
        def settle(self, rows, refused):  # between its send and its commit
            raise KeyboardInterrupt

    dying = Killed(sa.MetaData())
    with pytest.raises(KeyboardInterrupt):
        Relay(engine, dying, client).step()
    assert Relay(engine, outbox, client).step() == 20
    taken = Counter()
    while got := queue.receive(10):
        for message in got:
            with engine.begin() as connection:
                taken[message.text] += outbox.is_new(connection, message)
        queue.delete_many(got)
    assert taken == {f"{one}": 1 for one in range(20)}


async def test_relays_at_the_same_time_send_each_row_once(engine, outbox, url, namespace):
    other = create_async_engine(url, connect_args={"options": OPTIONS})
    put(engine, outbox, 450)
    async with rmq.connect_async(
        f"memory://{namespace}", namespace=namespace, limits=LIMITS
    ) as client:
        queue = await client.create_queue("orders")
        relay, begun = Relay(other, outbox, client), [asyncio.Event() for _ in range(3)]

        async def relay_all(number):
            count = await relay.step_async()
            begun[number].set()
            for one in begun:  # none has all before another is connected
                await one.wait()
            while step := await relay.step_async():
                count += step
            return count

        counts = await asyncio.gather(*map(relay_all, range(3)))
        assert sum(counts) == 450
        assert max(counts) < 450
        assert (await queue.stats()).visible == 450
    await other.dispose()


@pytest.mark.parametrize("commits", [True, False])
def test_who_asks_at_the_same_time_waits_for_the_first_ones_end(engine, outbox, commits):
    with ThreadPoolExecutor(1) as pool, engine.connect() as first:
        assert outbox.is_new(first, "7")

        def second():
            with engine.begin() as connection:
                return outbox.is_new(connection, "7")

        asking = pool.submit(second)
        with engine.connect() as watch:
            waits = sa.text("select count(*) from pg_locks where not granted")
            while not watch.execute(waits).scalar():
                assert not asking.done()
        (first.commit if commits else first.rollback)()
        assert asking.result(timeout=20) is not commits


def test_the_outbox_of_django_does_the_same(host, client):
    pytest.importorskip("django")
    from django.db import connections, transaction

    import tests.worker.test_django  # noqa: F401 - it sets Django up, which is done once a process
    from rmq.worker.django import outbox

    connections.databases["pg"] = connections.databases["default"] | {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "USER": "postgres",
        "HOST": host,
        "OPTIONS": {"options": OPTIONS},
    }
    tables = [outbox.OutboxMessage, outbox.InboxMessage]
    queue = client.create_queue("orders")
    try:
        with connections["pg"].schema_editor() as editor:
            for one in tables:
                editor.create_model(one)
        with transaction.atomic(using="pg"):
            for one in range(150):
                outbox.send("orders", f"{one}", using="pg")

        def another_relay():
            with transaction.atomic(using="pg"):
                locked = outbox.OutboxMessage.objects.using("pg").select_for_update()
                assert len(list(locked[:100])) == 100
                held.set()
                go_on.wait(20)
            connections["pg"].close()

        from threading import Event

        held, go_on = Event(), Event()
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(another_relay)
            assert held.wait(20)
            assert outbox.relay(client, using="pg") == 50
            assert outbox.relay(client, using="pg") == 0
            go_on.set()
            other.result(timeout=20)
        assert outbox.relay(client, using="pg") == 100
        found = texts(queue)
        assert found == [f"{one}" for one in [*range(100, 150), *range(100)]]
        with transaction.atomic(using="pg"):
            assert [outbox.is_new("7", using="pg") for _ in range(2)] == [True, False]
    finally:
        with connections["pg"].schema_editor() as editor:
            for one in tables:
                editor.delete_model(one)
        connections["pg"].close()
        del connections.databases["pg"]
