"""Fair queues: message groups on a standard queue. The next message is the oldest one of the group
that has the fewest in flight, so that nobody waits for a noisy neighbour."""

from __future__ import annotations

import asyncio

import pytest

import rmq
from rmq import Limits, Outgoing
from rmq.core.codec import Header, pack
from rmq.core.keys import QueueKeys
from tests.colours import Sleepers, in_thread
from tests.conftest import on_one_server
from tests.properties.index import check_index

DEEP = 50_000


def bodies(messages):
    return [one.text for one in messages]


async def send(queue, text, **options):
    """`"a1 a2 - b1"`: to the group named by the letter; what begins with a dash has none."""
    messages = [
        Outgoing(word, message_group_id=None if word[0] == "-" else word[0], **options)
        for word in text.split()
    ]
    for one in await queue.send_many(messages):
        assert not isinstance(one, Exception)


async def everything(queue, step=10):
    got = []
    while batch := await queue.receive(step):
        got += batch
    return got


@pytest.fixture
def index(backend, namespace, raw):
    """Looks whether a queue's index is what its log and its leases say."""
    if backend.colour == "boto3":
        return lambda name="orders": asyncio.sleep(0)

    async def check(name="orders"):
        await in_thread(check_index, raw, QueueKeys(namespace, name))

    return check


# --- whose turn it is ---


async def test_a_quiet_group_is_served_before_the_backlog_of_a_noisy_one(queue):
    await send(queue, " ".join(f"n{i}" for i in range(50)))
    assert len(await queue.receive(10)) == 10
    await send(queue, "q1")

    assert bodies(await queue.receive(2)) == ["q1", "n10"]


async def test_groups_take_turns_within_one_receive(queue, index):
    await send(queue, "a1 a2 a3 a4 b1 b2 c1")
    assert bodies(await queue.receive(10)) == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]
    await index()


async def test_groups_take_turns_over_receives(queue, index):
    await send(queue, "a1 a2 a3 a4 b1 b2 c1")
    got = [bodies(await queue.receive()) for _ in range(7)]
    assert got == [["a1"], ["b1"], ["c1"], ["a2"], ["b2"], ["a3"], ["a4"]]
    await index()


async def test_among_groups_with_as_many_in_flight_the_oldest_message_is_next(queue):
    await send(queue, "c1 a1 b1 a2 b2 c2")
    assert bodies(await queue.receive(6)) == ["c1", "a1", "b1", "a2", "b2", "c2"]


async def test_a_noisy_group_alone_is_served_fully(queue, index):
    expected = [f"n{i}" for i in range(35)]
    await send(queue, " ".join(expected))
    assert bodies(await everything(queue)) == expected
    await index()


async def test_messages_of_one_group_go_to_several_consumers_at_a_time(queue):
    """Unlike on a FIFO queue a group is not locked."""
    await send(queue, "a1 a2")
    assert bodies(await queue.receive()) == ["a1"]
    assert bodies(await queue.receive()) == ["a2"]


async def test_the_same_body_twice_in_a_group_is_two_messages(queue):
    await send(queue, "a1 a1")
    assert bodies(await queue.receive(10)) == ["a1", "a1"]


async def test_a_message_has_its_group_when_received_and_when_looked_at(queue):
    await send(queue, "a1 -1")
    assert [one.message_group_id for one in await queue.peek()] == ["a", None]
    assert [one.message_group_id for one in await queue.receive(10)] == ["a", None]


async def test_a_group_goes_with_attributes(queue):
    await queue.send("x", message_group_id="a", attributes={"weight": 7})
    (got,) = await queue.receive()
    assert (got.message_group_id, got.attributes["weight"].value) == ("a", "7")


async def test_a_group_may_have_any_name_where_the_limits_are_lifted(connect, backend, index):
    backend.beyond_aws("limits")
    queue = await connect(limits=Limits.none()).create_queue("orders")
    names = ["0 5", "ü\n☃", " ", "a" * 1000]
    for _ in range(2):
        await queue.send_many([Outgoing(b"x", message_group_id=name) for name in names])
    got = await queue.receive(8)
    assert [one.message_group_id for one in got] == names * 2
    await index()


@pytest.mark.parametrize("count", [1, 7, 40])
async def test_many_groups_with_many_messages_are_served_evenly(queue, count, index):
    names = [f"tenant-{i}" for i in range(count)]
    await queue.send_many(
        [Outgoing(b"x", message_group_id=name) for name in names for _ in range(3)]
    )
    got = [one.message_group_id for one in await everything(queue)]
    assert [sorted(got[i : i + count]) for i in range(0, 3 * count, count)] == [sorted(names)] * 3
    await index()


async def test_a_receive_of_hundreds_takes_turns_as_well(connect, backend, index):
    backend.beyond_aws("more than 10 messages in a receive")
    queue = await connect(limits=Limits.aws(max_receive=1000)).create_queue("orders")
    await queue.send_many([Outgoing(b"n", message_group_id="n") for _ in range(500)])
    await queue.send_many([Outgoing(b"q", message_group_id="q") for _ in range(100)])
    got = bodies(await queue.receive(400))
    assert got == ["n", "q"] * 100 + ["n"] * 200
    await index()


# --- messages without a group ---


async def test_messages_without_a_group_are_served_by_age(queue, index):
    await send(queue, "a1 -1 b1 -2 c1 -3")
    assert bodies(await queue.receive(10)) == ["a1", "-1", "b1", "-2", "c1", "-3"]
    await index()


async def test_messages_without_a_group_are_nobodys_noise(queue, index):
    """However many of them are in flight: they do not wait for a group that has some as well."""
    await send(queue, "-1 -2 -3 a1 a2 -4")
    assert bodies(await queue.receive(4)) == ["-1", "-2", "-3", "a1"]
    assert bodies(await queue.receive(2)) == ["-4", "a2"]
    await index()


async def test_what_was_sent_before_the_first_group_comes_in_its_turn(queue, index):
    await send(queue, "-1 -2 -3 -4")
    assert bodies(await queue.receive()) == ["-1"]
    await send(queue, "a1 a2")
    await send(queue, "-5")
    await index()
    assert bodies(await queue.receive(2)) == ["-2", "-3"]
    await index()
    assert bodies(await queue.receive(10)) == ["-4", "a1", "-5", "a2"]
    await index()


async def test_leases_from_before_the_first_group_end_as_ever(queue, clock, index):
    await send(queue, "-1 -2")
    assert len(await queue.receive(2)) == 2
    await send(queue, "a1")
    clock.move(31)
    got = await queue.receive(10)
    assert [(one.text, one.receive_count) for one in got] == [("-1", 2), ("-2", 2), ("a1", 1)]
    await index()


async def test_a_delay_from_before_the_first_group_ends_as_ever(queue, clock, index):
    await queue.send("late", delay=10)
    await send(queue, "-1 a1")
    assert bodies(await queue.receive(10)) == ["-1", "a1"]
    clock.move(10)
    assert bodies(await queue.receive(10)) == ["late"]
    await index()


async def test_a_queue_that_ran_empty_is_as_one_that_never_had_groups(
    queue, backend, namespace, raw
):
    backend.beyond_aws("what lies in Redis")
    keys = QueueKeys(namespace, "orders")
    await send(queue, "a1 b1 -1")
    assert await in_thread(raw.exists, keys.order)
    for one in await everything(queue):
        await one.delete()

    await send(queue, "-2 -3 -4")

    assert not await in_thread(raw.exists, keys.order)
    assert await in_thread(raw.hget, keys.state, "fair_from") is None
    assert bodies(await queue.receive(10)) == ["-2", "-3", "-4"]


async def test_a_queue_without_groups_has_no_index(queue, backend, namespace, raw):
    backend.beyond_aws("what lies in Redis")
    await send(queue, "-1 -2 -3")
    for one in await queue.receive(2):
        await one.delete()
    keys = QueueKeys(namespace, "orders")
    for key in (keys.order, keys.groups, keys.loads):
        assert not await in_thread(raw.exists, key)


async def test_messages_of_an_earlier_release_keep_their_group(
    queue, backend, namespace, raw, index
):
    """It had the group inside the envelope and no index."""
    backend.beyond_aws("what lies in Redis")
    await send(queue, "-1")
    keys = QueueKeys(namespace, "orders")
    seq = int(await in_thread(raw.hget, keys.state, "seq"))
    for number in (1, 2):
        packed = pack(b"old%d" % number, Header(group_id="a"))
        await in_thread(raw.xadd, keys.log, {"m": packed}, id=str(seq + number))
    await in_thread(raw.hset, keys.state, "seq", seq + 2)

    await send(queue, "a1 b1")

    got = await queue.receive(10)
    assert bodies(got) == ["-1", "old1", "old2", "a1", "b1"]
    assert [one.message_group_id for one in got] == [None, "a", "a", "a", "b"]
    await index()


# --- who has how many in flight ---


async def in_flight(queue, taken="a1 a2", waiting="b1 b2 a3 b3"):
    """Two of group a are received, and more of it and of b wait."""
    await send(queue, taken)
    got = await queue.receive(10)
    await send(queue, waiting)
    return got


async def test_a_deleted_message_counts_no_longer(queue, index):
    first, second = await in_flight(queue)
    await first.delete()
    await second.delete()
    await index()
    assert bodies(await queue.receive(4)) == ["b1", "a3", "b2", "b3"]


async def test_messages_of_a_consumer_that_died_count_no_longer(queue, clock, index):
    """Nobody deletes and nobody gives back: time alone makes the count right."""
    await in_flight(queue)
    clock.move(31)
    got = await queue.receive(10)
    assert bodies(got) == ["a1", "b1", "a2", "b2", "a3", "b3"]
    assert [one.receive_count for one in got] == [2, 1, 2, 1, 1, 1]
    await index()


async def test_messages_of_a_noisy_group_that_come_back_wait_for_the_quiet_ones(
    queue, clock, index
):
    await send(queue, "n1 n2 n3")
    await queue.receive(3, visibility_timeout=10)
    await send(queue, "n4 n5 q1")
    assert bodies(await queue.receive(1)) == ["q1"]
    clock.move(10)
    assert bodies(await queue.receive(1)) == ["n1"]
    await send(queue, "p1 q2")
    assert bodies(await queue.receive(2)) == ["p1", "n2"]
    await index()


async def test_when_a_message_was_first_received_is_known_after_it_came_back(queue, clock, index):
    await send(queue, "a1 a2")
    start = (await queue.receive())[0].first_received_at
    clock.move(31)
    await queue.receive()
    clock.move(31)
    again = {one.text: one for one in await queue.receive(10)}
    assert again["a1"].first_received_at == start
    assert (await queue.peek())[0].first_received_at == start


async def test_what_is_given_back_at_once_counts_no_longer(queue, index):
    for one in await in_flight(queue):
        await one.release()
    assert bodies(await queue.receive(3)) == ["a1", "b1", "a2"]
    await index()


async def test_what_is_kept_longer_counts_longer(queue, clock, index):
    for one in await in_flight(queue, waiting="b1 b2 b3 a3"):
        await one.change_visibility(60)
    clock.move(31)
    assert bodies(await queue.receive(4)) == ["b1", "b2", "b3", "a3"]
    await index()


async def test_a_delayed_message_has_its_turn_when_it_is_ripe(queue, clock, index):
    await send(queue, "n1 n2")
    await queue.receive()
    await send(queue, "q1", delay=10)
    await index()
    assert bodies(await queue.receive()) == ["n2"]
    await send(queue, "n3 n4")
    clock.move(10)
    assert bodies(await queue.receive(2)) == ["q1", "n3"]
    await index()


async def test_the_first_message_with_a_group_may_be_delayed(queue, clock, index):
    await send(queue, "a1", delay=10)
    await send(queue, "-1 -2")
    await index()
    assert bodies(await queue.receive()) == ["-1"]
    clock.move(10)
    assert bodies(await queue.receive(10)) == ["a1", "-2"]
    await index()


async def test_a_receipt_whose_lease_ran_out_deletes_a_message_that_is_back_in_its_group(
    queue, clock, index
):
    await send(queue, "a1 b1 b2")
    held = await queue.receive(3)
    clock.move(31)
    # This brings all three back to their groups, and takes the oldest.
    assert bodies(await queue.receive()) == ["a1"]
    stale = {one.text: one for one in held}
    assert await stale["b1"].delete() is True
    await index()
    assert await stale["a1"].delete() is False
    await index()
    assert bodies(await queue.receive(10)) == ["b2"]
    await index()


async def test_a_receipt_of_a_lease_before_deletes_nothing_and_changes_no_count(
    queue, clock, index
):
    await send(queue, "a1 a2 b1 b2")
    (old,) = await queue.receive(1)
    clock.move(31)
    assert bodies(await queue.receive(2)) == ["a1", "b1"]
    assert await old.delete() is False
    await index()
    assert bodies(await queue.receive(2)) == ["a2", "b2"]


async def test_a_purge_forgets_who_had_how_many(queue, index):
    await in_flight(queue)
    await queue.purge()
    await index()
    await send(queue, "a1 b1 a2")
    assert bodies(await queue.receive(10)) == ["a1", "b1", "a2"]
    await index()


async def test_what_expired_counts_no_longer(client, clock, index):
    queue = await client.create_queue(
        "orders", message_retention_period=60, visibility_timeout=3600
    )
    await send(queue, "a1 a2 a3 b1")
    await queue.receive(2)
    clock.move(59)
    await send(queue, "b2 a4 b3")
    clock.move(2)
    assert (await queue.stats()).messages == 3
    await index()
    assert bodies(await queue.receive(10)) == ["b2", "a4", "b3"]
    await index()


async def test_expired_messages_between_sweeps_are_passed_over(queue, client, clock, index):
    await send(queue, "a1 a2 b1 -1")
    await queue.receive(1)
    await queue.set_attributes(message_retention_period=60)
    clock.move(30)
    await send(queue, "a3 b2")
    await queue.stats()
    clock.move(31)
    assert bodies(await queue.receive(10)) == ["a3", "b2"]
    await index()


async def test_expired_messages_that_no_sweep_has_removed_are_passed_over(
    client, clock, backend, index
):
    """A sweep looks once a second at most, and a receive clears away a bounded number."""
    backend.beyond_aws("parts of a second")
    queue = await client.create_queue("orders", message_retention_period=60)
    await send(queue, "-1")
    clock.move(0.5)
    await send(queue, "b1 -2")
    await queue.send_many([Outgoing(b"x", message_group_id="a") for _ in range(150)])
    clock.move(30)
    await send(queue, "a1 b2")
    clock.move(29.5)
    assert bodies(await queue.receive(1)) == ["b1"]
    clock.move(0.6)
    assert bodies(await queue.receive(10)) == ["a1", "b2"]
    await index()


async def test_a_dead_letter_that_expired_in_both_queues_counts_once(dying, client, clock, index):
    """By its first sent time and by when it came; nobody has looked for long."""
    dead = client.queue("dead")
    await dead.set_attributes(message_retention_period=60, visibility_timeout=3600)
    await send(dying, "a1")
    await dying.receive()
    clock.move(31)
    assert await dying.receive() == []
    assert bodies(await dead.receive()) == ["a1"]
    clock.move(20)
    await send(dead, "a2 a3")
    assert bodies(await dead.receive()) == ["a2"]
    clock.move(41)
    assert (await dead.stats()).messages == 2
    await index("dead")


async def test_counts_of_a_queue_are_right(queue, clock, index):
    await send(queue, "a1 a2 a3 b1 -1")
    await send(queue, "c1", delay=10)
    got = await queue.receive(3)
    await got[0].delete()
    stats = await queue.stats()
    assert (stats.visible, stats.in_flight, stats.delayed) == (2, 2, 1)
    clock.move(31)
    stats = await queue.stats()
    assert (stats.visible, stats.in_flight, stats.delayed) == (5, 0, 0)
    await queue.receive(1)
    stats = await queue.stats()
    assert (stats.visible, stats.in_flight, stats.delayed) == (4, 1, 0)
    assert len(await queue.peek()) == 5
    await index()


async def test_a_wave_of_leases_that_ended_is_served_to_the_last(queue, clock, index):
    """A receive brings back a bounded number of them."""
    await queue.send_many([Outgoing(b"n%d" % i, message_group_id="n") for i in range(250)])
    assert len(await everything(queue)) == 250
    clock.move(31)
    got = await everything(queue)
    assert sorted({one.text for one in got}) == sorted(f"n{i}" for i in range(250))
    assert {one.receive_count for one in got} == {2}
    await index()


# --- on the way to another queue ---


@pytest.fixture
async def dying(client):
    """A queue whose messages die after one receive."""
    await client.create_queue("dead")
    return await client.create_queue(
        "orders", redrive_policy={"dead_letter_queue": "dead", "max_receive_count": 1}
    )


async def test_a_dead_letter_counts_no_longer_and_keeps_its_group(dying, client, clock, index):
    await in_flight(dying)
    clock.move(31)
    assert bodies(await dying.receive(10)) == ["b1", "b2", "a3", "b3"]
    await index()
    dead = client.queue("dead")
    assert [one.message_group_id for one in await dead.peek()] == ["a", "a"]
    await index("dead")


async def test_a_dead_letter_queue_is_fair(dying, client, clock, index):
    await send(dying, "n1 n2 n3 n4 q1")
    await dying.receive(10)
    clock.move(31)
    assert await dying.receive(10) == []
    dead = client.queue("dead")
    assert bodies(await dead.receive(3)) == ["n1", "q1", "n2"]
    await index("dead")


async def test_a_redrive_brings_groups_back(dying, client, clock, index):
    await send(dying, "n1 n2 q1 -1")
    await dying.receive(10)
    clock.move(31)
    await dying.receive(10)
    dead = client.queue("dead")
    assert (await dead.stats()).messages == 4
    task = await dead.redrive()
    assert task.moved == 4
    await index()
    await index("dead")
    got = await dying.receive(10)
    assert {one.text: one.message_group_id for one in got} == {
        "n1": "n",
        "n2": "n",
        "q1": "q",
        "-1": None,
    }
    await index()


async def test_a_dead_letter_that_must_stay_counts_no_longer(dying, client, clock, index):
    """Its dead-letter queue is gone, so it is handed out again."""
    await in_flight(dying)
    clock.move(31)
    await client.delete_queue("dead")
    got = []
    while batch := await dying.receive(10):
        got += batch
    assert sorted(bodies(got)) == ["a1", "a2", "a3", "b1", "b2", "b3"]
    await index()


async def test_messages_of_an_earlier_release_join_their_group_when_they_move(
    dying, client, clock, backend, namespace, raw, index
):
    backend.beyond_aws("what lies in Redis")
    await send(dying, "-1")
    keys = QueueKeys(namespace, "orders")
    seq = int(await in_thread(raw.hget, keys.state, "seq"))
    await in_thread(raw.xadd, keys.log, {"m": pack(b"old", Header(group_id="a"))}, id=str(seq + 1))
    await in_thread(raw.hset, keys.state, "seq", seq + 1)
    await dying.receive(10)
    clock.move(31)
    await dying.receive(10)
    dead = client.queue("dead")
    assert [one.message_group_id for one in await dead.peek()] == [None, "a"]
    await index("dead")


# --- waiting, and many at a time ---


async def test_a_waiting_consumer_is_woken_by_a_message_with_a_group(connect, queue):
    client = connect()
    sleepers = Sleepers(client)
    waiting = asyncio.ensure_future(client.queue("orders").receive(wait=20))
    await sleepers.reach(1)
    await send(queue, "a1")
    assert bodies(await waiting) == ["a1"]


async def test_a_waiting_consumer_is_woken_when_a_lease_ends(connect, queue, clock):
    await send(queue, "a1")
    await queue.receive(visibility_timeout=5)
    client = connect()
    sleepers = Sleepers(client)
    waiting = asyncio.ensure_future(client.queue("orders").receive(wait=20))
    await sleepers.reach(1)
    clock.move(5)
    await send(queue, "b1")
    assert bodies(await waiting) == ["a1"]


async def test_each_of_many_waiting_consumers_gets_a_message(connect, queue, index):
    """Sent at once, they wake one consumer; it passes the token on."""
    clients = [connect() for _ in range(4)]
    sleepers = [Sleepers(client) for client in clients]
    waiting = [asyncio.ensure_future(client.queue("orders").receive(wait=20)) for client in clients]
    for one in sleepers:
        await one.reach(1)
    await send(queue, "a1 a2 b1 -1")
    got = await asyncio.gather(*waiting)
    assert sorted(text for part in got for text in bodies(part)) == ["-1", "a1", "a2", "b1"]
    await index()


async def test_receives_that_go_out_together_share_the_turns(queue, index):
    await send(queue, "n1 n2 n3 n4 n5 q1 p1")
    got = await asyncio.gather(*(queue.receive() for _ in range(4)))
    texts = sorted(text for part in got for text in bodies(part))
    assert texts == ["n1", "n2", "p1", "q1"]
    await index()


async def test_many_receives_that_go_out_together_each_get_a_message(queue, index):
    """More than have their turn in one script."""
    await queue.send_many([Outgoing(b"%d" % i, message_group_id=f"t{i % 50}") for i in range(90)])
    got = await asyncio.gather(*(queue.receive() for _ in range(90)))
    assert sorted(int(one.body) for part in got for one in part) == list(range(90))
    await index()


async def test_sends_that_go_out_together_keep_their_groups(queue, index):
    await asyncio.gather(
        *(queue.send(f"{group}{i}", message_group_id=group) for i in range(10) for group in "ab"),
        *(queue.send(f"-{i}") for i in range(10)),
    )
    await index()
    got = await everything(queue)
    assert len(got) == 30
    assert all((one.message_group_id or "-") == one.text[0] for one in got)
    await index()


@on_one_server
async def test_a_deep_backlog_costs_a_quiet_group_one_script_call(queue, raw):
    """However many of a noisy group wait, and however many of it are in flight."""

    def calls():
        return {name: one["calls"] for name, one in raw.info("commandstats").items()}

    await queue.send_many([Outgoing(b"n", message_group_id="noisy") for _ in range(DEEP)])
    for _ in range(30):
        assert len(await queue.receive(10)) == 10
    await queue.send("q", message_group_id="quiet")
    before = await in_thread(calls)

    assert bodies(await queue.receive()) == ["q"]

    after = await in_thread(calls)
    made = {name: after[name] - before.get(name, 0) for name in after}
    assert made["cmdstat_evalsha"] == 1
    within = sum(made.values()) - made["cmdstat_evalsha"] - made["cmdstat_info"]
    assert within <= 20
    assert (await queue.stats()).messages == DEEP + 1


async def test_the_library_refuses_a_group_that_is_no_id(queue):
    with pytest.raises(rmq.errors.InvalidParameter, match="message_group_id"):
        await queue.send("x", message_group_id="no spaces")
