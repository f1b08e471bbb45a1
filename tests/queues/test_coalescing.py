"""Coalescing: what many tasks ask for at once goes out together, and each gets its own answer."""

from __future__ import annotations

import asyncio

import pytest

from rmq.errors import InvalidParameter, InvalidReceipt, QueueDoesNotExist, StaleReceipt


def gather(calls):
    return asyncio.gather(*calls, return_exceptions=True)


async def everything(queue):
    got = []
    while batch := await queue.receive(10):
        got += batch
    return got


async def test_300_sends_at_once_are_all_stored_once_with_distinct_ids(queue):
    sent = await gather(queue.send(b"%d" % i) for i in range(300))

    got = {one.id: one.body for one in await everything(queue)}
    assert got == {one.id: b"%d" % i for i, one in enumerate(sent)}
    assert len(got) == 300


async def test_sends_of_one_task_go_out_in_its_order(queue):
    async def line(name):
        for i in range(10):
            await queue.send(f"{name} {i}")

    await asyncio.gather(*(line(name) for name in "abc"))

    got = [one.text for one in await everything(queue)]
    for name in "abc":
        assert [text for text in got if text[0] == name] == [f"{name} {i}" for i in range(10)]


async def test_each_bad_send_gets_its_own_error_and_the_others_succeed(queue):
    def send(i):
        if i % 10 == 3:
            return queue.send(b"")
        if i % 10 == 7:
            return queue.send(b"x", delay=901 + i)
        return queue.send(b"%d" % i)

    results = await gather(send(i) for i in range(100))

    for i, result in enumerate(results):
        if i % 10 == 3:
            assert isinstance(result, InvalidParameter)
            assert result.field == "body"
        elif i % 10 == 7:
            assert isinstance(result, InvalidParameter)
            assert (result.field, str(901 + i) in result.value) == ("delay", True)
        else:
            assert result.id
    assert len(await everything(queue)) == 80


async def test_sends_that_can_not_be_done_fail_all(client):
    results = await gather(client.queue("nowhere").send(b"%d" % i) for i in range(20))
    assert [type(one) for one in results] == [QueueDoesNotExist] * 20


async def test_fifo_sends_at_once_with_one_deduplication_id_are_one_message(fifo):
    sent = await gather(
        fifo.send(b"%d" % i, message_group_id="g", deduplication_id="d") for i in range(50)
    )
    assert len({one.id for one in sent}) == 1
    assert [one.is_duplicate for one in sent].count(False) == 1
    assert (await fifo.stats()).visible == 1


async def test_300_deletes_at_once_each_say_what_they_did(backend, queue):
    await queue.send_many([b"%d" % i for i in range(150)])
    got = await everything(queue)

    results = await gather(one.delete() for one in got + got)

    assert results.count(True) == 150
    assert results.count(False) == 150
    found = await queue.stats()
    assert found.messages == 0
    if backend.has_totals:
        assert found.deleted == 150


async def test_each_bad_delete_gets_its_own_error_and_the_others_succeed(fifo, clock):
    for i in range(20):
        await fifo.send(b"%d" % i, message_group_id=f"g{i}")
    stale = await fifo.receive(10, visibility_timeout=5)
    clock.move(5)
    held = {one.id for one in stale}
    fresh = [one for one in await everything(fifo) if one.id not in held]

    results = await gather(
        [fifo.delete(one) for one in stale]
        + [fifo.delete(f"nonsense {i}") for i in range(5)]
        + [fifo.delete(one) for one in fresh]
    )

    assert [type(one) for one in results[:10]] == [StaleReceipt] * 10
    assert [type(one) for one in results[10:15]] == [InvalidReceipt] * 5
    assert "nonsense 3" in str(results[13])
    assert results[15:] == [True] * 10


async def test_changes_of_visibility_at_once_each_get_their_own_time(queue, clock):
    await queue.send_many([b"%d" % i for i in range(40)])
    got = await everything(queue)

    results = await gather(
        one.change_visibility(i if i != 5 else 50_000) for i, one in enumerate(got)
    )

    assert isinstance(results.pop(5), InvalidParameter)
    seconds = [round((one - clock.now()).total_seconds(), 1) for one in results]
    assert seconds == [i for i in range(40) if i != 5]


async def test_a_cancelled_send_does_not_take_the_others_with_it(backend, queue):
    if backend.colour != "async":
        pytest.skip("a thread can not be cancelled")
    tasks = [asyncio.create_task(queue.send(b"%d" % i)) for i in range(10)]
    await asyncio.sleep(0)
    tasks[4].cancel()
    results = await gather(tasks)
    assert isinstance(results[4], asyncio.CancelledError)
    assert len({one.id for i, one in enumerate(results) if i != 4}) == 9
