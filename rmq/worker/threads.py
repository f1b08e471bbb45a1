"""Threads: plain functions at work, each with a time limit that reaches into its thread.

    loop ── jobs ──▶ whichever thread is free ── what ended ──▶ loop

Handing a job over and hearing of its end costs more than most jobs, if each wakes a thread and each
wakes the loop. So jobs wait in one row, from which a thread takes the next one as soon as it is
done with the last, and the loop is woken once for all that ended since it last looked. A thread
that finds more than it takes wakes one other, which wakes the next: jobs that wait for something
have a thread each, as many as there are, and a hundred that end at once are done by one or two.

Nothing can end a thread. But Python raises in it what another thread asks for, as soon as it runs
code of Python again; one that waits in C (a socket without a timeout, a long sleep) hears of it
only then, and is given up by the leases' thread.
"""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import inspect
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from rmq.worker.blackbox import DONE, FAILING, RUNNING
from rmq.worker.consuming.held import Held
from rmq.worker.pool import AGAIN_S
from rmq.worker.verdicts import TimeLimitExceeded

if TYPE_CHECKING:
    from rmq.worker.blackbox import BlackBox
    from rmq.worker.callee import Callee

log = logging.getLogger("rmq.worker")


class Job:
    """One call, from its hand-over until the loop has heard how it ended."""

    __slots__ = (
        "_is_late",
        "_is_running",
        "_lock",
        "args",
        "callee",
        "context",
        "error",
        "heard",
        "held",
        "is_begun",
        "is_whole",
        "kwargs",
        "result",
        "timer",
    )

    def __init__(
        self,
        held: Held,
        callee: Callee,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        heard: Callable[[Job], None],
        context: contextvars.Context | None = None,
    ) -> None:
        """*heard* is called in the loop, when the job has ended or will not begin. *context*: the
        function's context variables, of who waits for it; default empty, and nobody waits."""
        self.held = held
        self.callee = callee
        self.args = args
        self.kwargs = kwargs
        self.heard = heard
        self.context = context
        self.result: Any = None
        self.error: BaseException | None = None
        self.is_begun = False
        self.is_whole = context is None
        """Whether it is all of its message's run, so that its end is the run's end."""
        self.timer: asyncio.TimerHandle | None = None

    def run(self) -> None:
        """In a thread: call the function, and note how it ended."""
        held, timeout = self.held, self.callee.timeout
        self.is_begun = True
        held.thread = threading.get_ident()
        held.started = time.monotonic()
        run = (self.context or contextvars.Context()).run
        try:
            if timeout is None:
                self.result = run(self.callee.function, *self.args, **self.kwargs)
            else:
                held.deadline = held.started + timeout
                self.result = self._run_limited(run)
        except _Interrupted:
            self.error = TimeLimitExceeded(f"{self.callee.name} took longer than {timeout:g} s")
        except StopIteration as error:
            # Raised where this is awaited, it would be an end like any other.
            self.error = RuntimeError("it raised StopIteration")
            self.error.__cause__ = error
        except BaseException as error:
            self.error = error
        held.thread = 0

    def _run_limited(self, run: Callable[..., Any]) -> Any:
        with self._lock:
            self._is_running = True
        try:
            return run(self.callee.function, *self.args, **self.kwargs)
        finally:
            with self._lock:
                self._is_running = False
            if self._is_late:
                # What was asked for may still be on its way: let it come here, and not into
                # whatever this thread does next.
                for _ in range(100):
                    pass

    def hear(self) -> None:
        """In the loop: it has ended, or will not begin."""
        if self.timer is not None:
            self.timer.cancel()
        self.heard(self)

    def limit(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        """In the loop: end it when its time is over, which begins when it does."""
        self._lock = threading.Lock()
        self._is_running = self._is_late = False
        self.timer = loop.call_later(seconds, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            left = self.held.deadline - time.monotonic()
            if not self._is_running:
                left = self.callee.timeout or 0.0
            elif left <= 0:
                self._is_late = True
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self.held.thread), ctypes.py_object(_Interrupted)
                )
                return
        self.timer = loop.call_later(left, self._look, loop)


class _Interrupted(BaseException):
    """Raised in the thread. No Exception: a handler that catches those must not go on."""


class Threads:
    """The threads of one worker, started as they are needed."""

    def __init__(self, most: int, box: BlackBox | None = None) -> None:
        self._most = most
        self._box = box
        self._waiting: deque[Job] = deque()
        self._ended: deque[Job] = deque()
        self._idle: list[threading.Lock] = []
        """Of each thread that sleeps, what it sleeps on. The last to sleep is the first to wake."""
        self._starting = threading.Lock()
        self._numbers = itertools.count()
        self._count = 0
        self._is_waking = False
        """Whether a thread is on its way that has not yet looked for a job."""
        self._is_told = False
        """Whether the loop is on its way to what has ended."""
        self._is_closed = False
        self._again: asyncio.TimerHandle | None = None
        """Until a thread is asked for again that the system did not give."""
        self._loop: asyncio.AbstractEventLoop | None = None

    def put(self, jobs: Iterable[Job]) -> None:
        """In the loop: let these begin as soon as there is a thread for them."""
        loop = self._loop = asyncio.get_running_loop()
        for one in jobs:
            if one.callee.timeout is not None:
                one.limit(loop, one.callee.timeout)
            self._waiting.append(one)
        if self._waiting:
            self._wake()

    async def call(
        self, held: Held, callee: Callee, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Call a function in a thread, with the context variables of who calls. Raises what it
        raises, and TimeLimitExceeded. Who is cancelled does not wait for what has begun."""
        ended = asyncio.get_running_loop().create_future()

        def heard(job: Job) -> None:
            if not ended.done():
                ended.set_result(None)

        job = Job(held, callee, args, kwargs, heard, contextvars.copy_context())
        self.put([job])
        try:
            await ended
        except BaseException:
            with suppress(ValueError):
                self._waiting.remove(job)
            raise
        if job.error is not None:
            raise job.error
        return job.result

    def recall(self) -> None:
        """Let no job begin that is by itself; who put it there hears of it at once. What somebody
        waits for goes on: he has begun already."""
        kept = []
        while self._waiting:
            with suppress(IndexError):  # a thread was faster
                job = self._waiting.popleft()
                if job.is_whole:
                    job.hear()
                else:
                    kept.append(job)
        self._waiting.extend(kept)
        if kept:
            self._wake()

    def close(self) -> None:
        """Begin nothing more. What does not end is left behind."""
        self._is_closed = True
        self._waiting.clear()
        while self._idle:
            with suppress(IndexError):
                self._idle.pop().release()

    def _wake(self) -> None:
        """Let one more thread come, unless one is on its way. Called in the loop and in threads."""
        # Two that ask at the same time may wake two, which costs a moment. None is never the case:
        # who was woken lowers the flag before it looks.
        if self._is_waking:
            return
        try:
            sleeper = self._idle.pop()
        except IndexError:
            if self._count < self._most:
                self._start()
            return
        self._is_waking = True
        sleeper.release()

    def _start(self) -> None:
        with self._starting:
            if self._count == self._most or self._is_closed:
                return
            self._count += 1
        self._is_waking = True
        # A daemon: the end of a program does not wait for what close leaves behind.
        name = f"rmq-handler_{next(self._numbers)}"
        try:
            threading.Thread(target=self._work, name=name, daemon=True).start()
        except RuntimeError as error:
            # Those that there are go on; there may be memory for another one in a moment.
            self._count -= 1
            self._is_waking = False
            log.error("%d threads work, and no more could be started: %s", self._count, error)
            self._in_loop(self._try_again)

    def _work(self) -> None:
        waiting, ended, idle, box = self._waiting, self._ended, self._idle, self._box
        asleep = threading.Lock()
        asleep.acquire()
        self._is_waking = False
        while True:
            try:
                job = waiting.popleft()
            except IndexError:
                idle.append(asleep)
                if waiting or self._is_closed:
                    # It came in between. Whoever wakes us has taken the lock off the list.
                    with suppress(ValueError):
                        idle.remove(asleep)
                        if self._is_closed:
                            return
                        continue
                asleep.acquire()
                self._is_waking = False
                if self._is_closed:
                    return
                continue
            if waiting:
                self._wake()
            if box is not None and job.is_whole:
                box.mark(job.held.slot, RUNNING)
                job.run()
                if not job.held.is_settled and not inspect.iscoroutine(job.result):
                    # Its place may be somebody else's; and a coroutine is still to run.
                    box.mark(job.held.slot, DONE if job.error is None else FAILING)
            else:
                job.run()
            ended.append(job)
            del job  # or what it refers to lives until the next one
            if not self._is_told:
                self._is_told = True
                self._in_loop(self._hear)

    def _try_again(self) -> None:
        if self._again is None and self._loop is not None:
            self._again = self._loop.call_later(AGAIN_S, self._wake_again)

    def _wake_again(self) -> None:
        self._again = None
        if self._waiting:
            self._wake()

    def _in_loop(self, work: Callable[[], None]) -> None:
        assert self._loop is not None
        with suppress(RuntimeError):  # a loop that is closed does not want to know
            self._loop.call_soon_threadsafe(work)

    def _hear(self) -> None:
        # In this order: what ends from now on is either still found, or tells us anew.
        self._is_told = False
        while self._ended:
            job = self._ended.popleft()
            try:
                job.hear()
            except Exception:  # nobody else's end is lost for it
                log.exception("what came of %s is not known", job.callee.name)
