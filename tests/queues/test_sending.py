"""Sending: bodies, attributes, delays, sizes, and batches of any length."""

from __future__ import annotations

import uuid

import pytest

from rmq import MessageAttribute, Outgoing, Sent
from rmq.errors import InvalidParameter, QueueDoesNotExist
from rmq.queues import plans
from tests.colours import ByHand, bare

MIB = 1_048_576


async def test_bytes_come_back_as_they_were_sent(queue):
    body = bytes(range(256)) * 3
    await queue.send(body)
    assert (await queue.receive())[0].body == body


@pytest.mark.parametrize("first", [0, 1, 2, 3, 255])
async def test_a_body_may_begin_with_any_byte(queue, first):
    await queue.send(bytes((first, 7)))
    assert (await queue.receive())[0].body == bytes((first, 7))


async def test_text_is_stored_as_utf8(queue):
    await queue.send("grüße \U0001f69a")
    message = (await queue.receive())[0]
    assert (message.body, message.text) == ("grüße \U0001f69a".encode(), "grüße \U0001f69a")


async def test_ids_are_distinct_uuids(queue):
    ids = [(await queue.send(b"x")).id for _ in range(5)]
    ids += [one.id for one in await queue.send_many([b"x"] * 5)]
    assert len({uuid.UUID(one) for one in ids}) == 10


async def test_a_send_to_a_standard_queue_has_no_sequence_number(queue):
    sent = await queue.send(b"x")
    assert (sent.sequence_number, sent.is_duplicate) == (None, False)


async def test_attributes_keep_their_types_and_values(queue):
    given = {
        "city": "Köln",
        "count": 3,
        "share": 0.25,
        "blob": b"\0\1",
        "price": MessageAttribute("Number.euro", "1.50"),
        "picture": MessageAttribute("Binary.png", b"\x89"),
        "note": MessageAttribute("String.x-y z", "hi"),
    }
    await queue.send(b"x", attributes=given)

    assert (await queue.receive())[0].attributes == {
        "city": MessageAttribute("String", "Köln"),
        "count": MessageAttribute("Number", "3"),
        "share": MessageAttribute("Number", "0.25"),
        "blob": MessageAttribute("Binary", b"\0\1"),
        "price": MessageAttribute("Number.euro", "1.50"),
        "picture": MessageAttribute("Binary.png", b"\x89"),
        "note": MessageAttribute("String.x-y z", "hi"),
    }


async def test_ten_attributes_are_allowed_and_eleven_are_not(queue):
    await queue.send(b"x", attributes={f"a{i}": "v" for i in range(10)})
    with pytest.raises(InvalidParameter, match="attributes"):
        await queue.send(b"x", attributes={f"a{i}": "v" for i in range(11)})


async def test_attribute_names_are_case_sensitive(queue):
    await queue.send(b"x", attributes={"a": "1", "A": "2"})
    assert {n: a.value for n, a in (await queue.receive())[0].attributes.items()} == {
        "a": "1",
        "A": "2",
    }


async def test_large_headers_come_back_whole(queue):
    given = {"n" * 256: "v" * 1000, "blob": bytes(range(256)) * 20}
    await queue.send(b"body", attributes=given, trace_header="t" * 500)
    message = (await queue.receive())[0]
    assert (message.body, message.trace_header) == (b"body", "t" * 500)
    assert {name: one.value for name, one in message.attributes.items()} == given


async def test_the_queues_delay_holds_unless_the_message_has_its_own(client, clock):
    queue = await client.create_queue("slow", delay=60)
    await queue.send(b"queue")
    await queue.send(b"own", delay=10)
    await queue.send(b"none", delay=0)

    assert [one.body for one in await queue.receive(10)] == [b"none"]
    clock.move(10)
    assert [one.body for one in await queue.receive(10)] == [b"own"]
    clock.move(50)
    assert b"queue" in [one.body for one in await queue.receive(10)]


async def test_a_new_delay_of_a_standard_queue_is_not_retroactive(client, clock):
    queue = await client.create_queue("slow", delay=60)
    await queue.send(b"before")
    await queue.set_attributes(delay=0)
    await queue.send(b"after")
    assert [one.body for one in await queue.receive(10)] == [b"after"]

    await queue.set_attributes(delay=900)
    clock.move(60)
    assert b"before" in [one.body for one in await queue.receive(10)]


async def test_a_standard_message_keeps_its_group_and_is_not_locked_by_it(queue):
    for i in range(3):
        await queue.send(b"%d" % i, message_group_id="tenant")
    got = [(await queue.receive())[0] for _ in range(3)]
    assert [one.message_group_id for one in got] == ["tenant"] * 3


# --- sizes --------------------------------------------------------------------------------------


async def test_a_message_may_be_as_large_as_its_queue_allows(queue):
    await queue.send(b"x" * MIB)
    assert len((await queue.receive())[0].body) == MIB
    with pytest.raises(InvalidParameter, match="message size"):
        await queue.send(b"x" * (MIB + 1))


async def test_a_message_that_is_too_large_is_refused_with_its_size(backend, queue):
    backend.beyond_aws("the size of a message that is too large")
    with pytest.raises(InvalidParameter, match="1048577 bytes"):
        await queue.send(b"x" * (MIB + 1))


async def test_attributes_count_with_name_type_and_value(backend, client):
    queue = await client.create_queue("small", maximum_message_size=1024)
    attributes = {"blob": b"12345"}
    counted = len("blob") + len("Binary") + 5

    sent = await queue.send(b"x" * (1024 - counted), attributes=attributes)
    message = (await queue.receive())[0]
    assert message.id == sent.id

    with pytest.raises(InvalidParameter, match="message size"):
        await queue.send(b"x" * (1025 - counted), attributes=attributes)
    if backend.has_totals:
        assert message.size == 1024


async def test_text_counts_in_bytes_not_in_characters(client):
    queue = await client.create_queue("small", maximum_message_size=1024)
    await queue.send("ü" * 512)
    with pytest.raises(InvalidParameter, match="message size"):
        await queue.send("ü" * 513)
    value = "ü" * 500
    counted = len("a") + len("String") + len(value.encode())
    await queue.send("x" * (1024 - counted), attributes={"a": value})
    with pytest.raises(InvalidParameter, match="message size"):
        await queue.send("x" * (1025 - counted), attributes={"a": value})


async def test_the_trace_header_does_not_count(client):
    queue = await client.create_queue("small", maximum_message_size=1024)
    await queue.send(b"x" * 1024, trace_header="Root=1-5759e988-bd862e3fe1be46a994272793")


# --- batches ------------------------------------------------------------------------------------


async def test_an_empty_batch_sends_nothing(backend, queue):
    result = await queue.send_many([])
    assert (len(result), result.successful, result.failed) == (0, {}, {})
    found = await queue.stats()
    assert found.messages == 0
    if backend.has_totals:
        assert found.sent == 0


async def test_a_batch_of_one(queue):
    result = await queue.send_many([b"one"])
    assert [one.id for one in await queue.receive(10)] == [result[0].id]


async def test_a_batch_of_250_keeps_its_order(queue):
    result = await queue.send_many([b"%d" % i for i in range(250)])

    got = []
    while batch := await queue.receive(10):
        got += batch
    assert [one.body for one in got] == [b"%d" % i for i in range(250)]
    assert [one.id for one in got] == [one.id for one in result]


async def test_a_fifo_batch_keeps_its_order(fifo):
    given = [Outgoing(body=b"%d" % i, message_group_id="g") for i in range(250)]
    result = await fifo.send_many(given)
    numbers = [one.sequence_number for one in result]
    assert numbers == sorted(numbers)

    got = []
    while batch := await fifo.receive(10):
        got += batch
        await fifo.delete_many(batch)
    assert [one.body for one in got] == [b"%d" % i for i in range(250)]


async def test_messages_that_are_refused_leave_the_others_alone(queue):
    given = [b"ok 0", b"", Outgoing(body="ok 2"), Outgoing(body=b"x", delay=901), "\x01", b"ok 5"]

    result = await queue.send_many(given)

    assert list(result.successful) == [0, 2, 5]
    assert {place: error.field for place, error in result.failed.items()} == {
        1: "body",
        3: "delay",
        4: "body",
    }
    assert [one.body for one in await queue.receive(10)] == [b"ok 0", b"ok 2", b"ok 5"]
    with pytest.raises(InvalidParameter, match="body"):
        result.raise_for_failures()


async def test_a_batch_in_which_all_are_refused_raises_nothing(backend, queue):
    result = await queue.send_many([b"", b""])
    assert (list(result.failed), result.successful) == ([0, 1], {})
    found = await queue.stats()
    assert found.messages == 0
    if backend.has_totals:
        assert found.sent == 0


async def test_a_message_too_large_for_its_queue_fails_alone(client):
    queue = await client.create_queue("small", maximum_message_size=1024)
    result = await queue.send_many([b"a", b"x" * 1025, b"b"])
    assert list(result.failed) == [1]
    assert [one.body for one in await queue.receive(10)] == [b"a", b"b"]


async def test_a_batch_may_be_larger_than_one_mebibyte_in_sum(queue):
    given = [b"%d" % i + b"x" * 400_000 for i in range(6)] + [b"y" * MIB, b"z"]
    assert (await queue.send_many(given)).failed == {}
    got = []
    while batch := await queue.receive(10):
        got += [one.body for one in batch]
    assert got == given


async def test_a_batch_may_be_a_generator_of_bodies_and_messages(queue):
    result = await queue.send_many(body for body in (b"a", "b", Outgoing(body=b"c")))
    assert len(result.successful) == 3
    assert [one.text for one in await queue.receive(10)] == ["a", "b", "c"]


async def test_a_batch_to_an_unknown_queue_is_an_error_of_the_whole(client):
    with pytest.raises(QueueDoesNotExist):
        await client.queue("nowhere").send_many([b"a"])


async def test_what_was_sent_before_the_queue_went_is_answered_so(client, queue):
    """Each entry has its own result, also when a later script call fails."""
    bodies = [b"%d" % i for i in range(250)]
    plan = ByHand(client, plans.send(bare(client)._registry, "orders", bodies))
    await plan.through("queues.send")
    await queue.delete_queue()

    results = await plan.finish()

    assert all(isinstance(one, Sent) for one in results[:100])
    assert all(isinstance(one, QueueDoesNotExist) for one in results[100:])
