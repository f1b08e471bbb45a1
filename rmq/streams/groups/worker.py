"""Worker: one process's part of a consumer group. Start as many as you like, anywhere.

    heartbeat, three times a lease ── what is mine now ── a Reading of each shard
      │ shards that are new                                 │ checkpoints, many in one call
      └ nobody reads a shard: told                          └ the end of a shard: heartbeat at once

A worker that can not renew its leases in time drops its shards by itself, before others take them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rmq.core.coalesce import AsyncCoalescer
from rmq.core.events import ShardAlone
from rmq.core.executor import AsyncExecutor
from rmq.core.keys import GroupKeys
from rmq.core.script import Sleep
from rmq.errors import (
    ConfigurationError,
    GroupDoesNotExist,
    RmqError,
    ServerError,
    StaleConfig,
)
from rmq.streams.attributes import StreamInfo, stream_name
from rmq.streams.groups import commands, joining
from rmq.streams.groups.commands import CHECKPOINT_STEP, UNBOUNDED, Beat, Note, Outcome
from rmq.streams.groups.feed import Feed
from rmq.streams.groups.handling import Handling
from rmq.streams.groups.options import ConsumerOptions, DeadLetters, group_name
from rmq.streams.groups.reading import Reading, ended
from rmq.streams.producing.aggregation import MAGIC, deaggregate
from rmq.streams.record import StreamRecord
from rmq.streams.registry import StreamRegistry, described
from rmq.streams.sequence import shard_id
from rmq.streams.sweeping import sweep_all

if TYPE_CHECKING:
    from rmq.streams.aio import AsyncReader

log = logging.getLogger("rmq.streams")

TROUBLE_S = 0.5
"""How soon to go on after trouble with Redis."""
SWEEP_S = 60.0
"""How often a worker looks for streams that are to be swept, more or less."""
FORGET_S = 60.0
"""How often leases of shards that have expired are removed."""
LEAVE_S = 2.0
"""A worker that stops does not wait longer than this for a Redis that is away."""


class Worker:
    """A consumer of a stream, for a group. Get it from `AsyncStream.consumer`.

    Either `run` it, or use it as a context: it works inside, and has stopped behind.
    """

    def __init__(
        self,
        stream: str,
        group: str,
        handler: Callable[..., Any],
        options: ConsumerOptions,
        *,
        registry: StreamRegistry,
        executor: AsyncExecutor,
        reader: Callable[[], AsyncReader],
        dead_letters: DeadLetters | None = None,
        prepare: Callable[[], Awaitable[Any]] | None = None,
    ) -> None:
        """*prepare* is awaited before anything is read, and may raise what is wrong.

        Raises InvalidParameter.
        """
        self.stream = stream_name(stream)
        self.group = group_name(group)
        self.full_name = f"{stream}/{group}"
        self.options = options
        self.events = registry.events
        self.id = f"{options.worker or f'{_host()}:{os.getpid()}'}:{os.urandom(4).hex()}"
        """By which it stands among the group's workers."""
        self.handled = 0
        """Records that were handled, or set aside, since it was made."""
        self.handling = Handling(
            handler,
            options,
            stream=stream,
            group=group,
            events=registry.events,
            dead_letters=dead_letters,
        )
        self._registry = registry
        self._executor = executor
        self._prepare = prepare
        self._keys = GroupKeys(registry.namespace, stream, group)
        self._notes: AsyncCoalescer[Note, Outcome] = AsyncCoalescer(
            self._checkpoint, limit=CHECKPOINT_STEP
        )
        self._info: StreamInfo | None = None
        self._readings: dict[int, Reading] = {}
        self.feed = Feed(self._readings, reader, options.read_limit, self.full_name)
        self._told: dict[int, int] = {}
        """Shards without an owner that were told, and for how long they had none then (ms)."""
        self._forget_at = 0.0
        self._valid_until = 0.0
        """By our own time: until when our leases hold, whatever others do."""
        self._renewed = asyncio.Event()
        self._nudged = asyncio.Event()
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._ended.set()
        self._error: Exception | None = None
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<worker {self.id} of group {self.full_name!r}>"

    # --- running ---

    async def run(self) -> None:
        """Consume until `stop` is called. Trouble with Redis is waited out.

        Raises RecordFailed where the handler fails for good and nothing says what to do then,
        StreamDoesNotExist, GroupDoesNotExist where it is deleted meanwhile, ConfigurationError.
        """
        if not self._ended.is_set():
            raise ConfigurationError(f"{self!r} runs already")
        self._ended.clear()
        self._error = None
        fence = asyncio.create_task(self._watch_leases(), name="rmq-fence")
        feed = asyncio.create_task(self.feed.run(), name="rmq-feed")
        feed.add_done_callback(self._feed_ended)
        house = asyncio.create_task(self._keep_house(), name="rmq-house")
        try:
            await self._work()
            await self._leave()
        except BaseException:
            await self._drop()
            raise
        finally:
            await ended({fence, feed, house})
            self.handling.close()
            self._stopping.clear()
            self._ended.set()
        if self._error is not None:
            raise self._error

    async def _work(self) -> None:
        """Until it is stopping. What is under way then has a moment to end: Redis may be away."""
        working = asyncio.create_task(self._turns(), name="rmq-turns")
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({working}, timeout=LEAVE_S)
        finally:
            await ended({working, stopping})
        if not working.cancelled():
            working.result()

    async def _turns(self) -> None:
        if self._prepare is not None:
            await self._prepare()
        await self._join()
        while not self._stopping.is_set():
            await self._rest(await self._turn())

    async def stop(self) -> None:
        """End: what is in hand may finish within `grace`, checkpoints are noted, and the shards are
        others' at once. Returns when it has ended. What `run` raises, it raises there."""
        self._stopping.set()
        self._nudged.set()
        await self._ended.wait()

    async def __aenter__(self) -> Worker:
        self._task = asyncio.create_task(self.run(), name="rmq-consumer")
        await asyncio.sleep(0)  # or who leaves at once would stop what has not begun
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        task = self._task
        assert task is not None
        try:
            await self.stop()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
            self._task = None
        if not task.cancelled() and (failure := task.exception()) and error is None:
            raise failure

    @property
    def shards(self) -> list[str]:
        """The shards that it reads now."""
        return [shard_id(number) for number, one in self._readings.items() if not one.is_ending]

    @property
    def millis_behind_latest(self) -> int | None:
        """How long ago what was read last arrived, in the shard that is most behind; 0 when all is
        read, None without a shard."""
        return max((one.behind_ms for one in self._readings.values()), default=None)

    # --- what readings ask for ---

    def user_records(self, number: int, record: StreamRecord) -> Sequence[StreamRecord]:
        """What a record brought: itself, or what a producer packed into it."""
        if not record.data.startswith(MAGIC):
            return (record,)
        shard = self._known.shards.get(number)
        if shard is None:
            return deaggregate(record)
        return deaggregate(record, (shard.starting_hash_key, shard.ending_hash_key))

    async def is_over(self, number: int) -> bool:
        """Whether a shard takes no more records, as the stream is now."""
        info = await self._executor.run(described(self._registry, self.stream))
        if info.incarnation != self._known.incarnation:
            self._nudged.set()  # it is another stream by now
            return False
        return number not in info.shards or not info.shards[number].is_open

    async def note(self, note: Note) -> Outcome:
        """Note how far a shard was read. Many that are noted at the same time are one call."""
        return await self._notes.submit(note)

    async def sleep(self, seconds: float) -> None:
        """By the client's clock."""
        await self._executor._step(Sleep(seconds))

    def has_ended(self, reading: Reading, error: Exception | None) -> None:
        """A reading is over."""
        if self._readings.get(reading.number) is reading:
            del self._readings[reading.number]
        if error is not None and self._error is None:
            self._error = error
            self._stopping.set()
        # Children of its shard may begin, or somebody waits for it.
        self._nudged.set()

    def _feed_ended(self, feed: asyncio.Task[None]) -> None:
        """Nothing is read any more."""
        if feed.cancelled():
            return
        error = feed.exception() or ServerError(f"{self.full_name}: the client was closed")
        if isinstance(error, Exception) and self._error is None:
            self._error = error
        self._stopping.set()
        self._nudged.set()

    async def _checkpoint(self, notes: Sequence[Note]) -> list[Outcome]:
        return await self._executor.call(
            commands.checkpoint(self._keys, self.full_name, self.id, notes)
        )

    # --- the heartbeat ---

    async def _join(self) -> None:
        """Be there, or wait until Redis is."""
        while not self._stopping.is_set():
            try:
                info = await self._executor.run(joining.current(self._registry, self.stream))
                await self._open(info, self.options.start)
                return
            except StaleConfig:
                continue
            except ServerError as error:
                log.warning("%s: %s", self.full_name, error)
                await self._rest(TROUBLE_S)

    async def _open(self, info: StreamInfo, start: str | datetime) -> None:
        """Make the group, unless it is there. Only then the stream is the one that we read: after
        trouble the next turn sees it as new again."""
        at = joining.start_of(self._registry, start, info)
        await self._executor.run(joining.join(self._registry, self._keys, self.full_name, info, at))
        self._info = info

    async def _sync(self) -> None:
        await self._executor.run(
            joining.sync(self._registry, self._keys, self.full_name, self._known)
        )

    async def _turn(self) -> float:
        """One heartbeat, and what comes of it. How many seconds until the next."""
        self._nudged.clear()
        try:
            await self._look_at_stream()
            beat = await self._beat(self._most)
            if beat.next_shard < joining.past_all(self._known):
                # The group was reset, or somebody died before this was done.
                await self._sync()
                beat = await self._beat(self._most)
            if any(one.number not in self._known.shards for one in beat.held):
                # Others have seen a reshard before us.
                self._info = await self._executor.run(described(self._registry, self.stream))
        except StaleConfig:
            return 0.0
        except ServerError as error:
            log.warning("%s: %s", self.full_name, error)
            return TROUBLE_S
        except GroupDoesNotExist:
            if await self._is_same_stream():
                raise
            return 0.0
        self._apply(beat)
        return beat.again_ms / 1000

    async def _look_at_stream(self) -> None:
        """Whether there are new shards; whether the stream is another one by now."""
        before = self._known
        info = await self._executor.run(joining.current(self._registry, self.stream))
        if info.incarnation != before.incarnation:
            # Deleted and made anew under us: to this group all of it is new.
            for reading in tuple(self._readings.values()):
                reading.lose()
            return await self._open(info, "TRIM_HORIZON")
        self._info = info
        if info.version != before.version:
            await self._sync()
        elif before.shards.keys() - info.shards.keys() or (
            self._now_s() >= self._forget_at and joining.expired(self._registry, info)
        ):
            self._forget_at = self._now_s() + FORGET_S
            await self._executor.run(
                joining.forget(self._registry, self._keys, self.full_name, info)
            )

    async def _is_same_stream(self) -> bool:
        """Whether the stream is still the one that we know. A group goes with its stream, which may
        have been deleted, and even made anew, since we looked. Raises StreamDoesNotExist."""
        try:
            info = await self._executor.run(described(self._registry, self.stream))
        except ServerError as error:
            log.warning("%s: %s", self.full_name, error)
            return False  # the next turn looks
        return info.incarnation == self._known.incarnation

    async def _beat(self, most: int) -> Beat:
        began = self._now_s()
        beat = await self._executor.call(
            commands.heartbeat(
                self._keys,
                self.full_name,
                self._known.incarnation_text,
                self.id,
                lease_ms=round(self.options.lease_s * 1000),
                most=most,
                alarm_ms=self.options.alarm_ms,
            )
        )
        self._valid_until = began + self.options.lease_s
        self._renewed.set()
        return beat

    def _apply(self, beat: Beat) -> None:
        """Begin and end readings, as the leases are now."""
        held = {one.number: one for one in beat.held}
        for number, reading in tuple(self._readings.items()):
            lease = held.pop(number, None)
            if lease is None or lease.token != reading.token:
                # One that is ending has let go by itself, or is about to.
                if not reading.is_ending or lease is not None:
                    reading.lose()
            elif lease.is_wanted:
                reading.leave("handed over")
            else:
                reading.nudge()
        for number, lease in held.items():
            if not self._stopping.is_set():
                if number not in self._known.shards:
                    log.error("%s: %s has expired unread", self.full_name, shard_id(number))
                self._readings[number] = Reading(self, lease)
                self._readings[number].start()
                self.feed.nudge()
        self._tell_alone(beat.alone)

    def _tell_alone(self, alone: dict[int, int]) -> None:
        self._told = {number: ms for number, ms in self._told.items() if number in alone}
        for number, alone_ms in alone.items():
            # Again when it has been so for twice as long.
            if alone_ms < 2 * self._told.get(number, 0):
                continue
            self._told[number] = max(alone_ms, 1)
            log.error(
                "%s: nobody has read %s for %.0f s: too few workers, or they take too few shards",
                self.full_name,
                shard_id(number),
                alone_ms / 1000,
            )
            if self.events:
                self.events.tell(
                    ShardAlone(
                        queue=self.stream,
                        group=self.group,
                        shard_id=shard_id(number),
                        alone_ms=alone_ms,
                    )
                )

    async def _rest(self, seconds: float) -> None:
        """Wait for the next heartbeat, or for a reason to come earlier."""
        if self._nudged.is_set() or seconds <= 0:
            # Never without a breath: a stream that changes all the time would hold up the rest.
            await asyncio.sleep(0)
            return
        nudged = asyncio.create_task(self._nudged.wait())
        slept = asyncio.create_task(self.sleep(seconds))
        try:
            await asyncio.wait({nudged, slept}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            nudged.cancel()
            slept.cancel()

    async def _watch_leases(self) -> None:
        """Drop every shard when our leases may have run out: Redis is away, or we were."""
        while True:
            left = self._valid_until - self._now_s()
            if left > 0:
                await self.sleep(left)
                continue
            for reading in tuple(self._readings.values()):
                reading.lose()
            self._renewed.clear()
            await self._renewed.wait()

    async def _keep_house(self) -> None:
        """Sweep streams that nobody sweeps, those that nobody reads or writes too."""
        after: str | None = None
        while True:
            # Not all workers at once.
            await self.sleep(SWEEP_S * (0.5 + random.random()))
            try:
                after = await self._executor.run(sweep_all(self._registry, after))
            except RmqError as error:
                log.warning("%s: %s", self.full_name, error)

    # --- the end ---

    async def _leave(self) -> None:
        """Let everything go in good order; heartbeats go on until nothing is in hand."""
        how = "failed" if self._error is not None else "stopped"
        while self._readings:
            for reading in tuple(self._readings.values()):
                reading.leave(how)
            self._nudged.clear()
            again_s = TROUBLE_S
            try:
                async with asyncio.timeout(LEAVE_S):
                    beat = await self._beat(0)
            except (RmqError, TimeoutError) as error:
                log.warning("%s: %s", self.full_name, str(error) or "no answer")
            else:
                self._apply(beat)
                again_s = beat.again_ms / 1000
            if self._readings:
                await self._rest(again_s)
        with suppress(RmqError, TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await self._executor.call(commands.leave(self._keys, self.full_name, self.id))

    async def _drop(self) -> None:
        """Let everything go at once: the stream or the group is gone, or we are cancelled."""
        readings = tuple(self._readings.values())
        for reading in readings:
            reading.lose()
        for reading in readings:
            await reading.wait()
        with suppress(RmqError, TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await self._executor.call(commands.leave(self._keys, self.full_name, self.id))

    @property
    def _known(self) -> StreamInfo:
        assert self._info is not None
        return self._info

    @property
    def _most(self) -> int:
        return self.options.max_shards or UNBOUNDED

    def _now_s(self) -> float:
        """Our own time, in seconds: that of a held clock, else one that nobody sets."""
        clock = self._executor.clock
        return clock.now_ms() / 1000 if clock.held else time.monotonic()


def _host() -> str:
    """This machine's name, as far as a worker's name may have it."""
    return "".join(one for one in socket.gethostname() if one.isalnum() or one in "_.-")[:64] or "h"
