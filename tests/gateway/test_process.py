"""The process: how `rmq serve` begins, what it refuses to begin with, and how it ends."""

from __future__ import annotations

import asyncio
import json

import pytest
from typer.testing import CliRunner

from rmq.cli.main import app
from rmq.gateway.controls import CLOCK, FAULTS, RESETS
from rmq.gateway.http import Request
from tests.colours import until
from tests.gateway import raw
from tests.gateway.sdk import Sdk, over_http, refusal
from tests.gateway.serving import serving
from tests.servers import HOST, _free_port

DEADLINE = 15
"""Seconds; a long poll would take longer."""


def _refused(*options: str) -> str:
    """What it says when it does not begin."""
    ran = CliRunner().invoke(app, options, prog_name="rmq", terminal_width=200)
    assert ran.exit_code == 2, ran.output
    assert type(ran.exception) is SystemExit
    return ran.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_testing_refuses_a_host_that_others_reach(host):
    said = _refused("serve", "--testing", "--host", host, "--port", str(_free_port()))

    assert "--testing" in said
    assert host in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("serve", "--testing", "--workers", "2"), "workers"),
        (("serve", "--workers", "2"), "memory://"),
        (("serve", "--log-format", "xml"), "text or json"),
        (("serve", "--tls-cert", "cert.pem"), "--tls-key"),
        (("serve", "--account-id", "1"), "account"),
        (("serve", "--region", "EU!"), "region"),
        (("--namespace", "n" * 27, "serve"), "26"),
        (("--url", "http://localhost", "serve"), "http"),
    ],
)
def test_what_cannot_be_served_is_said_at_once(options, words):
    assert words in _refused(*options, "--port", str(_free_port()))


def test_a_port_that_is_taken_is_said_at_once(endpoint):
    said = _refused("serve", "--host", HOST, "--port", str(endpoint.port))

    assert f"{HOST}:{endpoint.port}" in said


async def test_it_greets_serves_and_ends_in_good_order():
    with serving() as endpoint:
        sqs = Sdk("json", over_http(endpoint.url))
        url = await sqs.queue("orders")
        await sqs.send_message(QueueUrl=url, MessageBody="x")

        assert endpoint.stop() == 0

    said = endpoint.last_words
    assert f"export AWS_ENDPOINT_URL={endpoint.url}" in said
    assert "memory:// is gone" in said
    assert "Traceback" not in said


async def test_who_waits_is_answered_when_it_ends(servers):
    redis = servers.client("valkey")
    waiting = redis.info("clients")["blocked_clients"]
    with serving(redis=servers.url("valkey")) as endpoint:
        sqs = Sdk("json", over_http(endpoint.url))
        url = await sqs.queue("orders")
        async with asyncio.timeout(DEADLINE):
            poll = asyncio.create_task(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20))
            await until(lambda: redis.info("clients")["blocked_clients"] > waiting)

            status = await asyncio.to_thread(endpoint.stop)

            assert await poll == {}
        assert status == 0
    redis.close()


async def test_a_client_that_hangs_up_takes_no_message_with_it(servers):
    redis = servers.client("valkey")
    waiting = redis.info("clients")["blocked_clients"]
    with serving("--access-log", redis=servers.url("valkey")) as endpoint:
        sqs = Sdk("json", over_http(endpoint.url))
        url = await sqs.queue("orders")
        request = sqs.request("ReceiveMessage", {"QueueUrl": url, "WaitTimeSeconds": 20})
        lines = (f"{name}: {one}" for name, one in request.headers.items())
        head = raw.head(*lines, f"content-length: {len(request.body)}")
        with raw.connected(endpoint.port) as connection:
            connection.sendall(head + request.body)
            await until(lambda: redis.info("clients")["blocked_clients"] > waiting)
        await until(lambda: "sqs.ReceiveMessage 200" in endpoint.said())

        await sqs.send_message(QueueUrl=url, MessageBody="x")

        assert (await sqs.receive_message(QueueUrl=url))["Messages"]
    redis.close()


async def test_without_testing_there_are_no_controls():
    with serving() as endpoint:
        sqs = Sdk("json", over_http(endpoint.url))
        await sqs.queue("orders")

        for path in (CLOCK, FAULTS, *RESETS):
            answer = await sqs.carry(Request("POST", path, "", {}, b"{}"))
            assert 400 <= answer.status < 500

        assert (await sqs.list_queues())["QueueUrls"]


async def test_without_cooldowns_nobody_waits_for_60_seconds():
    with serving("--no-cooldowns") as endpoint:
        sqs = Sdk("json", over_http(endpoint.url))
        for _ in range(2):
            url = await sqs.queue("orders")
            for _ in range(2):
                await sqs.purge_queue(QueueUrl=url)
            await sqs.delete_queue(QueueUrl=url)


async def test_account_and_region_are_told_on_the_command_line():
    with serving("--account-id", "123456789012", "--region", "eu-west-1") as endpoint:
        sqs = Sdk("json", over_http(endpoint.url), account="test", region="eu-west-1")
        url = await sqs.queue("orders")

        assert url == f"{endpoint.url}/123456789012/orders"
        assert await sqs.arn(url) == "arn:aws:sqs:eu-west-1:123456789012:orders"


async def test_a_page_is_allowed_on_the_command_line():
    with serving("--allow-origin", "https://app.example") as endpoint:
        carry = over_http(endpoint.url)
        for origin, status in (("https://app.example", 204), ("https://evil.example", 403)):
            answer = await carry(Request("OPTIONS", "/", "", {"origin": origin}, b""))
            assert answer.status == status


async def test_two_workers_serve_one_redis(servers):
    with serving("--workers", "2", redis=servers.url("valkey")) as endpoint:
        sqs = Sdk("json", over_http(endpoint.url))
        url = await sqs.queue("orders")
        bodies = [str(number) for number in range(20)]
        for body in bodies:
            await sqs.send_message(QueueUrl=url, MessageBody=body)

        found = []
        while messages := (await sqs.receive_message(QueueUrl=url)).get("Messages"):
            found += [one["Body"] for one in messages]

        assert sorted(found) == sorted(bodies)


async def test_the_access_log_has_a_line_for_each_request():
    with serving("--access-log", "--log-format", "json") as endpoint:
        sqs = Sdk("json", over_http(endpoint.url))
        await sqs.list_queues()
        await refusal(sqs.send_message(QueueUrl="x", MessageBody="a secret"))
        wanted = [("sqs.ListQueues", 200), ("sqs.SendMessage", 400)]

        def logged() -> bool:
            lines = [json.loads(one) for one in endpoint.said().splitlines() if one[:1] == "{"]
            found = [(one.get("asked"), one.get("status")) for one in lines]
            return [one for one in found if one[0]] == wanted

        await until(logged)
        assert "a secret" not in endpoint.said()
