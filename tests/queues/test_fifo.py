"""FIFO: strict order within a group, one consumer of a group at a time, nothing between groups."""

from __future__ import annotations

import uuid

import pytest

from rmq import Outgoing


async def fill(queue, *texts):
    """Send what reads `group:body`."""
    for text in texts:
        group, _, body = text.partition(":")
        await queue.send(body.encode(), message_group_id=group, deduplication_id=uuid.uuid4().hex)


async def take(queue, most=10, **options):
    return await queue.receive(most, **options)


def shown(messages):
    return [f"{one.message_group_id}:{one.text}" for one in messages]


async def test_a_group_keeps_its_order(fifo):
    expected = [f"g:{i}" for i in range(12)]
    await fill(fifo, *expected)
    got = []
    while batch := await fifo.receive():
        got += shown(batch)
        await batch[0].delete()
    assert got == expected


async def test_one_receive_may_have_several_of_a_group_in_order(fifo):
    await fill(fifo, "g:1", "g:2", "g:3", "g:4")
    assert shown(await take(fifo, 3)) == ["g:1", "g:2", "g:3"]


async def test_a_receive_takes_what_it_can_of_one_group_then_of_others(fifo):
    await fill(fifo, "a:1", "b:1", "a:2", "b:2", "c:1")
    assert shown(await take(fifo, 4)) == ["a:1", "a:2", "b:1", "b:2"]
    assert shown(await take(fifo)) == ["c:1"]


async def test_a_group_is_locked_while_one_of_it_is_in_flight(fifo):
    await fill(fifo, "g:1", "g:2")
    await take(fifo, 1)
    assert await take(fifo) == []
    await fill(fifo, "g:3")
    assert await take(fifo) == []


async def test_a_locked_group_does_not_hold_up_the_others(fifo):
    await fill(fifo, "a:1", "a:2", "b:1", "b:2")
    assert shown(await take(fifo, 1)) == ["a:1"]
    assert shown(await take(fifo, 1)) == ["b:1"]
    assert await take(fifo) == []


async def test_a_delete_frees_the_group(fifo):
    await fill(fifo, "g:1", "g:2")
    await (await take(fifo, 1))[0].delete()
    assert shown(await take(fifo)) == ["g:2"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "the other way"])
async def test_two_received_together_both_have_to_be_done(fifo, order):
    await fill(fifo, "g:1", "g:2", "g:3")
    got = await take(fifo, 2)

    assert await got[order[0]].delete() is True
    assert await take(fifo) == []
    assert await got[order[1]].delete() is True
    assert shown(await take(fifo)) == ["g:3"]


async def test_a_message_comes_back_at_its_original_position(fifo, clock):
    await fill(fifo, "g:1", "g:2", "g:3")
    await take(fifo, 1)
    clock.move(30)
    got = await take(fifo)
    assert shown(got) == ["g:1", "g:2", "g:3"]
    assert [one.receive_count for one in got] == [2, 1, 1]


async def test_a_message_given_back_comes_before_those_behind_it(fifo):
    await fill(fifo, "g:1", "g:2")
    await (await take(fifo, 1))[0].change_visibility(0)
    assert shown(await take(fifo)) == ["g:1", "g:2"]


async def test_the_first_given_back_waits_for_the_second_that_is_in_flight(fifo, clock):
    """If m1 becomes visible while m2 is in flight the group stays locked."""
    await fill(fifo, "g:1", "g:2", "g:3")
    first, second = await take(fifo, 2)
    await first.change_visibility(0)
    assert await take(fifo) == []

    await second.delete()
    assert shown(await take(fifo)) == ["g:1", "g:3"]


async def test_the_second_given_back_waits_for_the_first_that_is_in_flight(fifo):
    await fill(fifo, "g:1", "g:2", "g:3")
    first, second = await take(fifo, 2)
    await second.change_visibility(0)
    assert await take(fifo) == []

    await first.delete()
    assert shown(await take(fifo)) == ["g:2", "g:3"]


async def test_a_longer_lease_keeps_the_group_locked_longer(fifo, clock):
    await fill(fifo, "g:1", "g:2")
    held = (await take(fifo, 1))[0]
    await held.change_visibility(100)
    clock.move(99)
    assert await take(fifo) == []
    clock.move(1)
    assert shown(await take(fifo)) == ["g:1", "g:2"]


async def test_a_shorter_lease_frees_the_group_sooner(fifo, clock):
    await fill(fifo, "g:1", "g:2")
    held = (await take(fifo, 1))[0]
    await held.change_visibility(5)
    clock.move(5)
    assert shown(await take(fifo)) == ["g:1", "g:2"]


async def test_groups_whose_names_begin_alike_are_apart(fifo):
    await fill(fifo, "a:1", "ab:1", "a:2", "abc:1", "ab:2")
    got = await take(fifo, 1)
    assert shown(got) == ["a:1"]
    assert sorted(shown(await take(fifo))) == ["ab:1", "ab:2", "abc:1"]
    await got[0].delete()
    assert shown(await take(fifo)) == ["a:2"]


async def test_a_group_id_may_have_every_punctuation_mark(fifo):
    group = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" + "aZ0"
    await fifo.send(b"x", message_group_id=group)
    await fifo.send(b"y", message_group_id="g" * 128)
    assert [one.message_group_id for one in await take(fifo)] == [group, "g" * 128]


async def test_a_visibility_timeout_of_zero_does_not_lock_the_group(fifo):
    await fill(fifo, "g:1", "g:2")
    assert shown(await take(fifo, 1, visibility_timeout=0)) == ["g:1"]
    assert shown(await take(fifo)) == ["g:1", "g:2"]


async def test_many_groups_are_served_once_each(fifo):
    given = [
        Outgoing(body=b"%d" % i, message_group_id=f"g{i % 50}", deduplication_id=f"{i}")
        for i in range(200)
    ]
    await fifo.send_many(given)
    got = {}
    while batch := await fifo.receive(7):
        for one in batch:
            got.setdefault(one.message_group_id, []).append(int(one.body))
        await fifo.delete_many(batch)

    assert got == {f"g{n}": [n, n + 50, n + 100, n + 150] for n in range(50)}


# --- sequence numbers ---------------------------------------------------------------------------


async def test_sequence_numbers_have_20_digits_and_grow(fifo, clock):
    numbers = []
    for i in range(6):
        sent = await fifo.send(b"%d" % i, message_group_id=f"g{i % 2}")
        numbers.append(sent.sequence_number)
        clock.move(i % 3)
    assert all(len(one) == 20 and one.isdecimal() for one in numbers)
    assert numbers == sorted(set(numbers))


# --- delay --------------------------------------------------------------------------------------


@pytest.fixture
async def slow(client):
    return await client.create_queue("slow.fifo", content_based_deduplication=True, delay=60)


async def test_every_message_of_a_queue_is_delayed_alike(slow, clock):
    await fill(slow, "a:1")
    clock.move(30)
    await fill(slow, "b:1", "a:2")

    assert await take(slow) == []
    clock.move(30)
    assert shown(await take(slow)) == ["a:1"]
    clock.move(30)
    assert shown(await take(slow)) in (["a:1", "a:2", "b:1"], ["b:1", "a:1", "a:2"])


async def test_the_order_of_a_group_holds_over_delays(slow, clock):
    await fill(slow, "g:1")
    clock.move(59)
    await fill(slow, "g:2")
    clock.move(1)
    first = await take(slow)
    assert shown(first) == ["g:1"]
    await first[0].delete()
    assert await take(slow) == []
    clock.move(59)
    assert shown(await take(slow)) == ["g:2"]


async def test_a_message_comes_back_when_its_lease_ends_though_the_next_is_still_delayed(
    slow, clock
):
    """A delay postpones its own message. It does not lengthen the lease of the one before."""
    await fill(slow, "g:1")
    clock.move(50)
    await fill(slow, "g:2")
    clock.move(10)
    assert shown(await take(slow, visibility_timeout=5)) == ["g:1"]

    clock.move(5)

    assert shown(await take(slow)) == ["g:1"]


async def test_a_longer_delay_holds_for_what_is_there_already(fifo, clock):
    await fill(fifo, "g:1")
    await fifo.set_attributes(delay=60)
    assert await take(fifo) == []
    clock.move(59)
    assert await take(fifo) == []
    clock.move(1)
    assert shown(await take(fifo)) == ["g:1"]


async def test_a_shorter_delay_holds_for_what_is_there_already(slow, clock):
    await fill(slow, "g:1", "h:1")
    await slow.set_attributes(delay=10)
    clock.move(10)
    assert sorted(shown(await take(slow))) == ["g:1", "h:1"]


async def test_taking_the_delay_away_frees_what_is_there_already(slow):
    await fill(slow, "g:1", "h:1")
    await slow.set_attributes(delay=0)
    assert sorted(shown(await take(slow))) == ["g:1", "h:1"]


async def test_taking_the_delay_away_frees_many_groups(slow):
    await slow.send_many([Outgoing(body=b"%d" % i, message_group_id=f"g{i}") for i in range(450)])
    await slow.set_attributes(delay=0)
    count = 0
    while batch := await take(slow):
        count += len(batch)
    assert count == 450


async def test_a_change_of_the_delay_leaves_leases_alone(slow, clock):
    await fill(slow, "g:1", "g:2")
    clock.move(60)
    await take(slow, 1)
    await slow.set_attributes(delay=0)
    assert await take(slow) == []
    await slow.set_attributes(delay=900)
    clock.move(30)
    assert shown(await take(slow)) == ["g:1"]


async def test_a_retroactive_delay_shows_in_the_counts(fifo, clock):
    await fill(fifo, "g:1", "h:1")
    await fifo.set_attributes(delay=60)

    found = await fifo.stats()
    assert (found.visible, found.delayed) == (0, 2)
    assert [one.state for one in await fifo.peek()] == ["delayed", "delayed"]

    await fifo.set_attributes(delay=0)
    found = await fifo.stats()
    assert (found.visible, found.delayed) == (2, 0)


async def test_a_longer_delay_does_not_count_what_is_in_flight_as_delayed(slow, clock):
    await fill(slow, "g:1", "g:2", "g:3")
    clock.move(60)
    await take(slow, 1)
    await slow.set_attributes(delay=900)

    found = await slow.stats()
    assert (found.in_flight, found.delayed, found.visible) == (1, 2, 0)


# --- receive request attempts -------------------------------------------------------------------


def handles(messages):
    return [one.receipt_handle for one in messages]


@pytest.fixture
async def attempted(fifo):
    """What the attempt `a` was given: two messages of a group of three."""
    await fill(fifo, "g:1", "g:2", "g:3")
    return await take(fifo, 2, receive_request_attempt_id="a")


async def test_the_same_attempt_gets_the_same_messages_and_handles(fifo, attempted, clock):
    clock.move(1)
    again = await take(fifo, 2, receive_request_attempt_id="a")
    assert shown(again) == ["g:1", "g:2"]
    assert handles(again) == handles(attempted)
    assert [one.receive_count for one in again] == [1, 1]
    assert await attempted[0].delete() is True


async def test_the_same_attempt_begins_the_visibility_timeout_anew(fifo, attempted, clock):
    clock.move(20)
    await take(fifo, 2, receive_request_attempt_id="a")
    clock.move(29)
    assert await take(fifo) == []
    assert await attempted[0].delete() is True
    clock.move(1)
    assert shown(await take(fifo)) == ["g:2", "g:3"]


async def test_another_attempt_gets_nothing_of_a_locked_group(fifo, attempted):
    assert await take(fifo, receive_request_attempt_id="b") == []
    assert await take(fifo) == []


async def test_the_same_attempt_after_a_delete_is_a_new_receive(fifo, attempted):
    await attempted[0].delete()
    assert await take(fifo, receive_request_attempt_id="a") == []
    await attempted[1].delete()
    assert shown(await take(fifo, receive_request_attempt_id="a")) == ["g:3"]


async def test_the_same_attempt_after_a_change_of_visibility_is_a_new_receive(
    fifo, attempted, clock
):
    await attempted[0].change_visibility(60)
    assert await take(fifo, receive_request_attempt_id="a") == []
    clock.move(60)
    again = await take(fifo, receive_request_attempt_id="a")
    assert shown(again) == ["g:1", "g:2", "g:3"]
    assert [one.receive_count for one in again] == [2, 2, 1]


async def test_the_same_attempt_after_the_lease_ended_is_a_new_receive(fifo, attempted, clock):
    clock.move(30)
    again = await take(fifo, receive_request_attempt_id="a")
    assert shown(again) == ["g:1", "g:2", "g:3"]
    assert handles(again)[:2] != handles(attempted)


async def test_an_attempt_is_forgotten_after_5_minutes(fifo, clock):
    await fill(fifo, "g:1")
    first = await take(fifo, receive_request_attempt_id="a", visibility_timeout=3600)
    clock.move(299)
    again = await take(fifo, receive_request_attempt_id="a", visibility_timeout=3600)
    assert handles(again) == handles(first)
    clock.move(1)
    assert await take(fifo, receive_request_attempt_id="a") == []


async def test_an_attempt_that_found_nothing_may_find_something_later(fifo):
    assert await take(fifo, receive_request_attempt_id="a") == []
    await fill(fifo, "g:1")
    assert shown(await take(fifo, receive_request_attempt_id="a")) == ["g:1"]


async def test_an_attempt_over_several_groups_is_repeated_whole(fifo):
    await fill(fifo, "g:1", "h:1", "i:1")
    first = await take(fifo, 3, receive_request_attempt_id="a")
    again = await take(fifo, 3, receive_request_attempt_id="a")
    assert len(first) == 3
    assert handles(again) == handles(first)
