"""The tasks of a Django project, as its users write them."""

from __future__ import annotations

from rmq.worker.django.framework import TaskContext

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task


@task
def add(one: int, other: int) -> int:
    return one + other


@task()
async def multiply(one: int, other: int) -> int:
    return one * other


@task(queue_name="mail")
def fails(text: str) -> None:
    raise ValueError(text)


@task(takes_context=True)
def who(context: TaskContext) -> str:
    return context.task_result.id
