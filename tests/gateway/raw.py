"""Raw: bytes into a socket, and the response that comes back; for what no client would send."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterable

from rmq.gateway.http import Response
from tests.gateway.sdk import TIMEOUT_S
from tests.servers import HOST


def head(*headers: str, target: str = "/", method: str = "POST") -> bytes:
    """The head of a request, up to and with its empty line."""
    lines = (f"{method} {target} HTTP/1.1", f"host: {HOST}", *headers, "", "")
    return "\r\n".join(lines).encode("latin-1")


def exchange(port: int, parts: Iterable[bytes], method: str = "POST") -> Response:
    """Send *parts* and read one response. The server may answer before it has read them all."""
    with connected(port) as connection:
        with contextlib.suppress(ConnectionError):
            for part in parts:
                connection.sendall(part)
        return read(connection, method)


def connected(port: int) -> socket.socket:
    return socket.create_connection((HOST, port), timeout=TIMEOUT_S)


def read(connection: socket.socket, method: str = "POST") -> Response:
    """One response. Raises ConnectionError, http.client.BadStatusLine where there is none."""
    with http.client.HTTPResponse(connection, method=method) as reply:
        reply.begin()
        headers = {name.lower(): value for name, value in reply.getheaders()}
        return Response(reply.status, reply.read(), headers.get("content-type", ""), headers)
