"""Proxy: a wire between a client and a server that can lose an answer, once, at the right moment,
and go away for a while.

It stands in the event loop of the test; clients of either colour connect to it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Proxy:
    """Passes everything on, until it is told to lose an answer."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._marker: bytes | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.lost = 0
        """How many answers were lost."""
        self._is_away = False
        self._goes_away = False

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def lose_the_answer_to(self, marker: bytes, *, go_away: bool = False) -> None:
        """Let the next request that contains *marker* through, and hang up instead of bringing back
        what the server answers, and with *go_away* take no connection until come_back. A NOSCRIPT
        is brought back: that was no answer yet."""
        self._marker, self._goes_away = marker, go_away

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_away:
            return
        upstream, up = await asyncio.open_connection("127.0.0.1", self._server_port)
        if self._is_away:  # it went meanwhile
            up.close()
            return
        self._writers |= {writer, up}
        losing = False

        async def there() -> None:
            nonlocal losing
            while data := await reader.read(1 << 20):
                losing = losing or bool(self._marker and self._marker in data)
                up.write(data)
                await up.drain()

        async def back() -> None:
            nonlocal losing
            while data := await upstream.read(1 << 20):
                if losing and self._marker and not data.startswith(b"-NOSCRIPT"):
                    self._marker, self.lost = None, self.lost + 1
                    if self._goes_away:
                        self.go_away()
                    return
                losing = False
                writer.write(data)
                await writer.drain()

        ways = [asyncio.create_task(there()), asyncio.create_task(back())]
        with contextlib.suppress(OSError):
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for one in (writer, up):
            one.close()
            self._writers.discard(one)

    def go_away(self) -> None:
        """Hang up, and take no connection until come_back."""
        self._is_away = True
        self.hang_up()

    def come_back(self) -> None:
        self._is_away = False

    def hang_up(self) -> None:
        for one in tuple(self._writers):
            one.close()

    async def close(self) -> None:
        """Hang up for good. Returns when every connection has ended: one that is left when the loop
        ends is found unclosed in another test."""
        self._is_away = True
        while True:
            for one in tuple(self._writers):
                one.transport.abort()
            await asyncio.sleep(0.01)  # also for those that were just taken
            if not self._tasks:
                break
        await asyncio.sleep(0)


@asynccontextmanager
async def proxy(port: int) -> AsyncIterator[Proxy]:
    """A proxy before the server on *port* of this machine."""
    made = Proxy(port)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await made.close()
