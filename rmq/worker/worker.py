"""Worker: one process's work on some queues of an app, from its start to its end.

running ── stop() or a signal ── stopping: nothing new is begun, what runs may finish
                                    │ the deadline, or a second signal
                                 abandoning: what runs is ended; all in hand is given back
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from rmq.client.aio import AsyncClient
from rmq.core.limits import whole
from rmq.core.waiting import settled
from rmq.errors import RmqError
from rmq.worker.blackbox import Figures
from rmq.worker.callee import Mode
from rmq.worker.consuming.consumer import Consumer
from rmq.worker.consuming.held import Held
from rmq.worker.fleet import QueueWork
from rmq.worker.following import Following
from rmq.worker.gate import Gate
from rmq.worker.handler import MOST_CONCURRENCY
from rmq.worker.leases import Leases
from rmq.worker.middleware import Hooks
from rmq.worker.presence import Presence
from rmq.worker.processes import Processes
from rmq.worker.scheduler import Scheduler
from rmq.worker.threads import Threads
from rmq.worker.together import Together

if TYPE_CHECKING:
    from rmq.worker.app import App
    from rmq.worker.blackbox import BlackBox

log = logging.getLogger("rmq.worker")

STOP_S = 20.0
"""How long handlers may go on after a stop. Docker and Kubernetes kill after 10 and 30."""
TIDY_S = 60.0
"""How often trials are looked through for messages that are gone."""
SILENT_S = 60.0
"""A consumer with room that did not ask for messages for so long does not work."""


def host_name() -> str:
    """This machine's name, as it stands in evidence."""
    return socket.gethostname()


class Worker:
    """Works on queues of one app. Make it with `app.worker()`."""

    CANCEL_S = 1.0
    """How long a handler that is cancelled may take to end."""

    def __init__(
        self,
        app: App,
        queues: Iterable[str] | None = None,
        *,
        concurrency: int | None = None,
        stop_deadline: float = STOP_S,
        box: BlackBox | None = None,
    ) -> None:
        """*queues*: names, default all of the app's. *concurrency*: the most messages at a time, of
        all queues together; default each queue's own. *stop_deadline*: seconds that handlers may go
        on after a stop. *box*: where a supervisor reads what is in hand.

        Raises ConfigurationError, InvalidParameter.
        """
        if concurrency is not None:
            whole(concurrency, "concurrency", 1, MOST_CONCURRENCY)
        self.app = app
        self.queues = app.chosen(queues)
        self.stop_deadline = stop_deadline
        self.box = box
        self.name = f"{host_name()}:{os.getpid()}"
        """How it stands in evidence: host and process id."""
        self.client: AsyncClient = app.client
        self.resources = app.resources.opened()
        self.hooks = Hooks(app.middleware)
        self.suspects = asyncio.Lock()
        """Held by the one message that runs and that was with a worker that was lost."""
        self.is_stopping = False
        self.is_abandoning = False
        self.was_told = False
        """Whether a command through Redis ends it."""
        self.consumers: list[Consumer] = []
        self.gate = Gate(self.client)
        self.together = Together(self.client._executor)
        self.following: dict[str, Following] = {}
        """Tasks that run here and can be cancelled, by their ids."""
        self.presence = Presence(self.client, app.name, look=self._in_hand, obey=self._obey)
        self._scheduler = Scheduler(self.client, app.name)
        self._gone = asyncio.Event()
        """Set when nothing is in hand any more, and the fleet may forget us."""
        self._shared: list[asyncio.Task[None]] = []
        """What is done for the fleet beside the messages."""
        most: dict[Mode, int] = {"async": 0, "thread": 0, "process": 0}
        for name in self.queues:
            intake = app.intakes[name]
            for mode in {one.mode for one in intake.callees}:
                most[mode] += intake.most(mode)
        self.threads = Threads(max(most["thread"], 1), box)
        self.processes = Processes(max(most["process"], 1), app.resources.makers)
        self._room = concurrency
        """Slots of all queues together that are free; None where only each queue's own count."""
        self._leases: Leases | None = None
        self._stopping = asyncio.Event()
        self._abandoning = asyncio.Event()
        self._house: asyncio.Task[None] | None = None
        self._is_over = False

    async def start(self) -> None:
        """Make the queues that are missing, open the resources, and begin to receive.

        Raises ConfigurationError, ConnectionLost, InvalidParameter, and what resources raise.
        """
        await self.prepare()
        await self.declare()
        await self.presence.beat()
        self._shared = [
            asyncio.create_task(self._pauses(), name="rmq-pauses"),
            asyncio.create_task(self.presence.run(self._gone), name="rmq-presence"),
            asyncio.create_task(self._scheduler.run(self._stopping), name="rmq-schedules"),
        ]
        for task in self._shared:
            task.add_done_callback(_say_end)
        self._leases = Leases(
            self.consumers, self.gate, self.presence, self.app.new_sync_client, self.stuck
        )
        self._leases.start()
        for one in self.consumers:
            one.start()
        self._house = asyncio.create_task(self._keep_house(), name="rmq-house")
        log.info("worker %s works on %s", self.name, ", ".join(self.queues))

    async def prepare(self) -> None:
        """All of start but to receive."""
        for name in self.queues:
            self.app.intakes[name].prepare(self.app.resources)
        if self.app.create_queues:
            await self.app.make_queues(self.queues)
        self.consumers = [Consumer(self, self.app.intakes[name]) for name in self.queues]
        for one in self.consumers:
            await one.prepare()

    async def declare(self) -> None:
        """Write the schedules that code defines to the server."""
        for name, declared in self.app.declared.items():
            await self.app.schedules.put_record(name, declared.record())

    async def fire(self) -> None:
        """Fire the moments of schedules that are due, as a worker that runs does by itself."""
        await self._scheduler.tick()

    async def drain(self) -> int:
        """Work on all that is due now, one message after the other, queue by queue, and on what
        comes of it. How many messages there were. For tests and jobs that run now and then; the
        worker is prepared, and not started.
        """
        total = 0
        while True:
            count = 0
            for one in self.consumers:
                count += await one.drain()
            total += count
            if not count:
                return total

    async def run(self, *, signals: bool = True) -> None:
        """Work until `stop`, SIGTERM or SIGINT; a second signal stops at once.

        *signals*: listen to them, where this is the main thread.
        Raises what start raises. Trouble with Redis later on is waited out.
        """
        await self.start()
        heard = self._listen() if signals else []
        try:
            await self._stopping.wait()
        finally:
            try:
                await self._end()
            finally:
                for number in heard:
                    asyncio.get_running_loop().remove_signal_handler(number)

    def stop(self, *, now: bool = False) -> None:
        """Begin nothing new, and end when what runs has finished; *now*: end it."""
        self.is_stopping = True
        self._stopping.set()
        if now:
            self._abandoning.set()
        for one in self.consumers:
            one.stop_receiving()
        self.threads.recall()

    async def close(self) -> None:
        """End it, if it has not ended: what runs may finish within the deadline."""
        await self._end()

    async def stopping_within(self, seconds: float) -> bool:
        """Wait for a stop, for so long. Whether there was one."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        return self.is_stopping

    @property
    def is_alive(self) -> bool:
        """Whether every queue was asked for messages within the last minute, or had no room."""
        now = time.monotonic()
        return all(
            not one.has_room or now - one.receiver.polled < SILENT_S for one in self.consumers
        )

    @property
    def figures(self) -> Figures:
        """How it is."""
        now = time.monotonic()
        polled = [one.receiver.polled if one.has_room else now for one in self.consumers]
        return Figures(
            polled=min(polled, default=now),
            in_hand=sum(len(one.hand) for one in self.consumers),
            buffered=sum(one.hand.buffered for one in self.consumers),
            handled=sum(one.tally.handled for one in self.consumers),
            failed=sum(one.tally.failed for one in self.consumers),
            dead=sum(one.tally.dead for one in self.consumers),
            returned=sum(one.tally.returned for one in self.consumers),
            is_ready=int(bool(self.consumers) and not self.is_stopping),
        )

    async def unpaused(self, queue: str) -> None:
        """Wait while nothing may be taken from a queue."""
        while queue in self.presence.paused:
            await self.presence.change()

    # --- slots that all queues share ---

    def take_room(self, wanted: int) -> int:
        """Take up to so many of the slots that all queues share. Where there are fewer than all
        queues could use, one at a time: an idle queue must not sit on what a busy one needs."""
        if self._room is None or wanted <= 0:
            return wanted
        wanted = min(wanted, self._room, max(self._room // (2 * len(self.consumers)), 1))
        self._room -= wanted
        return wanted

    def give_room(self, count: int) -> None:
        """Give slots back."""
        if self._room is not None and count:
            self._room += count
            for one in self.consumers:
                one.slots.wake()

    def keep_room(self, count: int) -> None:
        """Keep slots for what a receive brought, of those that it has just given back."""
        if self._room is not None:
            self._room -= count

    def stuck(self, consumer: Consumer, held: Held, where: str) -> None:
        """Called, in another thread, for a handler that outlived its time limit and can not be
        interrupted. Its lease is renewed no longer, so that another worker gets the message."""
        log.critical(
            "%s does not end, %g s after its time limit; its message is given up. It is at\n%s",
            held.callee.name if held.callee is not None else consumer.options.queue,
            time.monotonic() - held.deadline,
            where,
        )

    async def _pauses(self) -> None:
        """End receives that wait on a queue that was paused."""
        while True:
            await self.presence.change()
            for one in self.consumers:
                if one.options.queue in self.presence.paused:
                    one.receiver.interrupt()

    def _in_hand(self) -> dict[str, QueueWork]:
        """What the fleet is told of us."""
        ago = self.client.clock.now_ms() - time.monotonic() * 1000
        return {
            one.options.queue: QueueWork(
                capacity=one.slots.capacity,
                running=one.running,
                buffered=one.hand.buffered,
                handled=one.tally.handled,
                failed=one.tally.failed,
                dead=one.tally.dead,
                polled_ms=int(ago + one.receiver.polled * 1000),
            )
            for one in self.consumers
        }

    def _obey(self, word: str, rest: str) -> None:
        """Do what we are told by somebody through Redis."""
        if word == "drain":
            self.stop_deadline = float("inf")
        if word in ("stop", "drain"):
            self.was_told = True
            self.presence.state = "stopping"
            self.stop()
        elif word == "cancel":
            found = self.following.get(rest)
            if found is not None and found.run is not None:
                found.is_cancelled = True
                found.run.cancel()

    def _listen(self) -> list[signal.Signals]:
        if threading.current_thread() is not threading.main_thread():
            return []
        heard = [signal.SIGTERM, signal.SIGINT]
        for number in heard:
            asyncio.get_running_loop().add_signal_handler(number, self._signalled)
        return heard

    def _signalled(self) -> None:
        self.stop(now=self.is_stopping)

    async def _end(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        self.stop()
        if self.consumers:
            self.presence.state = "stopping"
            await self._wait_for_handlers()
            self.is_abandoning = True
            for one in self.consumers:
                await one.abandon()
            for one in self.consumers:
                await one.finish()
        if self._house is not None:
            await asyncio.wait((self._house,), timeout=1.0)
            self._house.cancel()
        if self._leases is not None:
            self._leases.end()
            await asyncio.to_thread(self._leases.join, 1.0)
        if self._shared:
            await self.together.close()
            await self.gate.close()
            self._gone.set()
            self._shared[0].cancel()
            await settled(self._shared, 3 * self.CANCEL_S)
        self.threads.close()
        await asyncio.to_thread(self.processes.close)
        await self.resources.close()
        log.info("worker %s has ended", self.name)

    async def _wait_for_handlers(self) -> None:
        """Until all have ended, the deadline, or a second signal."""
        drained = asyncio.gather(*(one.drained() for one in self.consumers))
        abandoned = asyncio.create_task(self._abandoning.wait())
        await asyncio.wait(
            (drained, abandoned),
            timeout=None if self.stop_deadline == float("inf") else self.stop_deadline,
            return_when=asyncio.FIRST_COMPLETED,
        )
        for one in (drained, abandoned):
            one.cancel()
        await asyncio.gather(drained, abandoned, return_exceptions=True)

    async def _keep_house(self) -> None:
        while not await self.stopping_within(TIDY_S):
            for one in self.consumers:
                try:
                    await one.tidy()
                except RmqError as error:
                    log.debug("%s", error)


def _say_end(task: asyncio.Task[None]) -> None:
    """Of what is done for the fleet: messages are worked on without it, but not in silence."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("%s has ended: %s", task.get_name(), error, exc_info=error)
