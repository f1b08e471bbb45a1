"""Options: what the words behind `rmq serve` change in how it answers.

How it starts, what it says and how it ends is in test_serving.
"""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from rmq.cli.main import app
from rmq.gateway.controls import CLOCK, FAULTS, RESETS
from rmq.gateway.http import Request
from tests.gateway.sdk import Sdk, over_http
from tests.gateway.serving import serving


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_testing_refuses_a_host_that_others_reach(host):
    ran = CliRunner().invoke(app, ["serve", "--testing", "--host", host], prog_name="rmq")

    assert ran.exit_code == 2
    assert "--testing" in ran.stderr
    assert host in ran.stderr


async def test_without_testing_there_are_no_controls_and_nobody_waits_without_cooldowns():
    with serving("--no-cooldowns") as endpoint:
        sqs = Sdk("json", over_http(endpoint.url))
        for _ in range(2):
            url = await sqs.queue("orders")
            for _ in range(2):
                await sqs.purge_queue(QueueUrl=url)
            await sqs.delete_queue(QueueUrl=url)

        await sqs.queue("orders")
        for path in (CLOCK, FAULTS, *RESETS):
            for method in ("GET", "POST", "DELETE"):
                answer = await sqs.carry(Request(method, path, "", {}, b""))
                assert 400 <= answer.status < 500
        assert (await sqs.list_queues())["QueueUrls"]


async def test_account_region_and_pages_are_told_on_the_command_line():
    page = "https://app.example"
    options = ("--account-id", "123456789012", "--region", "eu-west-1", "--allow-origin", page)
    with serving(*options) as endpoint:
        sqs = Sdk("json", over_http(endpoint.url), account="test", region="eu-west-1")
        url = await sqs.queue("orders")
        assert url == f"{endpoint.url}/123456789012/orders"
        assert await sqs.arn(url) == "arn:aws:sqs:eu-west-1:123456789012:orders"

        for origin, status in ((page, 204), ("https://evil.example", 403)):
            answer = await sqs.carry(Request("OPTIONS", "/", "", {"origin": origin}, b""))
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
