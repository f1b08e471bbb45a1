"""Threads: plain functions at work, each with a time limit that reaches into its thread.

Nothing can end a thread. But Python raises in it what another thread asks for, as soon as it runs
code of Python again; one that waits in C (a socket without a timeout, a long sleep) hears of it
only then, and is given up by the leases' thread.
"""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from rmq.worker.held import Held
from rmq.worker.verdicts import TimeLimitExceeded

T = TypeVar("T")
AGAIN_S = 0.1
"""How soon a thread is asked for again that the system did not give."""


class Pool:
    """Threads, started as they are needed. Where there is no memory for another one, what it was to
    do waits for those that are there, or for memory."""

    def __init__(self, most: int, name: str) -> None:
        self._threads = ThreadPoolExecutor(most, thread_name_prefix=name)
        self._is_closed = False

    async def run(self, function: Callable[[], T]) -> T:
        """Call a function in a thread, once. Raises what it raises."""
        call = _Once(function)
        answer = asyncio.wrap_future(call.answer)
        try:
            while not answer.done():
                try:
                    self._threads.submit(call)
                    break
                except RuntimeError:
                    if self._is_closed:
                        raise
                    # No thread could be started. It is queued all the same, but that is nobody's
                    # promise: it is handed in again, and runs once however often it is queued.
                    await asyncio.wait((answer,), timeout=AGAIN_S)
            return await answer
        finally:
            answer.cancel()

    def close(self, *, wait: bool) -> None:
        """Begin nothing more; *wait* for what runs."""
        self._is_closed = True
        self._threads.shutdown(wait=wait, cancel_futures=True)


class _Once(Generic[T]):
    """A call that is made once, by the first thread that comes to it."""

    def __init__(self, function: Callable[[], T]) -> None:
        self.answer: Future[T] = Future()
        self._function = function
        self._lock = threading.Lock()
        self._is_taken = False

    def __call__(self) -> None:
        with self._lock:
            if self._is_taken:
                return
            self._is_taken = True
        if not self.answer.set_running_or_notify_cancel():
            return
        try:
            result = self._function()
        except BaseException as error:
            self.answer.set_exception(error)
        else:
            self.answer.set_result(result)


class _Job:
    """One call, which may be interrupted as long as it has not ended."""

    def __init__(self, held: Held, call: Callable[[], Any], limit: TimeLimitExceeded) -> None:
        self._held = held
        self._call = call
        self._limit = limit
        self._lock = threading.Lock()
        self._is_running = False
        self._is_late = False

    def __call__(self) -> Any:
        with self._lock:
            self._held.thread = threading.get_ident()
            self._is_running = True
        try:
            try:
                return self._call()
            finally:
                with self._lock:
                    self._is_running = False
                if self._is_late:
                    # What was asked for may still be on its way: let it come here, and not into
                    # whatever this thread does next.
                    for _ in range(100):
                        pass
        except _Interrupted:
            raise self._limit from None
        finally:
            self._held.thread = 0

    def interrupt(self) -> None:
        with self._lock:
            if self._is_running:
                self._is_late = True
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self._held.thread), ctypes.py_object(_Interrupted)
                )


class _Interrupted(BaseException):
    """Raised in the thread. No Exception: a handler that catches those must not go on."""


class Threads:
    """The threads of one worker, started as they are needed."""

    def __init__(self, most: int) -> None:
        self._pool = Pool(most, "rmq-handler")

    async def call(
        self,
        held: Held,
        name: str,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        timeout: float | None,
    ) -> Any:
        """Call a function in a thread. Raises what it raises, and TimeLimitExceeded."""
        loop = asyncio.get_running_loop()
        context = contextvars.copy_context()

        def call() -> Any:
            return context.run(function, *args, **kwargs)

        if timeout is None:
            job = _Job(held, call, TimeLimitExceeded())
            return await self._pool.run(job)
        job = _Job(held, call, TimeLimitExceeded(f"{name} took longer than {timeout:g} s"))
        timer = loop.call_later(timeout, job.interrupt)
        try:
            return await self._pool.run(job)
        finally:
            timer.cancel()

    def close(self) -> None:
        """Begin nothing more. What does not end is left behind."""
        self._pool.close(wait=False)
