"""Connections that break in the middle of a fleet call: the server has done it, and the answer is
lost. What was half done is taken up, nothing is done twice, and no place or token leaks."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest

from rmq.core.keys import FleetKeys, LimitKeys
from rmq.core.script import load
from rmq.worker import App, Chain, Concurrency, Group, Throttle, presence, scheduler, trouble
from rmq.worker.limits import RateLimit
from tests.core.proxy import proxy
from tests.worker.conftest import at_work, until

CALLS = [
    "limit_take",
    "limit_hold",
    "limit_release",
    "schedule_put",
    "schedule_look",
    "schedule_fire",
    "schedule_trigger",
    "schedule_outbox",
    "schedule_settle",
    "unique_take",
    "unique_free",
    "result_start",
    "result_end",
    "result_read",
    "group_begin",
    "group_end",
    "group_close",
    "beat",
    "tidy",
]


@pytest.fixture
def backend(servers):
    from tests.conftest import Backend

    return Backend("async", "valkey", servers.url("valkey"))


@pytest.mark.parametrize("call", [*(f"worker/{one}" for one in CALLS), "queues/deliver"])
async def test_an_answer_that_is_lost_costs_nothing_and_does_nothing_twice(
    backend, namespace, raw, call
):
    ran, go_on = Counter(), asyncio.Event()
    raw.script_load(load(call).source)
    async with proxy(int(backend.url.rpartition(":")[2].partition("/")[0])) as wire:
        app = App(wire.url, namespace=namespace)

        @app.handler("orders", limits=[Throttle("api", "1/h", burst=9), Concurrency("db", 2)])
        async def on_order(body: str) -> None:
            ran[body] += 1
            if len(ran) == 1:  # the others wait for tokens with places that are in use
                await go_on.wait()

        @app.task(result_ttl=60, unique="done", limits=[Concurrency("each", 1, by="which")])
        async def one(which: str) -> str:
            await go_on.wait()
            ran[which] += 1
            return which

        @app.task()
        async def total(values: list[str]) -> None:
            ran[" ".join(values)] += 1

        @app.task()
        async def tick() -> None:
            ran["tick"] += 1

        app.schedule("every 24h", name="nightly")(tick.with_())
        async with app:
            await app.make_queues()
            wire.lose_the_answer_to(load(call).sha.encode())
            async with at_work(app) as worker:
                await app.client.queue("orders").send_many(["A", "B", "C"])
                handle, same = await one.send("a"), await one.send("a")
                assert handle.id == same.id
                fleet = FleetKeys(namespace, "app")
                raw.zadd(fleet.schedule_due, {"nightly": int(time.time() * 1000) - 5000})
                await app.schedules.trigger("nightly")
                group = await app.group(
                    Chain(one.with_("b"), Group(one.options(with_result=False).with_("c"))),
                    one.with_("d"),
                    then=total.options(with_result=False).with_(["all"]),
                )
                go_on.set()
                assert await handle.result(timeout=20) == "a"
                assert await group.wait(timeout=20) == [["c"], "d"]
                await until(lambda: ran.total() == 10)
                for queue in ("orders", "tasks"):
                    await until_empty(app, queue)
                await worker.presence.beat()
                await worker.consumers[0].tidy()
                assert wire.lost == 1
                assert worker.is_alive
                # No place is held but the one with which a receive waits.
                for limit, most in {"db": 1, "each/a": 0, "each/d": 0}.items():
                    held = LimitKeys(namespace, limit).held
                    await until(lambda held=held, most=most: raw.zcard(held) <= most)
            # One tick was due, the other one was asked for.
            assert ran == dict.fromkeys(["A", "B", "C", "a", "b", "c", "d", "all"], 1) | {"tick": 2}
            assert raw.zcard(LimitKeys(namespace, "db").held) == 0
            # Each of three orders spent one token of nine.
            left = RateLimit(app.client, "api", "1/h", burst=9)
            assert (await left.take(9, least=1)).count == 6
            assert (await one.send("a")).id != handle.id  # its place was given back
            await app.client.wipe()


@pytest.mark.parametrize(("call", "batch"), [("limit_hold", None), ("limit_take", 5)])
async def test_redis_that_is_away_for_longer_than_a_call_is_tried_leaves_no_place_behind(
    backend, namespace, raw, call, batch, monkeypatch, caplog
):
    """It goes away with a limit half passed: what was had goes back, and the message passes it
    anew."""
    ran = []
    for one in (trouble, presence, scheduler):
        monkeypatch.setattr(one, "TROUBLE_S", 0.05)
    raw.script_load(load(f"worker/{call}").source)
    async with proxy(int(backend.url.rpartition(":")[2].partition("/")[0])) as wire:
        app = App(wire.url, namespace=namespace, retry_timeout=0.01)
        limits = [
            Concurrency("db", 2, by=lambda body: ""),
            Throttle("api", "1/h", burst=9, by=lambda body: ""),
        ]

        if batch is None:

            @app.handler("orders", limits=limits)
            async def on_order(body: str) -> None:
                ran.append(body)
        else:

            @app.handler("orders", limits=limits, batch=batch)
            async def on_orders(orders: list[str]) -> None:
                ran.extend(orders)

        async with app:
            await app.make_queues()
            wire.lose_the_answer_to(load(f"worker/{call}").sha.encode(), go_away=True)
            async with at_work(app), App(backend.url, namespace=namespace) as raw_app:
                await raw_app.client.queue("orders").send("A")
                await until(lambda: wire.lost == 1)
                await until(lambda: "places of db/ are not given back yet" in caplog.text)
                wire.come_back()
                await until(lambda: ran == ["A"])
                await until_empty(raw_app, "orders")
                held = LimitKeys(namespace, "db/").held
                await until(lambda: not raw.zcard(held))
            await app.client.wipe()
    assert ran == ["A"]


async def test_places_for_what_is_not_there_yet_go_back_when_redis_is_there_again(
    backend, namespace, raw, monkeypatch, caplog
):
    """A queue's own limit, asked before a receive: the answer is lost, and then Redis is away."""
    for one in (trouble, presence, scheduler):
        monkeypatch.setattr(one, "TROUBLE_S", 0.05)
    raw.script_load(load("worker/limit_hold").source)
    ran = []
    async with proxy(int(backend.url.rpartition(":")[2].partition("/")[0])) as wire:
        app = App(wire.url, namespace=namespace, retry_timeout=0.01)

        @app.handler("orders", limits=[Concurrency("db", 1)])
        async def on_order(body: str) -> None:
            ran.append(body)

        async with app:
            await app.make_queues()
            await app.client.queue("orders").send("A")
            wire.lose_the_answer_to(load("worker/limit_hold").sha.encode(), go_away=True)
            async with at_work(app):
                await until(lambda: "places of db are not given back yet" in caplog.text)
                wire.come_back()
                await until(lambda: ran)
            await app.client.wipe()


async def until_empty(app: App, queue: str) -> None:
    async with asyncio.timeout(20):
        while (await app.client.queue(queue).stats()).messages:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
