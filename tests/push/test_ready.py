"""The list of what is ready to push: claims of dispatchers, and marks of publishers."""

import pytest

from rmq.core.keys import PushKeys
from rmq.topics import ready
from rmq.topics.ready import CLAIM_MS, OFFERED, Work

ONE, OTHER = Work("one", "orders"), Work("other", "orders")


@pytest.fixture
def keys(namespace):
    return PushKeys(namespace)


@pytest.fixture
def do(client):
    return client._executor.call


async def test_what_is_marked_is_claimed_by_one(do, keys):
    await do(ready.mark(keys, [ONE, OTHER]))

    got = await do(ready.claim(keys, 10, 0))
    assert {one.work for one in got.found} == {ONE, OTHER}
    assert got.sleep_ms == CLAIM_MS
    assert (await do(ready.claim(keys, 10, 0))).found == []


async def test_a_claim_that_nobody_renews_runs_out(do, keys, clock):
    await do(ready.mark(keys, [ONE]))
    await do(ready.claim(keys, 10, 0))
    clock.move(CLAIM_MS / 1000)

    (again,) = (await do(ready.claim(keys, 10, 0))).found
    assert again.work == ONE


async def test_a_claim_is_renewed_but_not_over_a_newer_mark(do, keys, clock):
    await do(ready.mark(keys, [ONE, OTHER]))
    held = (await do(ready.claim(keys, 10, 0))).found
    clock.move(20)
    await do(ready.mark(keys, [OTHER]))

    got = await do(ready.claim(keys, 10, 0, held))

    assert [one.work for one in got.found] == [OTHER]
    clock.move(20)
    assert (await do(ready.claim(keys, 10, 0))).found == []


async def test_an_end_says_when_to_look_again(do, keys, clock):
    await do(ready.mark(keys, [ONE]))
    (claimed,) = (await do(ready.claim(keys, 10, 0))).found
    await do(ready.done(keys, claimed, clock.now_ms() + 5_000))

    assert (await do(ready.claim(keys, 10, 0))).sleep_ms == 5_000
    clock.move(5)
    assert len((await do(ready.claim(keys, 10, 0))).found) == 1


async def test_a_mark_over_a_claim_outlives_its_end(do, keys):
    await do(ready.mark(keys, [ONE]))
    (claimed,) = (await do(ready.claim(keys, 10, 0))).found
    await do(ready.mark(keys, [ONE]))
    await do(ready.done(keys, claimed))

    assert len((await do(ready.claim(keys, 10, 0))).found) == 1


async def test_an_end_of_a_claim_that_is_another_ones_by_now_is_not_forgotten(do, keys, clock):
    """What was put off until then is known to nobody else."""
    await do(ready.mark(keys, [ONE]))
    (ours,) = (await do(ready.claim(keys, 10, 0))).found
    await do(ready.mark(keys, [ONE]))
    clock.move(1)
    (theirs,) = (await do(ready.claim(keys, 10, 0))).found
    assert theirs.until_ms != ours.until_ms

    await do(ready.done(keys, ours, clock.now_ms() + 5_000))
    await do(ready.done(keys, theirs))

    clock.move(5)
    assert len((await do(ready.claim(keys, 10, 0))).found) == 1


async def test_an_end_of_a_claim_that_ran_out_ends_nobody_elses(do, keys, clock):
    await do(ready.mark(keys, [ONE]))
    (ours,) = (await do(ready.claim(keys, 10, 0))).found
    clock.move(CLAIM_MS / 1000)
    (theirs,) = (await do(ready.claim(keys, 10, 0))).found
    await do(ready.done(keys, ours))

    clock.move(CLAIM_MS / 1000)
    assert [one.work for one in (await do(ready.claim(keys, 10, 0))).found] == [theirs.work]


async def test_what_is_offered_is_left_to_others(do, keys):
    await do(ready.mark(keys, [ONE, OTHER]))

    got = await do(ready.claim(keys, 10, 0, offered=[ONE]))
    assert [one.work for one in got.found] == [OTHER]
    assert got.sleep_ms == OFFERED

    assert [one.work for one in (await do(ready.claim(keys, 10, 0))).found] == [ONE]


async def test_more_than_asked_for_is_said(do, keys):
    works = [Work(f"{number}", "orders") for number in range(5)]
    await do(ready.mark(keys, works))

    got = await do(ready.claim(keys, 3, 0))
    assert (len(got.found), got.sleep_ms) == (3, 0)
    got = await do(ready.claim(keys, 3, 0))
    assert (len(got.found), got.sleep_ms) == (2, CLAIM_MS)
    assert (await do(ready.claim(keys, 3, 0))).sleep_ms == CLAIM_MS


async def test_with_nothing_marked_there_is_nothing_to_wait_for(do, keys):
    got = await do(ready.claim(keys, 10, 0))

    assert (got.found, got.sleep_ms) == ([], -1)
