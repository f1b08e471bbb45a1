"""Intervals: how soon a queue may be purged again, and the name of a deleted one used again.

Amazon SQS asks for 60 seconds each. Here they are limits that nobody has unless he asks for them.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from rmq import Limits
from rmq.errors import PurgeInProgress, QueueDeletedRecently
from rmq.queues import administration
from tests.colours import ByHand, bare

MINUTE = timedelta(seconds=60)


@pytest.fixture
def client(connect):
    return connect(limits=Limits.aws(min_purge_interval=MINUTE, name_reuse_delay=MINUTE))


@pytest.fixture
def patient(connect):
    """A client of the same namespace with no such limits."""
    return connect()


def test_nobody_has_these_limits_unless_he_asks():
    for limits in (Limits.aws(), Limits.none()):
        assert (limits.min_purge_interval, limits.name_reuse_delay) == (None, None)


# --- purge --------------------------------------------------------------------------------------


async def test_a_second_purge_within_the_interval_is_refused(queue, clock):
    await queue.purge()
    await queue.send(b"kept")
    clock.move(59.5)

    with pytest.raises(PurgeInProgress, match="orders") as caught:
        await queue.purge()

    assert caught.value.queue == "orders"
    assert caught.value.retry_after == timedelta(seconds=0.5)
    assert (await queue.stats()).visible == 1
    clock.move(0.5)
    assert await queue.purge() == 1


async def test_a_refused_purge_does_not_prolong_the_interval(queue, clock):
    await queue.purge()
    clock.move(40)
    with pytest.raises(PurgeInProgress):
        await queue.purge()
    clock.move(20)
    await queue.purge()


async def test_without_the_limit_a_queue_may_be_purged_at_any_time(patient, clock):
    queue = await patient.create_queue("orders")
    for _ in range(3):
        await queue.send(b"x")
        assert await queue.purge() == 1


async def test_the_interval_counts_from_any_clients_purge(queue, patient):
    await patient.queue("orders").purge()
    with pytest.raises(PurgeInProgress):
        await queue.purge()


async def test_each_queue_has_an_interval_of_its_own(client, queue):
    other = await client.create_queue("other")
    await queue.purge()
    await other.purge()


async def test_a_clock_that_was_set_back_makes_no_purge_wait(queue, clock):
    clock.move(86_400)
    await queue.purge()
    clock.freeze(clock.now() - timedelta(days=1))
    await queue.purge()


async def test_a_purge_repeated_after_a_lost_answer_is_answered_as_the_first_was(client, queue):
    await queue.send_many([b"a", b"b"])
    inner, info = bare(client), await queue.info()
    call = administration.purge(inner._registry.keys("orders"), info, MINUTE, "abcd")

    def twice():
        first = yield call
        second = yield call
        return first, second

    assert await ByHand(client, twice()).finish() == (2, 2)


# --- delete and create --------------------------------------------------------------------------


async def test_the_name_of_a_deleted_queue_is_not_free_at_once(client, queue, clock):
    await queue.delete_queue()
    clock.move(59.5)

    with pytest.raises(QueueDeletedRecently, match="orders") as caught:
        await client.create_queue("orders")

    assert caught.value.queue == "orders"
    assert caught.value.retry_after == timedelta(seconds=0.5)
    assert list(await client.list_queues()) == []
    clock.move(0.5)
    await client.create_queue("orders")
    await client.create_queue("orders")


async def test_a_tombstone_outlives_the_queue_and_not_itself(client, queue, raw, namespace):
    await queue.send(b"x")
    await queue.delete_queue()
    key = f"{namespace}:{{q:orders}}:tombstone".encode()
    assert list(raw.scan_iter(f"{namespace}:*")) == [key]
    assert 0 < raw.pttl(key) <= 60_000


async def test_a_tombstone_goes_when_the_name_is_used_again(client, queue, clock, raw, namespace):
    await queue.delete_queue()
    clock.move(60)
    await client.create_queue("orders")
    assert raw.exists(f"{namespace}:{{q:orders}}:tombstone") == 0


async def test_a_tombstone_expires_in_real_time(connect):
    delay = timedelta(seconds=0.1)
    client = connect(limits=Limits.aws(name_reuse_delay=delay))
    queue = await client.create_queue("orders")
    await queue.delete_queue()
    await asyncio.sleep(0.3)
    await client.create_queue("orders")


async def test_without_the_limit_a_delete_leaves_nothing_and_a_create_asks_nothing(
    client, patient, raw, namespace
):
    await (await patient.create_queue("orders")).delete_queue()
    assert list(raw.scan_iter(f"{namespace}:*")) == []
    queue = await client.create_queue("orders")
    await queue.delete_queue()
    await patient.create_queue("orders")


async def test_other_names_are_free(client, queue):
    await queue.delete_queue()
    await client.create_queue("order")
    await client.create_queue("orders.fifo")


async def test_a_clock_that_was_set_back_makes_no_name_wait(client, queue, clock):
    clock.move(86_400)
    await queue.delete_queue()
    clock.freeze(clock.now() - timedelta(days=1))
    await client.create_queue("orders")


async def test_limits_of_nothing_ask_nothing(connect, raw, namespace):
    none = timedelta(0)
    client = connect(limits=Limits.aws(min_purge_interval=none, name_reuse_delay=none))
    queue = await client.create_queue("orders")
    await queue.purge()
    await queue.purge()
    await queue.delete_queue()
    assert list(raw.scan_iter(f"{namespace}:*")) == []
