"""Limits: Amazon's by default, each liftable by its name."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rmq import Limits, Outgoing
from rmq.errors import ConfigurationError, InvalidParameter

YEAR = 365 * 86_400


@pytest.fixture
def client(connect):
    return connect(limits=Limits.none())


def bodies(messages):
    return [one.body for one in messages]


async def made(client, kind):
    if kind == "standard":
        return await client.create_queue("orders")
    return await client.create_queue("orders.fifo", content_based_deduplication=True)


async def test_any_delay(queue, clock):
    await queue.send(b"x", delay=YEAR)
    await queue.set_attributes(message_retention_period=2 * YEAR)
    clock.move(YEAR - 1)
    assert await queue.receive() == []
    clock.move(1)
    assert bodies(await queue.receive()) == [b"x"]


async def test_any_delay_of_a_queue(client, clock):
    queue = await client.create_queue("slow", delay=YEAR, message_retention_period=2 * YEAR)
    await queue.send(b"x")
    clock.move(YEAR - 1)
    assert await queue.receive() == []
    clock.move(1)
    assert bodies(await queue.receive()) == [b"x"]


@pytest.mark.parametrize("kind", ["standard", "fifo"])
async def test_any_visibility_timeout(client, kind, clock):
    queue = await made(client, kind)
    await queue.set_attributes(message_retention_period=2 * YEAR, visibility_timeout=YEAR)
    await queue.send(b"x", message_group_id="g")
    await queue.receive()
    clock.move(YEAR - 1)
    assert await queue.receive() == []
    clock.move(1)
    message = (await queue.receive(visibility_timeout=86_400))[0]
    await message.change_visibility(20 * 86_400)
    clock.move(20 * 86_400 - 1)
    assert await message.delete() is True


async def test_any_number_in_one_receive(queue):
    await queue.send_many([b"%d" % i for i in range(2600)])
    got = await queue.receive(2500)
    assert bodies(got) == [b"%d" % i for i in range(2500)]
    assert len((await queue.delete_many(got)).successful) == 2500
    assert len(await queue.receive(2500)) == 100


async def test_any_number_in_one_receive_with_no_visibility_timeout_comes_once_each(queue):
    """They are visible again at once, so a second script call would find the first one's."""
    await queue.send_many([b"%d" % i for i in range(1500)])
    got = await queue.receive(2500, visibility_timeout=0)
    assert bodies(got) == [b"%d" % i for i in range(len(got))]
    assert len(got) >= 1000


async def fill(fifo, clock, count, group):
    """Send *count* messages, spread over some milliseconds."""
    for start in range(0, count, 500):
        await fifo.send_many(
            [
                Outgoing(body=b"%d" % i, message_group_id=group.format(i))
                for i in range(start, min(start + 500, count))
            ]
        )
        clock.move(0.001)


async def test_any_number_in_one_fifo_receive_over_many_groups(fifo, clock):
    await fill(fifo, clock, 1700, "g{}")
    got = await fifo.receive(1500)
    assert len({one.id for one in got}) == len(got) == 1500


async def test_any_number_in_one_fifo_receive_of_one_group(fifo, clock):
    """The first script call locks the group, so this one gets what one call can carry."""
    await fill(fifo, clock, 1500, "g")
    got = await fifo.receive(2500)
    assert bodies(got) == [b"%d" % i for i in range(len(got))]
    assert len(got) >= 1000


async def test_a_large_attempt_is_repeated_as_it_was(fifo, clock):
    await fill(fifo, clock, 300, "g{}")
    first = await fifo.receive(2500, receive_request_attempt_id="a")
    assert len({one.id for one in first}) == len(first) == 300
    again = await fifo.receive(2500, receive_request_attempt_id="a")
    assert [one.receipt_handle for one in again] == [one.receipt_handle for one in first]


async def test_a_large_attempt_is_not_mistaken_for_another(fifo, clock):
    """`a 40` is an id of its own, if any id is allowed."""
    await fill(fifo, clock, 100, "g{}")
    first = await fifo.receive(100, receive_request_attempt_id="a")
    assert await fifo.receive(100, receive_request_attempt_id="a 40") == []
    assert len(first) == 100


@pytest.mark.parametrize("kind", ["standard", "fifo"])
async def test_more_than_a_thousand_messages_of_one_held_millisecond(client, kind):
    """Each has a microsecond of its own; under a held clock they run ahead of it."""
    queue = await made(client, kind)
    await queue.send_many([Outgoing(body=b"%d" % i, message_group_id=f"g{i}") for i in range(1100)])
    assert len(await queue.receive(1100)) == 1100


@pytest.mark.parametrize("window", [1, 3600])
async def test_any_deduplication_window(client, clock, window):
    fifo = await client.create_queue(
        "orders.fifo", content_based_deduplication=True, deduplication_window=window
    )
    assert (await fifo.info()).attributes.deduplication_window == timedelta(seconds=window)
    await fifo.send(b"x", message_group_id="g")
    clock.move(window - 0.001)
    assert (await fifo.send(b"x", message_group_id="g")).is_duplicate is True
    clock.move(0.001)
    assert (await fifo.send(b"x", message_group_id="g")).is_duplicate is False


async def test_any_size(client):
    queue = await client.create_queue("large", maximum_message_size=10_000_000)
    body = b"x" * 5_000_000
    await queue.send(body)
    assert (await queue.receive())[0].body == body
    tiny = await client.create_queue("tiny", maximum_message_size=1)
    await tiny.send(b"x")
    with pytest.raises(InvalidParameter, match="message size"):
        await tiny.send(b"xy")


async def test_any_group_and_deduplication_id(fifo):
    groups = ["g" * 10_000, "grüße und leerzeichen", "\t\n", "\U0001f69a"]
    for group in groups:
        await fifo.send(b"x", message_group_id=group, deduplication_id=group)
    got = await fifo.receive(10)
    assert sorted(one.message_group_id for one in got) == sorted(groups)
    assert all(one.deduplication_id == one.message_group_id for one in got)


async def test_the_two_characters_that_frame_a_group_stay_forbidden(fifo):
    for group in ("a\0b", "a\x01b", ""):
        with pytest.raises(InvalidParameter, match="message_group_id"):
            await fifo.send(b"x", message_group_id=group)


async def test_an_empty_body_and_any_character(queue):
    await queue.send(b"")
    await queue.send("\x00\x01")
    assert bodies(await queue.receive(10)) == [b"", b"\x00\x01"]


async def test_any_number_of_tags_and_attributes(queue):
    assert len(await queue.tag({f"k{i}": "v" for i in range(200)})) == 200
    await queue.send(b"x", attributes={f"a{i}": "v" for i in range(100)})
    assert len((await queue.receive())[0].attributes) == 100


async def test_any_retention_and_wait(queue, clock):
    await queue.set_attributes(message_retention_period=1, receive_message_wait_time=3600)
    await queue.send(b"x")
    clock.move(1)
    assert (await queue.stats()).visible == 0
    await queue.set_attributes(message_retention_period=YEAR)
    await queue.send(b"y")
    assert bodies(await queue.receive(wait=100_000)) == [b"y"]


async def test_any_rate_of_a_redrive(client):
    dead = await client.create_queue("dead")
    await client.create_queue("orders", redrive_policy={"dead_letter_queue": "dead"})
    assert (await dead.redrive(max_per_second=100_000)).status == "COMPLETED"


async def test_any_number_of_sources_in_an_allow_policy(client):
    names = [f"q{i}" for i in range(40)]
    await client.create_queue(
        "dead", redrive_allow_policy={"permission": "by_queue", "source_queues": names}
    )


async def test_one_limit_can_be_changed_by_name(connect):
    client = connect(limits=Limits.aws(max_receive=100))
    queue = await client.create_queue("orders")
    await queue.send_many([b"%d" % i for i in range(120)])
    assert len(await queue.receive(100)) == 100
    with pytest.raises(InvalidParameter, match="max_messages is 101; it must be 1 to 100"):
        await queue.receive(101)
    with pytest.raises(InvalidParameter, match="delay"):
        await queue.send(b"x", delay=901)


async def test_one_limit_can_be_kept_by_name(connect):
    client = connect(limits=Limits.none(max_delay=timedelta(seconds=5)))
    queue = await client.create_queue("orders")
    with pytest.raises(InvalidParameter, match=r"delay is .?6 s.?; it must be 0 s to 5 s"):
        await queue.send(b"x", delay=6)


@pytest.mark.parametrize("make", [Limits.aws, Limits.none])
def test_an_unknown_limit_is_an_error_that_names_those_there_are(make):
    with pytest.raises(ConfigurationError, match=r"no limit 'max_fun'.*max_delay"):
        make(max_fun=3)
