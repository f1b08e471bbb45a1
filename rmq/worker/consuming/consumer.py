"""Consumer: one queue at work in one process.

    receive as many as there are free slots ── look at those that came before ── route ── run
        done      deleted, together with whatever else is done at that time
        failed    invisible until the next try, or to the dead-letter queue
        stopped   given back, and not counted

A message is held from its receive until Redis has heard what became of it; so long its lease is
renewed, see leases.py. Each step is a file of its own; here is what they are made of, from the
start to the end.

    receiver ── one_by_one, batches ── runner (plain) ── admission ── invoker
                                          └── acknowledger, failing (burials), returns
    between them: slots, hand (held), crew, tally
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rmq.worker import trials as trial
from rmq.worker.consuming.batches import Batches
from rmq.worker.consuming.one_by_one import OneByOne
from rmq.worker.consuming.parts import Parts
from rmq.worker.handler import Intake

if TYPE_CHECKING:
    from rmq.worker.worker import Worker


class Consumer:
    """One queue at work."""

    def __init__(self, worker: Worker, intake: Intake) -> None:
        self.worker = worker
        self.intake = intake
        self.options = intake.options
        parts = Parts.of(worker, intake)
        self.tally = parts.tally
        self.hand = parts.hand
        """All that was received and is not settled. The leases' thread reads it."""
        self.slots = parts.slots
        self.receiver = parts.receiver
        self._crew = parts.crew
        self._returns = parts.returns
        self._invoker = parts.invoker
        self._acknowledger = parts.acknowledger
        batch = self.options.batch
        self._way = OneByOne(parts) if batch is None else Batches(parts, batch)
        """How messages are worked on."""
        self.receivers: list[asyncio.Task[None]] = []

    @property
    def has_room(self) -> bool:
        """Whether it could take more than it has, and the fleet lets it."""
        return not self.receiver.is_held_up and self.slots.has_room

    @property
    def running(self) -> int:
        """Handlers that are under way."""
        return self.tally.running + self._way.running

    async def prepare(self) -> None:
        """What has to be known before the first message."""
        await self._invoker.prepare(self.intake.callees)

    def start(self) -> None:
        """Begin to receive; it was prepared."""
        self._acknowledger.start()
        for _ in range(self.slots.receives):
            self.receivers.append(asyncio.create_task(self._way.receive(), name="rmq-receive"))

    def stop_receiving(self) -> None:
        """Take nothing more. What is buffered goes back, what runs goes on."""
        self.receiver.stop()

    async def drained(self) -> None:
        """Wait until nothing runs any more."""
        self._way.stop()
        if self.receivers:
            await asyncio.wait(self.receivers)
        await self._way.ended()
        await self._crew.ended()

    async def abandon(self) -> None:
        """End what runs, as far as it can be ended, and give back all that is in hand."""
        await self._crew.cancel(self.worker.CANCEL_S)
        await self._returns.now(list(self.hand.values()))

    async def finish(self) -> None:
        """Tell Redis of all that is done, once more at least."""
        await self._acknowledger.finish()

    async def drain(self) -> int:
        """Work on what is due now, one message (or batch) after the other. How many there were."""
        count, most = 0, min(self._way.most, self.slots.share)
        while messages := await self.receiver.receive(most, 0):
            held = await self.receiver.hold(messages)
            await self._way.work(held)
            await self._acknowledger.flush(insist=True)
            # Or what runs next finds its place taken by what has ended.
            await self.worker.gate.left()
            count += len(held)
        return count

    async def tidy(self) -> None:
        """Forget trials of messages that somebody else removed."""
        client, name, cursor = self.worker.client, self.options.queue, "0"
        keys = client._registry.keys(name)
        while True:
            cursor, _ = await client._executor.call(trial.tidy(keys, name, cursor))
            if cursor == "0":
                return
