"""Pages: what the endpoint answers beside AWS's protocols: health, and messages that are looked at.

The latter has the address and the form of a well-known emulator, for tools that expect it.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

import pytest

import rmq
from rmq.gateway.app import Endpoint
from rmq.gateway.http import Request, Response
from tests.gateway.sdk import REGION, XMLNS, Sdk, authorization, over_http, refused_in
from tests.servers import single_server

PEEK = "/_aws/sqs/messages"


def _get(path: str, query: str = "", **headers: str) -> Request:
    return Request("GET", path, query, headers, b"")


async def _json(gateway: Any, path: str, status: int = 200) -> Any:
    answer = await gateway(_get(path))
    assert answer.status == status
    assert answer.content_type == "application/json"
    return json.loads(answer.body)


# --- health --------------------------------------------------------------------------------------


async def test_the_root_says_who_is_there(gateway):
    assert await _json(gateway, "/") == {"service": "rmq", "version": rmq.__version__}


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
async def test_an_endpoint_with_redis_is_ready(gateway, path):
    assert await _json(gateway, path) == {"status": "ok", "live": True, "ready": True}


async def test_the_emulators_page_says_which_services_are_running(gateway):
    found = await _json(gateway, "/_localstack/health")

    assert found["services"] == {"sqs": "running", "sns": "running", "kinesis": "running"}


async def test_an_endpoint_without_redis_is_alive_but_not_ready(namespace):
    """Whoever restarts what is not alive cannot help here; who sends requests should wait."""
    with single_server() as server:
        client = rmq.connect_async(server.url, namespace=namespace, retry_timeout=0.05)
        endpoint = Endpoint(client, account="0" * 12, region=REGION)
        server.kill()

        for path in ("/health", "/health/ready"):
            found = await _json(endpoint, path, status=503)
            assert found == {"status": "unavailable", "live": True, "ready": False}
        assert await _json(endpoint, "/health/live") == {"status": "ok", "live": True}
        assert (await _json(endpoint, "/_localstack/health"))["services"] == {
            "sqs": "error",
            "sns": "error",
            "kinesis": "error",
        }
        await client.close()


async def test_an_endpoint_that_stops_is_no_longer_ready(gateway):
    gateway.stopping.set()

    assert (await _json(gateway, "/health", status=503))["ready"] is False
    assert (await _json(gateway, "/health/live"))["live"] is True


async def test_pages_are_there_over_http(endpoint_url):
    carry = over_http(endpoint_url)
    for path in ("/", "/health", "/health/live", "/health/ready", "/_localstack/health"):
        assert await _json(carry, path)


# --- messages, looked at -------------------------------------------------------------------------


@pytest.fixture
def sqs(gateway: Endpoint) -> Sdk:
    return Sdk("json", gateway, account="0" * 12)


@pytest.fixture
async def url(sqs: Sdk) -> str:
    """A queue with one message that is visible, one in flight and one delayed."""
    url = await sqs.queue("orders")
    await sqs.send_message(QueueUrl=url, MessageBody="in flight")
    await sqs.receive_message(QueueUrl=url)
    await sqs.send_message(
        QueueUrl=url,
        MessageBody="visible <&>\r",
        MessageAttributes={"N": {"DataType": "String", "StringValue": "v"}},
    )
    await sqs.send_message(QueueUrl=url, MessageBody="delayed", DelaySeconds=60)
    return url


def _bodies(answer: Response) -> list[str]:
    assert answer.status == 200, answer.body
    if answer.content_type == "application/json":
        found = json.loads(answer.body)["ReceiveMessageResponse"]["ReceiveMessageResult"]
        return [one["Body"] for one in found["Message"]]
    assert answer.content_type == "text/xml"
    root = ElementTree.fromstring(answer.body)
    assert root.tag == f"{XMLNS}ReceiveMessageResponse"
    return [str(one.text) for one in root.iter(f"{XMLNS}Body")]


@pytest.mark.parametrize("accept", [{}, {"accept": "application/json"}, {"accept": "*/*"}])
@pytest.mark.parametrize(
    ("show", "bodies"),
    [
        ({}, ["visible <&>\r"]),
        ({"ShowInvisible": "true"}, ["in flight", "visible <&>\r"]),
        ({"ShowDelayed": "true"}, ["visible <&>\r", "delayed"]),
        (
            {"ShowInvisible": "true", "ShowDelayed": "true"},
            ["in flight", "visible <&>\r", "delayed"],
        ),
        ({"ShowInvisible": "false"}, ["visible <&>\r"]),
    ],
)
async def test_messages_are_shown_by_their_state(gateway, url, accept, show, bodies):
    answer = await gateway(_get(PEEK, urlencode({"QueueUrl": url, **show}), **accept))

    assert sorted(_bodies(answer)) == sorted(bodies)
    assert (answer.content_type == "application/json") == ("json" in str(accept))


async def test_a_queue_may_be_named_by_the_path(gateway, url):
    path = f"{PEEK}/{REGION}/{'0' * 12}/orders"

    assert _bodies(await gateway(_get(path))) == ["visible <&>\r"]


async def test_a_queue_of_another_account_or_region_is_another_queue(gateway, url):
    for path in (f"{PEEK}/eu-west-1/{'0' * 12}/orders", f"{PEEK}/{REGION}/{'1' * 12}/orders"):
        found = refused_in("query", await gateway(_get(path)))

        assert found.code == "AWS.SimpleQueueService.NonExistentQueue"


async def test_a_look_takes_and_counts_nothing(sqs, gateway, url):
    for _ in range(3):
        await gateway(_get(PEEK, urlencode({"QueueUrl": url, "ShowInvisible": "true"})))

    found = await sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=["All"])

    (message,) = found["Messages"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"


async def test_json_has_the_structure_of_the_xml(gateway, url):
    answer = await gateway(_get(PEEK, urlencode({"QueueUrl": url}), accept="application/json"))

    found = json.loads(answer.body)["ReceiveMessageResponse"]["ReceiveMessageResult"]
    (message,) = found["Message"]
    assert {one["Name"] for one in message["Attribute"]} >= {"SentTimestamp", "SenderId"}
    assert message["MessageAttribute"] == [
        {"Name": "N", "Value": {"StringValue": "v", "DataType": "String"}}
    ]


async def test_an_empty_queue_shows_nothing(gateway, sqs):
    query = urlencode({"QueueUrl": await sqs.queue("empty")})

    assert _bodies(await gateway(_get(PEEK, query))) == []
    assert _bodies(await gateway(_get(PEEK, query, accept="application/json"))) == []


@pytest.mark.parametrize("protocol", ["json", "query"])
async def test_an_sdk_may_be_pointed_there(gateway, url, protocol):
    """Its endpoint_url is the page's, and its ReceiveMessage looks."""

    async def carry(request: Request) -> Response:
        request.path = PEEK
        return await gateway(request)

    looking = Sdk(protocol, carry, account="0" * 12)

    found = await looking.receive_message(QueueUrl=url)

    assert [one["Body"] for one in found["Messages"]] == ["visible <&>\r"]


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        (PEEK, "", "MissingParameter"),
        (PEEK, "QueueUrl=nonsense", "InvalidAddress"),
        (PEEK, "QueueUrl=http://x/000000000000/none", "AWS.SimpleQueueService.NonExistentQueue"),
        (f"{PEEK}/{REGION}/{'0' * 12}/none", "", "AWS.SimpleQueueService.NonExistentQueue"),
    ],
)
async def test_a_look_at_nothing_is_refused(gateway, path, query, code):
    assert refused_in("query", await gateway(_get(path, query))).code == code


async def test_a_look_is_by_account_too(gateway):
    """A short URL is of whoever signs."""
    theirs = Sdk("json", gateway, account="111111111111")
    url = await theirs.queue("orders")
    await theirs.send_message(QueueUrl=url, MessageBody="x")
    query = urlencode({"QueueUrl": f"http://localhost/queue{urlsplit(url).path}"})

    answer = await gateway(_get(PEEK, query, authorization=authorization("111111111111")))

    assert _bodies(answer) == ["x"]
