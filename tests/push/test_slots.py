"""Slots: how many messages are under way, and who is next."""

import asyncio

import pytest

from rmq.push.once import Once
from rmq.push.slots import Slots


async def test_up_to_so_many_are_granted_and_the_rest_waits_in_turn():
    slots, order = Slots(5), []
    assert await slots.take(3) == 3
    assert await slots.take(9) == 2

    async def take(name, want):
        order.append((name, await slots.take(want)))

    tasks = [asyncio.create_task(take(name, want)) for name, want in (("a", 2), ("b", 9))]
    await asyncio.sleep(0)
    assert order == []
    slots.give(1)
    await asyncio.sleep(0)
    slots.give(4)
    await asyncio.gather(*tasks)

    # The first in line takes what there is; it does not wait for all that it wants.
    assert order == [("a", 1), ("b", 4)]
    assert slots.free == 0


async def test_whoever_comes_later_does_not_overtake():
    slots = Slots(1)
    await slots.take(1)
    first = asyncio.create_task(slots.take(1))
    await asyncio.sleep(0)
    slots.give(1)
    second = asyncio.create_task(slots.take(1))
    await asyncio.sleep(0)

    assert first.done()
    assert not second.done()
    second.cancel()


async def test_slots_granted_to_somebody_who_left_are_given_back():
    slots = Slots(1)
    await slots.take(1)
    task = asyncio.create_task(slots.take(1))
    await asyncio.sleep(0)
    slots.give(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert slots.free == 1


async def test_closed_slots_grant_nothing_and_keep_nobody_waiting():
    slots = Slots(1)
    await slots.take(1)
    task = asyncio.create_task(slots.take(1))
    await asyncio.sleep(0)
    slots.close()

    assert await task == 0
    assert await slots.take(1) == 0
    slots.open()
    slots.give(1)
    assert await slots.take(1) == 1


async def test_what_many_ask_for_is_made_once_and_an_error_is_not_kept():
    made, once = [], Once(2)

    async def make():
        made.append(1)
        await asyncio.sleep(0)
        if len(made) == 1:
            raise ValueError("not yet")
        return len(made)

    first = await asyncio.gather(*(once.get("a", make) for _ in range(9)), return_exceptions=True)
    assert {type(one) for one in first} == {ValueError}
    assert await asyncio.gather(*(once.get("a", make) for _ in range(9))) == [2] * 9
    assert len(made) == 2


async def test_only_the_last_few_are_kept():
    once, made = Once(2), []

    async def make():
        made.append(1)
        return len(made)

    for key in ("a", "b", "c", "c", "a"):
        await once.get(key, make)
    assert len(made) == 4
