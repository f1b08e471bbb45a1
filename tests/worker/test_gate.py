"""Workers keep to the limits that they share: rates, places, pauses; and do what they are told."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager, closing
from itertools import count

import pytest
import redis

from rmq.errors import InvalidParameter
from rmq.queues.attributes import RedrivePolicy
from rmq.worker import App, Concurrency, Retry, Throttle
from rmq.worker.app import LIMITS
from rmq.worker.leases import Leases
from rmq.worker.limits import ConcurrencyLimit
from rmq.worker.worker import Worker
from tests.colours import until

LONG_S = 86_400
"""Of leases in tests that move the clock again and again until something has happened: those of
30 seconds were over before a busy server had answered."""


@pytest.fixture
def client(connect):
    return connect(limits=LIMITS)


@pytest.fixture
def app(client):
    return App(client=client, name="app")


@asynccontextmanager
async def working(app, count=1):
    made = [Worker(app) for _ in range(count)]
    for one in made:
        await one.start()
    try:
        yield made
    finally:
        for one in made:
            one.stop(now=True)
            await one.close()


class Runs:
    """What runs, how many at once, and what holds it up."""

    def __init__(self):
        self.done = Counter()
        self.now = Counter()
        self.most = Counter()
        self.go_on = asyncio.Event()

    async def run(self, key="", *, wait=False):
        self.now[key] += 1
        self.most[key] = max(self.most[key], self.now[key])
        try:
            if wait:
                await self.go_on.wait()
            else:
                await asyncio.sleep(0)
        finally:
            self.now[key] -= 1
        self.done[key] += 1


@pytest.fixture
def runs():
    return Runs()


async def send(app, queue, messages):
    await app.make_queues()
    await app.client.queue(queue).send_many([f"{one}" for one in range(messages)])


async def test_a_queue_with_a_rate_is_worked_on_at_that_rate_by_all_workers(app, clock, runs):
    @app.handler("orders", limits=[Throttle("orders", "10/s", burst=3)])
    async def on_order(body: str) -> None:
        await runs.run()

    await send(app, "orders", 30)
    async with working(app, 2):
        await until(lambda: runs.done[""] == 3)
        for passed in range(1, 20):
            clock.move(0.1)
            await until(lambda passed=passed: runs.done[""] == 3 + passed)
    stats = await app.client.queue("orders").stats()
    assert stats.visible == 30 - runs.done[""]
    assert runs.done[""] <= 3 + 20


async def test_a_rate_is_shared_by_queues_that_name_it(app, clock, runs):
    shared = Throttle("api", "1/min", burst=4)

    @app.handler("orders", limits=[shared], visibility_timeout=LONG_S)
    async def on_order(body: str) -> None:
        await runs.run("orders")

    @app.handler("refunds", limits=[shared], visibility_timeout=LONG_S)
    async def on_refund(body: str) -> None:
        await runs.run("refunds")

    await send(app, "orders", 10)
    await send(app, "refunds", 10)
    async with working(app):
        await until(lambda: runs.done.total() == 4)
        began = clock.now()

        async def done():
            clock.move(1)
            return runs.done.total() >= 6  # two at once, where a server is slow to answer

        await until(done)
        minutes = (clock.now() - began).total_seconds() / 60
        assert runs.done.total() <= 4 + minutes


async def test_a_queue_with_so_many_places_never_runs_more_at_once(app, clock, runs):
    @app.handler("orders", limits=[Concurrency("orders", 3)])
    async def on_order(body: str) -> None:
        await runs.run(wait=True)

    await send(app, "orders", 9)
    async with working(app, 2):
        await until(lambda: runs.now[""] == 3)
        await until(lambda: _counts(app, "orders", visible=6, in_flight=3))
        runs.go_on.set()
        await until(lambda: runs.done[""] == 9)
    assert runs.most[""] == 3


async def test_a_place_is_kept_while_a_receive_waits_for_its_message(app, clock, runs):
    shared = Concurrency("db", 1, lease=6)

    @app.handler("orders", limits=[shared])
    async def on_order(body: str) -> None:
        await runs.run()

    await app.make_queues()
    async with working(app) as (worker,):
        await until(lambda: worker.gate.held)
        for _ in range(3):  # and still less than the receive waits
            clock.move(5)
            await asyncio.to_thread(worker._leases.beat, all=True)
        assert (await shared.made(app.client).hold("another")).holders == ()
        await app.client.queue("orders").send("1")
        await until(lambda: runs.done[""] == 1)
    assert not worker.gate.held
    assert (await shared.made(app.client).hold("another")).holders == ("another",)


@pytest.mark.parametrize("asks_for", ["a place", "a message"])
async def test_a_worker_that_has_ended_has_given_its_places_back(app, runs, monkeypatch, asks_for):
    shared = Concurrency("db", 1)
    limit, once = shared.made(app.client), app.client._executor._once
    asked = asyncio.Event()

    async def late(args):
        if limit._keys.held not in args:
            return await once(args)
        await asyncio.sleep(0.02)  # so slow is this server
        reply = await once(args)
        asked.set()
        await asyncio.sleep(0.02)
        return reply

    @app.handler("orders", limits=[shared])
    async def on_order(body: str) -> None:
        await runs.run()

    await app.make_queues()
    monkeypatch.setattr(app.client._executor, "_once", late)
    async with working(app) as (worker,):
        await asked.wait()
        if asks_for == "a message":
            await until(lambda: worker.gate.held)
        for _ in range(2):  # a second word, as of somebody impatient, breaks nothing off
            worker.stop(now=True)
            await asyncio.sleep(0)
    assert (await limit.hold("another")).holders == ("another",)


@pytest.mark.parametrize("slow", ["rate", "places"])
async def test_what_a_stop_breaks_off_between_two_limits_gives_back_what_it_had(
    app, monkeypatch, slow
):
    """Told to end while the first of them answers, or the second, with an error."""
    rate, places = Throttle("api", "1/h", burst=3), Concurrency("db", 1)
    bucket, held = rate.made(app.client), places.made(app.client)
    key = bucket._keys.bucket if slow == "rate" else held._keys.held
    once, asked, go_on = app.client._executor._once, asyncio.Event(), asyncio.Event()

    async def late(args):
        if key not in args or asked.is_set():
            return await once(args)
        asked.set()
        await go_on.wait()
        reply = await once(args)
        if slow == "places":
            raise redis.ResponseError("RMQ_OVER_LIMIT it is refused")
        return reply

    @app.handler("orders", concurrency=2, limits=[rate, places])
    async def on_order(body: str) -> None: ...

    await app.make_queues()
    await held.hold("somebody")  # the server knows the script from now on: one call each
    await held.release("somebody")
    async with working(app) as (worker,):
        monkeypatch.setattr(app.client._executor, "_once", late)
        await asked.wait()
        worker.stop(now=True)
        (receiving,) = worker.consumers[0].receivers
        await until(lambda: receiving.done() and not worker.gate._leaving)
        go_on.set()
    assert (await bucket.take(3, least=1)).count == 3
    assert (await held.hold("another")).holders == ("another",)


async def test_a_place_that_is_given_back_in_the_midst_of_its_renewal_is_free(app, monkeypatch):
    worker, limit = Worker(app), ConcurrencyLimit(app.client, "db", 1)
    renewing = Leases([], worker.gate, worker.presence, app.new_sync_client, worker.stuck)
    await limit.hold("one")
    worker.gate.keep(limit, ["one"])
    hold = limit._hold

    def hold_late(holders):
        worker.gate.let_go(limit, ["one"])
        with closing(app.new_sync_client()) as client:
            client._executor.call(limit._release(["one"]))
        return hold(holders)

    with monkeypatch.context() as patched:
        patched.setattr(limit, "_hold", hold_late)
        await asyncio.to_thread(renewing.beat, all=True)
    assert (await limit.hold("another")).holders == ("another",)


async def test_the_shortest_lease_says_how_often_leases_are_looked_at(app):
    @app.handler("orders", limits=[Concurrency("a", 1, lease=3)])
    async def on_order(body: str) -> None: ...

    worker = Worker(app)
    await worker.prepare()

    def interval():
        looking = Leases(worker.consumers, worker.gate, worker.presence, None, worker.stuck)
        return looking.interval

    assert interval() == pytest.approx(3 / 3 / 2)

    @app.task(limits=[Concurrency("b", 1, lease=1.2)])
    async def call() -> None: ...

    worker = Worker(app)
    await worker.prepare()
    assert interval() == pytest.approx(1.2 / 3 / 2)


async def _counts(app, queue, **wanted):
    stats = await app.client.queue(queue).stats()
    return all(getattr(stats, name) == value for name, value in wanted.items())


async def test_a_task_has_a_rate_and_what_may_not_run_yet_waits_in_redis(app, clock, runs):
    @app.task(rate="1/10s")
    async def slow() -> None:
        await runs.run("slow")

    @app.task()
    async def fast() -> None:
        await runs.run("fast")

    app.queue("tasks", visibility_timeout=LONG_S)
    await app.make_queues()
    for _ in range(3):
        await slow.send()
    for _ in range(3):
        await fast.send()
    async with working(app):
        await until(lambda: runs.done == {"slow": 1, "fast": 3})
        await until(lambda: _counts(app, "tasks", in_flight=2))
        began = clock.now()

        async def done():
            clock.move(1)
            return runs.done["slow"] == 3

        await until(done)
        assert (clock.now() - began).total_seconds() >= 20
    dead = await app.client.queue("tasks-dead").stats()
    assert dead.messages == 0


@pytest.mark.parametrize("by", ["customer", lambda customer, other: customer])
async def test_each_key_has_places_of_its_own(app, clock, runs, by):
    @app.task(limits=[Concurrency("db", 1, by=by, lease=LONG_S)])
    async def work(customer: str, other: int) -> None:
        await runs.run(customer, wait=True)

    app.queue("tasks", visibility_timeout=LONG_S)
    await app.make_queues()
    for one in range(2):
        for customer in "ab":
            await work.send(customer, other=one)
    async with working(app):
        await until(lambda: runs.now == {"a": 1, "b": 1})
        await until(lambda: _counts(app, "tasks", in_flight=4))
        runs.go_on.set()

        async def done():
            clock.move(1.5)
            return runs.done == {"a": 2, "b": 2}

        await until(done)
    assert runs.most == {"a": 1, "b": 1}


async def test_what_may_not_run_spends_nothing(app, client, clock, runs):
    """Of a rate and a place: the place is missing, so the token is not spent."""
    began = clock.now()
    limits = [Throttle("api", "1/h", burst=2), Concurrency("db", 1, lease=LONG_S)]

    @app.task(limits=limits)
    async def work() -> None:
        await runs.run(wait=True)

    app.queue("tasks", visibility_timeout=LONG_S)
    await app.make_queues()
    for _ in range(2):
        await work.send()
    async with working(app):
        await until(lambda: runs.now[""] == 1)
        for _ in range(5):
            clock.move(1.3)
            await until(lambda: _counts(app, "tasks", visible=0, in_flight=2))
        runs.go_on.set()

        async def done():
            clock.move(0.05)  # in small steps: within an hour, however slow the server is
            return runs.done[""] == 2

        await until(done)
    assert (clock.now() - began).total_seconds() < 3600


async def test_each_message_group_has_places_of_its_own(app, clock, runs):
    limit = Concurrency("orders", 1, by="group", lease=LONG_S)

    @app.handler("orders", limits=[limit], visibility_timeout=LONG_S)
    async def on_order(body: str) -> None:
        await runs.run(body[0], wait=True)

    await app.make_queues()
    for body in ("a1", "a2", "b1"):
        await app.client.queue("orders").send(body, message_group_id=body[0])
    async with working(app):
        await until(lambda: runs.now == {"a": 1, "b": 1})
        runs.go_on.set()

        async def done():
            clock.move(1)
            return runs.done == {"a": 2, "b": 1}

        await until(done)
    assert runs.most["a"] == 1


async def test_a_paused_queue_is_left_alone_and_goes_on_when_it_is_resumed(app, runs):
    @app.handler("orders")
    async def on_order(body: str) -> None:
        await runs.run("orders")

    @app.handler("others")
    async def on_other(body: str) -> None:
        await runs.run("others")

    await app.make_queues()
    async with working(app, 2) as workers:
        await app.fleet.pause("orders")
        await until(lambda: all(one.presence.paused for one in workers))
        await send(app, "orders", 5)
        await send(app, "others", 5)
        await until(lambda: runs.done["others"] == 5)
        assert runs.done["orders"] == 0
        for worker in workers:
            worker.consumers[0].receiver.polled -= 1000  # as after a long pause: it is not silent
            assert worker.is_alive
        await app.fleet.resume("orders")
        await until(lambda: runs.done["orders"] == 5)


async def test_a_worker_is_seen_with_what_it_runs_and_stops_when_it_is_told(app, runs):
    @app.handler("orders", concurrency=7)
    async def on_order(body: str) -> None:
        await runs.run(wait=True)

    await send(app, "orders", 2)
    async with app.worker() as worker:
        running = asyncio.create_task(worker.run(signals=False))
        await until(lambda: runs.now[""] == 2)
        await worker.presence.beat()
        (found,) = await app.fleet.workers()
        assert found.in_hand == 2
        assert found.queues["orders"].capacity == 7
        assert found.polled_at is not None
        await app.fleet.drain(found.id)
        await until(lambda: worker.is_stopping)
        assert not running.done()
        runs.go_on.set()
        await running
    assert runs.done[""] == 2
    assert await app.fleet.workers() == []


async def test_schedules_of_code_are_written_and_fired_by_a_worker(app, clock, runs):
    @app.task()
    async def report(which: str) -> None:
        await runs.run(which)

    app.schedule("every 1h", name="hourly")(report.with_("hourly"))
    async with working(app, 2):
        found = await app.schedules.get("hourly")
        assert found.in_code
        clock.move(3600)
        hours = count(2)

        async def done():
            await app.schedules.put("wakes-the-scheduler", f"every {next(hours)}h", "tasks", "-")
            return runs.done["hourly"] == 1

        await until(done)


def test_what_is_no_limit_is_refused(app):
    for options in ({"limits": ["x"]}, {"rate": "often"}, {"unique": "maybe"}, {"colour": "red"}):
        with pytest.raises(InvalidParameter):
            app.task(**options)


@pytest.mark.parametrize("name", ["orders", "orders.fifo"])
async def test_what_a_limit_holds_up_uses_up_no_receive_of_its_queue(app, work, name):
    """A queue that allows two receives, as many do, and a message whose place is taken for long."""
    ran = []

    @app.handler(name, limits=[Concurrency("one", 1, by="customer")], retries=None)
    async def on_order(order: dict) -> None:
        ran.append(order)
        raise Retry(after=1)

    async with work:
        queue = app.client.queue(name)
        await queue.set_attributes(
            redrive_policy=RedrivePolicy(
                dead_letter_queue=app.intakes[name].options.usual_dead_letter_queue,
                max_receive_count=2,
            )
        )
        limit = ConcurrencyLimit(app.client, "one", 1, lease=3600).of("a")
        await limit.hold("somebody")
        group = {"message_group_id": "g", "deduplication_id": "d"} if name.endswith(".fifo") else {}
        await queue.send('{"customer":"a"}', **group)
        for _ in range(4):
            assert await work.run() == []
            work.clock.move(2)
        await limit.release("somebody")
        outcomes = []
        for _ in range(2):
            outcomes += [one.outcome for one in await work.run()]
            work.clock.move(2)
        assert outcomes == ["retried", "failed"]  # two receives that were tries
        (letter,) = await work.dead_letters(name)
        assert letter.failure is not None
        assert letter.failure.reason == "failed"
    assert len(ran) == 2


async def test_a_place_of_what_has_run_is_free_for_what_runs_next(app, work, monkeypatch):
    """Where a test, or a job, runs what is due one after the other: it is given back beside that,
    and a server may be slow to take it."""
    ran = []

    @app.handler("orders", limits=[Concurrency("one", 1, by=lambda body: "")])
    async def on_order(body: str) -> None:
        ran.append(body)

    async with work:
        release = ConcurrencyLimit.release

        async def late(self, *holders):
            await asyncio.sleep(0.02)
            return await release(self, *holders)

        monkeypatch.setattr(ConcurrencyLimit, "release", late)
        await app.client.queue("orders").send_many(["a", "b"])
        await work.run()
    assert ran == ["a", "b"]
