"""Callee: a user's function, how it is run, and what it gets beside its payload.

How it runs is what it is: a coroutine function in the event loop, a plain one in a thread, and one
that was declared with process=True in a process of its own.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args

from rmq.core.limits import seconds, text, whole
from rmq.errors import ConfigurationError, InvalidParameter, Words
from rmq.worker.context import Context
from rmq.worker.policy import Policy

Mode = Literal["async", "thread", "process"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Callee:
    """A function with all that is said of how it is to be run."""

    name: str
    """`module.function`."""
    function: Callable[..., Any]
    mode: Mode
    policy: Policy
    timeout: float | None = None
    """Seconds that one run may take; None for no limit."""
    memory_limit: int | None = None
    """Bytes that a process of its own may allocate."""
    parameters: Mapping[str, inspect.Parameter] = field(default_factory=dict)
    """With annotations that are objects, not text."""


def callee(
    function: Callable[..., Any],
    *,
    process: bool,
    policy: Policy,
    timeout: timedelta | float | None,
    memory_limit: int | None = None,
    name: str | None = None,
) -> Callee:
    """Look at a function. Raises ConfigurationError, InvalidParameter."""
    if not callable(function):
        raise InvalidParameter("function", Words(type(function).__name__), "a function")
    is_async = any(map(inspect.iscoroutinefunction, _forms(function)))
    name = name_of(function) if name is None else text(name, "name", 1, 200)
    if any(map(inspect.isgeneratorfunction, _forms(function))) or any(
        map(inspect.isasyncgenfunction, _forms(function))
    ):
        raise ConfigurationError(f"{name} yields; what is called for a message has to return")
    if process and is_async:
        raise ConfigurationError(
            f"{name} is a coroutine function; one that runs in a process of its own is a plain one"
        )
    if memory_limit is not None:
        whole(memory_limit, "memory_limit", 16 << 20, None)
        if not process:
            raise ConfigurationError(f"{name} has a memory_limit, which needs process=True")
    limit = None
    if timeout is not None:
        limit = seconds(timeout, "timeout").total_seconds()
        if limit <= 0:
            raise InvalidParameter("timeout", timeout, "longer than 0 s, or None for no limit")
    return Callee(
        name=name,
        function=function,
        mode="async" if is_async else "process" if process else "thread",
        policy=policy,
        timeout=limit,
        memory_limit=memory_limit,
        parameters=_parameters(function, name),
    )


def name_of(function: Callable[..., Any]) -> str:
    """`module.function`. The program that was started is no `__main__` here: its workers know it by
    the name of its file. An object that can be called has its class's name."""
    while isinstance(function, functools.partial):
        function = function.func
    if not hasattr(function, "__qualname__"):
        function = type(function)
    module = function.__module__
    if module == "__main__":
        main = sys.modules["__main__"]
        spec = getattr(main, "__spec__", None)
        file = getattr(main, "__file__", None)
        module = spec.name if spec is not None else Path(file).stem if file else module
    return f"{module}.{function.__qualname__}"


def _forms(function: Callable[..., Any]) -> tuple[Any, ...]:
    """A function as it is, and of an object that can be called what is called."""
    if isinstance(function, (type, functools.partial)) or inspect.isroutine(function):
        return (function,)
    return function, type(function).__call__


def _parameters(function: Callable[..., Any], name: str) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(function, eval_str=True).parameters)
    except NameError as error:
        raise ConfigurationError(
            f"{name} has an annotation that can not be looked up ({error}); import what it names "
            "at the top of its module, not under TYPE_CHECKING"
        ) from error


def is_context(parameter: inspect.Parameter) -> bool:
    """Whether a parameter asks for the Context."""
    kinds = get_args(parameter.annotation) or (parameter.annotation,)
    return any(isinstance(kind, type) and issubclass(kind, Context) for kind in kinds)
