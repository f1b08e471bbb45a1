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
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rmq.worker.held import Held
from rmq.worker.verdicts import TimeLimitExceeded


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
            except StopIteration as error:
                # No future may hold one: what awaits it would end as if it had returned.
                raise RuntimeError("it raised StopIteration") from error
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
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="rmq-handler")

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
            return await loop.run_in_executor(self._pool, job)
        job = _Job(held, call, TimeLimitExceeded(f"{name} took longer than {timeout:g} s"))
        timer = loop.call_later(timeout, job.interrupt)
        try:
            return await loop.run_in_executor(self._pool, job)
        finally:
            timer.cancel()

    def close(self) -> None:
        """Begin nothing more. What does not end is left behind."""
        self._pool.shutdown(wait=False, cancel_futures=True)
