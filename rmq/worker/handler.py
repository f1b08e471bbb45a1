"""Handler: what is done with the messages of one queue.

Either one function gets them all, or they are calls of tasks, each to its own function. For the
engine both are a Plan of work: a queue's options, and a way from a message to a call.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, NamedTuple, get_args, get_origin

from rmq.core.limits import seconds, whole
from rmq.errors import BrokenEnvelope, ConfigurationError, InvalidParameter
from rmq.queues.aio import AsyncMessage
from rmq.queues.attributes import Compression, choice, queue_name
from rmq.worker import following
from rmq.worker.callee import Callee, Mode, is_context
from rmq.worker.gate import Limit
from rmq.worker.payload import Read, reader, takes_message
from rmq.worker.resources import Resources
from rmq.worker.task import Task, TaskMessage, read
from rmq.worker.verdicts import UnknownTask, Unreadable

CONCURRENCY = {"async": 100, "thread": 20, "process": os.cpu_count() or 1}
"""Messages that one process works on at a time, unless it is said."""
MOST_CONCURRENCY = 100_000
VISIBILITY_S = 30.0
"""How soon a killed worker's messages are back, where its supervisor does not give them back."""

LEAST_VISIBILITY_S = 0.1


@dataclass(frozen=True, slots=True)
class Batch:
    """How a batch is filled: up to *size* messages, or what came within *within* of the first."""

    size: int
    """1 to 10,000."""
    within: timedelta | float = 0.0
    """A timedelta or seconds; 0 takes what is there."""

    def __post_init__(self) -> None:
        whole(self.size, "batch.size", 1, 10_000)
        if self.seconds < 0:
            raise InvalidParameter("batch.within", self.within, "0 s or more")

    @property
    def seconds(self) -> float:
        return seconds(self.within, "batch.within").total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueOptions:
    """How a queue is worked on."""

    queue: str
    concurrency: int
    """Messages (of batches: batches) at a time, in one process."""
    visibility_timeout: float = VISIBILITY_S
    """Seconds. It is renewed while a message is in hand, so it bounds how long the messages of a
    worker that was lost are away, and not how long a handler may take."""
    dead_letter_queue: str | None = None
    """Where dead letters go: default the queue's own, else `<queue>-dead`."""
    batch: Batch | None = None
    limits: tuple[Limit, ...] = ()
    """Of the whole fleet."""
    compression: Compression | None = None
    """What the queue's attribute of that name is set to; None leaves it as it is."""

    def __post_init__(self) -> None:
        queue_name(self.queue)
        whole(self.concurrency, "concurrency", 1, MOST_CONCURRENCY)
        if self.compression is not None:
            choice("compression", self.compression)
        if self.visibility_timeout < LEAST_VISIBILITY_S:
            raise InvalidParameter(
                "visibility_timeout",
                self.visibility_timeout,
                f"{LEAST_VISIBILITY_S} s or more: it is renewed three times in that time",
            )
        if self.dead_letter_queue is not None:
            queue_name(self.dead_letter_queue)
            if self.dead_letter_queue == self.queue:
                raise ConfigurationError(f"queue {self.queue!r} can not take its own dead letters")
            if self.dead_letter_queue.endswith(".fifo") != self.is_fifo:
                raise ConfigurationError(
                    f"queue {self.queue!r} and its dead-letter queue "
                    f"{self.dead_letter_queue!r} have to be FIFO queues both, or neither"
                )

    @property
    def capacity(self) -> int:
        """Messages that may be in hand."""
        return self.concurrency * (1 if self.batch is None else self.batch.size)

    @property
    def is_fifo(self) -> bool:
        return self.queue.endswith(".fifo")

    @property
    def usual_dead_letter_queue(self) -> str:
        """Where dead letters go when nobody says."""
        if self.dead_letter_queue is not None:
            return self.dead_letter_queue
        base = self.queue.removesuffix(".fifo")
        return f"{base}-dead.fifo" if self.is_fifo else f"{base}-dead"


class Routed(NamedTuple):
    """A message, and the call that it stands for."""

    callee: Callee
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    task: TaskMessage | None
    limits: tuple[Limit, ...] = ()
    """Beside those of the queue."""


class Handler:
    """One function for all messages of a queue."""

    def __init__(self, callee: Callee, options: QueueOptions) -> None:
        self.callee = callee
        self.options = options
        self._payload: str | None = None
        self._read: Read = _unread

    def __repr__(self) -> str:
        return f"<handler {self.callee.name} of {self.options.queue!r}>"

    @property
    def callees(self) -> list[Callee]:
        return [self.callee]

    def most(self, mode: Mode) -> int:
        """How many calls may run at a time."""
        return self.options.concurrency

    @property
    def limits(self) -> list[Limit]:
        """All that may be asked for one of its messages."""
        return list(self.options.limits)

    def prepare(self, resources: Resources) -> None:
        """Look at what the function takes, now that all resources are declared.

        Raises ConfigurationError.
        """
        injected = resources.asked_by(self.callee)
        rest = [
            one
            for name, one in self.callee.parameters.items()
            if name not in injected and not is_context(one)
        ]
        wanted = [one for one in rest if one.default is one.empty] or rest[:1]
        if len(wanted) != 1 or wanted[0].kind in (
            wanted[0].KEYWORD_ONLY,
            wanted[0].VAR_KEYWORD,
            wanted[0].VAR_POSITIONAL,
        ):
            names = ", ".join(one.name for one in wanted) or "none"
            raise ConfigurationError(
                f"handler {self.callee.name} takes one payload, a Context, and resources that are "
                f"declared; it has {names} beside those"
            )
        if self.callee.mode == "process":
            check_process(self.callee)
        annotation = wanted[0].annotation
        whose = f"{wanted[0].name} of {self.callee.name}"
        if self.options.batch is not None and annotation is not wanted[0].empty:
            if annotation in (list, Sequence):
                annotation = list[Any]
            if get_origin(annotation) not in (list, Sequence):
                raise ConfigurationError(
                    f"{whose} gets batches; annotate it list[..], not {annotation!r}"
                )
            annotation = get_args(annotation)[0]
        self._read = reader(annotation, whose)
        if self.callee.mode == "process" and takes_message(annotation):
            raise ConfigurationError(
                f"{whose} would get the message itself, which can not be sent to a process; "
                "annotate it bytes, dict, a dataclass or a model"
            )

    def route(self, message: AsyncMessage) -> Routed:
        """The call that a message stands for. Raises Unreadable."""
        return Routed(self.callee, (self._read(message),), {}, None)


def check_process(callee: Callee) -> None:
    """What runs in a process of its own has no Context. Raises ConfigurationError."""
    if any(is_context(one) for one in callee.parameters.values()):
        raise ConfigurationError(
            f"{callee.name} runs in a process of its own, where there is no Context"
        )


def _unread(message: AsyncMessage) -> Any:
    raise AssertionError("a handler is prepared before it runs")


class TaskQueue:
    """A queue whose messages are calls of tasks."""

    def __init__(self, queue: str) -> None:
        self.options = QueueOptions(queue=queue, concurrency=CONCURRENCY["async"])
        self.tasks: dict[str, Task[..., Any]] = {}
        self._is_usual = True
        """Whether nobody said how many at a time."""

    def __repr__(self) -> str:
        return f"<{len(self.tasks)} tasks on {self.options.queue!r}>"

    def say(self, options: QueueOptions, *, is_usual: bool) -> None:
        """How it is worked on; *is_usual*: as many at a time as its tasks usually run."""
        self.options, self._is_usual = options, is_usual
        self._fit()

    def add(self, task: Task[..., Any]) -> None:
        self.tasks[task.name] = task
        self._fit()

    def _fit(self) -> None:
        if self._is_usual and self.tasks:
            most = max(CONCURRENCY[one.mode] for one in self.callees)
            self.options = replace(self.options, concurrency=most)

    def most(self, mode: Mode) -> int:
        """How many calls of one kind may run at a time: a queue that coroutines share with what
        runs in processes does not start a hundred of those."""
        most = self.options.concurrency
        return min(most, CONCURRENCY[mode]) if self._is_usual else most

    @property
    def callees(self) -> list[Callee]:
        return [one.callee for one in self.tasks.values()]

    @property
    def limits(self) -> list[Limit]:
        """All that may be asked for one of its messages."""
        return [*self.options.limits, *(one for task in self.tasks.values() for one in task.limits)]

    def prepare(self, resources: Resources) -> None:
        """Look at what the functions take. Raises ConfigurationError."""
        for task in self.tasks.values():
            if task.callee.mode == "process":
                check_process(task.callee)
            task.arguments.check_limits(task.limits, task.name)

    def route(self, message: AsyncMessage) -> Routed:
        """The call that a message stands for. Raises Unreadable, UnknownTask."""
        try:
            said = read(message.body)
        except (ValueError, BrokenEnvelope) as error:
            raise Unreadable(str(error)) from None
        if said.is_followed:
            following.check(said)
        task = self.tasks.get(said.task)
        try:
            if task is None:
                raise UnknownTask(f"there is no task {said.task!r} on queue {self.options.queue!r}")
            args, kwargs = task.arguments.read(said)
        except (Unreadable, UnknownTask) as error:
            error.said = said
            raise
        return Routed(task.callee, args, kwargs, said, task.limits)


Intake = Handler | TaskQueue
"""What is done with the messages of one queue."""
