"""Following: what comes of a task beyond its message: its result, its place, its chain, its group.

Most messages have nothing of the kind, and cost nothing here. For one that has, the worker asks
before it runs, and says how it ended before the message is deleted: a worker that dies in between
repeats the task, and what follows it is still sent once.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from rmq.core.keys import ResultKeys
from rmq.core.limits import duration, text
from rmq.core.script import Plan
from rmq.errors import InvalidParameter, Words
from rmq.queues.attributes import queue_name
from rmq.queues.registry import Registry
from rmq.worker import results, steps, unique
from rmq.worker.groups import ENDED_MS
from rmq.worker.payload import to_plain
from rmq.worker.results import NUL, checked_id
from rmq.worker.verdicts import Reject, Unreadable

if TYPE_CHECKING:
    from rmq.worker.task import TaskMessage

log = logging.getLogger("rmq.worker")

_SHORTEST = timedelta(milliseconds=1)
_GROUP = re.compile(r"[^{}:]{1,200}:[0-9]{1,3}")
"""A group's id, and a member's place in it: below MOST_MEMBERS."""


def check(said: TaskMessage) -> None:
    """Whether what follows a task can be done at all: a message that others made may say anything,
    and its task must not run first, and fail then, over and over. Raises Unreadable."""
    try:
        if said.id:
            checked_id(said.id)
        if said.result_ttl is not None:
            duration(said.result_ttl, "result_ttl", _SHORTEST, timedelta(days=365))
        if said.unique:
            unique.check(said.unique)
        if said.group and not _GROUP.fullmatch(said.group):
            raise InvalidParameter("group", said.group, "id:place, as in 6f9c..:0")
        for place, one in enumerate(said.chain or ()):
            _check_step(one, f"chain[{place}]")
    except InvalidParameter as error:
        raise Unreadable(f"{said.task}: {error}") from None


def _check_step(step: Any, field: str) -> None:
    if not isinstance(step, Mapping):
        raise InvalidParameter(field, Words(type(step).__name__), "a task's message")
    checked_id(text(step.get("id"), f"{field}.id"))
    if "members" in step:
        return  # a group has no task of its own
    text(step.get("task"), f"{field}.task")
    queue_name(step.get("queue"))  # type: ignore[arg-type]
    if not isinstance(step.get("args", []), list):
        raise InvalidParameter(f"{field}.args", Words(type(step["args"]).__name__), "a list")


class Following:
    """What comes of one task's run."""

    __slots__ = ("_keys", "_registry", "_said", "id", "is_cancelled", "run")

    def __init__(self, registry: Registry, said: TaskMessage, id: str) -> None:
        self.id = checked_id(id)
        self.run: asyncio.Task[Any] | None = None
        """The asyncio task in which it runs."""
        self.is_cancelled = False
        """Whether it was told to end."""
        self._registry = registry
        self._said = said
        self._keys = ResultKeys(registry.namespace, id)

    @classmethod
    def of(cls, registry: Registry, said: TaskMessage | None, id: str) -> Following | None:
        """That of a message; None for most."""
        if said is None or (
            said.result_ttl is None and not said.unique and not said.chain and not said.group
        ):
            return None
        return cls(registry, said, id)

    def begin(self, worker: str) -> Plan[bool]:
        """A worker is about to run it. False where it is not to be run: it was cancelled, or its
        result is there, and only its message was not deleted."""
        said = self._said
        if said.unique and said.unique.startswith("started:"):
            yield unique.free(self._registry.namespace, said.unique, self.id)
        if said.result_ttl is None:
            return True
        before: str = yield results.start(self._keys, self.id, worker)
        if before == "cancelled":
            yield from self.cancelled()
            return False
        if before == "done":
            # It ran, and its worker died before it could say so to its queue. What follows may not
            # have been sent.
            found: results.TaskStatus = yield results.read(self._keys, self.id)
            yield from self._follow(found.result)
            return False
        return True

    def done(self, result: Any) -> Plan[None]:
        """It returned. Raises Reject for what can not be kept, and what sending raises."""
        try:
            value = msgspec.json.encode(result, enc_hook=to_plain)
        except (TypeError, NotImplementedError, ValueError, OverflowError) as error:
            raise Reject(f"its result can not be kept: {error}") from None
        yield from self._end("done", value)
        yield from self._follow(result)

    def failed(self, error: str, traceback: str = "") -> Plan[None]:
        """It is given up."""
        yield from self._lost(
            "failed", f"{error[:4000].replace(NUL, ' ')}{NUL}{traceback[-16_000:]}"
        )

    def cancelled(self) -> Plan[None]:
        """It was ended because nobody wants it any more."""
        yield from self._lost("cancelled", "")

    def _lost(self, what: str, why: str) -> Plan[None]:
        """It did not return, so what is behind it never begins."""
        yield from self._end(what, why.encode())
        said = self._said
        if said.chain or said.group:
            keep_ms = ENDED_MS if said.result_ttl is None else self._keep_ms
            yield from steps.broken(
                self._registry, said.chain or (), said.group, what, why, keep_ms
            )
        yield from self._free()

    def progress(self, part: float, text: str) -> Plan[None]:
        """It says how far it is."""
        if self._said.result_ttl is not None:
            yield results.progress(self._keys, self.id, part, text)

    @property
    def _keep_ms(self) -> int:
        return max(int((self._said.result_ttl or 0) * 1000), 1)

    def _end(self, what: str, value: bytes) -> Plan[None]:
        if self._said.result_ttl is not None:
            yield results.end(self._keys, self.id, what, value, self._keep_ms)

    def _follow(self, result: Any) -> Plan[None]:
        """It is done: on with what comes after it."""
        said = self._said
        if said.chain or said.group:
            line = f"c:{self.id}"
            yield from steps.ended(self._registry, line, said.chain or (), said.group, result)
        yield from self._free()

    def _free(self) -> Plan[None]:
        """Its place is for others."""
        said = self._said
        if said.unique and said.unique.startswith("done:"):
            yield unique.free(self._registry.namespace, said.unique, self.id)
