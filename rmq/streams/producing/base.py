"""What the producers of both colours know and do without waiting."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from rmq.core.script import Plan
from rmq.errors import ConnectionLost, InvalidParameter, RmqError, ServerError
from rmq.streams.attributes import StreamAttributes
from rmq.streams.producing.collecting import Collector, Flight, Outcome, Produced
from rmq.streams.producing.flying import fly
from rmq.streams.producing.metrics import ProducerMetrics
from rmq.streams.producing.settings import ProducerSettings
from rmq.streams.producing.user_record import UserRecord, checked_record
from rmq.streams.record import Put
from rmq.streams.registry import StreamRegistry

OnResult = Callable[[UserRecord, Produced | RmqError], Any]
"""Is told what became of each record: where it is, or the error that ended it."""

log = logging.getLogger("rmq.producer")


class Producing:
    """What the producers of both colours know and do without waiting."""

    def __init__(
        self,
        name: str,
        registry: StreamRegistry,
        executor: Any,
        settings: ProducerSettings,
        on_result: OnResult | None = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self.metrics = ProducerMetrics()
        """What it did until now."""
        self._registry = registry
        self._executor = executor
        self._on_result = on_result
        self._collector: Collector | None = None
        """Made with the first put, which looks for the stream's shards."""
        self._is_closed = False
        self._max_record_size = StreamAttributes().max_record_size

    def __repr__(self) -> str:
        return f"<producer of stream {self.name!r}>"

    def _checked(
        self, data: bytes | str, partition_key: str, explicit_hash_key: int | str | None
    ) -> UserRecord:
        """A record that the stream takes. Raises InvalidParameter."""
        info = self._registry.known(self.name)
        if info is not None:  # else it is just being looked at again
            self._max_record_size = info.attributes.max_record_size
        return checked_record(
            data, partition_key, explicit_hash_key, self._registry.limits, self._max_record_size
        )

    def _flight(self, flight: Flight) -> Plan[list[Put | RmqError | None]]:
        assert self._collector is not None
        records = [parcel.record for parcel in flight]
        return fly(self._registry, self.name, self._collector.shards, records)

    def _landed(self, flight: Flight, results: list[Any], now: float) -> list[Outcome]:
        collector = self._collector
        assert collector is not None
        info = self._registry.known(self.name)
        shards = collector.shards if info is None else info.shards
        return collector.land(flight, results, shards, now)

    def _tell(self, outcomes: list[Outcome]) -> None:
        """Say to who put them what became of records."""
        for pending, result in outcomes:
            future = pending.ticket
            if not future.done():
                if isinstance(result, RmqError):
                    future.set_exception(result)
                else:
                    future.set_result(result)
            if self._on_result is not None:
                if isinstance(result, RmqError) and not future.cancelled():
                    future.exception()  # it is told here: nobody has to look
                try:
                    self._on_result(pending.record, result)
                except Exception:
                    log.exception("on_result of the producer of stream %r failed", self.name)

    def _bug(self, flight: Flight, error: Exception) -> list[Any]:
        """What a flight comes to that failed by a fault of ours: nobody may wait for ever."""
        log.error("the producer of stream %r failed", self.name, exc_info=error)
        return [ServerError(f"{self.name}: {type(error).__name__} ({error})")] * len(flight)

    def _closed(self) -> InvalidParameter:
        return InvalidParameter("producer", f"closed ({self.name})", "open")

    def _given_up(self) -> ConnectionLost:
        return ConnectionLost(f"{self.name}: the producer was closed before this was put")
