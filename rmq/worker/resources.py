"""Resources: what a process has one of (a pool, a client), made at its start, closed at its end,
and given to whoever asks for it by annotation.

    @app.resource
    async def database() -> AsyncIterator[Pool]:
        async with create_pool(DSN) as pool:
            yield pool

    @app.handler("orders")
    async def on_order(order: Order, pool: Pool) -> None: ...
"""

from __future__ import annotations

import inspect
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Generator,
    Iterator,
    Mapping,
)
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, get_args, get_origin

from rmq.errors import ConfigurationError
from rmq.worker.callee import Callee, is_context, name_of

_YIELDING = (AsyncIterator, AsyncGenerator, Iterator, Generator)


class Resources:
    """Those of one app, by type."""

    def __init__(self) -> None:
        self._makers: dict[Any, Callable[..., Any]] = {}

    def add(self, maker: Callable[..., Any]) -> None:
        """Declare one. Its return annotation says what it makes. Raises ConfigurationError."""
        name = name_of(maker)
        try:
            kind = inspect.signature(maker, eval_str=True).return_annotation
        except NameError as error:
            raise ConfigurationError(
                f"resource {name} has an annotation that can not be looked up: {error}"
            ) from error
        if get_origin(kind) in _YIELDING:
            kind = get_args(kind)[0]
        if kind in (inspect.Signature.empty, None, type(None)):
            raise ConfigurationError(
                f"resource {name} does not say what it makes; annotate what it returns or yields"
            )
        if kind in self._makers:
            raise ConfigurationError(
                f"resource {name} makes {kind!r}, as {name_of(self._makers[kind])} does"
            )
        self._makers[kind] = maker

    def asked_by(self, callee: Callee) -> frozenset[str]:
        """The parameters of a function that are resources."""
        return frozenset(
            name for name, one in callee.parameters.items() if _known(one, self._makers)
        )

    @property
    def makers(self) -> dict[Any, Callable[..., Any]]:
        """What makes each type."""
        return dict(self._makers)

    def opened(self) -> Opened:
        """Those of one process, none of them made yet."""
        return Opened(dict(self._makers))


def _known(parameter: inspect.Parameter, makers: dict[Any, Any]) -> bool:
    try:
        return parameter.annotation in makers
    except TypeError:  # what can not be hashed is no key
        return False


class Opened:
    """The resources of one process, made when they are first asked for, and each once."""

    def __init__(self, makers: dict[Any, Callable[..., Any]]) -> None:
        self._makers = makers
        self._made: dict[Any, Any] = {}
        self._making: list[Any] = []
        self._stack = AsyncExitStack()

    async def for_callee(self, callee: Callee) -> dict[str, Any]:
        """Arguments of a function that are resources. Raises what a maker raises, and
        ConfigurationError for those that need each other."""
        return await self.by_type(self.needs(callee))

    def needs(self, callee: Callee) -> dict[str, Any]:
        """The parameters of a function that are resources, and their types."""
        return {
            name: one.annotation
            for name, one in callee.parameters.items()
            if not is_context(one) and _known(one, self._makers)
        }

    async def by_type(self, needs: Mapping[str, Any]) -> dict[str, Any]:
        """Resources by name, from their types."""
        return {name: await self._get(kind) for name, kind in needs.items()}

    async def _get(self, kind: Any) -> Any:
        if kind in self._made:
            return self._made[kind]
        if kind in self._making:
            raise ConfigurationError(f"resources need each other: {[*self._making, kind]}")
        self._making.append(kind)
        try:
            maker = self._makers[kind]
            needs = {
                name: await self._get(one.annotation)
                for name, one in inspect.signature(maker, eval_str=True).parameters.items()
                if _known(one, self._makers)
            }
            if inspect.isasyncgenfunction(maker):
                made = await self._stack.enter_async_context(asynccontextmanager(maker)(**needs))
            elif inspect.isgeneratorfunction(maker):
                made = self._stack.enter_context(contextmanager(maker)(**needs))
            else:
                made = maker(**needs)
                if inspect.isawaitable(made):
                    made = await made
        finally:
            self._making.pop()
        self._made[kind] = made
        return made

    async def close(self) -> None:
        """Close them, the last one made first."""
        self._made.clear()
        await self._stack.aclose()
