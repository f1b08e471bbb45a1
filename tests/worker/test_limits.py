"""Limits that the fleet shares: rates are exact, and places come back from the dead."""

from __future__ import annotations

import asyncio
import random

import pytest

from rmq.core.keys import LimitKeys
from rmq.errors import InvalidParameter
from rmq.worker.limits import ConcurrencyLimit, Rate, RateLimit
from tests.colours import Sleepers


@pytest.mark.parametrize(
    ("text", "count", "per_ms"),
    [("100/s", 100, 1000), ("5/min", 5, 60_000), ("1/10s", 1, 10_000), ("7 / 2.5 h", 7, 9_000_000)],
)
def test_a_rate_is_read(text, count, per_ms):
    assert Rate.read(text) == Rate(count, per_ms)


@pytest.mark.parametrize("text", ["", "100", "0/s", "-1/s", "1/0s", "1/week", 5])
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(InvalidParameter, match="rate"):
        Rate.read(text)


async def test_a_rate_grants_its_burst_and_then_one_at_each_moment(client, clock):
    limit = RateLimit(client, "api", "3/s")
    assert [(await limit.take()).count for _ in range(4)] == [1, 1, 1, 0]
    refused = await limit.take()
    assert refused.wait.total_seconds() == 0.334
    clock.move(0.333)
    assert (await limit.take()).count == 0
    clock.move(0.001)
    assert (await limit.take()).count == 1
    clock.move(0.333)  # 1.001 tokens came in 667 ms: the rest was not lost
    assert (await limit.take()).count == 1
    clock.move(100)
    assert (await limit.take(3)).count == 3


async def test_a_rate_is_exact_whoever_asks_and_whenever(connect, clock):
    """In all times: no more than burst + rate * time, and no less to whoever always asks."""
    clients = [connect() for _ in range(3)]
    limits = [RateLimit(one, "api", "7/s", burst=5) for one in clients]
    chance, passed, granted = random.Random(1), 0, 0
    for _ in range(150):
        granted += (await chance.choice(limits).take(5, least=1)).count
        assert granted <= 5 + passed * 7 / 1000
        assert granted > 5 + passed * 7 / 1000 - 1
        step = chance.choice([1, 13, 143, 500])
        clock.move(step / 1000)
        passed += step


async def test_all_or_nothing_takes_nothing_where_some_are_missing(client, clock):
    limit = RateLimit(client, "api", "10/s")
    assert (await limit.take(8)).count == 8
    refused = await limit.take(5)
    assert (refused.count, refused.wait.total_seconds()) == (0, 0.3)
    assert (await limit.take(5, least=1)).count == 2


async def test_tokens_that_are_given_back_are_there_again(client, clock):
    limit = RateLimit(client, "api", "10/s")
    await limit.take(10)
    await limit.give_back(4)
    assert (await limit.take(10, least=1)).count == 4
    await limit.give_back(100)
    assert (await limit.take(10, least=1)).count == 10


async def test_a_call_that_is_repeated_takes_and_gives_back_once(client, clock):
    limit = RateLimit(client, "api", "1/h", burst=5)
    call, take, back = client._executor.call, limit._take(3, 1), limit._take(-2, 0)
    for _ in range(3):
        assert (await call(take)).count == 3
    for _ in range(3):
        await call(back)
    assert (await limit.take(5, least=1)).count == 4


async def test_an_older_call_that_comes_late_on_a_lane_does_nothing(client, clock):
    """The ghost of a connection that was given up, when its repeat was answered long since."""
    limit = RateLimit(client, "api", "1/h", burst=5)
    ghost = limit._take(3, 1)
    assert (await client._executor.call(ghost)).count == 3
    assert (await limit.take()).count == 1
    assert (await client._executor.call(ghost)).count == 0
    assert (await limit.take(5, least=1)).count == 1


async def test_each_key_has_a_bucket_of_its_own_and_a_full_one_is_not_kept(client, clock, raw):
    limit = RateLimit(client, "api", "1/s")
    assert (await limit.of("a").take()).count == 1
    assert (await limit.of("a").take()).count == 0
    assert (await limit.of("b").take()).count == 1
    await limit.of("b").give_back(1)
    a, b = (LimitKeys(client.namespace, f"api/{key}").bucket for key in "ab")
    assert set(raw.scan_iter(match=f"{client.namespace}:*")) == {a.encode(), b.encode()}
    assert raw.pttl(a) == -1
    assert 0 < raw.pttl(b) <= 60_000  # for repeats of its last calls
    assert not raw.hexists(b, "level")


async def test_a_bucket_does_not_grow_with_its_calls(client, clock, raw):
    limit = RateLimit(client, "api", "1000/s")
    await asyncio.gather(*(limit.take() for _ in range(5)))
    for _ in range(40):
        await limit.take()
        await limit.give_back(1)
    (bucket,) = raw.scan_iter(match=f"{client.namespace}:*")
    assert raw.hlen(bucket) <= 6  # the level, and a row for each of five at once


async def test_what_a_bucket_knows_of_callers_that_are_gone_is_cleared_away(connect, clock, raw):
    for _ in range(30):
        await RateLimit(connect(), "api", "1000/d").take()
    clock.move(61)
    for _ in range(10):
        limit = RateLimit(connect(), "api", "1000/d")
        await limit.take()
    (bucket,) = raw.scan_iter(match=f"{limit._client.namespace}:*")
    assert raw.hlen(bucket) <= 11 + 10


async def test_whoever_waits_for_a_rate_gets_it_when_it_is_there(client, clock):
    limit = RateLimit(client, "api", "1/min")
    await limit.acquire()
    waiting = asyncio.create_task(limit.acquire())
    while not waiting.done():
        await asyncio.sleep(0.005)
        clock.move(10)


async def test_a_clock_that_steps_back_makes_no_tokens(client, clock):
    limit = RateLimit(client, "api", "1/s")
    await limit.take()
    clock.freeze(clock.now())
    clock._frozen_at -= 10_000
    assert (await limit.take()).count == 0
    clock.move(10.5)
    assert (await limit.take()).count == 0
    clock.move(0.5)
    assert (await limit.take()).count == 1


async def test_a_limit_beyond_what_is_exact_is_refused(client):
    with pytest.raises(InvalidParameter, match="burst"):
        RateLimit(client, "api", "1/d", burst=10**9)
    with pytest.raises(InvalidParameter, match="want"):
        await RateLimit(client, "api", "5/s").take(6)


async def test_no_more_hold_a_place_than_there_are(connect, clock):
    one, other = (ConcurrencyLimit(connect(), "db", 3) for _ in range(2))
    assert (await one.hold("a", "b")).holders == ("a", "b")
    assert (await other.hold("c", "d")).holders == ("c",)
    assert (await one.hold("a")).holders == ("a",)
    assert await one.release("a", "nobody") == 1
    assert (await other.hold("d", "e")).holders == ("d",)


async def test_a_place_of_the_dead_is_free_when_its_lease_ends(client, clock):
    limit = ConcurrencyLimit(client, "db", 2, lease=30)
    await limit.hold("dead", "alive")
    clock.move(20)
    await limit.hold("alive")
    refused = await limit.hold("next")
    assert (refused.holders, refused.wait.total_seconds()) == ((), 10)
    clock.move(10)
    assert (await limit.hold("next", "last")).holders == ("next",)


async def test_a_renewal_keeps_a_place_where_there_are_too_many(client, clock):
    """The limit was lowered while three were at work."""
    await ConcurrencyLimit(client, "db", 3).hold("a", "b", "c")
    lower = ConcurrencyLimit(client, "db", 1)
    assert (await lower.hold("a", "b", "c", "d")).holders == ("a", "b", "c")


async def test_who_waits_for_a_place_sleeps_until_one_is_given_back(client, clock):
    limit = ConcurrencyLimit(client, "db", 1)
    sleepers = Sleepers(client)
    order = []

    async def work(name):
        async with limit.place():
            order.append(name)

    async with limit.place():
        waiting = [asyncio.create_task(work(name)) for name in "ab"]
        await sleepers.reach(2)
        assert order == []
    await asyncio.gather(*waiting)
    assert sorted(order) == ["a", "b"]
    assert (await limit.hold("x")).holders == ("x",)
