"""Unique: of calls that are alike only one is wanted, until it has started, until it is done, or
for a time.

A call is told by its task and its arguments, or by a key that the task makes of them. Its place is
taken before the message is sent, first for PENDING_MS: a sender that dies in between blocks nobody
for longer. Who finds the place taken sends nothing, and gets the id of the one that has it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, get_args

import msgspec

from rmq.core import script
from rmq.core.keys import unique_key
from rmq.core.limits import duration, ms
from rmq.core.script import Call, Plan, text_of
from rmq.errors import CallerError, InvalidParameter, RmqError
from rmq.queues import plans
from rmq.queues.outgoing import Outgoing
from rmq.queues.registry import Registry
from rmq.worker.payload import to_plain

Until = Literal["started", "done", "time"]
PENDING_MS = 30_000
"""How long a place is blocked by a sender that died before its message was sent."""
KEEP = timedelta(days=1)
"""How long a place is held at most where nobody gives it back: its task is lost, or still waits."""


@dataclass(frozen=True, slots=True)
class Unique:
    """How unique the calls of a task are."""

    until: Until = "done"
    """started: until a worker begins it; done: until it is done or given up; time: for *keep*."""
    keep: timedelta | float = KEEP
    """The longest that the place is held; of `time` exactly so long. 1 s or more."""
    key: Callable[..., str] | None = None
    """Makes a key of the call's arguments; default all of them."""

    def __post_init__(self) -> None:
        if self.until not in get_args(Until):
            raise InvalidParameter("unique.until", self.until, "started, done or time")
        duration(self.keep, "unique.keep", timedelta(seconds=1), None)
        if self.key is not None and not callable(self.key):
            raise InvalidParameter("unique.key", self.key, "a function of the call's arguments")

    @property
    def keep_ms(self) -> int:
        return ms(duration(self.keep, "unique.keep", None, None))

    def field(
        self, task: str, args: Any, kwargs: Any, said: Callable[[Any, Any], dict[str, Any]]
    ) -> str:
        """What a message says of it: until when, and a digest of what makes it alike. *said* tells
        the arguments by name, however they were given."""
        if self.key is not None:
            what: Any = [task, self.key(*args, **kwargs)]
        else:
            what = [task, said(args, kwargs)]
        text = msgspec.json.encode(what, enc_hook=to_plain, order="sorted")
        return f"{self.until}:{hashlib.blake2b(text, digest_size=16).hexdigest()}"


def send(
    registry: Registry, queue: str, field: str, id: str, keep_ms: int, message: Outgoing
) -> Plan[tuple[str, str]]:
    """Send a call, unless one like it is there. The task's id, ours or that one's, and the
    message's id where it was sent."""
    namespace = registry.namespace
    holder: str = yield take(namespace, field, id, PENDING_MS)
    if holder != id:
        return holder, ""
    try:
        (sent,) = yield from plans.send(registry, queue, [message])
        if isinstance(sent, RmqError):
            raise sent
    except CallerError:
        yield free(namespace, field, id)
        raise
    yield take(namespace, field, id, keep_ms)
    return id, sent.id


def take(namespace: str, field: str, id: str, keep_ms: int) -> Call[str]:
    """Take a place, or keep it for so long from now. The id of the one that has it."""
    return script.load("worker/unique_take").call(
        id, text_of, holder=unique_key(namespace, _digest(field)), id=id, keep_ms=keep_ms
    )


def free(namespace: str, field: str, id: str) -> Call[bool]:
    """Give a place back. False where it is another's, or nobody's."""
    return script.load("worker/unique_free").call(
        id, bool, holder=unique_key(namespace, _digest(field)), id=id
    )


def check(field: str) -> None:
    """Whether a message's field can be one. Raises InvalidParameter."""
    if field.partition(":")[0] not in get_args(Until):
        raise InvalidParameter("unique", field, "until:digest, as in done:9f86d081..")
    _digest(field)


def _digest(field: str) -> str:
    found = field.partition(":")[2]
    if not found.isalnum() or len(found) > 64:
        raise InvalidParameter("unique", field, "until:digest, as in done:9f86d081..")
    return found
