"""Pool: threads that wait for processes, where there may be no memory for another thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

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
