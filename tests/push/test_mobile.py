"""Messages to phones: what each platform is sent, and what its answers mean.

The platforms are listeners of this machine; their answers are as their documentation says.
"""

import json
import ssl
from dataclasses import replace
from datetime import timedelta

import jwt
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from rmq.core.codec import Header
from rmq.push.job import Passing, Permanent
from rmq.push.senders.mobile import MobileSender, Phone
from rmq.push.senders.mobile.sender import TokenRefused, message_for
from rmq.push.settings import PushSettings
from rmq.topics.inner import MOBILE, Target, send_direct
from tests.push.http2 import Http2
from tests.push.listener import Answer, Listener

ENDPOINT = (
    "arn:aws:sns:us-east-1:000000000000:endpoint/GCM/shop/5f0e6bc0-95a6-4f4e-9d9f-0d3b2f8b8d11"
)


def pem(key):
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private, public.decode()


RSA = pem(rsa.generate_private_key(65537, 2048))
EC = pem(ec.generate_private_key(ec.SECP256R1()))


class Book:
    """One phone."""

    def __init__(self, phone):
        self.phone = phone
        self.failures = []

    async def find(self, job):
        return self.phone

    async def disable(self, job, phone):
        self.phone = replace(phone, is_enabled=False)

    async def given_up(self, job, reason):
        self.failures.append((job.endpoint, job.message.id, reason))


@pytest.fixture(params=["async-memory"])
def backend(request, servers):
    from tests.conftest import Backend

    return Backend("async", "memory", servers.url("memory"))


@pytest.fixture
async def platform():
    made = await Listener.start()
    yield made
    await made.close()


@pytest.fixture
def send(client, dispatch, platform):
    """Sends one message to a phone through a dispatcher. Returns the dispatcher and the book."""
    made = {}

    async def send(phone, text, by_protocol=False, attributes=None):
        if "book" not in made:
            url = platform.url().rstrip("/")
            settings = PushSettings(fcm_url=url, apns_url=url, adm_url=url)
            made["book"] = Book(phone)
            sender = MobileSender(made["book"], settings)
            made["dispatcher"] = dispatch(senders={"application": sender})
        header = Header(by_protocol=by_protocol, attributes=attributes or {})
        target = Target(protocol="application", endpoint=ENDPOINT)
        await client._executor.run(
            send_direct(client._topics, MOBILE, text.encode(), header, target)
        )
        await made["dispatcher"].drain()
        return made["dispatcher"].counters, made["book"]

    return send


def fcm_phone(platform):
    account = {
        "type": "service_account",
        "project_id": "shop-1",
        "client_email": "push@shop-1.example",
        "private_key": RSA[0],
        "token_uri": platform.url("/token"),
    }
    return Phone(platform="GCM", token="phone-1", credential=json.dumps(account))


def as_google(request):
    if request.path == "/token":
        return Answer(200, (), b'{"access_token":"opens","expires_in":3600}')
    return Answer(200, (), b'{"name":"projects/shop-1/messages/1"}')


async def test_fcm_gets_an_access_token_once_and_then_messages(platform, send):
    platform.answer = as_google
    phone = fcm_phone(platform)
    await send(phone, "hello")
    counters, _ = await send(phone, "again")

    token, first, second = platform.requests
    assert token.headers["content-type"] == "application/x-www-form-urlencoded"
    assert b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer" in token.body
    claims = jwt.decode(
        token.body.decode().partition("assertion=")[2],
        RSA[1],
        algorithms=["RS256"],
        audience=platform.url("/token"),
    )
    assert claims["iss"] == "push@shop-1.example"
    assert claims["scope"] == "https://www.googleapis.com/auth/firebase.messaging"
    assert first.path == second.path == "/v1/projects/shop-1/messages:send"
    assert first.headers["authorization"] == "Bearer opens"
    assert first.json() == {
        "message": {
            "data": {"default": "hello"},
            "android": {"ttl": "2419200s"},
            "token": "phone-1",
        }
    }
    assert counters.delivered == 2


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (
            {
                "fcmV1Message": {
                    "message": {"notification": {"title": "t"}, "android": {"ttl": "5s"}}
                }
            },
            {"notification": {"title": "t"}, "android": {"ttl": "5s"}},
        ),
        (
            {"data": {"a": "b", "n": {"c": 1}}, "priority": "high", "collapse_key": "k"},
            {
                "data": {"a": "b", "n": '{"c":1}'},
                "android": {"priority": "high", "collapse_key": "k", "ttl": "60s"},
            },
        ),
    ],
)
async def test_fcm_gets_what_the_message_says_to_it(platform, send, given, sent):
    platform.answer = as_google
    body = json.dumps({"default": "d", "GCM": json.dumps(given)})
    ttl = {"AWS.SNS.MOBILE.GCM.TTL": ("String", "60")}
    await send(fcm_phone(platform), body, by_protocol=True, attributes=ttl)

    assert platform.requests[1].json()["message"] == {**sent, "token": "phone-1"}


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, {"status": "NOT_FOUND", "details": [{"errorCode": "UNREGISTERED"}]}),
        (403, {"status": "PERMISSION_DENIED", "details": [{"errorCode": "SENDER_ID_MISMATCH"}]}),
        (
            400,
            {
                "status": "INVALID_ARGUMENT",
                "details": [{"fieldViolations": [{"field": "message.token"}]}],
            },
        ),
    ],
)
async def test_a_token_that_fcm_does_not_know_disables_the_endpoint(platform, send, status, error):
    def answer(request):
        if request.path == "/token":
            return as_google(request)
        return Answer(status, (), json.dumps({"error": error}).encode())

    platform.answer = answer
    counters, book = await send(fcm_phone(platform), "hello")

    assert not book.phone.is_enabled
    assert counters.failed == 1
    ((arn, _, reason),) = book.failures
    assert arn == ENDPOINT
    assert str(status) in reason
    # To a phone that is switched off nothing more is sent.
    requests = len(platform.requests)
    await send(book.phone, "again")
    assert len(platform.requests) == requests


async def test_a_message_that_fcm_refuses_leaves_the_endpoint_as_it_is(platform, send):
    def answer(request):
        if request.path == "/token":
            return as_google(request)
        return Answer(400, (), b'{"error":{"status":"INVALID_ARGUMENT","details":[]}}')

    platform.answer = answer
    counters, book = await send(fcm_phone(platform), "hello")

    assert book.phone.is_enabled
    assert counters.failed == 1


async def test_an_access_token_that_is_not_taken_is_got_anew(clock, platform, send):
    answers = iter([401, 200, 200])

    def answer(request):
        return as_google(request) if request.path == "/token" else next(answers)

    platform.answer = answer
    counters, _ = await send(fcm_phone(platform), "hello")
    assert counters.retried == 1
    clock.move(10)
    counters, _ = await send(fcm_phone(platform), "another")

    assert [one.path for one in platform.requests].count("/token") == 2


async def test_what_is_no_key_of_a_service_account_is_given_up(platform, send):
    counters, _ = await send(Phone(platform="GCM", token="t", credential="AAAA-legacy"), "hello")

    assert counters.failed == 1
    assert platform.requests == []


def apple_phone(**changed):
    return replace(
        Phone(
            platform="APNS",
            token="ab" * 32,
            principal="KEY0123456",
            credential=EC[0],
            attributes={
                "ApplePlatformTeamID": "TEAM123456",
                "ApplePlatformBundleID": "org.example.shop",
            },
        ),
        **changed,
    )


async def test_apns_gets_a_signed_token_and_the_alert(platform, send):
    counters, _ = await send(apple_phone(), "hello")
    await send(apple_phone(), "again")

    first, second = platform.requests
    assert first.path == f"/3/device/{'ab' * 32}"
    assert first.json() == {"aps": {"alert": "hello"}}
    token = first.headers["authorization"].removeprefix("bearer ")
    assert jwt.get_unverified_header(token)["kid"] == "KEY0123456"
    assert jwt.decode(token, EC[1], algorithms=["ES256"])["iss"] == "TEAM123456"
    assert second.headers["authorization"] == first.headers["authorization"]
    assert first.headers["apns-topic"] == "org.example.shop"
    assert first.headers["apns-push-type"] == "alert"
    assert first.headers["apns-priority"] == "10"
    assert int(first.headers["apns-expiration"]) > 1_700_000_000
    assert counters.delivered == 2


async def test_apns_gets_what_the_message_says_to_it(platform, send):
    payload = {"aps": {"content-available": 1}, "order": 7}
    body = json.dumps({"default": "d", "APNS": json.dumps(payload)})
    said = {
        "AWS.SNS.MOBILE.APNS.TOPIC": ("String", "org.example.other"),
        "AWS.SNS.MOBILE.APNS.COLLAPSE_ID": ("String", "orders"),
    }
    await send(apple_phone(), body, by_protocol=True, attributes=said)

    (request,) = platform.requests
    assert request.json() == payload
    assert request.headers["apns-push-type"] == "background"
    assert request.headers["apns-priority"] == "5"
    assert request.headers["apns-topic"] == "org.example.other"
    assert request.headers["apns-collapse-id"] == "orders"


@pytest.mark.parametrize(
    ("status", "reason", "is_gone"),
    [
        (410, "Unregistered", True),
        (400, "BadDeviceToken", True),
        (400, "DeviceTokenNotForTopic", True),
        (413, "PayloadTooLarge", False),
        (400, "BadTopic", False),
    ],
)
async def test_a_token_that_apns_does_not_know_disables_the_endpoint(
    platform, send, status, reason, is_gone
):
    platform.answer = lambda request: Answer(status, (), json.dumps({"reason": reason}).encode())
    counters, book = await send(apple_phone(), "hello")

    assert book.phone.is_enabled is not is_gone
    assert counters.failed == 1


@pytest.mark.parametrize(
    ("status", "reason"),
    [(429, "TooManyRequests"), (500, "InternalServerError"), (403, "ExpiredProviderToken")],
)
async def test_what_apns_may_take_later_is_sent_again(clock, platform, send, status, reason):
    answers = iter([Answer(status, (), json.dumps({"reason": reason}).encode()), 200, 200])
    platform.answer = lambda request: next(answers)
    counters, book = await send(apple_phone(), "hello")
    assert counters.retried == 1
    clock.move(10)
    counters, book = await send(apple_phone(), "another")

    assert counters.delivered == 2
    assert book.phone.is_enabled


@pytest.mark.parametrize(
    "phone", [apple_phone(principal=""), apple_phone(attributes={}), apple_phone(credential="x")]
)
async def test_an_apple_application_that_lacks_something_is_given_up(platform, send, phone):
    counters, _ = await send(phone, "hello")

    assert counters.failed == 1
    assert platform.requests == []


ADM_PHONE = Phone(platform="ADM", token="reg/1", principal="client", credential="secret")


def as_amazon(request):
    if request.path == "/auth/o2/token":
        return Answer(200, (), b'{"access_token":"opens","expires_in":3600}')
    return Answer(200, (), b'{"registrationID":"reg/1"}')


async def test_adm_gets_an_access_token_once_and_then_messages(platform, send):
    platform.answer = as_amazon
    await send(ADM_PHONE, "hello")
    payload = json.dumps({"data": {"order": 7}, "consolidationKey": "orders"})
    counters, _ = await send(
        ADM_PHONE, json.dumps({"default": "d", "ADM": payload}), by_protocol=True
    )

    token, first, second = platform.requests
    assert token.body == (
        b"grant_type=client_credentials&scope=messaging%3Apush&client_id=client"
        b"&client_secret=secret"
    )
    assert first.path == "/messaging/registrations/reg%2F1/messages"
    assert first.headers["authorization"] == "Bearer opens"
    assert first.headers["x-amzn-type-version"] == "com.amazon.device.messaging.ADMMessage@1.0"
    assert first.json() == {"data": {"default": "hello"}, "expiresAfter": 2419200}
    assert second.json() == {
        "data": {"order": "7"},
        "consolidationKey": "orders",
        "expiresAfter": 2419200,
    }
    assert counters.delivered == 2


@pytest.mark.parametrize(
    ("status", "reason", "is_gone"),
    [
        (400, "Unregistered", True),
        (400, "InvalidRegistrationId", True),
        (400, "InvalidData", False),
    ],
)
async def test_a_registration_that_adm_does_not_know_disables_the_endpoint(
    platform, send, status, reason, is_gone
):
    def answer(request):
        if request.path == "/auth/o2/token":
            return as_amazon(request)
        return Answer(status, (), json.dumps({"reason": reason}).encode())

    platform.answer = answer
    counters, book = await send(ADM_PHONE, "hello")

    assert book.phone.is_enabled is not is_gone
    assert counters.failed == 1


async def test_a_platform_that_is_away_is_tried_again(clock, platform, send):
    await platform.close()
    counters, _ = await send(apple_phone(), "hello")

    assert counters.retried == 1


async def test_a_platform_that_is_not_spoken_is_said_so(platform, send):
    counters, book = await send(Phone(platform="BAIDU", token="t"), "hello")

    assert counters.failed == 1
    assert "BAIDU" in book.failures[0][2]


def test_a_message_lives_as_long_as_it_says():
    phone = Phone(platform="APNS_SANDBOX", token="t")
    said = Header(attributes={"AWS.SNS.MOBILE.APNS_SANDBOX.TTL": ("String", "60")})

    assert message_for(b"x", said, phone).time_to_live == timedelta(seconds=60)
    assert message_for(b"x", Header(), phone).time_to_live == timedelta(weeks=4)


def test_a_token_that_is_refused_is_not_tried_again():
    assert issubclass(TokenRefused, Permanent)
    assert not issubclass(TokenRefused, Passing)


async def test_apns_is_spoken_to_over_http_2(client, dispatch):
    """Apple's servers speak nothing else. All messages share one connection."""
    authority = trustme.CA()
    apple = Http2(authority)
    await apple.start()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    settings = PushSettings(apns_url=f"https://localhost:{apple.port}")
    sender = MobileSender(Book(apple_phone()), settings, verify=trusting)
    dispatcher = dispatch(senders={"application": sender})
    target = Target(protocol="application", endpoint=ENDPOINT)
    for number in range(10):
        body = f"{number}".encode()
        await client._executor.run(send_direct(client._topics, MOBILE, body, Header(), target))
    await dispatcher.drain()

    assert dispatcher.counters.delivered == 10
    assert apple.connections == 1
    headers, _ = apple.requests[0]
    assert headers[":path"] == f"/3/device/{'ab' * 32}"
    assert headers["apns-topic"] == "org.example.shop"
    told = {json.loads(body)["aps"]["alert"] for _, body in apple.requests}
    assert told == {f"{number}" for number in range(10)}
    apple.close()
