"""Waiting for what ends soon, and no longer: by whoever closes something."""

from __future__ import annotations

import asyncio
import time

import pytest

from rmq.core.waiting import end, settled, told


async def test_a_loop_that_was_held_up_has_not_waited_in_vain():
    """What was answered meanwhile takes some turns of the loop until it is heard."""

    async def answered():
        time.sleep(0.1)  # noqa: ASYNC251
        for _ in range(5):
            await asyncio.sleep(0)
        return "heard"

    task = asyncio.create_task(answered())
    assert await settled([task], 0.05) == set()
    assert task.result() == "heard"


async def test_what_does_not_end_is_left_after_its_time_and_ends_when_it_is_told_often_enough():
    told_to_end = 0

    async def stubborn():
        nonlocal told_to_end
        while told_to_end < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                told_to_end += 1

    task = asyncio.create_task(stubborn())
    assert await settled([task], 0.01) == {task}
    await end([task], 0.001)
    assert told_to_end == 3
    assert task.done()


async def test_a_last_word_is_given_its_time_and_says_why_it_failed():
    said = []

    async def work(seconds, error=None):
        await asyncio.sleep(seconds)
        said.append(seconds)
        if error:
            raise error

    await told(work(0), 20)
    await told(work(3600), 0.01)
    with pytest.raises(ValueError, match="no"):
        await told(work(0, ValueError("no")), 20)
    assert said == [0, 0]
