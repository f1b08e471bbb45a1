"""Running: Django's tasks in rmq's workers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from django.db import close_old_connections
from django.utils.module_loading import import_string

from rmq.client.aio import AsyncClient
from rmq.worker.app import App
from rmq.worker.context import Context
from rmq.worker.django.backend import RmqBackend, task_name
from rmq.worker.django.framework import (
    TaskContext,
    TaskResult,
    TaskResultStatus,
    task_backends,
    task_finished,
    task_started,
)
from rmq.worker.results import TaskStatus


def app_of(alias: str = "default", *, client: AsyncClient | None = None) -> App:
    """The App whose workers run the tasks of the backend of that name. *client* is for tests."""
    backend = task_backends[alias]
    assert isinstance(backend, RmqBackend)
    options = backend.options
    if client is not None:
        app = App(client=client, name=backend.app_name)
    else:
        app = App(options.get("url"), name=backend.app_name, namespace=options.get("namespace"))
    for queue in sorted(backend.queues):
        # By its name in the message: one rmq task for all of Django's on a queue.
        app.task(queue=queue, name=task_name(queue), retries=options.get("retries", 0))(_run)
    return app


def _run(
    path: str,
    args: list[Any],
    kwargs: dict[str, Any],
    alias: str,
    enqueued_ms: int,
    context: Context,
) -> Any:
    """Run one task of Django's, in a thread, and send its signals."""
    backend: Any = task_backends[alias]
    task = import_string(path)
    said = {
        "path": path,
        "args": args,
        "kwargs": kwargs,
        "queue": context.queue,
        "enqueued_ms": enqueued_ms,
    }
    result = backend.result_of(_running(context, said))
    close_old_connections()
    try:
        task_started.send(type(backend), task_result=result)
        given = [TaskContext(task_result=result)] if task.takes_context else []
        try:
            value = task.call(*given, *args, **kwargs)
        except BaseException:
            _ended(backend, result, TaskResultStatus.FAILED)
            raise
        object.__setattr__(result, "_return_value", value)
        _ended(backend, result, TaskResultStatus.SUCCESSFUL)
        return value
    finally:
        close_old_connections()


def _running(context: Context, said: dict[str, Any]) -> TaskStatus:
    return TaskStatus(
        id=context.task_id or "",
        state="running",
        result=None,
        error="",
        traceback="",
        part=None,
        text="",
        worker="",
        started_at=datetime.now(UTC),
        ended_at=None,
        note=msgspec.json.encode(said).decode(),
    )


def _ended(backend: Any, result: TaskResult, status: Any) -> None:
    object.__setattr__(result, "status", status)
    object.__setattr__(result, "finished_at", datetime.now(UTC))
    task_finished.send(type(backend), task_result=result)
