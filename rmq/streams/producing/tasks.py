"""The producer for asyncio: each flight is a task, and one timer says when the next one leaves."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

from rmq.errors import RmqError
from rmq.streams.producing.base import Producing
from rmq.streams.producing.collecting import Collector, Flight, Outcome, Produced
from rmq.streams.registry import known

TURN = 100
"""After so many records that found room at once, the loop gets its turn: what waits has to leave
while more comes."""


class AsyncProducer(Producing):
    """Brings records into one stream, many together. Get it from `stream.producer()`, and use it as
    a context: when that ends, all that was put is done.

        async with stream.producer() as producer:
            for truck, position in positions:
                await producer.put(position, truck)
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._timer: asyncio.TimerHandle | None = None
        self._flights: set[asyncio.Task[None]] = set()
        self._done = asyncio.Event()
        """Set, and replaced by another, whenever something is done: there may be room."""

    async def put(
        self,
        data: bytes | str,
        partition_key: str,
        *,
        explicit_hash_key: int | str | None = None,
    ) -> asyncio.Future[Produced]:
        """Take a record, and return a future of where it then is in the stream, or of the error
        that ended it. Nobody has to wait for it. The order within a partition key is kept.

        Waits only while the producer holds as much as it may: max_buffered_bytes and _records.

        Raises InvalidParameter for what no stream takes, and StreamDoesNotExist. The future may
        raise RateExceeded, OutOfMemory and ConnectionLost when it was tried for record_ttl; after a
        ConnectionLost the stream may have it all the same.
        Source: Kinesis Producer Library (Amazon Kinesis Data Streams Developer Guide).
        """
        collector = self._collector or await self._begin()
        record = self._checked(data, partition_key, explicit_hash_key)
        if not self.metrics.user_records % TURN:
            await asyncio.sleep(0)
        while collector.is_full and not self._is_closed:
            await self._done.wait()
        if self._is_closed:
            raise self._closed()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Produced] = loop.create_future()
        if collector.add(record, future, loop.time()):
            self._plan()
        return future

    async def flush(self) -> None:
        """Send what waits at once, and return when all that was put before is done: in the stream,
        or given up."""
        collector = self._collector
        if collector is None:
            return
        epoch = collector.flush()
        self._depart()
        while not collector.is_over(epoch):
            await self._done.wait()

    async def close(self, timeout: float | None = None) -> None:
        """Take no more, and return when all that was put is done: in the stream, or given up, with
        the error in its future and told to on_result.

        After *timeout* seconds (None: as long as record_ttl lets each be tried) what waits is given
        up; what is under way is still waited for.
        """
        self._is_closed = True
        self._wake()
        try:
            async with asyncio.timeout(timeout):
                await self.flush()
        except TimeoutError:
            collector = self._collector
            assert collector is not None
            while not collector.is_empty:
                self._tell(collector.give_up(self._given_up()))
                if self._flights:
                    await asyncio.wait(self._flights)
        self._cancel_timer()

    async def __aenter__(self) -> AsyncProducer:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _begin(self) -> Collector:
        info = await self._executor.run(known(self._registry, self.name))
        if self._collector is None:
            self._collector = Collector(self.settings, info.shards, self.metrics)
        return self._collector

    def _plan(self) -> None:
        """Have _depart called when the next flight leaves."""
        loop = asyncio.get_running_loop()
        assert self._collector is not None
        due = self._collector.due(loop.time())
        if due is None:
            return
        at = loop.time() + due
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = loop.call_at(at, self._depart)

    def _depart(self) -> None:
        self._cancel_timer()
        loop, collector = asyncio.get_running_loop(), self._collector
        assert collector is not None
        self._settle(collector.expired(loop.time()))
        while flight := collector.depart(loop.time()):
            task = loop.create_task(self._fly(flight), name="rmq-produce")
            self._flights.add(task)
            task.add_done_callback(self._flights.discard)
        self._plan()

    async def _fly(self, flight: Flight) -> None:
        try:
            results = await self._put(flight)
        except asyncio.CancelledError:  # with the loop: nobody will come for these
            for parcel in flight:
                for one in parcel.pending:
                    one.ticket.cancel()
            raise
        self._settle(self._landed(flight, results, asyncio.get_running_loop().time()))
        self._depart()

    async def _put(self, flight: Flight) -> list[Any]:
        try:
            results: list[Any] = await self._executor.run(self._flight(flight))
        except RmqError as error:
            return [error] * len(flight)
        except Exception as error:
            return self._bug(flight, error)
        return results

    def _settle(self, outcomes: list[Outcome]) -> None:
        if outcomes:
            self._tell(outcomes)
            self._wake()

    def _wake(self) -> None:
        done, self._done = self._done, asyncio.Event()
        done.set()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
