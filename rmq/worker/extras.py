"""Extras: what a task may say beside how it runs: its result, its uniqueness, its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from rmq.core.limits import duration
from rmq.errors import InvalidParameter
from rmq.worker.gate import Limit, Throttle, checked_limits
from rmq.worker.limits import Rate
from rmq.worker.payload import to_plain
from rmq.worker.schedules import Record, record
from rmq.worker.unique import Unique, Until

if TYPE_CHECKING:
    from rmq.worker.task import Call, TaskMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """Options of App.task."""

    result_ttl: timedelta | float | None = None
    """How long the result is kept (a timedelta or seconds); None keeps none, and then there is
    nothing to wait for, to cancel, or to see progress of."""
    unique: Unique | Until | None = None
    """Of calls that are alike only one is wanted: until it is `started` or `done`, or a Unique."""
    rate: str | Rate | None = None
    """So many runs in a time in the whole fleet: `100/s`, `5/min`."""
    limits: Sequence[Limit] = ()
    """Further limits that all workers share; see rmq/worker/gate.py."""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Extras:
        """Raises InvalidParameter, also for what there is not."""
        known = [one.name for one in fields(cls)]
        for name, value in given.items():
            if name not in known:
                raise InvalidParameter(name, value, "left out: a task has no such option")
        made = cls(**given)
        if made.result_ttl is not None:
            duration(made.result_ttl, "result_ttl", timedelta(seconds=1), timedelta(days=365))
        if made.rate is not None:
            Rate.read(made.rate)
        checked_limits(made.limits)
        _ = made.uniqueness
        return made

    @property
    def uniqueness(self) -> Unique | None:
        """How unique its calls are. Raises InvalidParameter."""
        if self.unique is None or isinstance(self.unique, Unique):
            return self.unique
        return Unique(until=self.unique)

    @property
    def keep_ms(self) -> int:
        """How long a unique call's place is held at most."""
        found = self.uniqueness
        return 0 if found is None else found.keep_ms

    def limits_of(self, task: str) -> tuple[Limit, ...]:
        """All limits of the task of that name."""
        own = () if self.rate is None else (Throttle(f"task:{task}", self.rate),)
        return (*own, *self.limits)

    def applied(self, call: Call[Any], message: TaskMessage) -> TaskMessage:
        """A message with what these say."""
        if self.result_ttl is not None:
            ttl = duration(self.result_ttl, "result_ttl", None, None)
            message.result_ttl = ttl.total_seconds()
        found = self.uniqueness
        if found is not None:
            message.unique = found.field(
                message.task, message.args, message.kwargs, call.task.arguments.said
            )
        return message


@dataclass(frozen=True, slots=True)
class Declared:
    """A schedule that code defines."""

    when: str | timedelta
    call: Call[Any]
    options: Mapping[str, Any]

    def record(self) -> Record:
        """As it is stored. Raises InvalidParameter."""
        message = self.call.message()
        message.id = ""  # each moment has its own
        message.unique = None
        body = msgspec.json.decode(msgspec.json.encode(message, enc_hook=to_plain))
        options = dict(self.options)
        if self.call.options.group_id is not None:
            options.setdefault("group_id", self.call.options.group_id)
        return record(self.when, self.call.queue, body, in_code=True, **options)
