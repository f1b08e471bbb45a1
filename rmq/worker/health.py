"""Health: how a worker is, over HTTP, for whoever restarts those that do not work.

    /live     200 while every process polled within the last minute, else 503
    /ready    200 once every process works, and none is stopping
    /stats    figures, as JSON

Answered from a thread of its own: a handler that blocks the event loop changes what is said, and
not whether it is said.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

Look = Callable[[], tuple[bool, bool, dict[str, Any]]]
"""Whether it is live, whether it is ready, and its figures."""


class Health:
    """A small HTTP server, from start to close."""

    def __init__(self, host: str, port: int, look: Look) -> None:
        """*port* 0 takes a free one. Raises OSError where the port is taken."""
        self._server = ThreadingHTTPServer((host, port), _handler(look))
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="rmq-health", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(look: Look) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            live, ready, figures = look()
            found = {"/live": live, "/ready": ready, "/stats": True}
            path = self.path.partition("?")[0]
            status = 404 if path not in found else 200 if found[path] else 503
            body = (
                {"live": live, "ready": ready, **figures}
                if path == "/stats"
                else {
                    "status": {200: "ok", 404: "there are /live, /ready and /stats"}.get(
                        status, "not " + path[1:]
                    )
                }
            )
            raw = msgspec.json.encode(body)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: Any) -> None:
            """Probes come every few seconds; they are no news."""

    return Handler
