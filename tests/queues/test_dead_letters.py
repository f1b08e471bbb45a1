"""Dead letters: what failed too often leaves its queue, whole, and is neither lost nor doubled."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rmq import Limits, Outgoing
from rmq.errors import InvalidParameter, QueueDoesNotExist
from rmq.queues import plans, redrive
from tests.colours import ByHand, bare


@pytest.fixture
async def dead(client):
    return await client.create_queue("dead")


@pytest.fixture
async def source(client, dead):
    """Hands a message out twice, then moves it to `dead`."""
    return await client.create_queue(
        "source", redrive_policy={"dead_letter_queue": "dead", "max_receive_count": 2}
    )


@pytest.fixture
async def dead_fifo(client):
    return await client.create_queue("dead.fifo")


@pytest.fixture
async def source_fifo(client, dead_fifo):
    return await client.create_queue(
        "source.fifo",
        content_based_deduplication=True,
        redrive_policy={"dead_letter_queue": "dead.fifo", "max_receive_count": 2},
    )


async def fail(queue, times=2, most=10):
    """Receive everything that is visible, and give it back, so often."""
    for _ in range(times):
        got = []
        while batch := await queue.receive(most):
            got += batch
        await queue.change_visibility_many([(one, 0) for one in got])


def bodies(messages):
    return [one.body for one in messages]


# --- the policy ---------------------------------------------------------------------------------


async def test_a_message_is_handed_out_so_often_and_then_moved(source, dead):
    await source.send(b"poison")
    for count in (1, 2):
        message = (await source.receive())[0]
        assert message.receive_count == count
        await message.release()

    assert await source.receive() == []
    assert bodies(await dead.receive()) == [b"poison"]


async def test_a_limit_of_one_means_one_delivery(client, dead):
    queue = await client.create_queue(
        "once", redrive_policy={"dead_letter_queue": "dead", "max_receive_count": 1}
    )
    await queue.send(b"poison")
    await (await queue.receive())[0].release()
    assert await queue.receive() == []
    assert (await dead.stats()).visible == 1


async def test_nothing_moves_without_a_receive(source, dead, clock):
    await source.send(b"poison")
    await fail(source)
    clock.move(3600)
    assert (await source.stats()).visible == 1
    assert (await dead.stats()).visible == 0


async def test_a_message_deleted_in_time_is_not_moved(backend, source, dead):
    await source.send(b"fine")
    await fail(source, times=1)
    await (await source.receive())[0].delete()
    assert await source.receive() == []
    found = await dead.stats()
    assert found.messages == 0
    if backend.has_totals:
        assert found.sent == 0


async def test_others_are_received_in_the_same_call_that_moves_one(source, dead):
    await source.send(b"poison")
    await fail(source)
    await source.send_many([b"a", b"b"])
    assert bodies(await source.receive(10)) == [b"a", b"b"]
    assert bodies(await dead.receive(10)) == [b"poison"]


async def test_many_dead_letters_move_at_once(backend, source, dead):
    await source.send_many([b"%03d" % i for i in range(150)])
    await fail(source)
    assert await source.receive(10) == []

    got = []
    while batch := await dead.receive(10):
        got += bodies(batch)
    assert sorted(got) == [b"%03d" % i for i in range(150)]
    found = await source.stats()
    assert (found.visible, found.in_flight) == (0, 0)
    if backend.has_totals:
        assert found.moved == 150


async def test_a_policy_set_later_counts_the_receives_before(client, queue, dead):
    await queue.send(b"poison")
    await fail(queue, times=3)
    await queue.set_attributes(redrive_policy={"dead_letter_queue": "dead", "max_receive_count": 3})
    assert await queue.receive() == []
    assert bodies(await dead.receive()) == [b"poison"]


async def test_without_a_policy_a_message_comes_for_ever(queue):
    await queue.send(b"x")
    await fail(queue, times=50)
    assert (await queue.receive())[0].receive_count == 51


# --- what a dead letter keeps -------------------------------------------------------------------


async def test_a_standard_dead_letter_keeps_its_id_times_and_count(source, dead, clock):
    sent = await source.send(
        b"poison",
        attributes={"a": 1, "b": b"\0"},
        trace_header="Root=1",
        message_group_id="tenant",
    )
    sent_at = (await source.peek())[0].sent_at
    clock.move(5)
    first_received_at = clock.now()
    await fail(source)
    clock.move(5)
    await source.receive()
    clock.move(5)

    message = (await dead.receive())[0]

    assert message.id == sent.id
    assert message.sent_at == sent_at
    assert message.receive_count == 3
    assert message.first_received_at == first_received_at
    assert message.dead_letter_source == "source"
    assert {name: one.value for name, one in message.attributes.items()} == {"a": "1", "b": b"\0"}
    assert (message.trace_header, message.message_group_id) == ("Root=1", "tenant")
    assert (message.queue_name, message.deduplication_id) == ("dead", None)


async def test_a_dead_letter_keeps_its_sender_and_when_it_was_first_sent(source, dead, clock):
    await source.send(b"poison", sender_id="me")
    sent_at = (await source.peek())[0].sent_at
    clock.move(5)
    await fail(source)
    await source.receive()
    message = (await dead.receive())[0]
    assert (message.sender_id, message.first_sent_at) == ("me", sent_at)


async def test_a_fifo_dead_letter_keeps_its_id_and_group_and_its_sent_time_begins_anew(
    source_fifo, dead_fifo, clock
):
    sent = await source_fifo.send(b"poison", message_group_id="g", deduplication_id="d")
    await fail(source_fifo)
    clock.move(5)
    await source_fifo.receive()

    message = (await dead_fifo.receive())[0]

    assert (message.id, message.message_group_id) == (sent.id, "g")
    assert abs(message.sent_at - clock.now()) < timedelta(milliseconds=1)
    assert message.deduplication_id == sent.id
    assert message.sequence_number > sent.sequence_number
    assert (message.receive_count, message.dead_letter_source) == (3, "source.fifo")


async def test_a_fifo_dead_letter_keeps_when_it_was_first_sent(source_fifo, dead_fifo, clock):
    await source_fifo.send(b"poison", message_group_id="g")
    first_sent_at = (await source_fifo.peek())[0].sent_at
    await fail(source_fifo)
    clock.move(5)
    await source_fifo.receive()
    assert (await dead_fifo.receive())[0].first_sent_at == first_sent_at


async def test_a_dead_letter_can_be_deleted_and_its_visibility_changed(source, dead, clock):
    await source.send(b"poison")
    await fail(source)
    await source.receive()
    message = (await dead.receive())[0]
    await message.change_visibility(60)
    clock.move(59)
    assert await dead.receive() == []
    assert await message.delete() is True
    assert (await dead.stats()).visible == 0


async def test_a_dead_letter_is_visible_at_once_whatever_the_delay(client, source, dead):
    await dead.set_attributes(delay=900)
    await source.send(b"poison")
    await fail(source)
    await source.receive()
    assert bodies(await dead.receive()) == [b"poison"]


async def test_a_standard_dead_letter_expires_by_its_original_sent_time(
    backend, source, dead, clock
):
    await source.send(b"poison")
    clock.move(3 * 86_400)
    await fail(source)
    await source.receive()
    await source.send(b"young")
    await fail(source)
    await source.receive()
    assert (await dead.stats()).visible == 2

    clock.move(86_400)

    assert bodies(await dead.peek()) == [b"young"]
    found = await dead.stats()
    assert found.visible == 1
    if backend.has_totals:
        assert found.expired == 1
    assert bodies(await dead.receive(10)) == [b"young"]


async def test_a_receive_finds_no_dead_letter_that_expired_by_its_original_sent_time(
    source, dead, clock
):
    await source.send(b"poison")
    clock.move(3 * 86_400)
    await fail(source)
    await source.receive()
    clock.move(86_400)
    assert await dead.receive(10) == []


async def test_a_fifo_dead_letter_expires_by_the_time_of_its_move(source_fifo, dead_fifo, clock):
    await source_fifo.send(b"poison", message_group_id="g")
    clock.move(3 * 86_400)
    await fail(source_fifo)
    await source_fifo.receive()
    clock.move(4 * 86_400 - 1)
    assert (await dead_fifo.stats()).visible == 1
    clock.move(2)
    assert (await dead_fifo.stats()).visible == 0


async def test_the_oldest_age_of_a_dead_letter_queue_is_that_of_the_original(source, dead, clock):
    await source.send(b"poison")
    sent_at = (await source.stats()).oldest_sent_at
    clock.move(100)
    await fail(source)
    await source.receive()
    assert (await dead.stats()).oldest_sent_at == sent_at


# --- FIFO ---------------------------------------------------------------------------------------


async def test_fifo_dead_letters_keep_the_order_of_their_group(source_fifo, dead_fifo):
    for i in range(5):
        await source_fifo.send(b"%d" % i, message_group_id="g")
    await fail(source_fifo)
    assert await source_fifo.receive(10) == []
    assert bodies(await dead_fifo.receive(10)) == [b"%d" % i for i in range(5)]


async def test_a_dead_letter_frees_its_group(source_fifo, dead_fifo):
    await source_fifo.send(b"poison", message_group_id="g")
    await fail(source_fifo)
    await source_fifo.send(b"next", message_group_id="g")

    got = await source_fifo.receive()
    assert bodies(got or await source_fifo.receive()) == [b"next"]
    assert bodies(await dead_fifo.receive()) == [b"poison"]


async def test_a_group_that_waits_for_its_dead_letter_holds_up_no_other(source_fifo):
    await source_fifo.send(b"poison", message_group_id="g")
    await fail(source_fifo)
    await source_fifo.send(b"other", message_group_id="h")
    got = bodies(await source_fifo.receive(10))
    assert (got or bodies(await source_fifo.receive(10))) == [b"other"]


async def test_the_move_is_not_taken_for_a_duplicate(client, source_fifo, dead_fifo):
    """The target has seen this very body and deduplication id."""
    await dead_fifo.send(b"poison", message_group_id="g", deduplication_id="d")
    await source_fifo.send(b"poison", message_group_id="g", deduplication_id="d")
    await fail(source_fifo)
    await source_fifo.receive()
    assert (await dead_fifo.stats()).visible == 2


async def test_a_moved_deduplication_id_is_still_remembered_at_the_source(source_fifo):
    sent = await source_fifo.send(b"poison", message_group_id="g")
    await fail(source_fifo)
    await source_fifo.receive()
    again = await source_fifo.send(b"poison", message_group_id="g")
    assert (again.id, again.is_duplicate) == (sent.id, True)


# --- chains -------------------------------------------------------------------------------------


async def test_a_dead_letter_queue_may_have_one_of_its_own(client, source, dead):
    graveyard = await client.create_queue("graveyard")
    await dead.set_attributes(
        redrive_policy={"dead_letter_queue": "graveyard", "max_receive_count": 1}
    )
    sent = await source.send(b"poison")
    await fail(source)
    await source.receive()
    await fail(dead, times=1)
    await dead.receive()

    message = (await graveyard.receive())[0]

    assert (message.id, message.body) == (sent.id, b"poison")
    assert (message.receive_count, message.dead_letter_source) == (4, "dead")
    assert (await dead.stats()).visible == 0


async def test_two_queues_may_be_each_others_dead_letter_queue(client):
    one = await client.create_queue("one")
    two = await client.create_queue(
        "two", redrive_policy={"dead_letter_queue": "one", "max_receive_count": 1}
    )
    await one.set_attributes(redrive_policy={"dead_letter_queue": "two", "max_receive_count": 1})
    sent = await one.send(b"ball")
    for _ in range(2):
        await fail(one, times=1)
        assert await one.receive() == []
        await fail(two, times=1)
        assert await two.receive() == []
    message = (await one.receive())[0]
    assert (message.id, message.receive_count) == (sent.id, 5)


# --- who may be a target ------------------------------------------------------------------------


async def test_the_target_must_exist(client, queue):
    policy = {"dead_letter_queue": "nowhere", "max_receive_count": 3}
    with pytest.raises(InvalidParameter, match="nowhere") as caught:
        await queue.set_attributes(redrive_policy=policy)
    assert caught.value.field == "redrive_policy.dead_letter_queue"
    assert (await queue.info()).attributes.redrive_policy is None

    with pytest.raises(InvalidParameter):
        await client.create_queue("new", redrive_policy=policy)
    assert list(await client.list_queues()) == ["orders"]


@pytest.mark.parametrize(("name", "target"), [("a", "b.fifo"), ("a.fifo", "b")])
async def test_the_target_must_be_of_the_same_type(client, name, target):
    await client.create_queue(target)
    queue = await client.create_queue(name)
    with pytest.raises(InvalidParameter, match=r"dead_letter_queue"):
        await queue.set_attributes(redrive_policy={"dead_letter_queue": target})


async def test_a_queue_can_not_be_its_own_target(queue):
    with pytest.raises(InvalidParameter, match="dead_letter_queue"):
        await queue.set_attributes(redrive_policy={"dead_letter_queue": "orders"})


async def test_a_target_may_deny_all(queue, dead):
    await dead.set_attributes(redrive_allow_policy={"permission": "deny_all"})
    with pytest.raises(InvalidParameter, match="redrive_allow_policy"):
        await queue.set_attributes(redrive_policy={"dead_letter_queue": "dead"})


async def test_a_target_may_allow_some_by_name(client, queue, dead):
    await dead.set_attributes(
        redrive_allow_policy={"permission": "by_queue", "source_queues": ["orders"]}
    )
    await queue.set_attributes(redrive_policy={"dead_letter_queue": "dead"})
    with pytest.raises(InvalidParameter, match="redrive_allow_policy"):
        await client.create_queue("other", redrive_policy={"dead_letter_queue": "dead"})
    assert list(await client.list_queues()) == ["dead", "orders"]


async def test_a_change_of_mind_of_the_target_is_known_to_other_clients(connect, queue, dead):
    """Another client's picture of the target is old."""
    other = connect()
    await other.queue("dead").send(b"warm")
    await dead.set_attributes(redrive_allow_policy={"permission": "deny_all"})
    with pytest.raises(InvalidParameter, match="redrive_allow_policy"):
        await other.queue("orders").set_attributes(redrive_policy={"dead_letter_queue": "dead"})


async def test_the_allow_policy_is_asked_when_the_policy_is_set_not_at_the_move(source, dead):
    await dead.set_attributes(redrive_allow_policy={"permission": "deny_all"})
    await source.send(b"poison")
    await fail(source)
    await source.receive()
    assert bodies(await dead.receive()) == [b"poison"]


# --- sources ------------------------------------------------------------------------------------


async def test_the_sources_of_a_dead_letter_queue_are_listed(client, dead):
    policy = {"dead_letter_queue": "dead"}
    for name in ("c", "a", "b"):
        await client.create_queue(name, redrive_policy=policy)
    await client.create_queue("not")

    assert list(await dead.dead_letter_sources()) == ["a", "b", "c"]
    page = await dead.dead_letter_sources(limit=2)
    assert (list(page), page.next_token is None) == (["a", "b"], False)
    assert list(await dead.dead_letter_sources(token=page.next_token)) == ["c"]


async def test_a_queue_that_turned_away_is_no_source_any_more(client, source, dead):
    await client.create_queue("elsewhere")
    await source.set_attributes(redrive_policy={"dead_letter_queue": "elsewhere"})
    assert list(await dead.dead_letter_sources()) == []
    assert list(await client.queue("elsewhere").dead_letter_sources()) == ["source"]

    await source.set_attributes(redrive_policy=None)
    assert list(await client.queue("elsewhere").dead_letter_sources()) == []


async def test_a_deleted_queue_is_no_source_any_more(source, dead):
    await source.delete_queue()
    assert list(await dead.dead_letter_sources()) == []


async def test_a_queue_that_was_refused_is_no_source(client, queue, dead):
    from rmq.errors import QueueExists

    with pytest.raises(QueueExists):
        await client.create_queue("orders", redrive_policy={"dead_letter_queue": "dead"})
    assert list(await dead.dead_letter_sources()) == []


# --- a target that is gone ----------------------------------------------------------------------


async def test_a_message_whose_target_was_deleted_stays_receivable(source, dead):
    await source.send(b"poison")
    await fail(source)
    await dead.delete_queue()

    message = (await source.receive())[0]
    assert (message.body, message.receive_count) == (b"poison", 3)
    await message.release()
    assert (await source.receive())[0].receive_count == 4
    assert (await source.stats()).in_flight == 1


async def test_nothing_is_lost_when_the_target_comes_back(client, source, dead, clock):
    await source.send_many([b"%d" % i for i in range(30)])
    await fail(source)
    await dead.delete_queue()
    got = []
    while batch := await source.receive(10):
        got += batch
    assert len(got) == 30
    dead = await client.create_queue("dead")
    clock.move(3600)

    assert await source.receive(10) == []
    assert (await dead.stats()).visible == 30
    assert (await source.stats()).visible == 0


async def test_a_fifo_group_goes_on_in_order_when_the_target_is_gone(source_fifo, dead_fifo):
    for i in range(3):
        await source_fifo.send(b"%d" % i, message_group_id="g")
    await fail(source_fifo)
    await dead_fifo.delete_queue()
    assert bodies(await source_fifo.receive(10)) == [b"0", b"1", b"2"]


# --- crashes in the middle of a move ------------------------------------------------------------


async def crashed(client, queue, after):
    """A receive that moves dead letters and dies when the script *after* has been carried out."""
    inner = bare(client)
    plan = plans.receive(inner._registry, queue.name, lambda *parts: parts, max_messages=10)
    hand = ByHand(client, plan)
    await hand.through(after)
    return hand


CRASHES = ["queues.receive", "queues.outbox_read", "queues.accept"]


@pytest.mark.parametrize("after", CRASHES)
async def test_a_crash_in_a_move_neither_loses_nor_doubles(client, source, dead, clock, after):
    await source.send_many([b"%d" % i for i in range(5)])
    await fail(source)
    await crashed(client, source, after)

    assert await source.receive(10) == [], "what is on its way out is not handed out"
    clock.move(61)
    await source.sweep()

    got = bodies(await dead.receive(10))
    assert sorted(got) == [b"%d" % i for i in range(5)]
    found = await source.stats()
    assert (found.visible, found.in_flight, found.moved) == (0, 0, 5)


@pytest.mark.parametrize("after", CRASHES)
async def test_a_later_receive_finishes_what_a_crash_cut_short(
    client, source, dead, clock, connect, after
):
    await source.send(b"poison")
    await fail(source)
    await crashed(client, source, after)

    clock.move(61)
    await connect().queue("source").receive(10)

    assert bodies(await dead.receive(10)) == [b"poison"]
    assert await dead.receive(10) == []


@pytest.mark.parametrize("after", ["queues.receive_fifo", "queues.outbox_read", "queues.accept"])
async def test_a_crash_in_a_fifo_move_keeps_the_order(client, source_fifo, dead_fifo, clock, after):
    for i in range(4):
        await source_fifo.send(b"%d" % i, message_group_id="g")
    await fail(source_fifo)
    await source_fifo.send(b"next", message_group_id="g")
    await crashed(client, source_fifo, after)

    await source_fifo.sweep()

    assert bodies(await dead_fifo.receive(10)) == [b"0", b"1", b"2", b"3"]
    assert bodies(await source_fifo.receive(10)) == [b"next"]


async def test_two_that_carry_the_same_outbox_double_nothing(client, source, dead):
    await source.send_many([b"%d" % i for i in range(5)])
    await fail(source)
    await crashed(client, source, "queues.receive")
    registry = bare(client)._registry
    one = ByHand(client, redrive.relay(registry, "source"))
    two = ByHand(client, redrive.relay(registry, "source"))

    await one.through("queues.outbox_read")
    await two.through("queues.outbox_read")
    await one.through("queues.accept")
    await two.through("queues.accept")
    await two.finish()
    await one.finish()

    assert len(await dead.receive(10)) == 5
    assert (await dead.stats()).sent == 5
    assert (await source.stats()).moved == 5
    assert one.result.moved + two.result.moved == 5


async def test_what_a_dead_carrier_had_in_hand_is_not_accepted_late(client, source, dead):
    """It read the outbox, stood still while another finished, and then goes on."""
    await source.send(b"poison")
    await fail(source)
    await crashed(client, source, "queues.receive")
    slow = ByHand(client, redrive.relay(bare(client)._registry, "source"))
    await slow.through("queues.outbox_read")

    await source.sweep()
    await dead.delete_many(await dead.receive(10))
    await slow.finish()

    assert await dead.receive(10) == []


async def test_a_purge_in_the_middle_of_a_move_empties_the_source(client, source, dead):
    await source.send(b"poison")
    await fail(source)
    await crashed(client, source, "queues.receive")
    await source.purge()
    await source.sweep()
    assert await source.receive(10) == []
    assert await dead.receive(10) == []


async def test_the_outbox_is_counted(client, source, dead):
    await source.send(b"poison")
    await fail(source)
    await crashed(client, source, "queues.receive")
    assert (await source.stats()).outbox == 1
    await source.sweep()
    assert (await source.stats()).outbox == 0


async def test_a_source_deleted_in_the_middle_of_a_move_is_no_trouble(client, source, dead):
    await source.send(b"poison")
    await fail(source)
    hand = await crashed(client, source, "queues.accept")
    await source.delete_queue()
    with pytest.raises(QueueDoesNotExist):
        await hand.finish()
    assert bodies(await dead.receive(10)) == [b"poison"]


async def test_more_receives_than_are_counted_are_still_too_many(connect):
    """A lease counts up to 2,047."""
    client = connect(limits=Limits.none())
    dead = await client.create_queue("dead")
    queue = await client.create_queue(
        "orders", redrive_policy={"dead_letter_queue": "dead", "max_receive_count": 2046}
    )
    with pytest.raises(InvalidParameter, match="max_receive_count"):
        await queue.set_attributes(
            redrive_policy={"dead_letter_queue": "dead", "max_receive_count": 2047}
        )
    await queue.send_many([Outgoing(body=b"x")])
    await queue.set_attributes(redrive_policy={"dead_letter_queue": "dead", "max_receive_count": 3})
    await fail(queue, times=3)
    assert await queue.receive() == []
    assert (await dead.receive())[0].receive_count == 4
