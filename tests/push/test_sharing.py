"""Endpoints and dispatchers beside each other: nobody holds up, loses or takes away."""

import asyncio
import signal
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

import rmq
from rmq.push.desk import Desk
from rmq.push.dispatcher import Dispatcher
from rmq.push.job import Passing
from rmq.topics.message import Notification
from rmq.topics.ready import OFFERED
from tests.colours import until
from tests.conftest import on_one_server
from tests.push.listener import Listener
from tests.push.subscribing import confirmed

LEFT_THERE = Path(__file__).parent / "left_there.py"


@pytest.fixture
async def running(dispatch):
    """Starts dispatchers in the background; they are stopped at the end."""
    stopping, tasks = asyncio.Event(), []

    def run(*given, **options):
        made = dispatch(*given, **options)
        tasks.append(asyncio.create_task(made.run(stopping, deadline=5)))
        return made

    yield run
    stopping.set()
    await asyncio.gather(*tasks)


@pytest.fixture
def clock():
    """Real time: what runs in the background waits by it."""
    return rmq.core.clock.Clock()


@pytest.fixture
async def connect(backend, namespace, clock):
    made = []

    def connect(target=None, **options):
        made.append(backend.connect(target, **{"namespace": namespace, "clock": clock} | options))
        return made[-1]

    yield connect
    for client in made:
        await client.close()


async def test_a_running_dispatcher_delivers_what_is_published(topic, dispatch, running, listener):
    await confirmed(topic, dispatch(), listener)
    running()
    await topic.publish("first")
    await listener.reached(1)
    await topic.publish("second")
    await listener.reached(2)

    assert [one.json()["Message"] for one in listener.requests] == ["first", "second"]


@pytest.fixture
async def stuck():
    """Another listener."""
    made = await Listener.start()
    yield made
    await made.close()


async def test_an_endpoint_that_hangs_holds_up_no_other(topic, dispatch, running, listener, stuck):
    for path in ("/a", "/b", "/c"):
        await confirmed(topic, dispatch(), stuck, path)
    await confirmed(topic, dispatch(), listener)
    stuck.hanging = asyncio.Event()
    dispatcher = running(concurrency=10, per_endpoint=2)

    for number in range(20):
        await topic.publish(f"{number}")
    await listener.reached(20)

    # That six are being sent does not yet mean that they have arrived.
    await until(lambda: stuck._at_once == 6)
    stuck.hanging.set()
    await stuck.reached(60)
    assert stuck.most_at_once == 6
    await until(lambda: dispatcher.counters.sending == 0)


async def test_dispatchers_share_the_work_and_nothing_is_sent_twice(
    connect, topic, dispatch, running, listener
):
    for number in range(6):
        await confirmed(topic, dispatch(), listener, f"/{number}")
    both = [running(connect()), running(connect())]
    for number in range(10):
        await topic.publish_many([Notification(f"{number}.{part}") for part in range(4)])
    await listener.reached(240)
    await until(lambda: sum(one.counters.delivered for one in both) == 240)

    got = Counter((one.path, one.json()["Message"]) for one in listener.requests)
    assert set(got.values()) == {1}
    assert len(got) == 240


async def test_a_message_published_while_its_queue_is_at_work_is_sent_at_once(
    topic, dispatch, running, listener
):
    await confirmed(topic, dispatch(), listener)
    listener.hanging = asyncio.Event()
    running()
    await topic.publish("first")
    await listener.reached(1)

    await topic.publish("second")
    await listener.reached(2)

    assert listener.most_at_once == 2
    listener.hanging.set()


async def test_a_dispatcher_that_has_its_hands_full_lets_others_help(
    connect, topic, dispatch, running, listener
):
    """And what the other one puts off is not forgotten, whoever has the claim."""
    policy = {"healthyRetryPolicy": {"minDelayTarget": 1, "maxDelayTarget": 1}}
    await confirmed(topic, dispatch(), listener, delivery_policy=policy)
    hold = asyncio.Event()
    slow, held = [], []

    class Slow:
        async def send(self, job):
            slow.append(job)
            await hold.wait()

        async def close(self):
            hold.set()

    class Failing:
        async def send(self, job):
            held.append(job.message.text)
            if len(held) == 1:
                raise Passing("not yet")

        async def close(self):
            pass

    first = running(connect(), per_endpoint=1, senders={"http": Slow()})
    await topic.publish("for the slow one")
    await until(lambda: slow)
    second = running(connect(), senders={"http": Failing()})
    await topic.publish("for the other one")

    await until(lambda: len(held) == 2)

    assert held == ["for the other one"] * 2
    hold.set()
    await until(lambda: first.counters.delivered + second.counters.delivered == 2)


async def test_what_a_busy_dispatcher_offers_is_left_to_others_first_and_then_its_own(
    client, topic, dispatch, running, listener, monkeypatch
):
    await confirmed(topic, dispatch(), listener)
    hold, begun, claim, answers = asyncio.Event(), [], Desk._claim, []

    class Slow:
        async def send(self, job):
            begun.append(job)
            await hold.wait()

        async def close(self):
            hold.set()

    async def noted(desk, *args, **options):
        answers.append(await claim(desk, *args, **options))
        return answers[-1]

    monkeypatch.setattr(Desk, "_claim", noted)
    alone = running(client, per_endpoint=1, senders={"http": Slow()})
    for text in ("one", "another"):
        await topic.publish(text)
    await until(lambda: begun)
    await until(lambda: OFFERED in answers)

    hold.set()
    await until(lambda: alone.counters.delivered == 2)


async def test_stopping_waits_for_what_is_under_way(topic, dispatch, client, listener):
    await confirmed(topic, dispatch(), listener)
    listener.hanging = asyncio.Event()
    dispatcher, stopping = dispatch(), asyncio.Event()
    task = asyncio.create_task(dispatcher.run(stopping, deadline=10))
    await topic.publish("hello")
    await listener.reached(1)

    stopping.set()
    await topic.publish("too late")
    listener.hanging.set()
    await task

    assert dispatcher.counters.delivered == 1
    assert await dispatch().drain() == 1
    assert [one.json()["Message"] for one in listener.requests] == ["hello", "too late"]


async def test_what_does_not_end_in_time_is_given_back_at_once(topic, dispatch, listener):
    await confirmed(topic, dispatch(), listener)
    listener.hanging = asyncio.Event()
    dispatcher, stopping = dispatch(), asyncio.Event()
    task = asyncio.create_task(dispatcher.run(stopping, deadline=0.05))
    await topic.publish("hello")
    await listener.reached(1)

    stopping.set()
    await task

    listener.hanging.set()
    assert dispatcher.counters.delivered == 0
    other = dispatch()
    assert await other.drain() == 1
    assert other.counters.delivered == 1


@on_one_server
async def test_a_dispatcher_that_is_killed_loses_nothing(
    backend, namespace, topic, dispatch, listener, connect
):
    """SIGKILL in the middle of many deliveries: claims and leases run out, others take over."""
    if backend.colour == "sync":
        pytest.skip("a dispatcher is asyncio only")
    for path in ("/a", "/b"):
        await confirmed(topic, dispatch(), listener, path)
    await topic.publish_many([Notification(f"{number}") for number in range(200)])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(LEFT_THERE), backend.url, namespace),
        cwd=Path(__file__).parent.parent.parent,
    )
    await listener.reached(40, patience=60)  # a process takes a while to start
    listener.hanging = asyncio.Event()
    await until(lambda: listener._at_once >= 2)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    listener.hanging.set()
    seen = len(listener.requests)
    assert seen < 400

    ahead = rmq.testing.HeldClock()
    survivor = dispatch(connect(clock=ahead))
    for _ in range(4):
        await survivor.drain()
        ahead.move(timedelta(seconds=61))

    for path in ("/a", "/b"):
        got = {one.json()["Message"] for one in listener.requests if one.path == path}
        assert got == {f"{number}" for number in range(200)}
    stats = [await topic.subscription_stats(one.id) async for one in topic.all_subscriptions()]
    assert [one.backlog for one in stats] == [0, 0]


async def test_leases_are_renewed_while_a_message_is_sent_for_long(
    monkeypatch, topic, dispatch, running, listener
):
    monkeypatch.setattr("rmq.push.line.EXTEND_S", 0.0)
    await confirmed(topic, dispatch(), listener)
    listener.hanging = asyncio.Event()
    dispatcher = running()
    await topic.publish("hello")
    await listener.reached(1)
    (desk,) = dispatcher._desks.values()
    (line,) = desk._lines.values()
    (sending,) = line._sending.values()
    begun = sending.leased

    await until(lambda: sending.leased > begun)

    peeked = await line._queue.peek()
    assert peeked[0].receive_count == 1
    listener.hanging.set()
    await until(lambda: dispatcher.counters.delivered == 1)


async def test_what_a_publisher_left_is_finished(connect, dispatch, listener):
    """It died when its message was in the outbox, and in no queue yet."""
    from rmq.topics.publishing import publish
    from tests.colours import ByHand

    ahead = rmq.testing.HeldClock()
    client = connect(clock=ahead)  # also the publisher's: real time that passes here is no matter
    dispatcher: Dispatcher = dispatch(client)
    topic = await client.create_topic("orders")
    await confirmed(topic, dispatcher, listener)
    plan = ByHand(client, publish(client._topics, topic.name, [b"hello"]))
    assert await plan.through("topics.publish")
    ahead.move(4)
    assert await dispatcher.sweep() == 0
    ahead.move(4)

    assert await dispatcher.sweep() == 1
    assert await dispatcher.drain() == 1
    assert listener.requests[0].json()["Message"] == "hello"
    assert await dispatcher.sweep() == 0


async def test_new_accounts_are_found_while_it_runs(client, dispatch, running, listener):
    running()
    topic = await client.in_account("111122223333", "eu-west-1").create_topic("orders")
    await topic.subscribe(listener.url())

    await listener.reached(1)

    assert listener.requests[0].json()["TopicArn"] == topic.arn
