"""The executor for who makes many calls at a time: each call has its own answer, and few are
written by themselves."""

from __future__ import annotations

import asyncio

import pytest

from rmq.core import script
from rmq.core.executor import TogetherExecutor
from rmq.errors import ServerError

pytestmark = pytest.mark.parametrize("backend", ["async-valkey", "async-cluster"], indirect=True)


@pytest.fixture
async def together(client):
    made = TogetherExecutor(client._executor)
    yield made
    await made.close()


def append(namespace, number, text):
    """A call on a slot of its own. Its answer is how long the value is then."""
    return script.command("APPEND", "a value", int, f"{namespace}:{{{number}}}:value", text)


async def test_calls_that_are_made_at_the_same_time_have_their_own_answers(
    backend, together, namespace
):
    writes = []
    inner = together._several

    async def several(calls):
        writes.append(len(calls))
        return await inner(calls)

    together._several = several
    calls = [append(namespace, number, "x" * number) for number in range(1, 50)]
    assert await asyncio.gather(*map(together.call, calls)) == list(range(1, 50))
    assert writes == ([49] if backend.place == "valkey" else [])


async def test_an_error_is_that_of_the_call_that_met_it(together, namespace):
    wrong = script.command("LPUSH", "a value", int, f"{namespace}:{{2}}:value", "x")
    await together.call(append(namespace, 2, "text"))
    answers = await asyncio.gather(
        together.call(append(namespace, 1, "x")),
        together.call(wrong),
        together.call(append(namespace, 2, "x")),
        return_exceptions=True,
    )
    assert (answers[0], answers[2]) == (1, 5)
    assert isinstance(answers[1], ServerError)


async def test_who_is_cancelled_takes_nobody_along(together, namespace):
    calls = [asyncio.ensure_future(together.call(append(namespace, n, "x"))) for n in range(10)]
    await asyncio.sleep(0)
    calls[3].cancel()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [one for one in answers if one != 1] == [answers[3]]
    assert isinstance(answers[3], asyncio.CancelledError)
