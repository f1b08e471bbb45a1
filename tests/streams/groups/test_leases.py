"""Leases: who has which shard. The scripts alone, with a stream that is only a list of shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from rmq.core.keys import GroupKeys
from rmq.errors import GroupDoesNotExist, GroupInUse, StaleConfig
from rmq.streams.groups import commands
from rmq.streams.groups.checkpoint import BEGINNING, Checkpoint
from rmq.streams.groups.commands import UNBOUNDED, Beat, Note, Outcome, Start

LEASE_MS = 9_000
ALARM_MS = 60_000
NAME = "orders/billing"


class Leases:
    """A group's scripts, called by whoever the test says."""

    def __init__(self, client: Any) -> None:
        self.executor = client._executor
        self.keys = GroupKeys(client.namespace, "orders", "billing")
        self.beats: dict[str, Beat] = {}
        self.incarnation = "1"

    async def open(self, type: str = "TRIM_HORIZON", at: int = 0, initial: int = 0) -> Start:
        return await self.executor.call(
            commands.open_group(self.keys, NAME, self.incarnation, Start(type, at, initial))
        )

    async def sync(
        self,
        shards: Mapping[int, Sequence[int]],
        first: int = 0,
        past: int | None = None,
        position: int = 0,
    ) -> int:
        """Shards with their parents."""
        past = max(shards) + 1 if past is None else past
        rows = [(number, Checkpoint(position), parents) for number, parents in shards.items()]
        return await self.executor.call(
            commands.sync(self.keys, NAME, self.incarnation, first, past, rows)
        )

    async def beat(self, worker: str, most: int = UNBOUNDED) -> list[int]:
        """A heartbeat. The shards that the worker has then."""
        call = commands.heartbeat(
            self.keys,
            NAME,
            self.incarnation,
            worker,
            lease_ms=LEASE_MS,
            most=most,
            alarm_ms=ALARM_MS,
        )
        self.beats[worker] = await self.executor.call(call)
        return sorted(one.number for one in self.beats[worker].held)

    async def beats_of(self, *workers: str) -> list[list[int]]:
        return [await self.beat(one) for one in workers]

    def token(self, worker: str, number: int) -> int:
        """The token that the worker was told last."""
        return next(one.token for one in self.beats[worker].held if one.number == number)

    def wanted(self, worker: str) -> list[int]:
        """What it was asked for."""
        return sorted(one.number for one in self.beats[worker].held if one.is_wanted)

    async def note(
        self,
        worker: str,
        number: int,
        at: Checkpoint | None,
        *,
        token: int | None = None,
        release: bool = False,
    ) -> Outcome:
        token = self.token(worker, number) if token is None else token
        notes = [Note(number, token, at, release)]
        return (await self.executor.call(commands.checkpoint(self.keys, NAME, worker, notes)))[0]

    async def end(self, worker: str, number: int) -> Outcome:
        return await self.note(worker, number, None)

    async def leave(self, worker: str) -> int:
        return await self.executor.call(commands.leave(self.keys, NAME, worker))

    async def forget(self, *there: int) -> int:
        return await self.executor.call(commands.forget(self.keys, NAME, self.incarnation, there))

    async def reset(self, type: str = "TRIM_HORIZON", at: int = 0, initial: int = 0) -> None:
        await self.executor.call(
            commands.reset(self.keys, NAME, self.incarnation, Start(type, at, initial))
        )

    async def delete(self, force: bool = False) -> bool:
        return await self.executor.call(commands.delete(self.keys, NAME, force))

    async def describe(self) -> commands.Described:
        return await self.executor.call(commands.describe(self.keys, NAME))


@pytest.fixture
def leases(client):
    return Leases(client)


@pytest.fixture
async def four(leases):
    """Four shards that nobody has."""
    await leases.open()
    await leases.sync(dict.fromkeys(range(4), ()))
    return leases


# --- sharing ---


async def test_the_first_worker_gets_all_shards(four):
    assert await four.beat("a") == [0, 1, 2, 3]
    assert four.beats["a"].workers == 1


async def test_who_comes_later_asks_for_its_share_at_once(four):
    await four.beat("a")
    assert await four.beat("b") == []
    assert four.beats["b"].again_ms == LEASE_MS / 10, "who waits for shards looks often"
    await four.beat("a")
    assert len(four.wanted("a")) == 2
    for number in four.wanted("a"):
        assert await four.note("a", number, Checkpoint(5), release=True) is Outcome.WANTED
    assert len(await four.beat("b")) == 2
    assert len(await four.beat("a")) == 2
    assert {one.checkpoint for one in four.beats["b"].held} == {Checkpoint(5)}
    assert four.beats["b"].again_ms == LEASE_MS / 3


async def test_nobody_is_asked_where_that_would_only_turn_it_round(leases):
    await leases.open()
    await leases.sync(dict.fromkeys(range(3), ()))
    await leases.beat("a", most=2)
    await leases.beat("b", most=1)
    await leases.beats_of("a", "b")
    assert leases.wanted("a") == leases.wanted("b") == []


async def test_what_is_on_its_way_to_one_may_go_to_another(leases):
    """The third worker takes from what the second was to get, and troubles the owner no more."""
    await leases.open()
    await leases.sync(dict.fromkeys(range(9), ()))
    await leases.beats_of("a", "b", "c")
    await leases.beat("a")
    assert len(leases.wanted("a")) == 6
    for number in leases.wanted("a"):
        await leases.note("a", number, BEGINNING, release=True)
    assert [len(one) for one in await leases.beats_of("a", "b", "c")] == [3, 3, 3]


async def test_and_rather_than_what_its_receiver_has_already(leases):
    """b has two and is about to get two; c takes these, and b is not asked for its own."""
    await leases.open()
    await leases.sync(dict.fromkeys(range(8), ()))
    await leases.beats_of("a", "b", "a")
    for number in leases.wanted("a")[:2]:
        await leases.note("a", number, BEGINNING, release=True)
    await leases.beats_of("b", "c", "b")
    assert len(leases.beats["b"].held) == 2
    assert leases.wanted("b") == []


async def test_shares_come_out_even_whatever_the_numbers_are(leases):
    await leases.open()
    await leases.sync(dict.fromkeys(range(10), ()))
    names = ("a", "b", "c", "d")
    for _ in range(4):
        for name in names:
            await leases.beat(name)
            for number in leases.wanted(name):
                await leases.note(name, number, BEGINNING, release=True)
    counts = sorted([len(one) for one in await leases.beats_of(*names)])
    assert counts == [2, 2, 3, 3]


async def test_a_worker_gets_no_more_than_it_takes_and_others_get_the_rest(leases):
    await leases.open()
    await leases.sync(dict.fromkeys(range(10), ()))
    assert len(await leases.beat("a", most=1)) == 1
    await leases.beat("b", most=0)
    await leases.beat("c", most=0)
    assert len(await leases.beat("b")) == 9
    await leases.beat("c")
    await leases.beat("b")
    assert len(leases.wanted("b")) == 4, "b and c share nine"


async def test_who_is_stopping_is_given_nothing(four):
    assert await four.beat("a", most=0) == []
    assert await four.beat("b") == [0, 1, 2, 3]


async def test_a_shard_that_is_wanted_by_one_who_died_is_kept(four, clock):
    await four.beat("a")
    await four.beat("b")
    clock.move(5)
    await four.beat("a")
    assert len(four.wanted("a")) == 2
    clock.move(5)
    await four.beat("a")
    assert four.wanted("a") == []


async def test_a_shard_that_is_let_go_for_one_who_died_is_free(four, clock):
    await four.beat("a")
    await four.beat("b")
    await four.beat("a")
    number = four.wanted("a")[0]
    clock.move(LEASE_MS / 1000)
    assert await four.note("a", number, Checkpoint(7), release=True) is Outcome.WANTED
    row = (await four.describe()).rows[number]
    assert (row.owner, row.want, row.checkpoint) == (None, None, Checkpoint(7))


# --- dying ---


async def test_what_a_dead_worker_had_is_given_to_others(four, clock):
    await four.beat("a")
    clock.move(LEASE_MS / 1000 - 0.001)
    assert await four.beat("b") == []
    clock.move(0.001)
    assert await four.beat("b") == [0, 1, 2, 3]
    assert four.beats["b"].workers == 1


async def test_a_heartbeat_renews_every_lease(four, clock):
    for _ in range(5):
        clock.move(8)
        assert await four.beat("a") == [0, 1, 2, 3]
    assert (await four.describe()).rows[0].switches == 1


async def test_a_worker_that_was_away_too_long_has_other_tokens_when_it_comes_back(four, clock):
    await four.beat("a")
    before = four.token("a", 0)
    clock.move(10)
    await four.beat("b")
    clock.move(10)
    await four.beat("a")
    assert four.token("a", 0) > four.token("b", 0) > before


async def test_who_leaves_frees_at_once_what_it_has(four):
    await four.beat("a")
    assert await four.leave("a") == 4
    assert await four.beat("b") == [0, 1, 2, 3]
    assert await four.leave("nobody") == 0


async def test_tokens_never_repeat_in_a_group(four, clock):
    seen = []
    for turn in range(5):
        await four.beat(f"w{turn}")
        seen += [one.token for one in four.beats[f"w{turn}"].held]
        clock.move(10)
    assert len(set(seen)) == 20


# --- checkpoints ---


async def test_a_checkpoint_is_where_the_next_owner_begins(four):
    await four.beat("a")
    assert await four.note("a", 2, Checkpoint(10, 3)) is Outcome.NOTED
    await four.leave("a")
    await four.beat("b")
    assert next(one for one in four.beats["b"].held if one.number == 2).checkpoint == (10, 3)


async def test_who_lost_the_lease_notes_nothing(four, clock):
    await four.beat("a")
    clock.move(10)
    await four.beat("b")
    assert await four.note("a", 0, Checkpoint(99)) is Outcome.LOST
    assert await four.note("a", 0, None) is Outcome.LOST
    assert await four.note("a", 0, Checkpoint(99), release=True) is Outcome.LOST
    assert await four.note("b", 0, Checkpoint(1)) is Outcome.NOTED


async def test_nor_does_who_has_it_again_by_an_older_token(four, clock):
    """A part of the worker that did not notice: the lease was away meanwhile."""
    await four.beat("a")
    old = four.token("a", 0)
    clock.move(10)
    await four.beat("b")
    clock.move(10)
    await four.beat("a")
    assert await four.note("a", 0, Checkpoint(99), token=old) is Outcome.LOST
    assert await four.note("a", 0, Checkpoint(9)) is Outcome.NOTED


async def test_nor_does_who_let_it_go(four):
    await four.beat("a")
    await four.note("a", 0, Checkpoint(5), release=True)
    assert await four.note("a", 0, Checkpoint(9)) is Outcome.LOST
    assert await four.note("a", 0, None) is Outcome.LOST
    assert (await four.describe()).rows[0].checkpoint == Checkpoint(5)


async def test_a_checkpoint_does_not_go_backwards(four):
    await four.beat("a")
    await four.note("a", 0, Checkpoint(10, 2))
    for earlier in (Checkpoint(9), Checkpoint(10), Checkpoint(10, 1), BEGINNING):
        assert await four.note("a", 0, earlier) is Outcome.BACKWARDS
    for later in (Checkpoint(10, 2), Checkpoint(10, 3), Checkpoint(11), Checkpoint(100)):
        assert await four.note("a", 0, later) is Outcome.NOTED


async def test_a_position_of_today_is_compared_in_full(four):
    now = 1_790_000_000_123_456
    await four.beat("a")
    assert await four.note("a", 0, Checkpoint(now + 1)) is Outcome.NOTED
    assert await four.note("a", 0, Checkpoint(now)) is Outcome.BACKWARDS
    assert (await four.describe()).rows[0].checkpoint == Checkpoint(now + 1)


async def test_many_are_noted_in_one_call(four):
    await four.beat("a")
    notes = [Note(n, four.token("a", n), Checkpoint(n + 1)) for n in range(4)]
    notes[1] = Note(1, 0, Checkpoint(5))
    found = await four.executor.call(commands.checkpoint(four.keys, NAME, "a", notes))
    assert found == [Outcome.NOTED, Outcome.LOST, Outcome.NOTED, Outcome.NOTED]


async def test_an_owner_change_without_a_checkpoint_is_counted(four, clock):
    """A record that kills whoever reads it shows so."""
    for turn in range(3):
        await four.beat(f"w{turn}")
        clock.move(10)
    assert (await four.describe()).rows[0].switches == 3
    await four.beat("w9")
    await four.note("w9", 0, Checkpoint(1))
    assert (await four.describe()).rows[0].switches == 0


# --- parents and children ---


@pytest.fixture
async def split(leases):
    """Shard 0 was split into 1 and 2, which were merged into 3."""
    await leases.open()
    await leases.sync({0: (), 1: (0,), 2: (0,), 3: (1, 2)})
    return leases


async def test_a_child_has_no_owner_before_its_parent_was_read_to_its_end(split):
    assert await split.beat("a") == [0]
    assert await split.beat("b") == []
    await split.end("a", 0)
    assert await split.beats_of("a", "b") == [[1], [2]]


async def test_nor_before_both_parents_were(split):
    await split.beat("a")
    await split.end("a", 0)
    await split.beat("a")
    await split.end("a", 1)
    assert await split.beat("a") == [2]
    await split.end("a", 2)
    assert await split.beat("a") == [3]


async def test_the_end_can_be_noted_again_after_a_lost_answer(split):
    await split.beat("a")
    assert await split.end("a", 0) is Outcome.NOTED
    assert await split.end("a", 0) is Outcome.NOTED
    assert await split.note("a", 0, Checkpoint(5)) is Outcome.LOST


async def test_a_parent_without_a_lease_is_done_with(leases):
    await leases.open()
    await leases.sync({1: (0,), 2: (0,)}, past=3)
    assert await leases.beat("a") == [1, 2]


async def test_a_shard_that_was_read_to_its_end_is_in_nobodys_share(split):
    await split.beat("a")
    await split.end("a", 0)
    await split.beat("a")
    assert split.beats["a"].next_shard == 4
    assert await split.beat("b") == []
    assert await split.beat("a") == [1, 2]
    assert split.wanted("a") != [], "one of the two is b's"


# --- shards are found ---


async def test_shards_are_given_leases_once(four):
    await four.beat("a")
    await four.note("a", 0, Checkpoint(5))
    assert await four.sync({0: (), 1: ()}) == 4, "nothing was done: the first is 4 by now"
    assert (await four.describe()).rows[0].checkpoint == Checkpoint(5)
    assert await four.sync({4: (0,), 5: (0,)}, first=4) == 6
    assert await four.beat("a") == [0, 1, 2, 3]
    assert four.beats["a"].next_shard == 6


async def test_a_group_is_made_once(leases):
    assert await leases.open("LATEST", initial=3) == Start("LATEST", 0, 3, 0)
    assert await leases.open("AT_TIMESTAMP", 12, 5) == Start("LATEST", 0, 3, 0)


async def test_the_group_of_a_stream_that_was_made_anew_begins_anew(four):
    await four.beat("a")
    before = four.token("a", 0)
    four.incarnation = "2"
    with pytest.raises(StaleConfig):
        await four.beat("a")
    with pytest.raises(StaleConfig):
        await four.sync({0: ()})
    with pytest.raises(StaleConfig):
        await four.forget()
    assert await four.open("LATEST") == Start("LATEST", 0, 0, 0)
    await four.sync({0: ()})
    await four.beat("a")
    assert four.token("a", 0) > before


async def test_finished_leases_are_forgotten_when_shard_and_children_are_through(split):
    await split.beat("a")
    await split.end("a", 0)
    assert await split.forget(1, 2, 3) == 0, "its children have had no owner"
    await split.beat("a")
    assert await split.forget(0, 1, 2, 3) == 0, "the shard is still there"
    assert await split.forget(1, 2, 3) == 1
    assert [row.number for row in (await split.describe()).rows] == [1, 2, 3]
    assert await split.forget(1, 2, 3) == 0
    assert await split.beat("a") == [1, 2]


async def test_a_shard_without_owner_for_too_long_is_told(four, clock):
    await four.beat("a", most=1)
    assert four.beats["a"].alone == {}
    for _ in range(10):
        clock.move(6)
        await four.beat("a", most=1)
    assert four.beats["a"].alone == {1: 60_000, 2: 60_000, 3: 60_000}
    await four.beat("b")
    assert four.beats["b"].alone == {}


async def test_a_shard_that_has_to_wait_for_its_parents_is_not_told(split, clock):
    for _ in range(20):
        await split.beat("a")
        clock.move(6)
    assert split.beats["a"].alone == {}


# --- resetting, deleting ---


async def test_a_reset_takes_every_lease_from_its_owner(four):
    await four.beat("a")
    await four.note("a", 0, Checkpoint(50))
    await four.end("a", 1)
    await four.reset("AT_TIMESTAMP", 20, initial=4)
    assert await four.note("a", 0, Checkpoint(60)) is Outcome.LOST
    assert await four.beat("a") == []
    assert four.beats["a"].next_shard == 0
    assert await four.open() == Start("AT_TIMESTAMP", 20, 4, 0)
    await four.sync(dict.fromkeys(range(4), ()), position=20)
    old = {one.number: one.token for one in four.beats["a"].held}
    assert await four.beat("a") == [0, 1, 2, 3]
    assert all(one.checkpoint == (20, 0) for one in four.beats["a"].held)
    assert all(one.token > old.get(one.number, 0) for one in four.beats["a"].held)


async def test_a_group_is_not_deleted_while_workers_are_at_work(four, clock):
    await four.beat("a")
    with pytest.raises(GroupInUse, match="1 workers"):
        await four.delete()
    clock.move(10)
    assert await four.delete() is True
    assert await four.delete() is False


async def test_what_is_asked_of_a_group_that_is_gone_is_refused(four):
    await four.beat("a")
    assert await four.delete(force=True)
    for ask in (
        four.beat("a"),
        four.note("a", 0, Checkpoint(5)),
        four.sync({0: ()}),
        four.forget(),
        four.reset(),
        four.describe(),
    ):
        with pytest.raises(GroupDoesNotExist, match="orders/billing"):
            await ask


async def test_a_group_that_was_deleted_and_made_again_has_newer_tokens(four, clock):
    await four.beat("a")
    before = four.token("a", 3)
    await four.delete(force=True)
    clock.move(1)
    await four.open()
    await four.sync({3: ()}, past=4)
    await four.beat("a")
    assert four.token("a", 3) > before


async def test_a_thousand_shards_are_shared_by_many(leases):
    await leases.open()
    for first in range(0, 1000, 500):
        await leases.sync(dict.fromkeys(range(first, first + 500), ()), first=first)
    names = [f"w{n}" for n in range(8)]
    for name in names:
        await leases.beat(name, most=0)
    for name in names:
        await leases.beat(name, most=125)
    assert [len(leases.beats[name].held) for name in names] == [125] * 8
