"""Options: how a consumer works. Checked when they are made."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from rmq.core.limits import duration, whole
from rmq.errors import InvalidParameter, Words
from rmq.streams.groups.commands import UNBOUNDED

START_TYPES = ("LATEST", "TRIM_HORIZON")
CHECKPOINTS = ("batch", "record", "manual")
ON_FAILURE = ("stop", "skip")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_WORKER = re.compile(r"[A-Za-z0-9_.:@-]{1,64}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that its handler failed on again and again."""

    stream: str
    group: str
    record: Any
    """The StreamRecord."""
    attempts: int
    """How often the handler was called with it, alone or among others."""
    error: BaseException
    """What it raised last."""


DeadLetters = Callable[[DeadLetter], Awaitable[None]]
"""Puts a dead letter where it is kept. Returns when it is safe there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerOptions:
    """How a consumer works. Durations are timedeltas, or numbers of seconds."""

    start: str | datetime = "LATEST"
    """Where a new group begins: LATEST, with what is put from now on; TRIM_HORIZON, with all there
    is; a moment, with what arrived since then. A group that exists goes on where it was."""
    batch_size: int | None = None
    """None: the handler gets one record. 1 to 10,000: it gets a list of up to so many."""
    concurrency: int = 1
    """Calls of the handler under way at a time for one shard, 1 to 1,000. Records with the same
    partition key are never handled at the same time, and always in order. While 50,000 are done
    behind one that is not, no more are read."""
    checkpoint: str = "batch"
    """When it is noted how far a shard was read: `batch`, when all of a read is done and in between
    with each heartbeat; `record`, as soon as a record is done; `manual`, when the handler says so
    (`lease.checkpoint(record)`), which wants a concurrency of 1."""
    lease: timedelta | float = timedelta(seconds=10)
    """How long a worker that is not heard of keeps its shards, 0.1 s to 1 h. Its heartbeat comes
    three times in that."""
    attempts: int = 5
    """Calls of the handler with one record before it counts as failed, 1 to 1,000."""
    retry_after: timedelta | float = timedelta(milliseconds=200)
    """Before the second call, 0 s to 1 h; it doubles with each further one."""
    retry_after_most: timedelta | float = timedelta(seconds=10)
    """What it doubles up to."""
    on_failure: str = "stop"
    """What becomes of a failed record where there is no dead-letter queue. `stop`: the worker ends
    with RecordFailed in front of it. `skip`: it is left out, which an event and the log tell."""
    max_shards: int | None = None
    """Shards that this worker takes at most, 1 or more. None for as many as there are."""
    alarm_after: timedelta | float = timedelta(minutes=1)
    """A shard that nobody has read for so long is told, 0 s to 1 day."""
    grace: timedelta | float | None = None
    """How long what is in hand may take when a shard is handed over or the worker stops; None for
    as long as a lease. A coroutine is cancelled then. A plain function can not be: it is waited
    for."""
    read_limit: int = 1000
    """Records of a shard that one read asks for, 1 to 10,000. While twice as many wait to be
    handled, or as many as the handler can be given at a time and once more, no more are read."""
    worker: str | None = None
    """This worker's name, 1 to 64 of A-Z a-z 0-9 _ . : @ -. Its id is that and something random, so
    that a second of the same name does no harm. None makes one of host and process."""

    def __post_init__(self) -> None:
        is_moment = isinstance(self.start, datetime)
        if not is_moment and self.start not in START_TYPES:
            raise InvalidParameter("start", self.start, "LATEST, TRIM_HORIZON or a datetime")
        if self.batch_size is not None:
            whole(self.batch_size, "batch_size", 1, 10_000)
        whole(self.concurrency, "concurrency", 1, 1_000)
        _one_of(self.checkpoint, "checkpoint", CHECKPOINTS)
        _one_of(self.on_failure, "on_failure", ON_FAILURE)
        if self.checkpoint == "manual" and self.concurrency != 1:
            raise InvalidParameter(
                "concurrency", self.concurrency, "1 where checkpoints are made by hand"
            )
        self._set("lease", timedelta(milliseconds=100), timedelta(hours=1))
        whole(self.attempts, "attempts", 1, 1_000)
        self._set("retry_after", None, timedelta(hours=1))
        self._set("retry_after_most", None, timedelta(hours=1))
        if self.max_shards is not None:
            whole(self.max_shards, "max_shards", 1, UNBOUNDED)
        self._set("alarm_after", None, timedelta(days=1))
        if self.grace is not None:
            self._set("grace", None, timedelta(hours=1))
        whole(self.read_limit, "read_limit", 1, 10_000)
        if self.worker is not None and (
            not isinstance(self.worker, str) or not _WORKER.fullmatch(self.worker)
        ):
            raise InvalidParameter("worker", self.worker, "1 to 64 of A-Z a-z 0-9 _ . : @ -")

    def _set(self, field: str, low: timedelta | None, high: timedelta) -> None:
        object.__setattr__(self, field, duration(getattr(self, field), field, low, high))

    @property
    def most_waiting(self) -> int:
        """Records of a shard that wait to be handled, at which no more are read."""
        return max(2 * self.read_limit, (self.concurrency + 1) * (self.batch_size or 1))

    @property
    def lease_s(self) -> float:
        return _seconds(self.lease)

    @property
    def grace_s(self) -> float:
        return _seconds(self.lease if self.grace is None else self.grace)

    @property
    def alarm_ms(self) -> int:
        return round(_seconds(self.alarm_after) * 1000)

    def pause_s(self, attempt: int) -> float:
        """Before what comes after so many attempts."""
        # A shift by more would be a number of no use, and of many digits.
        return min(
            _seconds(self.retry_after) * (1 << min(attempt - 1, 40)),
            _seconds(self.retry_after_most),
        )


def known_options(given: dict[str, Any]) -> dict[str, Any]:
    """The same. Raises InvalidParameter for what is no option."""
    names = [one.name for one in fields(ConsumerOptions)]
    for name in given:
        if name not in names:
            raise InvalidParameter("option", name, f"one of {', '.join(names)}")
    return given


def group_name(name: str) -> str:
    """A name that a group may have. Raises InvalidParameter."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidParameter("group", name, "1 to 128 of A-Z a-z 0-9 _ . -")
    return name


def checked_handler(handler: Any, options: ConsumerOptions) -> bool:
    """Whether a handler wants the lease as its second argument. Raises InvalidParameter."""
    if not callable(handler):
        raise InvalidParameter("handler", Words(type(handler).__name__), "a function")
    parameters: list[inspect.Parameter] | None = None
    # One that is written in C does not tell.
    with suppress(TypeError, ValueError):
        parameters = list(inspect.signature(handler).parameters.values())
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = sum(one.kind in by_place and one.default is one.empty for one in parameters or ())
    takes = (*by_place, inspect.Parameter.VAR_POSITIONAL)
    if parameters is not None and not any(one.kind in takes for one in parameters):
        raise InvalidParameter(
            "handler", Words("a function of no arguments"), "one of a record, or of two"
        )
    if needed > 2:
        raise InvalidParameter(
            "handler", Words(f"a function of {needed} arguments"), "one of a record, or of two"
        )
    if options.checkpoint == "manual" and needed < 2:
        raise InvalidParameter(
            "handler",
            Words(f"a function of {needed} argument{'s' * (needed != 1)}"),
            "one of a record and its lease where checkpoints are made by hand",
        )
    return needed == 2


def position_of(moment: datetime) -> int:
    """The position from which what arrived at *moment* or later is read."""
    # In whole milliseconds, as times of arrival are.
    ms = (moment.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)
    return max(ms, 0) * 1000


def _one_of(value: object, field: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InvalidParameter(field, value, " or ".join(allowed))


def _seconds(value: timedelta | float) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else value
