"""Delivering over HTTP: the confirmation, what a subscriber gets, retries, and where it ends."""

import asyncio
import io
import json
import threading
import urllib.request
from datetime import timedelta
from email.message import Message
from urllib.response import addinfourl

import pytest
from aws_sns_verifier.validator import validate_sns_signature

from rmq.push.line import Line
from rmq.push.senders.http import Resolver
from rmq.security.signature import verify
from rmq.topics.message import Notification
from rmq.topics.signing import signing_key
from tests.colours import PATIENCE, until
from tests.push.listener import Answer
from tests.push.subscribing import confirmed


async def test_a_subscriber_is_asked_first(topic, dispatcher, listener):
    one = await topic.subscribe(listener.url("/in"))
    await topic.publish("too early")

    assert await dispatcher.drain() == 1

    (request,) = listener.requests
    assert request.method == "POST"
    assert request.path == "/in"
    assert request.headers["x-amz-sns-message-type"] == "SubscriptionConfirmation"
    assert request.headers["x-amz-sns-topic-arn"] == topic.arn
    assert request.headers["user-agent"] == "Amazon Simple Notification Service Agent"
    assert request.headers["connection"] == "Keep-Alive"
    assert request.headers["content-type"] == "text/plain; charset=UTF-8"
    assert "x-amz-sns-subscription-arn" not in request.headers
    asked = request.json()
    assert asked["Type"] == "SubscriptionConfirmation"
    assert asked["MessageId"] == request.headers["x-amz-sns-message-id"]
    assert not one.confirmed
    assert (await topic.confirm_subscription(asked["Token"])).confirmed


async def test_a_message_comes_in_an_envelope_that_is_signed(client, topic, dispatcher, listener):
    one = await confirmed(topic, dispatcher, listener)
    sent = await topic.publish("hello", subject="greetings", attributes={"n": 7})

    assert await dispatcher.drain() == 1

    (request,) = listener.requests
    envelope = request.json()
    assert envelope["Type"] == "Notification"
    assert envelope["MessageId"] == sent.id == request.headers["x-amz-sns-message-id"]
    assert envelope["Message"] == "hello"
    assert envelope["Subject"] == "greetings"
    assert envelope["MessageAttributes"] == {"n": {"Type": "Number", "Value": "7"}}
    assert envelope["UnsubscribeURL"].endswith(f"SubscriptionArn={one.arn}")
    assert request.headers["x-amz-sns-subscription-arn"] == one.arn
    key = await client._executor.run(signing_key(client._topics))
    assert envelope["SigningCertURL"].endswith(f"/{key.certificate_name}")
    assert verify(envelope, key.certificate)
    assert await dispatcher.drain() == 0


@pytest.mark.parametrize("version", [1, 2])
async def test_a_topic_says_how_it_is_signed(client, dispatcher, listener, version):
    topic = await client.create_topic("orders", signature_version=version)
    await confirmed(topic, dispatcher, listener)
    await topic.publish("hello")
    await dispatcher.drain()

    envelope = listener.requests[0].json()
    key = await client._executor.run(signing_key(client._topics))
    assert envelope["SignatureVersion"] == str(version)
    assert verify(envelope, key.certificate)


class _Web(urllib.request.BaseHandler):
    """The web, of which there is one page."""

    def __init__(self, url, page):
        self._url, self._page = url, page

    def https_open(self, request):
        assert request.full_url == self._url
        found = addinfourl(io.BytesIO(self._page.encode()), Message(), self._url, 200)
        found.msg = "OK"
        return found


@pytest.fixture
def web():
    """Says what a URL leads to, for urllib."""

    def web(url, page):
        opener = urllib.request.OpenerDirector()
        opener.add_handler(_Web(url, page))
        urllib.request.install_opener(opener)

    yield web
    urllib.request.install_opener(None)


@pytest.mark.parametrize("version", [1, 2])
async def test_a_validator_of_others_takes_what_arrives(connect, dispatch, listener, web, version):
    """aws-sns-verifier, on the request to confirm and on a message."""
    client = connect(endpoint_url="https://sns.us-east-1.amazonaws.com")
    topic = await client.create_topic("orders", signature_version=version)
    dispatcher = dispatch(client)
    one = await topic.subscribe(listener.url())
    await dispatcher.drain()
    await topic.confirm_subscription(one.token)
    await topic.publish('say "ü"\n', subject="greetings", attributes={"n": 7})
    await dispatcher.drain()

    key = await client._executor.run(signing_key(client._topics))
    for request, kind in zip(
        listener.requests, ("SubscriptionConfirmation", "Notification"), strict=True
    ):
        envelope = request.json()
        assert envelope["Type"] == kind
        web(envelope["SigningCertURL"], key.certificate)
        validate_sns_signature(envelope, topic.arn, auto_confirm_subscription=False)
        with pytest.raises(Exception, match="Invalid signature"):
            validate_sns_signature(
                envelope | {"Message": "another"}, topic.arn, auto_confirm_subscription=False
            )


async def test_a_queue_of_another_account_is_asked_as_well(client, topic, dispatcher):
    other = client.in_account("111122223333", "us-east-1")
    queue = await other.create_queue("theirs")
    await queue.set_attributes(policy=json.dumps(LETS_ALL_IN))
    one = await topic.subscribe("arn:aws:sqs:us-east-1:111122223333:theirs", "sqs")
    assert not one.confirmed

    assert await dispatcher.drain() == 1

    (asked,) = await queue.receive()
    assert asked.json()["Type"] == "SubscriptionConfirmation"
    assert asked.json()["Token"] == one.token
    assert asked.json()["Signature"]
    await asked.delete()
    await topic.confirm_subscription(one.token)
    await topic.publish("hello")
    (told,) = await queue.receive()
    assert told.json()["Message"] == "hello"


async def test_a_queue_that_does_not_let_the_topic_in_is_not_asked(client, topic, dispatcher):
    other = client.in_account("111122223333", "us-east-1")
    queue = await other.create_queue("theirs")
    await topic.subscribe("arn:aws:sqs:us-east-1:111122223333:theirs", "sqs")

    assert await dispatcher.drain() == 1

    assert await queue.receive() == []
    assert dispatcher.counters.failed == 1


LETS_ALL_IN = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "sqs:SendMessage",
            "Resource": "arn:aws:sqs:us-east-1:111122223333:theirs",
        }
    ],
}


async def test_raw_delivery_is_the_message_alone(topic, dispatcher, listener):
    policy = {"requestPolicy": {"headerContentType": "text/csv"}}
    await confirmed(topic, dispatcher, listener, raw_message_delivery=True, delivery_policy=policy)
    await topic.publish("a;b", subject="s", attributes={"n": 7})
    await dispatcher.drain()

    (request,) = listener.requests
    assert request.body == b"a;b"
    assert request.headers["x-amz-sns-rawdelivery"] == "true"
    assert request.headers["content-type"] == "text/csv"


async def test_http_has_its_own_text_where_the_message_says_so(topic, dispatcher, listener):
    await confirmed(topic, dispatcher, listener)
    await topic.publish('{"default":"d","http":"for http"}', by_protocol=True)
    await dispatcher.drain()

    assert listener.requests[0].json()["Message"] == "for http"


async def test_failures_are_tried_again_by_the_policy_and_end_in_the_dead_letter_queue(
    client, clock, topic, dispatcher, listener
):
    dead = await client.create_queue("dead")
    policy = {
        "healthyRetryPolicy": {
            "numRetries": 4,
            "numNoDelayRetries": 1,
            "numMinDelayRetries": 1,
            "minDelayTarget": 5,
            "maxDelayTarget": 30,
            "backoffFunction": "linear",
        }
    }
    one = await confirmed(
        topic, dispatcher, listener, dead_letter_queue=dead, delivery_policy=policy
    )
    listener.answer = lambda request: 503
    await topic.publish("hello")

    # At once, and one try without a delay.
    assert await dispatcher.drain() == 2
    for delay in (5, 5):
        clock.move(delay - 1)
        assert await dispatcher.drain() == 0
        clock.move(1)
        assert await dispatcher.drain() == 1
    assert await dead.receive() == []
    clock.move(30)
    assert await dispatcher.drain() == 1

    assert len(listener.requests) == 5
    assert len(set(listener.bodies)) == 1
    (letter,) = await dead.receive()
    assert letter.body == listener.bodies[0]
    clock.move(timedelta(days=1))
    assert await dispatcher.drain() == 0
    stats = await topic.subscription_stats(one.id)
    assert (stats.delivered, stats.failed) == (0, 1)
    assert dispatcher.counters.dead_letters == 1


async def test_without_a_dead_letter_queue_it_is_dropped(clock, topic, dispatcher, listener):
    one = await confirmed(topic, dispatcher, listener)
    listener.answer = lambda request: 500
    await topic.publish("hello")

    tries = 0
    for _ in range(10):
        tries += await dispatcher.drain()
        clock.move(20)

    assert tries == 4
    assert (await topic.subscription_stats(one.id)).failed == 1
    assert dispatcher.counters.failed == 1
    assert dispatcher.counters.dead_letters == 0


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 410])
async def test_what_an_endpoint_refuses_is_not_tried_again(
    client, topic, dispatcher, listener, status
):
    dead = await client.create_queue("dead")
    await confirmed(topic, dispatcher, listener, dead_letter_queue=dead)
    listener.answer = lambda request: Answer(status, (("Location", listener.url("/other")),))
    await topic.publish("hello")

    assert await dispatcher.drain() == 1

    assert len(listener.requests) == 1
    assert len(await dead.receive()) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_what_may_pass_is_tried_again(clock, topic, dispatcher, listener, status):
    await confirmed(topic, dispatcher, listener)
    answers = iter([status, 200])
    listener.answer = lambda request: next(answers)
    await topic.publish("hello")

    assert await dispatcher.drain() == 1
    clock.move(20)
    assert await dispatcher.drain() == 1

    assert len(listener.requests) == 2
    assert dispatcher.counters.delivered == 2  # the request to confirm was one
    assert dispatcher.counters.retried == 1


async def test_retry_after_is_waited_for(clock, topic, dispatcher, listener):
    await confirmed(topic, dispatcher, listener)
    answers = iter([Answer(429, (("Retry-After", "60"),)), 200])
    listener.answer = lambda request: next(answers)
    await topic.publish("hello")

    await dispatcher.drain()
    clock.move(59)
    assert await dispatcher.drain() == 0
    clock.move(1)
    assert await dispatcher.drain() == 1


async def test_an_endpoint_that_is_away_is_tried_again(clock, topic, dispatcher, listener):
    await confirmed(topic, dispatcher, listener)
    await listener.close()
    await topic.publish("hello")

    assert await dispatcher.drain() == 1
    assert dispatcher.counters.retried == 1
    clock.move(20)
    assert await dispatcher.drain() == 1


async def test_a_password_goes_out_only_when_it_is_asked_for(topic, dispatcher, listener):
    def answer(request):
        if "authorization" in request.headers:
            return 200
        return Answer(401, (("WWW-Authenticate", 'Basic realm="in"'),))

    listener.answer = answer
    await topic.subscribe(listener.url(user="me:p%40ss"))

    assert await dispatcher.drain() == 1

    first, second = listener.requests
    assert "authorization" not in first.headers
    assert second.headers["authorization"] == "Basic bWU6cEBzcw=="
    assert first.body == second.body
    assert first.path == second.path == "/"


async def test_a_digest_is_answered_as_well(topic, dispatcher, listener):
    def answer(request):
        if request.headers.get("authorization", "").startswith("Digest "):
            return 200
        challenge = 'Digest realm="in", nonce="abc", qop="auth", algorithm=MD5'
        return Answer(401, (("WWW-Authenticate", challenge),))

    listener.answer = answer
    await topic.subscribe(listener.url(user="me:secret"))

    await dispatcher.drain()

    assert 'username="me"' in listener.requests[-1].headers["authorization"]
    assert dispatcher.counters.delivered == 1


async def test_connections_are_used_again(topic, dispatcher, listener):
    await confirmed(topic, dispatcher, listener)
    for number in range(5):
        await topic.publish(f"{number}")
        await dispatcher.drain()

    assert listener.connections == 1


async def test_private_addresses_are_refused_unless_they_are_allowed(
    client, topic, dispatch, listener
):
    from rmq.push.settings import PushSettings

    await topic.subscribe(listener.url())
    careful = dispatch(settings=PushSettings())

    await careful.drain()

    assert listener.requests == []
    assert careful.counters.failed == 1


async def test_a_long_answer_is_cut_off(topic, dispatcher, listener):
    listener.answer = lambda request: Answer(200, (), b"x" * 10_000_000)
    await confirmed(topic, dispatcher, listener)
    await topic.publish("hello")

    assert await dispatcher.drain() == 1
    assert dispatcher.counters.delivered == 2
    assert listener.connections == 2  # the first was closed in the middle


async def test_unsubscribing_ends_what_waits(clock, topic, dispatcher, listener):
    one = await confirmed(topic, dispatcher, listener)
    listener.answer = lambda request: 500
    await topic.publish("hello")
    await dispatcher.drain()

    await topic.unsubscribe(one.id)
    clock.move(20)

    assert await dispatcher.drain() == 0
    assert len(listener.requests) == 1


async def test_a_farewell_tells_how_to_come_back(topic, dispatcher, listener):
    one = await confirmed(topic, dispatcher, listener)
    await topic.unsubscribe(one.id, farewell=True)

    await dispatcher.drain()

    (request,) = listener.requests
    said = request.json()
    assert request.headers["x-amz-sns-message-type"] == said["Type"] == "UnsubscribeConfirmation"
    assert request.headers["x-amz-sns-subscription-arn"] == one.arn
    assert (await topic.confirm_subscription(said["Token"])).id == one.id


async def test_a_changed_subscription_is_delivered_to_as_it_is_now(topic, dispatcher, listener):
    one = await confirmed(topic, dispatcher, listener)
    await topic.publish("first")
    await dispatcher.drain()
    await topic.set_subscription(one.id, raw_message_delivery=True)
    await topic.publish("second")
    await dispatcher.drain()

    assert listener.requests[0].json()["Message"] == "first"
    assert listener.bodies[1] == b"second"


async def test_many_messages_to_many_endpoints_all_arrive(topic, dispatcher, listener):
    for path in ("/a", "/b", "/c"):
        await confirmed(topic, dispatcher, listener, path)
    await topic.publish_many([Notification(f"{number}") for number in range(100)])

    await dispatcher.drain()

    assert len(listener.requests) == 300
    for path in ("/a", "/b", "/c"):
        bodies = {one.json()["Message"] for one in listener.requests if one.path == path}
        assert bodies == {f"{number}" for number in range(100)}


async def test_all_that_was_sent_may_end_while_the_rest_is_offered_to_others(
    monkeypatch, topic, dispatch, listener
):
    offer = Line._offer

    async def slow(line):
        await offer(line)
        if line.is_busy:
            await asyncio.wait(tuple(line._sending))

    monkeypatch.setattr(Line, "_offer", slow)
    one = dispatch(per_endpoint=1)
    await confirmed(topic, one, listener)
    await topic.publish_many([Notification(f"{number}") for number in range(3)])

    async with asyncio.timeout(PATIENCE):
        await one.drain()

    assert len(listener.requests) == 3


async def test_latency_is_the_time_between_publish_and_delivery(clock, topic, dispatcher, listener):
    one = await confirmed(topic, dispatcher, listener)
    await topic.publish("hello")
    clock.move(7)
    await dispatcher.drain()

    stats = await topic.subscription_stats(one.id)
    assert stats.delivered == 1
    assert stats.latency_ms == 7000


async def test_a_subscriber_of_another_account_is_served_too(client, dispatcher, listener):
    other = client.in_account("111122223333", "eu-west-1")
    topic = await other.create_topic("orders")
    await confirmed(topic, dispatcher, listener)
    await topic.publish("hello")

    assert await dispatcher.drain() == 1

    assert listener.requests[0].json()["TopicArn"] == topic.arn


async def test_each_host_is_asked_for_once_at_a_time(monkeypatch):
    """Name servers that do not answer hold up nobody but those who ask for their host."""
    asked, answer = [], threading.Event()

    def slow(host, port):
        asked.append(host)
        answer.wait(PATIENCE)
        if host == "gone":
            raise OSError("no such host")
        return ["192.0.2.1"]

    monkeypatch.setattr("rmq.push.senders.http.resolve", slow)
    resolver = Resolver()
    waiting = [asyncio.create_task(resolver("away", 80)) for _ in range(50)]
    gone = asyncio.create_task(resolver("gone", 80))
    await until(lambda: len(asked) == 2)
    waiting[0].cancel()
    answer.set()

    assert await asyncio.gather(*waiting[1:]) == [["192.0.2.1"]] * 49
    with pytest.raises(OSError, match="no such host"):
        await gone
    assert sorted(asked) == ["away", "gone"]
    resolver.close()
