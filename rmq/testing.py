"""For users' tests: a clock they hold, a namespace of their own, and AWS in this process.

clock = HeldClock()
client = rmq.connect(clock=clock, namespace=private_namespace())
clock.move(31)

@rmq.testing.aws()
def test_orders():
    boto3.client("sqs").create_queue(QueueName="orders")
"""

from __future__ import annotations

import functools
import inspect
import os
import uuid
from collections.abc import Callable
from contextlib import ContextDecorator
from typing import TYPE_CHECKING, Any, TypeVar

from rmq.core.clock import HeldClock
from rmq.errors import RmqError

if TYPE_CHECKING:
    from rmq.core.limits import Limits
    from rmq.gateway.inprocess import Engine

F = TypeVar("F", bound=Callable[..., Any])

REGION = "us-east-1"


def private_namespace() -> str:
    """A namespace that nothing else uses, so that tests can share one Redis."""
    return f"test-{uuid.uuid4().hex[:16]}"


class aws(ContextDecorator):
    """While it lasts, every boto3 and aiobotocore client that is made works on queues and topics of
    its own. What is pushed (HTTP, mail, SMS, phones) is pushed from here, or recorded.

    A context manager and a decorator, of functions and coroutines alike; pytest has it as the
    fixture `rmq_aws`. The code under test makes its own clients and changes nothing; credentials
    and a region are made up where the environment has none, so that nothing can reach AWS by
    mistake. Clients made before it began are not touched, nor are services that rmq does not have.

        with rmq.testing.aws() as here:
            queue = boto3.resource("sqs").create_queue(QueueName="orders")
            queue.receive_messages()
            here.clock.move(31)              # a visibility timeout costs a test nothing

    *url* is where the queues are, default memory://; each use has a namespace of its own, which is
    removed at the end. *limits* are Amazon SQS's, with its 60-second rules, unless given.
    """

    clock: HeldClock
    """The time, which runs until it is frozen or moved."""

    def __init__(self, url: str = "memory://", *, limits: Limits | None = None) -> None:
        self._url = url
        self._limits = limits
        self._engine: Engine | None = None
        self._undo: list[Callable[[], None]] = []

    def __call__(self, function: F) -> F:
        if not inspect.iscoroutinefunction(function):
            return super().__call__(function)

        @functools.wraps(function)
        async def inside(*args: Any, **kwargs: Any) -> Any:
            with self._recreate_cm():
                return await function(*args, **kwargs)

        return inside  # type: ignore[return-value]

    def _recreate_cm(self) -> aws:
        # Each call of a decorated function begins with nothing.
        return aws(self._url, limits=self._limits)

    def __enter__(self) -> aws:
        from rmq.client.configured import configured
        from rmq.gateway import inprocess
        from rmq.settings import Settings

        self.clock = HeldClock()
        self.clock.release()
        settings = configured(Settings, self._url, f"t{uuid.uuid4().hex[:16]}", {})
        self._engine = inprocess.Engine(settings, limits=self._limits, clock=self.clock)
        self._undo = [
            _environment(
                {
                    "AWS_ACCESS_KEY_ID": inprocess.KEY_ID,
                    "AWS_SECRET_ACCESS_KEY": inprocess.KEY_ID,
                    "AWS_SESSION_TOKEN": inprocess.KEY_ID,
                    "AWS_DEFAULT_REGION": os.environ.get("AWS_DEFAULT_REGION", REGION),
                },
                without=("AWS_PROFILE", *inprocess.ENDPOINT_VARIABLES),
            ),
            inprocess.answer_all(self._engine),
        ]
        return self

    def __exit__(self, *error: object) -> None:
        while self._undo:
            self._undo.pop()()
        engine, self._engine = self._engine, None
        if engine is not None:
            try:
                engine.close(wipe=True)
            except RmqError:
                if error[0] is None:  # a test's own error is what should be seen
                    raise

    def reset(self) -> None:
        """Remove every queue, topic and stream, and release the clock."""
        if self._engine is not None:
            self._engine.reset()
        self.clock.release()


def _environment(changes: dict[str, str], without: tuple[str, ...]) -> Callable[[], None]:
    """Change environment variables; the result changes them back."""
    before = {name: os.environ.get(name) for name in (*changes, *without)}
    os.environ.update(changes)
    for name in without:
        os.environ.pop(name, None)

    def back() -> None:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    return back


__all__ = ["HeldClock", "aws", "private_namespace"]
