"""The history of a group that is well has no problem; and with each bug planted it has one.

So the checker of the long tests, where processes are killed, is known to see what it looks for.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib

import pytest

from rmq.core import script
from rmq.streams.groups import joining, reading
from rmq.streams.groups.checkpoint import Checkpoint
from rmq.streams.groups.order import Order
from tests.colours import until
from tests.streams.groups.consuming import put
from tests.streams.groups.history import Began, Handled, Noted, Put, history_of
from tests.streams.groups.witness import Witness


@pytest.fixture
def backend(servers):
    from tests.conftest import Backend

    return Backend("async", "valkey", servers.url("valkey"))


class Play:
    """Workers of one group that are watched."""

    def __init__(self, stream, connect):
        self.stream = stream
        self.events = []
        self.gates = {}
        self.workers = []
        self.silence = asyncio.Event()
        self._connect = connect

    async def put(self, *texts):
        await put(self.stream, *texts)

    async def hire(self, **options):
        """A worker with a connection of its own."""
        witness = Witness(f"w{len(self.workers)}", self.events.append, self._work)
        stream = self._connect().stream(self.stream.name)
        given = {"start": "TRIM_HORIZON", "lease": 0.3, "grace": 0} | options
        worker = stream.consumer("billing", witness, **given)
        witness.watch(worker)
        self.workers.append(worker)
        return await worker.__aenter__()

    async def _work(self, record):
        gate = self.gates.get(record.data.decode())
        if gate is not None:
            await gate.wait()

    def hold(self, *texts):
        """Records that are not finished before `gates` are opened."""
        self.gates |= {text: asyncio.Event() for text in texts}

    def open(self):
        for gate in self.gates.values():
            gate.set()

    def count(self, kind):
        """How many events there were of a kind."""
        return sum(type(one) is kind for one in self.events)

    def done(self):
        return {one.text for one in self.events if getattr(one, "done", None) is not None}

    async def problems(self, *, all_done=True):
        """What is wrong, once everything was done."""
        puts = [
            Put(one.data.decode(), one.partition_key, one.shard, one.position)
            for shard in await self.stream.shards()
            for one in await self.stream.read(shard.id)
        ]
        if all_done:
            await until(lambda: {one.text for one in puts} <= self.done())
        for worker in self.workers:
            await worker.stop()
        shards = (await self.stream.info()).shards
        parents = {one.number: one.parents for one in shards.values()}
        return history_of([*self.events, *puts], parents).problems()


@pytest.fixture
async def play(stream, connect):
    made = Play(stream, connect)
    yield made
    made.open()
    made.silence.set()
    for worker in made.workers:
        worker._task.cancel()
    await asyncio.wait([worker._task for worker in made.workers])


def planted(monkeypatch, name, *changes):
    """A script that says something else."""
    load = script.load
    real = load(name)
    source, bare = real.source, real.bare
    for old, new in changes:
        assert old in source, old
        source, bare = source.replace(old, new), bare.replace(old, new)
    wrong = dataclasses.replace(
        real,
        source=source,
        bare=bare,
        sha=hashlib.sha1(source.encode()).hexdigest(),
        bare_sha=hashlib.sha1(bare.encode()).hexdigest(),
    )
    monkeypatch.setattr(script, "load", lambda one: wrong if one == name else load(one))


planting = pytest.mark.parametrize("is_planted", [False, True], ids=["well", "planted"])


# --- a worker that stands still for so long that others take its shard, and then goes on ---


async def stand_still(play, monkeypatch, clock):
    """The first worker's own watch over its leases is off too."""
    play.hold("a-2")
    await play.put("a-1", "a-2", "a-3")
    first = await play.hire(checkpoint="record")
    await until(lambda: play.count(Noted) == 1)
    turn, is_silent = first._turn, False

    async def silent():
        nonlocal is_silent
        is_silent = True
        await play.silence.wait()
        return await turn()

    first._turn = silent
    first._nudged.set()
    await until(lambda: is_silent)  # a heartbeat that was under way is over
    first._valid_until = float("inf")
    clock.move(1)
    second = await play.hire(checkpoint="record")
    # It handles nothing before the test says so.
    handle, wait = second.handling.handle, asyncio.Event()

    async def late(*args):
        await wait.wait()
        await handle(*args)

    second.handling.handle = late
    await until(lambda: play.count(Began) == 2)
    return wait


@planting
async def test_a_checkpoint_of_who_lost_the_lease_would_be_seen(
    play, monkeypatch, clock, is_planted
):
    if is_planted:
        planted(
            monkeypatch,
            "groups/checkpoint",
            ("row.token == tonumber(ARGV[i + 1])", "true"),
            ("row.owner == me", "true"),
        )
    # The second is not there yet when the first goes on.
    wait = await stand_still(play, monkeypatch, clock)
    first, _ = play.workers
    play.open()
    await until(lambda: first._readings == {} or play.count(Noted) > 1)
    wait.set()
    play.silence.set()
    problems = await play.problems()
    assert bool(problems) == is_planted, problems


@planting
async def test_a_child_before_its_parent_would_be_seen(play, monkeypatch, is_planted):
    if is_planted:
        ready = "ready = ready and (not position[parent] or position[parent] == 'E')"
        planted(monkeypatch, "groups/heartbeat", (ready, "ready = ready or not parent"))
    play.hold("a-1")
    await play.put("a-1")
    await play.hire()
    await until(lambda: play.events)
    await play.stream.split("shardId-000000000000")
    await play.put(*(f"k{n}-2" for n in range(4)))
    other = await play.hire()
    if is_planted:
        await until(lambda: len(play.done()) == 4)
    else:
        await until(lambda: other._info and other._info.next_shard == 3 and other._valid_until)
    play.open()
    problems = await play.problems()
    assert any("begun before a-1 of shard 0" in one for one in problems) == is_planted, problems


@planting
async def test_a_checkpoint_beyond_what_is_not_done_would_be_seen(play, monkeypatch, is_planted):
    if is_planted:
        done = Order.done

        def wrong(self, items):
            self.checkpoint = max(self.checkpoint, *(one.past for one in items))
            done(self, items)
            return True

        monkeypatch.setattr(Order, "done", wrong)
    play.hold("a-1")
    await play.put("a-1", "b-1", "c-1")
    await play.hire(concurrency=2, checkpoint="record")
    await until(lambda: len(play.done()) == 2)
    if is_planted:
        await until(lambda: play.count(Noted))
    play.open()
    problems = await play.problems()
    assert any("a-1 was not done" in one for one in problems) == is_planted, problems


@planting
async def test_a_hand_over_that_claims_what_is_in_hand_would_be_seen(play, monkeypatch, is_planted):
    """The record that is broken off is lost: nobody does it again."""
    if is_planted:
        words = reading.Reading._last_words

        async def wrong(self):
            self._mark = Checkpoint(self.position)
            await words(self)

        monkeypatch.setattr(reading.Reading, "_last_words", wrong)
    play.hold("a-1")
    await play.put("a-1", "a-2")
    first = await play.hire()
    await until(lambda: play.events and first._readings)
    await until(lambda: play.count(Handled))
    await first.stop()
    play.open()
    second = await play.hire()
    await until(lambda: second.shards)
    problems = await play.problems(all_done=not is_planted)
    assert any("a-1 was never done" in one for one in problems) == is_planted, problems


@planting
async def test_keys_out_of_order_would_be_seen(play, monkeypatch, is_planted):
    if is_planted:
        add = Order.add

        def wrong(self, record, key, past, size):
            add(self, record, f"{key} {record.position}", past, size)

        monkeypatch.setattr(Order, "add", wrong)
    play.hold("a-1")
    await play.put("a-1", "a-2", "b-1")
    await play.hire(concurrency=3)
    await until(lambda: "b-1" in play.done())
    play.open()
    problems = await play.problems()
    assert any("before a-1 was done" in one for one in problems) == is_planted, problems


@planting
async def test_a_shard_that_is_forgotten_would_be_seen(play, monkeypatch, is_planted):
    if is_planted:
        leases = joining._leases

        def wrong(*args):
            found = yield from leases(*args)
            return [one for one in found if one[0] != 2]

        monkeypatch.setattr(joining, "_leases", wrong)
    worker = await play.hire()
    await until(lambda: worker.shards)
    await play.stream.split("shardId-000000000000")
    await play.put(*(f"k{n}-1" for n in range(8)))
    await until(lambda: play.done())
    problems = await play.problems(all_done=not is_planted)
    assert any("was never done" in one for one in problems) == is_planted, problems


@planting
async def test_a_checkpoint_that_goes_back_would_be_seen(play, monkeypatch, is_planted):
    """A new owner that begins at the beginning."""
    if is_planted:
        free = "row.owner, row.want, row.since, count = '-', '-', now_ms, count + 1"
        planted(monkeypatch, "groups/leave", (free, free + " row.position = '0'"))
    await play.put("a-1", "a-2")
    first = await play.hire()
    await until(lambda: len(play.done()) == 2)
    await until(lambda: play.count(Noted))
    first._task.cancel()
    await asyncio.wait({first._task})
    second = await play.hire()
    await until(lambda: second.shards)
    problems = await play.problems()
    assert any("began at (0, 0), noted was" in one for one in problems) == is_planted, problems
