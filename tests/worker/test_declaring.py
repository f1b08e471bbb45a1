"""What may be said of handlers, tasks and their calls, and what is refused before anything is
sent. Nothing here is about Redis, so it is the one in this process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rmq.errors import ConfigurationError, InvalidParameter, RmqError
from rmq.queues.aio import AsyncMessage
from rmq.testing import working
from rmq.worker import App, Concurrency, Context, Retry, Throttle, Unique, WorkerLost
from rmq.worker.handler import CONCURRENCY


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"batch": "5"}, r"batch\.size is '5'"),
        ({"batch": 1.5}, r"batch\.size is 1\.5"),
        ({"retry": ValueError}, "retry is <class 'ValueError'>"),
        ({"visibility_timeout": 0.05}, "visibility_timeout is 0.05"),
        ({"dead_letter_queue": "orders"}, "its own dead letters"),
        ({"dead_letter_queue": "dead.fifo"}, "FIFO queues both"),
        ({"compression": "gzip"}, "compression is 'gzip'; it must be one of none, deflate"),
        ({"limits": Throttle("a", "1/s")}, "limits is Throttle"),
        ({"limits": [Throttle("a b", "1/s")]}, "name is 'a b'"),
        ({"limits": [Throttle("a", "1/s", burst=0)]}, "burst is 0"),
        ({"limits": [Throttle("a", "1/s", by=5)]}, "by of limit 'a' is 5"),  # type: ignore[arg-type]
        ({"limits": [Concurrency("a", 0)]}, "limit is 0"),
        ({"limits": [Concurrency("a", 1, lease=0)]}, "lease is 0 s"),
    ],
    ids=str,
)
def test_options_that_can_not_be_are_refused_where_they_are_said(options, why):
    with pytest.raises(RmqError, match=why):
        App("memory://").handler("orders", **options)(lambda message: None)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda: App("memory://", middleware=[5]), "middleware is 5"),  # type: ignore[list-item]
        (lambda: App("memory://", middleware=5), "middleware is int"),  # type: ignore[arg-type]
        (lambda: App(client=5), "client is int"),  # type: ignore[arg-type]
        (lambda: Unique(key="shop"), "unique.key is 'shop'"),  # type: ignore[arg-type]
        (lambda: Retry(after=-1), "after is -1 s"),
    ],
)
def test_what_is_none_is_not_taken_for_one(made, why):
    with pytest.raises(InvalidParameter, match=why):
        made()


async def test_a_limit_goes_by_an_argument_that_there_is():
    app = App("memory://")

    @app.task(limits=[Throttle("each", "1/s", by="costumer")])
    async def call(customer: str) -> None: ...

    with pytest.raises(ConfigurationError, match="goes by 'costumer'; it has customer"):
        async with working(app):
            pass


async def test_a_key_of_a_limit_that_fails_is_a_failure_of_its_message():
    """It came back for ever, and each time was counted as a crash."""
    app = App("memory://")

    @app.handler("orders", retries=1, limits=[Throttle("each", "1/s", by=lambda order: order["x"])])
    async def on_order(order: dict[str, Any]) -> None: ...

    async with working(app) as work:
        await app.client.queue("orders").send("{}")
        (first,) = await work.run()
        assert first.outcome == "retried"
        assert first.again is not None
        work.clock.move(first.again)
        assert [one.outcome for one in await work.run()] == ["failed"]
        (letter,) = await work.dead_letters("orders")
        assert letter.failure is not None
        assert letter.failure.error == "KeyError"
        with pytest.raises(ConfigurationError, match="no queue 'mail'"):
            await work.dead_letters("mail")


async def test_calls_take_only_options_that_can_be():
    app = App("memory://")

    @app.task()
    async def call(customer: str) -> None: ...

    wrong: list[tuple[dict[str, Any], str]] = [
        ({"id": 5}, "id is 5"),
        ({"id": "a{b}"}, "id is 'a{b}'"),
        ({"deadline": 5}, "deadline is 5"),
        ({"with_result": "no"}, "with_result is 'no'"),
    ]
    for options, why in wrong:
        with pytest.raises(InvalidParameter, match=why):
            call.options(**options)
    async with working(app):
        for at in ("tomorrow", None, timedelta(1), datetime.min):
            with pytest.raises(InvalidParameter, match="at is"):
                await call.send_at(at, "x")  # type: ignore[arg-type]
        with pytest.raises(InvalidParameter, match=r"delay is .* keeps a message"):
            call.options(delay=timedelta(days=4000)).send_sync("x")


async def test_options_go_along_with_a_moment_and_with_threads():
    app = App("memory://")

    @app.task(result_ttl=60)
    async def call(customer: str) -> None: ...

    async with working(app) as work:
        at = datetime.fromtimestamp(work.clock.now_ms() / 1000, UTC) + timedelta(seconds=60)
        later = await call.options(id="later").send_at(at, "x")
        now = call.options(id="now").send_sync("x")
        assert (later.id, now.id) == ("later", "now")
        assert [one.outcome for one in await work.run()] == ["done"]
        work.clock.move(60)
        assert [one.outcome for one in await work.run()] == ["done"]


async def test_on_a_fifo_queue_each_call_is_one_of_its_own_unless_their_ids_are_the_same():
    app = App("memory://")
    ran = []

    @app.task(queue="mail.fifo")
    async def call(customer: str) -> None:
        ran.append(customer)

    async with working(app) as work:
        group = call.options(group_id="g")
        await group.send("x")
        await group.send("x")
        for _ in range(2):
            await call.options(group_id="g", id="é" * 150).send("y")
        await work.run()
    assert ran == ["x", "x", "y"]


async def test_a_queue_of_tasks_has_as_many_slots_as_its_tasks_usually_have():
    app = App("memory://")
    cores = CONCURRENCY["process"]
    app.task(queue="threads", name="a")(lambda: None)
    app.task(queue="processes", name="b", process=True)(len)
    app.task(queue="both", name="c", process=True)(len)

    @app.task(queue="both")
    async def coroutine() -> None: ...

    app.queue("said", concurrency=7)
    app.task(queue="said", name="d")(lambda: None)
    app.queue("half", visibility_timeout=60)
    app.task(queue="half", name="e")(lambda: None)
    async with app.worker() as worker:
        slots = {name: app.intakes[name].options.concurrency for name in worker.queues}
        assert slots == {"threads": 20, "processes": cores, "both": 100, "said": 7, "half": 20}
        assert app.intakes["both"].most("process") == cores
        assert app.intakes["said"].most("thread") == 7
        assert app.intakes["half"].options.visibility_timeout == 60


async def test_progress_and_extension_are_numbers_that_can_be():
    app = App("memory://")
    refused = []

    @app.task(result_ttl=60)
    async def work_on(context: Context) -> None:
        for part, text in ((2, ""), (-1, ""), (float("nan"), ""), ("a", ""), (True, ""), (1, 5)):
            try:
                await context.progress(part, text)  # type: ignore[arg-type]
            except InvalidParameter as error:
                refused.append(error.field)
        for by in (-5, "x"):
            try:
                await context.extend(by)  # type: ignore[arg-type]
            except InvalidParameter as error:
                refused.append(error.field)
        await context.progress(0.5, "half")

    async with working(app) as work:
        handle = await work_on.send()
        assert [one.outcome for one in await work.run()] == ["done"]
        assert (await handle.status()).part == 0.5
    assert refused == ["part"] * 5 + ["text"] + ["by"] * 2


async def test_calls_are_alike_however_their_arguments_are_written():
    app = App("memory://")

    @app.task(unique="done")
    async def rebuild(shop: int, why: str = "") -> None: ...

    async with working(app):
        calls = [
            rebuild.send(1),
            rebuild.send(shop=1),
            rebuild.send(1, ""),
            rebuild.send(1, why=""),
        ]
        assert len({(await one).id for one in calls}) == 1
        assert (await rebuild.send(1, "new")).id != (await rebuild.send(2)).id


@pytest.mark.parametrize("annotation", [list, Sequence, list[Any], Sequence[AsyncMessage]], ids=str)
async def test_a_batch_may_be_of_messages_and_answered_by_a_tuple(annotation):
    app = App("memory://")
    got = []

    async def on_orders(orders):
        got.extend(one.body for one in orders)
        return (None, ValueError("x"))

    on_orders.__annotations__["orders"] = annotation
    app.handler("orders", batch=2, retries=0)(on_orders)
    async with working(app) as work:
        for one in (b"1", b"2"):
            await app.client.queue("orders").send(one)
        assert [one.outcome for one in await work.run()] == ["done", "failed"]
    assert got == [b"1", b"2"]


def leave(body: bytes) -> None:
    os._exit(3)


async def test_a_test_sees_that_a_process_was_lost_and_when_it_is_tried_again():
    app = App("memory://")
    app.handler("orders", process=True, crashes=2)(leave)
    async with working(app) as work:
        await app.client.queue("orders").send(b"1")
        (ran,) = await work.run()
        assert (ran.outcome, type(ran.error)) == ("retried", WorkerLost)
        work.clock.move(ran.again)
        assert [one.outcome for one in await work.run()] == ["crashed"]


async def test_a_dead_letter_queue_that_is_gone_is_made_anew():
    """Its dead letters were back at once, over and over, as fast as the worker went."""
    app = App("memory://", create_queues=False)

    @app.handler("orders", dead_letter_queue="graves")
    async def on_order(order: dict[str, Any]) -> None: ...

    async with working(app) as work:
        await app.client.create_queue("orders")
        await app.client.queue("orders").send("no JSON")
        ran = await work.run()
        assert {one.outcome for one in ran} == {"unreadable"}
        (letter,) = await work.dead_letters("orders")
        assert letter.failure is not None
        assert letter.failure.reason == "unreadable"


async def test_schedules_of_code_are_fired_in_a_test():
    app = App("memory://")

    @app.task()
    async def refresh(shop: int) -> int:
        return shop

    app.schedule(timedelta(minutes=5), name="refresh")(refresh.with_(7))
    async with working(app) as work:
        assert await work.run() == []
        work.clock.move(timedelta(minutes=5))
        assert [one.result for one in await work.run()] == [7]
        assert await work.run() == []
