"""How fast an endpoint is spoken to: the throttle of a subscription, the breaker of an endpoint."""

from datetime import timedelta

import pytest

from rmq.push.breaker import FIRST_MS, THRESHOLD
from rmq.push.job import Passing
from rmq.topics.message import Notification
from tests.push.subscribing import confirmed


def many(count):
    return [Notification(f"{number}") for number in range(count)]


async def test_a_subscription_gets_so_many_a_second(clock, topic, dispatcher, listener):
    policy = {"throttlePolicy": {"maxReceivesPerSecond": 5}}
    await confirmed(topic, dispatcher, listener, delivery_policy=policy)
    await topic.publish_many(many(12))

    sent = []
    for _ in range(4):
        sent.append(await dispatcher.drain())
        clock.move(1)

    assert sent == [5, 5, 2, 0]
    assert dispatcher.counters.throttled > 0


async def test_the_limit_holds_for_all_dispatchers_together(
    connect, clock, topic, dispatch, listener
):
    policy = {"throttlePolicy": {"maxReceivesPerSecond": 4}}
    first, second = dispatch(), dispatch(connect())
    await confirmed(topic, first, listener, delivery_policy=policy)
    await topic.publish_many(many(9))

    assert await first.drain() == 4
    clock.move(timedelta(milliseconds=500))
    assert await second.drain() == 2
    clock.move(timedelta(milliseconds=250))
    assert await first.drain() == 1


async def test_tokens_that_were_not_needed_are_given_back(clock, topic, dispatcher, listener):
    policy = {"throttlePolicy": {"maxReceivesPerSecond": 10}}
    await confirmed(topic, dispatcher, listener, delivery_policy=policy)

    for _ in range(10):
        await topic.publish("one at a time")
        assert await dispatcher.drain() == 1
    await topic.publish("one too many")
    assert await dispatcher.drain() == 0


async def test_a_throttled_message_has_used_up_no_try(clock, topic, dispatcher, listener):
    policy = {
        "throttlePolicy": {"maxReceivesPerSecond": 1},
        "healthyRetryPolicy": {"numRetries": 1, "minDelayTarget": 1, "maxDelayTarget": 1},
    }
    await confirmed(topic, dispatcher, listener, delivery_policy=policy)
    await topic.publish_many(many(5))
    for _ in range(5):
        await dispatcher.drain()
        clock.move(1)

    assert len(listener.requests) == 5


async def test_an_endpoint_that_fails_again_and_again_is_left_alone(
    clock, topic, dispatcher, listener
):
    await confirmed(topic, dispatcher, listener)
    listener.answer = lambda request: 503
    await topic.publish_many(many(THRESHOLD))
    await dispatcher.drain()
    assert dispatcher.counters.open_breakers == 1

    await topic.publish_many(many(5))
    await dispatcher.drain()

    assert len(listener.requests) == THRESHOLD
    assert dispatcher.counters.refused == 5


async def test_one_message_tries_whether_it_is_well_again(clock, topic, dispatcher, listener):
    policy = {"healthyRetryPolicy": {"numRetries": 50}}
    await confirmed(topic, dispatcher, listener, delivery_policy=policy)
    listener.answer = lambda request: 503
    await topic.publish_many(many(THRESHOLD))
    await dispatcher.drain()
    listener.requests.clear()

    clock.move(20)
    await dispatcher.drain()
    assert len(listener.requests) == 1

    listener.answer = lambda request: 200
    clock.move(20)
    await dispatcher.drain()
    assert dispatcher.counters.open_breakers == 0
    clock.move(60)
    await dispatcher.drain()
    bodies = {one.json()["Message"] for one in listener.requests[1:]}
    assert bodies == {f"{number}" for number in range(THRESHOLD)}


async def test_an_open_breaker_spends_no_try_before_its_time_and_the_last_one_is_made(
    client, clock, topic, dispatcher, listener
):
    """Four tries, 20 s apart: whatever the breaker says, none is given up without a last one."""
    dead = await client.create_queue("dead")
    await confirmed(topic, dispatcher, listener, dead_letter_queue=dead)
    listener.answer = lambda request: 503
    count = 2 * THRESHOLD
    await topic.publish_many(many(count))

    for _ in range(3):
        await dispatcher.drain()
        assert dispatcher.counters.failed == 0
        clock.move(20)
    listener.requests.clear()
    await dispatcher.drain()

    # Those that were put off until the breaker is half open come later.
    clock.move(60)
    await dispatcher.drain()
    assert dispatcher.counters.failed == count
    last = {one.json()["Message"] for one in listener.requests}
    assert last == {f"{number}" for number in range(count)}
    assert len(await dead.receive(max_messages=10)) == 10


async def test_tries_at_once_wait_for_a_breaker_that_is_open(clock, topic, dispatcher, listener):
    """Or they would all be spent before the endpoint has a chance."""
    policy = {"healthyRetryPolicy": {"numRetries": 3, "numNoDelayRetries": 3}}
    await confirmed(topic, dispatcher, listener, delivery_policy=policy)
    listener.answer = lambda request: 503
    await topic.publish_many(many(THRESHOLD))
    await dispatcher.drain()
    listener.requests.clear()
    await topic.publish("one more")

    assert await dispatcher.drain() == 1
    assert listener.requests == []
    listener.answer = lambda request: 200
    clock.move(60)
    await dispatcher.drain()
    assert "one more" in {one.json()["Message"] for one in listener.requests}


async def test_what_an_endpoint_refuses_does_not_open_its_breaker(topic, dispatcher, listener):
    await confirmed(topic, dispatcher, listener)
    listener.answer = lambda request: 404
    await topic.publish_many(many(3 * THRESHOLD))
    await dispatcher.drain()

    assert dispatcher.counters.open_breakers == 0
    assert len(listener.requests) == 3 * THRESHOLD


async def test_an_open_breaker_is_of_one_endpoint_only(topic, dispatcher, listener):
    await confirmed(topic, dispatcher, listener, "/well")
    await confirmed(topic, dispatcher, listener, "/ill")
    listener.answer = lambda request: 503 if request.path == "/ill" else 200
    await topic.publish_many(many(THRESHOLD))
    await dispatcher.drain()
    await topic.publish_many(many(5))
    await dispatcher.drain()

    paths = [one.path for one in listener.requests]
    assert paths.count("/well") == THRESHOLD + 5
    assert paths.count("/ill") == THRESHOLD


async def test_a_sender_with_a_bug_is_tried_again(clock, topic, dispatch, listener, caplog):
    await confirmed(topic, dispatch(), listener)

    class Broken:
        tries = 0

        async def send(self, job):
            self.tries += 1
            raise KeyError("oh")

        async def close(self):
            pass

    broken = Broken()
    dispatcher = dispatch(senders={"http": broken})
    await topic.publish("hello")
    assert await dispatcher.drain() == 1
    clock.move(20)
    assert await dispatcher.drain() == 1
    assert broken.tries == 2
    assert "a sender of http failed" in caplog.text


async def test_a_message_that_can_not_be_read_holds_up_no_other(
    client, topic, dispatcher, listener
):
    one = await confirmed(topic, dispatcher, listener)
    from rmq.queues import plans

    inner = client._topics.inner
    await client._executor.run(plans.send_packed(inner, one.id, b"\x09junk"))
    await topic.publish("hello")
    await dispatcher.drain()

    assert [one.json()["Message"] for one in listener.requests] == ["hello"]
    assert dispatcher.counters.failed == 1
    assert (await topic.subscription_stats(one.id)).backlog == 0


async def test_a_policy_of_23_days_ends_by_time(monkeypatch, client, clock, topic, dispatch):
    """A queue counts no further than 2,046 receives."""
    monkeypatch.setattr("rmq.topics.delivery_policy.COUNTED", 3)
    dead = await client.create_queue("dead")
    await topic.subscribe("resize", "lambda", dead_letter_queue=dead)

    class Away:
        async def send(self, job):
            raise Passing("away")

        async def close(self):
            pass

    dispatcher = dispatch(senders={"lambda": Away()})
    await topic.publish("hello")
    await dispatcher.drain()
    clock.move(timedelta(days=22))
    await dispatcher.drain()
    assert await dead.receive() == []

    clock.move(timedelta(days=1, hours=12))
    await dispatcher.drain()

    (letter,) = await dead.receive()
    assert letter.json()["Records"][0]["Sns"]["Message"] == "hello"


@pytest.mark.parametrize("option", [{"concurrency": 0}, {"per_endpoint": -1}, {"concurrency": "9"}])
async def test_a_dispatcher_is_refused_numbers_that_make_no_sense(dispatch, option):
    from rmq.errors import InvalidParameter

    with pytest.raises(InvalidParameter):
        dispatch(**option)


assert FIRST_MS < 20_000  # the tests above move the clock past it
