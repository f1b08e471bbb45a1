"""Waiting: long polls over HTTP. Many clients cost little, and who hangs up loses nothing."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, closing, suppress
from typing import Any, Self
from urllib.parse import urlsplit

import psutil
import pytest
import redis

from rmq.gateway.controls import CLOCK
from rmq.gateway.http import Request, Response
from tests.colours import PATIENCE, until
from tests.gateway.sdk import REGION, Sdk, over_http
from tests.gateway.serving import Serving, serving
from tests.servers import HOST, Server, single_server

MANY = 1_000
CONNECTIONS = 10
"""To Redis, at most, however many wait."""
CALM_S = 0.3
"""How long nothing more may happen for us to say that nothing more happens."""
CALM_LOOKS = 10
"""How often the endpoint has to answer meanwhile: it may be that it only has no time."""
ALIVE = Request("GET", "/health/live", "", {}, b"")
FOR_EVER = 43_200
"""A visibility timeout, in seconds: what is lost is lost for this test."""


class Poll:
    """A ReceiveMessage that is under way, on a connection of its own."""

    def __init__(
        self, sqs: Sdk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._sqs, self._reader, self._writer = sqs, reader, writer
        self._answer = asyncio.create_task(self._read())

    @classmethod
    async def begin(cls, sqs: Sdk, port: int, url: str, **parameters: Any) -> Self:
        asked = {"QueueUrl": url, "WaitTimeSeconds": 20, "VisibilityTimeout": FOR_EVER}
        request = sqs.request("ReceiveMessage", asked | parameters)
        reader, writer = await asyncio.open_connection(HOST, port)
        headers = dict(request.headers) | {"host": HOST, "content-length": str(len(request.body))}
        # To the queue's own path, as SDKs may: it is in the line of the log.
        path = urlsplit(url).path
        lines = [
            f"POST {path} HTTP/1.1",
            *(f"{name}: {one}" for name, one in headers.items()),
            "",
            "",
        ]
        writer.write("\r\n".join(lines).encode() + request.body)
        await writer.drain()
        return cls(sqs, reader, writer)

    @property
    def answered(self) -> bool:
        return self._answer.done()

    async def messages(self) -> list[dict[str, Any]]:
        """What it is answered with."""
        async with asyncio.timeout(PATIENCE):
            response = await self._answer
        assert response is not None, "the connection ended without an answer"
        said, _ = self._sqs.read("ReceiveMessage", response)
        return list(said.get("Messages", ()))

    async def bodies(self) -> list[str]:
        return [one["Body"] for one in await self.messages()]

    async def hang_up(self) -> bool:
        """Say that nothing more is sent, which ends an HTTP client. Whether it was answered.

        Not a plain close(): so we can tell an answer that the endpoint still gave to the network,
        where it is nobody's to take back, from one that it knows it has not given.
        """
        self._writer.write_eof()
        async with asyncio.timeout(PATIENCE):
            response = await self._answer
        await self.close()
        return response is not None and b"ReceiptHandle" in response.body

    async def close(self) -> None:
        self._answer.cancel()
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _read(self) -> Response | None:
        try:
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        first, *lines = head.strip().split("\r\n")
        headers = {
            name.lower(): one.strip() for name, _, one in (line.partition(":") for line in lines)
        }
        body = await self._reader.readexactly(int(headers["content-length"]))
        return Response(int(first.split(" ")[1]), body, headers["content-type"], headers)


class Place:
    """An endpoint in real time on a server of its own, which can be asked what it did."""

    def __init__(self, endpoint: Serving, admin: redis.Redis) -> None:
        self.endpoint = endpoint
        self.admin = admin
        self.polls: list[Poll] = []
        self._carry = over_http(endpoint.url)

    def sdk(self) -> Sdk:
        """An account that nobody else has."""
        return Sdk("json", over_http(self.endpoint.url))

    async def poll(self, sqs: Sdk, url: str, **parameters: Any) -> Poll:
        made = await Poll.begin(sqs, self.endpoint.port, url, **parameters)
        self.polls.append(made)
        return made

    async def asleep(self, sqs: Sdk, url: str) -> None:
        """Wait until a receive of this queue has found nothing, and waits."""
        namespace = f"{self.endpoint.namespace}.{sqs.account}.{REGION}"
        key = f"{namespace}:{{q:{url.rpartition('/')[2]}}}:state"
        await until(lambda: int(self.admin.hget(key, "waiting") or 0) > 0)

    async def calm(self, at_least: int = 0) -> int:
        """Wait until no more scripts are run, and somebody sleeps. How many were run so far, which
        will be *at_least* so many."""
        loop = asyncio.get_running_loop()
        last, since, looks, end = -1, loop.time(), 0, loop.time() + 3 * PATIENCE
        while loop.time() - since < CALM_S or looks < CALM_LOOKS:
            assert loop.time() < end, "it does not come to rest"
            await asyncio.sleep(0.02)
            # Answered behind all that came before; a few, for it may have workers.
            await asyncio.gather(*(self._carry(ALIVE) for _ in range(3)))
            looks += 1
            now = self.scripts()
            if now != last or now < at_least or not self.admin.info("clients")["blocked_clients"]:
                last, since, looks = now, loop.time(), 0
        return last

    def scripts(self) -> int:
        return int(self.admin.info("commandstats")["cmdstat_evalsha"]["calls"])

    def ended(self, url: str) -> int:
        """How many polls of a queue have ended, answered or not."""
        return self.endpoint.said().count(f" {urlsplit(url).path} sqs.ReceiveMessage ")

    def sockets(self) -> list[int]:
        """How many clients each worker is connected to."""
        workers = psutil.Process(self.endpoint.process.pid).children(recursive=True)
        return [
            sum(
                one.status == psutil.CONN_ESTABLISHED and one.laddr.port == self.endpoint.port
                for one in worker.net_connections("tcp")
            )
            for worker in workers
        ]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with single_server() as made:
        yield made


@pytest.fixture(scope="module")
def places(server: Server) -> Iterator[Callable[[int], tuple[Serving, redis.Redis]]]:
    """Endpoints by their number of workers, each started when it is first asked for."""
    with ExitStack() as stack:
        admin = stack.enter_context(closing(server.client()))
        made: dict[int, Serving] = {}

        def place(workers: int) -> tuple[Serving, redis.Redis]:
            if workers not in made:
                # A dispatcher looks every ten seconds whether there is work for it, by a script.
                options = ("--workers", str(workers), "--access-log", "--no-dispatch")
                endpoint = serving(*options, redis=server.url)
                made[workers] = stack.enter_context(endpoint)
            return made[workers], admin

        yield place


@pytest.fixture(params=[1], ids=["one-worker"])
async def place(
    request: pytest.FixtureRequest, places: Callable[[int], tuple[Serving, redis.Redis]]
) -> AsyncIterator[Place]:
    made = Place(*places(request.param))
    yield made
    await asyncio.gather(*(one.close() for one in made.polls))


two_workers = pytest.mark.parametrize("place", [2], ids=["two-workers"], indirect=True)


async def _used(sqs: Sdk, name: str = "orders", **attributes: str) -> str:
    """The URL of a queue whose scripts the server knows: to ask for one in vain counts as well."""
    url = await sqs.queue(name, **attributes)
    await _send(sqs, url, "before")
    await _take(sqs, url)
    return url


async def _send(sqs: Sdk, url: str, body: str, **parameters: Any) -> None:
    if url.endswith(".fifo"):
        parameters = {"MessageGroupId": body, "MessageDeduplicationId": body} | parameters
    await sqs.send_message(QueueUrl=url, MessageBody=body, **parameters)


async def _take(sqs: Sdk, url: str, **parameters: Any) -> list[str]:
    """Receive and delete."""
    found = (await sqs.receive_message(QueueUrl=url, **parameters)).get("Messages", ())
    for one in found:
        await sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
    return [one["Body"] for one in found]


@pytest.mark.parametrize("name", ["orders", "orders.fifo"], ids=["standard", "fifo"])
async def test_a_thousand_wait_on_a_handful_of_connections_and_one_message_wakes_one(place, name):
    """A crowd that woke for every message would ask Redis a thousand times for each."""
    sqs = place.sdk()
    url = await _used(sqs, name, **({"FifoQueue": "true"} if name.endswith(".fifo") else {}))
    is_fifo, ran = url.endswith(".fifo"), place.scripts()
    polls = [await place.poll(sqs, url) for _ in range(MANY)]
    # Those of a FIFO queue look one by one; the others do so together, some at a time.
    before = await place.calm(ran + MANY if is_fifo else 0)
    assert place.sockets() == [MANY]
    if not is_fifo:  # where each looks on a connection of its own
        assert len(place.admin.client_list()) - 1 <= CONNECTIONS  # one is ours

    await _send(sqs, url, "hello")
    await until(lambda: any(one.answered for one in polls))
    after = await place.calm()

    woken = [one for one in polls if one.answered]
    assert [await one.bodies() for one in woken] == [["hello"]]
    assert after - before == 2  # the send and one receive

    rest = [one for one in polls if one not in woken]
    bodies = [str(number) for number in range(20)]
    for body in bodies:
        await _send(sqs, url, body)
    await until(lambda: sum(one.answered for one in rest) == len(bodies))
    assert sorted([await one.bodies() for one in rest if one.answered]) == sorted(
        [body] for body in bodies
    )


async def test_those_who_hang_up_free_their_place(place):
    sqs = place.sdk()
    url = await _used(sqs)
    polls = [await place.poll(sqs, url) for _ in range(50)]
    await place.calm()
    stays = polls.pop(25)

    for one in polls:
        await one.close()
    await until(lambda: place.ended(url) == len(polls))
    await _send(sqs, url, "hello")

    assert await stays.bodies() == ["hello"]


async def test_a_message_sent_right_after_a_hang_up_goes_to_somebody_else(place):
    """The one who is gone stood first in the line."""
    sqs = place.sdk()
    url = await _used(sqs)
    for number in range(20):
        gone = await place.poll(sqs, url)
        await place.asleep(sqs, url)
        stays = await place.poll(sqs, url)

        await gone.close()
        await _send(sqs, url, str(number))

        assert await stays.bodies() == [str(number)]


@pytest.mark.parametrize("name", ["orders", "orders.fifo"], ids=["standard", "fifo"])
async def test_no_message_is_lost_at_the_moment_of_a_hang_up(place, name):
    """Whether it comes before the lease, between the lease and the answer, or after both."""
    attributes = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
    rounds, chance = 300, random.Random(1)
    outcomes = {"answered": 0, "handed on": 0}
    longest = 0.008  # as they meet, more or less: an answer takes longer on a machine that is busy
    sqs = place.sdk()

    async def one_round(number: int) -> None:
        nonlocal longest
        url = await sqs.queue(f"{number}-{name}", **attributes)
        poll = await place.poll(sqs, url)
        await place.asleep(sqs, url)
        sent = asyncio.create_task(_send(sqs, url, "hello"))
        await asyncio.sleep(chance.uniform(0, longest))
        answered = await poll.hang_up()
        await sent
        if not answered:
            assert await _take(sqs, url, WaitTimeSeconds=20) == ["hello"], f"{number} was lost"
        longest *= 0.95 if answered else 1.05
        outcomes["answered" if answered else "handed on"] += 1

    for start in range(0, rounds, 4):
        await asyncio.gather(*(one_round(start + one) for one in range(4)))

    assert min(outcomes.values()) > rounds / 20, f"they never met: {outcomes}"


@two_workers
async def test_two_workers_share_the_waiting(place):
    sqs = place.sdk()
    url = await _used(sqs)
    polls = [await place.poll(sqs, url) for _ in range(60)]
    before = await place.calm()
    while min(place.sockets()) == 0 and len(polls) < 300:
        # The kernel gives a connection to who is quick: on a busy machine for long the same one.
        polls.append(await place.poll(sqs, url))
        before = await place.calm()
    assert min(place.sockets()) > 0
    assert sum(place.sockets()) == len(polls)

    await _send(sqs, url, "hello")
    await until(lambda: any(one.answered for one in polls))
    after = await place.calm()
    assert sum(one.answered for one in polls) == 1
    # A worker that was not the first in Redis's own line may have been asked for nothing.
    assert after - before == 2

    bodies = [str(number) for number in range(len(polls) - 1)]
    await asyncio.gather(*(_send(sqs, url, body) for body in bodies))
    got = [await one.bodies() for one in polls]
    assert sorted(got) == sorted([body] for body in (*bodies, "hello"))


async def test_the_queues_own_wait_holds_where_none_is_given(place):
    sqs = place.sdk()
    url = await _used(sqs, ReceiveMessageWaitTimeSeconds="20")

    assert await _take(sqs, url, WaitTimeSeconds=0) == []

    poll = await Poll.begin(sqs, place.endpoint.port, url, WaitTimeSeconds=None)
    place.polls.append(poll)
    await place.asleep(sqs, url)
    await _send(sqs, url, "hello")
    assert await poll.bodies() == ["hello"]


async def test_a_wait_ends_by_itself(place):
    sqs = place.sdk()
    url = await _used(sqs)
    async with asyncio.timeout(PATIENCE):
        assert await _take(sqs, url, WaitTimeSeconds=1) == []


# --- under a clock that is held -----------------------------------------------------------------


class TestUnderAHeldClock:
    """`rmq serve --testing`, whose clock a test freezes and moves."""

    @pytest.fixture
    async def sqs(self, endpoint: Serving) -> AsyncIterator[Sdk]:
        made = Sdk("json", over_http(endpoint.url))
        await _tell(made, freeze=True)
        yield made
        await _tell(made, release=True)

    @pytest.fixture
    async def asleep(self, endpoint: Serving, sqs: Sdk, servers: Any) -> AsyncIterator[Any]:
        """Begins a long poll of a queue, and returns it when it sleeps."""
        with closing(servers.client("endpoint")) as admin:
            place = Place(endpoint, admin)

            async def asleep(url: str) -> Poll:
                made = await place.poll(sqs, url)
                await place.asleep(sqs, url)
                return made

            yield asleep
            await asyncio.gather(*(one.close() for one in place.polls))

    async def test_a_wait_ends_when_the_clock_says_so(self, sqs, asleep):
        poll = await asleep(await sqs.queue("orders"))
        await _tell(sqs, advance=19)
        assert not poll.answered
        await _tell(sqs, advance=1)
        assert await poll.bodies() == []

    async def test_who_waits_receives_what_a_lease_gives_back(self, sqs, asleep):
        url = await sqs.queue("orders")
        await _send(sqs, url, "hello")
        await sqs.receive_message(QueueUrl=url, VisibilityTimeout=10)
        poll = await asleep(url)
        await _tell(sqs, advance=10)
        assert await poll.bodies() == ["hello"]

    async def test_who_waits_receives_what_was_delayed(self, sqs, asleep):
        url = await sqs.queue("orders")
        await _send(sqs, url, "hello", DelaySeconds=15)
        poll = await asleep(url)
        await _tell(sqs, advance=15)
        assert await poll.bodies() == ["hello"]


async def _tell(sqs: Sdk, **change: Any) -> None:
    body = json.dumps(change).encode()
    assert (await sqs.carry(Request("POST", CLOCK, "", {}, body))).status == 200
