"""Function: lambda subscriptions, whose functions are Python callables in the dispatcher's own
process. They get what AWS Lambda would give them: an event, and a context if they take one.

    handlers = Handlers()

    @handlers.register
    def resize(event, context): ...

    rmq dispatch --handlers app.tasks:handlers

Only what was named to the dispatcher is ever called: a subscription says a name, and whoever may
subscribe could otherwise run anything.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, overload

from rmq.errors import ConfigurationError, InvalidParameter
from rmq.push.job import Job, Passing
from rmq.topics.envelope import Rendered

F = TypeVar("F", bound=Callable[..., Any])

THREADS = 32
"""Functions that are no coroutines and run at the same time."""
TIMEOUT_S = 900.0
"""What context.get_remaining_time_in_millis() counts down from, and the most that a coroutine may
take (AWS Lambda quotas: function timeout). A thread can not be ended."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a function may know of its call (AWS Lambda context object in Python)."""

    function_name: str
    invoked_function_arn: str
    aws_request_id: str
    deadline: float
    """By the monotonic clock."""
    function_version: str = "$LATEST"
    memory_limit_in_mb: int = 0

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function should have ended."""
        return max(int((self.deadline - time.monotonic()) * 1000), 0)


class Handlers:
    """Functions by name."""

    def __init__(self) -> None:
        self._functions: dict[str, Callable[..., Any]] = {}

    @overload
    def register(self, function: F) -> F: ...

    @overload
    def register(self, *, name: str) -> Callable[[F], F]: ...

    def register(self, function: Any = None, *, name: str | None = None) -> Any:
        """Add a function under its own name, or under *name*. A decorator, with or without it."""
        if function is None:
            return lambda given: self._add(name or given.__name__, given)
        return self._add(name or function.__name__, function)

    def _add(self, name: str, function: F) -> F:
        if not callable(function):
            raise InvalidParameter("handler", name, "a callable")
        self._functions[name] = function
        return function

    def __iter__(self) -> Any:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)

    def add(self, others: Handlers) -> None:
        """Add all of *others*."""
        self._functions |= others._functions

    def find(self, endpoint: str) -> Callable[..., Any] | None:
        """The function that an endpoint names: by its name, or by the ARN of a function."""
        return self._functions.get(function_name(endpoint))

    @classmethod
    def of(cls, sources: Iterable[str]) -> Handlers:
        """From modules: `module` adds every public function that is defined in it, `module:name`
        that function, or a Handlers with all its own. Modules of the current folder are found too.

        Raises ConfigurationError.
        """
        found = cls()
        for source in sources:
            found._load(source)
        return found

    def _load(self, source: str) -> None:
        module_name, _, name = source.partition(":")
        module = imported(module_name, "handlers")
        if name:
            one = getattr(module, name, None)
            if isinstance(one, Handlers):
                self.add(one)
            elif callable(one):
                self._add(name, one)
            else:
                raise ConfigurationError(
                    f"handlers {source!r}: {module_name} has no function or Handlers {name!r}"
                )
            return
        for name, one in vars(module).items():
            if isinstance(one, Handlers):
                self.add(one)
            elif inspect.isfunction(one) and one.__module__ == module.__name__ and name[0] != "_":
                self._functions.setdefault(name, one)


def imported(name: str, setting: str) -> Any:
    """A module by its name, from the current folder too. Raises ConfigurationError."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except (ValueError, TypeError):
        raise ConfigurationError(f"{setting} {name!r} is no module; give module:name") from None
    except Exception as error:  # whatever it does while it is imported
        why = f"{type(error).__name__}: {error}"
        raise ConfigurationError(f"{setting} {name!r} can not be imported: {why}") from error


def function_name(endpoint: str) -> str:
    """The name in a function's ARN (`arn:aws:lambda:<region>:<account>:function:<name>[:..]`); what
    is no ARN is a name."""
    parts = endpoint.split(":")
    if len(parts) >= 7 and parts[0] == "arn" and parts[5] == "function":
        return parts[6]
    return endpoint


class FunctionSender:
    """Calls the functions. Coroutines run in the dispatcher's loop, all else in threads."""

    def __init__(self, handlers: Handlers, *, timeout: float = TIMEOUT_S) -> None:
        self._handlers = handlers
        self._timeout = timeout
        self._threads: ThreadPoolExecutor | None = None

    async def send(self, job: Job) -> None:
        function = self._handlers.find(job.endpoint)
        if function is None:
            # Another dispatcher may have it, or this one after the next release.
            raise Passing(f"no function {function_name(job.endpoint)!r} is loaded here")
        assert isinstance(job.message, Rendered)
        event = job.message.lambda_event(job.subscription_arn)
        arguments: list[Any] = [event]
        if _takes_context(function):
            deadline = time.monotonic() + self._timeout
            name = function_name(job.endpoint)
            arguments.append(Context(name, job.endpoint, job.message.id, deadline))
        try:
            if inspect.iscoroutinefunction(function):
                async with asyncio.timeout(self._timeout):
                    await function(*arguments)
                return
            if self._threads is None:
                self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="rmq-function")
            loop = asyncio.get_running_loop()
            result = await loop.run_in_executor(self._threads, function, *arguments)
            if inspect.isawaitable(result):
                await result
        except asyncio.CancelledError:
            raise
        except TimeoutError as error:
            raise Passing(f"it took longer than {self._timeout:g} s") from error
        except Exception as error:
            raise Passing(f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)


def _takes_context(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if any(one.kind is inspect.Parameter.VAR_POSITIONAL for one in parameters):
        return True
    return sum(one.kind in by_place for one in parameters) >= 2
