"""Load: what waits for an app's workers, in one look, for whoever starts and stops them.

{"backlog": 1200, "in_flight": 40, "buffered": 3, "delayed": 0, "oldest_age": 12.5,
 "done_per_second": 96.0, "time_to_drain": 12.9, "workers": 4, "workers_wanted": 13}
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from rmq.client.aio import AsyncClient
from rmq.errors import QueueDoesNotExist
from rmq.queues.commands import QueueStats
from rmq.worker import servertime
from rmq.worker.fleet import Fleet


@dataclass(frozen=True, slots=True)
class Load:
    """Of all queues together. Durations are seconds."""

    backlog: int
    """Messages that could be received now."""
    in_flight: int
    """Received and not done, those buffered in workers among them."""
    buffered: int
    """Received, and waiting in a worker for their handler."""
    delayed: int
    """Not due yet: retries that wait, and what was sent for later."""
    oldest_age: float
    """Since the oldest message was sent; 0 where there is none."""
    done_per_second: float
    """Since the look before."""
    time_to_drain: float | None
    """What is there, at that rate; None where nothing gets done."""
    workers: int
    """Live processes of the app."""

    def as_dict(self, wanted: int) -> dict[str, Any]:
        return {**asdict(self), "workers_wanted": wanted}


class Gauge:
    """Looks at an app's queues, again and again."""

    def __init__(self, client: AsyncClient, app: str, queues: Sequence[str]) -> None:
        self._client = client
        self._app = app
        self._fleet = Fleet(client, app)
        self._queues = tuple(queues)
        self._before: tuple[float, int] | None = None

    async def look(self) -> Load:
        """The load now. A queue that does not exist has none. Raises ConnectionLost."""
        stats = [
            one for one in await asyncio.gather(*map(self._stats, self._queues)) if one is not None
        ]
        workers = await self._fleet.workers()
        asked = servertime.now_ms(self._client.namespace, self._app)
        now = await self._client._executor.call(asked) / 1000
        done = sum(one.deleted for one in stats)
        rate = 0.0
        if self._before is not None and now > self._before[0]:
            rate = max(done - self._before[1], 0) / (now - self._before[0])
        self._before = (now, done)
        left = sum(one.visible + one.in_flight for one in stats)
        ages = [
            now - one.oldest_sent_at.timestamp() for one in stats if one.oldest_sent_at is not None
        ]
        return Load(
            backlog=sum(one.visible for one in stats),
            in_flight=sum(one.in_flight for one in stats),
            buffered=sum(
                work.buffered
                for one in workers
                for queue, work in one.queues.items()
                if queue in self._queues
            ),
            delayed=sum(one.delayed for one in stats),
            oldest_age=round(max([*ages, 0.0]), 3),
            done_per_second=round(rate, 3),
            time_to_drain=0.0 if not left else round(left / rate, 3) if rate else None,
            workers=len(workers),
        )

    async def _stats(self, name: str) -> QueueStats | None:
        try:
            return await self._client.queue(name).stats()
        except QueueDoesNotExist:
            return None


class Signal:
    """Says the last load over HTTP, as JSON at any path, from start to close. 503 where there is
    none, or none that is fresh: a scaler then leaves things as they are."""

    def __init__(self, host: str, port: int, look: Callable[[], dict[str, Any] | None]) -> None:
        """*port* 0 takes a free one. Raises OSError where the port is taken."""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = look()
                raw = msgspec.json.encode({"error": "no look yet"} if found is None else found)
                self.send_response(503 if found is None else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *args: Any) -> None:
                """Scalers ask every few seconds; that is no news."""

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
