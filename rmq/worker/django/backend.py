"""Backend: Django's tasks framework on rmq. Source: Tasks (Django documentation), TaskBackend.

    TASKS = {"default": {
        "BACKEND": "rmq.worker.django.backend.RmqBackend",
        "QUEUES": ["default", "mail"],
        "OPTIONS": {"url": "redis://localhost", "result_ttl": 86400, "outbox": False},
    }}

    rmq worker rmq.worker.django.worker:app        runs them, with DJANGO_SETTINGS_MODULE set

Works with django.tasks (Django 6.0 and newer) and with its backport for older ones, django-tasks. A
Django task is a call of the rmq task `django.<queue>`, so all that holds for rmq tasks holds for
it."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from django.utils import timezone
from django.utils.module_loading import import_string

from rmq.client.configured import configured
from rmq.client.sync import Client
from rmq.core.keys import ResultKeys
from rmq.errors import QueueDoesNotExist
from rmq.queues.outgoing import Outgoing
from rmq.settings import Settings
from rmq.worker import results, servertime
from rmq.worker.app import LIMITS
from rmq.worker.django.framework import (
    BaseTaskBackend,
    Task,
    TaskError,
    TaskResult,
    TaskResultDoesNotExist,
    TaskResultStatus,
    task_backends,
    task_enqueued,
)
from rmq.worker.outbox.row import Row
from rmq.worker.task import TaskMessage, write

RESULT_TTL_S = 86_400.0
_clients: dict[tuple[Any, Any], Client] = {}
_lock = threading.Lock()

_STATUS = {
    "unknown": TaskResultStatus.READY,
    "running": TaskResultStatus.RUNNING,
    "done": TaskResultStatus.SUCCESSFUL,
    "failed": TaskResultStatus.FAILED,
    "cancelled": TaskResultStatus.FAILED,
}


class RmqBackend(BaseTaskBackend):
    """Options: *url* and *namespace* (default RMQ_URL, RMQ_NAMESPACE), *app*: what its workers are
    known by (default `django`), *result_ttl*: seconds for which results are kept (default a day),
    *retries*: tries after the first (default 0, as Django has none), *outbox*: enqueue in the
    database's transaction (default False: at once)."""

    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = False

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self.app_name: str = self.options.get("app", "django")
        self.result_ttl = float(self.options.get("result_ttl", RESULT_TTL_S))

    @property
    def client(self) -> Client:
        """One for all threads."""
        where = (self.options.get("url"), self.options.get("namespace"))
        with _lock:
            if where not in _clients:
                settings = configured(Settings, *where, {})
                _clients[where] = Client(settings.url, settings=settings, limits=LIMITS)
            return _clients[where]

    def enqueue(self, task: Task, args: Any, kwargs: Any) -> TaskResult:
        """Send a task. Raises what its validation raises, ConnectionLost, OutOfMemory."""
        self.validate_task(task)
        id, now = uuid.uuid4().hex, timezone.now()
        result = TaskResult(
            task=task,
            id=id,
            status=TaskResultStatus.READY,
            enqueued_at=now,
            started_at=None,
            last_attempted_at=None,
            finished_at=None,
            args=list(args),
            kwargs=dict(kwargs),
            backend=self.alias,
            errors=[],
            worker_ids=[],
        )
        said = {
            "path": task.module_path,
            "args": result.args,
            "kwargs": result.kwargs,
            "alias": self.alias,
            "enqueued_ms": int(now.timestamp() * 1000),
        }
        message = TaskMessage(
            task=task_name(task.queue_name), id=id, kwargs=said, result_ttl=self.result_ttl
        )
        delay = None
        if task.run_after is not None:
            at_ms = self.client._executor.call(servertime.now_ms(self.client.namespace))
            delay = max(task.run_after.timestamp() - at_ms / 1000, 0)
        keys, client = ResultKeys(self.client.namespace, id), self.client
        note = msgspec.json.encode({"queue": task.queue_name, **said}).decode()
        client._executor.call(results.note(keys, id, note))
        body = write(message, "json")
        if self.options.get("outbox"):
            from rmq.worker.django import outbox

            outbox.put(Row(id, task.queue_name, body, {}, None, delay))
        else:
            self._send(task.queue_name, body, delay)
        task_enqueued.send(type(self), task_result=result)
        return result

    def get_result(self, result_id: str) -> TaskResult:
        """What is known of a task. Raises TaskResultDoesNotExist."""
        keys = ResultKeys(self.client.namespace, results.checked_id(result_id))
        found = self.client._executor.call(results.read(keys, result_id))
        if not found.note:
            raise TaskResultDoesNotExist(result_id)
        return self.result_of(found)

    def result_of(self, found: results.TaskStatus) -> TaskResult:
        """A status, as Django has it."""
        said = msgspec.json.decode(found.note)
        task = import_string(said["path"])
        if not isinstance(task, Task):
            raise TaskResultDoesNotExist(found.id)
        errors = []
        if found.state in ("failed", "cancelled"):
            path, _, _ = (found.error or "rmq.errors.TaskCancelled: ").partition(": ")
            path = path if "." in path else f"builtins.{path}"
            errors = [TaskError(exception_class_path=path, traceback=found.traceback)]
        result = TaskResult(
            task=task.using(queue_name=said["queue"], backend=self.alias),
            id=found.id,
            status=_STATUS[found.state],
            enqueued_at=datetime.fromtimestamp(said["enqueued_ms"] / 1000, UTC),
            started_at=found.started_at,
            last_attempted_at=found.started_at,
            finished_at=found.ended_at,
            args=said["args"],
            kwargs=said["kwargs"],
            backend=self.alias,
            errors=errors,
            worker_ids=[found.worker] if found.worker else [],
        )
        object.__setattr__(result, "_return_value", found.result)
        return result

    def _send(self, queue: str, body: bytes, delay: float | None) -> None:
        message = Outgoing(body, delay=None if delay is None else timedelta(seconds=delay))
        try:
            self.client.queue(queue)._sends.submit(message)
        except QueueDoesNotExist:
            # The first one ever, and no worker was here yet. Its dead-letter queue a worker makes.
            self.client.create_queue(queue)
            self.client.queue(queue)._sends.submit(message)


def task_name(queue: str) -> str:
    """The rmq task that runs Django's tasks of a queue."""
    return f"django.{queue}"


def client_of(alias: str) -> Client:
    """The client of the backend of that name."""
    backend = task_backends[alias]
    assert isinstance(backend, RmqBackend)
    return backend.client
