"""Lines: on a cluster the puts to one shard do not wait for those to another."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from rmq import Record
from rmq.streams.lines import Lines
from rmq.streams.sequence import shard_id
from tests.colours import bare, until
from tests.streams.reading import by_shard

LAST = (1 << 128) - 1
MIDDLE = 1 << 127
LOW, HIGH = Record("x", "a", 0), Record("x", "a", LAST)


@dataclass(eq=False)
class Line:
    is_idle: bool = True


@pytest.fixture
def backend(request, servers):
    """What lines there are is decided without Redis."""
    from tests.conftest import Backend

    return Backend("async", "memory", servers.url("memory"))


@pytest.fixture
async def lines(client, wide):
    await wide.info()
    return Lines(bare(client)._streams, wide.name, Line, many=True)


async def test_on_one_server_all_wait_for_each_other(client, wide):
    await wide.info()
    lines = Lines(bare(client)._streams, wide.name, Line, many=False)
    assert lines.line_of(LOW) is lines.line_of(HIGH)


async def test_on_a_cluster_each_shard_has_its_own(lines):
    assert lines.line_of(LOW) is lines.line_of(LOW)
    assert lines.line_of(LOW) is not lines.line_of(HIGH)


async def test_what_is_refused_has_one_too_and_holds_up_nobody(lines):
    low, wrong = lines.line_of(LOW), lines.line_of(Record("x", ""))
    wrong.is_idle = False
    assert lines.line_of(Record("x", "a", -1)) is wrong is not low
    assert lines.line_of(LOW) is low


async def test_while_the_shards_are_not_known_all_wait_for_each_other(client, wide):
    registry = bare(client)._streams
    registry.clear()
    lines = Lines(registry, wide.name, Line, many=True)
    first = lines.line_of(LOW)
    assert first is lines.line_of(HIGH)
    first.is_idle = False
    await wide.info()
    assert lines.line_of(LOW) is first  # a key does not overtake itself
    first.is_idle = True
    assert lines.line_of(LOW) is not first
    registry.forget(wide.name)
    assert lines.line_of(LOW) is not lines.line_of(HIGH)  # a look again changes nothing


async def test_children_wait_for_what_their_parent_still_has(lines, wide):
    low, high = lines.line_of(LOW), lines.line_of(HIGH)
    low.is_idle = high.is_idle = False
    await wide.split(shard_id(0))
    await wide.split(shard_id(4))
    assert lines.line_of(LOW) is low  # the child's child too
    assert lines.line_of(HIGH) is high
    low.is_idle = True
    child = lines.line_of(LOW)
    assert child is not low
    low.is_idle = False
    assert lines.line_of(LOW) is child
    low.is_idle = True
    assert len(lines._lines) < 4


async def test_of_two_parents_it_is_the_one_that_had_the_key(lines, wide):
    first, second = lines.line_of(LOW), lines.line_of(Record("x", "a", MIDDLE - 1))
    first.is_idle = second.is_idle = False
    await wide.merge(shard_id(0), shard_id(1))
    assert lines.line_of(LOW) is first
    assert lines.line_of(Record("x", "a", MIDDLE - 1)) is second


async def test_a_stream_made_anew_has_new_lines(client, lines, wide):
    low = lines.line_of(LOW)
    low.is_idle = False
    await client.delete_stream(wide.name)
    again = await client.create_stream(wide.name, 4)
    await again.info()
    assert lines.line_of(LOW) is not low


async def test_puts_to_a_shard_that_is_away_hold_up_no_others(client, wide):
    executor = bare(client)._executor
    once, waiting = executor._once, asyncio.Event()

    async def away(args):
        if any(f"{wide.name}/0}}" in str(one) for one in args):
            await waiting.wait()
        return await once(args)

    stream = bare(wide)
    stream._puts = Lines(stream._registry, wide.name, stream._puts._make, many=True)
    await wide.info()
    executor._once = away
    stuck = [asyncio.create_task(wide.put(str(n), "a", explicit_hash_key=0)) for n in range(3)]
    await until(lambda: not stream._puts.line_of(LOW).is_idle)
    await asyncio.gather(*(wide.put(str(n), "a", explicit_hash_key=LAST) for n in range(3)))
    assert not any(one.done() for one in stuck)
    waiting.set()
    await asyncio.gather(*stuck)
    found = await by_shard(wide)
    assert found[shard_id(0)] == found[shard_id(3)] == ["0", "1", "2"]


async def test_a_key_keeps_its_order_while_its_shard_is_split(connect, client, wide):
    """Tasks put without waiting for each other, and half of them meet the children's lines."""
    stream = bare(wide)
    stream._puts = Lines(stream._registry, wide.name, stream._puts._make, many=True)
    await wide.info()
    dying = connect()
    resharding = dying.stream(wide.name).split(shard_id(0))
    tasks = [asyncio.create_task(wide.put(str(n), "a", explicit_hash_key=0)) for n in range(50)]
    await resharding
    for n in range(50, 200):
        tasks.append(asyncio.create_task(wide.put(str(n), "a", explicit_hash_key=0)))
        if n % 10 == 0:
            await asyncio.sleep(0)
    puts = await asyncio.gather(*tasks)
    numbers = [one.sequence_number for one in puts]
    assert numbers == sorted(numbers)
    assert puts[-1].shard_id == shard_id(4)
