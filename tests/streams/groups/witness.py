"""Witness: writes down what one worker does, for a History."""

from __future__ import annotations

import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from rmq.core.events import Leased
from rmq.streams.groups.commands import Note, Outcome
from rmq.streams.groups.worker import Worker
from tests.streams.groups.history import END, Began, Ended, Handled, Noted, Wanted

Write = Callable[[Any], None]
"""Takes what happened. A call that began is written when it has ended, or as one that has not."""


class Witness:
    """A handler that tells what it gets; and what the worker that it is in does."""

    def __init__(
        self,
        name: str,
        write: Write,
        work: Callable[[Any], Awaitable[None]],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._write = write
        self._work = work
        self._now = now
        self._sessions: dict[int, str] = {}
        """By shard: its reading now."""
        self._numbers = itertools.count(1)

    async def __call__(self, record: Any, lease: Any) -> None:
        text, session = record.data.decode(), self._sessions[record.shard]
        got = self._now()
        self._write(Handled(got, None, session, text))
        await self._work(record)
        self._write(Handled(got, self._now(), session, text))

    def watch(self, worker: Worker) -> None:
        """Look over a worker's shoulder."""
        worker.events.listen(lambda event: self._see(worker, event))
        checkpoint, beat = worker._checkpoint, worker._beat

        async def noting(notes: Sequence[Note]) -> list[Outcome]:
            sent = self._now()
            outcomes = await checkpoint(notes)
            answered = self._now()
            for note, outcome in zip(notes, outcomes, strict=True):
                if outcome in (Outcome.NOTED, Outcome.WANTED):
                    at = END if note.checkpoint is None else tuple(note.checkpoint)
                    self._write(Noted(sent, answered, note.number, note.token, at))
                if outcome is Outcome.WANTED:
                    self._write(Wanted(answered, note.number, note.token))
            return outcomes

        async def beating(most: int) -> Any:
            found = await beat(most)
            for one in found.held:
                if one.is_wanted:
                    self._write(Wanted(self._now(), one.number, one.token))
            return found

        worker._notes._run = noting
        worker._beat = beating

    def _see(self, worker: Worker, event: Any) -> None:
        if not isinstance(event, Leased) or event.worker != worker.id:
            return
        shard = int(event.shard_id[-12:])
        if event.state == "begun":
            session = self._sessions[shard] = f"{self._name}/{next(self._numbers)}"
            checkpoint = tuple(worker._readings[shard]._noted)
            self._write(Began(self._now(), session, shard, event.token, checkpoint))
        else:
            self._write(Ended(self._now(), self._sessions[shard], event.state))
