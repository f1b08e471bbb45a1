"""Processes: plain functions at work in processes of their own, one call at a time in each.

What a handler does to its process, it does to itself alone: when it exits, is killed or runs out of
memory, its own message is known to be the cause, and its neighbours go on. A time limit is a kill.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from rmq.worker.callee import Callee
from rmq.worker.resources import Opened
from rmq.worker.verdicts import TimeLimitExceeded, WorkerLost

_context = multiprocessing.get_context("spawn")
"""Never fork: the parent has threads, and connections that a child must not speak on."""
END_S = 2.0
"""How long an idle child may take to end."""

Makers = Mapping[Any, Callable[..., Any]]


@dataclass(frozen=True, slots=True)
class Request:
    """One call. The function goes by name: what stands under its name may be a task."""

    module: str
    function: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    needs: Mapping[str, Any]
    """Parameters that are resources, and their types."""


class HandlerError(Exception):
    """Stands for an error that could not be sent from a handler's process."""


class _Story(Exception):
    """An error's traceback in the process where it was raised, as the cause of that error here."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def described(exit_code: int | None) -> str:
    """How a process ended, for people."""
    if exit_code is None:
        return "ended"
    if exit_code < 0:
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(-exit_code).name}"
        return f"was killed by signal {-exit_code}"
    return f"exited with status {exit_code}"


class _Child:
    def __init__(self, makers: Makers, memory_limit: int | None, module: str) -> None:
        """Returns when it is ready: what it imports takes of nobody's time limit. Raises
        RuntimeError when it is not."""
        self._connection, theirs = _context.Pipe()
        self.process = _context.Process(
            target=_serve, args=(theirs, makers, memory_limit, module), name="rmq-handler"
        )
        self.process.start()
        theirs.close()
        self.is_late = False
        try:
            self._connection.recv()
        except (EOFError, OSError):
            self.process.join(END_S)
            self._connection.close()
            raise RuntimeError(
                f"a process for {module} could not begin: it {described(self.process.exitcode)}"
            ) from None

    def exchange(self, request: Request) -> Any:
        """Have it make a call; blocks. Raises EOFError or OSError when it is gone."""
        self._connection.send(request)
        return self._connection.recv()

    def kill(self) -> None:
        self.process.kill()

    def close(self) -> None:
        """It ends when it finds that nobody is there any more."""
        self._connection.close()


class Processes:
    """The processes of one kind of handlers, started as they are needed and kept."""

    def __init__(self, most: int, makers: Makers) -> None:
        """*most*: how many at a time. *makers* of resources are for use in there."""
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="rmq-process")
        self._makers = makers
        self._idle: dict[int | None, list[_Child]] = {}
        self._busy: set[_Child] = set()

    async def call(
        self, callee: Callee, args: tuple[Any, ...], kwargs: Mapping[str, Any], needs: Any
    ) -> Any:
        """Make a call in a process. Raises what it raises, TimeLimitExceeded, WorkerLost."""
        request = Request(
            callee.function.__module__, callee.function.__qualname__, args, kwargs, needs
        )
        loop = asyncio.get_running_loop()
        idle = self._idle.setdefault(callee.memory_limit, [])
        child = self._living(idle)
        if child is None:
            child = await self._start(callee.memory_limit, request.module)
        self._busy.add(child)
        timer = None
        if callee.timeout is not None:
            timer = loop.call_later(callee.timeout, self._late, child)
        try:
            is_ok, result = await loop.run_in_executor(self._threads, child.exchange, request)
        except (EOFError, OSError) as error:
            await loop.run_in_executor(self._threads, child.process.join, END_S)
            child.close()
            if child.is_late:
                raise TimeLimitExceeded(
                    f"{callee.name} took longer than {callee.timeout:g} s"
                ) from None
            code = child.process.exitcode
            raise WorkerLost(
                f"process {child.process.pid}, which ran it, {described(code)}"
            ) from error
        except BaseException:
            # Nobody waits for it any more, or what it was to be called with can not be sent.
            child.kill()
            raise
        finally:
            self._busy.discard(child)
            if timer is not None:
                timer.cancel()
        if child.is_late:
            # It answered as its time was over, and was killed before we heard it.
            child.close()
        else:
            idle.append(child)
        if is_ok:
            return result
        raise _unpacked(*result)

    @staticmethod
    def _living(idle: list[_Child]) -> _Child | None:
        """One that waits for a call, and did not die of something else meanwhile: no message is to
        be blamed for that."""
        while idle:
            child = idle.pop()
            if child.process.exitcode is None:
                return child
            child.close()
        return None

    async def _start(self, memory_limit: int | None, module: str) -> _Child:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _Child, self._makers, memory_limit, module)

    @staticmethod
    def _late(child: _Child) -> None:
        child.is_late = True
        child.kill()

    def close(self) -> None:
        """End them; those at work are killed."""
        for child in self._busy:
            child.kill()
        idle = [child for children in self._idle.values() for child in children]
        for child in idle:
            child.close()
        for child in idle:
            child.process.join(END_S)
            if child.process.exitcode is None:
                child.kill()
                child.process.join()
        self._idle.clear()
        self._threads.shutdown(wait=True)


def _unpacked(packed: bytes | None, kind: str, text: str, story: str) -> BaseException:
    error: BaseException | None = None
    if packed is not None:
        with contextlib.suppress(Exception):
            error = pickle.loads(packed)
    if not isinstance(error, BaseException):
        error = HandlerError(f"{kind}: {text}")
    error.__cause__ = _Story(story)
    return error


# --- in the child -------------------------------------------------------------------------------


def _serve(connection: Connection, makers: Makers, memory_limit: int | None, module: str) -> None:
    """Make calls until the other end is closed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # our parent hears them, and ends us when we are done
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if memory_limit is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (memory_limit, memory_limit))
    importlib.import_module(module)
    connection.send("ready")
    opened = Opened(dict(makers))
    with asyncio.Runner() as runner:
        while True:
            try:
                request = connection.recv()
            except EOFError:
                break
            except BaseException as error:
                answer: Any = (False, _packed(error))
            else:
                answer = _answer(request, opened, runner)
            try:
                connection.send(answer)
            except (BrokenPipeError, ConnectionResetError):
                break
            except Exception as error:  # a result that can not be sent
                connection.send((False, _packed(error)))
        runner.run(opened.close())


def _answer(request: Request, opened: Opened, runner: asyncio.Runner) -> tuple[bool, Any]:
    try:
        found: Any = importlib.import_module(request.module)
        for part in request.function.split("."):
            found = getattr(found, part)
        function = getattr(found, "__wrapped__", found)
        resources = runner.run(opened.by_type(request.needs)) if request.needs else {}
        return True, function(*request.args, **request.kwargs, **resources)
    except BaseException as error:
        return False, _packed(error)


def _packed(error: BaseException) -> tuple[bytes | None, str, str, str]:
    """An error as it can be sent: itself if it can be pickled and read again, and its words."""
    story = "".join(traceback.format_exception(error))
    packed = None
    try:
        packed = pickle.dumps(error)
        pickle.loads(packed)
    except Exception:
        packed = None
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    return packed, kind, str(error), story


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    sys.stderr.flush()
    os._exit(1)
