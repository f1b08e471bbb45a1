"""Compression, said where a queue is declared: handlers and tasks get what was sent."""

from __future__ import annotations

import pytest

from rmq.core.compression import SAMPLES, dictionary_number, is_compressed
from rmq.worker import Batch, Reject
from tests.colours import in_thread


@pytest.fixture
async def raw(backend, servers):
    client = servers.client(backend.place)
    yield client
    await in_thread(client.close)


@pytest.fixture
def stored(app, raw):
    """What lies in a queue's log."""

    async def look(name):
        entries = await in_thread(raw.xrange, app.client._registry.keys(name).log)
        return [fields[b"m"] for _, fields in entries]

    return look


async def test_calls_of_tasks_are_compressed_and_made(app, work, stored):
    made = []
    app.queue("mail", compression="deflate")

    @app.task(queue="mail")
    async def send_mail(to: str, *, copies: int = 1) -> None:
        made.append((to, copies))

    async with work:
        for number in range(SAMPLES + 5):
            await send_mail.send(f"{number}@example.com", copies=number)
        assert dictionary_number((await stored("mail"))[-1])
        assert {one.outcome for one in await work.run()} == {"done"}
    assert sorted(made) == sorted((f"{number}@example.com", number) for number in range(37))


async def test_batches_and_dead_letters_of_a_queue_that_compresses_have_what_was_sent(
    app, work, stored
):
    got = []

    @app.handler("orders", batch=Batch(10), compression="deflate")
    async def on_orders(orders: list[dict[str, int]]) -> list[Exception | None]:
        got.extend(orders)
        return [Reject("odd") if one["order"] % 2 else None for one in orders]

    async with work:
        sent = [b'{"order": %d, "customer": %d}' % (n, n * 7) for n in range(SAMPLES * 3)]
        await app.client.queue("orders").send_many(sent[:SAMPLES])
        await app.client.queue("orders").send_many(sent[SAMPLES:])
        assert dictionary_number((await stored("orders"))[-1])
        await work.run()
        dead = await work.dead_letters("orders")
        info = await app.client.queue("orders-dead").info()
        assert info.attributes.compression == "deflate"
        assert is_compressed((await stored("orders-dead"))[-1])
    assert sorted(one["order"] for one in got) == list(range(SAMPLES * 3))
    assert sorted(one.body for one in dead) == sorted(sent[1::2])
    assert {one.failure.text for one in dead} == {"odd"}


async def test_a_queue_that_is_there_is_set_to_what_is_said_and_left_alone_where_nothing_is(app):
    await app.client.create_queue("orders")
    await app.client.create_queue("others", compression="deflate")

    @app.handler("orders", compression="deflate")
    async def on_order(order: str) -> None: ...

    @app.handler("others")
    async def on_other(other: str) -> None: ...

    await app.make_queues()
    for name in ("orders", "others"):
        assert (await app.client.queue(name).info()).attributes.compression == "deflate"
