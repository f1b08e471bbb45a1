"""A server that speaks nothing but HTTP/2 over TLS, as Apple's does. It answers all with 200."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import trustme
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded


class Http2:
    """Keeps headers and body of each request."""

    def __init__(self, authority: trustme.CA) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.connections = 0
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.set_alpn_protocols(["h2"])
        authority.issue_cert("localhost").configure_cert(self._tls)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        h2.initiate_connection()
        streams: dict[int, tuple[dict[str, str], bytearray]] = {}
        while True:
            writer.write(h2.data_to_send())
            data = await reader.read(65_536)
            if not data:
                writer.close()
                return
            for event in h2.receive_data(data):
                self._take(h2, event, streams)

    def _take(self, h2: H2Connection, event: Any, streams: dict[int, Any]) -> None:
        if isinstance(event, RequestReceived):
            streams[event.stream_id] = dict(event.headers), bytearray()
        elif isinstance(event, DataReceived):
            streams[event.stream_id][1].extend(event.data)
            h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded):
            headers, body = streams.pop(event.stream_id)
            self.requests.append((headers, bytes(body)))
            h2.send_headers(event.stream_id, [(":status", "200")], end_stream=True)
