"""The transport: connections go to the addresses that were checked, by real sockets.

Listeners stand on several addresses of the loopback network. One of them is allowed and plays the
host that may be called; the others are what must not be reached.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence

import aiohttp
import pytest
import trustme

from rmq.errors import AddressRefused, InvalidParameter
from rmq.security.address import AllowList
from rmq.security.transport import GuardedResolver, guarded_session
from tests.colours import PATIENCE

GOOD, BAD = "127.0.0.2", "127.0.0.3"
ALLOW = AllowList.of([GOOD])
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Listener:
    """An HTTP server that keeps what it is asked, and gives one answer to all of it."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.names: list[str | None] = []
        """What TLS was asked for, by SNI."""
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.asked.append(head)
                writer.write(self.answer)
                await writer.drain()
        writer.close()


@pytest.fixture
async def listen() -> AsyncIterator[Callable[..., object]]:
    """Makes listeners; those that are asked for with the port of another stand beside it."""
    async with contextlib.AsyncExitStack() as stack:

        async def make(
            host: str = GOOD,
            port: int = 0,
            answer: bytes = OK,
            tls: ssl.SSLContext | None = None,
        ) -> Listener:
            found = Listener(answer)
            if tls is not None:
                tls.sni_callback = lambda connection, name, context: found.names.append(name)
            server = await asyncio.start_server(found.serve, host, port, ssl=tls)
            stack.callback(server.close)
            found.port = server.sockets[0].getsockname()[1]
            return found

        yield make


class Names:
    """A resolver that gives its answers one after the other, the last for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


async def get(session: aiohttp.ClientSession, url: str, **more: object) -> tuple[int, str]:
    """Status and text of an answer. No redirect is followed unless that is asked for."""
    async with session.get(url, **{"allow_redirects": False, **more}) as answer:
        return answer.status, await answer.text()


async def test_a_call_goes_to_the_checked_address_and_keeps_the_hosts_name(listen):
    good = await listen()
    names = Names([GOOD])

    async with guarded_session(ALLOW, resolver=names) as session:
        url = f"http://hooks.example:{good.port}/a?b=c"
        async with session.post(url, data=b"x") as found:
            assert (found.status, await found.text()) == (200, "ok")

    [head] = good.asked
    assert head.startswith("POST /a?b=c HTTP/1.1\r\n")
    assert f"\r\nhost: hooks.example:{good.port}\r\n" in head.lower()
    assert names.asked == [("hooks.example", good.port)]


async def test_a_name_that_is_answered_anew_between_check_and_use_wins_nothing(listen):
    """DNS rebinding: first an address that may be called, then one inside."""
    good = await listen(answer=OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    bad = await listen(BAD, good.port)
    names = Names([GOOD], [BAD])
    url = f"http://rebind.example:{good.port}/"

    async with guarded_session(ALLOW, resolver=names) as session:
        assert await get(session, url) == (200, "ok")
        assert (len(good.asked), len(names.asked)) == (1, 1)  # asked once, and believed once

        with pytest.raises(AddressRefused, match=BAD.replace(".", r"\.")):
            await get(session, url)

    assert bad.asked == []
    assert len(good.asked) == 1


async def test_a_public_address_is_all_that_a_connection_gets_to_know():
    resolver = GuardedResolver(resolver=Names(["93.184.216.34"], ["10.0.0.1"]))

    [found] = await resolver.resolve("rebind.example", 80)
    with pytest.raises(AddressRefused):
        await resolver.resolve("rebind.example", 80)

    assert (found["host"], found["port"]) == ("93.184.216.34", 80)


@pytest.mark.parametrize(
    "host", [BAD, "127.0.0.1", "[::1]", "[::ffff:127.0.0.3]", "0.0.0.0", "2130706433", "localhost"]
)
async def test_what_may_not_be_called_is_not(listen, host):
    bad = await listen(BAD)

    async with guarded_session(ALLOW) as session:
        with pytest.raises(AddressRefused):
            await get(session, f"http://{host}:{bad.port}/")

    assert bad.asked == []


async def test_a_connection_that_is_kept_open_is_used_again(listen):
    good = await listen()
    names = Names([GOOD], [BAD])

    async with guarded_session(ALLOW, resolver=names) as session:
        for _ in range(3):
            await get(session, f"http://hooks.example:{good.port}/")

    assert (len(good.asked), len(names.asked)) == (3, 1)


async def test_the_next_address_is_tried_when_one_does_not_answer(listen):
    good = await listen()
    allow = AllowList.of([GOOD, BAD])  # nobody listens at the other

    async with guarded_session(allow, resolver=Names([BAD, GOOD])) as session:
        assert await get(session, f"http://hooks.example:{good.port}/") == (200, "ok")


async def test_a_redirect_is_an_answer_and_not_followed(listen):
    bad = await listen(BAD)
    there = f"http://{BAD}:{bad.port}/".encode()
    answer = b"HTTP/1.1 302 Found\r\nLocation: " + there + b"\r\nContent-Length: 0\r\n\r\n"
    good = await listen(answer=answer)

    async with guarded_session(ALLOW, resolver=Names([GOOD])) as session:
        url = f"http://hooks.example:{good.port}/"
        assert (await get(session, url))[0] == 302
        with pytest.raises(AddressRefused):  # nor by whoever asks for it
            await get(session, url, allow_redirects=True)

    assert bad.asked == []


async def test_no_proxy_of_the_environment_connects_in_our_place(listen, monkeypatch):
    good = await listen()
    proxy = await listen(BAD)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{BAD}:{proxy.port}")

    async with guarded_session(ALLOW, resolver=Names([GOOD])) as session:
        await get(session, f"http://hooks.example:{good.port}/")

    assert (len(proxy.asked), len(good.asked)) == (0, 1)


# --- TLS -----------------------------------------------------------------------------------------


def _contexts(name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's, with a certificate for *name*, and the client's, which trusts its authority."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert(name).configure_cert(server)
    authority.configure_trust(client)
    return server, client


async def test_tls_goes_by_the_hosts_name(listen):
    server, trust = _contexts("hooks.example")
    good = await listen(tls=server)

    async with guarded_session(ALLOW, resolver=Names([GOOD]), verify=trust) as session:
        assert await get(session, f"https://hooks.example:{good.port}/") == (200, "ok")

    assert good.names == ["hooks.example"]


async def test_a_certificate_for_another_name_is_refused(listen):
    server, trust = _contexts("other.example")
    good = await listen(tls=server)

    async with guarded_session(ALLOW, resolver=Names([GOOD]), verify=trust) as session:
        with pytest.raises(aiohttp.ClientConnectorError, match=r"(?i)hostname mismatch"):
            await get(session, f"https://hooks.example:{good.port}/")

    assert good.asked == []


# --- trouble -------------------------------------------------------------------------------------


async def test_a_host_that_is_not_found_is_a_connect_error():
    async def nowhere(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    async with guarded_session(resolver=nowhere) as session:
        with pytest.raises(aiohttp.ClientConnectorError, match="unknown"):
            await get(session, "http://hooks.example/")


async def test_a_host_that_nobody_listens_at_is_a_connect_error(listen):
    good = await listen()

    async with guarded_session(AllowList.of([BAD]), resolver=Names([BAD])) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await get(session, f"http://hooks.example:{good.port}/")


async def test_the_timeout_is_for_finding_the_address_too():
    async def never(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        raise AssertionError

    async with guarded_session(resolver=never, timeout=0.05) as session:
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(TimeoutError):
                await get(session, "http://hooks.example/")


@pytest.mark.parametrize(
    ("answer", "error", "timeout"),
    [
        (b"nonsense\r\n\r\n", aiohttp.ClientResponseError, PATIENCE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", TimeoutError, 0.2),
    ],
)
async def test_an_answer_that_is_none_is_an_error(listen, answer, error, timeout):
    good = await listen(answer=answer)

    async with guarded_session(ALLOW, resolver=Names([GOOD]), timeout=timeout) as session:
        with pytest.raises(error):
            await get(session, f"http://hooks.example:{good.port}/")


async def test_a_host_that_is_none_is_refused():
    async with guarded_session() as session:
        with pytest.raises(InvalidParameter):
            await get(session, "http://-a.example/")


async def test_a_session_that_is_closed_leaves_no_connection(listen):
    good = await listen()
    session = guarded_session(ALLOW, resolver=Names([GOOD]))
    await get(session, f"http://hooks.example:{good.port}/")
    kept = {id(one) for one in asyncio.all_tasks()}

    await session.close()

    assert session.connector is None or session.connector.closed
    assert {id(one) for one in asyncio.all_tasks()} <= kept
