"""Limits by a key, for handlers that get batches: what may not run yet waits in Redis, and the
others go on."""

from __future__ import annotations

from collections import Counter

import pytest

from rmq.worker import Batch, Concurrency, Throttle
from tests.worker.conftest import until


@pytest.fixture
def batches() -> list[list[str]]:
    return []


async def test_a_batch_runs_with_those_whose_keys_have_tokens_and_the_rest_is_kept(
    app, work, batches
):
    @app.handler("orders", batch=10, limits=[Throttle("api", "1/10s", burst=2, by=customer)])
    async def on_orders(orders: list[str]) -> None:
        batches.append(orders)

    async with work:
        queue = app.client.queue("orders")
        await queue.send_many([f"a{n}" for n in range(4)] + ["b0", "c0"])
        await work.run()
        assert batches == [["a0", "a1", "b0", "c0"]]
        assert (await queue.stats()).in_flight == 2
        for _ in range(4):
            work.clock.move(9)
            await work.run()
        assert Counter(one for batch in batches for one in batch).total() == 6
        assert batches[1:] == [["a2"], ["a3"]]
        assert await work.dead_letters("orders") == []


async def test_a_batch_holds_a_place_for_each_of_its_messages_and_gives_it_back(app, work, batches):
    limits = [
        Concurrency("db", 2, by=customer),
        Throttle("all", "1/h", burst=5, by=lambda body: ""),
    ]

    @app.handler("orders", batch=10, limits=limits)
    async def on_orders(orders: list[str]) -> None:
        batches.append(orders)

    async with work:
        queue = app.client.queue("orders")
        await queue.send_many(["a0", "a1", "a2", "b0"])
        await work.run()
        await until(lambda: not work._worker.gate._leaving)  # places on their way back
        work.clock.move(2)
        await work.run()
        assert batches == [["a0", "a1", "b0"], ["a2"]]
        # What had no place had no token either: of five one is left.
        await queue.send_many(["c0", "c1"])
        await work.run()
        assert batches[2:] == [["c0"]]


async def test_behind_one_that_may_not_run_none_of_its_group_does(app, work, batches):
    @app.handler("orders.fifo", batch=10, limits=[Throttle("api", "1/10s", burst=1, by=customer)])
    async def on_orders(orders: list[str]) -> None:
        batches.append(orders)

    async with work:
        queue = app.client.queue("orders.fifo")
        for body, group in [("a0", "x"), ("a1", "x"), ("b0", "x"), ("c0", "y")]:
            await queue.send(body, message_group_id=group, deduplication_id=body)
        await work.run()
        assert batches == [["a0", "c0"]]
        work.clock.move(15)
        await work.run()
        assert batches[1:] == [["a1", "b0"]]


async def test_a_key_that_can_not_be_made_fails_its_message_and_no_other(app, work, batches):
    def key(body: str) -> str:
        if body == "bad":
            raise ValueError("no key")
        return body[0]

    @app.handler("orders", batch=Batch(10), retries=0, limits=[Throttle("api", "5/s", by=key)])
    async def on_orders(orders: list[str]) -> None:
        batches.append(orders)

    async with work:
        await app.client.queue("orders").send_many(["a0", "bad", "b0"])
        await work.run()
        assert batches == [["a0", "b0"]]
        (dead,) = await work.dead_letters("orders")
        assert (dead.body, dead.failure.reason) == (b"bad", "failed")
        assert dead.failure.text == "no key"


def customer(body: str) -> str:
    return body[0]
