"""Handlers: what they get, how they run, and what becomes of their messages."""

from __future__ import annotations

import asyncio
import contextvars
import json
import os
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import fakeredis
import msgspec
import pytest
import tenacity
from pydantic import BaseModel

import rmq
from rmq.errors import ConfigurationError, InvalidParameter
from rmq.queues.aio import AsyncMessage
from rmq.worker import App, Batch, Context, Middleware, Reject, Retry
from rmq.worker.health import Health
from tests.colours import PATIENCE
from tests.worker import jobs
from tests.worker.conftest import at_work, until


@dataclass
class Order:
    id: int
    note: str = ""


class Struct(msgspec.Struct):
    id: int


class Model(BaseModel):
    id: int


class Pool:
    """What a process has one of."""


async def test_a_handler_gets_its_payload_by_annotation(app, work):
    got: list[Any] = []

    @app.handler("q-dataclass")
    async def one(payload: Order) -> None:
        got.append(payload)

    @app.handler("q-struct")
    async def two(payload: Struct) -> None:
        got.append(payload)

    @app.handler("q-model")
    async def three(payload: Model) -> None:
        got.append(payload)

    @app.handler("q-dict")
    async def four(payload: dict) -> None:  # type: ignore[type-arg]
        got.append(payload)

    @app.handler("q-bytes")
    async def five(payload: bytes) -> None:
        got.append(payload)

    @app.handler("q-str")
    async def six(payload: str) -> None:
        got.append(payload)

    @app.handler("q-message")
    async def seven(payload) -> None:  # type: ignore[no-untyped-def]
        got.append(payload)

    async with work:
        for name in app.intakes:
            await app.client.queue(name).send('{"id": 7}')
        ran = await work.run()
    assert got[:6] == [Order(7), Struct(7), Model(id=7), {"id": 7}, b'{"id": 7}', '{"id": 7}']
    assert isinstance(got[6], AsyncMessage)
    assert {one.outcome for one in ran} == {"done"}


@pytest.mark.parametrize("kind", [Order, Struct, Model])
async def test_what_does_not_fit_is_a_dead_letter_at_once_and_says_why(app, work, kind):
    async def on_order(order: Order) -> None:
        raise AssertionError(order)

    on_order.__annotations__["order"] = kind
    app.handler("orders")(on_order)
    async with work:
        orders = app.client.queue("orders")
        for body in ('{"id": "seven"}', "{", "[]", b"\xff"):
            await orders.send(body)
        assert [one.outcome for one in await work.run()] == ["unreadable"] * 4
        dead = await work.dead_letters("orders")
        assert (await orders.stats()).messages == 0
    assert [one.failure.reason for one in dead] == ["unreadable"] * 4
    assert "id" in dead[0].failure.text
    assert dead[0].failure.traceback == ""


async def test_a_failure_is_tried_again_by_the_policy_and_then_a_dead_letter(app, work):
    attempts = []

    @app.handler("orders", retries=2, wait=tenacity.wait_fixed(30))
    async def on_order(order: Order, context: Context) -> None:
        attempts.append(context.attempt)
        raise ValueError("no such order")

    async with work:
        orders = app.client.queue("orders")
        await orders.send('{"id": 1}')
        for _ in range(2):
            (ran,) = await work.run()
            assert ran.outcome == "retried"
            assert ran.again == timedelta(seconds=30)
            work.clock.move(29)
            assert await work.run() == []
            work.clock.move(1)
        (ran,) = await work.run()
        assert ran.outcome == "failed"
        (dead,) = await work.dead_letters("orders")
        assert (await orders.stats()).messages == 0
    assert attempts == [1, 2, 3]
    assert dead.body == b'{"id": 1}'
    assert dead.failure.error == "ValueError"
    assert dead.failure.text == "no such order"
    assert dead.failure.failures == 3
    assert "in on_order" in dead.failure.traceback


async def test_the_default_wait_grows_and_is_spread(app, work):
    @app.handler("orders")
    async def on_order(order: Order) -> None:
        raise ValueError

    waits = []
    async with work:
        await app.client.queue("orders").send('{"id": 1}')
        for _ in range(10):
            (ran,) = await work.run()
            waits.append(ran.again.total_seconds())
            work.clock.move(ran.again)
        (ran,) = await work.run()
        assert ran.outcome == "failed"
    for place, wait in enumerate(waits):
        assert 2**place <= wait <= 1.5 * 2**place + 0.01
    assert len({wait / 2**place for place, wait in enumerate(waits)}) > 5


async def test_retry_says_when_and_reject_says_never(app, work):
    @app.handler("orders")
    async def on_order(order: Order) -> None:
        if order.id == 1:
            raise Retry("busy", after=5)
        raise Reject("nobody wants it")

    async with work:
        await app.client.queue("orders").send('{"id": 1}')
        await app.client.queue("orders").send('{"id": 2}')
        first, second = await work.run()
        (dead,) = await work.dead_letters("orders")
    assert (first.outcome, first.again) == ("retried", timedelta(seconds=5))
    assert second.outcome == "rejected"
    assert (dead.failure.reason, dead.failure.text) == ("rejected", "nobody wants it")


async def test_tenacitys_stop_and_retry_objects_are_taken(app, work):
    @app.handler(
        "orders",
        retries=None,
        wait=tenacity.wait_fixed(10),
        stop=tenacity.stop_after_delay(15),
        retry=tenacity.retry_if_not_exception_type(KeyError),
    )
    async def on_order(order: Order) -> None:
        raise KeyError if order.id else ValueError

    async with work:
        await app.client.queue("orders").send('{"id": 0}')
        await app.client.queue("orders").send('{"id": 1}')
        assert [one.outcome for one in await work.run()] == ["retried", "failed"]
        work.clock.move(10)
        assert [one.outcome for one in await work.run()] == ["retried"]
        work.clock.move(10)
        assert [one.outcome for one in await work.run()] == ["failed"]


async def test_the_queues_own_limit_of_receives_ends_with_a_story_as_well(app, work):
    @app.handler("orders", wait=tenacity.wait_fixed(1))
    async def on_order(order: Order) -> None:
        raise ValueError("again")

    async with work:
        policy = app.client.queue("orders").known.attributes.redrive_policy
        await app.client.queue("orders").set_attributes(
            redrive_policy=type(policy)(dead_letter_queue="orders-dead", max_receive_count=2)
        )
        await app.client.queue("orders").send('{"id": 1}')
        assert [one.outcome for one in await work.run()] == ["retried"]
        work.clock.move(1)
        assert [one.outcome for one in await work.run()] == ["failed"]
        (dead,) = await work.dead_letters("orders")
    assert dead.failure.text == "again"


async def test_a_dead_letter_that_is_redriven_begins_anew(app, work):
    broken = True

    @app.handler("orders", retries=0)
    async def on_order(order: Order, context: Context) -> None:
        assert context.attempt == 1
        if broken:
            raise ValueError

    async with work:
        await app.client.queue("orders").send('{"id": 1}')
        await work.run()
        broken = False
        assert (await app.client.queue("orders-dead").redrive()).moved == 1
        (ran,) = await work.run()
    assert ran.outcome == "done"
    assert ran.message.failure is None


async def test_a_handler_that_leaves_or_interrupts_its_process_only_fails(app, work):
    """In a thread no Ctrl-C arrives: who raises that is the handler."""

    @app.handler("orders", retries=0)
    async def on_order(order: Order) -> None:
        raise SystemExit(3)

    @app.handler("in-thread", retries=0)
    def in_thread(order: Order) -> None:
        raise KeyboardInterrupt

    async with work:
        for queue in ("orders", "in-thread"):
            await app.client.queue(queue).send('{"id": 1}')
        ran = await work.run()
    assert [one.outcome for one in ran] == ["failed", "failed"]


async def test_an_order_of_a_group_is_kept_over_a_failure(app, work):
    done = []

    @app.handler("orders.fifo", wait=tenacity.wait_fixed(5))
    async def on_order(order: Order, context: Context) -> None:
        if order.id == 2 and context.attempt == 1:
            raise ValueError
        done.append((order.note, order.id))

    async with work:
        for group in "ab":
            for id in (1, 2, 3):
                await app.client.queue("orders.fifo").send(
                    msgspec.json.encode(Order(id, group)),
                    message_group_id=group,
                    deduplication_id=f"{group}{id}",
                )
        await work.run()
        assert done == [("a", 1), ("b", 1)]
        work.clock.move(5)
        await work.run()
    assert [id for group, id in done if group == "a"] == [1, 2, 3]
    assert [id for group, id in done if group == "b"] == [1, 2, 3]


async def test_a_fifo_queue_keeps_its_order_in_a_worker_that_runs(app):
    done: dict[str, list[int]] = {"a": [], "b": []}

    @app.handler("orders.fifo")
    async def on_order(order: Order, context: Context) -> None:
        if order.id == 3 and context.attempt == 1:
            raise Retry(after=0.05)
        done[order.note].append(order.id)

    async with at_work(app):
        for id in range(20):
            for group in "ab":
                await app.client.queue("orders.fifo").send(
                    msgspec.json.encode(Order(id, group)),
                    message_group_id=group,
                    deduplication_id=f"{group}{id}",
                )
        await until(lambda: all(len(one) >= 20 for one in done.values()))
    assert done == {"a": list(range(20)), "b": list(range(20))}


async def test_plain_functions_run_in_threads_beside_each_other(app):
    here, together = threading.get_ident(), threading.Barrier(3, timeout=20)
    threads = set()

    @app.handler("orders")
    def on_order(order: Order, context: Context) -> None:
        together.wait()
        context.wait(context.extend(5))
        threads.add(threading.get_ident())

    async with at_work(app):
        await app.client.queue("orders").send_many([b'{"id": 1}'] * 3)
        await until(lambda: len(threads) == 3)
    assert here not in threads


async def test_a_time_limit_ends_a_coroutine_and_a_thread(app):
    ended = []

    @app.handler("in-loop", timeout=0.05, retries=0)
    async def in_loop(order: Order) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("loop")

    @app.handler("in-thread", timeout=0.05, retries=0)
    def in_thread(order: Order) -> None:
        try:
            while True:
                pass
        finally:
            ended.append("thread")

    async with at_work(app) as worker:
        for name in app.intakes:
            await app.client.queue(name).send('{"id": 1}')
        await until(lambda: sum(one.tally.dead for one in worker.consumers) == 2)
        for name in app.intakes:
            (dead,) = await app.client.queue(f"{name}-dead").peek()
            assert dead.failure.error == "rmq.worker.TimeLimitExceeded"
            assert "took longer than 0.05 s" in dead.failure.text
    assert sorted(ended) == ["loop", "thread"]


async def test_a_batch_gets_what_is_there_and_fails_message_by_message(app, work):
    sizes = []

    @app.handler("orders", batch=3, retries=0)
    async def on_orders(orders: list[Order]) -> list[Exception | None]:
        sizes.append(len(orders))
        return [ValueError("odd") if order.id % 2 else None for order in orders]

    async with work:
        for id in (0, 1, 2, 3):
            await app.client.queue("orders").send(msgspec.json.encode(Order(id)))
        await app.client.queue("orders").send("{")
        ran = await work.run()
        dead = await work.dead_letters("orders")
        assert (await app.client.queue("orders").stats()).messages == 0
    assert sizes == [3, 1]
    assert [one.outcome for one in ran].count("done") == 2
    assert sorted(one.body for one in dead) == [b"{", b'{"id":1,"note":""}', b'{"id":3,"note":""}']


@pytest.mark.parametrize("outcome", [ValueError("all"), [None], "x"])
async def test_a_batch_that_raises_or_answers_wrongly_has_failed_as_a_whole(app, work, outcome):
    @app.handler("orders", batch=2, retries=0)
    async def on_orders(orders: list[Order]) -> Any:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async with work:
        await app.client.queue("orders").send_many([b'{"id": 1}'] * 2)
        assert [one.outcome for one in await work.run()] == ["failed"] * 2


@pytest.mark.parametrize(("within", "more", "size"), [(PATIENCE, 3, 3), (0.02, 0, 1)])
async def test_a_batch_waits_for_more_and_no_longer_than_it_was_told(app, within, more, size):
    batches: list[int] = []

    @app.handler("orders", batch=Batch(3, within=within))
    async def on_orders(orders: list[Order]) -> None:
        batches.append(len(orders))

    async with at_work(app) as worker:
        queue = app.client.queue("orders")
        await queue.send('{"id": 1}')
        await until(lambda: worker.consumers[0].hand or batches)
        for _ in range(more):
            await queue.send('{"id": 1}')
        await until(lambda: batches)
        assert batches == [size]
        await until(lambda: len(worker.consumers[0].hand) == 1 + more - size)


async def test_no_more_is_received_than_there_are_free_slots(app):
    hold, running = asyncio.Event(), []

    @app.handler("orders", concurrency=3)
    async def on_order(order: Order) -> None:
        running.append(order)
        await hold.wait()

    async with at_work(app) as worker:
        queue = app.client.queue("orders")
        await queue.send_many([b'{"id": 1}'] * 10)
        await until(lambda: len(running) == 3)
        found = await queue.stats()
        assert (found.in_flight, found.visible) == (3, 7)
        assert worker.consumers[0].tally.running == 3
        assert worker.consumers[0].hand.buffered == 0
        hold.set()
        await until(lambda: len(running) == 10)


async def test_middleware_goes_around_every_run(app, work):
    said = []

    class Says(Middleware):
        def __init__(self, name: str) -> None:
            self.name = name

        async def before(self, context: Context) -> None:
            said.append(f"{self.name} before {context.queue}")

        def after(self, context: Context, result: Any) -> None:
            said.append(f"{self.name} after {result}")

        def error(self, context: Context, error: BaseException) -> None:
            said.append(f"{self.name} error {error}")

    app.middleware += [Says("a"), Says("b")]

    @app.handler("orders")
    async def on_order(order: Order) -> str:
        if order.id:
            raise Retry("x")
        return "y"

    async with work:
        await app.client.queue("orders").send('{"id": 0}')
        await app.client.queue("orders").send('{"id": 1}')
        await work.run()
    assert said == [
        *("a before orders", "b before orders", "b after y", "a after y"),
        *("a before orders", "b before orders", "b error x", "a error x"),
    ]


async def test_resources_are_made_once_given_by_annotation_and_closed(app, work):
    said: list[Any] = []

    @app.resource
    async def pool() -> AsyncIterator[Pool]:
        said.append("open")
        yield Pool()
        said.append("closed")

    @app.resource
    def number(pool: Pool) -> Iterator[float]:
        said.append(type(pool))
        yield 4.5

    @app.handler("orders")
    async def on_order(order: Order, number: float, pool: Pool) -> None:
        said.append((number, type(pool)))

    async with work:
        for _ in range(2):
            await app.client.queue("orders").send('{"id": 0}')
        await work.run()
    assert sorted(said[:2], key=str) == [Pool, "open"]
    assert said[2:] == [(4.5, Pool), (4.5, Pool), "closed"]


async def test_what_one_handler_sets_no_other_sees(app):
    setting: contextvars.ContextVar[str] = contextvars.ContextVar("setting", default="none")
    seen = []

    @app.handler("orders")
    async def on_order(order: Order) -> None:
        seen.append(setting.get())
        setting.set("mine")

    async with at_work(app):
        await app.client.queue("orders").send_many([b'{"id": 1}'] * 5)
        await until(lambda: len(seen) == 5)
    assert seen == ["none"] * 5


async def test_a_client_that_was_handed_in_is_taken_if_another_like_it_can_be_made(clock):
    theirs = rmq.connect_async("memory://handed-in", clock=clock)
    app = App(client=theirs)
    seen = []

    @app.handler("orders")
    async def on_order(order: Order) -> None:
        seen.append(order.id)

    async with app, at_work(app):
        await theirs.queue("orders").send('{"id": 1}')
        await until(lambda: seen)
    await theirs.wipe()
    await theirs.close()
    bare = fakeredis.FakeAsyncRedis()
    with pytest.raises(ConfigurationError, match="made with a URL"):
        App(client=rmq.connect_async(bare))
    with pytest.raises(ConfigurationError, match="or what it needs to make one"):
        App("memory://", client=theirs)
    await bare.aclose()


def test_what_can_not_be_run_is_refused_when_it_is_declared():
    app = App("memory://")

    async def takes_two(order: Order, other: int) -> None: ...

    async def in_process(order: Order) -> None: ...

    def with_context(order: Order, context: Context) -> None: ...

    with pytest.raises(InvalidParameter, match="concurrency is 0"):
        app.handler("orders", concurrency=0)(takes_two)
    with pytest.raises(InvalidParameter, match="retries is -1"):
        app.handler("orders", retries=-1)
    with pytest.raises(InvalidParameter, match="wait is int"):
        app.handler("orders", wait=3)  # type: ignore[arg-type]
    with pytest.raises(InvalidParameter, match="timeout is 0"):
        app.handler("orders", timeout=0)(takes_two)
    with pytest.raises(ConfigurationError, match="plain one"):
        app.handler("orders", process=True)(in_process)
    app.handler("orders")(takes_two)
    with pytest.raises(ConfigurationError, match="already"):
        app.handler("orders")(takes_two)
    with pytest.raises(ConfigurationError, match="has order, other beside those"):
        app.intakes["orders"].prepare(app.resources)
    app.handler("other", process=True)(with_context)
    with pytest.raises(ConfigurationError, match="no Context"):
        app.intakes["other"].prepare(app.resources)
    with pytest.raises(ConfigurationError, match="has no queue 'x'"):
        app.chosen(["x"])


async def test_all_queues_together_keep_to_the_workers_concurrency(app):
    running, most, done = 0, 0, Counter()

    async def work(order: Order, context: Context) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.002)
        running -= 1
        done[context.queue] += 1

    app.handler("one")(work)
    app.handler("two", concurrency=2)(work)
    async with at_work(app, concurrency=3) as worker:
        for name in ("one", "two"):
            await app.client.queue(name).send_many([b'{"id": 1}'] * 30)
        await until(lambda: done == {"one": 30, "two": 30})
        await until(lambda: not any(one.hand for one in worker.consumers))
    assert most == 3


@pytest.mark.parametrize("backend", ["async-memory"], indirect=True)
async def test_a_process_makes_its_own_resources(app):
    results = []

    class Hears(Middleware):
        def after(self, context: Context, result: Any) -> None:
            results.append(result)

    app.middleware.append(Hears())
    app.resource(jobs.number)
    app.handler("orders", process=True, concurrency=1)(jobs.doubled)
    async with at_work(app):
        await app.client.queue("orders").send_many([b'{"id": 1}', b'{"id": 2}'])
        await until(lambda: len(results) == 2)
    (first, pid), (second, again) = results
    assert {first, second} == {43, 44}
    assert pid == again != os.getpid()


def test_health_is_told_over_http():
    state = {"live": True, "ready": False}
    health = Health("127.0.0.1", 0, lambda: (state["live"], state["ready"], {"restarts": 3}))

    def ask(path: str) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{health.port}{path}") as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    try:
        assert ask("/live") == (200, {"status": "ok"})
        assert ask("/ready") == (503, {"status": "not ready"})
        assert ask("/stats") == (200, {"live": True, "ready": False, "restarts": 3})
        assert ask("/other")[0] == 404
        state["live"] = False
        assert ask("/live?x=1")[0] == 503
    finally:
        health.close()
