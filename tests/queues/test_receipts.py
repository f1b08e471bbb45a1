"""Receipts: who may delete a message or change its visibility, and until when."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rmq import Limits, Outgoing
from rmq.errors import (
    CallerError,
    InvalidParameter,
    InvalidReceipt,
    MessageDoesNotExist,
    MessageNotInFlight,
    StaleReceipt,
)

HOURS_12 = 12 * 3600


async def received(queue, body=b"hello", **options):
    """Send one message and receive it."""
    group = {"message_group_id": "g"} if queue.is_fifo else {}
    await queue.send(body, **group)
    return (await queue.receive(**options))[0]


@pytest.fixture(params=["standard", "fifo"])
async def either(request, client):
    """A queue of each type."""
    if request.param == "standard":
        return await client.create_queue("orders")
    return await client.create_queue("orders.fifo", content_based_deduplication=True)


# --- delete -------------------------------------------------------------------------------------


async def test_a_deleted_message_does_not_come_back(backend, either, clock):
    message = await received(either)
    assert await message.delete() is True
    clock.move(100)
    assert await either.receive() == []
    if backend.has_totals:
        assert (await either.stats()).deleted == 1


@pytest.mark.parametrize("name", ["receipt_handle", "receipt"])
async def test_a_message_its_handle_and_its_receipt_name_it_alike(either, name):
    message = await received(either, name.encode())
    assert await either.delete(getattr(message, name)) is True
    assert await either.delete(await received(either, b"itself")) is True


async def test_a_handle_may_be_used_by_another_client(either, connect):
    message = await received(either)
    assert await connect().queue(either.name).delete(message.receipt_handle) is True


async def test_a_message_that_is_gone_already_is_no_error(backend, either):
    message = await received(either)
    await message.delete()
    assert await message.delete() is False
    assert await either.delete(message.receipt_handle) is False
    if backend.has_totals:
        assert (await either.stats()).deleted == 1


async def test_standard_a_late_delete_works_if_nobody_received_the_message_since(queue, clock):
    message = await received(queue)
    clock.move(31)
    assert await message.delete() is True
    assert await queue.receive() == []


async def test_fifo_a_late_delete_is_refused(fifo, clock):
    message = await received(fifo)
    clock.move(30)
    with pytest.raises(StaleReceipt, match="expired"):
        await message.delete()
    assert len(await fifo.receive()) == 1


async def test_standard_an_older_handle_leaves_the_newer_receive_alone(queue, clock):
    older = await received(queue)
    clock.move(30)
    newer = (await queue.receive())[0]

    assert await older.delete() is False
    assert await newer.delete() is True


async def test_fifo_an_older_handle_is_refused(fifo, clock):
    older = await received(fifo)
    clock.move(30)
    newer = (await fifo.receive())[0]

    with pytest.raises(StaleReceipt):
        await older.delete()
    assert await newer.delete() is True


async def test_standard_an_older_handle_is_of_no_use_when_the_newer_lease_ended_too(queue, clock):
    older = await received(queue)
    clock.move(30)
    newer = (await queue.receive())[0]
    clock.move(30)
    assert await older.delete() is False
    assert await newer.delete() is True


@pytest.mark.parametrize("handle", ["", "x", "AAAA", "é", "a" * 44, "\ud800", " " * 44])
async def test_a_malformed_handle_is_refused(either, handle):
    with pytest.raises(InvalidReceipt):
        await either.delete(handle)
    with pytest.raises(InvalidReceipt):
        await either.change_visibility(handle, 5)


async def test_a_handle_of_another_queue_is_refused(client, either):
    other = await client.create_queue("other")
    foreign = await received(other)
    with pytest.raises(InvalidReceipt):
        await either.delete(foreign.receipt_handle)
    with pytest.raises(InvalidReceipt):
        await either.change_visibility(foreign.receipt_handle, 5)
    with pytest.raises(CallerError):
        await either.delete(foreign)
    assert (await other.stats()).in_flight == 1


async def test_a_handle_of_the_same_queue_in_another_namespace_is_refused(either, connect):
    other = await connect(namespace=f"other-{id(either)}").create_queue("orders")
    foreign = await received(other)
    await received(either)
    with pytest.raises(InvalidReceipt):
        await either.delete(foreign.receipt_handle)


async def test_a_forged_handle_is_refused(either):
    """A handle is signed: nobody can make one for the next receive of a message."""
    handle = (await received(either)).receipt_handle
    for place in (0, 5, 15, 24, 30, 40):
        forged = handle[:place] + ("A" if handle[place] != "A" else "B") + handle[place + 1 :]
        with pytest.raises(InvalidReceipt):
            await either.delete(forged)
    assert await either.delete(handle) is True


# --- change visibility --------------------------------------------------------------------------


async def test_a_lease_can_be_made_longer(either, clock):
    message = await received(either)
    await message.change_visibility(100)

    clock.move(99.999)
    assert await either.receive() == []
    clock.move(0.001)
    assert (await either.receive())[0].receive_count == 2


async def test_a_change_of_a_lease_says_when_it_ends(either, clock):
    message = await received(either)
    ends_at = await message.change_visibility(100)
    assert ends_at - clock.now() == timedelta(seconds=100)


async def test_a_lease_can_be_made_shorter(either, clock):
    message = await received(either)
    await either.change_visibility(message.receipt_handle, timedelta(seconds=3))
    clock.move(3)
    assert len(await either.receive()) == 1


async def test_the_new_timeout_counts_from_now(either, clock):
    message = await received(either)
    clock.move(20)
    await message.change_visibility(20)
    clock.move(19.999)
    assert await either.receive() == []
    clock.move(0.001)
    assert len(await either.receive()) == 1


async def test_zero_gives_a_message_back_at_once(either):
    message = await received(either)
    await message.change_visibility(0)
    assert (await either.receive())[0].receive_count == 2


async def test_the_handle_stays_the_same_when_visibility_is_changed(either, clock):
    message = await received(either)
    await message.change_visibility(60)
    clock.move(40)
    await either.change_visibility(message.receipt_handle, 60)
    clock.move(40)
    assert await either.delete(message.receipt_handle) is True


async def test_a_changed_timeout_is_not_remembered_for_later_receives(either, clock):
    message = await received(either)
    await message.change_visibility(5)
    clock.move(5)
    await either.receive()
    clock.move(29)
    assert await either.receive() == []
    clock.move(1)
    assert len(await either.receive()) == 1


async def test_standard_a_message_that_is_visible_again_is_not_in_flight(queue, clock):
    message = await received(queue)
    clock.move(30)
    with pytest.raises(MessageNotInFlight):
        await message.change_visibility(10)
    assert len(await queue.receive()) == 1


async def test_fifo_a_handle_whose_lease_ended_has_expired(fifo, clock):
    message = await received(fifo)
    clock.move(30)
    with pytest.raises(StaleReceipt):
        await message.change_visibility(10)
    assert len(await fifo.receive()) == 1


async def test_a_message_given_back_can_not_be_changed_with_its_handle(either):
    message = await received(either)
    await message.change_visibility(0)
    with pytest.raises((MessageNotInFlight, StaleReceipt)):
        await message.change_visibility(10)


async def test_an_older_handle_changes_nothing(either, clock):
    older = await received(either)
    clock.move(30)
    await either.receive()
    with pytest.raises((MessageNotInFlight, StaleReceipt)):
        await older.change_visibility(0)
    assert await either.receive() == []


async def test_a_deleted_message_has_no_visibility_to_change(either):
    message = await received(either)
    await message.delete()
    with pytest.raises(MessageDoesNotExist):
        await message.change_visibility(10)


async def test_a_purged_message_has_no_visibility_to_change(either):
    message = await received(either)
    await either.purge()
    with pytest.raises(MessageDoesNotExist):
        await message.change_visibility(10)


async def test_a_message_is_invisible_for_at_most_12_hours_in_all(either, clock):
    message = await received(either, visibility_timeout=HOURS_12)
    clock.move(3600)
    with pytest.raises(InvalidParameter, match="visibility_timeout") as caught:
        await message.change_visibility(HOURS_12 - 3600 + 1)
    assert caught.value.limit == "at most 43200 s since the message was received"

    await message.change_visibility(HOURS_12 - 3600)
    clock.move(HOURS_12 - 3600)
    assert (await either.receive())[0].receive_count == 2


async def test_the_12_hours_begin_anew_with_each_receive(either, clock):
    await received(either)
    clock.move(HOURS_12)
    again = (await either.receive())[0]
    await again.change_visibility(HOURS_12)


async def test_without_the_limit_a_message_stays_invisible_for_days(connect, clock):
    queue = await connect(limits=Limits.none()).create_queue("orders")
    message = await received(queue, visibility_timeout=86_400)
    await message.change_visibility(30 * 86_400)
    clock.move(2 * 86_400)
    assert await queue.receive() == []


# --- many ---------------------------------------------------------------------------------------


async def test_standard_a_batch_of_deletes_has_one_result_each(client, queue, clock):
    other = await client.create_queue("other")
    foreign = await received(other)
    await queue.send_many([b"%d" % i for i in range(6)])
    late, older, gone, now, *_ = await queue.receive(4)
    await gone.delete()
    clock.move(30)
    await queue.receive(2)  # late and older again
    fresh = (await queue.receive())[0]

    result = await queue.delete_many(
        [older, gone.receipt_handle, "nonsense", foreign.receipt_handle, fresh, fresh, now]
    )

    assert list(result.failed) == [2, 3]
    assert all(isinstance(one, InvalidReceipt) for one in result.failed.values())
    assert result.successful[0] is False
    assert result.successful[1] is False
    assert result.successful[4] is True
    assert result.successful[5] is False
    assert late.id != older.id


async def test_fifo_a_batch_of_deletes_has_one_result_each(fifo, clock):
    for i in range(4):
        await fifo.send(b"%d" % i, message_group_id=f"g{i}")
    stale, gone, *_ = await fifo.receive(2, visibility_timeout=5)
    await gone.delete()
    clock.move(5)
    fresh = await fifo.receive(10)
    good = next(one for one in fresh if one.body == b"3")

    result = await fifo.delete_many([stale, gone, "nonsense", good, good.receipt_handle])

    assert [type(one) for one in result] == [StaleReceipt, bool, InvalidReceipt, bool, bool]
    assert result.successful == {1: False, 3: True, 4: False}


async def test_a_batch_of_deletes_may_have_any_length(backend, queue):
    await queue.send_many([b"%d" % i for i in range(250)])
    got = []
    while batch := await queue.receive(10):
        got += batch
    result = await queue.delete_many(got)
    assert list(result) == [True] * 250
    if backend.has_totals:
        assert (await queue.stats()).deleted == 250
    assert len(await queue.delete_many([])) == 0


async def test_a_batch_of_changes_has_one_result_each(either, clock):
    given = [Outgoing(body=b"%d" % i, message_group_id=f"g{i}") for i in range(5)]
    await either.send_many(given)
    got = await either.receive(5)
    await got[1].delete()

    result = await either.change_visibility_many(
        [
            (got[0], 5),
            (got[1], 5),
            ("nonsense", 5),
            (got[2].receipt_handle, HOURS_12 + 1),
            (got[3], timedelta(seconds=0)),
            (got[4], 60),
        ]
    )

    assert list(result.successful) == [0, 4, 5]
    assert {place: type(error) for place, error in result.failed.items()} == {
        1: MessageDoesNotExist,
        2: InvalidReceipt,
        3: InvalidParameter,
    }
    assert [one.body for one in await either.receive(10)] == [b"3"]
    clock.move(5)
    assert [one.body for one in await either.receive(10)] == [b"0"]


async def test_a_batch_of_changes_says_when_each_lease_ends(either, clock):
    given = [Outgoing(body=b"%d" % i, message_group_id=f"g{i}") for i in range(2)]
    await either.send_many(given)
    got = await either.receive(2)

    result = await either.change_visibility_many([(got[0], 5), (got[1], timedelta(seconds=60))])

    assert [one - clock.now() for one in result] == [timedelta(seconds=5), timedelta(seconds=60)]


async def test_a_batch_of_changes_may_have_any_length(queue, clock):
    await queue.send_many([b"%d" % i for i in range(250)])
    got = []
    while batch := await queue.receive(10):
        got += batch
    result = await queue.change_visibility_many([(one, i) for i, one in enumerate(got)])
    assert len(result.successful) == 250
    clock.move(99)
    back = []
    while batch := await queue.receive(10, visibility_timeout=1000):
        back += batch
    assert len(back) == 100


# --- helpers ------------------------------------------------------------------------------------


async def test_a_message_as_context_manager_deletes_itself_on_success(either, clock):
    async with await received(either) as message:
        assert message.body == b"hello"
    clock.move(100)
    assert await either.receive() == []


async def test_a_message_as_context_manager_comes_back_at_once_on_error(either):
    message = await received(either)
    with pytest.raises(RuntimeError, match="no"):
        async with message:
            raise RuntimeError("no")
    assert (await either.receive())[0].receive_count == 2


async def test_handling_gives_a_message_back_after_a_time_on_error(either, clock):
    message = await received(either)
    with pytest.raises(RuntimeError, match="no"):
        async with message.handling(retry_after=10):
            raise RuntimeError("no")

    clock.move(9.999)
    assert await either.receive() == []
    clock.move(0.001)
    assert (await either.receive())[0].receive_count == 2


async def test_handling_deletes_on_success(either, clock):
    message = await received(either)
    async with message.handling(retry_after=10) as inside:
        assert inside.body == b"hello"
    clock.move(100)
    assert await either.receive() == []


async def test_an_error_in_the_work_is_not_hidden_by_a_lease_that_ended(either, clock):
    async def work(message):
        async with message:
            clock.move(31)
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await work(await received(either))


async def test_release_gives_a_message_back(either, clock):
    message = await received(either)
    await message.release(5)
    clock.move(5)
    again = (await either.receive())[0]
    await message.release()  # does nothing: the lease is another's
    assert await either.receive() == []
    assert await again.delete() is True


async def test_a_queue_can_be_iterated(backend, either):
    for i in range(3):
        group = {"message_group_id": f"g{i}"} if either.is_fifo else {}
        await either.send(b"%d" % i, **group)

    got = []
    async for message in either:
        async with message:
            got.append(message.body)
        if len(got) == 3:
            break

    assert got == [b"0", b"1", b"2"]
    found = await either.stats()
    assert found.messages == 0
    if backend.has_totals:
        assert found.deleted == 3


async def test_messages_fetches_ahead_when_told_to(queue):
    await queue.send_many([b"%d" % i for i in range(5)])
    got = []
    messages = queue.messages(max_messages=3, visibility_timeout=60)
    async for message in messages:
        got.append(message.body)
        if len(got) == 2:
            break
    await messages.aclose()
    assert got == [b"0", b"1"]
    assert (await queue.stats()).in_flight == 3
