"""rmq events s3: object stores post over HTTP what happened to their objects."""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

import rmq
from rmq.events.s3 import MAX_BODY, Forwarder
from rmq.gateway.events.listener import Listener
from rmq.gateway.http import Request
from rmq.testing import private_namespace
from tests.events.records import TEST_EVENT, aws, minio, posted, posted_by_minio
from tests.gateway import raw
from tests.servers import HOST, _dying_with_parent, _free_port

START_S = 20.0


# --- without a socket ---


@pytest.fixture
async def client():
    async with rmq.connect_async("memory://", namespace=private_namespace()) as client:
        await client.create_queue("q")
        yield client


def request(body: bytes = b"", method: str = "POST", **headers: str) -> Request:
    return Request(method, "/", "", headers, body)


async def bodies(client: Any) -> list[Any]:
    return [one.json() for one in await client.queue("q").peek(limit=100)]


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_an_event_is_answered_200_when_redis_has_it(client, method):
    listener = Listener(Forwarder(client, queue="q"))
    response = await listener(request(posted(aws(), aws()), method))
    assert (response.status, json.loads(response.body)) == (200, {"sent": 2})
    assert len(await bodies(client)) == 2


@pytest.mark.parametrize("body", [b"", b"{}", b" \n", b" {} "])
async def test_a_store_may_look_whether_we_are_there(client, body):
    listener = Listener(Forwarder(client, queue="q"))
    assert (await listener(request(body))).status == 200
    assert await bodies(client) == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_nobody_needs_a_token_to_look_whether_we_are_there(client, method):
    assert (
        await Listener(Forwarder(client, queue="q"), "hush")(request(b"", method))
    ).status == 200


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "OPTIONS", "BREW"])
async def test_other_methods_are_refused(client, method):
    response = await Listener(Forwarder(client, queue="q"))(request(posted(aws()), method))
    assert (response.status, response.headers["allow"]) == (405, "GET, HEAD, POST, PUT")
    assert await bodies(client) == []


@pytest.mark.parametrize("shown", ["Bearer hush", "hush"])
async def test_a_token_is_taken_as_minio_shows_it(client, shown):
    listener = Listener(Forwarder(client, queue="q"), "hush")
    assert (await listener(request(posted(aws()), authorization=shown))).status == 200


async def test_a_token_of_two_words_is_taken_as_it_is(client):
    listener = Listener(Forwarder(client, queue="q"), "Basic aHVzaA==")
    assert (await listener(request(posted(aws()), authorization="Basic aHVzaA=="))).status == 200


@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer ", "Bearer hus", "Bearer hush!", "hüsh"])
async def test_without_the_token_nothing_is_taken(client, shown):
    listener = Listener(Forwarder(client, queue="q"), "hush")
    response = await listener(request(posted(aws()), authorization=shown))
    assert (response.status, response.headers["www-authenticate"]) == (401, "Bearer")
    assert (await listener(request(posted(aws())))).status == 401
    assert await bodies(client) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"hello", "no JSON"), (b'{"Records": []}', "Records"), (posted({}), "Records[0].eventName")],
)
async def test_a_malformed_body_is_a_400_that_says_what_is_wrong(client, body, said):
    response = await Listener(Forwarder(client, queue="q"))(request(body))
    assert response.status == 400
    assert said in json.loads(response.body)["message"]


async def test_a_compressed_body_is_refused(client):
    listener = Listener(Forwarder(client, queue="q"))
    response = await listener(request(posted(aws()), **{"content-encoding": "gzip"}))
    assert response.status == 415


async def test_a_queue_that_is_gone_is_no_fault_of_the_store_s(client):
    """It keeps the event, and posts it again."""
    await client.delete_queue("q")
    response = await Listener(Forwarder(client, queue="q"))(request(posted(aws())))
    assert response.status == 503
    assert "rmq queue create q" in json.loads(response.body)["message"]


async def test_without_redis_the_store_is_told_to_come_again():
    nowhere = rmq.connect_async("redis://127.0.0.1:1", retry_timeout=0)
    async with nowhere as client:
        response = await Listener(Forwarder(client, queue="q"))(request(posted(aws())))
    assert response.status == 503


# --- over HTTP ---


@dataclass
class Listening:
    """A running `rmq events s3`."""

    url: str
    port: int
    process: subprocess.Popen[str]

    def post(self, body: bytes, method: str = "POST", **headers: str) -> tuple[int, Any]:
        """Status and answer."""
        asked = urllib.request.Request(
            self.url + "/minio", body, {"Content-Type": "application/json"} | headers, method=method
        )
        try:
            with urllib.request.urlopen(asked, timeout=START_S) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())


@contextmanager
def listening(url: str, namespace: str, *options: str) -> Iterator[Listening]:
    port = _free_port()
    process = subprocess.Popen(
        [
            *_dying_with_parent(),
            *(sys.executable, "-m", "rmq.cli.main"),
            *("--url", url, "--namespace", namespace),
            *("events", "s3", "--host", HOST, "--port", str(port), *options),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    made = Listening(f"http://{HOST}:{port}", port, process)
    try:
        end = time.monotonic() + START_S
        while True:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < end, "it does not answer"
            try:
                made.post(b"", "GET")
                break
            except OSError:
                time.sleep(0.02)
        yield made
    finally:
        process.terminate()
        process.wait(START_S)
        process.stderr.close()


@pytest.fixture
def library(servers):
    with rmq.connect(servers.url("valkey"), namespace=private_namespace()) as client:
        client.create_topic("uploads").subscribe(client.create_queue("q"))
        yield client


def test_what_stores_post_over_http_gets_to_the_topic(library):
    options = ("--topic", "uploads", "--suffix", ".jpg", "--token", "hush")
    with listening(library.settings.url, library.namespace, *options) as run:
        known = {"Authorization": "Bearer hush"}
        assert run.post(posted_by_minio(minio()), **known) == (200, {"sent": 1})
        assert run.post(posted(aws(key="a.png")), **known) == (200, {"sent": 0})
        assert run.post(json.dumps(TEST_EVENT).encode(), **known) == (200, {"sent": 1})
        assert run.post(posted(aws()))[0] == 401
        assert run.post(b"hello", **known)[0] == 400
        assert run.post(b" " * (MAX_BODY + 1), **known)[0] == 413
        assert run.post(b"", "HEAD", **known) == (200, None)

    found = [one.json() for one in library.queue("q").peek(limit=10)]
    assert [one["Subject"] for one in found] == ["Amazon S3 Notification"] * 2
    assert json.loads(found[0]["Message"])["Records"][0]["s3"]["object"]["key"] == "a/b+c%2Bd.jpg"


def test_what_many_post_at_once_is_all_there(library):
    with (
        listening(library.settings.url, library.namespace, "--queue", "q") as run,
        concurrent.futures.ThreadPoolExecutor(16) as pool,
    ):
        answers = list(pool.map(lambda key: run.post(posted(aws(key=f"k{key}"))), range(200)))
    assert set(map(str, answers)) == {"(200, {'sent': 1})"}
    found = library.queue("q").peek(limit=300)
    keys = {one.json()["Records"][0]["s3"]["object"]["key"] for one in found}
    assert keys == {f"k{number}" for number in range(200)}


def test_a_body_that_is_too_long_is_refused_before_it_comes(library):
    with listening(library.settings.url, library.namespace, "--queue", "q") as run:
        answer = raw.exchange(run.port, [raw.head(f"content-length: {MAX_BODY + 1}")])
    assert answer.status == 413


def test_a_body_without_a_length_is_bounded_too(library):
    """Chunked: nobody says beforehand how much comes."""
    with listening(library.settings.url, library.namespace, "--queue", "q") as run:
        connection = http.client.HTTPConnection(HOST, run.port, timeout=START_S)
        chunks = iter([b" " * 65_536] * 17)
        connection.request("POST", "/", chunks, encode_chunked=True)
        assert connection.getresponse().status == 413
        connection.close()


def test_it_ends_when_it_is_told_to(library):
    with listening(library.settings.url, library.namespace, "--queue", "q") as run:
        run.process.send_signal(signal.SIGTERM)
        assert run.process.wait(START_S) == 0
