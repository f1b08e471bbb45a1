"""For users' tests: a clock they hold, a namespace of their own, and AWS in this process.

async with rmq.testing.working(app) as work:     # handlers and tasks of rmq.worker
    await send_mail.send("a@b.c")
    assert (await work.run())[0].outcome == "done"

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
from contextlib import AsyncExitStack, ContextDecorator
from typing import TYPE_CHECKING, Any, TypeVar

from rmq.core.clock import HeldClock
from rmq.errors import RmqError

if TYPE_CHECKING:
    from rmq.core.limits import Limits
    from rmq.gateway.inprocess import Engine
    from rmq.queues.message import PeekedMessage
    from rmq.worker.app import App
    from rmq.worker.ran import Ran

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


class working:
    """While it lasts, an app's queues are in this process, and its handlers and tasks run when they
    are told to: at once, one after the other, in order.

        async with rmq.testing.working(app) as work:
            await send_mail.send("a@b.c")
            ran = await work.run()               # all that is due
            assert ran[0].outcome == "retried"
            work.clock.move(ran[0].again)        # a back-off costs a test nothing
            await work.run()

    *url* is where the queues are, default memory://; each use has a namespace of its own, which is
    removed at the end. *raises*: an error of a handler is raised in the test, once what was due has
    run.
    """

    clock: HeldClock
    """The time: frozen until it is moved."""

    def __init__(self, app: App, url: str = "memory://", *, raises: bool = False) -> None:
        self.app = app
        self._url = url
        self._raises = raises
        self._stack = AsyncExitStack()
        self._ran: list[Ran] = []

    async def __aenter__(self) -> working:
        import rmq
        from rmq.worker.app import LIMITS
        from rmq.worker.worker import Worker

        self.clock = HeldClock()
        client = rmq.connect_async(
            self._url, namespace=private_namespace(), clock=self.clock, limits=LIMITS
        )
        self._stack.push_async_callback(client.close)
        self._stack.push_async_callback(client.wipe)
        self._stack.enter_context(self.app.bound(client))
        self._worker = Worker(self.app)
        self._stack.push_async_callback(self._worker.close)
        await self._worker.prepare()
        await self._worker.declare()
        for one in self._worker.consumers:
            one.tally.watch = self._ran.append
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def run(self) -> list[Ran]:
        """Run all that is due, also by a schedule, and what comes of it meanwhile. What ran, in
        order. Limits of a whole queue and its pauses do not count: they are about when a worker
        receives.

        With *raises*, raises the first error of a handler.
        """
        await self._worker.fire()
        await self._worker.drain()
        ran, self._ran[:] = list(self._ran), []
        for one in ran:
            if self._raises and one.error is not None:
                raise one.error
        return ran

    async def dead_letters(self, queue: str) -> list[PeekedMessage]:
        """The dead letters of a queue, each with its failure."""
        from rmq.worker.queues import dead_letter_queue

        self.app.chosen([queue])
        name = await dead_letter_queue(self.app.client, self.app.intakes[queue].options)
        return [] if name is None else await self.app.client.queue(name).peek(1000)


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


__all__ = ["HeldClock", "aws", "private_namespace", "working"]
