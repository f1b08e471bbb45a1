"""Fleet: the live workers of one app, as anybody sees them, and what they can be told.

    worker ── beat: I live, this is in my hands ──> registry      its answer: what it is told to do
    anybody ── stop, drain, pause a queue ──> inbox of each worker, which wakes at once

A worker that is silent for 30 s is dead, and gone from the registry.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from rmq.client.aio import AsyncClient
from rmq.core import script
from rmq.core.keys import FleetKeys
from rmq.core.script import Call, text_of
from rmq.errors import WorkerDoesNotExist
from rmq.queues.attributes import queue_name
from rmq.worker.schedules import check_app

ALIVE_MS = 30_000
"""For how long a worker that says nothing counts as alive."""
MOST = 1000
"""Workers that are listed."""


class QueueWork(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a worker has of one queue."""

    capacity: int = 0
    """Messages that it may have in hand."""
    running: int = 0
    """Messages whose handler is under way."""
    buffered: int = 0
    """Received, and waiting in the worker for their handler."""
    handled: int = 0
    failed: int = 0
    dead: int = 0
    """Given up: sent to the dead-letter queue. As the two before it since the worker started."""
    polled_ms: int = 0
    """When it last asked for messages, or had no room for any."""


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a worker says of itself."""

    host: str = ""
    pid: int = 0
    started_ms: int = 0
    state: str = "running"
    """running, or stopping."""
    queues: dict[str, QueueWork] = {}


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A live worker, as it was at its last beat."""

    id: str
    """`host:pid:` and 8 characters of chance."""
    host: str
    pid: int
    started_at: datetime
    beat_at: datetime
    state: str
    queues: dict[str, QueueWork]

    @property
    def in_hand(self) -> int:
        """Messages that it has, those that wait in it among them."""
        return sum(one.running + one.buffered for one in self.queues.values())

    @property
    def polled_at(self) -> datetime | None:
        """When the queue that was not asked for longest was asked last."""
        times = [one.polled_ms for one in self.queues.values() if one.polled_ms]
        return _moment(min(times)) if times else None


@dataclass(frozen=True, slots=True)
class Told:
    """What a beat is answered with."""

    paused: frozenset[str]
    """Queues from which nothing is to be taken."""
    commands: list[tuple[int, str]]
    """Number and command; they come again until the next beat says that they were seen."""


class Fleet:
    """The workers of one app."""

    def __init__(self, client: AsyncClient, app: str = "app") -> None:
        self.app = check_app(app)
        self.keys = FleetKeys(client.namespace, app)
        self._executor = client._executor

    async def workers(self) -> list[WorkerInfo]:
        """Those who live, by their ids."""
        return await self._executor.call(workers(self.keys, self.app))

    async def stop(self, worker: str) -> None:
        """Tell a worker to take nothing new, to give what runs until its deadline, and to end.

        Raises WorkerDoesNotExist.
        """
        await self.tell(worker, "stop")

    async def drain(self, worker: str) -> None:
        """Tell a worker to take nothing new, and to end when all that it has is done, however long
        that takes. Raises WorkerDoesNotExist."""
        await self.tell(worker, "drain")

    async def pause(self, queue: str) -> bool:
        """Let no worker of the app take anything from a queue; what they have, they finish. What is
        sent waits. False where it was paused already."""
        return await self._pause(queue, "pause")

    async def resume(self, queue: str) -> bool:
        """End a pause. False where there was none."""
        return await self._pause(queue, "resume")

    async def paused(self) -> dict[str, datetime]:
        """Queues that are paused, and since when."""

        def parse(reply: Sequence[Any] | dict[Any, Any]) -> dict[str, datetime]:
            items = reply.items() if isinstance(reply, dict) else _pairs(reply)
            return {text_of(name): _moment(int(at)) for name, at in items}

        call = script.command("HGETALL", self.app, parse, self.keys.paused)
        return await self._executor.call(call)

    async def tell(self, worker: str, what: str) -> None:
        """Send a command to one worker. Raises WorkerDoesNotExist."""
        await self._executor.call(command(self.keys, self.app, worker, what))

    async def tell_all(self, what: str) -> int:
        """Send a command to each live worker. How many there were."""
        count = 0
        for one in await self.workers():
            try:
                await self.tell(one.id, what)
                count += 1
            except WorkerDoesNotExist:
                continue
        return count

    async def _pause(self, queue: str, what: str) -> bool:
        changed = await self._executor.call(
            script.load("worker/pause").call(
                self.app, bool, paused=self.keys.paused, queue=queue_name(queue), what=what
            )
        )
        # Who does not hear of it now sees it with the next beat.
        await self.tell_all("look")
        return changed


def beat(
    keys: FleetKeys, app: str, id: str, said: Said, seen: int, alive_ms: int = ALIVE_MS
) -> Call[Told]:
    """Say that a worker lives, and that its commands up to *seen* were carried out; *alive_ms* 0
    signs off."""

    def parse(reply: Sequence[Any]) -> Told:
        count = int(reply[0])
        commands = []
        for one in reply[1 + count :]:
            number, _, command = text_of(one).partition(" ")
            commands.append((int(number), command))
        return Told(frozenset(map(text_of, reply[1 : 1 + count])), commands)

    return script.load("worker/beat").call(
        app,
        parse,
        workers=keys.workers,
        worker_info=keys.worker_info,
        paused=keys.paused,
        inbox=keys.inbox(id),
        wake=keys.wake(id),
        id=id,
        info=msgspec.json.encode(said),
        ttl_ms=alive_ms,
        seen=seen,
    )


def command(keys: FleetKeys, app: str, worker: str, what: str) -> Call[int]:
    """Tell one worker. The command's number."""
    return script.load("worker/command").call(
        app,
        int,
        workers=keys.workers,
        commands=keys.commands,
        inbox=keys.inbox(worker),
        wake=keys.wake(worker),
        id=worker,
        command=what,
    )


def workers(keys: FleetKeys, app: str) -> Call[list[WorkerInfo]]:
    """Those who live."""

    def parse(reply: Sequence[Any]) -> list[WorkerInfo]:
        found = []
        for at in range(0, len(reply), 3):
            said = msgspec.json.decode(reply[at + 2], type=Said)
            found.append(
                WorkerInfo(
                    text_of(reply[at]),
                    said.host,
                    said.pid,
                    _moment(said.started_ms),
                    _moment(int(reply[at + 1]) - ALIVE_MS),
                    said.state,
                    said.queues,
                )
            )
        return sorted(found, key=lambda one: one.id)

    return script.load("worker/workers").call(
        app, parse, workers=keys.workers, worker_info=keys.worker_info, most=MOST
    )


def _pairs(reply: Sequence[Any]) -> Iterable[tuple[Any, Any]]:
    return zip(reply[::2], reply[1::2], strict=True)


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
