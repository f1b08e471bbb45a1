"""Django's tasks framework on rmq, and the outbox of a Django database."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta

import django
import pytest
from django.conf import settings

URL = f"memory://django-{uuid.uuid4().hex}"

if not settings.configured:
    try:
        import django.tasks

        framework = []
    except ImportError:
        framework = ["django_tasks"]
    settings.configure(
        INSTALLED_APPS=[*framework, "rmq.worker.django"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        USE_TZ=True,
        TASKS={
            "default": {
                "BACKEND": "rmq.worker.django.backend.RmqBackend",
                "QUEUES": ["default", "mail"],
                "OPTIONS": {"url": URL},
            },
            "outbox": {
                "BACKEND": "rmq.worker.django.backend.RmqBackend",
                "OPTIONS": {"url": URL, "outbox": True},
            },
        },
    )
    django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

import rmq  # noqa: E402
from rmq.worker.app import LIMITS  # noqa: E402
from rmq.worker.django import outbox  # noqa: E402
from rmq.worker.django.backend import client_of  # noqa: E402
from rmq.worker.django.framework import (  # noqa: E402
    TaskResultDoesNotExist,
    TaskResultStatus,
    task_backends,
    task_enqueued,
    task_finished,
    task_started,
)
from rmq.worker.django.running import app_of  # noqa: E402
from rmq.worker.worker import Worker  # noqa: E402
from tests.worker import django_tasks_here as tasks  # noqa: E402


@pytest.fixture(autouse=True)
def database():
    """An empty database, and empty queues."""
    call_command("migrate", verbosity=0)
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
    client_of("default").wipe()


@pytest.fixture
def client():
    return client_of("default")


def work():
    """Run all that is there, to the end."""

    async def run():
        async with rmq.connect_async(URL, limits=LIMITS) as client:
            worker = Worker(app_of(client=client))
            await worker.prepare()
            await worker.drain()
            await worker.close()

    asyncio.run(run())


def test_a_task_is_enqueued_run_and_its_result_found():
    result = tasks.add.enqueue(2, other=3)
    assert result.status == TaskResultStatus.READY
    assert not result.is_finished
    found = tasks.add.get_result(result.id)
    assert (found.status, found.args, found.kwargs) == ("READY", [2], {"other": 3})
    work()
    result.refresh()
    assert result.status == TaskResultStatus.SUCCESSFUL
    assert result.return_value == 5
    assert result.enqueued_at <= result.started_at <= result.finished_at
    assert len(result.worker_ids) == 1


def test_a_coroutine_function_is_a_task_too():
    result = tasks.multiply.enqueue(2, 3)
    work()
    assert tasks.multiply.get_result(result.id).return_value == 6


def test_a_failure_is_found_with_its_class_and_its_traceback():
    result = tasks.fails.enqueue("no such mail")
    work()
    result.refresh()
    assert result.status == TaskResultStatus.FAILED
    (error,) = result.errors
    assert error.exception_class is ValueError
    assert "no such mail" in error.traceback
    with pytest.raises(ValueError, match="failed"):
        _ = result.return_value


def test_a_task_gets_its_context():
    result = tasks.who.enqueue()
    work()
    result.refresh()
    assert result.return_value == result.id


def test_a_task_that_is_deferred_waits(client):
    tasks.add.using(run_after=timezone.now() + timedelta(days=30)).enqueue(1, 1)
    work()
    assert client.queue("default").stats().delayed == 1


def test_each_task_is_on_its_queue(client):
    tasks.fails.enqueue("x")
    tasks.add.using(queue_name="mail").enqueue(1, 1)
    assert client.queue("mail").stats().visible == 2


def test_signals_are_sent_where_it_is_enqueued_and_where_it_runs():
    seen = []

    def note(name):
        def receiver(sender, task_result, **rest):
            seen.append((name, task_result.status))

        return receiver

    receivers = {
        "enqueued": (task_enqueued, note("enqueued")),
        "started": (task_started, note("started")),
        "finished": (task_finished, note("finished")),
    }
    for signal, receiver in receivers.values():
        signal.connect(receiver)
    try:
        tasks.add.enqueue(1, 1)
        work()
    finally:
        for signal, receiver in receivers.values():
            signal.disconnect(receiver)
    assert seen == [("enqueued", "READY"), ("started", "RUNNING"), ("finished", "SUCCESSFUL")]


def test_what_is_not_there_is_not_found():
    with pytest.raises(TaskResultDoesNotExist):
        task_backends["default"].get_result("nothing")


def test_a_queue_that_is_not_the_backends_is_refused():
    with pytest.raises(Exception, match="not valid"):
        tasks.add.using(queue_name="elsewhere")


async def test_it_is_enqueued_from_coroutines_too(client):
    result = await tasks.add.aenqueue(1, 1)
    assert (await tasks.add.aget_result(result.id)).status == "READY"


# --- the outbox ---------------------------------------------------------------------------------


def test_a_task_is_enqueued_if_and_only_if_the_transaction_commits(client):
    with transaction.atomic():
        kept = tasks.add.using(backend="outbox").enqueue(1, 2)
    with transaction.atomic():
        tasks.add.using(backend="outbox").enqueue(3, 4)
        transaction.set_rollback(True)
    client.create_queue("default")
    assert client.queue("default").stats().visible == 0
    assert outbox.relay(client) == 1
    assert outbox.relay(client) == 0
    work()
    kept.refresh()
    assert kept.return_value == 3


def test_messages_are_relayed_in_order_and_each_is_taken_once(client):
    queue = client.create_queue("orders")
    for one in range(3):
        outbox.send("orders", f"{one}", attributes={"n": one})
    outbox.send("nowhere", "x")
    call_command("rmq_relay", "--once", verbosity=0)
    messages = queue.receive(10)
    assert [one.text for one in messages] == ["0", "1", "2"]
    assert [outbox.is_new(one) for one in messages] == [True, True, True]
    assert not outbox.is_new(messages[0])
    (left,) = outbox.OutboxMessage.objects.all()
    assert "nowhere" in left.error
    assert outbox.forget(timedelta(days=14)) == 0
    assert outbox.forget(timedelta(seconds=-1)) == 3


def test_a_relay_that_dies_before_its_commit_sends_again_under_the_same_id(client):
    queue = client.create_queue("orders")
    outbox.send("orders", "x")
    with transaction.atomic():
        outbox.relay(client)
        transaction.set_rollback(True)  # as a death before the commit does
    outbox.relay(client)
    first, second = queue.receive(10)
    assert outbox.outbox_id(first) == outbox.outbox_id(second)
    assert [outbox.is_new(first), outbox.is_new(second)] == [True, False]


def test_the_tables_are_those_of_the_migrations():
    call_command("makemigrations", "rmq", "--check", "--dry-run", verbosity=0)
    assert "rmq_outboxmessage" in connection.introspection.table_names()
