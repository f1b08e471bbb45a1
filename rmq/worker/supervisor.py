"""Supervisor: starts worker processes, starts others for those that end, and speaks for the dead.

    SIGTERM, SIGINT   stop: what runs may finish, the rest goes back; a second one: now
    SIGHUP            restart, one process after the other: the new one works before the old one
    stops

What a process had in hand when it died is read from its black box (blackbox.py): nobody has to wait
for a lease to end, and nothing that was done is done again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from rmq.client.aio import AsyncClient
from rmq.core.codec import Crash
from rmq.errors import ConfigurationError, RmqError
from rmq.queues import plans
from rmq.worker import trials as trial
from rmq.worker.app import App
from rmq.worker.blackbox import BUFFERED, DONE, FAILING, RUNNING, STUCK, BlackBox, Entry
from rmq.worker.child import CONFIGURED_WRONGLY, WAS_TOLD, Orders
from rmq.worker.processes import described
from rmq.worker.worker import SILENT_S, STOP_S, host_name

log = logging.getLogger("rmq.worker")

SPARE_SLOTS = 1000
"""Of a black box, for what is done and not deleted yet."""
QUICK_S = 5.0
"""A process that ends sooner is followed by the next one only after a while."""
LONGEST_WAIT_S = 30.0
KILL_S = 5.0
"""How long after the stop deadline a process is killed that has not ended."""
NOW_S = 5.0
"""How long a process may take to end after the second signal."""
READY_S = 30.0
"""How long a restart waits for the new process to work before it stops the old one all the same."""
CRASHED_DELAY_S = 1.0
"""How soon a message may be tried again that was with a process that died."""


@dataclass(eq=False, slots=True)
class Child:
    """One process."""

    process: asyncio.subprocess.Process
    box: BlackBox
    begun: float
    is_unwanted: bool = False
    """Whether it was told to end."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_alive(self) -> bool:
        """Whether it polled lately, and has not ended."""
        if self.ended.is_set():
            return False
        return time.monotonic() - max(self.box.figures.polled, self.begun) < SILENT_S

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal, if it is still there."""
        if self.process.returncode is None:
            self.process.send_signal(number)


class Supervisor:
    """Keeps so many processes at work."""

    def __init__(
        self,
        path: str,
        app: App,
        *,
        queues: Iterable[str] | None = None,
        processes: int = 1,
        concurrency: int | None = None,
        stop_deadline: float = STOP_S,
        json_logs: bool = False,
        log_level: str = "info",
        url: str | None = None,
        namespace: str | None = None,
    ) -> None:
        """*path* is where the processes find *app*. *concurrency* is the most messages that one
        process works on at a time, of all queues together; default each queue's own.

        Raises ConfigurationError, InvalidParameter.
        """
        if os.name != "posix":
            raise ConfigurationError("worker processes need a POSIX system (Linux, macOS)")
        self.queues = app.chosen(queues)
        self.children: list[Child] = []
        self.restarts = 0
        self._app = app
        self._count = processes
        self._slots = SPARE_SLOTS + 2 * sum(
            app.intakes[name].options.capacity for name in self.queues
        )
        self._stop_deadline = stop_deadline
        self._orders: dict[str, Any] = {
            "app": path,
            "queues": self.queues,
            "concurrency": concurrency,
            "stop_deadline": stop_deadline,
            "slots": self._slots,
            "json_logs": json_logs,
            "log_level": log_level,
            "url": url,
            "namespace": namespace,
        }
        self._stopping = asyncio.Event()
        self._failure: ConfigurationError | None = None
        self._ours, self._theirs = -1, -1
        self._keepers: list[asyncio.Task[None]] = []
        self._restart: asyncio.Task[None] | None = None
        self._followers: dict[Child, Child] = {}
        """By those that they replace."""

    @property
    def client(self) -> AsyncClient:
        return self._app.client

    async def run(self) -> None:
        """Until it is stopped. Raises ConfigurationError when a process could not begin at all."""
        self._theirs, self._ours = os.pipe()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self.restart)
        try:
            self.scale(self._count)
            await self._stopping.wait()
            await self._end()
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.remove_signal_handler(number)
            for one in self.children:
                one.tell(signal.SIGKILL)
            os.close(self._ours)
            os.close(self._theirs)
        if self._failure is not None:
            raise self._failure

    def scale(self, count: int) -> None:
        """Have so many processes from now on. Those that are too many, the newest first, take
        nothing new and end when what they have is done, within the stop deadline."""
        self._keepers = [one for one in self._keepers if not one.done()]
        wanted = [one for one in self.children if not one.is_unwanted]
        leaving = max(len(wanted) - count, 0)
        for child in sorted(wanted, key=lambda one: one.begun, reverse=True)[:leaving]:
            child.is_unwanted = True
            child.tell(signal.SIGTERM)
        # Those who keep a process that leaves end with it.
        keeping = len(self._keepers) - sum(one.is_unwanted for one in self.children)
        for _ in range(max(count - keeping, 0)):
            keeper = asyncio.create_task(self._keep())
            keeper.add_done_callback(self._left)
            self._keepers.append(keeper)
        self._count = count

    def _left(self, keeper: asyncio.Task[None]) -> None:
        """One process ended for good; with the last one, so do we, unless none is wanted."""
        is_broken = not keeper.cancelled() and keeper.exception() is not None
        if is_broken or (self._count and all(one.done() for one in self._keepers)):
            self._stopping.set()

    def stop(self) -> None:
        """Stop, and when it is stopping already, now."""
        if self._stopping.is_set():
            # One whose event loop is blocked does not hear of it.
            asyncio.get_running_loop().call_later(NOW_S, self._kill)
        self._stopping.set()
        for one in self.children:
            one.is_unwanted = True
            one.tell(signal.SIGTERM)

    def _kill(self) -> None:
        for one in self.children:
            one.tell(signal.SIGKILL)

    def restart(self) -> None:
        """Replace all processes, one after the other."""
        if self._restart is None or self._restart.done():
            self._restart = asyncio.create_task(self._replace_all())

    @property
    def is_alive(self) -> bool:
        """Whether there are as many processes as wanted, and each polled within the last minute."""
        wanted = [one for one in self.children if not one.is_unwanted]
        return len(wanted) >= self._count and all(one.is_alive for one in wanted)

    @property
    def snapshot(self) -> list[dict[str, Any]]:
        """The processes that there are, and what they say of themselves."""
        now, found = time.monotonic(), []
        for one in list(self.children):
            if one.ended.is_set():
                continue
            figures = one.box.figures
            found.append(
                {
                    "pid": one.process.pid,
                    "ready": bool(figures.is_ready) and not one.is_unwanted,
                    "polled_s_ago": round(now - max(figures.polled, one.begun), 1),
                    "in_hand": figures.in_hand,
                    "buffered": figures.buffered,
                    "handled": figures.handled,
                    "failed": figures.failed,
                    "dead_letters": figures.dead,
                    "returned": figures.returned,
                }
            )
        return found

    # --- processes ---

    async def _keep(self) -> None:
        """Keep one process at work: after each that ended comes another."""
        quick = 0
        while not self._stopping.is_set():
            child = await self._start()
            await child.ended.wait()
            while child.is_unwanted and not self._stopping.is_set():
                # It was replaced; its follower is ours to keep.
                follower = self._followers.pop(child, None)
                if follower is None:
                    return
                child = follower
                await child.ended.wait()
            if self._stopping.is_set() or child.process.returncode == WAS_TOLD:
                return
            self.restarts += 1
            quick = quick + 1 if time.monotonic() - child.begun < QUICK_S else 0
            if quick > 1:
                wait = min(2.0 ** (quick - 2), LONGEST_WAIT_S)
                log.warning("worker processes end at once; the next one begins in %g s", wait)
                try:
                    await asyncio.wait_for(self._stopping.wait(), wait)
                except TimeoutError:
                    continue

    async def _start(self) -> Child:
        box = BlackBox.made(self.queues, self._slots)
        orders = msgspec.convert(
            self._orders | {"box": box.fd, "lifeline": self._theirs}, type=Orders
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "rmq.worker.child",
            msgspec.json.encode(orders).decode(),
            pass_fds=(box.fd, self._theirs),
        )
        child = Child(process, box, time.monotonic())
        self.children.append(child)
        asyncio.create_task(self._watch(child)).add_done_callback(_raise)
        if self._stopping.is_set():
            self.stop()
        return child

    async def _watch(self, child: Child) -> None:
        """Until a process ends; then speak for it."""
        code = await child.process.wait()
        try:
            if code == CONFIGURED_WRONGLY:
                self._failure = ConfigurationError(child.box.last_lines.strip().split("\n")[-1])
                self.stop()
            elif code == WAS_TOLD:
                log.info("worker process %d was told to end", child.process.pid)
            elif child.is_unwanted and code == -signal.SIGTERM:
                log.info("worker process %d was told to end before it began", child.process.pid)
            elif code != 0 or not child.is_unwanted:
                log.error("worker process %d %s", child.process.pid, described(code))
            await self._speak_for(child, described(code))
        finally:
            self.children.remove(child)
            child.ended.set()
            child.box.close()

    async def _replace_all(self) -> None:
        for old in list(self.children):
            if self._stopping.is_set() or old.ended.is_set():
                continue
            new = await self._start()
            self._followers[old] = new
            deadline = time.monotonic() + READY_S
            while not new.box.figures.is_ready and time.monotonic() < deadline:
                if new.ended.is_set():
                    return  # it could not begin: the old ones stay
                await asyncio.sleep(0.05)
            old.is_unwanted = True
            old.tell(signal.SIGTERM)
            await old.ended.wait()

    async def _end(self) -> None:
        """Wait for all to end, and kill those that do not."""
        deadline = time.monotonic() + self._stop_deadline + KILL_S
        for one in list(self.children):
            try:
                await asyncio.wait_for(one.ended.wait(), max(deadline - time.monotonic(), 0.01))
            except TimeoutError:
                log.error("worker process %d does not end, and is killed", one.process.pid)
                one.tell(signal.SIGKILL)
                await one.ended.wait()
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    # --- speaking for the dead ---

    async def _speak_for(self, child: Child, how: str) -> None:
        """Say what became of all that a process had in hand."""
        entries = list(child.box.entries())
        if not entries:
            return
        is_stuck = any(one.state == STUCK for one in entries)
        evidence = Crash(
            worker=f"{host_name()}:{child.process.pid}",
            at_ms=self.client.clock.now_ms(),
            what="was stuck beyond its time limit" if is_stuck else how,
            log=child.box.last_lines,
        )
        for queue in {one.queue for one in entries}:
            ours = [one for one in entries if one.queue == queue]
            try:
                await self._speak(queue, ours, is_stuck, evidence)
            except RmqError as error:
                log.warning(
                    "%d messages of queue %s that process %d had come back only when their leases "
                    "end: %s",
                    len(ours),
                    queue,
                    child.process.pid,
                    error,
                )

    async def _speak(
        self, queue: str, entries: Sequence[Entry], is_stuck: bool, evidence: Crash
    ) -> None:
        registry, run = self.client._registry, self.client._executor.run
        done = [one.receipt for one in entries if one.state == DONE]
        if done:
            await run(plans.delete(registry, queue, done))
            await self.client._executor.call(trial.forget(registry.keys(queue), queue, done))
        guilty = STUCK if is_stuck else RUNNING
        kinds: dict[int, tuple[str, float, Crash | None]] = {
            BUFFERED: (trial.RETURNED, 0, None),
            RUNNING: (trial.RETURNED, 0, None),
            FAILING: (trial.FAILED, CRASHED_DELAY_S, None),
            guilty: (trial.CRASHED, CRASHED_DELAY_S, evidence),
        }
        for state, (kind, delay, seen) in kinds.items():
            receipts = [one.receipt for one in entries if one.state == state]
            if receipts:
                await run(
                    trial.release(registry, queue, kind, [(one, delay) for one in receipts], seen)
                )
                log.warning(
                    "%d messages of queue %s of worker %s are %s",
                    len(receipts),
                    queue,
                    evidence.worker,
                    {trial.RETURNED: "given back", trial.FAILED: "tried again"}.get(
                        kind, "suspects"
                    ),
                )


def _raise(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("a process was not spoken for", exc_info=task.exception())
