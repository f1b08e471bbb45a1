"""Middleware: what is done around every run: tracing, metrics, a database session.

    class Timing(Middleware):
        async def before(self, context): context.state["begun"] = time.monotonic()
        async def after(self, context, result): ...
        async def error(self, context, error): ...

`before` runs in the order in which they were added, `after` and `error` in the other one. A hook
may be a coroutine function or a plain one; one that is not overridden costs nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rmq.core.limits import listed
from rmq.errors import InvalidParameter, Words
from rmq.worker.context import Context

Hook = Callable[..., Any]


class Middleware:
    """Derive from it, and override what you need."""

    def before(self, context: Context) -> Any:
        """Before the handler. What it raises counts as the handler's own error."""

    def after(self, context: Context, result: Any) -> Any:
        """After a handler that returned, before its message is deleted. What it raises makes the
        run a failure."""

    def error(self, context: Context, error: BaseException) -> Any:
        """After one that raised. What it raises is logged, and changes nothing."""


def checked_middleware(given: Iterable[Middleware]) -> list[Middleware]:
    """Raises InvalidParameter."""
    found = listed(given, "middleware", "Middleware objects")
    for one in found:
        if not isinstance(one, Middleware):
            raise InvalidParameter("middleware", Words(repr(one)), "Middleware objects")
    return found


class Hooks:
    """The hooks of all middleware that are overridden, in their order."""

    def __init__(self, middleware: Sequence[Middleware]) -> None:
        self.before = _overridden(middleware, "before")
        self.after = _overridden(middleware, "after")[::-1]
        self.error = _overridden(middleware, "error")[::-1]

    def __bool__(self) -> bool:
        return bool(self.before or self.after or self.error)


def _overridden(middleware: Sequence[Middleware], name: str) -> list[Hook]:
    return [
        getattr(one, name)
        for one in middleware
        if getattr(type(one), name) is not getattr(Middleware, name)
    ]


async def call(hooks: Sequence[Hook], *args: Any) -> None:
    """Call hooks, one after the other."""
    for hook in hooks:
        result = hook(*args)
        if inspect.isawaitable(result):
            await result
