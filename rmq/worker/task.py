"""Task: a function whose calls are messages. The form is open: any SDK can send one.

    {"task": "shop.mail.send_mail", "id": "6f9c..", "args": ["a@b.c"], "kwargs": {"subject": "x"}}

JSON, or the same in MessagePack: a body that begins with `{` or with a blank is JSON, any other
MessagePack. Only `task` is needed. Never pickle.
"""

from __future__ import annotations

import functools
import inspect
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, TypeVar

import msgspec

from rmq.core.limits import seconds
from rmq.errors import ConfigurationError, InvalidParameter, Words
from rmq.queues.outgoing import Outgoing
from rmq.worker import servertime
from rmq.worker.callee import Callee, is_context
from rmq.worker.extras import Extras
from rmq.worker.gate import Limit, check_by
from rmq.worker.payload import from_plain, to_plain
from rmq.worker.results import checked_id
from rmq.worker.verdicts import Unreadable

if TYPE_CHECKING:
    from rmq.worker.app import App
    from rmq.worker.results import TaskStatus

P = ParamSpec("P")
R = TypeVar("R")
Encoding = Literal["json", "msgpack"]

BLANK = b" \t\r\n{"
"""What JSON of ours can begin with; MessagePack's maps begin with 0x80 to 0x8f, 0xde or 0xdf."""


class TaskMessage(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What a task's message says. Fields that are not known are ignored."""

    task: str
    id: str = ""
    """Names this call, for its result; the message's id where it is left out."""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    unique: str | None = None
    """A key: of those that are alike only one is wanted."""
    chain: list[Any] | None = None
    """Task messages that come after this one, each with the result before it."""
    group: str | None = None
    """The group that is told when this one is done."""
    result_ttl: float | None = None
    """Seconds for which the result is kept."""
    deadline: float | None = None
    """Seconds since 1970 after which nobody wants it any more."""

    @property
    def is_followed(self) -> bool:
        """Whether anything comes of it beyond its message."""
        return (
            self.result_ttl is not None or bool(self.unique) or bool(self.chain) or bool(self.group)
        )


_json_encoder = msgspec.json.Encoder(enc_hook=to_plain)
_packer = msgspec.msgpack.Encoder(enc_hook=to_plain)
_json_decoder = msgspec.json.Decoder(TaskMessage)
_unpacker = msgspec.msgpack.Decoder(TaskMessage)


def write(message: TaskMessage, encoding: Encoding) -> bytes:
    """A task message as a body. Raises InvalidParameter for what can not be written."""
    encoder = _json_encoder if encoding == "json" else _packer
    try:
        return encoder.encode(message)
    except (TypeError, NotImplementedError, ValueError, OverflowError) as error:
        raise InvalidParameter(
            "arguments", Words(str(error)), f"what {encoding} can hold"
        ) from None


def read(body: bytes) -> TaskMessage:
    """A task message from a body. Raises Unreadable."""
    try:
        return (_json_decoder if body[:1] in BLANK else _unpacker).decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"not a task's message: {error}") from None


class Arguments:
    """The arguments of a task: which there are, and of what types."""

    def __init__(self, callee: Callee, injected: frozenset[str]) -> None:
        """*injected* are parameters that do not come with the message."""
        taken = {
            name: one
            for name, one in callee.parameters.items()
            if name not in injected and not is_context(one)
        }
        self.signature = inspect.Signature(list(taken.values()))
        kinds = {one.kind for one in taken.values()}
        self._names = tuple(taken)
        self._type: Any = None
        self._row: Any = None
        """The same for arguments that have no names, as most come."""
        if inspect.Parameter.VAR_POSITIONAL in kinds or inspect.Parameter.VAR_KEYWORD in kinds:
            return
        if inspect.Parameter.POSITIONAL_ONLY in kinds:
            raise ConfigurationError(f"{callee.name}: a task's arguments go by name as well")
        fields: list[Any] = []
        for name, one in taken.items():
            kind = Any if one.annotation is one.empty else one.annotation
            fields.append((name, kind) if one.default is one.empty else (name, kind, _absent(one)))
        try:
            self._type = msgspec.defstruct(
                "Arguments", fields, kw_only=True, forbid_unknown_fields=True
            )
            if inspect.Parameter.KEYWORD_ONLY not in kinds:
                self._row = msgspec.defstruct(
                    "Arguments", fields, array_like=True, forbid_unknown_fields=True
                )
            msgspec.json.Decoder(self._type, dec_hook=from_plain)  # looks at the types
        except TypeError as error:
            raise ConfigurationError(
                f"{callee.name}: its arguments can not be read from a message ({error})"
            ) from error

    def check(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], name: str) -> None:
        """Whether a call fits. Raises InvalidParameter."""
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise InvalidParameter(
                f"arguments of {name}", Words(str(error)), str(self.signature)
            ) from None

    def said(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a call that fits, by name, without those that are as their defaults: so
        calls that do the same are the same, however they are written."""
        parameters = self.signature.parameters
        return {
            name: value
            for name, value in self.signature.bind(*args, **kwargs).arguments.items()
            if type(value) is not type(parameters[name].default)
            or value != parameters[name].default
        }

    def check_limits(self, limits: Sequence[Limit], name: str) -> None:
        """Whether limits go by arguments that there are. Raises ConfigurationError."""
        kinds = {one.kind for one in self.signature.parameters.values()}
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            check_by(limits, self._names, name)

    def read(self, message: TaskMessage) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What to call the function with. Raises Unreadable."""
        args, kwargs = message.args, message.kwargs
        if self._type is None:
            try:
                self.signature.bind(*args, **kwargs)
            except TypeError as error:
                raise Unreadable(f"{message.task}: {error}") from None
            return tuple(args), kwargs
        names = self._names
        if not args and not kwargs and not names:
            return (), {}
        if args and not kwargs and self._row is not None:
            try:
                made = msgspec.convert(args, self._row, dec_hook=from_plain)
            except (msgspec.MsgspecError, ValueError, NotImplementedError):
                pass  # below it is said by name
            else:
                return (), _given(made, len(args))
        if args:
            if len(args) > len(names) or any(name in kwargs for name in names[: len(args)]):
                raise Unreadable(
                    f"{message.task}: {len(args)} positional arguments and {sorted(kwargs)} do not "
                    f"fit {self.signature}"
                )
            kwargs = dict(zip(names, args, strict=False)) | kwargs
        try:
            # JSON has no keys but text, so those of a dict[int, ..] are read from it.
            made = msgspec.convert(kwargs, self._type, dec_hook=from_plain, str_keys=True)
        except (msgspec.MsgspecError, ValueError, NotImplementedError, RecursionError) as error:
            raise Unreadable(f"{message.task}: {error}") from None
        return (), _given(made, len(kwargs))


class _Absent:
    """Stands for an argument that was not given: the function's own default is used then."""


_ABSENT = _Absent()


def _given(made: msgspec.Struct, count: int) -> dict[str, Any]:
    """The *count* arguments that were given."""
    found = msgspec.structs.asdict(made)
    if len(found) == count:
        return found
    return {name: value for name, value in found.items() if value is not _ABSENT}


def _absent(one: inspect.Parameter) -> Any:
    return msgspec.field(default=_ABSENT)


@dataclass(frozen=True, slots=True)
class TaskHandle:
    """One call that was sent."""

    id: str
    """The task's id."""
    message_id: str
    queue: str
    app: App

    def __repr__(self) -> str:
        return f"<task {self.id} on {self.queue!r}>"

    async def result(self, timeout: timedelta | float | None = None) -> Any:
        """Wait for what the task returns; for tasks with result_ttl. See Results.wait."""
        return await self.app.results.wait(self.id, timeout)

    async def status(self) -> TaskStatus:
        """What is known of it now: state, progress, result."""
        return await self.app.results.status(self.id)

    async def cancel(self) -> bool:
        """Let it not begin, or end it; for tasks with result_ttl. See Results.cancel."""
        return await self.app.results.cancel(self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a call is sent."""

    delay: timedelta | float | None = None
    """How long after; a timedelta or seconds. Standard queues only."""
    group_id: str | None = None
    """The message group: order on a FIFO queue, fairness on a standard one."""
    deduplication_id: str | None = None
    """FIFO queues only. Default: each call is one of its own, and those of one *id* are the
    same."""
    id: str | None = None
    """The task's id, default a new UUID."""
    deadline: datetime | None = None
    """After this moment it is not run any more."""
    queue: str | None = None
    """Another queue than the task's."""
    with_result: bool = True
    """In a chain, or as a group's callback: whether it gets the result before it as its first
    argument."""


_CALLS = uuid.UUID("2b1f2f0e-8d0f-4d5c-9c55-6f2f6e1f4a10")
"""The namespace in which a task's id makes its deduplication id, whatever it is made of."""


class Call(Generic[R]):
    """A call of a task that is yet to be sent: task, arguments, options. A value."""

    __slots__ = ("args", "kwargs", "options", "task")

    def __init__(
        self, task: Task[Any, R], args: tuple[Any, ...], kwargs: dict[str, Any], options: Options
    ) -> None:
        self.task = task
        self.args = args
        self.kwargs = kwargs
        self.options = options

    def message(self, before: int = 0) -> TaskMessage:
        """The message that asks for it; *before* is how many arguments it will get before its own.
        Raises InvalidParameter where the arguments do not fit."""
        before *= self.options.with_result
        self.task.arguments.check((None,) * before + self.args, self.kwargs, self.task.name)
        options = self.options
        made = TaskMessage(
            task=self.task.name,
            id=options.id or str(uuid.uuid4()),
            args=list(self.args),
            kwargs=self.kwargs,
            deadline=None if options.deadline is None else options.deadline.timestamp(),
        )
        return self.task.app.prepare(self, made)

    def outgoing(self, message: TaskMessage) -> Outgoing:
        """That message as it is sent."""
        options = self.options
        return Outgoing(
            write(message, self.task.encoding),
            delay=options.delay,
            message_group_id=options.group_id,
            deduplication_id=options.deduplication_id or self._deduplication_id(message),
        )

    def _deduplication_id(self, message: TaskMessage) -> str | None:
        """On a FIFO queue each call is one of its own, though another is like it; the same id, said
        twice, is one call."""
        if not self.queue.endswith(".fifo"):
            return None
        return (uuid.uuid5(_CALLS, message.id) if message.id else uuid.uuid4()).hex

    @property
    def queue(self) -> str:
        return self.options.queue or self.task.queue

    async def send(self) -> TaskHandle:
        """Send it. Raises InvalidParameter, QueueDoesNotExist, OutOfMemory, ConnectionLost."""
        return await self.task.app.send(self)

    def __repr__(self) -> str:
        return f"<call of {self.task.name}>"


class Configured(Generic[P, R]):
    """A task with options for its next call."""

    __slots__ = ("_options", "_task")

    def __init__(self, task: Task[P, R], options: Options) -> None:
        self._task = task
        self._options = options

    def with_(self, *args: P.args, **kwargs: P.kwargs) -> Call[R]:
        """The call, not sent."""
        return Call(self._task, args, kwargs, self._options)

    async def send(self, *args: P.args, **kwargs: P.kwargs) -> TaskHandle:
        """Send the call. See Task.send."""
        return await self.with_(*args, **kwargs).send()

    delay = send

    async def send_at(self, at: datetime, *args: P.args, **kwargs: P.kwargs) -> TaskHandle:
        """Send a call that runs at *at*. See Task.send_at."""
        due, client = moment(at, "at"), self._task.app.client
        now_ms = await client._executor.call(
            servertime.now_ms(client.namespace, self._task.app.name)
        )
        delay = max(due - datetime.fromtimestamp(now_ms / 1000, UTC), timedelta(0))
        options = replace(self._options, delay=delay)
        return await Call(self._task, args, kwargs, options).send()

    def send_sync(self, *args: P.args, **kwargs: P.kwargs) -> TaskHandle:
        """Send the call from a program without asyncio. See Task.send_sync."""
        return self._task.app.send_sync(self.with_(*args, **kwargs))


def moment(at: datetime, field: str) -> datetime:
    """A datetime in UTC; one without a zone is local. Raises InvalidParameter."""
    if not isinstance(at, datetime):
        raise InvalidParameter(field, at, "a datetime")
    try:
        return at.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise InvalidParameter(field, at, "within the years 2 to 9998") from None


class Task(Generic[P, R]):
    """A function whose calls are messages. Made by `app.task`; called, it is the function
    itself."""

    def __init__(
        self,
        app: App,
        callee: Callee,
        queue: str,
        *,
        encoding: Encoding = "json",
        extras: Extras,
    ) -> None:
        if encoding not in ("json", "msgpack"):
            raise InvalidParameter("encoding", encoding, "json or msgpack")
        self.app = app
        self.callee = callee
        self.queue = queue
        self.encoding = encoding
        self.extras = extras
        self.limits = extras.limits_of(callee.name)
        functools.update_wrapper(self, callee.function, updated=())
        self._arguments: Arguments | None = None

    @property
    def name(self) -> str:
        """`module.function`, unless it was given another one."""
        return self.callee.name

    @property
    def arguments(self) -> Arguments:
        """What its messages carry. Looked at late: resources may be declared after it."""
        if self._arguments is None:
            self._arguments = Arguments(self.callee, self.app.resources.asked_by(self.callee))
        return self._arguments

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        result: R = self.callee.function(*args, **kwargs)
        return result

    def __repr__(self) -> str:
        return f"<task {self.name} on {self.queue!r}>"

    def with_(self, *args: P.args, **kwargs: P.kwargs) -> Call[R]:
        """The call, not sent: for schedules, chains and groups."""
        return Call(self, args, kwargs, Options())

    async def send(self, *args: P.args, **kwargs: P.kwargs) -> TaskHandle:
        """Send a message that asks for this call. When it returns, Redis has it.

        Raises InvalidParameter where the arguments do not fit, QueueDoesNotExist, OutOfMemory,
        ConnectionLost.
        """
        return await self.with_(*args, **kwargs).send()

    delay = send

    async def send_at(self, at: datetime, *args: P.args, **kwargs: P.kwargs) -> TaskHandle:
        """Send a call that runs at *at* (without a zone: local time), or soon after. It waits in
        Redis, as a delayed message; a moment that is over means now. Not on FIFO queues. Raises
        InvalidParameter, and what send raises."""
        return await Configured(self, Options()).send_at(at, *args, **kwargs)

    def send_sync(self, *args: P.args, **kwargs: P.kwargs) -> TaskHandle:
        """As send, from a program without asyncio, over a connection for threads."""
        return self.app.send_sync(self.with_(*args, **kwargs))

    def options(self, **options: Any) -> Configured[P, R]:
        """This task with options for its next call; those of Options.

        Raises InvalidParameter.
        """
        if "delay" in options and options["delay"] is not None:
            seconds(options["delay"], "delay")
        if options.get("id") is not None:
            checked_id(options["id"])
        if options.get("deadline") is not None:
            moment(options["deadline"], "deadline")
        if not isinstance(options.get("with_result", True), bool):
            raise InvalidParameter("with_result", options["with_result"], "True or False")
        try:
            return Configured(self, replace(Options(), **options))
        except TypeError:
            wrong = sorted(set(options) - set(Options.__dataclass_fields__))
            raise InvalidParameter(
                "options", ", ".join(wrong), f"of {', '.join(Options.__dataclass_fields__)}"
            ) from None


Decorated = Callable[[Callable[P, Any]], Task[P, Any]]
