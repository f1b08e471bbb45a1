"""Compression: a queue's attribute that nobody sees but its memory. What is sent comes out, whoever
sends and receives, whenever it was switched on, and wherever a message goes."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from rmq import MessageAttribute, Outgoing
from rmq.core.compression import LARGEST, SAMPLES, dictionary_number, is_compressed
from rmq.core.keys import QueueKeys
from rmq.errors import BrokenEnvelope, InvalidParameter, QueueExists
from rmq.queues import administration, plans, redrive
from rmq.queues.registry import described
from tests.colours import ByHand, Sleepers, bare, in_thread
from tests.queues.test_broken import deflated, plant

pytestmark = pytest.mark.parametrize(
    "backend", ["async-memory", "sync-valkey", "async-cluster"], indirect=True
)


def job(number):
    return b'{"order":%d,"customer":"C%d","url":"/orders/%d/invoice"}' % (
        number * 7919 % 100_000,
        number * 104_729 % 10_000,
        number * 1_299_709 % 1_000_000,
    )


def jobs(count, start=0):
    return [job(number) for number in range(start, start + count)]


def bodies(messages):
    return [one.body for one in messages]


async def everything(queue):
    got = []
    while batch := await queue.receive(10):
        got += batch
    return got


async def drained(queue):
    """What is in a FIFO queue, too: a group's next message waits for the one before."""
    got = []
    while batch := await queue.receive(10):
        got += batch
        await queue.delete_many(batch)
    return got


async def taught(queue):
    """The queue, empty, with a dictionary."""
    if queue.is_fifo:
        made = [
            Outgoing(one, message_group_id="g", deduplication_id=f"lesson-{number}")
            for number, one in enumerate(jobs(100))
        ]
        await queue.send_many(made)
    else:
        await queue.send_many(jobs(SAMPLES))
    await drained(queue)
    assert (await queue.info()).dictionary
    return queue


@pytest.fixture
async def small(client):
    """A queue that compresses, and has its dictionary."""
    return await taught(await client.create_queue("small", compression="deflate"))


@pytest.fixture
def stored(namespace, raw):
    """What lies in a queue's log."""

    async def look(name="small"):
        entries = await in_thread(raw.xrange, QueueKeys(namespace, name).log)
        return [fields[b"m"] for _, fields in entries]

    return look


# --- there and back -----------------------------------------------------------------------------


async def test_what_is_sent_comes_out_and_takes_half(small, stored):
    sent = jobs(25, 1000)
    await small.send_many(sent)

    lying = await stored()
    assert all(dictionary_number(one) for one in lying)
    assert sum(map(len, lying)) < sum(map(len, sent)) / 2
    assert bodies(await small.peek(100)) == sent
    assert bodies(await everything(small)) == sent


async def test_attributes_and_all_that_is_known_of_a_message_come_out(small, stored):
    await small.send(
        job(7),
        attributes={"kind": "order", "count": 3, "raw": b"\0\xff"},
        trace_header="Root=1-67891233-abcdef012345678912345678",
        sender_id="AIDA",
        message_group_id="tenant",
    )
    assert all(dictionary_number(one) for one in await stored())
    (got,) = await small.receive()

    assert got.body == job(7)
    assert got.attributes == {
        "kind": MessageAttribute("String", "order"),
        "count": MessageAttribute("Number", "3"),
        "raw": MessageAttribute("Binary", b"\0\xff"),
    }
    assert (got.trace_header, got.sender_id) == (
        "Root=1-67891233-abcdef012345678912345678",
        "AIDA",
    )
    assert got.message_group_id == "tenant"
    assert got.size == len(job(7)) + len("kindStringordercountNumber3rawBinary") + 2


@pytest.mark.parametrize(
    "body",
    [b"\0", bytes(range(256)), b"x" * 100, b"\x11" + bytes(99), b"ab" * 50_000, "ü漢😀" * 20],
)
async def test_any_body_comes_out(small, body):
    await small.send(body)
    (got,) = await small.receive()
    assert got.body == (body.encode() if isinstance(body, str) else body)


async def test_what_would_not_get_smaller_lies_beside_what_does(small, stored):
    sent = [hashlib.sha512(b"%d" % number).digest() for number in range(5)] + jobs(5, 50)
    await small.send_many(sent)

    assert [is_compressed(one) for one in await stored()] == [False] * 5 + [True] * 5
    assert bodies(await everything(small)) == sent


async def test_a_fifo_queue_keeps_order_and_knows_a_repeat_however_it_lies_there(client, stored):
    queue = await client.create_queue("small.fifo", content_based_deduplication=True)
    body, other = job(1), job(2)
    first = await queue.send(body, message_group_id="g")
    await queue.set_attributes(compression="deflate")
    made = [Outgoing(one, message_group_id="g") for one in jobs(100, 10)]
    await queue.send_many(made)
    again = await queue.send(body, message_group_id="g")
    await queue.send(other, message_group_id="g")
    await queue.set_attributes(compression="none")
    repeated = await queue.send(other, message_group_id="g")

    assert (again.is_duplicate, again.id) == (True, first.id)
    assert repeated.is_duplicate
    lying = await stored("small.fifo")
    assert dictionary_number(lying[-1])
    assert not is_compressed(lying[0])
    got = await drained(queue)
    assert bodies(got) == [body, *jobs(100, 10), other]
    assert got[-1].deduplication_id == hashlib.sha256(other).hexdigest()


async def test_the_limit_of_size_is_of_the_plain_body(client):
    queue = await client.create_queue("small", compression="deflate", maximum_message_size=1024)
    await queue.send(b"x" * 1024)
    with pytest.raises(InvalidParameter, match="1025 bytes"):
        await queue.send(b"x" * 1025)


async def test_delayed_messages_and_those_that_are_received_again_come_out(small, clock):
    await small.send(job(1), delay=5)
    await small.send(job(2))
    assert bodies(await small.receive(10)) == [job(2)]
    clock.move(31)
    assert sorted(bodies(await small.receive(10))) == sorted([job(1), job(2)])


# --- the dictionary -----------------------------------------------------------------------------


async def test_a_queue_gets_its_dictionary_from_its_first_messages(client, stored):
    queue = await client.create_queue("small", compression="deflate")
    before = await queue.info()
    assert (before.attributes.compression, before.dictionary) == ("deflate", b"")
    await queue.send_many(jobs(SAMPLES - 1))
    assert not (await queue.info()).dictionary
    # It is looked again when as many came as it takes.
    await queue.send_many(jobs(40, 100))

    after = await queue.info()
    assert b'{"order":' in after.dictionary
    assert after.version != before.version
    assert after.modified_at == before.modified_at
    await queue.send(job(1))
    assert [dictionary_number(one) for one in await stored()] == [False] * (SAMPLES + 39) + [True]


async def test_senders_of_one_message_each_get_a_dictionary_too(connect):
    queue = await connect().create_queue("small", compression="deflate")
    for one in jobs(SAMPLES):
        await connect().queue("small").send(one)
    assert (await queue.info()).dictionary


async def test_a_queue_whose_messages_do_not_wait_has_none_and_is_seldom_looked_at(client):
    queue = await client.create_queue("small", compression="deflate")
    looks = []
    for one in jobs(2 * SAMPLES):
        await queue.send(one)
        looks.append(bare(client)._registry.unlearnt["small"] == 0)
        (got,) = await queue.receive(10)
        await got.delete()
    assert not (await queue.info()).dictionary
    assert sum(looks) == 2


async def test_broken_large_and_compressed_messages_are_in_no_dictionary(
    client, raw, namespace, clock, stored
):
    queue = await client.create_queue("small")
    await queue.send_many([b"large" + bytes(range(number, 250)) * 40 for number in range(5)])
    await queue.set_attributes(compression="deflate")
    await queue.send_many([b"heavy" * 2000] * 5)
    compressed = (await stored())[-1]
    assert is_compressed(compressed)
    for packed in (b"", b"\x09what", b"\x11\xff"):
        clock.move(1)
        await in_thread(plant, raw, QueueKeys(namespace, "small").log, packed, clock)
    await queue.send_many(jobs(SAMPLES))

    dictionary = (await queue.info()).dictionary
    assert b'{"order":' in dictionary
    for piece in (b"large", compressed[:8]):
        assert piece not in dictionary


async def test_senders_that_would_give_a_queue_its_dictionary_at_once_give_it_one(connect):
    one, two = connect(), connect()
    queue = await one.create_queue("small", compression="deflate")
    sends = []
    for client, start in ((one, 0), (two, 100)):
        plan = plans.send(bare(client)._registry, "small", jobs(SAMPLES, start))
        sends.append(ByHand(client, plan))
        assert await sends[-1].through("queues.sample")
    await sends[0].finish()
    dictionary = (await queue.info()).dictionary
    assert dictionary
    await sends[1].finish()

    assert (await queue.info()).dictionary == dictionary
    await two.queue("small").send(job(7))
    assert bodies(await everything(queue)) == [*jobs(SAMPLES), *jobs(SAMPLES, 100), job(7)]


async def test_a_sender_that_knows_nothing_of_the_dictionary_packs_anew(connect, stored):
    one, two = connect(), connect()
    mine = await one.create_queue("small", compression="deflate")
    theirs = two.queue("small")
    await theirs.send(job(0))
    await mine.send_many(jobs(SAMPLES, 1))
    assert (await mine.info()).dictionary
    await theirs.send(job(99))

    assert [dictionary_number(each) for each in await stored()] == [False] * (SAMPLES + 1) + [True]
    assert (await mine.stats()).visible == SAMPLES + 2


async def test_receivers_that_know_nothing_of_the_dictionary_look_again(connect):
    one, two = connect(), connect()
    mine = await one.create_queue("small", compression="deflate")
    theirs = two.queue("small")
    assert await theirs.receive() == []
    await mine.send_many(jobs(SAMPLES))
    await mine.send_many(jobs(5, 500))

    assert bodies(await theirs.peek(100)) == jobs(SAMPLES) + jobs(5, 500)
    assert bodies(await everything(theirs)) == jobs(SAMPLES) + jobs(5, 500)


async def test_a_receiver_that_waits_while_the_dictionary_is_made_gets_what_is_sent_by_it(
    connect, stored
):
    one, two = connect(), connect()
    mine = await one.create_queue("small", compression="deflate")
    theirs = two.queue("small")
    sleepers = Sleepers(two)
    waiting = asyncio.create_task(theirs.receive(wait=20))
    await sleepers.reach(1)
    await ByHand(one, given(bare(one)._registry, job(0))).finish()
    await mine.send(job(5))

    assert bodies(await waiting) == [job(5)]
    assert dictionary_number((await stored())[0])


def given(registry, dictionary):
    """Give a queue a dictionary that it did not learn."""
    info = yield from described(registry, "small")
    yield administration.set_dictionary(registry.keys("small"), info, dictionary)


async def test_a_purge_leaves_the_dictionary(small, stored):
    await small.send(job(1))
    await small.purge()
    await small.send(job(2))
    assert all(dictionary_number(one) for one in await stored())
    assert bodies(await everything(small)) == [job(2)]


async def test_a_queue_that_is_made_anew_has_none_and_makes_its_own(client, small):
    await small.delete_queue()
    queue = await client.create_queue("small", compression="deflate")
    assert not (await queue.info()).dictionary
    await taught(queue)
    await queue.send(job(3))
    assert bodies(await everything(queue)) == [job(3)]


# --- switched on and off ------------------------------------------------------------------------


async def test_it_is_switched_on_and_off_with_messages_inside(client, stored):
    queue = await client.create_queue("small")
    sent = jobs(40)
    await queue.send_many(sent[:38])
    assert not (await queue.info()).dictionary
    await queue.set_attributes(compression="deflate")
    await queue.send(sent[38])
    await queue.send(job(40))
    await queue.set_attributes(compression="none")
    await queue.send(job(41))
    await queue.set_attributes(compression="deflate")
    await queue.send(job(42))

    marks = [dictionary_number(one) for one in await stored()]
    assert marks == [False] * 39 + [True, False, True]
    assert bodies(await everything(queue)) == [*sent[:39], job(40), job(41), job(42)]


def shaped(shape, count):
    """Messages of a kind of their own."""
    word = hashlib.sha256(b"%d" % shape).hexdigest().encode()
    return [b'["%s",%d]' % (word, number) for number in range(count)]


async def another(queue):
    """Have a queue make another dictionary, of what it is sent from now on."""
    await queue.set_attributes(compression="none")
    await queue.set_attributes(compression="deflate")


async def test_switched_off_and_on_it_makes_another_dictionary_for_messages_that_have_changed(
    small, stored, connect
):
    other = connect().queue("small")
    await other.send(job(1))
    await another(small)
    sent = shaped(1, 150)
    await small.send_many(sent)
    await other.send(shaped(1, 1)[0])

    info = await small.info()
    assert [b'"order"' in one for one in info.dictionaries] == [True, False]
    lying = await stored()
    assert (dictionary_number(lying[0]), dictionary_number(lying[-1])) == (1, 2)
    assert len(lying[-1]) < 12
    assert bodies(await everything(small)) == [job(1), *sent, shaped(1, 1)[0]]
    assert not info.learns


async def test_another_dictionary_is_made_of_messages_that_are_compressed_themselves(small):
    await another(small)
    await small.send_many(jobs(150))
    first, second = (await small.info()).dictionaries
    assert b'"order"' in first
    assert b'"order"' in second


async def test_a_dictionary_that_no_message_needs_any_more_is_dropped(small, stored):
    await small.send(job(1))
    for shape in (1, 2):
        await another(small)
        await small.send_many(shaped(shape, 150))
        await small.send(shaped(shape, 1)[0])
    assert [bool(one) for one in (await small.info()).dictionaries] == [True, True, True]
    # All but the last one, which came by the third.
    for one in (await everything(small))[:-1]:
        await one.delete()
    await another(small)
    await small.send_many(shaped(3, 150))

    assert [bool(one) for one in (await small.info()).dictionaries] == [False, False, True, True]
    await small.send(shaped(3, 1)[0])
    marks = [dictionary_number(one) for one in await stored()]
    assert (marks[0], marks[-1]) == (3, 4)


async def test_a_queue_whose_messages_need_four_dictionaries_stays_with_the_last(small, stored):
    await small.send(job(1))
    sent = [job(1)]
    for shape in range(5):
        await another(small)
        await small.send_many(shaped(shape, 150))
        sent += shaped(shape, 150)

    info = await small.info()
    assert len(info.dictionaries) == 4
    assert all(info.dictionaries)
    assert not info.learns
    assert dictionary_number((await stored())[-1]) == 4
    assert bodies(await everything(small)) == sent


async def test_it_is_an_attribute_as_others_are(client):
    queue = await client.create_queue("small", compression="deflate")
    assert (await queue.info()).attributes.compression == "deflate"
    await client.create_queue("small", compression="deflate")
    with pytest.raises(QueueExists, match="compression"):
        await client.create_queue("small", compression="none")
    with pytest.raises(InvalidParameter, match="one of none, deflate"):
        await queue.set_attributes(compression="gzip")
    with pytest.raises(InvalidParameter, match="one of none, deflate"):
        await client.create_queue("other", compression=True)


# --- where messages go --------------------------------------------------------------------------


async def die(queue, clock, sent):
    await queue.send_many(sent)
    await everything(queue)
    clock.move(31)
    assert await queue.receive(10) == []


@pytest.mark.parametrize(("here", "there"), [("deflate", "none"), ("deflate", "deflate")])
async def test_dead_letters_and_their_way_back_can_be_read(client, clock, stored, here, there):
    dead = await client.create_queue("dead", compression=there)
    if there == "deflate":
        # By another dictionary than the one that they come with.
        await dead.send_many([b'["other",%d,"things altogether"]' % n for n in range(SAMPLES)])
        await drained(dead)
    queue = await client.create_queue(
        "small",
        compression=here,
        redrive_policy={"dead_letter_queue": "dead", "max_receive_count": 1},
    )
    await die(await taught(queue), clock, jobs(9))

    letters = await dead.peek(100)
    assert bodies(letters) == jobs(9)
    assert {one.dead_letter_source for one in letters} == {"small"}
    assert [is_compressed(one) for one in await stored("dead")] == [there == "deflate"] * 9
    await dead.redrive()
    assert all(dictionary_number(one) for one in await stored())
    assert bodies(await everything(queue)) == jobs(9)


async def test_a_plain_queue_s_dead_letters_are_compressed_where_they_go(client, clock, stored):
    dead = await client.create_queue("dead", compression="deflate")
    queue = await client.create_queue(
        "plain", redrive_policy={"dead_letter_queue": "dead", "max_receive_count": 1}
    )
    await die(queue, clock, jobs(60))

    # The first of them taught it.
    assert (await dead.info()).dictionary
    assert dictionary_number((await stored("dead"))[-1])
    assert bodies(await dead.peek(100)) == jobs(60)


async def test_one_that_carries_dead_letters_and_knows_nothing_of_the_dictionary_looks_again(
    connect, clock, stored
):
    one, two = connect(), connect()
    dead = await one.create_queue("dead")
    queue = await one.create_queue(
        "small",
        compression="deflate",
        redrive_policy={"dead_letter_queue": "dead", "max_receive_count": 1},
    )
    await two.queue("small").stats()
    await queue.send_many(jobs(SAMPLES))
    await drained(queue)
    await queue.send(job(9))
    await everything(queue)
    clock.move(31)
    # The first goes as far as the outbox, and no further.
    registry = bare(one)._registry
    by_hand = ByHand(one, plans.receive(registry, "small", lambda *parts: parts))
    assert await by_hand.through("queues.receive")
    assert bare(two)._registry.known("small").dictionary == b""
    await ByHand(two, redrive.relay(bare(two)._registry, "small")).finish()

    assert bodies(await dead.peek()) == [job(9)]


async def test_a_compressed_message_that_is_broken_is_a_dead_letter_that_is_broken(
    client, clock, raw, namespace, stored
):
    """By the dictionary of the queue that it goes to it might be another message."""
    dead = await taught(await client.create_queue("dead", compression="deflate"))
    queue = await client.create_queue(
        "plain", redrive_policy={"dead_letter_queue": "dead", "max_receive_count": 1}
    )
    await dead.send(job(1))
    (lying,) = await stored("dead")
    await dead.purge()
    await in_thread(plant, raw, QueueKeys(namespace, "plain").log, lying, clock)
    await queue.send(job(2))
    await everything(queue)
    clock.move(31)
    await queue.receive(10)

    broken, good = await dead.peek()
    assert good.body == job(2)
    with pytest.raises(BrokenEnvelope):
        _ = broken.body


async def test_a_topic_s_messages_are_compressed_where_they_go(client, stored):
    small = await client.create_queue("small", compression="deflate")
    plain = await client.create_queue("plain")
    topic = await client.create_topic("news")
    for queue in (small, plain):
        await topic.subscribe(queue, raw_message_delivery=True)
    await topic.publish_many(jobs(SAMPLES))
    assert (await small.info()).dictionary
    await topic.publish_many(jobs(10, 100))

    marks = [dictionary_number(one) for one in await stored()]
    assert marks == [False] * SAMPLES + [True] * 10
    assert not any(is_compressed(one) for one in await stored("plain"))
    expected = jobs(SAMPLES) + jobs(10, 100)
    assert bodies(await everything(small)) == bodies(await everything(plain)) == expected


async def test_a_fifo_topic_s_messages_are_compressed_where_they_go(client, stored):
    queue = await taught(await client.create_queue("small.fifo", compression="deflate"))
    topic = await client.create_topic("news.fifo", content_based_deduplication=True)
    await topic.subscribe(queue, raw_message_delivery=True)
    for one in jobs(3, 700):
        await topic.publish(one, message_group_id="g")

    assert all(dictionary_number(one) for one in await stored("small.fifo"))
    assert bodies(await drained(queue)) == jobs(3, 700)


# --- what is broken -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "packed",
    [
        b"\x11\xff\xff",
        b"\x11" + deflated(b"\x01body")[1:-1],
        b"\x12" + deflated(b"\x01body")[1:],
        deflated(b"\x01" + bytes(LARGEST)),
    ],
    ids=["no deflate", "cut", "another dictionary", "a bomb"],
)
async def test_broken_compressed_bytes_are_a_named_error_and_can_be_deleted(
    small, raw, namespace, clock, packed
):
    clock.move(1)
    await in_thread(plant, raw, QueueKeys(namespace, "small").log, packed, clock)
    await small.send(job(1))
    broken, good = await small.receive(10)

    assert good.body == job(1)
    assert repr(broken)
    with pytest.raises(BrokenEnvelope, match="of queue 'small'"):
        _ = broken.body
    assert await broken.delete()
