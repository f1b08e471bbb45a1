"""In process: boto3 and aiobotocore on our engine, without HTTP.

botocore asks before it sends a request whether somebody has the answer already (its before-send
event). We have: the same Endpoint that `rmq serve` puts behind HTTP, in an event loop of our own,
in a thread.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from rmq.client.aio import AsyncClient
from rmq.core.clock import Clock, HeldClock
from rmq.core.limits import Limits
from rmq.errors import ConfigurationError
from rmq.gateway.app import Endpoint, endpoint_limits
from rmq.gateway.controls import Controls
from rmq.gateway.dispatching import Dispatching
from rmq.gateway.http import Request, Response
from rmq.push.settings import push_settings
from rmq.settings import Settings

KEY_ID = "testing"
"""The made-up access key id: not 12 digits, so it stands for the endpoint's own account."""
ENDPOINT_VARIABLES = tuple(f"AWS_ENDPOINT_URL{of}" for of in ("", "_SQS", "_SNS", "_KINESIS"))
"""What would lead the services that we answer for elsewhere."""
ANSWER_S = 5.0
"""Seconds that those who were answered when it ends may take to get their answer."""
CLOSE_S = 10.0
"""Seconds that an engine may take to end. One that Redis keeps waiting is left to itself."""


class Engine:
    """An Endpoint with an event loop in a thread of its own."""

    def __init__(
        self,
        settings: Settings,
        target: Any = None,
        *,
        limits: Limits | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.settings = settings
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._work, name="rmq-endpoint", daemon=True)
        self._running: set[asyncio.Task[Any]] = set()
        self._is_over = False
        self._last_call = threading.RLock()
        """What is asked before it is over is carried out; a loop that has ended hears nothing."""
        client = AsyncClient(
            settings.url if target is None else target,
            settings=settings,
            limits=endpoint_limits() if limits is None else limits,
            clock=clock,
            signs_queues=True,
        )
        pushing = push_settings()
        if isinstance(clock, HeldClock):  # a test, whose subscribers are near
            near = (*pushing.allow_addresses, "loopback")
            pushing = pushing.model_copy(update={"allow_addresses": near})
        dispatching = Dispatching(client, pushing, deadline=ANSWER_S)
        self.endpoint = Endpoint(
            client,
            account=settings.aws_account_id,
            region=settings.aws_region,
            controls=Controls(clock) if isinstance(clock, HeldClock) else None,
            dispatching=dispatching,
        )
        self._services = frozenset(self.endpoint.service_names)
        self._thread.start()

    def serves(self, service: str) -> bool:
        """Whether a botocore service id (sqs) is one of ours."""
        return service.lower() in self._services

    def answer(self, request: Any) -> Reply:
        """The answer to a prepared botocore request."""
        return Reply(self, request.url, self.run(self._answer(_request(request))))

    def next_part(self, parts: AsyncGenerator[bytes, None]) -> Future[bytes | None]:
        """The next part of an answer that goes on; None when it ended, if only with the engine.
        Cancel it to hang up."""
        return self.run(self._next_part(parts), late=None)

    def hang_up(self, parts: AsyncGenerator[bytes, None]) -> None:
        """End an answer of which nobody awaits the next part."""
        self.run(parts.aclose(), late=None)

    def run(self, work: Any, **late: Any) -> Future[Any]:
        """Carry out a coroutine in the engine's loop. *late* is the result when that has ended.

        Raises RuntimeError when it has ended, and *late* is not given.
        """
        with self._last_call:
            if not self._is_over:
                return asyncio.run_coroutine_threadsafe(work, self._loop)
        work.close()
        if "late" not in late:
            raise RuntimeError("the engine was closed")
        found: Future[Any] = Future()
        found.set_result(late["late"])
        return found

    def reset(self) -> None:
        """Remove every queue, topic and stream."""
        self.run(self.endpoint.reset()).result()

    def close(self, *, wipe: bool = False) -> None:
        """Answer those who wait, remove everything if asked to *wipe*, and end the thread.

        Raises what the removal raises, ConnectionLost say; the thread ends all the same.
        """
        end = self.run(self._end(wipe))
        end.add_done_callback(lambda _: self._loop.call_soon_threadsafe(self._loop.stop))
        # Python collects garbage wherever it happens to be, and so may we be here in our own
        # thread, which must not wait for itself.
        if threading.current_thread() is not self._thread:
            try:
                end.result(CLOSE_S)
            finally:
                self._thread.join(CLOSE_S)

    def _work(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            with self._last_call:
                self._is_over = True
            # What was asked until now is a task after one turn.
            self._loop.run_until_complete(asyncio.sleep(0))
            # memory:// is one for all loops of a process: it would go on telling tasks of ours that
            # wait there, in a loop that is closed.
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            if left:
                self._loop.run_until_complete(asyncio.wait(left, timeout=ANSWER_S))
            self._loop.close()

    async def _answer(self, request: Request) -> Response:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            return await self.endpoint(request)
        finally:
            self._running.discard(task)

    async def _next_part(self, parts: AsyncGenerator[bytes, None]) -> bytes | None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            return await anext(parts, None)
        finally:
            self._running.discard(task)

    async def _end(self, wipe: bool) -> None:
        self.endpoint.stopping.set()
        if self._running:
            await asyncio.wait(tuple(self._running), timeout=ANSWER_S)
        try:
            if wipe:
                await self.endpoint.stop_pushing()
                await self.endpoint.client._executor.end_watches()
                await self.endpoint.reset()
        finally:
            await self.endpoint.close()
            late = tuple(self._running)
            for task in late:
                task.cancel()  # or its thread would wait for ever
            await asyncio.gather(*late, return_exceptions=True)


def _request(prepared: Any) -> Request:
    """A botocore AWSPreparedRequest as ours."""
    parts = urlsplit(prepared.url)
    body = prepared.body or b""
    if isinstance(body, str):
        body = body.encode()
    elif not isinstance(body, (bytes, bytearray)):
        body = body.read()
    headers = {
        name.lower(): value.decode("latin-1") if isinstance(value, bytes) else str(value)
        for name, value in prepared.headers.items()
    }
    return Request(
        prepared.method,
        parts.path or "/",
        parts.query,
        headers,
        bytes(body),
        parts.scheme,
        headers.get("host") or parts.netloc,
    )


class Reply:
    """An answer that is on its way: botocore reads it, and waits; aiobotocore awaits it."""

    def __init__(self, engine: Engine, url: str, response: Future[Response]) -> None:
        self._engine = engine
        self._url = url
        self._response = response

    def __getattr__(self, name: str) -> Any:
        from botocore.awsrequest import AWSResponse

        response = self._response.result()
        raw: Any = (
            _Raw(response.body) if response.parts is None else _Parts(self._engine, response.parts)
        )
        arrived = AWSResponse(self._url, response.status, _headers(response), raw)
        self.__dict__ |= {"raw": arrived.raw, "headers": arrived.headers}
        self.__dict__ |= {"status_code": arrived.status_code, "url": arrived.url}
        if response.parts is not None:
            return self.__dict__[name]  # its content has no end yet
        self.__dict__ |= {"content": arrived.content, "text": arrived.text}
        return self.__dict__[name]

    def __await__(self) -> Generator[Any, None, Any]:
        return self._awaited().__await__()

    async def _awaited(self) -> Any:
        from aiobotocore.awsrequest import AioAWSResponse

        response = await asyncio.wrap_future(self._response)
        body: Any = _AsyncRaw(response.body)
        if response.parts is not None:
            body = _Parts(self._engine, response.parts)
        return AioAWSResponse(self._url, response.status, _headers(response), body)


def _headers(response: Response) -> Any:
    from botocore.awsrequest import HeadersDict

    found = response.headers | {"content-type": response.content_type}
    if response.parts is None:
        found["content-length"] = str(len(response.body))
    return HeadersDict(found)


class _Raw(BytesIO):
    """A body as urllib3 hands it out."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        while part := self.read(65_536):
            yield part


class _Parts:
    """An answer that goes on, as urllib3 (stream) and aiohttp (content) hand it out."""

    def __init__(self, engine: Engine, parts: AsyncGenerator[bytes, None]) -> None:
        self._engine = engine
        self._parts = parts
        self._waiting: Future[bytes | None] | None = None
        self._is_closed = False

    def stream(self, **_: Any) -> Iterator[bytes]:
        with suppress(CancelledError):
            while (part := self._asked().result()) is not None:
                yield part

    @property
    def content(self) -> _Parts:
        return self

    async def iter_chunks(self) -> AsyncIterator[tuple[bytes, bool]]:
        while (part := await asyncio.wrap_future(self._asked())) is not None:
            yield part, True

    def close(self) -> None:
        """Hang up, also where another thread waits for the next part."""
        self._is_closed = True
        if self._waiting is None or not self._waiting.cancel():
            self._engine.hang_up(self._parts)

    def _asked(self) -> Future[bytes | None]:
        self._waiting = self._engine.next_part(self._parts)
        if self._is_closed:
            # Who closed it may have looked at the part before.
            self._waiting.cancel()
        return self._waiting


class _AsyncRaw:
    """A body as aiohttp hands it out."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self, amount: int = -1) -> bytes:
        body, self._body = self._body, b""
        return body


def before_send(engine: Callable[[], Engine | None]) -> Callable[..., Reply | None]:
    """A handler of before-send that lets *engine* answer what is its; None goes on to AWS."""

    def handle(request: Any, event_name: str, **_: Any) -> Reply | None:
        found = engine()
        if found is None or not found.serves(event_name.split(".")[1]):
            return None
        return found.answer(request)

    return handle


_all: list[Engine] = []
"""Those that answer every client of this process; the last one does."""


def answer_all(engine: Engine) -> Callable[[], None]:
    """Let *engine* answer every client that is made from now on. The result ends that."""
    from botocore import handlers

    entry = ("before-send", _answer_all)
    if not _all:
        handlers.BUILTIN_HANDLERS.append(entry)
    _all.append(engine)
    before = _default_session(None)

    def end() -> None:
        _all.remove(engine)
        if not _all:
            handlers.BUILTIN_HANDLERS.remove(entry)
        _default_session(before)

    return end


_answer_all = before_send(lambda: _all[-1] if _all else None)


def _default_session(new: Any) -> Any:
    """boto3's default session, which was made before it could know of us."""
    try:
        import boto3
    except ImportError:
        return None
    old, boto3.DEFAULT_SESSION = boto3.DEFAULT_SESSION, new
    return old


def session(
    settings: Settings,
    target: Any = None,
    *,
    limits: Limits | None = None,
    clock: Clock | None = None,
    region_name: str | None = None,
) -> Any:
    """A boto3 Session on an engine that ends with it. See rmq.boto3_session."""
    try:
        import boto3
    except ImportError as error:
        raise ConfigurationError(
            "boto3_session needs boto3, which is not installed; pip install 'rmq[boto3]'"
        ) from error
    engine = Engine(settings, target, limits=limits, clock=clock)
    made = boto3.Session(region_name=region_name)
    keys: dict[str, str] = {}
    if made.get_credentials() is None:
        keys = {"aws_access_key_id": KEY_ID, "aws_secret_access_key": KEY_ID}
    region = made.region_name or settings.aws_region
    made = boto3.Session(region_name=region, **keys)
    # The session and every client of it hold this handler. When the last is gone, the engine ends.
    handler = before_send(lambda: engine)
    made.events.register("before-send", handler)
    weakref.finalize(handler, engine.close)
    return made
