"""Protocol: the forms in which a request may come, and what an answer echoes of it.

Over HTTP where the wire matters; else straight into the Endpoint.
"""

from __future__ import annotations

import asyncio
import gzip
import http.client
import itertools
import json
from email.utils import parsedate_to_datetime
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

import h2.config
import h2.connection
import h2.events
import pytest

import rmq
from rmq.gateway.app import Endpoint
from rmq.gateway.http import Request, Response
from tests.colours import until
from tests.gateway import raw
from tests.gateway.sdk import (
    REGION,
    XMLNS,
    Refused,
    Sdk,
    authorization,
    form,
    new_account,
    over_http,
    refusal,
    refused_in,
    request_id,
)
from tests.gateway.serving import Serving
from tests.servers import HOST


@pytest.fixture
def by_json(endpoint_url: str) -> Sdk:
    return Sdk("json", over_http(endpoint_url))


@pytest.fixture
def by_query(endpoint_url: str) -> Sdk:
    return Sdk("query", over_http(endpoint_url))


def _urls(answer: Response) -> list[str]:
    """The queues that an answer to ListQueues names, in either protocol."""
    assert answer.status == 200, answer.body
    if "json" in answer.content_type:
        return json.loads(answer.body).get("QueueUrls", [])
    root = ElementTree.fromstring(answer.body)
    return [str(one.text) for one in root.iter(f"{XMLNS}QueueUrl")]


# --- JSON ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "answered"),
    [
        ("application/x-amz-json-1.0", "application/x-amz-json-1.0"),
        ("application/x-amz-json-1.1", "application/x-amz-json-1.1"),
        ("application/json", "application/json"),
        ("application/x-amz-json-1.0; charset=utf-8", "application/x-amz-json-1.0"),
        ("Application/X-Amz-Json-1.0;Charset=UTF-8", "application/x-amz-json-1.0"),
        (None, "application/x-amz-json-1.0"),
        ("text/plain", "application/x-amz-json-1.0"),
    ],
)
async def test_json_is_answered_in_the_content_type_of_the_request(by_json, given, answered):
    url = await by_json.queue("orders")
    request = by_json.request("ListQueues", {})
    request.headers = {**request.headers, "content-type": given or ""}
    if given is None:
        del request.headers["content-type"]

    answer = await by_json.carry(request)

    assert answer.content_type == answered
    assert _urls(answer) == [url]


@pytest.mark.parametrize("body", [b"", b"{}", b" \n{ } "])
async def test_no_body_holds_no_parameters(by_json, body):
    request = by_json.request("ListQueues", {})
    request.body = body

    assert _urls(await by_json.carry(request)) == []


@pytest.mark.parametrize("path", ["/", "/queue", "/000000000000/orders"])
async def test_the_target_says_what_is_wanted_whatever_the_path(by_json, path):
    url = await by_json.queue("orders")
    request = by_json.request("ListQueues", {})
    request.path = path

    assert _urls(await by_json.carry(request)) == [url]


async def test_members_that_the_model_does_not_have_are_ignored(sqs, queue):
    """A newer SDK's."""
    request = sqs.request("ListQueues", {})
    more = b"&New.1.Thing=1" if sqs.protocol == "query" else b""
    request.body = request.body + more if more else b'{"New":{"Thing":[1]}}'

    assert _urls(await sqs.carry(request)) == [queue]


# --- query ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; charset=utf-8",
        "Application/X-WWW-Form-Urlencoded",
        None,
    ],
)
async def test_a_form_is_read_under_its_content_type_and_without_one(by_query, content_type):
    url = await by_query.queue("orders")
    request = by_query.request("ListQueues", {})
    request.headers = {"authorization": request.headers["authorization"]}
    if content_type is not None:
        request.headers["content-type"] = content_type

    assert _urls(await by_query.carry(request)) == [url]


@pytest.mark.parametrize("version", ["&Version=2012-11-05", "&Version=2009-02-01", ""])
async def test_every_version_is_answered_as_the_latest(by_query, version):
    request = by_query.request("ListQueues", {})
    request.body = b"Action=ListQueues" + version.encode()

    assert _urls(await by_query.carry(request)) == []


async def test_a_form_may_be_in_the_url(by_query):
    url = await by_query.queue("orders")
    request = by_query.request("GetQueueUrl", {"QueueName": "orders"})
    request = Request("GET", "/", request.body.decode(), request.headers, b"")

    value, _ = by_query.read("GetQueueUrl", await by_query.carry(request))

    assert value == {"QueueUrl": url}


async def test_a_form_may_be_in_both(by_query):
    url = await by_query.queue("orders")
    request = by_query.request("GetQueueUrl", {})
    request.query, request.body = "Action=GetQueueUrl", b"QueueName=orders"

    value, _ = by_query.read("GetQueueUrl", await by_query.carry(request))

    assert value == {"QueueUrl": url}


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_queue_is_asked_on_its_own_path(by_query, method, slash):
    """As every SDK did before it spoke JSON."""
    path = urlsplit(await by_query.queue("orders")).path + slash
    request = by_query.request("SendMessage", {"MessageBody": "x"})
    request.path = path
    if method == "GET":
        request.method, request.query, request.body = "GET", request.body.decode(), b""

    value, _ = by_query.read("SendMessage", await by_query.carry(request))

    assert value["MD5OfMessageBody"]


async def test_the_parameter_goes_before_the_path(by_query):
    wrong = urlsplit(await by_query.queue("wrong")).path
    right = await by_query.queue("right")
    request = by_query.request("SendMessage", {"MessageBody": "x", "QueueUrl": right})
    request.path = wrong

    by_query.read("SendMessage", await by_query.carry(request))

    assert (await by_query.receive_message(QueueUrl=right))["Messages"]


async def test_the_path_of_another_services_resource_names_no_queue(sqs):
    request = sqs.request("SendMessage", {"MessageBody": "x"})
    request.path = "/just-one-part"

    found = refused_in(sqs.protocol, await sqs.carry(request))

    assert found.code == "MissingParameter"


# --- forms, in the details -----------------------------------------------------------------------


async def _asked(sqs: Sdk, operation: str, fields: dict[str, str]) -> dict:
    """The answer to a form with just these fields."""
    request = sqs.request(operation, {})
    request.body = urlencode({"Action": operation, **fields}).encode()
    return sqs.read(operation, await sqs.carry(request))[0]


@pytest.fixture
def form_sqs(gateway: Endpoint) -> Sdk:
    return Sdk("query", gateway)


async def test_indices_may_have_gaps_and_come_in_any_order(form_sqs):
    url = await form_sqs.queue("orders.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    fields = {"QueueUrl": url}
    for index, body in ((30, "third"), (4, "first"), (21, "second")):
        fields |= {
            f"SendMessageBatchRequestEntry.{index}.Id": body,
            f"SendMessageBatchRequestEntry.{index}.MessageBody": body,
            f"SendMessageBatchRequestEntry.{index}.MessageGroupId": "g",
        }

    sent = await _asked(form_sqs, "SendMessageBatch", fields)

    assert [one["Id"] for one in sent["Successful"]] == ["first", "second", "third"]
    found = await form_sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    assert [one["Body"] for one in found["Messages"]] == ["first", "second", "third"]


async def test_a_batch_without_entries_is_empty_whether_or_not_a_field_says_so(form_sqs):
    fields = {"QueueUrl": await form_sqs.queue("orders")}
    for more in ({}, {"SendMessageBatchRequestEntry": ""}, {"Entries": ""}):
        found = await refusal(_asked(form_sqs, "SendMessageBatch", fields | more))

        assert found.code == "AWS.SimpleQueueService.EmptyBatchRequest"


async def test_an_attribute_map_is_a_list_of_names_and_values(form_sqs):
    made = await _asked(
        form_sqs,
        "CreateQueue",
        {
            "QueueName": "orders",
            "Attribute.2.Name": "DelaySeconds",
            "Attribute.2.Value": "2",
            "Attribute.1.Name": "VisibilityTimeout",
            "Attribute.1.Value": "1",
            "Tag.1.Key": "team",
            "Tag.1.Value": "blue",
        },
    )

    found = await _asked(
        form_sqs,
        "GetQueueAttributes",
        {
            "QueueUrl": made["QueueUrl"],
            "AttributeName.1": "DelaySeconds",
            "AttributeName.2": "VisibilityTimeout",
        },
    )
    assert found["Attributes"] == {"VisibilityTimeout": "1", "DelaySeconds": "2"}
    tags = await _asked(form_sqs, "ListQueueTags", {"QueueUrl": made["QueueUrl"]})
    assert tags["Tags"] == {"team": "blue"}


BYTES = bytes(range(256))


async def test_every_byte_survives_in_a_binary_attribute(sqs_over_http):
    sqs = sqs_over_http
    url = await sqs.queue("orders")
    given = {"raw": {"DataType": "Binary.jpeg", "BinaryValue": BYTES}}

    await sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes=given)

    found = await sqs.receive_message(QueueUrl=url, MessageAttributeNames=["raw"])
    assert found["Messages"][0]["MessageAttributes"] == given


async def test_a_plus_sign_of_base64_that_nobody_escaped_is_still_one(form_sqs):
    """A form's + is a space; base64 has no spaces."""
    url = await form_sqs.queue("orders")
    fields = {"Action": "SendMessage", "QueueUrl": url, "MessageBody": "x"}
    fields |= {"MessageAttribute.1.Name": "raw", "MessageAttribute.1.Value.DataType": "Binary"}
    request = form_sqs.request("SendMessage", {})
    request.body = urlencode(fields).encode() + b"&MessageAttribute.1.Value.BinaryValue=+/+/"

    form_sqs.read("SendMessage", await form_sqs.carry(request))

    found = await form_sqs.receive_message(QueueUrl=url, MessageAttributeNames=["raw"])
    value = found["Messages"][0]["MessageAttributes"]["raw"]["BinaryValue"]
    assert value == b"\xfb\xff\xbf"


TRICKY = (
    "\tline one\r\nline two\rline three\n<Body>&amp;]]> \"quoted\" 'too' ü 漢 😀 \ufffd\u0085\u2028"
)
"""Markup, all sorts of line ends, and characters of one to four bytes."""


async def test_markup_line_ends_and_every_kind_of_character_survive(sqs_over_http):
    """A parser of XML makes a line feed of a carriage return that was not escaped."""
    sqs = sqs_over_http
    url = await sqs.queue("orders")
    given = {"text": {"DataType": "String", "StringValue": TRICKY}}

    await sqs.send_message(QueueUrl=url, MessageBody=TRICKY, MessageAttributes=given)

    found = await sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])
    assert found["Messages"][0]["Body"] == TRICKY
    assert found["Messages"][0]["MessageAttributes"] == given


async def test_a_carriage_return_is_written_as_a_reference(form_sqs):
    url = await form_sqs.queue("orders")
    await form_sqs.send_message(QueueUrl=url, MessageBody="a\rb<c>&d")

    answer = await form_sqs.carry(form_sqs.request("ReceiveMessage", {"QueueUrl": url}))

    assert b"<Body>a&#13;b&lt;c&gt;&amp;d</Body>" in answer.body


async def test_markup_in_an_error_message_is_escaped(sqs, queue):
    found = await refusal(sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["<b>&\r"]))

    assert found.message == "Unknown Attribute <b>&\r."


# --- where a queue is ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "https://sqs.eu-west-1.amazonaws.com",
        "https://eu-west-1.queue.amazonaws.com",
        "https://queue.amazonaws.com",
        "http://sqs.us-east-1.localhost.localstack.cloud:4566",
        "http://[::1]:9999",
        "",
    ],
)
async def test_a_queue_is_found_whatever_host_its_url_names(sqs, queue, host):
    url = host + urlsplit(queue).path

    assert (await sqs.send_message(QueueUrl=url, MessageBody="x"))["MessageId"]


async def test_a_url_may_name_the_region_in_its_path(sqs, gateway):
    elsewhere = Sdk(sqs.protocol, gateway, account=sqs.account, region="eu-west-1")
    await elsewhere.queue("far")

    url = f"http://localhost/queue/eu-west-1/{sqs.account}/far"

    assert (await sqs.send_message(QueueUrl=url, MessageBody="x"))["MessageId"]


@pytest.mark.parametrize("host", ["sqs.internal:8080", "localhost:4566", "[::1]:4566", "a.b"])
async def test_urls_echo_the_host_that_the_client_used(by_json, by_query, host):
    for sqs in (by_json, by_query):
        request = sqs.request("CreateQueue", {"QueueName": "orders"})
        request.headers = {**request.headers, "host": host}

        value, _ = sqs.read("CreateQueue", await sqs.carry(request))

        assert value["QueueUrl"] == f"http://{host}/{sqs.account}/orders"


async def test_urls_echo_the_scheme_that_a_proxy_says(sqs_over_http):
    sqs = sqs_over_http
    made = await sqs.ask("CreateQueue", {"QueueName": "orders"}, **{"x-forwarded-proto": "https"})

    assert made["QueueUrl"].startswith("https://")


# --- whose queues --------------------------------------------------------------------------------


async def test_each_pair_of_account_and_region_has_queues_of_its_own(protocol, gateway):
    pairs = itertools.product(("111111111111", "222222222222"), ("us-east-1", "eu-west-1"))
    everyone = [Sdk(protocol, gateway, account=one, region=two) for one, two in pairs]
    for place, sqs in enumerate(everyone):
        url = await sqs.queue("orders", DelaySeconds=str(place))
        assert url == f"http://localhost/{sqs.account}/orders"

    for place, sqs in enumerate(everyone):
        assert len((await sqs.list_queues())["QueueUrls"]) == 1
        found = await sqs.get_queue_attributes(QueueUrl=url_of(sqs), AttributeNames=["All"])
        assert found["Attributes"]["DelaySeconds"] == str(place)
        arn = f"arn:aws:sqs:{sqs.region}:{sqs.account}:orders"
        assert found["Attributes"]["QueueArn"] == arn


def url_of(sqs: Sdk) -> str:
    return f"https://sqs.{sqs.region}.amazonaws.com/{sqs.account}/orders"


@pytest.mark.parametrize("key_id", ["AKIAIOSFODNN7EXAMPLE", "test", "1", "1" * 13])
async def test_a_key_that_is_not_12_digits_is_of_the_endpoints_own_account(
    protocol, gateway, key_id
):
    sqs = Sdk(protocol, gateway, account=key_id)

    assert await sqs.queue("orders") == "http://localhost/000000000000/orders"


async def test_a_request_without_a_signature_is_of_the_endpoints_own_account(sqs, queue):
    request = sqs.request("ListQueues", {})
    request.headers = {
        name: one for name, one in request.headers.items() if name != "authorization"
    }

    assert _urls(await sqs.carry(request)) == [queue]


async def test_the_host_tells_the_region_of_a_request_without_a_signature(protocol, gateway):
    sqs = Sdk(protocol, gateway, account="000000000000", region="eu-central-1")
    await sqs.queue("orders")
    request = sqs.request("ListQueues", {})
    request.headers = {
        name: one for name, one in request.headers.items() if name != "authorization"
    }
    request.host = "sqs.eu-central-1.amazonaws.com"

    urls = _urls(await gateway(request))

    assert urls == ["http://sqs.eu-central-1.amazonaws.com/000000000000/orders"]


async def test_the_endpoints_own_pair_is_the_namespace_of_the_library(sqs, gateway):
    await gateway.client.create_queue("from-the-library")

    assert [one.rpartition("/")[2] for one in (await sqs.list_queues())["QueueUrls"]] == [
        "from-the-library"
    ]


async def test_a_url_that_was_signed_beforehand_needs_no_header(by_query):
    url = await by_query.queue("orders")
    scope = f"{by_query.account}/20260101/{REGION}/sqs/aws4_request"
    signed = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": scope,
        "X-Amz-Date": "20260101T000000Z",
        "X-Amz-Expires": "900",
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": "0" * 64,
    }
    request = Request("GET", "/", urlencode({"Action": "ListQueues", **signed}), {}, b"")

    assert _urls(await by_query.carry(request)) == [url]

    # And a queue's own path, with the form in the body.
    request = Request(
        "POST",
        urlsplit(url).path,
        urlencode(signed),
        {"content-type": "application/x-www-form-urlencoded"},
        urlencode(form("SendMessage", {"MessageBody": "x"})).encode(),
    )
    value, _ = by_query.read("SendMessage", await by_query.carry(request))
    assert value["MessageId"]


async def test_a_message_of_another_account_says_who_sent_it(protocol, gateway):
    here = Sdk(protocol, gateway, account="111111111111")
    there = Sdk(protocol, gateway, account="222222222222")
    await here.queue("orders")
    url = await there.get_queue_url(QueueName="orders", QueueOwnerAWSAccountId="111111111111")
    assert url == {"QueueUrl": "http://localhost/111111111111/orders"}

    await there.send_message(**url, MessageBody="theirs")
    await here.send_message(**url, MessageBody="ours")

    found = await here.receive_message(
        **url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["SenderId"]
    )
    senders = {one["Body"]: one["Attributes"]["SenderId"] for one in found["Messages"]}
    assert senders == {"theirs": "222222222222", "ours": "111111111111"}


# --- HTTP ----------------------------------------------------------------------------------------


async def test_every_response_has_an_id_of_its_own(sqs_over_http):
    """Refusals and pages, too."""
    sqs = sqs_over_http
    requests = [
        sqs.request("ListQueues", {}),
        sqs.request("ListQueues", {}),
        sqs.request("SendMessage", {}),
        Request("GET", "/health", "", {}, b""),
        Request("GET", "/", "", {}, b""),
        Request("OPTIONS", "/", "", {"origin": "https://evil.example"}, b""),
    ]

    ids = {request_id(await sqs.carry(one)) for one in requests}

    assert len(ids) == len(requests)


async def test_responses_say_how_late_it_is(by_json):
    """SDKs set their clocks by it."""
    first = await by_json.carry(by_json.request("ListQueues", {}))
    assert parsedate_to_datetime(first.headers["date"]).utcoffset().total_seconds() == 0


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "identity"])
async def test_a_body_may_be_compressed(sqs_over_http, coding):
    sqs = sqs_over_http
    url = await sqs.queue("orders")
    body = "x" * 100_000
    request = sqs.request("SendMessage", {"QueueUrl": url, "MessageBody": body})
    request.headers = {**request.headers, "content-encoding": coding}
    if coding != "identity":
        request.body = gzip.compress(request.body)

    sqs.read("SendMessage", await sqs.carry(request))

    found = await sqs.receive_message(QueueUrl=url)
    assert found["Messages"][0]["Body"] == body


def _head(request: Request, *more: str) -> bytes:
    """The head of a request with its headers and *more*."""
    return raw.head(*(f"{name}: {one}" for name, one in request.headers.items()), *more)


async def test_a_body_may_come_in_chunks(sqs_over_http, endpoint):
    sqs = sqs_over_http
    request = sqs.request("CreateQueue", {"QueueName": "orders"})
    size = 7
    chunks = [request.body[at : at + size] for at in range(0, len(request.body), size)]
    parts = [b"%x\r\n%s\r\n" % (len(one), one) for one in chunks]
    head = _head(request, "transfer-encoding: chunked")

    answer = await asyncio.to_thread(raw.exchange, endpoint.port, [head, *parts, b"0\r\n\r\n"])

    value, _ = sqs.read("CreateQueue", answer)
    assert value["QueueUrl"] == f"http://{HOST}/{sqs.account}/orders"


async def test_a_client_that_waits_to_send_its_body_is_told_to(sqs_over_http, endpoint):
    """botocore does for bodies of 1 MiB and more."""
    sqs = sqs_over_http
    request = sqs.request("CreateQueue", {"QueueName": "orders"})
    head = _head(request, "expect: 100-continue", f"content-length: {len(request.body)}")

    def exchange() -> Response:
        with raw.connected(endpoint.port) as connection:
            connection.sendall(head)
            interim = connection.recv(1024)
            assert interim.startswith(b"HTTP/1.1 100 Continue\r\n")
            connection.sendall(request.body)
            return raw.read(connection)

    value, _ = sqs.read("CreateQueue", await asyncio.to_thread(exchange))
    assert value["QueueUrl"]


async def test_one_connection_carries_many_requests(sqs_over_http, endpoint):
    sqs = sqs_over_http
    request = sqs.request("ListQueues", {})

    def exchange() -> None:
        connection = http.client.HTTPConnection(HOST, endpoint.port)
        connection.connect()
        only = connection.sock
        for _ in range(3):
            connection.request("POST", "/", request.body, dict(request.headers))
            assert connection.getresponse().read()
            assert connection.sock is only
        connection.close()

    await asyncio.to_thread(exchange)


async def test_http_2_with_prior_knowledge(sqs_over_http, endpoint):
    sqs = sqs_over_http
    request = sqs.request("CreateQueue", {"QueueName": "orders"})

    answer = await asyncio.to_thread(_by_http_2, endpoint, request)

    value, _ = sqs.read("CreateQueue", answer)
    assert value["QueueUrl"] == f"http://queues.example:80/{sqs.account}/orders"


def _by_http_2(endpoint: Serving, request: Request) -> Response:
    """One request and its response, as an HTTP/2 client does that was told to."""
    http2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    http2.initiate_connection()
    pseudo = {
        ":method": request.method,
        ":path": request.path,
        ":scheme": "http",
        ":authority": "queues.example:80",
    }
    http2.send_headers(1, [*pseudo.items(), *request.headers.items()])
    http2.send_data(1, request.body, end_stream=True)
    headers: dict[str, str] = {}
    body = b""
    with raw.connected(endpoint.port) as connection:
        while True:
            connection.sendall(http2.data_to_send())
            for event in http2.receive_data(connection.recv(65_536)):
                match event:
                    case h2.events.ResponseReceived():
                        headers = dict(event.headers)
                    case h2.events.DataReceived():
                        body += event.data
                    case h2.events.StreamEnded():
                        status = int(headers.pop(":status"))
                        return Response(status, body, headers["content-type"], headers)


@pytest.mark.parametrize("path", ["/", "/health", "/health/live", "/_localstack/health"])
def test_head_has_no_body(endpoint, path):
    answer = raw.exchange(endpoint.port, [raw.head(target=path, method="HEAD")], "HEAD")

    assert answer.status == 200
    assert answer.body == b""


async def test_options_without_an_origin_is_no_request_for_anything(sqs_over_http):
    answer = await sqs_over_http.carry(Request("OPTIONS", "/", "", {}, b""))

    assert refused_in("query", answer).code == "MissingAction"


# --- web pages -----------------------------------------------------------------------------------

PAGE = "https://app.example"


@pytest.fixture
def for_pages(namespace, clock):
    """An Endpoint that lets pages of PAGE use it."""
    client = rmq.connect_async("memory://", namespace=namespace, clock=clock)
    return Endpoint(client, account="0" * 12, region=REGION, origins=(PAGE,))


async def test_a_page_that_is_allowed_may_ask_first(for_pages):
    asked = {"origin": PAGE, "access-control-request-headers": "x-amz-target,content-type"}

    answer = await for_pages(Request("OPTIONS", "/", "", asked, b""))

    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-headers"] == "x-amz-target,content-type"
    assert "POST" in answer.headers["access-control-allow-methods"]


async def test_a_page_that_is_allowed_may_read_answers_and_refusals(protocol, for_pages):
    sqs = Sdk(protocol, for_pages, account="0" * 12)
    good, bad = sqs.request("ListQueues", {}), sqs.request("SendMessage", {})
    for request, status in ((good, 200), (bad, 400)):
        request.headers = {**request.headers, "origin": PAGE}

        answer = await for_pages(request)

        assert answer.status == status
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert "x-amzn-RequestId" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{PAGE}.evil.example"])
async def test_any_other_page_is_refused_and_changes_nothing(protocol, for_pages, origin):
    """A page needs no leave to send a form: it is enough that it can."""
    sqs = Sdk(protocol, for_pages, account="0" * 12)
    request = sqs.request("CreateQueue", {"QueueName": "orders"})
    request.headers = {**request.headers, "origin": origin}

    found = refused_in(protocol, await for_pages(request))

    assert (found.status, found.code) == (403, "AccessDenied")
    assert "access-control-allow-origin" not in found.response.headers
    assert await sqs.list_queues() == {}


async def test_every_page_may_where_a_star_was_said(protocol, namespace, clock):
    client = rmq.connect_async("memory://", namespace=namespace, clock=clock)
    endpoint = Endpoint(client, account="0" * 12, region=REGION, origins=("*",))
    request = Sdk(protocol, endpoint).request("ListQueues", {})
    request.headers = {**request.headers, "origin": "https://anybody.example"}

    answer = await endpoint(request)

    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] in ("*", "https://anybody.example")


# --- waiting -------------------------------------------------------------------------------------


async def test_a_long_poll_ends_with_the_first_message(sqs_over_http):
    sqs = sqs_over_http
    url = await sqs.queue("orders")
    receive = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, MaxNumberOfMessages=10)
    async with asyncio.timeout(10):
        waiting = asyncio.create_task(receive)
        await sqs.send_message(QueueUrl=url, MessageBody="x")

        assert [one["Body"] for one in (await waiting)["Messages"]] == ["x"]


class Client:
    """Whoever waits for an answer; it may hang up."""

    def __init__(self) -> None:
        self.watched = asyncio.Event()
        self.hung_up = asyncio.Event()

    async def gone(self) -> None:
        self.watched.set()
        await self.hung_up.wait()


async def test_a_client_that_hung_up_takes_no_message_with_it(sqs, queue):
    client = Client()
    request = sqs.request("ReceiveMessage", {"QueueUrl": queue, "WaitTimeSeconds": 20})
    request.gone = client.gone
    async with asyncio.timeout(10):
        poll = asyncio.create_task(sqs.carry(request))
        await client.watched.wait()
        client.hung_up.set()
        await poll

    await sqs.send_message(QueueUrl=queue, MessageBody="x")

    assert (await sqs.receive_message(QueueUrl=queue))["Messages"]


async def test_what_arrives_while_the_client_hangs_up_is_given_back(sqs, queue):
    client = Client()
    request = sqs.request("ReceiveMessage", {"QueueUrl": queue, "WaitTimeSeconds": 20})
    request.gone = client.gone
    async with asyncio.timeout(10):
        poll = asyncio.create_task(sqs.carry(request))
        await client.watched.wait()
        await sqs.send_message(QueueUrl=queue, MessageBody="x")
        client.hung_up.set()
        answer = await poll

        found = sqs.read("ReceiveMessage", answer)[0] or await until(
            lambda: sqs.receive_message(QueueUrl=queue)
        )
    assert [one["Body"] for one in found["Messages"]] == ["x"]


async def test_an_endpoint_that_stops_answers_those_who_wait(sqs, queue, gateway):
    client = Client()
    request = sqs.request("ReceiveMessage", {"QueueUrl": queue, "WaitTimeSeconds": 20})
    request.gone = client.gone
    async with asyncio.timeout(10):
        poll = asyncio.create_task(sqs.carry(request))
        await client.watched.wait()
        gateway.stopping.set()

        assert sqs.read("ReceiveMessage", await poll)[0] == {}


# --- refusals that come before anything is understood --------------------------------------------


@pytest.mark.parametrize(
    ("headers", "protocol"),
    [
        ({"x-amz-target": "AmazonSQS.ListQueues"}, "json"),
        ({"content-type": "application/x-amz-json-1.0"}, "json"),
        ({"content-type": "application/json; charset=utf-8"}, "json"),
        ({"content-type": "application/x-www-form-urlencoded"}, "query"),
        ({}, "query"),
    ],
)
async def test_a_refusal_is_in_the_callers_protocol_even_if_nobody_understood_it(
    gateway, headers, protocol
):
    headers |= {"content-encoding": "zstd", "authorization": authorization(new_account())}

    answer = await gateway(Request("POST", "/", "", headers, b"\xff"))

    assert isinstance(refused_in(protocol, answer), Refused)
