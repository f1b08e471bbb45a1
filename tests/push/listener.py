"""A subscriber over HTTP: it keeps what it is sent, and answers as a test wants it to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import msgspec

from tests.colours import PATIENCE


@dataclass(frozen=True)
class Request:
    """What came."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    connection: int
    """The number of the connection that it came on."""

    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass(frozen=True)
class Answer:
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Listener:
    """Listens on 127.0.0.1. `answer` says with what, request by request; by default with 200."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answer: Callable[[Request], Answer | int] = lambda request: 200
        self.hanging: asyncio.Event | None = None
        """Answers wait for it, where there is one."""
        self.connections = 0
        self.most_at_once = 0
        self._at_once = 0
        self._came = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def start(cls, tls: ssl.SSLContext | None = None) -> Self:
        made = cls()
        made._server = await asyncio.start_server(made._serve, "127.0.0.1", 0, ssl=tls)
        made.port = made._server.sockets[0].getsockname()[1]
        made._scheme = "https" if tls else "http"
        return made

    def url(self, path: str = "/", *, user: str = "") -> str:
        return f"{self._scheme}://{user and user + '@'}127.0.0.1:{self.port}{path}"

    @property
    def bodies(self) -> list[bytes]:
        return [one.body for one in self.requests]

    async def reached(self, count: int, patience: float = PATIENCE) -> None:
        """Wait until so many requests have come."""
        async with asyncio.timeout(patience), self._came:
            await self._came.wait_for(lambda: len(self.requests) >= count)

    async def close(self) -> None:
        self._server.close()
        if self.hanging is not None:
            self.hanging.set()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            while await self._one(reader, writer, self.connections):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        request = Request(method, path, headers, body, number)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        async with self._came:
            self.requests.append(request)
            self._came.notify_all()
        try:
            if self.hanging is not None:
                await self.hanging.wait()
            found = self.answer(request)
            answer = found if isinstance(found, Answer) else Answer(found)
        finally:
            self._at_once -= 1
        lines = [f"HTTP/1.1 {answer.status} OK", f"Content-Length: {len(answer.body)}"]
        lines += [f"{name}: {value}" for name, value in answer.headers]
        writer.write("\r\n".join([*lines, "", ""]).encode() + answer.body)
        await writer.drain()
        return True
