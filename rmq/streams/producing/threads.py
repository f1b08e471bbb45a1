"""The producer for threads: one thread decides what leaves, a few carry it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

from rmq.errors import RmqError
from rmq.streams.producing.base import Producing
from rmq.streams.producing.collecting import Collector, Flight, Outcome, Produced
from rmq.streams.registry import known

FLIGHTS = 4
"""Under way at a time, each on a connection of its own. Shards that answer wait for no other as
long as not so many are silent."""


class Producer(Producing):
    """Brings records into one stream, many together. Get it from `stream.producer()`, and use it as
    a context: when that ends, all that was put is done. Safe to use from many threads.

        with stream.producer() as producer:
            for truck, position in positions:
                producer.put(position, truck)
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._changed = threading.Condition(threading.RLock())
        """Guards the collector. Notified when something came, is done or is to end."""
        self._flights = self._telling = 0
        self._carriers: ThreadPoolExecutor | None = None

    def put(
        self,
        data: bytes | str,
        partition_key: str,
        *,
        explicit_hash_key: int | str | None = None,
    ) -> Future[Produced]:
        """Take a record, and return a future of where it then is in the stream, or of the error
        that ended it. Nobody has to wait for it. The order within a partition key is kept.

        Waits only while the producer holds as much as it may: max_buffered_bytes and _records.

        Raises InvalidParameter for what no stream takes, and StreamDoesNotExist. The future may
        raise RateExceeded, OutOfMemory and ConnectionLost when it was tried for record_ttl; after a
        ConnectionLost the stream may have it all the same.
        Source: Kinesis Producer Library (Amazon Kinesis Data Streams Developer Guide).
        """
        collector = self._collector or self._begin()
        record = self._checked(data, partition_key, explicit_hash_key)
        future: Future[Produced] = Future()
        future.set_running_or_notify_cancel()  # nobody can take it back
        with self._changed:
            while collector.is_full and not self._is_closed:
                self._changed.wait()
            if self._is_closed:
                raise self._closed()
            if collector.add(record, future, time.monotonic()):
                self._changed.notify_all()
        return future

    def flush(self) -> None:
        """Send what waits at once, and return when all that was put before is done: in the stream,
        or given up."""
        self._flush(None)

    def close(self, timeout: float | None = None) -> None:
        """Take no more, and return when all that was put is done: in the stream, or given up, with
        the error in its future and told to on_result.

        After *timeout* seconds (None: as long as record_ttl lets each be tried) what waits is given
        up; what is under way is still waited for.
        """
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        collector = self._collector
        if collector is None:
            return
        self._flush(timeout)
        while True:
            with self._changed:
                outcomes = collector.give_up(self._given_up())
                if not outcomes:
                    if not self._flights and not self._telling:
                        break
                    self._changed.wait()
                    continue
                self._telling += 1
            self._say(outcomes)
        assert self._carriers is not None
        self._carriers.shutdown()

    def __enter__(self) -> Producer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _begin(self) -> Collector:
        info = self._executor.run(known(self._registry, self.name))
        with self._changed:
            if self._collector is None:
                self._collector = Collector(self.settings, info.shards, self.metrics)
                self._carriers = ThreadPoolExecutor(FLIGHTS, "rmq-produce")
                threading.Thread(target=self._work, name="rmq-producer", daemon=True).start()
            return self._collector

    def _flush(self, timeout: float | None) -> None:
        """Raises nothing: after *timeout* seconds it returns all the same."""
        collector = self._collector
        if collector is None:
            return
        with self._changed:
            epoch = collector.flush()
            self._changed.notify_all()
            self._changed.wait_for(lambda: collector.is_over(epoch) and not self._telling, timeout)

    def _work(self) -> None:
        """Let leave what has to, until the producer is closed and empty."""
        collector, carriers = self._collector, self._carriers
        assert collector is not None
        assert carriers is not None
        while True:
            with self._changed:
                if self._is_closed and collector.is_empty:
                    return
                outcomes = collector.expired(time.monotonic())
                while self._flights < FLIGHTS and (flight := collector.depart(time.monotonic())):
                    self._flights += 1
                    carriers.submit(self._fly, flight)
                if not outcomes:
                    due = collector.due(time.monotonic()) if self._flights < FLIGHTS else None
                    self._changed.wait(due)
                    continue
                self._telling += 1
            self._say(outcomes)

    def _fly(self, flight: Flight) -> None:
        results: list[Any]
        try:
            results = self._executor.run(self._flight(flight))
        except RmqError as error:
            results = [error] * len(flight)
        except Exception as error:
            results = self._bug(flight, error)
        with self._changed:
            outcomes = self._landed(flight, results, time.monotonic())
            self._telling += 1
            self._flights -= 1
        self._say(outcomes)

    def _say(self, outcomes: list[Outcome]) -> None:
        """Tell, without the lock: who is told may put more."""
        try:
            self._tell(outcomes)
        finally:
            with self._changed:
                self._telling -= 1
                self._changed.notify_all()
