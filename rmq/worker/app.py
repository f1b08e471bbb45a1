"""App: the handlers and tasks of one program, and where their queues are.

    app = App("redis://localhost")

    @app.handler("orders")
    async def on_order(order: Order) -> None: ...

    @app.task(queue="mail", retries=5)
    async def send_mail(to: str, subject: str) -> None: ...

    await send_mail.send("a@b.c", subject="hello")

Making one sends nothing. `rmq worker module:app` works on its queues, or `app.worker()` in a
program of yours.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from rmq.client.aio import AsyncClient
from rmq.client.configured import configured
from rmq.client.sync import Client
from rmq.core.clock import Clock
from rmq.core.limits import Limits, seconds
from rmq.core.script import Plan
from rmq.errors import ConfigurationError, InvalidParameter, Words, brief
from rmq.queues.attributes import Compression, QueueInfo
from rmq.queues.registry import Registry
from rmq.settings import Settings
from rmq.worker import flows, unique
from rmq.worker.callee import callee
from rmq.worker.extras import Declared, Extras
from rmq.worker.fleet import Fleet
from rmq.worker.gate import Limit, checked_limits
from rmq.worker.groups import GroupHandle
from rmq.worker.handler import CONCURRENCY, Batch, Handler, Intake, QueueOptions, TaskQueue
from rmq.worker.middleware import Middleware, checked_middleware
from rmq.worker.policy import CRASHES, RETRIES, Judge, Policy, default_wait
from rmq.worker.resources import Resources
from rmq.worker.results import Results
from rmq.worker.schedules import Schedules
from rmq.worker.task import Call, Encoding, Task, TaskHandle, TaskMessage
from rmq.worker.worker import Worker

if TYPE_CHECKING:
    from rmq.worker.flows import Part

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

LIMITS = Limits.aws(
    max_receive=None,
    max_delay=None,
    max_visibility_timeout=None,
    max_in_flight=None,
    max_retention=None,
)
"""SQS's, without those that would keep a worker from its work: a task may be sent for next year, be
tried again tomorrow, and take longer than 12 hours."""


class App:
    """The handlers and tasks of one program."""

    def __init__(
        self,
        url: str | None = None,
        *,
        name: str = "app",
        namespace: str | None = None,
        limits: Limits | None = None,
        clock: Clock | None = None,
        client: AsyncClient | None = None,
        middleware: Iterable[Middleware] = (),
        create_queues: bool = True,
        **settings: Any,
    ) -> None:
        """*url*, *namespace*, *clock* and *settings* are those of rmq.connect_async; *limits* are
        LIMITS unless given. Or hand in a *client* that was made with a URL; it stays open.
        *name*, 1 to 64 of A-Z a-z 0-9 _ . -, is what its workers are known by together.
        *create_queues*: a worker makes the queues that are missing, and their dead-letter queues.

        Raises ConfigurationError, InvalidParameter.
        """
        if client is not None and (url is not None or namespace is not None or settings):
            raise ConfigurationError("an App takes a client, or what it needs to make one")
        if client is not None and not isinstance(client, AsyncClient):
            raise InvalidParameter("client", Words(type(client).__name__), "an AsyncClient")
        if client is not None and not client._executor._link.owned:
            raise ConfigurationError(
                "an App's client has to be made with a URL: leases are renewed over a connection "
                "of their own, which a Redis client that was handed in can not be asked for"
            )
        self.name = _app_name(name)
        self.middleware = checked_middleware(middleware)
        self.resources = Resources()
        self.create_queues = create_queues
        self.intakes: dict[str, Intake] = {}
        """What is done with the messages of each queue, by its name."""
        self.tasks: dict[str, Task[..., Any]] = {}
        self.declared: dict[str, Declared] = {}
        """Schedules that code defines, by name."""
        self._given = client
        self._settings = (
            configured(Settings, url, namespace, settings) if client is None else client.settings
        )
        self._limits = limits or (client.limits if client is not None else LIMITS)
        self._clock = clock or (client.clock if client is not None else Clock())
        self._client = client
        self._sync: Client | None = None

    def __repr__(self) -> str:
        return f"<app {self.name!r}, queues {', '.join(self.intakes) or 'none'}>"

    # --- declaring ---

    def handler(
        self,
        queue: str,
        *,
        concurrency: int | None = None,
        visibility_timeout: timedelta | float = 30,
        timeout: timedelta | float | None = None,
        retries: int | None = RETRIES,
        wait: Judge | None = None,
        stop: Judge | None = None,
        retry: Judge | None = None,
        crashes: int = CRASHES,
        batch: Batch | int | None = None,
        process: bool = False,
        memory_limit: int | None = None,
        dead_letter_queue: str | None = None,
        limits: Sequence[Limit] = (),
        compression: Compression | None = None,
    ) -> Callable[[F], F]:
        """Declare a function to be what handles each message of *queue*. It stays what it is.

        It gets the payload by the annotation of its parameter (see rmq/worker/payload.py), a
        Context where it asks for one, and resources. A coroutine function runs in the event loop, a
        plain one in a thread, with *process* in a process of its own.

        *concurrency*: messages at a time in one process; default 100, in threads 20, in processes
        one for each core, batches 1.
        *visibility_timeout*: see QueueOptions. *timeout*: how long one run may take (a timedelta or
        seconds; default no limit); then it is ended, and has failed.
        *memory_limit*: bytes that a handler in a process may allocate, 16 MiB or more; what is over
        is a MemoryError there, and a failure here.
        *retries*, *wait*, *stop*, *retry*, *crashes*: see Policy.
        *batch*: the function gets a list of up to so many payloads; see Batch. It returns None when
        all are done, or a list with an entry for each, an exception for one that failed (as
        asyncio.gather with return_exceptions=True gives it). What it raises is the failure of all.
        *dead_letter_queue*: default the queue's own, else `<queue>-dead`.
        *limits*: Throttle and Concurrency objects, which all workers share; see rmq/worker/gate.py.
        *compression*: `deflate` or `none`, which the queue is set to when a worker begins, and the
        dead-letter queue that it makes; default leaves it as it is. See QueueAttributes.

        Raises ConfigurationError, InvalidParameter.
        """
        policy = Policy(
            retries=retries, wait=wait or default_wait(), stop=stop, retry=retry, crashes=crashes
        )
        filled = batch if batch is None or isinstance(batch, Batch) else Batch(batch)

        def declare(function: F) -> F:
            made = callee(
                function,
                process=process,
                policy=policy,
                timeout=timeout,
                memory_limit=memory_limit,
            )
            usual = 1 if filled is not None else CONCURRENCY[made.mode]
            options = QueueOptions(
                queue=queue,
                concurrency=usual if concurrency is None else concurrency,
                visibility_timeout=_s(visibility_timeout, "visibility_timeout"),
                dead_letter_queue=dead_letter_queue,
                batch=filled,
                limits=checked_limits(limits),
                compression=compression,
            )
            if queue in self.intakes:
                raise ConfigurationError(f"queue {queue!r} has {self.intakes[queue]!r} already")
            self.intakes[queue] = Handler(made, options)
            return function

        return declare

    def queue(
        self,
        name: str,
        *,
        concurrency: int | None = None,
        visibility_timeout: timedelta | float = 30,
        dead_letter_queue: str | None = None,
        limits: Sequence[Limit] = (),
        compression: Compression | None = None,
    ) -> None:
        """Say how a queue of tasks is worked on; without this, by the defaults of handler.
        *concurrency*: where tasks of several kinds share a queue, the default is the largest of
        theirs, and each kind keeps to its own beside.

        Raises ConfigurationError, InvalidParameter.
        """
        options = QueueOptions(
            queue=name,
            concurrency=CONCURRENCY["async"] if concurrency is None else concurrency,
            visibility_timeout=_s(visibility_timeout, "visibility_timeout"),
            dead_letter_queue=dead_letter_queue,
            limits=checked_limits(limits),
            compression=compression,
        )
        self._task_queue(name).say(options, is_usual=concurrency is None)

    def task(
        self,
        *,
        queue: str = "tasks",
        name: str | None = None,
        timeout: timedelta | float | None = None,
        retries: int | None = RETRIES,
        wait: Judge | None = None,
        stop: Judge | None = None,
        retry: Judge | None = None,
        crashes: int = CRASHES,
        process: bool = False,
        memory_limit: int | None = None,
        encoding: Encoding = "json",
        **extras: Any,
    ) -> Callable[[Callable[P, R]], Task[P, R]]:
        """Declare a function to be a task: `send` of it sends a message to *queue*, and a worker
        calls it. Several tasks may share a queue.

        *name*: what its messages say, default `module.function`. *encoding*: of its messages, json
        or msgpack; both are read. *result_ttl*, *unique*, *rate*, *limits*: see Extras. The others
        are as for handler.

        Raises ConfigurationError, InvalidParameter.
        """
        policy = Policy(
            retries=retries, wait=wait or default_wait(), stop=stop, retry=retry, crashes=crashes
        )
        checked = Extras.of(extras)

        def declare(function: Callable[P, R]) -> Task[P, R]:
            made = callee(
                function,
                process=process,
                policy=policy,
                timeout=timeout,
                memory_limit=memory_limit,
                name=name,
            )
            if made.name in self.tasks:
                raise ConfigurationError(f"there is a task {made.name!r} already; give it a name")
            task: Task[P, R] = Task(self, made, queue, encoding=encoding, extras=checked)
            self._task_queue(queue).add(task)
            self.tasks[made.name] = task
            return task

        return declare

    def _task_queue(self, name: str) -> TaskQueue:
        found = self.intakes.get(name)
        if found is None:
            found = self.intakes[name] = TaskQueue(name)
        if not isinstance(found, TaskQueue):
            raise ConfigurationError(f"queue {name!r} has {found!r} already")
        return found

    def resource(self, maker: F) -> F:
        """Declare what a process has one of; see rmq/worker/resources.py. Raises
        ConfigurationError."""
        self.resources.add(maker)
        return maker

    def use(self, url: str | None, namespace: str | None) -> None:
        """Work elsewhere than the program says: for the command line. Before the first use.

        Raises ConfigurationError.
        """
        if self._client is not None:
            raise ConfigurationError(f"{self!r} is connected already, or was given its client")
        given: dict[str, Any] = {} if url is None else {"url": url}
        given |= {} if namespace is None else {"namespace": namespace}
        self._settings = configured(
            Settings, None, None, self._settings.model_dump(exclude_unset=True) | given
        )

    # --- sending ---

    @property
    def clock(self) -> Clock:
        return self.client.clock

    @property
    def client(self) -> AsyncClient:
        """The client that tasks are sent with; made when it is first used."""
        if self._client is None:
            self._client = AsyncClient(
                self._settings.url, settings=self._settings, limits=self._limits, clock=self._clock
            )
        return self._client

    @property
    def sync_client(self) -> Client:
        """The same for threads: a connection of its own."""
        if self._sync is None:
            self._sync = self.new_sync_client()
        return self._sync

    def new_sync_client(self) -> Client:
        """Another client for threads, in the same namespace. Whoever asks closes it."""
        settings = self.client.settings
        return Client(
            settings.url, settings=settings, limits=self.client.limits, clock=self.client.clock
        )

    def prepare(self, call: Call[Any], message: TaskMessage) -> TaskMessage:
        """A task's message with all that its task says of it."""
        return call.task.extras.applied(call, message)

    async def send(self, call: Call[Any], message: TaskMessage | None = None) -> TaskHandle:
        """Send a call, as *message* where that was made before. See Task.send."""
        message = call.message() if message is None else message
        if call.options.delay is not None:
            queue = self.client.queue(call.queue)
            _check_kept(call.options.delay, call.queue, queue.known or await queue.info())
        if message.unique:
            sending = self._unique(self.client._registry, call, message)
            id, message_id = await self.client._executor.run(sending)
            return TaskHandle(id, message_id, call.queue, self)
        _drop_id(call, message)
        sent = await self.client.queue(call.queue)._sends.submit(call.outgoing(message))
        return TaskHandle(message.id or sent.id, sent.id, call.queue, self)

    def send_sync(self, call: Call[Any]) -> TaskHandle:
        """Send a call over a connection for threads."""
        message = call.message()
        if call.options.delay is not None:
            queue = self.sync_client.queue(call.queue)
            _check_kept(call.options.delay, call.queue, queue.known or queue.info())
        if message.unique:
            sending = self._unique(self.sync_client._registry, call, message)
            id, message_id = self.sync_client._executor.run(sending)
            return TaskHandle(id, message_id, call.queue, self)
        _drop_id(call, message)
        sent = self.sync_client.queue(call.queue)._sends.submit(call.outgoing(message))
        return TaskHandle(message.id or sent.id, sent.id, call.queue, self)

    def _unique(
        self, registry: Registry, call: Call[Any], message: TaskMessage
    ) -> Plan[tuple[str, str]]:
        assert message.unique is not None
        keep_ms = call.task.extras.keep_ms
        outgoing = call.outgoing(message)
        return unique.send(registry, call.queue, message.unique, message.id, keep_ms, outgoing)

    # --- what the fleet shares ---

    @property
    def results(self) -> Results:
        """The results of tasks, by their ids."""
        return Results(self.client, self.name)

    @property
    def schedules(self) -> Schedules:
        """The schedules of this app, on the server."""
        return Schedules(self.client, self.name)

    @property
    def fleet(self) -> Fleet:
        """The live workers of this app."""
        return Fleet(self.client, self.name)

    def schedule(
        self, when: str | timedelta, *, name: str, **options: Any
    ) -> Callable[[Call[R]], Call[R]]:
        """Declare that a call is sent at certain moments: a worker writes it to the server when it
        starts. *when* and *options* are those of Schedules.put.

        app.schedule("0 3 * * *", name="nightly", timezone="Europe/Berlin")(report.with_("daily"))

        Raises InvalidParameter, ConfigurationError.
        """

        def declare(call: Call[R]) -> Call[R]:
            if name in self.declared:
                raise ConfigurationError(f"there is a schedule {name!r} already")
            self.declared[name] = Declared(when, call, options)
            return call

        return declare

    @overload
    async def chain(self, *parts: Call[Any]) -> TaskHandle: ...

    @overload
    async def chain(self, *parts: Part) -> TaskHandle | GroupHandle: ...

    async def chain(self, *parts: Part) -> TaskHandle | GroupHandle:
        """Send calls that come one after the other. See rmq.worker.flows.send_chain."""
        return await flows.send_chain(self, parts)

    async def group(
        self,
        *parts: Part,
        then: Part | None = None,
        failed: Call[Any] | None = None,
    ) -> GroupHandle:
        """Send calls that run at the same time. See rmq.worker.flows.send_group."""
        return await flows.send_group(self, parts, then=then, failed=failed)

    async def make_queues(self, queues: Iterable[str] | None = None) -> None:
        """Make the queues that are missing, and dead-letter queues for those without one. A worker
        does it when it starts; a sender that may be first does it too.

        Raises InvalidParameter, ConnectionLost.
        """
        from rmq.worker.queues import make_queue

        for name in self.chosen(queues):
            await make_queue(self.client, self.intakes[name].options)

    def chosen(self, queues: Iterable[str] | None) -> list[str]:
        """Those of *queues*, default all that there are. Raises ConfigurationError."""
        names = list(self.intakes if queues is None else queues)
        for name in names:
            if name not in self.intakes:
                raise ConfigurationError(
                    f"{self.name} has no queue {name!r}; it has {', '.join(self.intakes) or 'none'}"
                )
        return names

    # --- working ---

    @asynccontextmanager
    async def worker(
        self, queues: Iterable[str] | None = None, **options: Any
    ) -> AsyncIterator[Worker]:
        """A worker for *queues*, default all of them. Its options are those of Worker.

        async with app.worker() as worker:
            await worker.run()
        """
        worker = Worker(self, queues, **options)
        try:
            yield worker
        finally:
            await worker.close()

    @contextmanager
    def bound(self, client: AsyncClient) -> Iterator[None]:
        """While it lasts, everything goes over *client*: for tests."""
        before, sync = self._client, self._sync
        self._client, self._sync = client, None
        try:
            yield
        finally:
            if self._sync is not None:
                self._sync.close()
            self._client, self._sync = before, sync

    async def close(self) -> None:
        """Give back the connections; a client that was handed in stays open."""
        if self._sync is not None:
            self._sync.close()
            self._sync = None
        if self._client is not None and self._client is not self._given:
            await self._client.close()
            self._client = None

    async def __aenter__(self) -> App:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()


def _check_kept(delay: timedelta | float, name: str, info: QueueInfo) -> None:
    """A queue forgets what is older than its retention period, also what waits. Raises
    InvalidParameter."""
    wait, kept = seconds(delay, "delay"), info.attributes.message_retention_period
    if wait >= kept:
        raise InvalidParameter(
            "delay", wait, f"shorter than queue {name!r} keeps a message, {brief(kept)}"
        )


def _drop_id(call: Call[Any], message: TaskMessage) -> None:
    """An id that nothing is kept under is not worth its 45 bytes: the message has one by itself."""
    if call.options.id is None and not (message.result_ttl or message.chain or message.group):
        message.id = ""


def _s(value: timedelta | float, field: str) -> float:
    return seconds(value, field).total_seconds()


def _app_name(name: str) -> str:
    import re

    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name):
        raise InvalidParameter("name", name, "1 to 64 of A-Z a-z 0-9 _ . -")
    return name
