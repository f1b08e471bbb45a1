"""Fuzz: whatever comes in, what goes out is an answer or a refusal in AWS's form; never a 5xx,
never silence, and never more memory than a request may take.

First straight into the Endpoint: bodies, parameters and forms, from the model and by chance. Then
over HTTP, what no client would send.
"""

from __future__ import annotations

import asyncio
import errno
import gzip
import http.client
import json
import socket
import uuid
import zlib
from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import rmq
from rmq.gateway.app import MAX_BODY, Endpoint, endpoint_limits
from rmq.gateway.http import Request, Response
from rmq.testing import private_namespace
from tests.gateway import raw
from tests.gateway.sdk import (
    MODEL,
    QUERY_MODEL,
    REGION,
    Refused,
    Sdk,
    authorization,
    form,
    over_http,
    refused_in,
)
from tests.gateway.serving import Serving, serving
from tests.gateway.wrong import WRONG, example, fits, forms, of, places, replaced

ACCOUNT = "000000000000"
URL = f"http://localhost/{ACCOUNT}/orders"
MIB = 1 << 20
MOST_GROWTH = 150 * MIB
"""Bytes by which the server's memory may grow over all that is sent to it here."""

Ask = Callable[[Request], Response]


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """An Endpoint without HTTP. It still works when all is over."""
    with asyncio.Runner() as runner:
        client = rmq.connect_async(
            "memory://", namespace=private_namespace(), limits=endpoint_limits(cooldowns=False)
        )
        endpoint = Endpoint(client, account=ACCOUNT, region=REGION)
        yield lambda request: runner.run(endpoint(request))
        for protocol in ("json", "query"):
            runner.run(_works(Sdk(protocol, endpoint)))
        runner.run(endpoint.close())


async def _works(sqs: Sdk) -> None:
    url = await sqs.queue(f"works-{uuid.uuid4().hex}")
    await sqs.send_message(QueueUrl=url, MessageBody="x")
    found = await sqs.receive_message(QueueUrl=url)
    assert [one["Body"] for one in found["Messages"]] == ["x"]


def _sane(protocol: str, response: Response) -> Refused | None:
    """The refusal that a response is, if it is one; fails the test for what may not be."""
    if response.status == 200:
        return None
    found = refused_in(protocol, response)
    assert found.status < 500, found
    assert len(response.body) < 10_000  # the wrong values come back shortened
    return found


def _json(body: bytes, operation: str = "SendMessage") -> Request:
    headers = {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": f"AmazonSQS.{operation}",
        "authorization": authorization(ACCOUNT),
    }
    return Request("POST", "/", "", headers, body)


def _form(body: bytes | dict[str, str]) -> Request:
    headers = {
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "authorization": authorization(ACCOUNT),
    }
    return Request(
        "POST", "/", "", headers, urlencode(body).encode() if isinstance(body, dict) else body
    )


@pytest.fixture
def url(ask: Ask) -> str:
    """A queue that is there, whatever the test before did to it."""
    assert ask(_json(b'{"QueueName":"orders"}', "CreateQueue")).status in (200, 400)
    return URL


# --- JSON that is none ---------------------------------------------------------------------------

DEEP = 200_000
"""Levels of nesting; Python's own stack ends after a thousand."""

NO_JSON = {
    "cut": b"{",
    "a list": b"[]",
    "text": b'"x"',
    "a number": b"1",
    "null": b"null",
    "true": b"true",
    "nothing but space": b" ",
    "two": b"{}{}",
    "a tail": b"{} x",
    "a comma too many": b'{"MessageBody":"x",}',
    "single quotes": b"{'MessageBody':'x'}",
    "a name without quotes": b"{MessageBody:1}",
    "a comment": b"{/* */}",
    "NaN": b'{"DelaySeconds":NaN}',
    "Infinity": b'{"DelaySeconds":-Infinity}',
    "an unfinished escape": b'{"MessageBody":"\\u12"}',
    "an unknown escape": b'{"MessageBody":"\\x41"}',
    "a lone high surrogate": b'{"MessageBody":"\\ud800"}',
    "a lone low surrogate": b'{"MessageBody":"\\udc00"}',
    "surrogates in the wrong order": b'{"MessageBody":"\\udc00\\ud800"}',
    "a lone surrogate in a name": b'{"\\ud800":1}',
    "a line feed in text": b'{"MessageBody":"a\nb"}',
    "bytes that are not UTF-8": b'{"MessageBody":"\xff\xfe"}',
    "an overlong UTF-8 form": b'{"MessageBody":"\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"MessageBody":"\xed\xa0\x80"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"MessageBody":"x"}'.encode("utf-16"),
    "zeros": b"\0" * 1000,
    "deep lists": b"[" * DEEP,
    "deep lists that end": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep lists in a parameter": b'{"MessageAttributes":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "XML": b'<?xml version="1.0"?><SendMessage/>',
    "a form": b"Action=SendMessage&MessageBody=x",
}


@pytest.mark.parametrize("body", [pytest.param(one, id=name) for name, one in NO_JSON.items()])
def test_a_body_that_is_not_a_json_object_is_malformed(ask, body):
    found = _sane("json", ask(_json(body)))

    assert found is not None
    assert (found.status, found.code) == (400, "MalformedInput")


ODD_JSON = {
    "two equal names": '{"QueueUrl":"no","QueueUrl":"%s","MessageBody":"x"}',
    "unknown members": '{"QueueUrl":"%s","MessageBody":"x","__proto__":{},"a":{"b":[null]}}',
    "escapes": '{"QueueUrl":"%s","Message\\u0042ody":"\\ud83d\\ude00"}',
    "nulls": '{"QueueUrl":"%s","MessageBody":"x","MessageAttributes":null,"DelaySeconds":null}',
}


@pytest.mark.parametrize("body", [pytest.param(one, id=name) for name, one in ODD_JSON.items()])
def test_json_that_is_merely_odd_is_read(ask, url, body):
    assert _sane("json", ask(_json((body % url).encode()))) is None


@pytest.mark.parametrize(
    "number",
    [
        "1e999",
        "-1e999",
        "1e-999",
        "9" * 400,
        "9" * 5000,
        "9" * 100_000,
        "-0",
        "0.0",
        "1e2",
        "2147483648",
    ],
    ids=lambda text: text[:12],
)
def test_a_number_of_any_size_is_answered(ask, url, number):
    body = f'{{"QueueUrl":"{url}","MessageBody":"x","DelaySeconds":{number}}}'

    _sane("json", ask(_json(body.encode())))


# --- every wrong kind at every parameter ---------------------------------------------------------


@pytest.mark.parametrize("operation", MODEL.operation_names)
def test_every_wrong_kind_at_every_parameter_in_json(ask, url, operation):
    shape = MODEL.operation_model(operation).input_shape
    full = example(shape)
    for with_queue in (True, False):
        if with_queue and "QueueUrl" in full:
            full["QueueUrl"] = url
        for path, at in places(shape, full):
            for value in WRONG:
                body = json.dumps(replaced(full, path, value)).encode()
                found = _sane("json", ask(_json(body, operation)))
                if value is not None and not fits(at, value):
                    assert found is not None, (path, value)
                    assert found.code == "MalformedInput", (path, value, found)
        if "QueueUrl" not in full:
            return
        full["QueueUrl"] = "https://nowhere.example/no/such/queue"


@pytest.mark.parametrize("operation", MODEL.operation_names)
def test_every_wrong_text_at_every_field_of_a_form(ask, url, operation):
    shape = QUERY_MODEL.operation_model(operation).input_shape
    full = example(shape)
    if "QueueUrl" in full:
        full["QueueUrl"] = url
    fields = {"Action": operation, **{str(k): str(v) for k, v in form(operation, full).items()}}
    for one in forms(fields):
        _sane("query", ask(_form(one)))


# --- by chance -----------------------------------------------------------------------------------

scalars = (
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats(allow_nan=False, allow_infinity=False)
    | some.text(max_size=20)
)
names = some.text(max_size=8) | some.sampled_from(
    sorted(
        {name for one in MODEL.shape_names for name in getattr(MODEL.shape_for(one), "members", {})}
    )
)
values = some.recursive(
    scalars,
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(names, inner, max_size=6),
    max_leaves=20,
)
operations = some.sampled_from(MODEL.operation_names)
LONG_POLL = "WaitTimeSeconds"


@settings(max_examples=150, deadline=None)
@given(operation=operations, given=some.dictionaries(names, values, max_size=8))
def test_any_json_object_is_answered(ask, operation, given):
    given.pop(LONG_POLL, None)

    _sane("json", ask(_json(json.dumps(given).encode(), operation)))


@settings(max_examples=150, deadline=None)
@given(operation=operations, data=some.data())
def test_any_parameters_of_the_right_types_are_answered(ask, operation, data):
    """They get further than those of a wrong type."""
    shape = MODEL.operation_model(operation).input_shape
    given = data.draw(of(shape))
    given.pop(LONG_POLL, None)
    if "QueueUrl" in shape.members:
        ask(_json(b'{"QueueName":"orders"}', "CreateQueue"))
        given["QueueUrl"] = URL

    _sane("json", ask(_json(json.dumps(given).encode(), operation)))


@settings(max_examples=100, deadline=None)
@given(body=some.binary(max_size=200), by_form=some.booleans())
def test_any_bytes_are_answered(ask, body, by_form):
    request = _form(b"Action=SendMessage&" + body) if by_form else _json(body)

    _sane("query" if by_form else "json", ask(request))


@settings(max_examples=150, deadline=None)
@given(
    operation=operations,
    fields=some.dictionaries(
        some.lists(
            names | some.sampled_from(["1", "2", "0", "-1", "Name", "Value", ""]), max_size=6
        )
        .map(".".join)
        .filter(lambda name: name != LONG_POLL),
        some.text(max_size=20),
        max_size=8,
    ),
)
def test_any_form_is_answered(ask, operation, fields):
    _sane("query", ask(_form({**fields, "Action": operation})))


@settings(max_examples=100, deadline=None)
@given(
    header=some.text(max_size=100)
    | some.text(max_size=50).map(lambda text: f"AWS4-HMAC-SHA256 {text}")
    | some.text(max_size=50).map(authorization),
    by_form=some.booleans(),
)
def test_any_authorization_is_answered(ask, header, by_form):
    request = _form(b"Action=ListQueues") if by_form else _json(b"{}", "ListQueues")
    request.headers = {**request.headers, "authorization": header}

    _sane("query" if by_form else "json", ask(request))


@settings(max_examples=100, deadline=None)
@given(
    path=some.text(max_size=60).map(lambda text: f"/{text}"),
    query=some.text(max_size=60),
    method=some.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "X"]),
)
def test_any_path_and_query_are_answered(ask, path, query, method):
    answer = ask(Request(method, path, query, {}, b""))

    if "json" not in answer.content_type:
        _sane("query", answer)
    assert answer.status < 500


# --- targets and actions -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        "",
        ".",
        "AmazonSQS",
        "AmazonSQS.",
        ".SendMessage",
        "AmazonSQS.SendMessage.",
        "AmazonSQS..SendMessage",
        "amazonsqs.SendMessage",
        "AmazonSQS.sendmessage",
        "AmazonSQS.send_message",
        "AmazonSQS.__class__",
        "AmazonSNS.Publish",
        "DynamoDB_20120810.PutItem",
        "AmazonSQS.é",
        "x" * 10_000,
        "AmazonSQS." + "x" * 10_000,
    ],
    ids=lambda text: text[:30],
)
def test_a_wrong_target_or_action_is_an_unknown_operation(ask, target):
    by_json = _json(b"{}")
    by_json.headers = {**by_json.headers, "x-amz-target": target}
    for protocol, request in (("json", by_json), ("query", _form({"Action": target}))):
        found = _sane(protocol, ask(request))

        assert found is not None
        assert (found.status, found.code) == (400, "InvalidAction")


LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">
<!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">
<!ENTITY lol3 "&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;">
<!ENTITY file SYSTEM "file:///etc/passwd">]>
<SendMessage><MessageBody>&lol3;&file;</MessageBody></SendMessage>"""


@pytest.mark.parametrize("content_type", ["text/xml", "application/xml", "application/soap+xml"])
def test_xml_is_not_read_at_all(ask, content_type):
    request = Request("POST", "/", "", {"content-type": content_type}, LAUGHS)

    found = _sane("query", ask(request))

    assert found is not None
    assert found.code == "MissingAction"
    assert b"root" not in found.response.body


# --- forms that are broken -----------------------------------------------------------------------

SEND = "Action=SendMessage&MessageBody=x"
BATCH = "Action=SendMessageBatch"

REFUSED_FORMS = {
    "10,001 fields": SEND + "&a=1" * 10_001,
    "100,000 fields": SEND + "&a=1" * 100_000,
    "a deep name": f"{SEND}&{'a.' * 100_000}=1",
    "a name of 17 parts": f"{SEND}&{'.'.join('a' * 17)}=1",
    "not UTF-8": f"{SEND}&a=%ff%fe",
    "half a character": f"{SEND}&a=%e2%82",
    "a lone surrogate": f"{SEND}&a=%ed%a0%80",
    "no action": "MessageBody=x",
    "nothing": "",
    "only separators": "&" * 5000,
    "only equals": "=" * 5000,
    "two actions in one": "Action=SendMessage,ListQueues",
}


@pytest.mark.parametrize(
    "body", [pytest.param(one, id=name) for name, one in REFUSED_FORMS.items()]
)
def test_a_broken_form_is_refused(ask, body):
    found = _sane("query", ask(_form(body.encode())))

    assert found is not None
    assert found.status == 400


ODD_FORMS = {
    "a giant index": "{batch}&{entry}.99999999999.Id=a&{entry}.99999999999.MessageBody=x",
    "an index of 4,000 digits": "{batch}&{entry}.%s.Id=a&{entry}.%s.MessageBody=x"
    % (("9" * 4000,) * 2),
    "index 0": "{batch}&{entry}.0.Id=a&{entry}.0.MessageBody=x",
    "a percent sign alone": "{send}&MessageBody=100%",
    "a wrong escape": "{send}&MessageBody=%zz",
    "the value twice": "{send}&MessageBody=x&MessageBody=y",
    "a field that is also a branch": "{send}&MessageBody=x&MessageBody.1=y&MessageBody.1.2=z",
    "16 parts": "{send}&MessageBody=x&" + ".".join("a" * 16) + "=1",
}


@pytest.mark.parametrize("body", [pytest.param(one, id=name) for name, one in ODD_FORMS.items()])
def test_a_form_that_is_merely_odd_is_read(ask, url, body):
    queue = urlencode({"QueueUrl": url})
    body = body.replace("{send}", f"Action=SendMessage&{queue}")
    body = body.replace("{batch}", f"{BATCH}&{queue}")
    body = body.replace("{entry}", "SendMessageBatchRequestEntry")

    assert _sane("query", ask(_form(body.encode()))) is None


# --- compressed bodies ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"", "MalformedInput", id="nothing"),
        pytest.param(b"\x1f\x8b", "MalformedInput", id="two bytes"),
        pytest.param(gzip.compress(b"{}")[:-1], "MalformedInput", id="cut"),
        pytest.param(gzip.compress(b"{}")[:-5] + b"12345", "MalformedInput", id="a wrong sum"),
        pytest.param(zlib.compress(b"{}"), "MalformedInput", id="zlib"),
        pytest.param(
            gzip.compress(bytes(MAX_BODY + 1)), "RequestEntityTooLarge", id="one too many"
        ),
        pytest.param(gzip.compress(bytes(400 * MIB), 1), "RequestEntityTooLarge", id="a bomb"),
    ],
)
def test_a_body_that_inflates_wrongly_or_too_far_is_refused(ask, body, code):
    before = psutil.Process().memory_info().rss
    for protocol, request in (("json", _json(body)), ("query", _form(body))):
        request.headers = {**request.headers, "content-encoding": "gzip"}

        found = _sane(protocol, ask(request))

        assert found is not None
        assert found.code == code
    assert psutil.Process().memory_info().rss - before < MOST_GROWTH


# --- over HTTP -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def target() -> Iterator[Serving]:
    """An endpoint that takes all that follows, and lives."""
    with serving() as made:
        workers = _workers(made)
        asyncio.run(_works(Sdk("json", over_http(made.url))))
        before = made.resident_bytes()
        yield made
        assert _workers(made) == workers  # one that died would have been replaced
        assert made.resident_bytes() - before < MOST_GROWTH


def _workers(made: Serving) -> list[int]:
    return [one.pid for one in psutil.Process(made.process.pid).children(recursive=True)]


@pytest.fixture
def port(target: Serving) -> Iterator[int]:
    yield target.port
    for protocol in ("json", "query"):
        asyncio.run(_works(Sdk(protocol, over_http(target.url))))


JSON_HEAD = ("content-type: application/x-amz-json-1.0", "x-amz-target: AmazonSQS.ListQueues")
FORM_HEAD = ("content-type: application/x-www-form-urlencoded",)


@pytest.mark.parametrize("size", [64 * 1024, 500 * 1024])
@pytest.mark.parametrize("in_authorization", [True, False])
def test_huge_headers_are_read_or_refused(port, size, in_authorization):
    name = "authorization" if in_authorization else "x-huge"
    huge = f"{name}: {'x' * size}"
    for protocol, head, body in (
        ("json", JSON_HEAD, b"{}"),
        ("query", FORM_HEAD, b"Action=ListQueues"),
    ):
        length = f"content-length: {len(body)}"
        answer = raw.exchange(port, [raw.head(*head, length, huge), body])

        found = _sane(protocol, answer)
        assert (found is not None) == in_authorization


@pytest.mark.parametrize("many", [True, False])
def test_headers_without_end_are_refused(port, many):
    lines = (f"x-{i}: {'x' * 1000}" for i in range(3000)) if many else (f"x: {'x' * 3 * MIB}",)

    assert _status(port, raw.head(*JSON_HEAD, *lines)) in (0, 431)


def test_a_huge_url_is_refused_or_read(port):
    head = raw.head(target=f"/?Action=ListQueues&a={'x' * 60_000}", method="GET")

    assert _status(port, head) in (200, 414)


def test_a_body_that_says_it_is_too_long_is_refused_unread(port):
    for protocol, head in (("json", JSON_HEAD), ("query", FORM_HEAD)):
        answer = raw.exchange(port, [raw.head(*head, f"content-length: {MAX_BODY + 1}")])

        found = _sane(protocol, answer)
        assert found is not None
        assert (found.status, found.code) == (413, "RequestEntityTooLarge")


def test_a_body_that_turns_out_too_long_is_refused(port):
    chunk = b"%x\r\n%s\r\n" % (MIB, bytes(MIB))
    for protocol, head in (("json", JSON_HEAD), ("query", FORM_HEAD)):
        parts = [raw.head(*head, "transfer-encoding: chunked"), *[chunk] * 17, b"0\r\n\r\n"]
        answer = raw.exchange(port, parts)

        found = _sane(protocol, answer)
        assert found is not None
        assert (found.status, found.code) == (413, "RequestEntityTooLarge")


def test_a_body_of_the_longest_kind_is_read(port):
    body = b"{" + b" " * (MAX_BODY - 2) + b"}"
    head = raw.head(*JSON_HEAD, f"content-length: {len(body)}")

    assert _sane("json", raw.exchange(port, [head, body])) is None


def test_a_bomb_over_http_is_refused(port):
    body = gzip.compress(bytes(200 * MIB), 1)
    head = raw.head(*JSON_HEAD, "content-encoding: gzip", f"content-length: {len(body)}")

    found = _sane("json", raw.exchange(port, [head, body]))

    assert found is not None
    assert found.status == 413


@pytest.mark.parametrize(
    "header",
    [
        "authorization:",
        "authorization: AWS4-HMAC-SHA256",
        "authorization: AWS4-HMAC-SHA256 Credential=/, SignedHeaders=, Signature=",
        f"authorization: {authorization(ACCOUNT, 'no such region')}",
        "authorization: AWS4-HMAC-SHA256 " + "Credential=a/b/c/d/aws4_request, " * 1000,
        "authorization: \xff\xfe",
        "authorization: Basic " + "QQ==" * 1000,
        "authorization: =,=,=",
    ],
    ids=lambda text: text[:50],
)
def test_a_broken_authorization_over_http(port, header):
    for protocol, head, body in (
        ("json", JSON_HEAD, b"{}"),
        ("query", FORM_HEAD, b"Action=ListQueues"),
    ):
        length = f"content-length: {len(body)}"

        _sane(protocol, raw.exchange(port, [raw.head(*head, length, header), body]))


NO_HTTP = {
    "a line": b"hello\r\n\r\n",
    "zeros": b"\0" * 4096,
    "bytes": bytes(range(256)) * 16,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 512,
    "a version that is none": b"GET / HTTP/9.9\r\n\r\n",
    "no host": b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
    "a length that is none": raw.head(*JSON_HEAD, "content-length: ten"),
    "a negative length": raw.head(*JSON_HEAD, "content-length: -1"),
    "a length of 30 digits": raw.head(*JSON_HEAD, f"content-length: {'9' * 30}"),
    "two lengths": raw.head(*JSON_HEAD, "content-length: 2", "content-length: 3") + b"{}",
    "a length and chunks": raw.head(*JSON_HEAD, "content-length: 2", "transfer-encoding: chunked")
    + b"2\r\n{}\r\n0\r\n\r\n",
    "a chunk size that is none": raw.head(*JSON_HEAD, "transfer-encoding: chunked")
    + b"zz\r\n{}\r\n",
    "a giant chunk size": raw.head(*JSON_HEAD, "transfer-encoding: chunked")
    + b"fffffffffffffffff\r\n{}",
    "an unknown transfer encoding": raw.head(*JSON_HEAD, "transfer-encoding: rot13") + b"{}",
    "a header without a colon": raw.head(*JSON_HEAD, "nonsense"),
    "a header that is folded": raw.head(*JSON_HEAD, "x: a", " b", "content-length: 0"),
    "a carriage return in a header": raw.head(*JSON_HEAD, "x: a\rb", "content-length: 0"),
    "HTTP/2 that breaks off": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 9,
    "HTTP/2 with a giant frame": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\x00\x00\0\0\0\1",
}


@pytest.mark.parametrize("data", [pytest.param(one, id=name) for name, one in NO_HTTP.items()])
def test_what_is_not_http_is_refused_or_hung_up_on(port, data):
    assert _status(port, data, no_more=True) < 500


def _status(port: int, data: bytes, *, no_more: bool = False) -> int:
    """The status of the answer, or 0 where the server hung up instead."""
    with raw.connected(port) as connection:
        try:
            connection.sendall(data)
            if no_more:
                connection.shutdown(socket.SHUT_WR)
            return raw.read(connection).status
        except (ConnectionError, http.client.HTTPException):
            return 0
        except OSError as error:
            if error.errno != errno.ENOTCONN:  # the server was quicker than the shutdown
                raise
            return 0


def test_a_client_that_hangs_up_in_the_middle_is_forgotten(port):
    for _ in range(50):
        with raw.connected(port) as connection:
            connection.sendall(raw.head(*JSON_HEAD, "content-length: 1000") + b"{")
        with raw.connected(port) as connection:
            connection.sendall(raw.head(*JSON_HEAD, "transfer-encoding: chunked") + b"5\r\n{")
        with raw.connected(port) as connection:
            connection.sendall(b"POST / HT")
