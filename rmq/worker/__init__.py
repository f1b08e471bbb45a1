"""Worker: your function, run for each message, on as many machines as you like.

    app = App("redis://localhost")

    @app.handler("orders")
    async def on_order(order: Order) -> None: ...

`rmq worker module:app` runs it.
"""

from rmq.core.codec import Crash, Failure
from rmq.worker.app import App
from rmq.worker.context import Context
from rmq.worker.flows import Chain, Group
from rmq.worker.gate import Concurrency, Throttle
from rmq.worker.handler import Batch
from rmq.worker.middleware import Middleware
from rmq.worker.policy import Policy
from rmq.worker.task import Task, TaskHandle, TaskMessage
from rmq.worker.unique import Unique
from rmq.worker.verdicts import (
    Reject,
    Retry,
    TimeLimitExceeded,
    UnknownTask,
    Unreadable,
    WorkerLost,
)
from rmq.worker.worker import Worker

__all__ = [
    "App",
    "Batch",
    "Chain",
    "Concurrency",
    "Context",
    "Crash",
    "Failure",
    "Group",
    "Middleware",
    "Policy",
    "Reject",
    "Retry",
    "Task",
    "TaskHandle",
    "TaskMessage",
    "Throttle",
    "TimeLimitExceeded",
    "Unique",
    "UnknownTask",
    "Unreadable",
    "Worker",
    "WorkerLost",
]
